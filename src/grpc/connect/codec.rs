//! Messages in the form that the client wants: protobuf as it is, or its JSON
//! (<https://protobuf.dev/programming-guides/json/>).

use super::{Method, Refusal, leap};
use bytes::Bytes;
use prost::Message as _;
use prost_reflect::{DynamicMessage, MessageDescriptor};
use tonic::Status;

/// The form of messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Codec {
    /// Protobuf's wire format.
    Proto,
    /// Protobuf's JSON.
    Json,
}

impl Codec {
    /// The media type of a unary call.
    pub(super) fn unary(self) -> &'static str {
        match self {
            Self::Proto => "application/proto",
            Self::Json => "application/json",
        }
    }

    /// The media type of a streaming call.
    pub(super) fn stream(self) -> &'static str {
        match self {
            Self::Proto => "application/connect+proto",
            Self::Json => "application/connect+json",
        }
    }

    /// The codec of this name.
    pub(super) fn named(name: &str) -> Option<Self> {
        match name {
            "proto" => Some(Self::Proto),
            "json" => Some(Self::Json),
            _ => None,
        }
    }
}

/// A method's messages in one form.
#[derive(Clone, Debug)]
pub(super) enum Schema {
    /// They pass as they are.
    Proto,
    /// They are read and written by what describes them.
    Json {
        /// The request.
        input: MessageDescriptor,
        /// The response.
        output: MessageDescriptor,
    },
}

impl Schema {
    /// The messages of `method`; only those of the database's own have a JSON form.
    pub(super) fn new(codec: Codec, method: Option<&Method>) -> Result<Self, Refusal> {
        match (codec, method) {
            (Codec::Proto, _) => Ok(Self::Proto),
            (Codec::Json, Some(method)) => {
                Ok(Self::Json { input: method.input.clone(), output: method.output.clone() })
            }
            (Codec::Json, None) => {
                Err(Status::unimplemented("There is no such method, or none that takes JSON").into())
            }
        }
    }

    pub(super) fn codec(&self) -> Codec {
        match self {
            Self::Proto => Codec::Proto,
            Self::Json { .. } => Codec::Json,
        }
    }

    /// A request as protobuf. JSON without anything in it is an empty message, as no bytes are.
    pub(super) fn request(&self, message: Bytes) -> Result<Bytes, Refusal> {
        let Self::Json { input, .. } = self else { return Ok(message) };
        if message.is_empty() {
            return Ok(message);
        }
        let invalid =
            |error: serde_json::Error| Status::invalid_argument(format!("The JSON is wrong: {error}"));
        if let Some(text) = leap::second(&message, input) {
            return Err(
                Status::invalid_argument(format!("The JSON is wrong: {text} has no second 60")).into()
            );
        }
        let mut json = serde_json::Deserializer::from_slice(&message);
        let message = DynamicMessage::deserialize(input.clone(), &mut json).map_err(invalid)?;
        json.end().map_err(invalid)?;
        Ok(message.encode_to_vec().into())
    }

    /// A response as the client wants it.
    pub(super) fn response(&self, message: &[u8]) -> Result<Bytes, Status> {
        let Self::Json { output, .. } = self else { return Ok(Bytes::copy_from_slice(message)) };
        let broken = |error: &dyn std::fmt::Display| {
            tracing::error!("{} has no JSON form: {error}", output.full_name());
            Status::internal("Internal error")
        };
        let message = DynamicMessage::decode(output.clone(), message).map_err(|error| broken(&error))?;
        let json = serde_json::to_vec(&message).map_err(|error| broken(&error))?;
        Ok(json.into())
    }
}
