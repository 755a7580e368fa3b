//! OPTIONS: the methods that a resource takes, from the catalog alone. What a
//! role may do is not asked.

use super::{
    headers,
    route::{self, Resource},
};
use crate::{
    catalog::descriptor::{Function, Relation, Volatility},
    engine::Engine,
    error::Result,
    request::payload::Arguments,
};
use http::{HeaderValue, request::Parts};

/// The value of `Allow`. Of a function's overloads it is that of the one without arguments, as PostgREST has it.
pub(super) fn methods(engine: &Engine, schema: &str, resource: &Resource) -> Result<String> {
    match resource {
        Resource::Root => Ok("OPTIONS,GET,HEAD".to_owned()),
        Resource::Relation(name) => engine.relation(schema, name).map(of_relation),
        Resource::Function(name) => {
            engine.function(schema, name, &Arguments::Named(Vec::new())).map(of_function)
        }
    }
}

/// What of a resource does not depend on the catalog.
const RELATION: &str = "OPTIONS,GET,HEAD,POST,PUT,PATCH,DELETE";
const FUNCTION: &str = "OPTIONS,GET,HEAD,POST";

/// The value of `Allow` for a request whose method was refused (RFC 9110, section 15.5.6): of the resource, and where
/// nobody knows it, of its kind.
pub(super) fn allowed(engine: &Engine, head: &Parts) -> HeaderValue {
    let config = engine.config();
    let kind = match route::resource(head.uri.path(), config) {
        Ok(Resource::Function(_)) => FUNCTION,
        Ok(Resource::Relation(_) | Resource::Root) | Err(_) => RELATION,
    };
    let known = || {
        let resource = route::resource(head.uri.path(), config).ok()?;
        let schema = headers::profile(&head.method, &head.headers, config).ok()?.schema;
        let methods = match &resource {
            Resource::Root | Resource::Relation(_) => methods(engine, &schema, &resource).ok()?,
            // Whichever overload was meant: what reads is possible where one of them only reads.
            Resource::Function(name) => {
                let methods = engine.catalog().functions(&schema, name).map(of_function);
                methods.max_by_key(String::len)?
            }
        };
        HeaderValue::try_from(methods).ok()
    };
    known().unwrap_or(HeaderValue::from_static(kind))
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

#[cfg(test)]
mod tests {
    use super::*;

    fn relation(key: &[&str]) -> Relation {
        Relation {
            primary_key: key.iter().map(|&column| column.to_owned()).collect(),
            insertable: true,
            updatable: true,
            deletable: true,
            ..Relation::default()
        }
    }

    #[test]
    fn relations_take_what_they_are_capable_of() {
        assert_eq!(of_relation(&relation(&["id"])), "OPTIONS,GET,HEAD,POST,PUT,PATCH,DELETE");
        assert_eq!(of_relation(&relation(&[])), "OPTIONS,GET,HEAD,POST,PATCH,DELETE");
        assert_eq!(of_relation(&Relation::default()), "OPTIONS,GET,HEAD");
    }

    #[test]
    fn functions_that_write_do_not_take_get() {
        let function =
            |volatility: Volatility| Function { volatility: volatility.into(), ..Function::default() };
        assert_eq!(of_function(&function(Volatility::Stable)), "OPTIONS,GET,HEAD,POST");
        assert_eq!(of_function(&function(Volatility::Volatile)), "OPTIONS,POST");
    }
}
