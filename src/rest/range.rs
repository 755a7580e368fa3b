//! Which rows are wanted: `limit`, `offset` and the `Range` header together,
//! and what is said of them in the answer.

use crate::{
    error::{Error, Fault, Result},
    request::range::{self, EmbedRange, Range, negative_limit, not_satisfiable},
};
use http::{HeaderMap, Method, StatusCode, header};

/// Rows from `first` to `last`, counted from zero; empty where `last` is less.
/// Clients may write any number, so these are wider than PostgreSQL's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Bounds {
    first: i128,
    last: Option<i128>,
}

const ALL: Bounds = Bounds { first: 0, last: None };

impl Bounds {
    /// The rows that `limit` and `offset` leave; what is no number is ignored.
    pub(super) fn new(limit: Option<&str>, offset: Option<&str>) -> Bounds {
        let first = offset.and_then(number).unwrap_or(0);
        Bounds { first, last: limit.and_then(number).map(|limit| first + limit - 1) }
    }

    /// The rows of an embed.
    pub(super) fn of_embed(self) -> EmbedRange {
        let clipped = self.intersection(ALL);
        match clipped.is_empty() && self != self.nothing() {
            true => EmbedRange::Negative,
            false => EmbedRange::Rows(clipped.range().into()),
        }
    }

    fn from_header(headers: &HeaderMap) -> Bounds {
        let parts =
            headers.get(header::RANGE).and_then(|value| value.to_str().ok()).and_then(|v| v.split_once('-'));
        match parts.map(|(first, last)| (digits(first), last, digits(last))) {
            Some((Some(first), _, Some(last))) => Bounds { first, last: Some(last) },
            Some((Some(first), "", None)) => Bounds { first, last: None },
            Some(_) | None => ALL,
        }
    }

    fn intersection(self, other: Bounds) -> Bounds {
        let last = match (self.last, other.last) {
            (Some(one), Some(other)) => Some(one.min(other)),
            (one, other) => one.or(other),
        };
        Bounds { first: self.first.max(other.first), last }
    }

    fn is_empty(self) -> bool {
        self.last.is_some_and(|last| last < self.first)
    }

    /// `limit=0` at this offset: the only way to ask for nothing.
    fn nothing(self) -> Bounds {
        Bounds { first: self.first, last: Some(self.first - 1) }
    }

    /// As PostgreSQL counts; more than it can count is all there is.
    fn range(self) -> Range<u64> {
        let largest = i64::MAX as u64;
        let clamp = |number: i128| u64::try_from(number).map_or(largest, |number| number.min(largest));
        Range {
            offset: clamp(self.first.max(0)),
            limit: self.last.map(|last| clamp((last - self.first + 1).max(0))),
        }
    }
}

fn number(text: &str) -> Option<i128> {
    let text = text.trim();
    digits(text.strip_prefix('-').unwrap_or(text))
        .map(|number| if text.starts_with('-') { -number } else { number })
}

/// At the most what fits with room to add.
fn digits(text: &str) -> Option<i128> {
    let all = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    all.then(|| text.parse::<u64>().unwrap_or(u64::MAX).into())
}

/// The rows wanted of the root: those of the query string that are also in the
/// `Range` header, which only GET has (RFC 9110, section 14.2).
pub(super) fn top_level(method: &Method, headers: &HeaderMap, query: Bounds) -> Result<Range<u64>> {
    let header = match *method {
        Method::GET => Bounds::from_header(headers),
        _ => ALL,
    };
    let wanted = header.intersection(query);
    if query.last == Some(-1) {
        return Ok(Range { offset: 0, limit: Some(0) });
    }
    if header.is_empty() {
        return Err(not_satisfiable(
            "The lower boundary must be lower than or equal to the upper boundary in the Range header.",
        ));
    }
    if wanted.is_empty() {
        return Err(negative_limit());
    }
    let range = wanted.range();
    match *method {
        Method::PUT if range != Range::default() => {
            Err(Error::new(Fault::UpsertRange, "limit/offset querystring parameters are not allowed for PUT"))
        }
        _ => Ok(range),
    }
}

/// The status of an answer of `rows` rows out of `total`.
pub(super) fn status(range: Range<u64>, rows: u64, total: Option<u64>) -> StatusCode {
    match total {
        Some(total) if range.offset > total => StatusCode::RANGE_NOT_SATISFIABLE,
        Some(total) if rows < total => StatusCode::PARTIAL_CONTENT,
        Some(_) | None => StatusCode::OK,
    }
}

/// Why there are no rows at this offset.
pub(super) fn beyond_the_end(range: Range<u64>, total: Option<u64>) -> Box<Error> {
    range::beyond_the_end(range.offset, total.unwrap_or(0))
}

