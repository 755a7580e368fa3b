//! Functions: which can be called, under which name, with which messages.

use super::{
    Compared, Field, Function, Multiplicity, Package, Passing, Presence, Returns, Scalar, Shape,
    build::{Builder, FUNCTIONS_SERVICE, own_number},
    locked::{keys, settle_function, signature},
};
use crate::{
    catalog::descriptor::{self, Argument, ResultColumn, TypeKind},
    grpc::{
        lock::{FunctionLock, Ledger},
        method::call::{self, Gives},
        names::pascal,
    },
    request::{payload::BodyKind, select::Part},
};
use std::{collections::HashMap, sync::Arc};

/// Types that a single unnamed argument may have, by their names in `pg_catalog`.
const BODIES: &[(&str, BodyKind)] = &[
    ("json", BodyKind::Json),
    ("jsonb", BodyKind::Json),
    ("text", BodyKind::Text),
    ("xml", BodyKind::Xml),
    ("bytea", BodyKind::OctetStream),
];

/// A function that can be called.
pub(super) struct Offered<'a> {
    passing: Passing,
    row: Row<'a>,
}

/// A row of what it gives, before its types have names.
enum Row<'a> {
    Void,
    Value,
    /// Of this of the package's resources.
    Resource(usize),
    Columns(Vec<(&'a str, u32, &'a str)>),
}

/// A function that has everything but its method's name.
struct Made<'a> {
    function: &'a descriptor::Function,
    /// What the lock calls it.
    key: String,
    /// The names and numbers that the lock file has for the function.
    known: Option<FunctionLock>,
    /// What it gives, as the lock writes it.
    signature: String,
    arguments: Vec<Field>,
    returns: Returns,
    passing: Passing,
}

/// What a function's method and messages are called.
#[derive(Default)]
struct MethodNames {
    method: String,
    /// What its messages' names begin with.
    messages: String,
}

impl Offered<'_> {
    /// The types that its messages have.
    pub(super) fn types(&self, function: &descriptor::Function) -> Vec<u32> {
        let arguments = function.arguments.iter().map(|argument| argument.r#type);
        match &self.row {
            Row::Void | Row::Resource(_) => arguments.collect(),
            Row::Value => arguments.chain([function.return_type]).collect(),
            Row::Columns(columns) => arguments.chain(columns.iter().map(|(_, oid, _)| *oid)).collect(),
        }
    }
}

impl<'a> Builder<'a> {
    /// The functions that can be called, in the order of their names and arguments.
    pub(super) fn offered_functions(
        &self,
        package: &Package,
    ) -> Vec<(&'a descriptor::Function, Offered<'a>)> {
        let catalog = self.catalog;
        let functions = catalog.descriptor().functions.iter();
        let mut found: Vec<_> = functions
            .filter(|function| function.schema == package.schema && function.is_callable(catalog))
            .filter_map(|function| {
                let offered = Offered { passing: self.passing(function)?, row: self.row(package, function)? };
                Some((function, offered))
            })
            .collect();
        found.sort_by_cached_key(|(function, _)| {
            let arguments = function.arguments.iter();
            let arguments: Vec<_> =
                arguments.map(|argument| (argument.name.clone(), argument.sql_type.clone())).collect();
            (function.name.clone(), arguments.len(), arguments)
        });
        found
    }

