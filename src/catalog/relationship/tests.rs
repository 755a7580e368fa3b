//! Relationships derived from hand-made descriptors.

use super::*;
use crate::catalog::descriptor::{
    Argument, Column, Database, Function, Origin, Schema, Type, TypeKind, UniqueKey,
};

/// A database with the exposed schema `api`, where OIDs are what the test says.
#[derive(Default)]
struct Sample(Database);

impl Sample {
    fn relation(mut self, oid: u32, name: &str, primary_key: &[&str]) -> Self {
        let row_type = oid + 1000;
        let (schema, name) = match name.split_once('.') {
            Some((schema, name)) => (schema.to_owned(), name.to_owned()),
            None => ("api".to_owned(), name.to_owned()),
        };
        let primary_key = strings(primary_key);
        self.0.types.push(Type {
            oid: row_type,
            relation: oid,
            kind: TypeKind::Composite.into(),
            ..Type::default()
        });
        self.0.relations.push(Relation { oid, schema, name, primary_key, row_type, ..Relation::default() });
        self
    }

    /// A view that passes on these pairs of its own and a table's column.
    fn view(mut self, oid: u32, name: &str, table: u32, columns: &[(&str, &str)]) -> Self {
        self = self.relation(oid, name, &[]);
        let passed_on = |(name, column): &(&str, &str)| Column {
            name: (*name).into(),
            origin: Some(Origin { relation: table, column: (*column).into() }),
            ..Default::default()
        };
        let view = self.0.relations.last_mut().unwrap();
        view.set_kind(crate::catalog::descriptor::RelationKind::View);
        view.columns = columns.iter().map(passed_on).collect();
        self
    }

    fn key(mut self, name: &str, relation: u32, columns: &[&str], referenced: u32, to: &[&str]) -> Self {
        self.0.foreign_keys.push(ForeignKey {
            name: name.into(),
            relation,
            columns: strings(columns),
            referenced,
            referenced_columns: strings(to),
        });
        self
    }

    fn unique(mut self, oid: u32, columns: &[&str], constraint: bool) -> Self {
        let relation = self.0.relations.iter_mut().find(|relation| relation.oid == oid).unwrap();
        relation.unique_keys.push(UniqueKey { name: "key".into(), columns: strings(columns), constraint });
        self
    }

