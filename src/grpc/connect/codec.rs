//! Messages in the form that the client wants: protobuf as it is, or its JSON
//! (<https://protobuf.dev/programming-guides/json/>).

use super::{Known, Refusal, invalid, leap, transaction};
use crate::{
    error::Caller,
    grpc::{
        Callable, Grpc,
        descriptor::Side,
        services::{self, Method, Target},
    },
};
use bytes::Bytes;
use prost::Message as _;
use prost_reflect::{DynamicMessage, MessageDescriptor};
use std::sync::Arc;
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
    Json(Described),
}

/// A method and what describes its messages.
#[derive(Clone, Debug)]
pub(super) struct Described {
    pub(super) grpc: Arc<Grpc>,
    pub(super) method: Callable,
}

impl Schema {
    /// The messages of a method. Of one that is not known there are none: what is answered
    /// is an error.
    pub(super) fn new(codec: Codec, known: Option<Known<'_>>) -> Self {
        match (codec, known) {
            (Codec::Json, Some(Known { grpc, method })) => {
                Self::Json(Described { grpc: grpc.clone(), method: method.clone() })
            }
            (Codec::Json, None) | (Codec::Proto, _) => Self::Proto,
        }
    }

    /// A request as protobuf. JSON without anything in it is an empty message, as no bytes are.
    pub(super) fn request(&self, message: Bytes) -> Result<Bytes, Refusal> {
        let Self::Json(described) = self else { return Ok(message) };
        if message.is_empty() {
            return Ok(message);
        }
        match described.transaction() {
            Some(package) => transaction::request(described, package, &message),
            None => described.read(&message),
        }
    }

    /// A response as the client wants it.
    pub(super) fn response(&self, message: &[u8]) -> Result<Bytes, Status> {
        let Self::Json(described) = self else { return Ok(Bytes::copy_from_slice(message)) };
        match described.transaction() {
            Some(package) => transaction::response(described, package, message),
            None => described.written(message),
        }
    }
}

/// Logs why a response has no JSON form, and gives the status that the client sees.
pub(super) fn broken(error: &dyn std::fmt::Display) -> Status {
    tracing::error!("A response has no JSON form: {error}");
    Status::internal("Internal error")
}

impl Described {
    /// The package whose transactions the method carries out, if it does.
    fn transaction(&self) -> Option<usize> {
        match &self.method {
            Callable::Catalog(Method { package, target: Target::Transaction, .. }) => Some(*package),
            Callable::Catalog(_) | Callable::Infrastructure(_) => None,
        }
    }

    /// A request as protobuf.
    pub(super) fn read(&self, message: &Bytes) -> Result<Bytes, Refusal> {
        let wrong = |error: serde_json::Error| invalid(format!("The JSON is wrong: {error}"));
        let input = self.input(message)?;
        if let Some(text) = leap::second(message, &input) {
            return Err(invalid(format!("The JSON is wrong: {text} has no second 60")).into());
        }
        let mut json = serde_json::Deserializer::from_slice(message);
        let message = DynamicMessage::deserialize(input, &mut json).map_err(wrong)?;
        json.end().map_err(wrong)?;
        Ok(message.encode_to_vec().into())
    }

    /// A response as JSON.
    pub(super) fn written(&self, message: &[u8]) -> Result<Bytes, Status> {
        let message = self.output(message).map_err(|error| broken(&error))?;
        let json = serde_json::to_vec(&message).map_err(|error| broken(&error))?;
        Ok(json.into())
    }

    /// What describes a request, and what this one has in it. Text that is no JSON is described, too: who reads it says
    /// what is wrong.
    fn input(&self, json: &Bytes) -> Result<MessageDescriptor, Status> {
        match &self.method {
            Callable::Infrastructure(method) => Ok(method.input.clone()),
            Callable::Catalog(method) => {
                let json = serde_json::from_slice(json).unwrap_or_default();
                let part = self.grpc.services.part_for_json(method, Side::Request, &json);
                part.map(|part| part.message().clone())
                    .map_err(|error| self.grpc.refusal(&error, Caller::Anonymous))
            }
        }
    }

    fn output(&self, message: &[u8]) -> crate::error::Result<DynamicMessage> {
        match &self.method {
            Callable::Infrastructure(method) => {
                DynamicMessage::decode(method.output.clone(), message).map_err(services::broken)
            }
            Callable::Catalog(method) => self.grpc.services.read(method, Side::Response, message),
        }
    }
}