    pub(super) fn functions(
        &mut self,
        package: &mut Package,
        functions: Vec<(&'a descriptor::Function, Offered<'a>)>,
    ) {
        let described: Vec<&descriptor::Function> = functions.iter().map(|(function, _)| *function).collect();
        let keys = keys(&described);
        let mut locked = self.locked_functions(&described);
        let mut made = Vec::with_capacity(functions.len());
        for ((function, offered), key) in functions.into_iter().zip(keys) {
            let known = locked.remove(&key).unwrap_or_default();
            let returns = returns(package, function, &offered.row, &known);
            let gives = gives(&offered.row, function.returns_set);
            let arguments = arguments(package, function, gives, &known.arguments);
            let multiplicity = if function.returns_set { Multiplicity::Many } else { Multiplicity::One };
            let signature = signature(package, &returns, multiplicity);
            // A method cannot answer otherwise than it did: then it is another one.
            let known = Some(known).filter(|known| known.returns == signature);
            made.push(Made { function, key, known, signature, arguments, returns, passing: offered.passing });
        }
        let names = self.method_names(&made);
        for (made, MethodNames { method, messages }) in made.into_iter().zip(names) {
            let Made { function, mut arguments, mut returns, .. } = made;
            let next = FunctionLock {
                messages: (messages != method).then(|| messages.clone()),
                method: method.clone(),
                returns: made.signature,
                ..made.known.unwrap_or_default()
            };
            let next = settle_function(package, next, &mut arguments, &mut returns);
            package.functions.push(Function {
                function: function.name.clone(),
                comment: function.comment.clone(),
                method,
                messages,
                arguments,
                reserved_arguments: next.arguments.reserved_with_gaps(),
                reserved_columns: next.columns.reserved_with_gaps(),
                passing: made.passing,
                returns,
                multiplicity: if function.returns_set { Multiplicity::Many } else { Multiplicity::One },
                volatility: function.volatility(),
            });
            self.next.functions.insert(made.key, next);
        }
    }

    /// What methods and their messages are called: of a function with overloads none has the plain name.
    fn method_names(&mut self, made: &[Made<'_>]) -> Vec<MethodNames> {
        let mut count: HashMap<&str, usize> = HashMap::new();
        for made in made {
            *count.entry(&made.function.name).or_default() += 1;
        }
        let new = || made.iter().filter(|made| made.known.is_none()).map(|made| made.function);
        // Each that is alone of its name is called so, whatever overloads of others are called.
        let (alone, overloads): (Vec<_>, Vec<_>) =
            new().partition(|function| count.get(function.name.as_str()) == Some(&1));
        let mut taken = self.locked_methods();
        let mut methods: HashMap<u32, String> = HashMap::new();
        for (equals, first) in [(alone, 0), (overloads, 1)] {
            let candidate = |function: &&descriptor::Function, attempt| method(function, attempt + first);
            let named = taken.settle(&equals, candidate, |name| vec![name.clone()]);
            methods.extend(equals.iter().map(|function| function.oid).zip(named));
        }
        let new: Vec<(u32, String)> =
            new().filter_map(|function| methods.remove_entry(&function.oid)).collect();
        let stems = self.claims.settle(
            &new,
            |(_, method), attempt| match attempt {
                0 => method.clone(),
                attempt => format!("{FUNCTIONS_SERVICE}{method}{}", own_number(method, attempt - 1)),
            },
            |stem| vec![format!("{stem}Request"), format!("{stem}Response")],
        );
        let mut names: HashMap<u32, MethodNames> = HashMap::new();
        for ((oid, method), messages) in new.into_iter().zip(stems) {
            names.insert(oid, MethodNames { method, messages });
        }
        let known = |made: &Made<'_>| match &made.known {
            Some(known) => {
                MethodNames { method: known.method.clone(), messages: known.messages().to_owned() }
            }
            None => names.remove(&made.function.oid).unwrap_or_default(),
        };
        made.iter().map(known).collect()
    }