    /// A function from a row of one relation to rows of another.
    fn function(mut self, name: &str, from: u32, to: u32) -> Self {
        let argument = Argument { r#type: from + 1000, ..Argument::default() };
        self.0.functions.push(Function {
            schema: "api".into(),
            name: name.into(),
            arguments: vec![argument],
            return_type: to + 1000,
            returns_set: true,
            ..Function::default()
        });
        self
    }

    fn catalog(mut self) -> Catalog {
        self.0.schemas.push(Schema { name: "api".into(), comment: None });
        Catalog::new(self.0)
    }
}

fn strings(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

/// Each relationship of a source: kind, target, columns.
fn of(catalog: &Catalog, source: u32) -> Vec<String> {
    let columns = |link: &Link| {
        let pairs: Vec<_> = link.columns.iter().map(|(from, to)| format!("{from}={to}")).collect();
        pairs.join(",")
    };
    let line = |relationship: &Relationship| {
        let target = relationship.target;
        match &relationship.cardinality {
            Cardinality::ManyToOne(link) => format!("m2o {target} {}", columns(link)),
            Cardinality::OneToMany(link) => format!("o2m {target} {}", columns(link)),
            Cardinality::OneToOneChild(link) => format!("o2o child {target} {}", columns(link)),
            Cardinality::OneToOneParent(link) => format!("o2o parent {target} {}", columns(link)),
            Cardinality::ManyToMany(through) => {
                let (source, target_columns) = (columns(&through.source), columns(&through.target));
                format!("m2m {target} {source} {} {target_columns}", through.relation)
            }
            Cardinality::Computed { function_name, .. } => format!("computed {target} {function_name}"),
        }
    };
    catalog.relationships(source).iter().map(line).collect()
}

#[test]
fn a_foreign_key_relates_in_both_directions() {
    let sample = Sample::default().relation(1, "a", &["id"]).relation(2, "b", &["id"]);
    let catalog = sample.key("k", 1, &["b_id", "x"], 2, &["id", "y"]).catalog();
    assert_eq!(of(&catalog, 1), ["m2o 2 b_id=id,x=y"]);
    assert_eq!(of(&catalog, 2), ["o2m 1 id=b_id,y=x"]);
}

#[test]
fn it_is_one_to_one_if_its_columns_are_all_of_a_key_in_any_order() {
    let base = || Sample::default().relation(1, "a", &["x", "y"]).relation(2, "b", &["x", "y"]);
    let catalog = base().key("k", 1, &["y", "x"], 2, &["y", "x"]).catalog();
    assert_eq!(
        (of(&catalog, 1), of(&catalog, 2)),
        (vec!["o2o child 2 y=y,x=x".into()], vec!["o2o parent 1 y=y,x=x".to_owned()])
    );
    let catalog = base().unique(1, &["z"], true).key("k", 1, &["z"], 2, &["x"]).catalog();
    assert_eq!(of(&catalog, 1), ["o2o child 2 z=x"]);
    // Part of a key is not unique, and a unique index is not a constraint.
    let catalog = base().key("k", 1, &["x"], 2, &["x"]).catalog();
    assert_eq!(of(&catalog, 1), ["m2o 2 x=x"]);
    let catalog = base().unique(1, &["z"], false).key("k", 1, &["z"], 2, &["x"]).catalog();
    assert_eq!(of(&catalog, 1), ["m2o 2 z=x"]);
}

#[test]
fn a_relation_relates_to_itself_both_ways() {
    let catalog = Sample::default().relation(1, "a", &["id"]).key("k", 1, &["up"], 1, &["id"]).catalog();
    assert_eq!(of(&catalog, 1), ["o2m 1 id=up", "m2o 1 up=id"]);
}

#[test]
fn a_junction_holds_both_foreign_keys_in_its_primary_key() {
    let base = |key: &[&str]| {
        let sample =
            Sample::default().relation(1, "a", &["id"]).relation(2, "b", &["id"]).relation(3, "j", key);
        sample.key("to_a", 3, &["a"], 1, &["id"]).key("to_b", 3, &["b"], 2, &["id"]).catalog()
    };
    let catalog = base(&["b", "a", "since"]);
    assert_eq!(of(&catalog, 1), ["m2m 2 id=a 3 b=id", "o2m 3 id=a"]);
    assert_eq!(of(&catalog, 2), ["m2m 1 id=b 3 a=id", "o2m 3 id=b"]);
    assert_eq!(of(&base(&["a"]), 2), ["o2m 3 id=b"]);
}

#[test]
fn a_junction_in_a_schema_that_is_not_exposed_relates_nothing() {
    let sample = Sample::default().relation(1, "a", &["id"]).relation(2, "b", &["id"]);
    let sample = sample.relation(3, "private.j", &["a", "b"]);
    let catalog = sample.key("to_a", 3, &["a"], 1, &["id"]).key("to_b", 3, &["b"], 2, &["id"]).catalog();
    assert!(of(&catalog, 1).is_empty() && of(&catalog, 3).is_empty());
}

#[test]
fn views_relate_as_their_tables_to_tables_and_to_views() {
    let sample = Sample::default().relation(1, "private.a", &["id"]).relation(2, "b", &["id"]);
    let sample = sample.view(3, "va", 1, &[("vid", "id"), ("vb", "b")]).view(4, "vb", 2, &[("bid", "id")]);
    let catalog = sample.view(5, "part", 1, &[("vid", "id")]).key("k", 1, &["b"], 2, &["id"]).catalog();
    assert_eq!(of(&catalog, 3), ["m2o 2 vb=id", "m2o 4 vb=bid"]);
    assert_eq!(of(&catalog, 2), ["o2m 3 id=vb"]);
    assert_eq!(of(&catalog, 4), ["o2m 3 bid=vb"]);
    // The foreign key's column is not passed on.
    assert!(of(&catalog, 5).is_empty());
    assert!(catalog.relationships(4).iter().all(|relationship| relationship.through_view));
}

#[test]
fn a_column_that_a_view_has_twice_relates_twice() {
    let sample = Sample::default().relation(1, "a", &["id"]).relation(2, "b", &["x", "y"]);
    let sample = sample.view(3, "v", 2, &[("x1", "x"), ("x2", "x"), ("y1", "y")]);
    let catalog = sample.key("k", 1, &["bx", "by"], 2, &["x", "y"]).catalog();
    assert_eq!(of(&catalog, 3), ["o2m 1 x1=bx,y1=by", "o2m 1 x2=bx,y1=by"]);
}

#[test]
fn a_function_replaces_what_was_detected_under_its_name() {
    let sample =
        Sample::default().relation(1, "a", &["id"]).relation(2, "b", &["id"]).relation(3, "c", &["id"]);
    let sample = sample.key("k", 1, &["b_id"], 2, &["id"]).key("l", 1, &["c_id"], 3, &["id"]);
    let catalog = sample.function("b", 1, 3).function("other", 1, 2).catalog();
    assert_eq!(of(&catalog, 1), ["m2o 3 c_id=id", "computed 3 b", "computed 2 other"]);
    // Only from the function's side.
    assert_eq!(of(&catalog, 2), ["o2m 1 id=b_id"]);
}
