//! The `Prefer` header (RFC 7240) and its echo, `Preference-Applied`. Whether
//! a preference has any effect is decided further down.

use crate::{
    config::TxEnd,
    request::prefer::{Count, Handling, Missing, Preferences, Resolution, Return, TransactionEnd},
};
use http::{HeaderMap, HeaderName};

const PREFER: HeaderName = HeaderName::from_static("prefer");

/// A preference with a closed set of values, each as it is written.
trait Written: Copy + PartialEq + 'static {
    const WORDS: &'static [(&'static str, Self)];

    fn written(self) -> &'static str {
        Self::WORDS.iter().find(|(_, value)| *value == self).map_or("", |(word, _)| word)
    }
}

macro_rules! written {
    ($($type:ty: $($word:literal $value:path),+;)+) => {$(
        impl Written for $type {
            const WORDS: &'static [(&'static str, Self)] = &[$(($word, $value)),+];
        }
    )+};
}

written! {
    Resolution: "resolution=merge-duplicates" Resolution::MergeDuplicates,
                "resolution=ignore-duplicates" Resolution::IgnoreDuplicates;
    Return: "return=representation" Return::Representation,
            "return=minimal" Return::Minimal,
            "return=headers-only" Return::HeadersOnly;
    Count: "count=exact" Count::Exact,
           "count=planned" Count::Planned,
           "count=estimated" Count::Estimated;
    TransactionEnd: "tx=commit" TransactionEnd::Commit,
                    "tx=rollback" TransactionEnd::Rollback;
    Missing: "missing=default" Missing::Default,
             "missing=null" Missing::Null;
    Handling: "handling=strict" Handling::Strict,
              "handling=lenient" Handling::Lenient;
}

/// The preferences of a request; of two of a kind the first one counts.
pub(super) fn parse(headers: &HeaderMap, tx_end: TxEnd) -> Preferences {
    let mut found = Preferences::default();
    let values =
        headers.get_all(PREFER).iter().filter_map(|value| std::str::from_utf8(value.as_bytes()).ok());
    for preference in values.flat_map(|value| value.split(',')).map(str::trim) {
        note(&mut found, preference);
    }
    match tx_end {
        TxEnd::Commit | TxEnd::Rollback => found.transaction_end = None,
        TxEnd::CommitAllowOverride | TxEnd::RollbackAllowOverride => {}
    }
    found
}

fn note(found: &mut Preferences, preference: &str) {
    if let Some(zone) = preference.strip_prefix("timezone=") {
        found.timezone.get_or_insert_with(|| zone.to_owned());
    } else if let Some(number) = preference.strip_prefix("max-affected=") {
        if found.max_affected.is_none() {
            found.max_affected = number.parse().ok();
        }
    } else {
        let known = keep(&mut found.resolution, preference)
            || keep(&mut found.representation, preference)
            || keep(&mut found.count, preference)
            || keep(&mut found.transaction_end, preference)
            || keep(&mut found.missing, preference)
            || keep(&mut found.handling, preference);
        if !known {
            found.unknown.push(preference.to_owned());
        }
    }
}

/// Keeps the value if it is one of `T`'s and none came before.
fn keep<T: Written>(kept: &mut Option<T>, preference: &str) -> bool {
    let value = T::WORDS.iter().find(|(word, _)| *word == preference).map(|(_, value)| *value);
    *kept = kept.or(value);
    value.is_some()
}

/// The value of `Preference-Applied`, if there is any preference to speak of.
pub(super) fn applied(preferences: &Preferences) -> Option<String> {
    let strict = preferences.handling == Some(Handling::Strict);
    let words = [
        preferences.resolution.map(Written::written),
        preferences.missing.map(Written::written),
        preferences.representation.map(Written::written),
        preferences.count.map(Written::written),
        preferences.transaction_end.map(Written::written),
        preferences.handling.map(Written::written),
    ];
    let mut applied: Vec<String> = words.into_iter().flatten().map(str::to_owned).collect();
    applied.extend(preferences.timezone.as_ref().map(|zone| format!("timezone={zone}")));
    let max_affected = preferences.max_affected.filter(|_| strict);
    applied.extend(max_affected.map(|number| format!("max-affected={number}")));
    (!applied.is_empty()).then(|| applied.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(values: &[&'static str], tx_end: TxEnd) -> Preferences {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(PREFER, http::HeaderValue::from_static(value));
        }
        parse(&headers, tx_end)
    }

    #[test]
    fn several_headers_and_lists_are_one() {
        let found = parsed(
            &[
                "resolution=ignore-duplicates,count=exact",
                "missing=null  ,  return=minimal",
                "timezone=UTC, odd",
            ],
            TxEnd::Commit,
        );
        let expected = Preferences {
            resolution: Some(Resolution::IgnoreDuplicates),
            representation: Some(Return::Minimal),
            count: Some(Count::Exact),
            missing: Some(Missing::Null),
            timezone: Some("UTC".to_owned()),
            unknown: vec!["odd".to_owned()],
            ..Preferences::default()
        };
        assert_eq!(found, expected);
    }

    #[test]
    fn the_first_of_a_kind_wins() {
        let found = parsed(&["tx=commit, tx=rollback", "tx=rollback"], TxEnd::CommitAllowOverride);
        assert_eq!(found.transaction_end, Some(TransactionEnd::Commit));
    }

    #[test]
    fn the_end_of_the_transaction_is_not_a_clients_matter_unless_allowed() {
        let found = parsed(&["tx=rollback"], TxEnd::Commit);
        assert_eq!((found.transaction_end, found.unknown), (None, vec![]));
    }

    #[test]
    fn the_echo_has_an_order_of_its_own_and_the_limit_only_where_it_is_strict() {
        let sent = "max-affected=5, timezone=UTC, count=exact, return=minimal, missing=default, resolution=merge-duplicates";
        let lenient = parsed(&[sent], TxEnd::Commit);
        assert_eq!(
            applied(&lenient).unwrap(),
            "resolution=merge-duplicates, missing=default, return=minimal, count=exact, timezone=UTC"
        );
        let strict = parsed(&["handling=strict,max-affected=5"], TxEnd::Commit);
        assert_eq!(applied(&strict).unwrap(), "handling=strict, max-affected=5");
        assert_eq!(applied(&Preferences::default()), None);
    }
}
