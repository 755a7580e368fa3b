//! Functions: which can be called, under which name, with which messages.

use super::{
    Compared, Field, Function, Multiplicity, Package, Passing, Presence, Returns, Scalar, Shape,
    build::{Builder, FUNCTIONS_SERVICE},
    locked::{key, settle_function, signature},
};
use crate::{
    catalog::descriptor::{self, ResultColumn, TypeKind},
    grpc::{
        lock::{FunctionLock, Ledger, Numbers},
        names::{Claims, pascal},
    },
    request::{payload::BodyKind, select::Part},
};
use std::sync::Arc;

/// Types that a single unnamed argument may have, by their names in `pg_catalog`.
const BODIES: &[(&str, BodyKind)] = &[
    ("json", BodyKind::Json),
    ("jsonb", BodyKind::Json),
    ("text", BodyKind::Text),
    ("xml", BodyKind::Xml),
    ("bytea", BodyKind::OctetStream),
];

impl Builder<'_> {
    pub(super) fn functions(&mut self, package: &mut Package) {
        let schema = package.schema.clone();
        let catalog = self.catalog;
        let mut functions: Vec<&descriptor::Function> = catalog.functions_in(&schema).collect();
        let names = |function: &descriptor::Function| -> Vec<String> {
            function.arguments.iter().map(|argument| argument.name.clone()).collect()
        };
        // Of overloads the one with the fewest arguments has the plain name.
        functions.sort_by_cached_key(|function| {
            let arguments = names(function);
            let types: Vec<&str> = function.arguments.iter().map(|a| a.sql_type.as_str()).collect();
            (function.name.clone(), arguments.len(), arguments, types.join(","))
        });
        let mut methods = self.locked_methods();
        let mut locked = self.locked_functions(&functions);
        for function in functions {
            let Some(passing) = self.passing(function) else { continue };
            let known = locked.remove(&key(function));
            let locked = known.clone().unwrap_or_default();
            let Some(mut returns) = self.returns(package, function, &locked) else { continue };
            let multiplicity = if function.returns_set { Multiplicity::Many } else { Multiplicity::One };
            let mut arguments = self.arguments(package, function, &locked.arguments);
            let signature = signature(package, &returns, multiplicity);
            // A method cannot answer otherwise than it did: then it is another one.
            let known = known.filter(|known| known.returns == signature);
            let by: Vec<String> = names(function).iter().map(|name| pascal(name)).collect();
            let new_method = |methods: &mut Claims| {
                methods.claim(
                    |attempt| match attempt {
                        0 => pascal(&function.name),
                        1 if !by.is_empty() => format!("{}By{}", pascal(&function.name), by.concat()),
                        attempt => format!("{}{attempt}", pascal(&function.name)),
                    },
                    |name| vec![name.clone()],
                )
            };
            let method = match &known {
                Some(known) => known.method.clone(),
                None => new_method(&mut methods),
            };
            let new_messages = |claims: &mut Claims| {
                claims.claim(
                    |attempt| match attempt {
                        0 => method.clone(),
                        1 => format!("{FUNCTIONS_SERVICE}{method}"),
                        attempt => format!("{FUNCTIONS_SERVICE}{method}{attempt}"),
                    },
                    |stem| vec![format!("{stem}Request"), format!("{stem}Response")],
                )
            };
            let messages = match &known {
                Some(known) => known.messages().to_owned(),
                None => new_messages(&mut self.claims),
            };
            let next = FunctionLock {
                messages: (messages != method).then(|| messages.clone()),
                method: method.clone(),
                returns: signature,
                ..known.unwrap_or_default()
            };
            let next = settle_function(package, next, &mut arguments, &mut returns);
            package.functions.push(Function {
                function: function.name.clone(),
                comment: function.comment.clone(),
                method,
                messages,
                arguments,
                reserved_arguments: next.arguments.reserved(Numbers::Columns),
                reserved_columns: next.columns.reserved(Numbers::Columns),
                passing,
                returns,
                multiplicity,
                volatility: function.volatility(),
            });
            self.next.functions.insert(key(function), next);
        }
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

    fn arguments(
        &mut self,
        package: &mut Package,
        function: &descriptor::Function,
        locked: &Ledger,
    ) -> Vec<Field> {
        let field = |(number, argument): (u32, &descriptor::Argument)| Field {
            column: argument.name.clone(),
            name: if argument.name.is_empty() { "value".to_owned() } else { argument.name.clone() },
            number,
            shape: self.shape(package, argument.r#type, locked.kind(&argument.name)),
            presence: if argument.has_default { Presence::Optional } else { Presence::Required },
            comment: None,
            sql_type: argument.sql_type.clone(),
            compared: Compared::WithValues,
        };
        (1..).zip(&function.arguments).map(field).collect()
    }

    /// What a row of the result is; none if it has no columns to speak of.
    fn returns(
        &mut self,
        package: &mut Package,
        function: &descriptor::Function,
        locked: &FunctionLock,
    ) -> Option<Returns> {
        let found = self.catalog.base_type(function.return_type);
        let relation = found.map_or(0, |found| found.relation);
        if relation != 0
            && let Some(at) = package.resources.iter().position(|resource| resource.oid == relation)
        {
            return Some(Returns::Resource(at));
        }
        let columns = function.named_columns(self.catalog);
        if !columns.is_empty() {
            let columns = self.result_columns(package, columns, &locked.columns);
            return Some(Returns::Columns(columns));
        }
        let Some(found) = found else { return Some(self.value(package, function, locked)) };
        match found.kind() {
            TypeKind::Pseudo if found.name == "void" => Some(Returns::Void),
            // `record` without columns, `trigger`, `internal` and their like.
            TypeKind::Pseudo => None,
            TypeKind::Composite => {
                let columns: Vec<ResultColumn> = found
                    .attributes
                    .iter()
                    .map(|attribute| ResultColumn {
                        name: attribute.name.clone(),
                        r#type: attribute.r#type,
                        sql_type: attribute.sql_type.clone(),
                    })
                    .collect();
                Some(Returns::Columns(self.result_columns(package, &columns, &locked.columns)))
            }
            TypeKind::Base
            | TypeKind::Enum
            | TypeKind::Domain
            | TypeKind::Array
            | TypeKind::Range
            | TypeKind::Unspecified => Some(self.value(package, function, locked)),
        }
    }

    fn value(
        &mut self,
        package: &mut Package,
        function: &descriptor::Function,
        locked: &FunctionLock,
    ) -> Returns {
        let shape = self.shape(package, function.return_type, Some(locked.row()));
        if shape == Shape::One(Scalar::OwnText) {
            Arc::make_mut(&mut package.texts).insert(Part::Result { of: function.oid });
        }
        Returns::Value(shape)
    }

    fn result_columns(
        &mut self,
        package: &mut Package,
        columns: &[ResultColumn],
        locked: &Ledger,
    ) -> Vec<Field> {
        let field = |(number, column): (u32, &ResultColumn)| Field {
            column: column.name.clone(),
            name: column.name.clone(),
            number,
            shape: self.shape(package, column.r#type, locked.kind(&column.name)),
            presence: Presence::Optional,
            comment: None,
            sql_type: column.sql_type.clone(),
            compared: Compared::WithValues,
        };
        (1..).zip(columns).map(field).collect()
    }
}
