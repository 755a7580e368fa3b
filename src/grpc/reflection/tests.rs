//! Conversations through the tower services, as a client has them, over the
//! descriptors of `proto/`.

use super::*;
use crate::{catalog::descriptor::FILE_DESCRIPTOR_SET, server::shutdown::shutdown_channel};
use futures_util::stream::{self, Stream, StreamExt as _};
use prost::Message as _;
use prost_types::{
    DescriptorProto, FieldDescriptorProto, FileDescriptorProto, FileDescriptorSet,
    descriptor_proto::ExtensionRange,
};
use tonic::Streaming;
use v1::{
    ExtensionNumberResponse, ExtensionRequest, ServerReflectionRequest, ServerReflectionResponse,
    server_reflection_client::ServerReflectionClient, server_reflection_request::MessageRequest,
    server_reflection_response::MessageResponse,
};

const PREDICATES: &str = "pgduet/query/v1/predicate.proto";
const SCHEMA: &str = "pgduet/schema/v1/schema.proto";
const COUNT_MODE: &str = "pgduet/query/v1/count_mode.proto";
const TIMESTAMP: &str = "google/protobuf/timestamp.proto";

fn reflection(encoded: &[u8], shutdown: Shutdown) -> Reflection {
    let encoded = encoded.to_vec();
    let index = move || Ok(Index::new(encoded.clone()).unwrap());
    Reflection::new(vec!["api.v1.StudentsService".to_owned()], index, shutdown)
}

async fn open(
    reflection: &Reflection,
    requests: impl Stream<Item = MessageRequest> + Send + 'static,
) -> Streaming<ServerReflectionResponse> {
    let requests = requests
        .map(|request| ServerReflectionRequest { host: "here".to_owned(), message_request: Some(request) });
    let mut client = ServerReflectionClient::new(reflection.v1());
    client.server_reflection_info(requests).await.unwrap().into_inner()
}

/// One stream with these requests, and the answers.
async fn ask_index(encoded: &[u8], requests: Vec<MessageRequest>) -> Vec<MessageResponse> {
    let (_trigger, shutdown) = shutdown_channel();
    let reflection = reflection(encoded, shutdown);
    let answers = open(&reflection, stream::iter(requests)).await;
    answers.map(|answer| answer.unwrap().message_response.unwrap()).collect().await
}

async fn ask(requests: Vec<MessageRequest>) -> Vec<MessageResponse> {
    ask_index(FILE_DESCRIPTOR_SET, requests).await
}

fn symbol(name: &str) -> MessageRequest {
    MessageRequest::FileContainingSymbol(name.to_owned())
}

fn file(name: &str) -> MessageRequest {
    MessageRequest::FileByFilename(name.to_owned())
}

fn extension(extendee: &str, number: i32) -> MessageRequest {
    let containing_type = extendee.to_owned();
    MessageRequest::FileContainingExtension(ExtensionRequest { containing_type, extension_number: number })
}

fn encoded(answer: &MessageResponse) -> Vec<Vec<u8>> {
    match answer {
        MessageResponse::FileDescriptorResponse(files) => files.file_descriptor_proto.clone(),
        other => panic!("no files: {other:?}"),
    }
}

fn names(answer: &MessageResponse) -> Vec<String> {
    let name = |file: Vec<u8>| FileDescriptorProto::decode(file.as_slice()).unwrap().name().to_owned();
    encoded(answer).into_iter().map(name).collect()
}

fn code(answer: &MessageResponse) -> Code {
    match answer {
        MessageResponse::ErrorResponse(error) => Code::from(error.error_code),
        other => panic!("no error: {other:?}"),
    }
}

#[tokio::test]
async fn an_unknown_symbol_is_answered_and_the_stream_goes_on() {
    let requests = vec![symbol("pgduet.query.v1.Nothing"), symbol("pgduet.query.v1.BoolPredicate")];
    let answers = ask(requests).await;
    assert_eq!(answers.len(), 2);
    assert_eq!(code(&answers[0]), Code::NotFound);
    assert_eq!(names(&answers[1])[0], PREDICATES);
}

#[tokio::test]
async fn every_kind_of_symbol_is_found_by_its_full_name_and_packages_are_not() {
    let found = [
        ("pgduet.schema.v1.Database", SCHEMA),
        ("pgduet.schema.v1.Database.server_version", SCHEMA),
        ("pgduet.query.v1.BoolPredicate._eq", PREDICATES),
        ("pgduet.schema.v1.RelationKind", SCHEMA),
        ("pgduet.schema.v1.RELATION_KIND_VIEW", SCHEMA),
    ];
    let answers = ask(found.iter().map(|(name, _)| symbol(name)).collect()).await;
    for (answer, (name, file)) in answers.iter().zip(found) {
        assert_eq!(names(answer)[0], file, "{name}");
    }
    let missing = ["pgduet.schema.v1.RelationKind.RELATION_KIND_VIEW", "pgduet.schema.v1", ""];
    let answers = ask(missing.map(symbol).to_vec()).await;
    assert_eq!(answers.iter().map(code).collect::<Vec<_>>(), [Code::NotFound; 3]);
}

