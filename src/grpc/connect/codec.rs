//! Messages in the form that the client wants: protobuf as it is, or its JSON
//! (<https://protobuf.dev/programming-guides/json/>).

use super::{Refusal, Signature, invalid, leap};
use bytes::Bytes;
use prost::Message as _;
use prost_reflect::{DynamicMessage, MessageDescriptor};
use tonic::Status;

/// The form of messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Codec {
    /// Protobuf's wire format.
    Proto,
    /// Protobuf's JSON.
    Json,
}

impl Codec {
    /// The media type of a unary call.
    pub(crate) const fn unary(self) -> &'static str {
        match self {
            Self::Proto => "application/proto",
            Self::Json => "application/json",
        }
    }

    /// The media type of a streaming call.
    pub(crate) const fn stream(self) -> &'static str {
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
    /// The messages of a method. Of one that is not known there are none: what is answered
    /// is an error.
    pub(super) fn new(codec: Codec, signature: Option<&Signature>) -> Self {
        match (codec, signature) {
            (Codec::Json, Some(signature)) => {
                Self::Json { input: signature.input.clone(), output: signature.output.clone() }
            }
            (Codec::Json, None) | (Codec::Proto, _) => Self::Proto,
        }
    }

    /// A request as protobuf. JSON without anything in it is an empty message, as no bytes are.
    pub(super) fn request(&self, message: Bytes) -> Result<Bytes, Refusal> {
        let Self::Json { input, .. } = self else { return Ok(message) };
        if message.is_empty() {
            return Ok(message);
        }
        let wrong = |error: serde_json::Error| invalid(format!("The JSON is wrong: {error}"));
        if let Some(text) = leap::second(&message, input) {
            return Err(invalid(format!("The JSON is wrong: {text} has no second 60")).into());
        }
        let mut json = serde_json::Deserializer::from_slice(&message);
        let message = DynamicMessage::deserialize(input.clone(), &mut json).map_err(wrong)?;
        json.end().map_err(wrong)?;
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
