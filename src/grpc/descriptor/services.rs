//! Services of a package.

use super::{
    draft::{Draft, FileDraft},
    transaction,
};
use crate::grpc::surface::{FUNCTIONS_SERVICE, Package};

/// Declares every service of the package.
pub(super) fn declare(file: &mut FileDraft, package: &Package) {
    for resource in package.all_resources() {
        let otherwise = format!("Rows of `{}`.", resource.relation);
        let comment = resource.comment.as_ref().filter(|text| !text.trim().is_empty());
        let mut service = Draft::service(resource.names.service(), comment.cloned().unwrap_or(otherwise));
        for method in &resource.methods {
            let (name, row) = (method.name(&resource.names), method.row());
            let messages = format!("{}.{}", package.name, method.messages(&resource.names));
            let comment = format!("{} `{}`.", row.comment, resource.relation);
            service.method(name, &messages, method.responses(), method.effects(), comment);
        }
        file.add_service(service);
    }
    declare_functions(file, package);
    if package.has_operations() {
        transaction::declare_service(file, package);
    }
}

fn declare_functions(file: &mut FileDraft, package: &Package) {
    if package.functions.is_empty() {
        return;
    }
    let comment = format!("Functions of the schema `{}`.", package.schema);
    let mut service = Draft::service(FUNCTIONS_SERVICE.to_owned(), comment);
    for function in &package.functions {
        let messages = format!("{}.{}", package.name, function.messages);
        let otherwise = format!("Calls `{}`.", function.function);
        let comment = function.comment.as_ref().filter(|text| !text.trim().is_empty());
        service.method(
            function.method.clone(),
            &messages,
            function.responses(),
            function.effects(),
            comment.cloned().unwrap_or(otherwise),
        );
    }
    file.add_service(service);
}
