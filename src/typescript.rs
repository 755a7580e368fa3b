//! The `Database` type that supabase-js takes, so that TypeScript checks what is selected, filtered, inserted and called.
//! It has the form that Supabase's generator gives it, and it asks nobody: everything in the catalog is there, whoever
//! may use it.

mod function;
mod print;
mod relation;
mod value;

use crate::catalog::{
    Catalog,
    descriptor::{Schema, TypeKind},
};
use print::{Printer, text};
use std::collections::BTreeMap;

const HEADER: &str =
    "export type Json = string | number | boolean | null | { [key: string]: Json | undefined } | Json[]\n\n";

/// The release of PostgREST that supabase-js knows to do what pgduet does. Its types compare with 13 and 14 and take every
/// other number for a release before 13, which has neither `maxAffected` nor spreads of several rows.
const POSTGREST: &str = "14";
const ABOUT_POSTGREST: &str =
    "The last release that the types of supabase-js know. pgduet speaks PostgREST 16.";

/// Names for what is in `Database`, as Supabase's generator exports them.
const NAMES: &str = r#"
type Schemas = Omit<Database, "__InternalSupabase">
type Default = Schemas[DEFAULT]
type In = { schema: keyof Schemas }
type Rows<S extends keyof Schemas> = Schemas[S]["Tables"] & Schemas[S]["Views"]
type Part<All, Name, Key extends string> = Name extends keyof All
  ? All[Name] extends { [_ in Key]: infer Found }
    ? Found
    : never
  : never

/** A row as it is read: `Tables<"name">`, or `Tables<{ schema: "schema" }, "name">`. */
export type Tables<
  Where extends keyof Rows<keyof Schemas & DEFAULT> | In,
  Name extends Where extends In ? keyof Rows<Where["schema"]> : never = never,
> = Where extends In ? Part<Rows<Where["schema"]>, Name, "Row"> : Part<Rows<DEFAULT>, Where, "Row">

/** A row to insert. */
export type TablesInsert<
  Where extends keyof Default["Tables"] | In,
  Name extends Where extends In ? keyof Schemas[Where["schema"]]["Tables"] : never = never,
> = Where extends In
  ? Part<Schemas[Where["schema"]]["Tables"], Name, "Insert">
  : Part<Default["Tables"], Where, "Insert">

/** Columns to update. */
export type TablesUpdate<
  Where extends keyof Default["Tables"] | In,
  Name extends Where extends In ? keyof Schemas[Where["schema"]]["Tables"] : never = never,
> = Where extends In
  ? Part<Schemas[Where["schema"]]["Tables"], Name, "Update">
  : Part<Default["Tables"], Where, "Update">

/** The labels of an enum. */
export type Enums<
  Where extends keyof Default["Enums"] | In,
  Name extends Where extends In ? keyof Schemas[Where["schema"]]["Enums"] : never = never,
> = Where extends In
  ? Schemas[Where["schema"]]["Enums"][Name & keyof Schemas[Where["schema"]]["Enums"]]
  : Default["Enums"][Where & keyof Default["Enums"]]

/** The attributes of a composite type. */
export type CompositeTypes<
  Where extends keyof Default["CompositeTypes"] | In,
  Name extends Where extends In ? keyof Schemas[Where["schema"]]["CompositeTypes"] : never = never,
> = Where extends In
  ? Schemas[Where["schema"]]["CompositeTypes"][Name & keyof Schemas[Where["schema"]]["CompositeTypes"]]
  : Default["CompositeTypes"][Where & keyof Default["CompositeTypes"]]
"#;

/// The types of all schemas that are exposed; without a name, helpers mean the first of them.
pub fn types(catalog: &Catalog) -> String {
    let schemas = &catalog.descriptor().schemas;
    let mut printer = Printer::default();
    printer.block("export type Database =", |printer| {
        printer.block("__InternalSupabase:", |printer| {
            printer.comment(Some(ABOUT_POSTGREST));
            printer.line(&format!("PostgrestVersion: {}", text(POSTGREST)));
        });
        for schema in schemas {
            printer.member(&schema.name, |printer| of_schema(printer, catalog, schema));
        }
    });
    let default = schemas.first().map_or_else(|| "never".to_owned(), |schema| text(&schema.name));
    let names = NAMES.replace("DEFAULT", &default);
    format!("{HEADER}{}{names}{}", printer.text(), constants(catalog, schemas))
}

fn of_schema(printer: &mut Printer, catalog: &Catalog, schema: &Schema) {
    let (views, tables): (Vec<_>, Vec<_>) =
        catalog.relations_in(&schema.name).partition(|relation| relation.is_view());
    printer.section("Tables:", tables, |printer, table| relation::table(printer, catalog, table));
    printer.section("Views:", views, |printer, view| relation::view(printer, catalog, view));
    printer.section("Functions:", function::by_name(catalog, schema), |printer, (name, overloads)| {
        function::of_name(printer, catalog, name, &overloads);
    });
    printer.section("Enums:", enums(catalog, schema), |printer, (name, labels)| {
        printer.property(name, &value::labels(labels));
    });
    let composites = catalog.descriptor().types.iter().filter(|found| {
        found.schema == schema.name && found.kind() == TypeKind::Composite && found.relation == 0
    });
    printer.section("CompositeTypes:", composites, |printer, composite| {
        printer.member(&composite.name, |printer| {
            for attribute in &composite.attributes {
                let value = value::or_null(value::of_type(catalog, attribute.r#type));
                printer.property(&attribute.name, &value);
            }
        });
    });
}

/// The labels of the schema's enums, by their names.
fn enums<'c>(catalog: &'c Catalog, schema: &Schema) -> BTreeMap<&'c str, &'c [String]> {
    let found = catalog.descriptor().types.iter();
    let found = found.filter(|found| found.schema == schema.name && found.kind() == TypeKind::Enum);
    found.map(|found| (found.name.as_str(), found.labels.as_slice())).collect()
}

/// The labels of enums as values, for choices in a program's own forms.
fn constants(catalog: &Catalog, schemas: &[Schema]) -> String {
    let mut printer = Printer::default();
    printer.line("");
    printer.object("export const Constants =", " as const", |printer| {
        for schema in schemas {
            printer.object(&format!("{}:", print::key(&schema.name)), ",", |printer| {
                printer.object("Enums:", ",", |printer| {
                    for (name, labels) in enums(catalog, schema) {
                        let labels: Vec<_> = labels.iter().map(|label| text(label)).collect();
                        printer.line(&format!("{}: [{}],", print::key(name), labels.join(", ")));
                    }
                });
            });
        }
    });
    printer.text()
}
