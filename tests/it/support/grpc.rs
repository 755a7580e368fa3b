//! A gRPC client that learns the services from the exported descriptors, over HTTP/2 and with tonic's own framing: a real
//! client in all but generated code. Requests and answers are JSON or dynamic messages.

use crate::support::{database::Database, server::Server};
use bytes::{Buf, BufMut, Bytes};
use futures_util::StreamExt;
use hyper::client::conn::http2::{SendRequest, handshake};
use hyper_util::rt::{TokioExecutor, TokioIo};
use prost::Message as _;
use prost_reflect::{DescriptorPool, DynamicMessage, MessageDescriptor, MethodDescriptor, SerializeOptions};
use serde_json::Value;
use std::{process::Command, time::Duration};
use tokio::{net::TcpStream, runtime::Runtime};
use tonic::{
    Status, Streaming,
    client::Grpc,
    codec::{Codec, CompressionEncoding, DecodeBuf, Decoder, EncodeBuf, Encoder},
};

type Sender = SendRequest<tonic::body::Body>;

/// A client of one server.
pub(crate) struct Client {
    runtime: Runtime,
    sender: Sender,
    pool: DescriptorPool,
    package: String,
}

/// How a call is made.
#[derive(Clone, Debug, Default)]
pub(crate) struct Options {
    pub(crate) timeout: Option<Duration>,
    pub(crate) token: Option<String>,
    pub(crate) metadata: Vec<(&'static str, String)>,
    pub(crate) compression: Option<CompressionEncoding>,
}

/// The descriptors that `pgduet proto` exports with as many of these options as decide what is offered.
fn descriptors(database: &Database, schemas: &str, options: &[(&str, &str)]) -> DescriptorPool {
    let directory = std::env::temp_dir().join(format!("pgduet-descriptors-{}", database.name()));
    let exported = Command::new(crate::support::server::binary())
        .args(["proto", "--out"])
        .arg(&directory)
        .env("PGRST_DB_URI", database.uri("authenticator"))
        .env("PGRST_DB_SCHEMAS", schemas)
        .envs(options.iter().copied().filter(|(name, _)| *name == "PGRST_DB_AGGREGATES_ENABLED"))
        .output()
        .unwrap();
    assert!(exported.status.success(), "{}", String::from_utf8_lossy(&exported.stderr));
    let encoded = std::fs::read(directory.join("descriptors.binpb")).unwrap();
    std::fs::remove_dir_all(&directory).unwrap();
    DescriptorPool::decode(encoded.as_slice()).unwrap()
}

/// The number of a column or an argument at first sight, as docs/grpc.md computes it.
pub(crate) const fn number(name: &str) -> u32 {
    let (name, mut hash, mut at) = (name.as_bytes(), 0x811c_9dc5_u32, 0);
    while at < name.len() {
        hash = (hash ^ name[at] as u32).wrapping_mul(0x0100_0193);
        at += 1;
    }
    let number = 2048 + hash % 259_096;
    if number < 19_000 { number } else { number + 1000 }
}

/// The tag of a column's field; 0 is the wire type of integers, 2 that of texts and messages.
pub(crate) const fn tag(name: &str, wire: u32) -> [u8; 3] {
    let tag = number(name) << 3 | wire;
    [tag as u8 | 0x80, (tag >> 7) as u8 | 0x80, (tag >> 14) as u8]
}

/// A message in which the column `id` is 1.
pub(crate) const ID_1: [u8; 4] = id(1);

/// A message in which the column `id` is this.
pub(crate) const fn id(value: u8) -> [u8; 4] {
    let [a, b, c] = tag("id", 0);
    [a, b, c, value]
}

impl Client {
    /// A client of the services of `schema`, where the server has these options.
    pub(crate) fn new(server: &Server, database: &Database, schema: &str, options: &[(&str, &str)]) -> Self {
        let runtime = Runtime::new().unwrap();
        let sender = runtime.block_on(connect(server.address()));
        Self {
            runtime,
            sender,
            pool: descriptors(database, schema, options),
            package: format!("{schema}.v1"),
        }
    }

    /// The names of the services, without the package.
    pub(crate) fn services(&self) -> impl Iterator<Item = String> {
        self.pool.services().map(|service| service.name().to_owned())
    }

    /// The method called `Service/Method`.
    pub(crate) fn method(&self, path: &str) -> MethodDescriptor {
        let (service, method) = path.split_once('/').unwrap();
        let service = self.pool.get_service_by_name(&format!("{}.{service}", self.package));
        let service = service.unwrap_or_else(|| panic!("there is no service for {path}"));
        service.methods().find(|known| known.name() == method).unwrap_or_else(|| panic!("there is no {path}"))
    }

    /// The message of this name.
    pub(crate) fn message(&self, name: &str) -> MessageDescriptor {
        self.pool.get_message_by_name(&format!("{}.{name}", self.package)).unwrap()
    }

    /// Calls a method that gives one answer.
    pub(crate) fn call(&self, path: &str, request: Value) -> Result<Value, Status> {
        self.call_with(path, request, &Options::default())
    }

    /// As `call`, made in a certain way.
    pub(crate) fn call_with(&self, path: &str, request: Value, options: &Options) -> Result<Value, Status> {
        let mut all = self.all_with(path, request, options)?;
        assert_eq!(all.len(), 1, "{path} answers by one message");
        Ok(all.remove(0))
    }

    /// Calls a method and takes all of its answers.
    pub(crate) fn all(&self, path: &str, request: Value) -> Result<Vec<Value>, Status> {
        self.all_with(path, request, &Options::default())
    }