#[tokio::test]
async fn enum_values_and_messages_nested_in_messages_are_found_at_any_depth() {
    let answers = ask_index(
        tonic_health::pb::FILE_DESCRIPTOR_SET,
        vec![
            symbol("grpc.health.v1.HealthCheckResponse.NOT_SERVING"),
            symbol("grpc.health.v1.HealthCheckResponse.ServingStatus.NOT_SERVING"),
        ],
    );
    let answers = answers.await;
    assert_eq!(names(&answers[0]).len(), 1);
    assert_eq!(code(&answers[1]), Code::NotFound);

    let deepest = DescriptorProto { name: Some("C".into()), ..Default::default() };
    let middle = DescriptorProto { name: Some("B".into()), nested_type: vec![deepest], ..Default::default() };
    let outer = DescriptorProto { name: Some("A".into()), nested_type: vec![middle], ..Default::default() };
    let proto =
        FileDescriptorProto { name: Some("a.proto".into()), message_type: vec![outer], ..Default::default() };
    let set = FileDescriptorSet { file: vec![proto] }.encode_to_vec();
    assert_eq!(names(&ask_index(&set, vec![symbol("A.B.C")]).await[0]), ["a.proto"]);
}

#[tokio::test]
async fn services_and_methods_of_reflection_and_health_are_described_when_merged() {
    let merged = [FILE_DESCRIPTOR_SET, &own_descriptors().concat()].concat();
    let requests = vec![
        symbol("grpc.reflection.v1.ServerReflection"),
        symbol("grpc.reflection.v1.ServerReflectionRequest.message_request"),
        symbol("grpc.reflection.v1alpha.ServerReflection.ServerReflectionInfo"),
        symbol("grpc.health.v1.Health.Watch"),
        symbol("pgduet.query.v1.CountMode"),
    ];
    let answers = ask_index(&merged, requests).await;
    assert_eq!(answers.iter().map(|answer| names(answer).len()).collect::<Vec<_>>(), [1; 5]);
}

#[tokio::test]
async fn a_file_goes_out_with_its_imports_and_imports_once_per_stream() {
    let requests = vec![file(PREDICATES), file(PREDICATES), file(COUNT_MODE), file("nothing.proto")];
    let answers = ask(requests).await;
    assert_eq!(names(&answers[0]), [PREDICATES, TIMESTAMP]);
    // What is asked for comes again: an empty answer says nothing to a client.
    assert_eq!(names(&answers[1]), [PREDICATES]);
    assert_eq!(names(&answers[2]), [COUNT_MODE]);
    assert_eq!(code(&answers[3]), Code::NotFound);
}

#[tokio::test]
async fn imports_of_imports_go_out_and_imports_in_a_circle_come_to_an_end() {
    let proto = |name: &str, import: &str| FileDescriptorProto {
        name: Some(name.to_owned()),
        dependency: vec![import.to_owned()],
        ..Default::default()
    };
    let file_set = vec![proto("a", "b"), proto("b", "c"), proto("c", "a"), proto("d", "missing")];
    let set = FileDescriptorSet { file: file_set }.encode_to_vec();
    let answers = ask_index(&set, vec![file("a"), file("c"), file("d")]).await;
    assert_eq!(names(&answers[0]), ["a", "b", "c"]);
    assert_eq!(names(&answers[1]), ["c"]);
    assert_eq!(names(&answers[2]), ["d"]);
}

#[tokio::test]
async fn files_go_out_as_they_were_encoded_with_options_that_nobody_here_knows() {
    let mut with_option = FileDescriptorProto { name: Some("a.proto".into()), ..Default::default() };
    with_option.package = Some("a".into());
    let mut with_option = with_option.encode_to_vec();
    // Field 8, `options`, with field 50000 set to 1.
    with_option.extend([0x42, 0x04, 0x80, 0xb5, 0x18, 0x01]);
    let mut set = vec![0x0a, u8::try_from(with_option.len()).unwrap()];
    set.extend(&with_option);
    assert_eq!(encoded(&ask_index(&set, vec![file("a.proto")]).await[0]), [with_option]);
}

#[test]
fn what_is_no_descriptor_set_is_refused() {
    assert!(Index::new(vec![0x0a, 0xff]).is_err());
    assert!(Index::new(vec![0x0a, 0x01, 0x0a]).is_err());
}

