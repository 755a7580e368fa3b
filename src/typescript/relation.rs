//! Tables and views: their rows as they are read, inserted and updated, and what they refer to.

use super::{print::Printer, print::text, value};
use crate::catalog::{
    Catalog,
    descriptor::{Column, Function, Identity, Relation},
    relationship::{Cardinality, Link},
};

pub(super) fn table(printer: &mut Printer, catalog: &Catalog, table: &Relation) {
    printer.comment(table.comment.as_deref());
    printer.member(&table.name, |printer| {
        read(printer, catalog, table);
        written(printer, catalog, table);
        relationships(printer, catalog, table);
    });
}

pub(super) fn view(printer: &mut Printer, catalog: &Catalog, view: &Relation) {
    printer.comment(view.comment.as_deref());
    printer.member(&view.name, |printer| {
        read(printer, catalog, view);
        if view.insertable || view.updatable {
            written(printer, catalog, view);
        }
        relationships(printer, catalog, view);
    });
}

/// The columns, and what functions compute of the row, which `*` leaves out.
fn read(printer: &mut Printer, catalog: &Catalog, relation: &Relation) {
    let computed = computed_fields(catalog, relation);
    printer.block("Row:", |printer| {
        for column in &relation.columns {
            printer.comment(column.comment.as_deref());
            printer.property(&column.name, &of_column(catalog, relation, column));
        }
        for function in &computed {
            printer.comment(function.comment.as_deref());
            printer.property(&function.name, &value::or_null(value::of_type(catalog, function.return_type)));
        }
    });
    let names: Vec<_> = computed.iter().map(|function| text(&function.name)).collect();
    let names = if names.is_empty() { "never".to_owned() } else { names.join(" | ") };
    printer.line(&format!("ComputedFields: {names}"));
}

/// The functions that compute one value of a row, without those that compute rows.
pub(super) fn computed_fields<'c>(catalog: &'c Catalog, relation: &'c Relation) -> Vec<&'c Function> {
    let mut found: Vec<&Function> = Vec::new();
    for function in catalog.computed(relation.oid) {
        let is_rows = function.shape(catalog).is_some_and(|shape| shape.relation().is_some());
        let is_known = relation.column(&function.name).is_some()
            || found.iter().any(|known| known.name == function.name);
        if !function.returns_set && !is_rows && !is_known {
            found.push(function);
        }
    }
    found
}

fn written(printer: &mut Printer, catalog: &Catalog, relation: &Relation) {
    let is_generated =
        |column: &Column| column.generated || column.read_only || column.identity() == Identity::Always;
    printer.block("Insert:", |printer| {
        for column in &relation.columns {
            let value = of_column(catalog, relation, column);
            let is_needed = column.not_null && column.default.is_none() && !relation.is_view();
            match (is_generated(column), is_needed && column.identity() == Identity::Unspecified) {
                (true, _) => printer.optional(&column.name, "never"),
                (false, true) => printer.property(&column.name, &value),
                (false, false) => printer.optional(&column.name, &value),
            }
        }
    });
    printer.block("Update:", |printer| {
        for column in &relation.columns {
            match is_generated(column) || !relation.updatable {
                true => printer.optional(&column.name, "never"),
                false => printer.optional(&column.name, &of_column(catalog, relation, column)),
            }
        }
    });
}

/// A column's value. PostgreSQL does not say of a view's column whether it can be NULL.
pub(super) fn of_column(catalog: &Catalog, relation: &Relation, column: &Column) -> String {
    let value = value::of_type(catalog, column.r#type);
    if column.not_null && !relation.is_view() { value } else { value::or_null(value) }
}

/// The foreign keys, also those of the tables below views: supabase-js finds by them, in both directions, what is embedded.
fn relationships(printer: &mut Printer, catalog: &Catalog, relation: &Relation) {
    let mut found: Vec<(&Link, &Relation, bool)> = Vec::new();
    for relationship in catalog.relationships(relation.oid) {
        let Some(target) = catalog.relation_by_oid(relationship.target) else { continue };
        let (link, is_one_to_one) = match &relationship.cardinality {
            Cardinality::ManyToOne(link) => (link, false),
            Cardinality::OneToOneChild(link) => (link, true),
            // They are the other direction of another relation's, or functions.
            Cardinality::OneToMany(_)
            | Cardinality::OneToOneParent(_)
            | Cardinality::ManyToMany(_)
            | Cardinality::Computed { .. } => continue,
        };
        if target.schema == relation.schema {
            found.push((link, target, is_one_to_one));
        }
    }
    if found.is_empty() {
        return printer.line("Relationships: []");
    }
    printer.line("Relationships: [");
    for (link, target, is_one_to_one) in found {
        let list = |columns: &mut dyn Iterator<Item = &String>| {
            format!("[{}]", columns.map(|column| text(column)).collect::<Vec<_>>().join(", "))
        };
        printer.object(" ", ",", |printer| {
            printer.property("foreignKeyName", &text(&link.constraint));
            printer.property("columns", &list(&mut link.columns.iter().map(|(source, _)| source)));
            printer.property("isOneToOne", if is_one_to_one { "true" } else { "false" });
            printer.property("referencedRelation", &text(&target.name));
            printer.property("referencedColumns", &list(&mut link.columns.iter().map(|(_, target)| target)));
        });
    }
    printer.line("]");
}
