//! The types of the options that are OpenTelemetry's too: where traces go, which are recorded, what they carry. They follow
//! the forms of its environment variables
//! (<https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/>). Nothing here connects.

use std::{fmt, ops::Deref, str::FromStr};

use http::{HeaderName, HeaderValue, Uri};
use percent_encoding::percent_decode_str;

use super::value::{Problem, Rendered, Value, words};

words! {
    /// The protocol that a collector is spoken to in.
    OtlpProtocol, "grpc or http/protobuf",
    /// OTLP over gRPC, which collectors usually have at port 4317.
    Grpc = "grpc",
    /// OTLP over HTTP, as protobuf, usually at port 4318.
    Http = "http/protobuf",
}

words! {
    /// Which requests are recorded.
    TraceSampler, "always_on, always_off, traceidratio, or one of these with parentbased_ before it",
    /// Every request.
    AlwaysOn = "always_on",
    /// None.
    AlwaysOff = "always_off",
    /// A share of the traces.
    Ratio = "traceidratio",
    /// As the client says; every request where it says nothing.
    ParentOrAlwaysOn = "parentbased_always_on",
    /// As the client says; none where it says nothing.
    ParentOrAlwaysOff = "parentbased_always_off",
    /// As the client says; a share where it says nothing.
    ParentOrRatio = "parentbased_traceidratio",
}

words! {
    /// How PostgreSQL is told of a trace.
    TraceContext, "none or application-name",
    /// Not at all.
    None = "none",
    /// As the setting `application_name`.
    ApplicationName = "application-name",
}

/// The path below which collectors take traces over HTTP.
const TRACES: &str = "/v1/traces";

/// The address of a collector: `http` or `https`, without user and query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OtlpEndpoint(Uri);

impl OtlpEndpoint {
    /// The address for gRPC: the path is that of the method.
    pub fn origin(&self) -> Uri {
        self.0.clone()
    }

    /// The address that traces are posted to.
    pub fn traces(&self) -> String {
        let text = self.0.to_string();
        let text = text.trim_end_matches('/');
        match text.ends_with(TRACES) {
            true => text.to_owned(),
            false => format!("{text}{TRACES}"),
        }
    }
}

impl Value for OtlpEndpoint {
    const FORM: &'static str = "an address like http://localhost:4318 or https://collector.example";

    fn parse(text: &str) -> Result<Self, Problem> {
        let uri = Uri::from_str(text.trim()).map_err(|_| Problem::Form)?;
        let has_scheme = matches!(uri.scheme_str(), Some("http" | "https"));
        let has_authority = uri.authority().is_some_and(|authority| {
            let has_port = authority.as_str() != authority.host();
            let is_port = authority.port_u16().is_some_and(|port| port != 0);
            !authority.as_str().contains('@') && !authority.host().is_empty() && (!has_port || is_port)
        });
        match has_scheme && has_authority && uri.query().is_none() {
            true => Ok(Self(uri)),
            false => Err(Problem::Form),
        }
    }

    fn render(&self) -> Rendered {
        Rendered::Quoted(self.0.to_string())
    }
}

impl fmt::Display for OtlpEndpoint {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(out)
    }
}

/// A share: a number from 0 to 1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Ratio(pub f64);

impl Value for Ratio {
    const FORM: &'static str = "a number from 0 to 1";

    fn parse(text: &str) -> Result<Self, Problem> {
        match text.trim().parse() {
            Ok(ratio) if (0.0..=1.0).contains(&ratio) => Ok(Self(ratio)),
            Ok(_) | Err(_) => Err(Problem::Form),
        }
    }

    fn render(&self) -> Rendered {
        // A number of the configuration file has no fraction.
        match self.0.fract() == 0.0 {
            true => Rendered::Bare(self.0.to_string()),
            false => Rendered::Quoted(self.0.to_string()),
        }
    }
}

/// Names and values; the text is kept as it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pairs {
    text: String,
    pairs: Vec<(String, String)>,
}

impl Deref for Pairs {
    type Target = [(String, String)];

    fn deref(&self) -> &[(String, String)] {
        &self.pairs
    }
}

