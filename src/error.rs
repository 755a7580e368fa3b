//! THE error table: every fault pgduet can report, with its code, HTTP status
//! and gRPC code side by side. A leaf: it knows neither protocol's types.
//!
//! What a client reads (`message`, `details`, `hint`) and what the log says
//! (`cause`) are different texts; `cause` never leaves the process.

mod sqlstate;

use serde_json::Value;
use std::{fmt, time::Duration};

pub use sqlstate::{Caller, Class, classify};

/// A gRPC status code, by its number on the wire
/// (<https://grpc.github.io/grpc/core/md_doc_statuscodes.html>).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names are the specification's")]
pub enum GrpcCode {
    Cancelled = 1,
    Unknown = 2,
    InvalidArgument = 3,
    DeadlineExceeded = 4,
    NotFound = 5,
    AlreadyExists = 6,
    PermissionDenied = 7,
    ResourceExhausted = 8,
    FailedPrecondition = 9,
    Aborted = 10,
    OutOfRange = 11,
    Unimplemented = 12,
    Internal = 13,
    Unavailable = 14,
    DataLoss = 15,
    Unauthenticated = 16,
}

/// One row of the table.
#[derive(Debug)]
pub struct Row {
    /// PostgREST's code, such as `PGRST100`.
    pub code: &'static str,
    /// The HTTP status.
    pub http: u16,
    /// The gRPC code.
    pub grpc: GrpcCode,
    /// The reason in `google.rpc.ErrorInfo`.
    pub reason: &'static str,
}

macro_rules! fault_table {
    ($($fault:ident $code:literal $http:literal $grpc:ident $reason:literal, $doc:literal;)*) => {
        /// A fault of pgduet's own, as opposed to one that PostgreSQL reports.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Fault { $(#[doc = $doc] $fault,)* }

        impl Fault {
            /// Every fault, in the table's order.
            pub const ALL: &'static [Fault] = &[$(Fault::$fault,)*];

            /// The fault's row in the table.
            pub const fn row(self) -> &'static Row {
                match self {
                    $(Fault::$fault => &Row { code: $code, http: $http, grpc: GrpcCode::$grpc, reason: $reason },)*
                }
            }
        }
    };
}

