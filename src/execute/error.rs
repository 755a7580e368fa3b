//! What PostgreSQL and the way to it report, as pgduet's errors. Texts that
//! PostgreSQL meant for its client pass as they are; what a driver, a socket or
//! a pool says is for the log alone.

use super::wire::{self, ServerError};
use crate::{
    error::{Error, Fault, Origin, Raised, Report, Severity, chain},
    memory::Full,
};
use serde::Deserialize;
use std::{collections::BTreeMap, error::Error as StdError};
use tokio_postgres::error::SqlState;

/// An error in the middle of a unit: what PostgreSQL reports keeps its SQLSTATE.
pub(super) fn reported(error: &wire::Error) -> Box<Error> {
    match error {
        wire::Error::Server(error) => of_postgresql(error),
        wire::Error::Io(_) | wire::Error::Protocol(_) => broken(error),
        wire::Error::Memory(Full::Now) => no_memory(Full::Now),
        wire::Error::Memory(Full::Ever) => Error::new(
            Fault::AnswerTooLarge,
            "A row of the answer is larger than half of what all answers may be together",
        ),
    }
}

/// There is no memory for an answer.
pub(super) fn no_memory(full: Full) -> Box<Error> {
    match full {
        Full::Now => Error::new(Fault::MemoryExhausted, full.to_string()),
        Full::Ever => {
            Error::new(Fault::AnswerTooLarge, "The answer is larger than all answers may be together")
        }
    }
}

