//! Status codes in the words of the three protocols, side by side. It decides nothing: which
//! code an error has is said by the one error table.

use tonic::Code;

/// What a code is called.
#[derive(Clone, Copy, Debug)]
pub(super) struct Names {
    /// In gRPC (<https://grpc.github.io/grpc/core/md_doc_statuscodes.html>).
    pub(super) grpc: &'static str,
    /// In Connect's JSON (<https://connectrpc.com/docs/protocol#error-codes>).
    pub(super) connect: &'static str,
    /// The HTTP status that Connect gives it.
    pub(super) http: u16,
}

/// What this code is called.
pub(super) const fn named(code: Code) -> Names {
    let (grpc, connect, http) = match code {
        // Not an error, so Connect never says it.
        Code::Ok => ("OK", "unknown", 200),
        Code::Cancelled => ("CANCELLED", "canceled", 499),
        Code::Unknown => ("UNKNOWN", "unknown", 500),
        Code::InvalidArgument => ("INVALID_ARGUMENT", "invalid_argument", 400),
        Code::DeadlineExceeded => ("DEADLINE_EXCEEDED", "deadline_exceeded", 504),
        Code::NotFound => ("NOT_FOUND", "not_found", 404),
        Code::AlreadyExists => ("ALREADY_EXISTS", "already_exists", 409),
        Code::PermissionDenied => ("PERMISSION_DENIED", "permission_denied", 403),
        Code::ResourceExhausted => ("RESOURCE_EXHAUSTED", "resource_exhausted", 429),
        Code::FailedPrecondition => ("FAILED_PRECONDITION", "failed_precondition", 400),
        Code::Aborted => ("ABORTED", "aborted", 409),
        Code::OutOfRange => ("OUT_OF_RANGE", "out_of_range", 400),
        Code::Unimplemented => ("UNIMPLEMENTED", "unimplemented", 501),
        Code::Internal => ("INTERNAL", "internal", 500),
        Code::Unavailable => ("UNAVAILABLE", "unavailable", 503),
        Code::DataLoss => ("DATA_LOSS", "data_loss", 500),
        Code::Unauthenticated => ("UNAUTHENTICATED", "unauthenticated", 401),
    };
    Names { grpc, connect, http }
}