fault_table! {
    DatabaseUnreachable     "PGRST000" 503 Unavailable        "DATABASE_UNREACHABLE",       "No connection to the database could be made.";
    DatabaseClient          "PGRST001" 503 Unknown            "DATABASE_CLIENT",            "A connection broke while it was used.";
    CatalogUnavailable      "PGRST002" 503 Unavailable        "CATALOG_UNAVAILABLE",        "The schema cannot be read yet.";
    PoolTimeout             "PGRST003" 504 Unavailable        "POOL_TIMEOUT",               "No connection became free in time.";
    QueryParse              "PGRST100" 400 InvalidArgument    "QUERY_PARSE",                "The query string is not of the grammar.";
    FunctionMethod          "PGRST101" 405 Unimplemented      "FUNCTION_METHOD",            "Functions do not take this HTTP method.";
    InvalidBody             "PGRST102" 400 InvalidArgument    "INVALID_BODY",               "The body cannot be used.";
    RangeNotSatisfiable     "PGRST103" 416 OutOfRange         "RANGE_NOT_SATISFIABLE",      "The range asked for does not exist.";
    UpsertFilters           "PGRST105" 405 InvalidArgument    "UPSERT_FILTERS",             "PUT needs exactly the key's columns as filters.";
    UnknownSchema           "PGRST106" 406 NotFound           "UNKNOWN_SCHEMA",             "The profile names a schema that is not exposed.";
    NotAcceptable           "PGRST107" 406 InvalidArgument    "NOT_ACCEPTABLE",             "No media type asked for can be made.";
    NotEmbedded             "PGRST108" 400 InvalidArgument    "NOT_EMBEDDED",               "A filter or order names what is not embedded.";
    ResponseHeaders         "PGRST111" 500 Internal           "RESPONSE_HEADERS",           "`response.headers` is malformed.";
    ResponseStatus          "PGRST112" 500 Internal           "RESPONSE_STATUS",            "`response.status` is malformed.";
    UpsertRange             "PGRST114" 400 InvalidArgument    "UPSERT_RANGE",               "PUT takes neither limit nor offset.";
    UpsertKeyMismatch       "PGRST115" 400 InvalidArgument    "UPSERT_KEY_MISMATCH",        "The key in the filters is not the body's.";
    NotSingular             "PGRST116" 406 NotFound           "NOT_SINGULAR",               "One row was asked for and there is not exactly one.";
    MethodNotAllowed        "PGRST117" 405 Unimplemented      "METHOD_NOT_ALLOWED",         "No resource takes this HTTP method.";
    RelatedOrder            "PGRST118" 400 InvalidArgument    "RELATED_ORDER",              "Ordering by an embed needs a to-one relationship.";
    EmbedOperator           "PGRST120" 400 InvalidArgument    "EMBED_OPERATOR",             "An embed can only be compared with null.";
    MalformedRaise          "PGRST121" 500 Internal           "MALFORMED_RAISE",            "An error raised with SQLSTATE PGRST is malformed.";
    InvalidPreferences      "PGRST122" 400 InvalidArgument    "INVALID_PREFERENCES",        "Strict handling met unknown preferences.";
    AggregatesDisabled      "PGRST123" 400 InvalidArgument    "AGGREGATES_DISABLED",        "Aggregates are switched off.";
    MaxAffectedExceeded     "PGRST124" 400 FailedPrecondition "MAX_AFFECTED_EXCEEDED",      "More rows were affected than allowed.";
    InvalidPath             "PGRST125" 404 Unimplemented      "INVALID_PATH",               "The path has more segments than any resource.";
    RootDisabled            "PGRST126" 404 Unimplemented      "ROOT_DISABLED",              "The root document is switched off.";
    NotImplemented          "PGRST127" 400 Unimplemented      "NOT_IMPLEMENTED",            "The combination asked for is not implemented.";
    MaxAffectedUnusable     "PGRST128" 400 InvalidArgument    "MAX_AFFECTED_UNUSABLE",      "max-affected needs a function that returns a set.";
    RelationshipMissing     "PGRST200" 400 InvalidArgument    "RELATIONSHIP_MISSING",       "There is no relationship between these relations.";
    RelationshipAmbiguous   "PGRST201" 300 InvalidArgument    "RELATIONSHIP_AMBIGUOUS",     "There is more than one relationship.";
    FunctionMissing         "PGRST202" 404 Unimplemented      "FUNCTION_MISSING",           "There is no such function.";
    FunctionAmbiguous       "PGRST203" 300 InvalidArgument    "FUNCTION_AMBIGUOUS",         "More than one function fits.";
    ColumnMissing           "PGRST204" 400 InvalidArgument    "COLUMN_MISSING",             "There is no such column.";
    RelationMissing         "PGRST205" 404 Unimplemented      "RELATION_MISSING",           "There is no such relation.";
    JwtSecretMissing        "PGRST300" 500 Internal           "JWT_SECRET_MISSING",         "A token came and there is no secret to check it.";
    JwtInvalid              "PGRST301" 401 Unauthenticated    "JWT_INVALID",                "The token cannot be read or its signature is wrong.";
    AnonymousDisabled       "PGRST302" 401 Unauthenticated    "ANONYMOUS_DISABLED",         "No token came and there is no anonymous role.";
    JwtClaims               "PGRST303" 401 Unauthenticated    "JWT_CLAIMS",                 "The token's claims do not hold.";
    UnexpectedResult        "PGRSTX00" 500 Internal           "UNEXPECTED_RESULT",          "PostgreSQL answered in an unexpected form.";
    BodyTooLarge            "PGDUET01" 413 ResourceExhausted  "BODY_TOO_LARGE",             "The body is over the limit.";
    HeadersTooLarge         "PGDUET02" 431 ResourceExhausted  "HEADERS_TOO_LARGE",          "The headers are over the limit.";
    InvalidMessage          "PGDUET03" 400 InvalidArgument    "INVALID_MESSAGE",            "A protobuf message is malformed or a field's value is wrong.";
    RowMissing              "PGDUET04" 404 NotFound           "ROW_MISSING",                "No row has this key.";
    InvalidPageToken        "PGDUET05" 400 InvalidArgument    "INVALID_PAGE_TOKEN",         "The page token is forged or of another query.";
    ValueOutOfRange         "PGDUET06" 500 OutOfRange         "VALUE_OUT_OF_RANGE",         "A value has no form in the answer's type.";
    Cancelled               "PGDUET07" 499 Cancelled          "CANCELLED",                  "The client went away.";
    DeadlineExceeded        "PGDUET08" 504 DeadlineExceeded   "DEADLINE_EXCEEDED",          "The deadline passed.";
    RequestTooComplex       "PGDUET09" 400 ResourceExhausted  "REQUEST_TOO_COMPLEX",        "Nesting, filters or length are over the documented limits.";
    AnswerTooLarge          "PGDUET10" 500 ResourceExhausted  "ANSWER_TOO_LARGE",           "The rows are more than one message holds.";
    TooManyRows             "PGDUET11" 500 ResourceExhausted  "TOO_MANY_ROWS",              "There are more rows than `db-max-rows` allows.";
    MethodMissing           "PGDUET12" 404 Unimplemented      "METHOD_MISSING",             "There is no such gRPC method.";
    MessageChanged          "PGDUET13" 501 Unimplemented      "MESSAGE_CHANGED",            "A message's type is another in the database now.";
    InvalidHeaders          "PGDUET14" 400 InvalidArgument    "INVALID_HEADERS",            "A header is missing, malformed, or there twice that HTTP wants once.";
    BodyTimeout             "PGDUET15" 408 DeadlineExceeded   "BODY_TIMEOUT",               "The body stopped coming.";
    MemoryExhausted         "PGDUET16" 503 ResourceExhausted  "MEMORY_EXHAUSTED",           "Bodies and answers under way hold all the memory they may.";
    StreamIdle              "PGDUET17" 504 DeadlineExceeded   "STREAM_IDLE",                "The reader of a stream took nothing for too long.";
    StreamsBusy             "PGDUET18" 503 ResourceExhausted  "STREAMS_BUSY",               "Streams hold as many connections as they may.";
    StreamsImpossible       "PGDUET19" 503 FailedPrecondition "STREAMS_IMPOSSIBLE",         "The pool has a single connection, which no stream may hold.";
    InvalidTransaction      "PGDUET20" 400 InvalidArgument    "INVALID_TRANSACTION",        "A transaction is malformed, an operation only reads, or refers to what is not there.";
    KeysUnavailable         "PGDUET21" 503 Unavailable        "KEYS_UNAVAILABLE",         "The keys that tokens are verified with are not there yet.";
    CookieRefused           "PGDUET22" 403 PermissionDenied   "COOKIE_REFUSED",           "A cookie's token came with a request that another site may have made.";
    ServerBusy              "PGDUET23" 503 Unavailable        "SERVER_BUSY",              "As many requests are under way as `server-max-requests` allows.";
    RoleLimit               "PGDUET24" 429 ResourceExhausted  "ROLE_LIMIT",               "A role has as many requests under way, or has begun as many in a time, as it may.";
    Internal                "PGDUET99" 500 Internal           "INTERNAL",                   "A fault of pgduet itself.";
}

