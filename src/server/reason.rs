//! The reason phrase of an HTTP/1 status line, where hyper's own would not be PostgREST's.
//!
//! Clients read it. A handler that has a phrase of its own, as for a status raised by the database, puts a
//! [`ReasonPhrase`] into the response's extensions; it is never replaced here.

use http::{Response, StatusCode};
use hyper::ext::ReasonPhrase;

/// The phrases that PostgREST's HTTP library words differently from the `http` crate.
const PHRASES: [(StatusCode, &[u8]); 4] = [
    (StatusCode::NON_AUTHORITATIVE_INFORMATION, b"Non-Authoritative Information"),
    (StatusCode::PAYLOAD_TOO_LARGE, b"Request Entity Too Large"),
    (StatusCode::URI_TOO_LONG, b"Request-URI Too Long"),
    (StatusCode::RANGE_NOT_SATISFIABLE, b"Requested Range Not Satisfiable"),
];

/// Gives the response the phrase to be sent, unless it has one or hyper's will do.
///
/// A status without a name gets an empty phrase: hyper would write `<none>`.
pub(super) fn complete<B>(mut response: Response<B>) -> Response<B> {
    let status = response.status();
    let phrase = match PHRASES.iter().find(|(known, _)| *known == status) {
        Some((_, phrase)) => phrase,
        None if status.canonical_reason().is_none() => &b""[..],
        None => return response,
    };
    response.extensions_mut().get_or_insert_with(|| ReasonPhrase::from_static(phrase));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    fn phrase(status: u16, own: Option<ReasonPhrase>) -> Result<Option<Vec<u8>>, http::Error> {
        let mut response = Response::builder().status(status).body(())?;
        if let Some(own) = own {
            response.extensions_mut().insert(own);
        }
        let response = complete(response);
        Ok(response.extensions().get::<ReasonPhrase>().map(|phrase| phrase.as_bytes().to_vec()))
    }

    #[test]
    fn phrases_are_those_of_postgrest_and_a_phrase_of_the_handler_stays() -> Result<(), http::Error> {
        assert_eq!(phrase(416, None)?.as_deref(), Some(&b"Requested Range Not Satisfiable"[..]));
        assert_eq!(phrase(299, None)?.as_deref(), Some(&b""[..]));
        assert_eq!(phrase(300, None)?, None, "hyper's is the same");
        let own = ReasonPhrase::from_static(b"My Own");
        assert_eq!(phrase(416, Some(own))?.as_deref(), Some(&b"My Own"[..]));
        Ok(())
    }
}