/// The value of `Content-Range` for `rows` rows from `offset` on.
pub(super) fn content_range(offset: u64, rows: u64, total: Option<u64>) -> String {
    let mut digits = [itoa::Buffer::new(); 3];
    let [first, last, all] = &mut digits;
    let all = total.map_or("*", |total| all.format(total));
    match (rows, total) {
        (0, _) | (_, Some(0)) => ["*/", all].concat(),
        (_, Some(_) | None) => {
            let last = last.format(offset.saturating_add(rows - 1));
            [first.format(offset), "-", last, "/", all].concat()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    fn wanted(header: Option<&'static str>, limit: Option<&str>, offset: Option<&str>) -> Result<Range<u64>> {
        let mut headers = HeaderMap::new();
        headers.extend(header.map(|value| (header::RANGE, HeaderValue::from_static(value))));
        top_level(&Method::GET, &headers, Bounds::new(limit, offset))
    }

    fn range(offset: u64, limit: impl Into<Option<u64>>) -> Range<u64> {
        Range { offset, limit: limit.into() }
    }

    fn details(result: Result<Range<u64>>) -> String {
        let error = result.unwrap_err();
        assert_eq!(error.code(), "PGRST103");
        error.details.unwrap().as_str().unwrap().to_owned()
    }

    #[test]
    fn the_header_and_the_query_are_intersected() {
        assert_eq!(wanted(Some("0-9"), None, None).unwrap(), range(0, 10));
        assert_eq!(wanted(Some("5-"), None, None).unwrap(), range(5, None));
        assert_eq!(wanted(Some("5-20"), Some("10"), None).unwrap(), range(5, 5));
        assert_eq!(wanted(None, Some("10"), Some("3")).unwrap(), range(3, 10));
        assert_eq!(wanted(None, None, Some("3")).unwrap(), range(3, None));
        assert_eq!(wanted(None, None, None).unwrap(), Range::default());
    }

    #[test]
    fn what_is_no_range_is_ignored() {
        for header in ["items=0-9", "-5", "a-b", "1-x", "1-2-3", "5"] {
            assert_eq!(wanted(Some(header), None, None).unwrap(), Range::default(), "{header}");
        }
        assert_eq!(wanted(None, Some("ten"), Some("x")).unwrap(), Range::default());
    }

    #[test]
    fn nothing_can_be_asked_for_and_a_negative_offset_is_none() {
        assert_eq!(wanted(None, Some("0"), None).unwrap(), range(0, 0));
        assert_eq!(wanted(Some("5-9"), Some("0"), None).unwrap(), range(0, 0));
        assert_eq!(wanted(None, None, Some("-4")).unwrap(), Range::default());
    }

    #[test]
    fn a_negative_limit_and_a_reversed_range_are_refused() {
        assert_eq!(details(wanted(None, Some("-1"), None)), "Limit should be greater than or equal to zero.");
        assert!(details(wanted(Some("9-5"), None, None)).starts_with("The lower boundary"));
        assert_eq!(Bounds::new(Some("-1"), None).of_embed(), EmbedRange::Negative);
    }

    #[test]
    fn embeds_have_limits_and_offsets_of_their_own() {
        assert_eq!(Bounds::new(Some("0"), Some("2")).of_embed(), EmbedRange::Rows(range(2, 0).into()));
        assert_eq!(Bounds::new(Some("3"), Some("2")).of_embed(), EmbedRange::Rows(range(2, 3).into()));
        assert_eq!(Bounds::new(None, None).of_embed(), EmbedRange::Rows(Range::default()));
    }

    #[test]
    fn numbers_beyond_all_rows_are_taken() {
        let huge = "9".repeat(60);
        assert_eq!(wanted(None, Some(&huge), Some(&huge)).unwrap().offset, i64::MAX as u64);
    }

    #[test]
    fn put_takes_no_range_and_other_methods_no_header() {
        let mut headers = HeaderMap::new();
        headers.insert(header::RANGE, HeaderValue::from_static("0-1"));
        let all = Bounds::new(None, None);
        assert_eq!(top_level(&Method::POST, &headers, all).unwrap(), Range::default());
        assert_eq!(top_level(&Method::PUT, &headers, all).unwrap(), Range::default());
        let limited = Bounds::new(Some("1"), None);
        assert_eq!(top_level(&Method::PUT, &headers, limited).unwrap_err().code(), "PGRST114");
    }

    #[test]
    fn statuses_follow_from_the_total() {
        let status = |offset, rows, total| status(range(offset, None), rows, total).as_u16();
        assert_eq!(status(0, 5, None), 200);
        assert_eq!(status(0, 5, Some(5)), 200);
        assert_eq!(status(0, 5, Some(6)), 206);
        assert_eq!(status(5, 0, Some(5)), 206);
        assert_eq!(status(6, 0, Some(5)), 416);
    }

    #[test]
    fn content_ranges_have_stars_for_what_is_not_known() {
        assert_eq!(content_range(0, 15, None), "0-14/*");
        assert_eq!(content_range(5, 5, Some(20)), "5-9/20");
        assert_eq!(content_range(0, 0, None), "*/*");
        assert_eq!(content_range(0, 0, Some(0)), "*/0");
        assert_eq!(content_range(1, 0, Some(7)), "*/7");
    }
}