/// Whom an error comes from, and all that its status depends on.
#[derive(Debug)]
pub enum Origin {
    /// pgduet itself.
    Pgduet(Fault),
    /// PostgreSQL, or code that runs in it.
    PostgreSql(Box<Report>),
}

/// What PostgreSQL reported
/// (<https://www.postgresql.org/docs/current/protocol-error-fields.html>).
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// The five characters of SQLSTATE.
    pub sqlstate: String,
    /// What the error ends. Code can raise any SQLSTATE, and by that it ends a statement alone.
    pub severity: Severity,
    /// The constraint, where one was violated.
    pub constraint: Option<String>,
    /// The table, where one is known.
    pub table: Option<String>,
    /// The column, where one is known.
    pub column: Option<String>,
    /// What a `RAISE SQLSTATE 'PGRST'` or `'PTnnn'` set by itself.
    pub raised: Option<Raised>,
}

/// What an error of PostgreSQL's ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Severity {
    /// The statement.
    #[default]
    Error,
    /// The session.
    Fatal,
}

/// The answer that a function chose by raising an error.
#[derive(Clone, Debug, Default)]
pub struct Raised {
    /// The code for the body, where it differs from the SQLSTATE.
    pub code: Option<String>,
    /// The HTTP status.
    pub status: u16,
    /// The reason phrase.
    pub status_text: Option<String>,
    /// More headers.
    pub headers: Vec<(String, String)>,
}

