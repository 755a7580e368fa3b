//! The closed sets of label values: nothing that a client sends becomes one.

/// Declares an enumeration whose variants are label values.
macro_rules! labels {
    ($(#[$meta:meta])* $name:ident { $($(#[$doc:meta])* $variant:ident = $text:literal,)+ }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[allow(missing_docs, reason = "the variants are what their values are")]
        pub enum $name { $($(#[$doc])* $variant,)+ }

        impl $name {
            /// All values, in their order.
            pub const ALL: &[Self] = &[$(Self::$variant),+];

            /// The label's value.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $text,)+
                }
            }
        }
    };
}

labels! {
    /// Which front door a request came to. gRPC-Web and Connect are gRPC's.
    Protocol {
        Rest = "rest",
        Grpc = "grpc",
    }
}

labels! {
    /// What was called: an HTTP method, or a verb of gRPC.
    Method {
        HttpGet = "GET",
        HttpHead = "HEAD",
        HttpPost = "POST",
        HttpPut = "PUT",
        HttpPatch = "PATCH",
        HttpDelete = "DELETE",
        HttpOptions = "OPTIONS",
        /// Any other HTTP method.
        HttpOther = "other",
        Get = "Get",
        List = "List",
        Stream = "Stream",
        Create = "Create",
        Update = "Update",
        Delete = "Delete",
        BatchGet = "BatchGet",
        BatchCreate = "BatchCreate",
        BatchUpdate = "BatchUpdate",
        BatchDelete = "BatchDelete",
        Patch = "Patch",
        Purge = "Purge",
        Aggregate = "Aggregate",
        /// A function.
        Call = "Call",
        /// Several writes in one transaction.
        Execute = "Execute",
        Health = "Health",
        Reflection = "Reflection",
        /// A gRPC method that does not exist, or a request of the gRPC side that calls none.
        GrpcOther = "other",
    }
}

impl Method {
    /// The protocol that has it.
    pub const fn protocol(self) -> Protocol {
        match self {
            Self::HttpGet
            | Self::HttpHead
            | Self::HttpPost
            | Self::HttpPut
            | Self::HttpPatch
            | Self::HttpDelete
            | Self::HttpOptions
            | Self::HttpOther => Protocol::Rest,
            Self::Get
            | Self::List
            | Self::Stream
            | Self::Create
            | Self::Update
            | Self::Delete
            | Self::BatchGet
            | Self::BatchCreate
            | Self::BatchUpdate
            | Self::BatchDelete
            | Self::Patch
            | Self::Purge
            | Self::Aggregate
            | Self::Call
            | Self::Execute
            | Self::Health
            | Self::Reflection
            | Self::GrpcOther => Protocol::Grpc,
        }
    }
}

labels! {
    /// How a request ended: by the class of its HTTP status, or by the code of gRPC.
    Code {
        Informational = "1xx",
        Success = "2xx",
        Redirection = "3xx",
        ClientError = "4xx",
        ServerError = "5xx",
        /// The client went away before there was an answer.
        Gone = "gone",
        Ok = "OK",
        Cancelled = "CANCELLED",
        Unknown = "UNKNOWN",
        InvalidArgument = "INVALID_ARGUMENT",
        DeadlineExceeded = "DEADLINE_EXCEEDED",
        NotFound = "NOT_FOUND",
        AlreadyExists = "ALREADY_EXISTS",
        PermissionDenied = "PERMISSION_DENIED",
        ResourceExhausted = "RESOURCE_EXHAUSTED",
        FailedPrecondition = "FAILED_PRECONDITION",
        Aborted = "ABORTED",
        OutOfRange = "OUT_OF_RANGE",
        Unimplemented = "UNIMPLEMENTED",
        Internal = "INTERNAL",
        Unavailable = "UNAVAILABLE",
        DataLoss = "DATA_LOSS",
        Unauthenticated = "UNAUTHENTICATED",
    }
}

impl Code {
    /// The class of an HTTP status. Code of the database may choose any number up to 999.
    pub const fn of_status(status: u16) -> Self {
        match status {
            ..200 => Self::Informational,
            200..300 => Self::Success,
            300..400 => Self::Redirection,
            400..500 => Self::ClientError,
            500.. => Self::ServerError,
        }
    }
}
