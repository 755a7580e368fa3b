//! The `Accept` header (RFC 9110, section 12.5.1): what is wanted, best first.
//! Which of it can be made is decided by the plan.

use crate::media::MediaType;
use http::{HeaderMap, header};
use std::cmp::Ordering;

/// The media types asked for, by weight, then by how special they are.
pub(super) fn parse(headers: &HeaderMap) -> Vec<MediaType> {
    let Some(accept) = headers.get(header::ACCEPT) else { return vec![MediaType::Any] };
    let accept = String::from_utf8_lossy(accept.as_bytes());
    if !accept.contains([',', ';']) {
        return vec![MediaType::parse(accept.trim())];
    }
    let compact = accept.replace(' ', "");
    let mut weighed: Vec<_> = compact.split(',').map(Weighed::new).collect();
    weighed.sort_by(Weighed::compare);
    weighed.into_iter().map(|weighed| MediaType::parse(weighed.media)).collect()
}

struct Weighed<'a> {
    media: &'a str,
    weight: f64,
    parameters: usize,
    wildcards: usize,
}

impl<'a> Weighed<'a> {
    /// What follows the weight is an extension that nobody uses.
    fn new(text: &'a str) -> Self {
        let (media, weight) = match text.split_once(";q=") {
            Some((media, rest)) => {
                let weight = rest.split(';').next().and_then(|weight| weight.parse().ok());
                (media, weight.unwrap_or(1.0))
            }
            None => (text, 1.0),
        };
        Weighed {
            media,
            weight,
            parameters: media.matches(';').count(),
            wildcards: media.matches('*').count(),
        }
    }

    fn compare(&self, other: &Self) -> Ordering {
        let by_weight = other.weight.total_cmp(&self.weight);
        by_weight.then_with(|| (other.parameters + self.wildcards).cmp(&(self.parameters + other.wildcards)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    fn parsed(accept: &'static str) -> Vec<MediaType> {
        let mut headers = HeaderMap::new();
        headers.insert(header::ACCEPT, HeaderValue::from_static(accept));
        parse(&headers)
    }

    #[test]
    fn nothing_said_means_anything() {
        assert_eq!(parse(&HeaderMap::new()), [MediaType::Any]);
    }

    #[test]
    fn weights_decide_and_one_is_the_default() {
        assert_eq!(parsed("text/csv;q=0.5, application/json"), [MediaType::Json, MediaType::Csv]);
        assert_eq!(parsed("text/csv, */*; q=0.01"), [MediaType::Csv, MediaType::Any]);
    }

    #[test]
    fn what_is_more_special_comes_first_among_equals() {
        assert_eq!(parsed("*/*,text/csv"), [MediaType::Csv, MediaType::Any]);
        assert_eq!(
            parsed("application/json,application/vnd.pgrst.object;nulls=stripped"),
            [MediaType::Object(crate::media::Nulls::Stripped), MediaType::Json]
        );
    }

    #[test]
    fn the_order_given_is_kept_among_equals() {
        assert_eq!(parsed("text/xml,text/csv"), [MediaType::Xml, MediaType::Csv]);
    }
}
