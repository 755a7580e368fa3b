//! OPTIONS: the methods that a resource takes, from the catalog alone. What a
//! role may do is not asked.

use super::route::Resource;
use crate::{
    catalog::{
        Catalog,
        descriptor::{Function, Relation, Volatility},
    },
    error::{Error, Fault, Result},
};
use std::collections::HashSet;

/// The value of `Allow`. `arguments` are the names that a call would give.
pub(super) fn allow(
    catalog: &Catalog,
    schema: &str,
    resource: &Resource,
    arguments: &HashSet<&str>,
) -> Result<String> {
    match resource {
        Resource::Root => Ok("OPTIONS,GET,HEAD".to_owned()),
        Resource::Relation(name) => {
            let found = catalog.relation(schema, name);
            found.map(of_relation).ok_or_else(|| relation_missing(schema, name))
        }
        Resource::Function(name) => {
            let mut named = catalog.functions(schema, name);
            let found = named.find(|function| takes(function, arguments));
            found.map(of_function).ok_or_else(|| function_missing(schema, name, arguments))
        }
    }
}

fn of_relation(relation: &Relation) -> String {
    let upsertable = relation.insertable && relation.updatable && !relation.primary_key.is_empty();
    let methods = [
        ("POST", relation.insertable),
        ("PUT", upsertable),
        ("PATCH", relation.updatable),
        ("DELETE", relation.deletable),
    ];
    let possible = methods.into_iter().filter(|(_, possible)| *possible).map(|(method, _)| method);
    ["OPTIONS,GET,HEAD"].into_iter().chain(possible).collect::<Vec<_>>().join(",")
}

fn of_function(function: &Function) -> String {
    match function.volatility() {
        Volatility::Immutable | Volatility::Stable => "OPTIONS,GET,HEAD,POST".to_owned(),
        Volatility::Volatile | Volatility::Unspecified => "OPTIONS,POST".to_owned(),
    }
}

/// Whether a call with these names, and no others, is complete.
fn takes(function: &Function, arguments: &HashSet<&str>) -> bool {
    let known = arguments.iter().all(|name| function.arguments.iter().any(|argument| argument.name == *name));
    let mut required = function.arguments.iter().filter(|argument| !argument.has_default);
    known && required.all(|argument| arguments.contains(argument.name.as_str()))
}

fn relation_missing(schema: &str, name: &str) -> Box<Error> {
    Error::new(
        Fault::RelationMissing,
        format!("Could not find the table '{schema}.{name}' in the schema cache"),
    )
}

fn function_missing(schema: &str, name: &str, arguments: &HashSet<&str>) -> Box<Error> {
    let mut names: Vec<_> = arguments.iter().copied().collect();
    names.sort_unstable();
    let names = names.join(", ");
    let (told, searched) = match arguments.len() {
        0 => (" without parameters".to_owned(), " without parameters".to_owned()),
        1 => (format!("({names})"), format!(" with parameter {names}")),
        _ => (format!("({names})"), format!(" with parameters {names}")),
    };
    Error::new(
        Fault::FunctionMissing,
        format!("Could not find the function {schema}.{name}{told} in the schema cache"),
    )
    .details(format!(
        "Searched for the function {schema}.{name}{searched}, but no matches were found in the schema cache."
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::descriptor::{Argument, Database};

    fn catalog() -> Catalog {
        let relation = |name: &str, key: &[&str]| Relation {
            schema: "api".to_owned(),
            name: name.to_owned(),
            primary_key: key.iter().map(|&column| column.to_owned()).collect(),
            insertable: true,
            updatable: true,
            deletable: true,
            ..Relation::default()
        };
        let argument =
            |name: &str, has_default| Argument { name: name.to_owned(), has_default, ..Argument::default() };
        let function = |name: &str, volatility: Volatility, arguments| Function {
            schema: "api".to_owned(),
            name: name.to_owned(),
            volatility: volatility.into(),
            arguments,
            ..Function::default()
        };
        let view =
            Relation { insertable: false, updatable: false, deletable: false, ..relation("view", &[]) };
        Catalog::new(Database {
            relations: vec![relation("keyed", &["id"]), relation("keyless", &[]), view],
            functions: vec![
                function("stable", Volatility::Stable, vec![argument("a", false), argument("b", true)]),
                function("volatile", Volatility::Volatile, vec![]),
            ],
            ..Database::default()
        })
    }

    fn found(resource: &Resource, arguments: &[&'static str]) -> Result<String> {
        allow(&catalog(), "api", resource, &arguments.iter().copied().collect())
    }

    #[test]
    fn relations_take_what_they_are_capable_of() {
        let relation = |name: &str| found(&Resource::Relation(name.to_owned()), &[]);
        assert_eq!(relation("keyed").unwrap(), "OPTIONS,GET,HEAD,POST,PUT,PATCH,DELETE");
        assert_eq!(relation("keyless").unwrap(), "OPTIONS,GET,HEAD,POST,PATCH,DELETE");
        assert_eq!(relation("view").unwrap(), "OPTIONS,GET,HEAD");
        assert_eq!(relation("none").unwrap_err().code(), "PGRST205");
    }

    #[test]
    fn functions_that_write_do_not_take_get() {
        let function = |name: &str, arguments| found(&Resource::Function(name.to_owned()), arguments);
        assert_eq!(function("stable", &["a"]).unwrap(), "OPTIONS,GET,HEAD,POST");
        assert_eq!(function("volatile", &[]).unwrap(), "OPTIONS,POST");
        assert_eq!(function("stable", &[]).unwrap_err().code(), "PGRST202");
        let error = function("stable", &["a", "z"]).unwrap_err();
        assert_eq!(error.message, "Could not find the function api.stable(a, z) in the schema cache");
    }
}
