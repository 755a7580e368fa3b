//! Errors as `google.rpc.Status`: the code from the one error table, details
//! after <https://google.aip.dev/193>. What is internal stays in the log.

use crate::{
    config::Verbosity,
    error::{Caller, Error, GrpcCode, Origin, classify},
};
use serde_json::Value;
use std::{collections::HashMap, time::Duration};
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt};

/// How long a client waits before it tries again what was aborted.
const RETRY_DELAY: Duration = Duration::from_millis(100);
/// Message and details travel in headers, which clients limit to 8 KiB together: a
/// message may be percent-encoded to thrice its length, and details have up to
/// four texts of this length, in base64.
const LONGEST_TEXT: usize = 768;
/// How many columns an error names.
const MOST_COLUMNS: usize = 8;

/// What no internals are told of: SQLSTATE's class of errors that PostgreSQL finds in itself.
const INTERNAL: &str = "XX";

/// The status of an error that `caller` met. `verbosity` is the option `client-error-verbosity`.
pub(super) fn status(error: &Error, caller: Caller, verbosity: Verbosity) -> Status {
    blaming(error, caller, verbosity, &[])
}

/// The same of an error that is about these columns.
pub(super) fn blaming(error: &Error, caller: Caller, verbosity: Verbosity, columns: &[String]) -> Status {
    let class = classify(error, caller);
    let code = Code::from_i32(class.grpc as i32);
    // What PostgreSQL says of itself is not for strangers.
    let message = if is_internal(error) { "Internal error" } else { shortened(&error.message) };
    let mut details = match verbosity {
        Verbosity::Verbose => particulars(error, class.grpc, columns),
        Verbosity::Minimal => ErrorDetails::new(),
    };
    let domain = match &error.origin {
        Origin::Pgduet(_) => "pgduet",
        Origin::PostgreSql(_) => "postgresql",
    };
    details.set_error_info(reason(error, class.reason), domain, metadata(error, verbosity, columns));
    let is_passing = matches!(class.grpc, GrpcCode::Aborted | GrpcCode::Unavailable);
    if let Some(delay) = error.retry_after.or(is_passing.then_some(RETRY_DELAY)) {
        details.set_retry_info(Some(delay));
    }
    Status::with_error_details(code, message, details)
}

fn is_internal(error: &Error) -> bool {
    match &error.origin {
        Origin::PostgreSql(report) => report.raised.is_none() && report.sqlstate.starts_with(INTERNAL),
        Origin::Pgduet(_) => false,
    }
}

/// The reason: the code that a function raised by itself, if it has the form that reasons have, else that of the error
/// table.
fn reason<'e>(error: &'e Error, otherwise: &'e str) -> &'e str {
    let raised = match &error.origin {
        Origin::PostgreSql(report) => report.raised.as_ref().and_then(|raised| raised.code.as_deref()),
        Origin::Pgduet(_) => None,
    };
    raised.filter(|code| is_reason(code)).unwrap_or(otherwise)
}

/// Whether this can be the reason of an `ErrorInfo`: at most 63 capital letters, digits and underscores between them.
fn is_reason(code: &str) -> bool {
    let is_outer = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit();
    (2..=63).contains(&code.len())
        && code.bytes().all(|byte| is_outer(byte) || byte == b'_')
        && code.starts_with(|letter: char| letter.is_ascii_uppercase())
        && !code.ends_with('_')
}

