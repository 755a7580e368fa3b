//! The gRPC calls of a case: messages are described by the server itself, through reflection.
//!
//! Requests are encoded before any time is taken, and answers are decoded only by the equivalence check.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, bail};
use bytes::Bytes;
use http::header;
use prost_reflect::{
    DescriptorPool, DynamicMessage, MethodDescriptor, SerializeOptions,
    prost::Message,
    prost_types::{FileDescriptorProto, FileDescriptorSet},
};
use tonic_reflection::pb::v1::{
    ServerReflectionRequest, ServerReflectionResponse, server_reflection_request::MessageRequest,
    server_reflection_response::MessageResponse,
};

use super::{
    cases::{Case, fill},
    exchange::{Call, Connection, Endpoint, message},
};

const PACKAGE: &str = "bench.v1";
const REFLECTION: &str = "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo";

/// A gRPC API.
#[derive(Debug, Clone)]
pub(crate) struct Api {
    pub(crate) endpoint: Endpoint,
    pool: DescriptorPool,
}

impl Api {
    /// Asks a server for the descriptors of the services of `cases`.
    pub(crate) async fn discover(endpoint: Endpoint, cases: &[&Case]) -> anyhow::Result<Self> {
        let mut connection = Connection::open(&endpoint).await?;
        let mut wanted: BTreeSet<Wanted> =
            cases.iter().map(|case| Wanted::Symbol(format!("{PACKAGE}.{}", case.grpc.service))).collect();
        let mut files: BTreeMap<String, FileDescriptorProto> = BTreeMap::new();
        while let Some(next) = wanted.pop_first() {
            if matches!(&next, Wanted::File(name) if files.contains_key(name)) {
                continue;
            }
            for file in reflect(&endpoint, &mut connection, next).await? {
                wanted.extend(file.dependency.iter().cloned().map(Wanted::File));
                files.insert(file.name().to_owned(), file);
            }
        }
        let set = FileDescriptorSet { file: files.into_values().collect() };
        Ok(Self { endpoint, pool: DescriptorPool::from_file_descriptor_set(set)? })
    }

    fn method(&self, case: &Case) -> anyhow::Result<MethodDescriptor> {
        self.pool
            .get_service_by_name(&format!("{PACKAGE}.{}", case.grpc.service))
            .and_then(|service| service.methods().find(|method| method.name() == case.grpc.method))
            .with_context(|| format!("there is no method {}/{}", case.grpc.service, case.grpc.method))
    }

    /// The call of a case with this key.
    pub(crate) fn call(&self, case: &Case, key: u32) -> anyhow::Result<Call> {
        let method = self.method(case)?;
        let json = fill(case.grpc.request, key);
        let mut reader = serde_json::Deserializer::from_str(&json);
        let request = DynamicMessage::deserialize(method.input(), &mut reader)
            .with_context(|| format!("{} does not take {json}", method.full_name()))?;
        let path = format!("/{}/{}", method.parent_service().full_name(), method.name());
        let call = Call::grpc(&self.endpoint, &path, &request.encode_to_vec())?;
        match case.caller.authorization()? {
            Some(authorization) => call.with(header::AUTHORIZATION, &authorization),
            None => Ok(call),
        }
    }

    /// An answer in protobuf's JSON form, with the names of the fields: in JSON, an embed has another one than in SQL.
    pub(crate) fn decode(&self, case: &Case, answer: Bytes) -> anyhow::Result<serde_json::Value> {
        let message = DynamicMessage::decode(self.method(case)?.output(), answer)?;
        let options = SerializeOptions::new().use_proto_field_name(true);
        Ok(message.serialize_with_options(serde_json::value::Serializer, &options)?)
    }
}

/// What is asked of reflection.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Wanted {
    /// The file that declares this name.
    Symbol(String),
    /// The file of this name.
    File(String),
}

/// One question on a stream of its own. A server may send along what the file imports.
async fn reflect(
    endpoint: &Endpoint,
    connection: &mut Connection,
    wanted: Wanted,
) -> anyhow::Result<Vec<FileDescriptorProto>> {
    let question = match wanted {
        Wanted::Symbol(name) => MessageRequest::FileContainingSymbol(name),
        Wanted::File(name) => MessageRequest::FileByFilename(name),
    };
    let request =
        ServerReflectionRequest { host: endpoint.authority.clone(), message_request: Some(question.clone()) };
    let call = Call::grpc(endpoint, REFLECTION, &request.encode_to_vec())?;
    let answer = ServerReflectionResponse::decode(message(connection.send(&call).await?)?)?;
    match answer.message_response {
        Some(MessageResponse::FileDescriptorResponse(found)) => {
            found.file_descriptor_proto.iter().map(|file| Ok(FileDescriptorProto::decode(&**file)?)).collect()
        }
        Some(MessageResponse::ErrorResponse(error)) => bail!("{question:?}: {}", error.error_message),
        Some(MessageResponse::AllExtensionNumbersResponse(_) | MessageResponse::ListServicesResponse(_))
        | None => bail!("{question:?} was answered by something else"),
    }
}
