//! The two versions of the protocol: their messages are different types of the
//! same shape, so both are written once. It decides no answer.

use super::{Answer, Conversation, Question, Reflection, malformed};
use futures_util::stream::{self, BoxStream};
use std::collections::HashSet;
use tonic::{Request, Response, Status, Streaming, codec::CompressionEncoding};

macro_rules! version {
    ($version:ident) => {
        mod $version {
            use super::*;
            use tonic_reflection::pb::$version::{
                ErrorResponse, ExtensionNumberResponse, FileDescriptorResponse, ListServiceResponse,
                ServerReflectionRequest, ServerReflectionResponse, ServiceResponse,
                server_reflection_request::MessageRequest,
                server_reflection_response::MessageResponse,
                server_reflection_server::{ServerReflection, ServerReflectionServer},
            };

            impl Reflection {
                #[doc = concat!("The tower service of `grpc.reflection.", stringify!($version), "`.")]
                pub fn $version(&self) -> ServerReflectionServer<Self> {
                    ServerReflectionServer::new(self.clone())
                        .accept_compressed(CompressionEncoding::Gzip)
                        .accept_compressed(CompressionEncoding::Zstd)
                        .send_compressed(CompressionEncoding::Gzip)
                        .send_compressed(CompressionEncoding::Zstd)
                }
            }

            #[tonic::async_trait]
            impl ServerReflection for Reflection {
                type ServerReflectionInfoStream =
                    BoxStream<'static, Result<ServerReflectionResponse, Status>>;

                async fn server_reflection_info(
                    &self,
                    request: Request<Streaming<ServerReflectionRequest>>,
                ) -> Result<Response<Self::ServerReflectionInfoStream>, Status> {
                    let conversation =
                        Conversation { described: self.described.clone(), sent: HashSet::new() };
                    let state = (request.into_inner(), conversation, self.shutdown.clone());
                    let responses = stream::unfold(state, async |mut state| {
                        let (requests, conversation, shutdown) = &mut state;
                        let request = tokio::select! {
                            biased;
                            () = shutdown.announced() => return None,
                            request = requests.message() => request.transpose()?,
                        };
                        let response = match request {
                            Ok(request) => respond(conversation, request).await,
                            Err(status) => Err(malformed(status)),
                        };
                        Some((response, state))
                    });
                    Ok(Response::new(Box::pin(responses)))
                }
            }

            async fn respond(
                conversation: &mut Conversation,
                request: ServerReflectionRequest,
            ) -> Result<ServerReflectionResponse, Status> {
                let answer = conversation.answer(request.message_request.as_ref().map(question)).await?;
                Ok(ServerReflectionResponse {
                    valid_host: request.host.clone(),
                    message_response: Some(response(answer)),
                    original_request: Some(request),
                })
            }

            fn question(request: &MessageRequest) -> Question<'_> {
                match request {
                    MessageRequest::FileByFilename(name) => Question::FileByName(name),
                    MessageRequest::FileContainingSymbol(symbol) => Question::FileContainingSymbol(symbol),
                    MessageRequest::FileContainingExtension(extension) => Question::FileContainingExtension {
                        extendee: &extension.containing_type,
                        number: extension.extension_number,
                    },
                    MessageRequest::AllExtensionNumbersOfType(extendee) => {
                        Question::ExtensionNumbers { extendee }
                    }
                    MessageRequest::ListServices(_) => Question::Services,
                }
            }

            fn response(answer: Answer) -> MessageResponse {
                match answer {
                    Answer::Files(file_descriptor_proto) => {
                        MessageResponse::FileDescriptorResponse(FileDescriptorResponse {
                            file_descriptor_proto,
                        })
                    }
                    Answer::ExtensionNumbers { extendee, numbers } => {
                        MessageResponse::AllExtensionNumbersResponse(ExtensionNumberResponse {
                            base_type_name: extendee,
                            extension_number: numbers,
                        })
                    }
                    Answer::Services(names) => MessageResponse::ListServicesResponse(ListServiceResponse {
                        service: names.into_iter().map(|name| ServiceResponse { name }).collect(),
                    }),
                    Answer::Error(code, error_message) => MessageResponse::ErrorResponse(ErrorResponse {
                        error_code: code.into(),
                        error_message,
                    }),
                }
            }
        }
    };
}

version!(v1);
version!(v1alpha);