/// The code, and all else that the client may be told.
fn metadata(error: &Error, verbosity: Verbosity, columns: &[String]) -> HashMap<String, String> {
    let mut known = Vec::new();
    let mut status = String::new();
    match &error.origin {
        Origin::Pgduet(_) => {
            known.push(("code", Some(error.code())));
            if verbosity == Verbosity::Verbose {
                let said = |name: &str| error.details.as_ref()?.get(name)?.as_str();
                known.extend(["row", "relation", "key"].map(|name| (name, said(name))));
                known.push(("column", said("row").and_then(|_| said("field"))));
            }
        }
        Origin::PostgreSql(report) => {
            known.push(("sqlstate", Some(&report.sqlstate)));
            if let Some(raised) = &report.raised {
                status = raised.status.to_string();
                known.push(("code", raised.code.as_deref()));
                let phrase = raised.status_text.as_deref().filter(|phrase| *phrase != error.message);
                known.push(("reason", phrase));
            }
            if verbosity == Verbosity::Verbose {
                let blamed = match columns {
                    [column] => Some(column.as_str()),
                    [] | [_, ..] => None,
                };
                known.extend([
                    ("constraint", report.constraint.as_deref()),
                    ("table", report.table.as_deref()),
                    ("column", report.column.as_deref().or(blamed)),
                ]);
            }
        }
    }
    let operation = error.operation.map(|operation| operation.to_string());
    known.push(("operation", operation.as_deref()));
    known.push(("status", Some(status.as_str()).filter(|status| !status.is_empty())));
    match (verbosity, is_internal(error)) {
        (Verbosity::Minimal, _) | (Verbosity::Verbose, true) => {}
        (Verbosity::Verbose, false) => {
            known.push(("details", error.details.as_ref().and_then(Value::as_str)));
            known.push(("hint", error.hint.as_deref()));
        }
    }
    let told = known.into_iter().filter_map(|(name, value)| Some((name, value?)));
    told.map(|(name, value)| (name.to_owned(), shortened(value).to_owned())).collect()
}

/// What is wrong with which part of the request or of the data.
fn particulars(error: &Error, code: GrpcCode, columns: &[String]) -> ErrorDetails {
    let mut details = ErrorDetails::new();
    match code {
        GrpcCode::InvalidArgument => {
            let columns = columns.iter().map(String::as_str).take(MOST_COLUMNS);
            // What is wrong with all of them is said once.
            let descriptions = std::iter::once(shortened(&error.message)).chain(std::iter::repeat(""));
            for (field, description) in field(error).into_iter().chain(columns).zip(descriptions) {
                details.add_bad_request_violation(shortened(field), description);
            }
        }
        GrpcCode::NotFound => {
            let said = |name: &str| error.details.as_ref()?.get(name)?.as_str();
            if let (Some(relation), Some(key)) = (said("relation"), said("key")) {
                details.set_resource_info(relation, shortened(key), "", "");
            }
        }
        GrpcCode::FailedPrecondition => {
            if let Origin::PostgreSql(report) = &error.origin
                && let Some(constraint) = &report.constraint
            {
                let subject = report.table.clone().unwrap_or_default();
                let description = shortened(&error.message);
                details.add_precondition_failure_violation(constraint, subject, description);
            }
        }
        _ => {}
    }
    details
}

/// The field that is wrong: of the request, or a column.
fn field(error: &Error) -> Option<&str> {
    match &error.origin {
        Origin::Pgduet(_) => error.details.as_ref()?.get("field")?.as_str(),
        Origin::PostgreSql(report) => report.column.as_deref(),
    }
}

