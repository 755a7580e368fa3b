//! The envelope of a transaction on the wire: a list of operations, each a request with references beside it, and the list
//! of what they answer. What is in a request or a response is not looked at: it is that of the method alone, so nothing
//! has to describe a message that could hold all of them.

use crate::{
    engine::check_count,
    error::{Error, Fault, Result},
    grpc::{
        method::number,
        refuse::refuse,
        surface::{OPERATION, Operations},
    },
};
use prost::{
    DecodeError, Message as _,
    encoding::{DecodeContext, WireType, decode_key, decode_varint, encode_key, encode_varint, skip_field},
};
use std::borrow::Cow;

/// A field that takes its value from an earlier answer: `pgduet.query.v1.Reference`.
#[derive(Clone, PartialEq, Eq, Hash, prost::Message)]
pub(super) struct Reference {
    #[prost(string, tag = "1")]
    pub(super) field: String,
    #[prost(int32, tag = "2")]
    pub(super) from: i32,
    #[prost(string, tag = "3")]
    pub(super) from_field: String,
}

/// A transaction as it came.
#[derive(Debug, Default)]
pub(super) struct Envelope<'m> {
    pub(super) operations: Vec<Asked<'m>>,
    pub(super) validates_only: bool,
}

/// An operation as it came.
#[derive(Debug, Default)]
pub(super) struct Asked<'m> {
    /// The number of its field, and its message.
    pub(super) request: Option<(u32, Cow<'m, [u8]>)>,
    pub(super) references: Vec<Reference>,
}

/// A field of a message.
enum Field<'m> {
    Bytes(&'m [u8]),
    Number(u64),
    Other,
}

/// The next field of what is left of a message.
fn next<'m>(rest: &mut &'m [u8]) -> std::result::Result<Option<(u32, Field<'m>)>, DecodeError> {
    if rest.is_empty() {
        return Ok(None);
    }
    let (number, kind) = decode_key(rest)?;
    let field = match kind {
        WireType::Varint => Field::Number(decode_varint(rest)?),
        WireType::LengthDelimited => {
            let length = usize::try_from(decode_varint(rest)?).unwrap_or(usize::MAX);
            #[allow(deprecated, reason = "prost has no other way to make one")]
            let cut_off = || DecodeError::new("buffer underflow");
            let (bytes, behind) = rest.split_at_checked(length).ok_or_else(cut_off)?;
            *rest = behind;
            Field::Bytes(bytes)
        }
        WireType::SixtyFourBit | WireType::StartGroup | WireType::EndGroup | WireType::ThirtyTwoBit => {
            skip_field(kind, number, rest, DecodeContext::default())?;
            Field::Other
        }
    };
    Ok(Some((number, field)))
}

fn malformed(error: DecodeError) -> Box<Error> {
    Error::new(Fault::InvalidMessage, format!("{OPERATION}: {error}"))
}

impl<'m> Envelope<'m> {
    /// Reads a request.
    pub(super) fn read(mut message: &'m [u8]) -> Result<Self> {
        let mut envelope = Self::default();
        while let Some((found, field)) = next(&mut message).map_err(malformed)? {
            match (found, field) {
                (number::OPERATIONS, Field::Bytes(bytes)) => {
                    envelope.operations.push(Asked::read(bytes)?);
                    check_count(envelope.operations.len())?;
                }
                (number::TRANSACTION_VALIDATE_ONLY, Field::Number(value)) => {
                    envelope.validates_only = value != 0
                }
                (other, _) => return Err(unknown("Execute", other)),
            }
        }
        Ok(envelope)
    }
}

impl<'m> Asked<'m> {
    fn read(mut message: &'m [u8]) -> Result<Self> {
        let mut asked = Self::default();
        while let Some((found, field)) = next(&mut message).map_err(malformed)? {
            match (found, field) {
                (number::REFERENCES, Field::Bytes(bytes)) => {
                    asked.references.push(Reference::decode(bytes).map_err(malformed)?);
                }
                // Of one message in several pieces each continues the one before; of several the last one counts.
                (number, Field::Bytes(bytes)) => match &mut asked.request {
                    Some((same, before)) if *same == number => before.to_mut().extend_from_slice(bytes),
                    Some(_) | None => asked.request = Some((number, Cow::Borrowed(bytes))),
                },
                (other, Field::Number(_) | Field::Other) => return Err(unknown(OPERATION, other)),
            }
        }
        Ok(asked)
    }
}

fn unknown(message: &str, number: u32) -> Box<Error> {
    refuse(message, format!("has a field {number}, which the schema does not have (any more)"))
}

/// The results in a response, each by the number of its field.
pub(in crate::grpc) fn results(mut message: &[u8]) -> Result<Vec<(u32, &[u8])>> {
    let mut results = Vec::new();
    while let Some((found, field)) = next(&mut message).map_err(malformed)? {
        if let (number::RESULTS, Field::Bytes(mut result)) = (found, field)
            && let Some((number, Field::Bytes(response))) = next(&mut result).map_err(malformed)?
        {
            results.push((number, response));
        }
    }
    Ok(results)
}

/// Appends a result.
pub(super) fn result(number: u32, response: &[u8], out: &mut Vec<u8>) {
    let mut result = Vec::with_capacity(response.len() + 10);
    bytes(number, response, &mut result);
    bytes(number::RESULTS, &result, out);
}

fn bytes(number: u32, bytes: &[u8], out: &mut Vec<u8>) {
    encode_key(number, WireType::LengthDelimited, out);
    encode_varint(bytes.len() as u64, out);
    out.extend_from_slice(bytes);
}

/// A request in the making, out of another form.
#[derive(Debug, Default)]
pub(in crate::grpc) struct Written(Vec<u8>);

impl Written {
    /// Adds an operation, with references as field, operation and field of its answer.
    pub(in crate::grpc) fn operation(
        &mut self,
        number: u32,
        request: &[u8],
        references: Vec<(String, i32, String)>,
    ) {
        let mut operation = Vec::with_capacity(request.len() + 10);
        for (field, from, from_field) in references {
            let reference = Reference { field, from, from_field };
            bytes(number::REFERENCES, &reference.encode_to_vec(), &mut operation);
        }
        bytes(number, request, &mut operation);
        bytes(number::OPERATIONS, &operation, &mut self.0);
    }

    /// Says that nothing is to be kept.
    pub(in crate::grpc) fn validates_only(&mut self) {
        encode_key(number::TRANSACTION_VALIDATE_ONLY, WireType::Varint, &mut self.0);
        encode_varint(1, &mut self.0);
    }

    /// The request.
    pub(in crate::grpc) fn finish(self) -> Vec<u8> {
        self.0
    }
}

/// The operation that a field stands for.
pub(super) fn operation<'o>(
    operations: &'o Operations,
    asked: &Asked<'_>,
) -> Result<&'o crate::grpc::surface::Operation> {
    match &asked.request {
        None => Err(refuse("request", "has to be set")),
        Some((number, _)) => operations.numbered(*number).ok_or_else(|| unknown(OPERATION, *number)),
    }
}
