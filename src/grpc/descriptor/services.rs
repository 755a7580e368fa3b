//! Services of a package.

use super::draft::{Draft, Effect, FileDraft, Responses};
use crate::grpc::{
    method::Answer,
    surface::{FUNCTIONS_SERVICE, Multiplicity, Package},
};

/// Declares every service of the package.
pub(super) fn declare(file: &mut FileDraft, package: &Package) {
    for resource in &package.resources {
        let otherwise = format!("Rows of `{}`.", resource.relation);
        let comment = resource.comment.as_ref().filter(|text| !text.trim().is_empty());
        let mut service = Draft::service(resource.names.service(), comment.cloned().unwrap_or(otherwise));
        for method in &resource.methods {
            let (name, row) = (method.name(&resource.names), method.row());
            let messages = format!("{}.{name}", package.name);
            let comment = format!("{} `{}`.", row.comment, resource.relation);
            let responses = match row.answer {
                Answer::Rows => Responses::Stream,
                Answer::Empty
                | Answer::Row
                | Answer::CreatedRow
                | Answer::Page
                | Answer::Batch
                | Answer::CreatedRows
                | Answer::Affected => Responses::One,
            };
            service.method(name, &messages, responses, effect(method.reads_only()), comment);
        }
        file.add_service(service);
    }
    if package.functions.is_empty() {
        return;
    }
    let comment = format!("Functions of the schema `{}`.", package.schema);
    let mut service = Draft::service(FUNCTIONS_SERVICE.to_owned(), comment);
    for function in &package.functions {
        let messages = format!("{}.{}", package.name, function.messages);
        let responses = match function.multiplicity {
            Multiplicity::One => Responses::One,
            Multiplicity::Many => Responses::Stream,
        };
        let otherwise = format!("Calls `{}`.", function.function);
        let comment = function.comment.as_ref().filter(|text| !text.trim().is_empty());
        service.method(
            function.method.clone(),
            &messages,
            responses,
            effect(function.reads_only()),
            comment.cloned().unwrap_or(otherwise),
        );
    }
    file.add_service(service);
}

fn effect(reads_only: bool) -> Effect {
    if reads_only { Effect::None } else { Effect::Some }
}
