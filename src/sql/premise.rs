//! What a level of a statement takes for granted of the columns it reads: how many there are where all were asked for,
//! and of what kind those are that become JSON here. PostgreSQL checks it while it parses the statement, before anything
//! runs, and again whenever a prepared statement no longer fits; the planner then leaves it out, so a prepared statement
//! pays nothing for it.
//!
//! ```sql
//! (TRUE OR EXISTS (VALUES ("t".*), (0.0, NULL::pg_catalog.text, NULL)))
//! ```
//!
//! In what workers of Citus return, no subquery is allowed; there it is `(TRUE OR ROW(NULL, NULL, NULL)::"api"."t" IS NULL
//! OR coalesce("t"."a", 0.0) IS NULL)`, which asks the same.
//!
//! Rows of VALUES must be equally long (42601) and of types that go together (42804, 42846). Types that do go together
//! have one [`Encoder`](super::Encoder). That a column is gone, PostgreSQL says by itself (42703).

use super::{
    Fragment,
    filter::field,
    statement::{Results, Scope},
    types::sample,
    value::plain_type,
};
use crate::{
    catalog::{
        descriptor::{Relation, Type},
        routine::Shape,
    },
    plan::tree::{Item, Node, Output, Source, Taken},
};

/// What it is called where it has to be a column.
const NAME: &str = "pgduet_premise";

/// One column of the rows that are compared.
enum Part<'p> {
    /// Every column, of these types.
    Every(Vec<(&'p str, u32)>),
    /// This one.
    One(&'p Output<'p>, &'static str),
}

/// Whether it matters of what kind columns are.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kinds {
    /// Their text becomes JSON here.
    Matter,
    /// PostgreSQL makes JSON of them.
    DoNotMatter,
}

/// The premise of a level, if it has one.
pub(super) struct Premise<'p> {
    parts: Vec<Part<'p>>,
    kinds: Kinds,
    relation: Option<&'p Relation>,
    /// The relation whose rows Citus keeps, if it is one.
    distributed: Option<&'p Relation>,
    scope: Scope<'p>,
}

impl<'p> Premise<'p> {
    /// That of `node`.
    pub(super) fn of(node: &'p Node<'p>, kinds: Kinds, scope: Scope<'p>) -> Option<Self> {
        let every = every(node);
        let fields = node.items.iter().filter_map(|item| match item {
            Item::Field(output) => Some(output),
            Item::Embed(_) => None,
        });
        // Those among all columns are compared with them.
        let others =
            fields.filter(|output| every.is_none() || node.shape.column(&output.field.name).is_none());
        let known: Vec<_> = match kinds {
            Kinds::Matter => {
                others.filter_map(|output| Some(Part::One(output, expected(output, scope)?))).collect()
            }
            Kinds::DoNotMatter => Vec::new(),
        };
        let parts: Vec<_> = every.map(Part::Every).into_iter().chain(known).collect();
        let distributed = node.shape.relation().filter(|relation| relation.is_distributed);
        let relation = relation_of_call(node, scope);
        (!parts.is_empty()).then_some(Self { parts, kinds, relation, distributed, scope })
    }

    /// Writes it as a condition on the rows called `alias`.
    pub(super) fn write(&self, out: &mut Fragment, alias: &str) {
        out.sql("(TRUE OR EXISTS (");
        if let Some(relation) = self.relation {
            out.sql("SELECT FROM ").qualified(&relation.schema, &relation.name).sql(") OR EXISTS (");
        }
        out.sql("VALUES (");
        out.separated(", ", &self.parts, |out, part| match part {
            Part::Every(_) => {
                out.identifier(alias).sql(".*");
            }
            Part::One(output, _) => field(out, alias, &output.field, self.scope),
        });
        out.sql("), (");
        out.separated(", ", &self.parts, |out, part| match part {
            Part::Every(columns) => {
                out.separated(", ", columns, |out, (_, oid)| {
                    out.sql(self.sample(*oid).unwrap_or("NULL"));
                });
            }
            Part::One(_, sample) => {
                out.sql(sample);
            }
        });
        out.sql(")))");
    }

    /// Writes it without a subquery. A row of so many columns becomes one of the relation, or PostgreSQL refuses it (42846);
    /// COALESCE takes types that go together, as rows of VALUES do.
    fn write_plainly(&self, out: &mut Fragment, alias: &str, relation: &Relation) {
        out.sql("(TRUE");
        for part in &self.parts {
            match part {
                Part::Every(columns) => {
                    out.sql(" OR ROW(");
                    out.separated(", ", columns, |out, _| {
                        out.sql("NULL");
                    });
                    out.sql(")::").qualified(&relation.schema, &relation.name).sql(" IS NULL");
                    let known = columns.iter().filter_map(|(name, oid)| Some((name, self.sample(*oid)?)));
                    for (name, sample) in known {
                        out.sql(" OR coalesce(")
                            .qualified(alias, name)
                            .sql(", ")
                            .sql(sample)
                            .sql(") IS NULL");
                    }
                }
                Part::One(output, sample) => {
                    out.sql(" OR coalesce(");
                    field(out, alias, &output.field, self.scope);
                    out.sql(", ").sql(sample).sql(") IS NULL");
                }
            }
        }
        out.sql(")");
    }

    fn sample(&self, column: u32) -> Option<&'static str> {
        match self.kinds {
            Kinds::Matter => sample(self.scope, self.scope.catalog.type_of(column)?),
            Kinds::DoNotMatter => None,
        }
    }

    /// Writes it as one more column of a list.
    pub(super) fn write_column(&self, out: &mut Fragment, alias: &str) {
        out.sql(", ");
        match self.distributed {
            Some(relation) => self.write_plainly(out, alias, relation),
            None => self.write(out, alias),
        }
        out.sql(" AS ").identifier(NAME);
    }
}

/// The relation whose rows a function gives. PostgreSQL does not look at a prepared statement that calls the function
/// when the relation changes, unless it is named. Whoever may use the function's schema may name what is in it.
fn relation_of_call<'p>(node: &Node<'p>, scope: Scope<'p>) -> Option<&'p Relation> {
    let function = match (node.source, scope.results) {
        (Source::Computed(function), _) => function,
        (Source::Result, Results::Call(call)) => call.function,
        (Source::Relation(_), _) | (Source::Result, Results::Named | Results::None) => return None,
    };
    node.shape.relation().filter(|relation| relation.schema == function.schema)
}

/// The columns of which there must be so many.
fn every<'p>(node: &Node<'p>) -> Option<Vec<(&'p str, u32)>> {
    let columns = match (node.taken, node.shape) {
        (Taken::Whole, Shape::Relation(_) | Shape::Composite(_)) => node.shape.columns(),
        // One OUT argument that is a composite gives the columns of that.
        (Taken::Whole, Shape::Columns(columns)) if columns.len() > 1 => node.shape.columns(),
        (Taken::Whole, Shape::Columns(_) | Shape::Void | Shape::Scalar(_) | Shape::Record)
        | (Taken::ByName, _) => Vec::new(),
    };
    (!columns.is_empty()).then_some(columns)
}

/// An expression of the kind that a field must be of, where its text becomes JSON here.
fn expected(output: &Output<'_>, scope: Scope<'_>) -> Option<&'static str> {
    let declared: &Type = plain_type(output).filter(|_| output.representation.is_none())?;
    sample(scope, declared)
}
