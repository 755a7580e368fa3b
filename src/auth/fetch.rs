//! GET of one document over HTTP/1.1, on a connection of its own. The caller sets the deadline. Neither the document nor
//! its head can be large, redirects are few and never lead from https to http, and a certificate is always verified.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, Request, Response, StatusCode, header};
use http_body::Body;
use http_body_util::{BodyExt, Empty, Limited};
use hyper::{body::Incoming, client::conn::http1};
use hyper_util::rt::TokioIo;
use tokio::task::JoinSet;

use crate::{
    config::{KeyAddress, PlainHttp},
    outbound::{Dialer, Encryption},
};

/// Bytes of the largest document. Sets of keys have a few thousand.
const LARGEST_BODY: usize = 256 << 10;
/// Bytes of the largest head.
const LARGEST_HEAD: usize = 64 << 10;
const MOST_REDIRECTS: usize = 3;

/// Fetches documents.
#[derive(Clone)]
pub(super) struct Client {
    dialer: Dialer,
    plain: PlainHttp,
}

/// What an address answered with status 200.
pub(super) struct Document {
    /// Where it was found in the end.
    pub(super) address: KeyAddress,
    pub(super) body: Bytes,
    /// For how long it may be kept, if the answer says so.
    pub(super) fresh_for: Option<Duration>,
}

/// Why there is no document.
#[derive(Debug)]
pub(super) enum Failure {
    /// The server answered, with something else.
    Answer(String),
    /// There was no whole answer.
    Transport(String),
}

impl Client {
    /// A client that trusts the authorities that this machine trusts. Reads their certificates from files.
    pub(super) fn new(plain: PlainHttp) -> Result<Client, String> {
        Ok(Client { dialer: Dialer::new(&[])?, plain })
    }

    /// Fetches what is at an address.
    pub(super) async fn get(&self, address: &KeyAddress) -> Result<Document, Failure> {
        let mut address = address.clone();
        for _ in 0..=MOST_REDIRECTS {
            // The connection ends with it.
            let mut connection = JoinSet::new();
            let response = self.ask(&address, &mut connection).await?;
            if is_redirect(response.status()) {
                let target = response.headers().get(header::LOCATION).and_then(|target| target.to_str().ok());
                let next = address.follow(target.unwrap_or_default(), self.plain);
                address =
                    next.map_err(|why| Failure::Answer(format!("{address} redirects to what {why}")))?;
                continue;
            }
            return read(address, response).await;
        }
        Err(Failure::Answer(format!("{address} is the end of more than {MOST_REDIRECTS} redirects")))
    }

    /// The address that `document` names.
    pub(super) fn follow(&self, document: &Document, target: &str) -> Result<KeyAddress, Failure> {
        let next = document.address.follow(target, self.plain);
        next.map_err(|why| Failure::Answer(format!("{} has a jwks_uri that {why}", document.address)))
    }

    async fn ask(
        &self,
        address: &KeyAddress,
        connection: &mut JoinSet<hyper::Result<()>>,
    ) -> Result<Response<Incoming>, Failure> {
        let failed = |error: &dyn std::fmt::Display| {
            Failure::Transport(format!("{address} cannot be reached: {error}"))
        };
        let encryption = match address.is_encrypted() {
            false => Encryption::None,
            true => Encryption::Tls,
        };
        let dialled = self.dialer.dial(address.host(), address.port(), encryption).await;
        let stream = dialled.map_err(|error| failed(&error))?;
        let request = Request::get(address.target())
            .header(header::HOST, address.authority())
            .header(header::ACCEPT, "application/json, application/jwk-set+json")
            .header(header::USER_AGENT, concat!("pgduet/", env!("CARGO_PKG_VERSION")))
            .header(header::CONNECTION, "close")
            .body(Empty::<Bytes>::new())
            .map_err(|error| failed(&error))?;
        let (mut sender, driver) = http1::Builder::new()
            .max_buf_size(LARGEST_HEAD)
            .handshake(TokioIo::new(stream))
            .await
            .map_err(|error| failed(&error))?;
        connection.spawn(driver);
        sender.send_request(request).await.map_err(|error| failed(&error))
    }
}