fn shortened(text: &str) -> &str {
    let end =
        text.char_indices().map(|(at, _)| at).take_while(|at| *at <= LONGEST_TEXT).last().unwrap_or_default();
    if text.len() <= LONGEST_TEXT { text } else { text.get(..end).unwrap_or_default() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::{Fault, Raised, Report};

    #[test]
    fn a_violated_constraint_is_named_in_the_details() {
        let report = Report {
            sqlstate: "23503".to_owned(),
            constraint: Some("loans_book_id_fkey".to_owned()),
            table: Some("loans".to_owned()),
            ..Report::default()
        };
        let status = status(
            &Error::reported(report, "violates foreign key"),
            Caller::Authenticated,
            Verbosity::Verbose,
        );
        assert_eq!(status.code(), Code::FailedPrecondition);
        let details = status.get_error_details();
        let info = details.error_info().map(|info| (info.reason.as_str(), info.domain.as_str()));
        assert_eq!(info, Some(("FOREIGN_KEY_VIOLATION", "postgresql")));
        let violations = details.precondition_failure().map(|failure| failure.violations.len());
        assert_eq!(violations, Some(1));
    }

    #[test]
    fn a_client_that_is_told_little_gets_code_and_message_alone() {
        let report = Report {
            sqlstate: "23503".to_owned(),
            constraint: Some("loans_book_id_fkey".to_owned()),
            column: Some("book_id".to_owned()),
            ..Report::default()
        };
        let error = Error::reported(report, "violates foreign key").details("Key (7)").hint("Try 8");
        let details = status(&error, Caller::Authenticated, Verbosity::Minimal).get_error_details();
        let metadata = &details.error_info().unwrap().metadata;
        assert_eq!(metadata, &HashMap::from([("sqlstate".to_owned(), "23503".to_owned())]));
        assert!(details.precondition_failure().is_none() && details.bad_request().is_none());
    }

    #[test]
    fn a_wrong_field_is_a_bad_request_and_internals_stay_inside() {
        let refused = super::super::refuse::refuse("page_size", "cannot be negative");
        let details = status(&refused, Caller::Anonymous, Verbosity::Verbose).get_error_details();
        let field = details.bad_request().and_then(|bad| bad.field_violations.first().cloned());
        assert_eq!(field.map(|violation| violation.field), Some("page_size".to_owned()));
        let broken = Report { sqlstate: "XX000".to_owned(), ..Report::default() };
        let status = status(
            &Error::reported(broken, "cache lookup failed for oid 7"),
            Caller::Anonymous,
            Verbosity::Verbose,
        );
        assert_eq!((status.code(), status.message()), (Code::Internal, "Internal error"));
    }

    #[test]
    fn what_a_function_raised_keeps_its_texts_and_its_code() {
        let raised = |state: &str, raised: Option<Raised>| {
            let report = Report { sqlstate: state.to_owned(), raised, ..Report::default() };
            let error = Error::reported(report, "no").details("at all").hint("go");
            let status = status(&error, Caller::Authenticated, Verbosity::Verbose);
            let details = status.get_error_details();
            let info = details.error_info().cloned().unwrap();
            (status.code(), status.message().to_owned(), info.reason, info.metadata)
        };
        for state in ["U0001", "P0004", "38000", "57000", "HV000"] {
            let (_, message, _, metadata) = raised(state, None);
            let told =
                (metadata["details"].as_str(), metadata["hint"].as_str(), metadata["sqlstate"].as_str());
            assert_eq!((message.as_str(), told), ("no", ("at all", "go", state)));
        }
        let own = |code: &str, status| Raised { code: Some(code.to_owned()), status, ..Raised::default() };
        let (code, _, reason, metadata) = raised("PGRST", Some(own("OUT_OF_STOCK", 409)));
        assert_eq!((code, reason.as_str()), (Code::AlreadyExists, "OUT_OF_STOCK"));
        assert_eq!((metadata["code"].as_str(), metadata["status"].as_str()), ("OUT_OF_STOCK", "409"));
        let (code, _, reason, _) = raised("PGRST", Some(own("not a reason", 503)));
        assert_eq!((code, reason.as_str()), (Code::Unavailable, "RAISED"));
    }

    #[test]
    fn texts_of_any_length_fit_into_the_headers_that_clients_take() {
        let long = "ü".repeat(100_000);
        let report = || Report {
            sqlstate: "23502".to_owned(),
            constraint: Some("c".repeat(63)),
            table: Some("t".repeat(63)),
            column: Some("c".repeat(63)),
            ..Report::default()
        };
        for error in [
            Error::new(Fault::QueryParse, long.clone()).details(long.clone()).hint(long.clone()),
            Error::reported(report(), long.clone()).details(long.clone()).hint(long.clone()),
            super::super::refuse::refuse(&long, &long),
        ] {
            let response = status(&error, Caller::Anonymous, Verbosity::Verbose).into_http::<()>();
            let size = |(name, value): (&http::HeaderName, &http::HeaderValue)| {
                // As HPACK and its implementations count.
                name.as_str().len() + value.len() + 32
            };
            let size: usize = response.headers().iter().map(size).sum();
            assert!(size < 8 * 1024, "{size}");
        }
    }
}
