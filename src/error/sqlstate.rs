//! SQLSTATE → HTTP status and gRPC code, first match wins. The HTTP column is
//! PostgREST's; the classes are those of
//! <https://www.postgresql.org/docs/current/errcodes-appendix.html>.

use super::{Error, GrpcCode, Origin, Raised};
use GrpcCode::{
    Aborted, AlreadyExists, Cancelled, DeadlineExceeded, FailedPrecondition, Internal, InvalidArgument,
    NotFound, PermissionDenied, ResourceExhausted, Unauthenticated, Unavailable, Unimplemented, Unknown,
};

/// What an error is answered with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Class {
    /// The HTTP status.
    pub http: u16,
    /// The gRPC code.
    pub grpc: GrpcCode,
    /// The reason in `google.rpc.ErrorInfo`.
    pub reason: &'static str,
}

/// Who asked: some answers differ for those who sent no token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Caller {
    /// Nobody in particular.
    Anonymous,
    /// The bearer of a valid token.
    Authenticated,
}

const fn class(http: u16, grpc: GrpcCode, reason: &'static str) -> Class {
    Class { http, grpc, reason }
}

#[rustfmt::skip]
const TABLE: &[(&str, Class)] = &[
    ("02",    class(400, NotFound,           "NO_DATA")),
    ("08",    class(503, Unknown,            "CONNECTION_EXCEPTION")),
    ("09",    class(500, FailedPrecondition, "TRIGGERED_ACTION_EXCEPTION")),
    ("0A",    class(400, Unimplemented,      "FEATURE_NOT_SUPPORTED")),
    ("0L",    class(403, PermissionDenied,   "INVALID_GRANTOR")),
    ("0P",    class(403, PermissionDenied,   "INVALID_ROLE_SPECIFICATION")),
    ("23505", class(409, AlreadyExists,      "UNIQUE_VIOLATION")),
    ("23503", class(409, FailedPrecondition, "FOREIGN_KEY_VIOLATION")),
    ("23502", class(400, InvalidArgument,    "NOT_NULL_VIOLATION")),
    ("23514", class(400, InvalidArgument,    "CHECK_VIOLATION")),
    ("23P01", class(400, FailedPrecondition, "EXCLUSION_VIOLATION")),
    ("23",    class(400, FailedPrecondition, "INTEGRITY_CONSTRAINT_VIOLATION")),
    ("25006", class(405, FailedPrecondition, "READ_ONLY_SQL_TRANSACTION")),
    ("21000", class(500, FailedPrecondition, "CARDINALITY_VIOLATION")),
    ("22",    class(400, InvalidArgument,    "DATA_EXCEPTION")),
    ("25P04", class(500, DeadlineExceeded,   "TRANSACTION_TIMEOUT")),
    ("25",    class(500, FailedPrecondition, "INVALID_TRANSACTION_STATE")),
    ("28",    class(403, PermissionDenied,   "INVALID_AUTHORIZATION_SPECIFICATION")),
    ("2D",    class(500, FailedPrecondition, "INVALID_TRANSACTION_TERMINATION")),
    ("2F",    class(400, FailedPrecondition, "SQL_ROUTINE_EXCEPTION")),
    ("38",    class(500, FailedPrecondition, "EXTERNAL_ROUTINE_EXCEPTION")),
    ("39",    class(500, FailedPrecondition, "EXTERNAL_ROUTINE_INVOCATION_EXCEPTION")),
    ("3B",    class(500, FailedPrecondition, "SAVEPOINT_EXCEPTION")),
    ("40003", class(500, Unknown,            "STATEMENT_COMPLETION_UNKNOWN")),
    ("40001", class(500, Aborted,            "SERIALIZATION_FAILURE")),
    ("40P01", class(500, Aborted,            "DEADLOCK_DETECTED")),
    ("40",    class(500, Aborted,            "TRANSACTION_ROLLBACK")),
    ("44",    class(400, FailedPrecondition, "WITH_CHECK_OPTION_VIOLATION")),
    ("53400", class(500, ResourceExhausted,  "CONFIGURATION_LIMIT_EXCEEDED")),
    ("53",    class(503, ResourceExhausted,  "INSUFFICIENT_RESOURCES")),
    ("54",    class(500, ResourceExhausted,  "PROGRAM_LIMIT_EXCEEDED")),
    ("55P03", class(500, Aborted,            "LOCK_NOT_AVAILABLE")),
    ("55",    class(500, FailedPrecondition, "OBJECT_NOT_IN_PREREQUISITE_STATE")),
    ("57014", class(500, DeadlineExceeded,   "QUERY_CANCELED")),
    ("57P01", class(503, Unknown,            "ADMIN_SHUTDOWN")),
    ("57P03", class(500, Unavailable,        "CANNOT_CONNECT_NOW")),
    ("57P",   class(500, Unknown,            "OPERATOR_INTERVENTION")),
    ("57",    class(500, FailedPrecondition, "OPERATOR_INTERVENTION")),
    ("58",    class(500, Internal,           "SYSTEM_ERROR")),
    ("F0",    class(500, Internal,           "CONFIG_FILE_ERROR")),
    ("HV",    class(500, Internal,           "FDW_ERROR")),
    ("P0001", class(400, FailedPrecondition, "RAISE_EXCEPTION")),
    ("P0002", class(500, NotFound,           "NO_DATA_FOUND")),
    ("P0",    class(500, FailedPrecondition, "PLPGSQL_ERROR")),
    ("XX",    class(500, Internal,           "INTERNAL_ERROR")),
    ("42883", class(404, Unimplemented,      "UNDEFINED_FUNCTION")),
    ("42P01", class(404, Unimplemented,      "UNDEFINED_TABLE")),
    ("42P17", class(500, Internal,           "INVALID_OBJECT_DEFINITION")),
    ("42501", class(403, PermissionDenied,   "INSUFFICIENT_PRIVILEGE")),
    ("42",    class(400, InvalidArgument,    "SYNTAX_ERROR_OR_ACCESS_RULE_VIOLATION")),
    // PostgreSQL has no such class: the database's authors raised the error.
    ("",      class(400, FailedPrecondition, "DATABASE_ERROR")),
];