async fn read(address: KeyAddress, response: Response<Incoming>) -> Result<Document, Failure> {
    let (head, body) = response.into_parts();
    if head.status != StatusCode::OK {
        return Err(Failure::Answer(format!("{address} answers with status {}", head.status.as_u16())));
    }
    if head.headers.get(header::CONTENT_ENCODING).is_some_and(|coding| coding != "identity") {
        return Err(Failure::Answer(format!("{address} answers in a content coding, and none was accepted")));
    }
    let too_large = || Failure::Answer(format!("{address} answers with more than {LARGEST_BODY} bytes"));
    if body.size_hint().lower() > LARGEST_BODY as u64 {
        return Err(too_large());
    }
    let body = Limited::new(body, LARGEST_BODY).collect().await.map_err(|error| {
        match error.is::<http_body_util::LengthLimitError>() {
            true => too_large(),
            false => Failure::Transport(format!("{address} stops in the middle of its answer: {error}")),
        }
    })?;
    Ok(Document { address, body: body.to_bytes(), fresh_for: fresh_for(&head.headers) })
}

fn is_redirect(status: StatusCode) -> bool {
    matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308)
}

/// How long an answer stays fresh in a private cache (RFC 9111, sections 4.2 and 5.2.2). Several values count as the
/// shortest of them.
fn fresh_for(headers: &HeaderMap) -> Option<Duration> {
    let texts = |name: HeaderName| headers.get_all(name).into_iter().filter_map(|value| value.to_str().ok());
    let directives = texts(header::CACHE_CONTROL).flat_map(|text| text.split(','));
    let seconds = directives.filter_map(|directive| {
        let (name, value) = directive.split_once('=').unwrap_or((directive, ""));
        match name.trim().to_ascii_lowercase().as_str() {
            "no-store" | "no-cache" => Some(0),
            // A `max-age` that is not a number of 64 bits makes the document stale at once.
            "max-age" => Some(value.trim().trim_matches('"').parse().unwrap_or(0)),
            _ => None,
        }
    });
    let age: u64 = texts(header::AGE).find_map(|text| text.trim().parse().ok()).unwrap_or(0);
    seconds.min().map(|seconds: u64| Duration::from_secs(seconds.saturating_sub(age)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cache_control_says_how_long_an_answer_is_fresh() {
        for (fields, expected) in [
            (&[][..], None),
            (&[(header::CACHE_CONTROL, "public")], None),
            (&[(header::CACHE_CONTROL, "public, max-age=300, must-revalidate")], Some(300)),
            (&[(header::CACHE_CONTROL, "Max-Age=\"300\"")], Some(300)),
            (&[(header::CACHE_CONTROL, "s-maxage=300")], None),
            (&[(header::CACHE_CONTROL, "max-age=300, no-cache")], Some(0)),
            (&[(header::CACHE_CONTROL, "max-age=300"), (header::CACHE_CONTROL, "no-store")], Some(0)),
            (&[(header::CACHE_CONTROL, "max-age=300"), (header::AGE, "100")], Some(200)),
            (&[(header::CACHE_CONTROL, "max-age=300"), (header::AGE, "400")], Some(0)),
            (&[(header::CACHE_CONTROL, "max-age=99999999999999999999")], Some(0)),
            (&[(header::CACHE_CONTROL, "max-age=x")], Some(0)),
        ] {
            let mut headers = HeaderMap::new();
            for (name, value) in fields {
                headers.append(name, value.parse().unwrap());
            }
            assert_eq!(fresh_for(&headers), expected.map(Duration::from_secs), "{fields:?}");
        }
    }
}
