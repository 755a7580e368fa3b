//! Functions: their arguments and results, overloads as alternatives, and those that compute rows of a row, by which they
//! are embedded.

use super::{
    print::{Printer, key, text},
    relation, value,
};
use crate::catalog::{
    Catalog,
    descriptor::{Function, Relation, Schema},
    routine::Shape,
};
use std::collections::BTreeMap;

/// The functions of a schema that can be called or embed rows, those of one name together.
pub(super) fn by_name<'c>(catalog: &'c Catalog, schema: &'c Schema) -> BTreeMap<&'c str, Vec<&'c Function>> {
    let mut found: BTreeMap<&str, Vec<&Function>> = BTreeMap::new();
    let embedding = catalog.relations_in(&schema.name).flat_map(|relation| catalog.computed(relation.oid));
    let embedding = embedding.filter(|function| rows(catalog, function).is_some());
    for function in catalog.functions_in(&schema.name).chain(embedding) {
        let overloads = found.entry(&function.name).or_default();
        if !overloads.iter().any(|known| known.oid == function.oid) {
            overloads.push(function);
        }
    }
    found
}

pub(super) fn of_name(printer: &mut Printer, catalog: &Catalog, name: &str, overloads: &[&Function]) {
    for function in overloads {
        printer.comment(function.comment.as_deref());
    }
    let signatures: Vec<_> = overloads.iter().map(|function| signature(catalog, function)).collect();
    match signatures.as_slice() {
        [only] => printer.property(name, only),
        several => {
            printer.line(&format!("{}:", key(name)));
            several.iter().for_each(|one| printer.line(&format!("  | {one}")));
        }
    }
}

fn signature(catalog: &Catalog, function: &Function) -> String {
    let args = function.arguments.iter().map(|argument| {
        let optional = if argument.has_default || argument.variadic { "?" } else { "" };
        format!("{}{optional}: {}", key(&argument.name), value::of_type(catalog, argument.r#type))
    });
    let args: Vec<_> = args.collect();
    let args = if args.is_empty() { "never".to_owned() } else { format!("{{ {} }}", args.join("; ")) };
    let mut parts = vec![format!("Args: {args}"), format!("Returns: {}", result(catalog, function))];
    if let Some(to) = rows(catalog, function) {
        let from = function.row_of(catalog).and_then(|oid| catalog.relation_by_oid(oid));
        parts.push(format!(
            "SetofOptions: {{ from: {}; to: {}; isOneToOne: {}; isSetofReturn: {} }}",
            from.map_or_else(|| text("*"), |from| text(&from.name)),
            text(&to.name),
            is_one(function),
            function.returns_set,
        ));
    }
    format!("{{ {} }}", parts.join("; "))
}

fn is_one(function: &Function) -> bool {
    !function.returns_set || function.returns_one_row
}

/// The relation whose rows it answers with, where these are of the same schema.
fn rows<'c>(catalog: &'c Catalog, function: &'c Function) -> Option<&'c Relation> {
    function
        .shape(catalog)?
        .relation()
        .filter(|relation| relation.schema == function.schema || catalog.is_exposed(&relation.schema))
}

fn result(catalog: &Catalog, function: &Function) -> String {
    let members = |members: &mut dyn Iterator<Item = (&str, String)>| {
        let members: Vec<_> = members.map(|(name, value)| format!("{}: {value}", key(name))).collect();
        format!("{{ {} }}", members.join("; "))
    };
    let one = match function.shape(catalog) {
        Some(Shape::Columns(columns)) => members(
            &mut columns.iter().map(|column| (column.name.as_str(), value::of_type(catalog, column.r#type))),
        ),
        Some(Shape::Relation(found)) => members(
            &mut found
                .columns
                .iter()
                .map(|column| (column.name.as_str(), relation::of_column(catalog, found, column))),
        ),
        Some(Shape::Composite(_) | Shape::Scalar(_) | Shape::Record | Shape::Void) | None => {
            value::of_type(catalog, function.return_type)
        }
    };
    // supabase-js makes an array of what `SetofOptions` says is none.
    let is_array = function.returns_set && !(function.returns_one_row && rows(catalog, function).is_some());
    match is_array {
        true if one.contains(' ') => format!("({one})[]"),
        true => format!("{one}[]"),
        false => one,
    }
}
