//! The service that carries out several writes in one transaction, and its messages.

use super::{
    QUERY_PACKAGE,
    draft::{Cardinality, Draft, FieldDraft, FieldType, FileDraft},
    messages::local,
};
use crate::grpc::{
    method::{Effects, Responses, number},
    surface::{EXECUTE, OPERATION, Operation, Package, REFERENCES, RESULT, TRANSACTION_SERVICE},
};
use prost_types::field_descriptor_proto::Type;

/// Declares the service.
pub(super) fn declare_service(file: &mut FileDraft, package: &Package) {
    let comment = format!("Several writes to the schema `{}` in one transaction.", package.schema);
    let mut service = Draft::service(TRANSACTION_SERVICE.to_owned(), comment);
    let messages = local(package, &format!("{TRANSACTION_SERVICE}{EXECUTE}"));
    let comment = "Carries out all of these operations, one after the other, or, if one is refused, none.";
    service.method(EXECUTE.to_owned(), &messages, Responses::One, Effects::Some, comment.to_owned());
    file.add_service(service);
}

/// Declares its messages.
pub(super) fn declare_messages(file: &mut FileDraft, package: &Package) {
    let repeated = |name: &str, number, of, comment: &str| FieldDraft {
        name: name.to_owned(),
        number,
        of: FieldType::Message(of),
        cardinality: Cardinality::Repeated,
        json: None,
        comment: comment.to_owned(),
    };
    let name = |end| format!("{TRANSACTION_SERVICE}{EXECUTE}{end}");

    let mut request = Draft::message(name("Request"), format!("The request of {EXECUTE}."));
    let operations = local(package, OPERATION);
    request.field(repeated("operations", number::OPERATIONS, operations, "What to do, in this order."));
    request.field(FieldDraft {
        name: "validate_only".to_owned(),
        number: number::TRANSACTION_VALIDATE_ONLY,
        of: FieldType::Scalar(Type::Bool),
        cardinality: Cardinality::Implicit,
        json: None,
        comment: "Do everything but keep nothing.".to_owned(),
    });
    file.add_message(request);

    let mut response = Draft::message(name("Response"), format!("The response of {EXECUTE}."));
    let results = local(package, RESULT);
    response.field(repeated(
        "results",
        number::RESULTS,
        results,
        "What each operation answers, in their order.",
    ));
    file.add_message(response);

    let mut operation =
        Draft::message(OPERATION.to_owned(), "A request, as a part of a transaction.".to_owned());
    operation.field(repeated(
        REFERENCES,
        number::REFERENCES,
        format!("{QUERY_PACKAGE}.Reference"),
        "The fields of the request that take their values from what earlier operations answer.",
    ));
    choose(&mut operation, package, "request", "The request.", ("Request", "takes"));
    file.add_message(operation);

    let mut result = Draft::message(RESULT.to_owned(), "What an operation answers.".to_owned());
    choose(
        &mut result,
        package,
        "response",
        "The response to the operation's request.",
        ("Response", "answers"),
    );
    file.add_message(result);
}

/// One of all operations, by their messages that end so.
fn choose(
    message: &mut Draft<prost_types::DescriptorProto>,
    package: &Package,
    name: &str,
    comment: &str,
    (end, does): (&str, &str),
) {
    let operations = package.operations();
    let field = |operation: &Operation| FieldDraft {
        name: operation.name.clone(),
        number: operation.number,
        of: FieldType::Message(local(package, &format!("{}{end}", operation.messages))),
        cardinality: Cardinality::Implicit,
        json: None,
        comment: format!("What {} {does}.", operation.messages),
    };
    message.choice(name, comment.to_owned(), operations.all().iter().map(field));
    message.reserve(&operations.ledger.reserved());
}
