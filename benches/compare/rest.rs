//! The REST requests of a case.

use bytes::Bytes;
use http::{HeaderName, Uri, header};

use super::{
    cases::{Case, fill},
    exchange::{Call, Endpoint, Protocol},
};

/// A REST API: a server, and the path below which it answers.
#[derive(Debug, Clone)]
pub(crate) struct Api {
    pub(crate) endpoint: Endpoint,
    pub(crate) prefix: String,
}

impl Api {
    /// The API at the root of `authority` (`host:port`).
    pub(crate) fn at(authority: &str) -> Self {
        Self {
            endpoint: Endpoint { authority: authority.to_owned(), protocol: Protocol::Rest },
            prefix: String::new(),
        }
    }

    /// The API at a URL: `http://host:port/path`.
    pub(crate) fn at_url(url: &Uri) -> anyhow::Result<Self> {
        anyhow::ensure!(url.scheme_str() == Some("http"), "{url}: only http:// can be measured");
        let host = url.host().unwrap_or("localhost");
        let mut api = Self::at(&format!("{host}:{}", url.port_u16().unwrap_or(80)));
        api.prefix = url.path().trim_end_matches('/').to_owned();
        Ok(api)
    }

    /// The request of a case with this key.
    pub(crate) fn call(&self, case: &Case, key: u32) -> anyhow::Result<Call> {
        let target = format!("{}{}", self.prefix, fill(case.rest.target, key));
        let body = Bytes::from(fill(case.rest.body, key));
        let mut call = Call::rest(&self.endpoint, case.rest.method.clone(), &target, body, case.rest.status)?;
        if !case.rest.prefer.is_empty() {
            call = call.with(HeaderName::from_static("prefer"), case.rest.prefer)?;
        }
        match case.caller.authorization()? {
            Some(authorization) => call.with(header::AUTHORIZATION, &authorization),
            None => Ok(call),
        }
    }
}
