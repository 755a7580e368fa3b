//! Errors as `google.rpc.Status`: the code from the one error table, details
//! after <https://google.aip.dev/193>. What is internal stays in the log.

use crate::error::{Caller, Error, GrpcCode, Origin, classify};
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

/// The status of an error that `caller` met.
pub(super) fn status(error: &Error, caller: Caller) -> Status {
    let class = classify(error, caller);
    let code = Code::from_i32(class.grpc as i32);
    let message = match (class.grpc, &error.origin) {
        // What PostgreSQL says of itself is not for strangers.
        (GrpcCode::Internal, Origin::PostgreSql(report)) if report.raised.is_none() => "Internal error",
        _ => shortened(&error.message),
    };
    Status::with_error_details(code, message, details(error, class.grpc, class.reason))
}

fn details(error: &Error, code: GrpcCode, reason: &str) -> ErrorDetails {
    let mut details = ErrorDetails::new();
    let (domain, metadata) = match &error.origin {
        Origin::Pgduet(_) => ("pgduet", HashMap::from([("code".to_owned(), error.code().to_owned())])),
        Origin::PostgreSql(report) => {
            let known = [
                ("sqlstate", Some(&report.sqlstate)),
                ("constraint", report.constraint.as_ref()),
                ("table", report.table.as_ref()),
                ("column", report.column.as_ref()),
            ];
            let known = known.into_iter().filter_map(|(name, value)| Some((name, value?)));
            (
                "postgresql",
                known.map(|(name, value)| (name.to_owned(), shortened(value).to_owned())).collect(),
            )
        }
    };
    let mut metadata: HashMap<String, String> = metadata;
    if code != GrpcCode::Internal {
        if let Some(Value::String(text)) = &error.details {
            metadata.insert("details".to_owned(), shortened(text).to_owned());
        }
        if let Some(hint) = &error.hint {
            metadata.insert("hint".to_owned(), shortened(hint).to_owned());
        }
    }
    details.set_error_info(reason, domain, metadata);
    match code {
        GrpcCode::InvalidArgument => {
            if let Some(field) = field(error) {
                details.add_bad_request_violation(shortened(field), shortened(&error.message));
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
        GrpcCode::Aborted | GrpcCode::Unavailable => {
            details.set_retry_info(Some(RETRY_DELAY));
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
    use crate::error::{Fault, Report};

    #[test]
    fn a_violated_constraint_is_named_in_the_details() {
        let report = Report {
            sqlstate: "23503".to_owned(),
            constraint: Some("loans_book_id_fkey".to_owned()),
            table: Some("loans".to_owned()),
            ..Report::default()
        };
        let status = status(&Error::reported(report, "violates foreign key"), Caller::Authenticated);
        assert_eq!(status.code(), Code::FailedPrecondition);
        let details = status.get_error_details();
        let info = details.error_info().map(|info| (info.reason.as_str(), info.domain.as_str()));
        assert_eq!(info, Some(("FOREIGN_KEY_VIOLATION", "postgresql")));
        let violations = details.precondition_failure().map(|failure| failure.violations.len());
        assert_eq!(violations, Some(1));
    }

    #[test]
    fn a_wrong_field_is_a_bad_request_and_internals_stay_inside() {
        let refused = super::super::refuse::refuse("page_size", "cannot be negative");
        let details = status(&refused, Caller::Anonymous).get_error_details();
        let field = details.bad_request().and_then(|bad| bad.field_violations.first().cloned());
        assert_eq!(field.map(|violation| violation.field), Some("page_size".to_owned()));
        let broken = Report { sqlstate: "XX000".to_owned(), ..Report::default() };
        let status = status(&Error::reported(broken, "cache lookup failed for oid 7"), Caller::Anonymous);
        assert_eq!((status.code(), status.message()), (Code::Internal, "Internal error"));
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
            let response = status(&error, Caller::Anonymous).into_http::<()>();
            let size = |(name, value): (&http::HeaderName, &http::HeaderValue)| {
                // As HPACK and its implementations count.
                name.as_str().len() + value.len() + 32
            };
            let size: usize = response.headers().iter().map(size).sum();
            assert!(size < 8 * 1024, "{size}");
        }
    }
}