fn broken(error: &(dyn StdError + 'static)) -> Box<Error> {
    Error::new(Fault::DatabaseClient, "Database client error. Retrying the connection.").cause(chain(error))
}

/// No connection could be made for a request. That PostgreSQL refused the
/// server's password is none of the client's business.
pub(super) fn unreachable(error: &wire::Error) -> Box<Error> {
    Error::new(Fault::DatabaseUnreachable, "Database connection error.").cause(chain(error))
}

/// PostgreSQL does not answer.
pub(super) fn silent() -> Box<Error> {
    Error::new(Fault::DatabaseUnreachable, "Database connection error.").cause("PostgreSQL does not answer")
}

/// A unit waits on a connection that something between has forgotten.
pub(super) fn lost() -> Box<Error> {
    Error::new(Fault::DatabaseClient, "Database client error. Retrying the connection.")
        .cause("PostgreSQL answers on other connections, and does not work on what was asked on this one")
}

/// A connection cannot say what a unit says, or hears what nobody says.
pub(super) fn unexpected(problem: &str) -> Box<Error> {
    Error::new(Fault::UnexpectedResult, "PostgreSQL answered in an unexpected form.").cause(problem)
}

/// No connection became free in time.
pub(super) fn pool_timeout() -> Box<Error> {
    Error::new(Fault::PoolTimeout, "Timed out acquiring connection from connection pool.")
}

/// As many streams as there may be are under way, and none ended in time.
pub(super) fn streams_busy() -> Box<Error> {
    Error::new(Fault::StreamsBusy, "Too many streams are open.")
        .hint("Read or end those that are, or try again later")
}

/// A pool of one has no half for streams.
pub(super) fn streams_impossible() -> Box<Error> {
    Error::new(
        Fault::StreamsImpossible,
        "No stream can be served: db-pool is 1, and streams have half of the pool.",
    )
    .hint("Ask for pages, or have db-pool set to 2 or more")
}

/// The unit's deadline passed.
pub(super) fn deadline_exceeded() -> Box<Error> {
    Error::new(Fault::DeadlineExceeded, "The deadline passed before the transaction ended.")
}

/// Whether a unit has failed because there is no database for it.
pub(super) fn is_for_want_of_database(error: &Error) -> bool {
    match &error.origin {
        Origin::Pgduet(Fault::DatabaseUnreachable | Fault::DatabaseClient) => true,
        Origin::Pgduet(_) => false,
        // It shuts down, or has only begun to start, and ends the session.
        Origin::PostgreSql(report) => {
            report.severity == Severity::Fatal && report.sqlstate.starts_with("57P0")
        }
    }
}

/// Whether PostgreSQL stopped a statement: for its time-out, or because it was asked to.
pub(super) fn is_cancelled(error: &Error) -> bool {
    match &error.origin {
        Origin::PostgreSql(report) => report.sqlstate == SqlState::QUERY_CANCELED.code(),
        Origin::Pgduet(_) => false,
    }
}

/// What should not happen.
pub(super) fn internal(problem: &dyn std::fmt::Display) -> Box<Error> {
    Error::new(Fault::Internal, "Internal error.").cause(problem)
}

fn of_postgresql(error: &ServerError) -> Box<Error> {
    let sqlstate = error.sqlstate.as_str();
    if sqlstate == "PGRST" {
        return raised(&error.message, error.detail.as_deref());
    }
    let mut report = report(error);
    if let Some(status) = sqlstate.strip_prefix("PT") {
        report.raised = Some(match answer_status(status.parse().ok()) {
            Some(status) => Raised { status, status_text: Some(error.message.clone()), ..Raised::default() },
            None => Raised { status: 500, ..Raised::default() },
        });
    }
    let mut mapped = Error::reported(report, error.message.as_str());
    mapped.details = error.detail.clone().map(Into::into);
    mapped.hint.clone_from(&error.hint);
    mapped
}

fn report(error: &ServerError) -> Report {
    Report {
        sqlstate: error.sqlstate.clone(),
        severity: error.severity,
        constraint: error.constraint.clone(),
        table: error.table.clone(),
        column: error.column.clone(),
        raised: None,
    }
}

/// A status that can stand in an answer: 1xx are none.
fn answer_status(status: Option<u16>) -> Option<u16> {
    status.filter(|status| (200..=999).contains(status))
}

/// A number of JSON as a status, however it is written: `402.0` is one.
fn whole_status(number: f64) -> Option<u16> {
    answer_status((number.fract() == 0.0).then_some(number as u16))
}

/// The MESSAGE of `RAISE SQLSTATE 'PGRST'`.
#[derive(Deserialize)]
struct RaisedBody {
    code: String,
    message: String,
    details: Option<String>,
    hint: Option<String>,
}

/// Its DETAIL.
#[derive(Deserialize)]
struct RaisedAnswer {
    status: f64,
    status_text: Option<String>,
    headers: BTreeMap<String, String>,
}

const BODY_FORM: &str = "MESSAGE must be a JSON object with obligatory keys: 'code', 'message' and optional keys: 'details', 'hint'.";
const ANSWER_FORM: &str =
    "DETAIL must be a JSON object with obligatory keys: 'status', 'headers' and optional key: 'status_text'.";

/// A function chose the whole answer by `RAISE SQLSTATE 'PGRST'`.
fn raised(message: &str, detail: Option<&str>) -> Box<Error> {
    let malformed = |details: String, hint: &str| {
        Error::new(Fault::MalformedRaise, "Could not parse JSON in the \"RAISE SQLSTATE 'PGRST'\" error")
            .details(details)
            .hint(hint)
    };
    let Ok(body) = serde_json::from_str::<RaisedBody>(message) else {
        return malformed(format!("Invalid JSON value for MESSAGE: '{message}'"), BODY_FORM);
    };
    let Some(detail) = detail else {
        return malformed("DETAIL is missing in the RAISE statement".to_owned(), ANSWER_FORM);
    };
    let answer = serde_json::from_str::<RaisedAnswer>(detail).ok();
    let Some((answer, status)) =
        answer.and_then(|answer| whole_status(answer.status).map(|status| (answer, status)))
    else {
        return malformed(format!("Invalid JSON value for DETAIL: '{detail}'"), ANSWER_FORM);
    };
    let report = Report {
        sqlstate: "PGRST".to_owned(),
        raised: Some(Raised {
            code: Some(body.code),
            status,
            status_text: answer.status_text,
            headers: answer.headers.into_iter().collect(),
        }),
        ..Report::default()
    };
    let mut error = Error::reported(report, body.message);
    error.details = body.details.map(Into::into);
    error.hint = body.hint;
    error
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::{Caller, classify};

    fn raised_of(error: &Error) -> &Raised {
        match &error.origin {
            Origin::PostgreSql(report) => report.raised.as_ref().unwrap(),
            Origin::Pgduet(fault) => panic!("{fault:?} is not raised"),
        }
    }

    #[test]
    fn a_raise_of_pgrst_chooses_body_status_and_headers() {
        let error = raised(
            r#"{"code":"123","message":"Payment required","details":"Quota","hint":"Upgrade"}"#,
            Some(r#"{"status":402,"status_text":"Pay","headers":{"X-Powered-By":"Nerd Rage"}}"#),
        );
        assert_eq!((error.code(), error.message.as_str()), ("123", "Payment required"));
        assert_eq!((error.details.clone(), error.hint.as_deref()), (Some("Quota".into()), Some("Upgrade")));
        let raised = raised_of(&error);
        assert_eq!((raised.status, raised.status_text.as_deref()), (402, Some("Pay")));
        assert_eq!(raised.headers, [("X-Powered-By".to_owned(), "Nerd Rage".to_owned())]);
        assert_eq!(classify(&error, Caller::Anonymous).http, 402);
    }

    #[test]
    fn a_raised_status_may_be_written_with_a_fraction_of_nothing() {
        let status = |detail| raised(r#"{"code":"1","message":"m"}"#, Some(detail));
        for detail in [r#"{"status":402.0,"headers":{}}"#, r#"{"status":4.02e2,"headers":{}}"#] {
            assert_eq!(raised_of(&status(detail)).status, 402, "{detail}");
        }
        for detail in [r#"{"status":402.5,"headers":{}}"#, r#"{"status":-402,"headers":{}}"#] {
            assert_eq!(status(detail).code(), "PGRST121", "{detail}");
        }
    }

    #[test]
    fn a_malformed_raise_of_pgrst_says_which_part_is_wrong() {
        let body = r#"{"code":"1","message":"m"}"#;
        for (message, detail, says) in [
            ("not json", None, "Invalid JSON value for MESSAGE: 'not json'"),
            (body, None, "DETAIL is missing in the RAISE statement"),
            (body, Some("{}"), "Invalid JSON value for DETAIL: '{}'"),
            (
                body,
                Some(r#"{"status":100,"headers":{}}"#),
                "Invalid JSON value for DETAIL: '{\"status\":100,\"headers\":{}}'",
            ),
        ] {
            let error = raised(message, detail);
            assert_eq!((error.code(), error.details.clone()), ("PGRST121", Some(says.into())));
        }
    }
}