/// An error on its way to a client.
#[derive(Debug)]
pub struct Error {
    /// Where it comes from.
    pub origin: Origin,
    /// One sentence.
    pub message: String,
    /// Particulars: text, or a JSON structure where the code documents one.
    pub details: Option<Value>,
    /// What to try.
    pub hint: Option<String>,
    /// When to try again, where that is known.
    pub retry_after: Option<Duration>,
    /// For the log alone.
    pub cause: Option<String>,
    /// Which operation of a transaction is to blame.
    pub operation: Option<usize>,
}

/// What a stage returns.
pub type Result<T> = std::result::Result<T, Box<Error>>;

impl Error {
    /// A fault of pgduet's own.
    pub fn new(fault: Fault, message: impl Into<String>) -> Box<Error> {
        Box::new(Error {
            origin: Origin::Pgduet(fault),
            message: message.into(),
            details: None,
            hint: None,
            retry_after: None,
            cause: None,
            operation: None,
        })
    }

    /// What PostgreSQL reported.
    pub fn reported(report: Report, message: impl Into<String>) -> Box<Error> {
        Box::new(Error {
            origin: Origin::PostgreSql(Box::new(report)),
            message: message.into(),
            details: None,
            hint: None,
            retry_after: None,
            cause: None,
            operation: None,
        })
    }

    /// With these details.
    #[must_use]
    pub fn details(mut self: Box<Self>, details: impl Into<Value>) -> Box<Self> {
        self.details = Some(details.into());
        self
    }

    /// With this hint.
    #[must_use]
    pub fn hint(mut self: Box<Self>, hint: impl Into<String>) -> Box<Self> {
        self.hint = Some(hint.into());
        self
    }

    /// To be tried again after this time.
    #[must_use]
    pub fn retry_after(mut self: Box<Self>, time: Duration) -> Box<Self> {
        self.retry_after = Some(time);
        self
    }

    /// With this for the log.
    #[must_use]
    pub fn cause(mut self: Box<Self>, cause: impl fmt::Display) -> Box<Self> {
        self.cause = Some(cause.to_string());
        self
    }

    /// The code that stands in the answer: `PGRSTnnn` or an SQLSTATE.
    pub fn code(&self) -> &str {
        match &self.origin {
            Origin::Pgduet(fault) => fault.row().code,
            Origin::PostgreSql(report) => {
                report.raised.as_ref().and_then(|raised| raised.code.as_deref()).unwrap_or(&report.sqlstate)
            }
        }
    }
}

impl Error {
    /// The SQLSTATE where PostgreSQL reports it, whatever code stands in the answer, else pgduet's own code.
    pub fn cause_code(&self) -> &str {
        match &self.origin {
            Origin::Pgduet(fault) => fault.row().code,
            Origin::PostgreSql(report) => &report.sqlstate,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}: {}", self.code(), self.message)?;
        match &self.cause {
            Some(cause) => write!(out, " ({cause})"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Error {}

/// An error and what caused it, in one line for the log.
pub fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn every_fault_has_a_code_and_a_reason_of_its_own() {
        let codes: HashSet<_> = Fault::ALL.iter().map(|fault| fault.row().code).collect();
        let reasons: HashSet<_> = Fault::ALL.iter().map(|fault| fault.row().reason).collect();
        assert_eq!((codes.len(), reasons.len()), (Fault::ALL.len(), Fault::ALL.len()));
    }
}
