//! The trace context that a client sends (<https://www.w3.org/TR/trace-context/>). What is not of its form is taken for
//! none, as the specification has it: a request is never refused for it.

use bytes::Bytes;
use http::HeaderMap;
use opentelemetry::trace::{SpanContext, SpanId, TraceFlags, TraceId, TraceState};

/// Bytes of a `tracestate` that is passed on; a longer one is left out (section 3.3.1.5).
const LONGEST_STATE: usize = 512;
/// `00-<32 digits>-<16 digits>-<2 digits>`
const LENGTH: usize = 55;

/// The client's span.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parent {
    pub(super) context: SpanContext,
}

impl Parent {
    /// The one that these headers name.
    pub fn of(headers: &HeaderMap) -> Option<Self> {
        let mut found = headers.get_all("traceparent").iter();
        let (Some(parent), None) = (found.next(), found.next()) else { return None };
        let (trace, span, flags) = ids(parent.to_str().ok()?.trim())?;
        Some(Self { context: SpanContext::new(trace, span, flags, true, state(headers)) })
    }

    /// Its trace: 32 hexadecimal digits.
    pub fn trace_id(&self) -> String {
        self.context.trace_id().to_string()
    }

    /// The `traceparent`, as version 00 writes it.
    pub fn text(&self) -> Bytes {
        let Self { context } = self;
        format!("00-{}-{}-{:02x}", context.trace_id(), context.span_id(), context.trace_flags().to_u8())
            .into()
    }
}

fn ids(text: &str) -> Option<(TraceId, SpanId, TraceFlags)> {
    let bytes = text.as_bytes();
    // Later versions may have more behind the flags (section 3.2.4).
    let has_length = match text.get(..2)? {
        "00" => bytes.len() == LENGTH,
        "ff" => false,
        _ => bytes.len() == LENGTH || bytes.get(LENGTH) == Some(&b'-'),
    };
    if !has_length || [2, 35, 52].iter().any(|at| bytes.get(*at) != Some(&b'-')) {
        return None;
    }
    let number = |from: usize, to: usize| {
        let digits = text.get(from..to)?;
        let is_lower = digits.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte));
        is_lower.then(|| u128::from_str_radix(digits, 16).ok())?
    };
    number(0, 2)?;
    let trace = TraceId::from(number(3, 35)?);
    let span = SpanId::from(u64::try_from(number(36, 52)?).ok()?);
    let flags = TraceFlags::new(u8::try_from(number(53, 55)?).ok()?) & TraceFlags::SAMPLED;
    (trace != TraceId::INVALID && span != SpanId::INVALID).then_some((trace, span, flags))
}

/// What other tracing systems have added. Several headers are one list.
fn state(headers: &HeaderMap) -> TraceState {
    let texts = headers.get_all("tracestate").iter().filter_map(|text| text.to_str().ok());
    let mut all = String::new();
    for text in texts {
        if all.len() + text.len() >= LONGEST_STATE {
            return TraceState::NONE;
        }
        if !all.is_empty() {
            all.push(',');
        }
        all.push_str(text);
    }
    all.parse().unwrap_or(TraceState::NONE)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

    fn parent(fields: &[(&'static str, &str)]) -> Option<Parent> {
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            headers.append(*name, value.parse().unwrap());
        }
        Parent::of(&headers)
    }

    #[test]
    fn what_is_not_of_the_form_is_none() {
        for (text, expected) in [
            ("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", Some("01")),
            ("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00", Some("00")),
            ("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-ff", Some("01")),
            ("01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", Some("01")),
            ("01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more", Some("01")),
            ("01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01more", None),
            ("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more", None),
            ("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-", None),
            ("ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", None),
            ("0x-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", None),
            ("00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01", None),
            ("00-00000000000000000000000000000000-00f067aa0ba902b7-01", None),
            ("00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01", None),
            ("00-+bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", None),
            ("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-1", None),
            ("00-4bf92f3577b34da6a3ce929d0e0e4736_00f067aa0ba902b7-01", None),
            ("00-1-1-01", None),
            ("", None),
        ] {
            let found = parent(&[("traceparent", text)]);
            let expected = expected.map(|flags| format!("00-{TRACE}-00f067aa0ba902b7-{flags}"));
            assert_eq!(found.map(|found| found.text()), expected.map(Bytes::from), "{text}");
        }
        let text = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        assert_eq!(parent(&[("traceparent", text), ("traceparent", text)]), None);
        assert_eq!(parent(&[]), None);
    }

    #[test]
    fn what_others_have_added_is_passed_on_unless_it_is_too_long() {
        let text = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        let state = |states: &[&str]| {
            let mut fields = vec![("traceparent", text)];
            fields.extend(states.iter().map(|state| ("tracestate", *state)));
            parent(&fields).unwrap().context.trace_state().header()
        };
        assert_eq!(state(&["a=1", "b=2"]), "a=1,b=2");
        assert_eq!(state(&["a=1", &format!("b={}", "x".repeat(520))]), "");
        assert_eq!(state(&["no pair"]), "");
        assert_eq!(state(&[]), "");
    }
}