impl Value for Pairs {
    const FORM: &'static str = "a list like `name=value,name=value`, with percent-encoded values";

    fn parse(text: &str) -> Result<Self, Problem> {
        let written = text.split(',').map(str::trim).filter(|pair| !pair.is_empty());
        let pairs = written.map(|pair| {
            let (name, value) = pair.split_once('=').ok_or(Problem::Form)?;
            let value = percent_decode_str(value.trim()).decode_utf8().map_err(|_| Problem::Form)?;
            match name.trim() {
                "" => Err(Problem::Form),
                name => Ok((name.to_owned(), value.into_owned())),
            }
        });
        Ok(Self { text: text.to_owned(), pairs: pairs.collect::<Result<_, _>>()? })
    }

    fn render(&self) -> Rendered {
        Rendered::Quoted(self.text.clone())
    }
}

/// Headers, which may hold a secret: `Debug` redacts them.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretPairs {
    text: String,
    headers: Vec<(HeaderName, HeaderValue)>,
}

impl Deref for SecretPairs {
    type Target = [(HeaderName, HeaderValue)];

    fn deref(&self) -> &[(HeaderName, HeaderValue)] {
        &self.headers
    }
}

impl fmt::Debug for SecretPairs {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("SecretPairs(…)")
    }
}

impl Value for SecretPairs {
    const FORM: &'static str = "a list of headers like `name=value,name=value`, with percent-encoded values";

    fn parse(text: &str) -> Result<Self, Problem> {
        let header = |(name, value): &(String, String)| {
            let name = HeaderName::from_str(name).map_err(|_| Problem::Form)?;
            let mut value = HeaderValue::from_str(value).map_err(|_| Problem::Form)?;
            value.set_sensitive(true);
            Ok((name, value))
        };
        let headers = Pairs::parse(text)?.iter().map(header).collect::<Result<_, _>>()?;
        Ok(Self { text: text.to_owned(), headers })
    }

    fn render(&self) -> Rendered {
        Rendered::Quoted(self.text.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn traces_are_posted_below_the_address_unless_it_is_theirs() {
        for (text, traces) in [
            ("http://localhost:4318", "http://localhost:4318/v1/traces"),
            ("http://localhost:4318/", "http://localhost:4318/v1/traces"),
            ("https://collector.example/otlp", "https://collector.example/otlp/v1/traces"),
            ("https://collector.example/otlp/v1/traces", "https://collector.example/otlp/v1/traces"),
        ] {
            assert_eq!(OtlpEndpoint::parse(text).unwrap().traces(), traces, "{text}");
        }
        for text in
            ["", "localhost:4318", "ftp://c", "http://me@c", "http://c:0", "http://c:x", "http://c?a=b"]
        {
            assert_eq!(OtlpEndpoint::parse(text), Err(Problem::Form), "{text}");
        }
    }

    #[test]
    fn pairs_are_percent_decoded_and_headers_are_not_shown() {
        let pairs = Pairs::parse(" a=1, b = x%2Cy ,,c=a=b").unwrap();
        let expected = [("a", "1"), ("b", "x,y"), ("c", "a=b")];
        assert_eq!(*pairs, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
        let headers = SecretPairs::parse("Authorization=Bearer%20x").unwrap();
        assert_eq!(
            (headers[0].0.as_str(), &headers[0].1),
            ("authorization", &HeaderValue::from_static("Bearer x"))
        );
        assert!(!format!("{headers:?} {:?}", headers[0]).contains("Bearer"));
        for text in ["a", "=b", "a b=c", "a=%0A"] {
            assert!(SecretPairs::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_share_is_a_number_from_0_to_1() {
        for (text, expected) in [("0", Some(0.0)), ("1", Some(1.0)), ("0.25", Some(0.25)), ("1.0", Some(1.0))]
        {
            assert_eq!(Ratio::parse(text).ok().map(|ratio| ratio.0), expected, "{text}");
        }
        for text in ["", "-0.1", "1.1", "NaN", "inf", "half"] {
            assert_eq!(Ratio::parse(text), Err(Problem::Form), "{text}");
        }
    }
}