    /// As `all`, made in a certain way.
    pub(crate) fn all_with(
        &self,
        path: &str,
        request: Value,
        options: &Options,
    ) -> Result<Vec<Value>, Status> {
        let output = self.method(path).output();
        let mut all = Vec::new();
        self.streaming(path, request, options, async |mut answers| {
            while let Some(answer) = answers.next().await {
                all.push(to_json(&output, answer?));
            }
            Ok::<(), Status>(())
        })??;
        Ok(all)
    }

    /// Calls a method that gives one answer, by messages.
    pub(crate) fn exchange(&self, path: &str, request: &DynamicMessage) -> Result<DynamicMessage, Status> {
        let method = self.method(path);
        let answer = self.runtime.block_on(async {
            let mut answers =
                self.start(&full_path(&method), request.encode_to_vec(), &Options::default()).await?;
            answers.next().await.expect("there is an answer")
        })?;
        Ok(DynamicMessage::decode(method.output(), answer).unwrap())
    }

    /// Starts a call and lets `read` do what it likes with the answers.
    pub(crate) fn streaming<T>(
        &self,
        path: &str,
        request: Value,
        options: &Options,
        read: impl AsyncFnOnce(Streaming<Bytes>) -> T,
    ) -> Result<T, Status> {
        let method = self.method(path);
        let request = from_json(&method.input(), request).encode_to_vec();
        self.runtime.block_on(async {
            let answers = self.start(&full_path(&method), request, options).await?;
            Ok(read(answers).await)
        })
    }

    /// Starts a call and gives it up when `until` has ended.
    pub(crate) fn abandoned(&self, path: &str, request: Value, until: impl Future<Output = ()>) {
        let method = self.method(path);
        let request = from_json(&method.input(), request).encode_to_vec();
        self.runtime.block_on(async {
            let (path, options) = (full_path(&method), Options::default());
            tokio::select! {
                answer = self.start(&path, request, &options) => panic!("it has ended by itself: {answer:?}"),
                () = until => {}
            }
        });
    }

    /// Waits for something beside calls.
    pub(crate) fn wait<T>(&self, future: impl Future<Output = T>) -> T {
        self.runtime.block_on(future)
    }

    /// The error that bytes as a message of a call of any path meet.
    pub(crate) fn refused(&self, path: &str, request: Vec<u8>) -> Status {
        self.refused_with(path, request, &Options::default())
    }

    /// As `refused`, of a call that is made in a certain way.
    pub(crate) fn refused_with(&self, path: &str, request: Vec<u8>, options: &Options) -> Status {
        self.runtime.block_on(async {
            match self.start(path, request, options).await {
                Err(status) => status,
                Ok(mut answers) => {
                    answers.next().await.expect("an error is no end").expect_err("this is refused")
                }
            }
        })
    }

    async fn start(
        &self,
        path: &str,
        message: Vec<u8>,
        options: &Options,
    ) -> Result<Streaming<Bytes>, Status> {
        let sender = self.sender.clone();
        let service = tower::service_fn(move |request| {
            let mut sender = sender.clone();
            async move { sender.send_request(request).await }
        });
        let mut client = Grpc::with_origin(service, "http://localhost".parse().unwrap());
        if let Some(compression) = options.compression {
            client = client.send_compressed(compression).accept_compressed(compression);
        }
        let mut request = tonic::Request::new(message);
        if let Some(timeout) = options.timeout {
            request.set_timeout(timeout);
        }
        if let Some(token) = &options.token {
            request.metadata_mut().insert("authorization", format!("Bearer {token}").parse().unwrap());
        }
        for (name, value) in &options.metadata {
            request.metadata_mut().append(*name, value.parse().unwrap());
        }
        let answers = client.server_streaming(request, path.parse().unwrap(), Raw).await?;
        Ok(answers.into_inner())
    }
}

async fn connect(address: &str) -> Sender {
    let connection = TokioIo::new(TcpStream::connect(address).await.unwrap());
    let (sender, connection) = handshake(TokioExecutor::new(), connection).await.unwrap();
    tokio::spawn(connection);
    sender
}

fn full_path(method: &MethodDescriptor) -> String {
    format!("/{}/{}", method.parent_service().full_name(), method.name())
}

/// A message from its JSON.
pub(crate) fn from_json(descriptor: &MessageDescriptor, json: Value) -> DynamicMessage {
    DynamicMessage::deserialize(descriptor.clone(), &json)
        .unwrap_or_else(|error| panic!("{json} is no {}: {error}", descriptor.full_name()))
}

fn to_json(descriptor: &MessageDescriptor, message: Bytes) -> Value {
    let message = DynamicMessage::decode(descriptor.clone(), message).expect("the answer is of its type");
    let options = SerializeOptions::new().stringify_64_bit_integers(false);
    message.serialize_with_options(serde_json::value::Serializer, &options).unwrap()
}

/// Messages as bytes.
#[derive(Clone, Copy)]
struct Raw;

impl Codec for Raw {
    type Encode = Vec<u8>;
    type Decode = Bytes;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for Raw {
    type Item = Vec<u8>;
    type Error = Status;

    fn encode(&mut self, message: Vec<u8>, out: &mut EncodeBuf<'_>) -> Result<(), Status> {
        out.put_slice(&message);
        Ok(())
    }
}

impl Decoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, message: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        Ok(Some(message.copy_to_bytes(message.remaining())))
    }
}