#[tokio::test]
async fn extensions_are_found_by_number_and_a_type_without_any_has_an_empty_list() {
    let message = DescriptorProto {
        name: Some("Extended".into()),
        extension_range: vec![ExtensionRange { start: Some(100), end: Some(200), options: None }],
        ..Default::default()
    };
    let field = FieldDescriptorProto {
        name: Some("extra".into()),
        extendee: Some(".a.Extended".into()),
        number: Some(150),
        ..Default::default()
    };
    let proto = FileDescriptorProto {
        name: Some("a.proto".into()),
        package: Some("a".into()),
        message_type: vec![message],
        extension: vec![field],
        ..Default::default()
    };
    let set = [FILE_DESCRIPTOR_SET, &FileDescriptorSet { file: vec![proto] }.encode_to_vec()].concat();
    let numbers = |name: &str| MessageRequest::AllExtensionNumbersOfType(name.to_owned());
    let known = "pgduet.schema.v1.Database";
    let requests = vec![
        extension("a.Extended", 150),
        extension("a.Extended", 151),
        extension(known, 150),
        numbers("a.Extended"),
        numbers(known),
        numbers("a.Nothing"),
    ];
    let answers = ask_index(&set, requests).await;
    let listed = |name: &str, numbers: &[i32]| {
        MessageResponse::AllExtensionNumbersResponse(ExtensionNumberResponse {
            base_type_name: name.to_owned(),
            extension_number: numbers.to_vec(),
        })
    };
    assert_eq!(names(&answers[0]), ["a.proto"]);
    assert_eq!(code(&answers[1]), Code::NotFound);
    assert_eq!(code(&answers[2]), Code::NotFound);
    assert_eq!(answers[3], listed("a.Extended", &[150]));
    assert_eq!(answers[4], listed(known, &[]));
    assert_eq!(code(&answers[5]), Code::NotFound);
}

#[tokio::test]
async fn the_services_are_listed_with_reflection_and_health_among_them() {
    let answers = ask(vec![MessageRequest::ListServices(String::new())]).await;
    let MessageResponse::ListServicesResponse(list) = &answers[0] else { panic!("{answers:?}") };
    let names: Vec<_> = list.service.iter().map(|service| service.name.as_str()).collect();
    assert_eq!(
        names,
        [
            "api.v1.StudentsService",
            "grpc.health.v1.Health",
            "grpc.reflection.v1.ServerReflection",
            "grpc.reflection.v1alpha.ServerReflection",
        ]
    );
}

#[tokio::test]
async fn an_answer_carries_its_question_and_one_that_asks_nothing_is_an_error_answer() {
    let (_trigger, shutdown) = shutdown_channel();
    let reflection = reflection(FILE_DESCRIPTOR_SET, shutdown);
    let request = ServerReflectionRequest { host: "here".to_owned(), message_request: None };
    let mut client = ServerReflectionClient::new(reflection.v1());
    let answers = client.server_reflection_info(stream::iter([request.clone()])).await.unwrap();
    let answer = answers.into_inner().message().await.unwrap().unwrap();
    assert_eq!(answer.valid_host, "here");
    assert_eq!(answer.original_request, Some(request));
    assert_eq!(code(&answer.message_response.unwrap()), Code::InvalidArgument);
}

#[tokio::test]
async fn v1alpha_answers_the_same_bytes() {
    use v1alpha::{
        ServerReflectionRequest, server_reflection_client::ServerReflectionClient,
        server_reflection_request::MessageRequest, server_reflection_response::MessageResponse,
    };
    let (_trigger, shutdown) = shutdown_channel();
    let reflection = reflection(FILE_DESCRIPTOR_SET, shutdown);
    let message_request = Some(MessageRequest::FileByFilename(PREDICATES.to_owned()));
    let request = ServerReflectionRequest { host: String::new(), message_request };
    let mut client = ServerReflectionClient::new(reflection.v1alpha());
    let answers = client.server_reflection_info(stream::iter([request])).await.unwrap();
    let answer = answers.into_inner().message().await.unwrap().unwrap();
    let Some(MessageResponse::FileDescriptorResponse(files)) = answer.message_response else {
        panic!("{answer:?}");
    };
    assert_eq!(files.file_descriptor_proto, encoded(&ask(vec![file(PREDICATES)]).await[0]));
}

#[tokio::test]
async fn a_stream_that_the_client_keeps_open_ends_when_the_server_goes_down() {
    let (trigger, shutdown) = shutdown_channel();
    let reflection = reflection(FILE_DESCRIPTOR_SET, shutdown);
    let requests = stream::iter([file(COUNT_MODE)]).chain(stream::pending());
    let mut answers = open(&reflection, requests).await;
    assert!(answers.message().await.unwrap().is_some());
    trigger.announce();
    assert_eq!(answers.message().await.unwrap(), None);
}