    fn passing(&self, function: &descriptor::Function) -> Option<Passing> {
        match function.arguments.as_slice() {
            [only] if only.name.is_empty() => {
                let found = self.catalog.type_of(only.r#type).filter(|found| found.schema == "pg_catalog")?;
                BODIES.iter().find(|(name, _)| *name == found.name).map(|(_, kind)| Passing::Body(*kind))
            }
            arguments if arguments.iter().all(|argument| !argument.name.is_empty()) => Some(Passing::Named),
            // What has no name cannot be given.
            _ => None,
        }
    }

    /// What a row of the result is; none if it has no columns to speak of.
    fn row(&self, package: &Package, function: &'a descriptor::Function) -> Option<Row<'a>> {
        let found = self.catalog.base_type(function.return_type);
        let relation = found.map_or(0, |found| found.relation);
        if relation != 0
            && let Some(at) = package.resource_of(relation)
        {
            return Some(Row::Resource(at));
        }
        let columns = function.named_columns(self.catalog);
        if !columns.is_empty() {
            let column =
                |column: &'a ResultColumn| (column.name.as_str(), column.r#type, column.sql_type.as_str());
            return Some(Row::Columns(columns.iter().map(column).collect()));
        }
        let Some(found) = found else { return Some(Row::Value) };
        match found.kind() {
            TypeKind::Pseudo if found.name == "void" => Some(Row::Void),
            // `record` without columns, `trigger`, `internal` and their like.
            TypeKind::Pseudo => None,
            TypeKind::Composite => {
                let attributes = found.attributes.iter();
                let column = |attribute: &'a descriptor::Attribute| {
                    (attribute.name.as_str(), attribute.r#type, attribute.sql_type.as_str())
                };
                Some(Row::Columns(attributes.map(column).collect()))
            }
            TypeKind::Base
            | TypeKind::Enum
            | TypeKind::Domain
            | TypeKind::Array
            | TypeKind::Range
            | TypeKind::Unspecified => Some(Row::Value),
        }
    }
}

/// What the function gives, as far as its request depends on it.
fn gives(row: &Row<'_>, returns_set: bool) -> Gives {
    match (row, returns_set) {
        (Row::Void | Row::Value | Row::Columns(_), _) => Gives::NoRows,
        (Row::Resource(_), false) => Gives::Row,
        (Row::Resource(_), true) => Gives::Rows,
    }
}

fn arguments(
    package: &Package,
    function: &descriptor::Function,
    gives: Gives,
    locked: &Ledger,
) -> Vec<Field> {
    let field = |argument: &Argument| Field {
        column: argument.name.clone(),
        name: call::argument_name(argument_name(argument), gives),
        number: 0,
        shape: package.shape(argument.r#type, locked.kind(&argument.name)),
        presence: if argument.has_default { Presence::Optional } else { Presence::Required },
        comment: None,
        sql_type: argument.sql_type.clone(),
        compared: Compared::WithValues,
    };
    function.arguments.iter().map(field).collect()
}

fn returns(
    package: &mut Package,
    function: &descriptor::Function,
    row: &Row<'_>,
    locked: &FunctionLock,
) -> Returns {
    match row {
        Row::Void => Returns::Void,
        Row::Resource(at) => Returns::Resource(*at),
        Row::Value => {
            let shape = package.shape(function.return_type, Some(locked.row()));
            if shape == Shape::One(Scalar::OwnText) {
                Arc::make_mut(&mut package.texts).insert(Part::Result { of: function.oid });
            }
            Returns::Value(shape)
        }
        Row::Columns(columns) => {
            let field = |(name, oid, sql_type): &(&str, u32, &str)| Field {
                column: (*name).to_owned(),
                name: (*name).to_owned(),
                number: 0,
                shape: package.shape(*oid, locked.columns.kind(name)),
                presence: Presence::Optional,
                comment: None,
                sql_type: (*sql_type).to_owned(),
                compared: Compared::WithValues,
            };
            Returns::Columns(columns.iter().map(field).collect())
        }
    }
}

/// What an argument's field would be called. The one that takes a whole body has no name of its own.
fn argument_name(argument: &Argument) -> &str {
    if argument.name.is_empty() { "value" } else { &argument.name }
}

/// What a function's method is called at this attempt: `Add`, `AddByAB`, `AddByAIntegerBInteger`, and then with a number of
/// its own.
fn method(function: &descriptor::Function, attempt: usize) -> String {
    let name = pascal(&function.name);
    let by = |part: fn(&Argument) -> String| match function.arguments.as_slice() {
        [] => format!("{name}ByNothing"),
        arguments => format!("{name}By{}", arguments.iter().map(part).collect::<String>()),
    };
    match attempt {
        0 => name,
        1 => by(|argument| pascal(argument_name(argument))),
        attempt => {
            let typed = by(|argument| pascal(argument_name(argument)) + &pascal(&argument.sql_type));
            let types: Vec<&str> = function.arguments.iter().map(|a| a.sql_type.as_str()).collect();
            let own = own_number(&format!("{}({})", function.name, types.join(",")), attempt - 2);
            typed + &own
        }
    }
}