/// What `error` is answered with when `caller` asked.
pub fn classify(error: &Error, caller: Caller) -> Class {
    match &error.origin {
        Origin::Pgduet(fault) => {
            let row = fault.row();
            class(row.http, row.grpc, row.reason)
        }
        Origin::PostgreSql(report) => match &report.raised {
            Some(raised) => of_raised(raised),
            None => of_sqlstate(&report.sqlstate, &error.message, caller),
        },
    }
}

fn of_raised(raised: &Raised) -> Class {
    let grpc = match raised.status {
        400 | 422 => InvalidArgument,
        401 => Unauthenticated,
        403 => PermissionDenied,
        404 | 410 => NotFound,
        408 | 504 => DeadlineExceeded,
        409 => AlreadyExists,
        413 | 429 => ResourceExhausted,
        416 => GrpcCode::OutOfRange,
        405 | 501 => Unimplemented,
        499 => Cancelled,
        400..500 => FailedPrecondition,
        // The transaction is rolled back, so the client may repeat the call.
        503 => Unavailable,
        500..600 => Internal,
        _ => Unknown,
    };
    class(raised.status, grpc, "RAISED")
}

/// The rows whose answer depends on more than SQLSTATE come first.
fn of_sqlstate(sqlstate: &str, message: &str, caller: Caller) -> Class {
    match sqlstate {
        "42501" if caller == Caller::Anonymous => class(401, Unauthenticated, "INSUFFICIENT_PRIVILEGE"),
        // pg-safeupdate refuses whole-table writes.
        "21000" if message.ends_with("requires a WHERE clause") => {
            class(400, FailedPrecondition, "WHERE_REQUIRED")
        }
        "22023" if message.starts_with("role \"") && message.ends_with("does not exist") => {
            class(401, Unauthenticated, "UNKNOWN_ROLE")
        }
        // Somebody in the database stopped it. The caller would not hear of it, and time-outs
        // have other words, in whatever language.
        "57014" if message == "canceling statement due to user request" => {
            class(500, Cancelled, "QUERY_CANCELED")
        }
        "42883" if message.starts_with("function xmlagg(") => class(406, InvalidArgument, "NOT_ACCEPTABLE"),
        _ => TABLE
            .iter()
            .find(|(prefix, _)| sqlstate.starts_with(prefix))
            .map_or(class(400, FailedPrecondition, "DATABASE_ERROR"), |(_, class)| *class),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Report;

    fn reported(sqlstate: &str, message: &str) -> Box<Error> {
        Error::reported(Report { sqlstate: sqlstate.to_owned(), ..Report::default() }, message)
    }

    #[test]
    fn a_missing_privilege_asks_anonymous_callers_to_authenticate() {
        let error = reported("42501", "permission denied for table t");
        assert_eq!(classify(&error, Caller::Anonymous).http, 401);
        assert_eq!(classify(&error, Caller::Authenticated).http, 403);
        assert_eq!(classify(&error, Caller::Anonymous).grpc, Unauthenticated);
    }

    #[test]
    fn the_longest_prefix_that_is_listed_first_wins() {
        let status = |state: &str| classify(&reported(state, ""), Caller::Authenticated).http;
        assert_eq!(
            [status("23505"), status("23502"), status("53400"), status("53300"), status("99999")],
            [409, 400, 500, 503, 400]
        );
    }

    #[test]
    fn clients_are_told_to_try_again_only_where_nothing_was_done() {
        let retried = |state: &str| classify(&reported(state, ""), Caller::Authenticated).grpc;
        assert_eq!(retried("57P03"), Unavailable, "it takes no connections yet");
        for state in ["08006", "57P01", "57P02", "57P05", "40003"] {
            assert_eq!(retried(state), Unknown, "{state}");
        }
        for state in ["40001", "40P01", "55P03"] {
            assert_eq!(retried(state), Aborted, "{state}");
        }
    }

    #[test]
    fn a_statement_that_was_stopped_ran_out_of_time_unless_somebody_stopped_it() {
        for (message, code) in [
            ("canceling statement due to statement timeout", DeadlineExceeded),
            ("storniere Anfrage wegen Zeitüberschreitung der Anfrage", DeadlineExceeded),
            ("canceling statement due to user request", Cancelled),
        ] {
            let class = classify(&reported("57014", message), Caller::Authenticated);
            assert_eq!((class.http, class.grpc), (500, code), "{message}");
        }
    }

    #[test]
    fn what_authors_raise_is_no_internal_error() {
        let raised = |state: &str| classify(&reported(state, ""), Caller::Authenticated).grpc;
        for state in
            ["U0001", "P0001", "P0003", "P0004", "44000", "2F003", "38000", "39000", "09000", "3B001", "Z"]
        {
            assert_eq!(raised(state), FailedPrecondition, "{state}");
        }
        assert_eq!([raised("P0002"), raised("02000")], [NotFound, NotFound]);
        assert_eq!([raised("0A000"), raised("XX001")], [Unimplemented, Internal]);
    }

    #[test]
    fn an_error_with_a_status_of_its_own_has_the_code_of_that_status() {
        let code = |status| of_raised(&Raised { status, ..Raised::default() }).grpc;
        let cases = [
            (400, InvalidArgument),
            (402, FailedPrecondition),
            (404, NotFound),
            (409, AlreadyExists),
            (418, FailedPrecondition),
            (429, ResourceExhausted),
            (500, Internal),
            (503, Unavailable),
            (504, DeadlineExceeded),
            (302, Unknown),
        ];
        for (status, expected) in cases {
            assert_eq!(code(status), expected, "{status}");
        }
    }

    #[test]
    fn no_row_is_hidden_by_an_earlier_one() {
        for (at, (prefix, _)) in TABLE.iter().enumerate() {
            let hidden = TABLE[..at].iter().any(|(earlier, _)| prefix.starts_with(earlier));
            assert!(!hidden, "{prefix} is never reached");
        }
    }
}
