//! Where in a request its token is: in `Authorization`, in a header or in a cookie that options name, in this order. A
//! browser adds cookies to requests that other sites make it send, so a cookie's token is taken only where the request shows
//! that it comes from no other site. It reads no token.

use http::{HeaderMap, HeaderName, HeaderValue, header};

use super::bearer;
use crate::{
    config::{Config, CookieName, Origins},
    error::{Error, Fault, Result},
};

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// What a request may do. Over gRPC every call may change something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// It only reads.
    Read,
    /// It may change something.
    Change,
}

/// The places besides `Authorization`.
#[derive(Debug)]
pub(super) struct Places {
    header: Option<HeaderName>,
    cookie: Option<CookieName>,
    /// Origins whose scripts may send cookies.
    origins: Vec<String>,
}

impl Places {
    pub(super) fn of(config: &Config) -> Places {
        Places {
            header: config.jwt_header.as_ref().map(|header| header.name().clone()),
            cookie: config.jwt_cookie.clone(),
            origins: match &config.server_cors_allowed_origins {
                Origins::Any => Vec::new(),
                Origins::Listed(origins) => origins.clone(),
            },
        }
    }

    /// The token of a request. An empty header or cookie has none.
    pub(super) fn token<'a>(&self, headers: &'a HeaderMap, effect: Effect) -> Result<Option<&'a [u8]>> {
        let authorization = headers.get(header::AUTHORIZATION).map(HeaderValue::as_bytes);
        if let Some(token) = authorization.and_then(bearer) {
            return Ok(Some(token));
        }
        if let Some(name) = &self.header {
            let values = headers.get_all(name).iter().map(HeaderValue::as_bytes);
            if let Some(token) = only(values, || format!("header {name}"))? {
                return Ok(Some(token));
            }
        }
        let Some(name) = &self.cookie else { return Ok(None) };
        let cookies = headers.get_all(header::COOKIE).iter().flat_map(|value| named(value.as_bytes(), name));
        match only(cookies, || format!("cookie {}", &**name))? {
            Some(token) if self.is_of_no_other_site(headers, effect) => Ok(Some(token)),
            Some(_) => Err(Error::new(
                Fault::CookieRefused,
                "The token of the cookie is not taken from a request that another site may have made",
            )
            .hint("Send the token in Authorization, or list the origin in server-cors-allowed-origins")),
            None => Ok(None),
        }
    }

    /// Browsers say where a request comes from (<https://www.w3.org/TR/fetch-metadata/>), or at least from which origin.
    /// What says neither comes from no script, and may be a form or a link of another site in an old browser.
    fn is_of_no_other_site(&self, headers: &HeaderMap, effect: Effect) -> bool {
        let is_listed =
            |origin: &HeaderValue| self.origins.iter().any(|listed| origin.as_bytes() == listed.as_bytes());
        let origin = headers.get(header::ORIGIN);
        match headers.get(SEC_FETCH_SITE).map(HeaderValue::as_bytes) {
            Some(b"same-origin" | b"none") => true,
            Some(_) => origin.is_some_and(is_listed),
            None => origin.map_or(effect == Effect::Read, is_listed),
        }
    }
}

/// The one value that is not empty. Which of several is meant would depend on the reader.
fn only<'a>(
    values: impl Iterator<Item = &'a [u8]>,
    place: impl FnOnce() -> String,
) -> Result<Option<&'a [u8]>> {
    let mut values = values.filter(|value| !value.is_empty());
    match (values.next(), values.next()) {
        (value, None) => Ok(value),
        (_, Some(_)) => {
            Err(Error::new(Fault::InvalidHeaders, format!("The request has more than one {}", place())))
        }
    }
}

/// The values of the cookies of this name (RFC 6265, section 4.2.1).
fn named<'a>(header: &'a [u8], name: &str) -> impl Iterator<Item = &'a [u8]> {
    header.split(|&byte| byte == b';').filter_map(move |cookie| {
        let value = cookie.trim_ascii().strip_prefix(name.as_bytes())?.strip_prefix(b"=")?;
        Some(value.trim_ascii())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Sources;

    type Fields<'a> = &'a [(&'a str, &'a str)];

    fn places(options: Fields) -> Places {
        let mut sources = Sources::default();
        sources.environment =
            options.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Places::of(&Config::load(&sources).unwrap().0)
    }

    fn found(places: &Places, fields: Fields, effect: Effect) -> std::result::Result<Option<String>, String> {
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            headers.append(name.parse::<HeaderName>().unwrap(), value.parse().unwrap());
        }
        match places.token(&headers, effect) {
            Ok(token) => Ok(token.map(|token| String::from_utf8(token.to_vec()).unwrap())),
            Err(error) => Err(error.code().to_owned()),
        }
    }

    #[test]
    fn authorization_comes_before_the_header_and_that_before_the_cookie() {
        let all = places(&[("PGDUET_JWT_HEADER", "apikey"), ("PGDUET_JWT_COOKIE", "session")]);
        let none = places(&[]);
        let (authorization, other) = (("authorization", "Bearer a"), ("authorization", "Basic x"));
        let (key, cookie) = (("apikey", "k"), ("cookie", "x=1; session=c;  y=2"));
        for (fields, expected) in [
            (&[authorization, key, cookie][..], Ok(Some("a"))),
            (&[other, key, cookie], Ok(Some("k"))),
            (&[key, cookie], Ok(Some("k"))),
            (&[cookie], Ok(Some("c"))),
            (&[("authorization", "Bearer "), key], Ok(Some(""))),
            (&[("apikey", ""), cookie], Ok(Some("c"))),
            (&[("cookie", "session=")], Ok(None)),
            (&[("cookie", "session; sessions=x; xsession=y; Session=z")], Ok(None)),
            (&[], Ok(None)),
            (&[key, key], Err("PGDUET14")),
            (&[authorization, key, key], Ok(Some("a"))),
            (&[("cookie", "session=a; session=b")], Err("PGDUET14")),
            (&[("cookie", "session=a"), ("cookie", "session=b")], Err("PGDUET14")),
            (&[("cookie", "x=1"), ("cookie", "session=b")], Ok(Some("b"))),
        ] {
            let expected = expected.map(|token| token.map(str::to_owned)).map_err(str::to_owned);
            assert_eq!(found(&all, fields, Effect::Read), expected, "{fields:?}");
        }
        assert_eq!(found(&none, &[key, cookie], Effect::Read), Ok(None));
    }

    #[test]
    fn a_cookie_s_token_is_not_taken_from_another_site() {
        const COOKIE: (&str, &str) = ("cookie", "session=c");
        let any = places(&[("PGDUET_JWT_COOKIE", "session")]);
        let listed = places(&[
            ("PGDUET_JWT_COOKIE", "session"),
            ("PGRST_SERVER_CORS_ALLOWED_ORIGINS", "https://app.example"),
        ]);
        let site = |site| ("sec-fetch-site", site);
        let (app, foreign) = (("origin", "https://app.example"), ("origin", "https://evil.example"));
        for (fields, reads, changes, reads_if_listed, changes_if_listed) in [
            (&[][..], true, false, true, false),
            (&[site("same-origin")], true, true, true, true),
            (&[site("none")], true, true, true, true),
            (&[site("same-site")], false, false, false, false),
            (&[site("cross-site")], false, false, false, false),
            (&[site("cross-site"), app], false, false, true, true),
            (&[site("same-site"), app], false, false, true, true),
            (&[site("cross-site"), foreign], false, false, false, false),
            (&[app], false, false, true, true),
            (&[foreign], false, false, false, false),
            (&[("origin", "null")], false, false, false, false),
            (&[site("x")], false, false, false, false),
        ] {
            let fields = [&[COOKIE], fields].concat();
            for (places, effect, is_taken) in [
                (&any, Effect::Read, reads),
                (&any, Effect::Change, changes),
                (&listed, Effect::Read, reads_if_listed),
                (&listed, Effect::Change, changes_if_listed),
            ] {
                let expected = if is_taken { Ok(Some("c".to_owned())) } else { Err("PGDUET22".to_owned()) };
                assert_eq!(found(places, &fields, effect), expected, "{fields:?} {effect:?}");
            }
        }
        // Without the cookie, and with a token elsewhere, other sites are as welcome as ever.
        assert_eq!(found(&any, &[foreign], Effect::Change), Ok(None));
        let explicit = ("authorization", "Bearer a");
        assert_eq!(found(&any, &[explicit, COOKIE, foreign], Effect::Change), Ok(Some("a".to_owned())));
    }
}
