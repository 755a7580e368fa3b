//! Rows for an encoder that was made of an older catalog than the plan: the type of their message was told to clients and
//! cannot change below them. The field of a column that was dropped is not set, as in no message from now on; a column
//! that has another type or name now is an error.

use crate::{
    catalog::{
        Catalog,
        descriptor::{Attribute, Relation, Type, TypeKind},
        form::{Form, form},
    },
    error::{Error, Fault, Result},
    plan::{
        Plan,
        tree::{Item, Node, Origin, Output},
    },
};

/// Composites within composites are compared so deep; PostgreSQL lets none hold itself.
const MAX_DEPTH: usize = 32;

/// Makes the rows of `new` those of `old`, a plan of the same request.
pub(super) fn keep<'c>(old: &Plan<'c>, new: &mut Plan<'c>) -> Result<()> {
    let catalogs = Catalogs { old: old.catalog, new: new.catalog };
    new.adapt(|node| catalogs.keep(old.operation.node(), node))
}

fn changed(column: &str) -> Box<Error> {
    Error::new(
        Fault::MessageChanged,
        format!("The type of this message has changed with column \"{column}\" in the database"),
    )
    .hint("Ask reflection for the services as they are now, or generate the client again")
}

#[derive(Clone, Copy)]
struct Catalogs<'c> {
    old: &'c Catalog,
    new: &'c Catalog,
}

impl<'c> Catalogs<'c> {
    fn keep(self, old: &Node<'c>, new: &mut Node<'c>) -> Result<()> {
        let relations = old.shape.relation().zip(new.shape.relation());
        for items in old.items.iter().zip(&mut new.items) {
            match items {
                (Item::Field(old), Item::Field(new)) => self.keep_field(relations, old, new)?,
                (Item::Embed(old), Item::Embed(new)) if old.arity == new.arity => {
                    self.keep(&old.node, &mut new.node)?;
                }
                (Item::Embed(embed), _) => return Err(changed(embed.name())),
                (Item::Field(output), Item::Embed(_)) => return Err(changed(&output.key)),
            }
        }
        Ok(())
    }

    fn keep_field(
        self,
        relations: Option<(&Relation, &Relation)>,
        old: &Output<'c>,
        new: &mut Output<'c>,
    ) -> Result<()> {
        let is_dropped = || relations.is_some_and(|(before, now)| is_dropped(&old.field.name, before, now));
        match (old.field.declared(), new.field.declared()) {
            (Some(before), Some(now)) if self.same_type(before, now) => {}
            (None, None) => {}
            (Some(before), None) if is_dropped() => {
                new.field.origin = Origin::Dropped(Some(before).filter(|before| is_base(before)));
            }
            (Some(_) | None, _) => return Err(changed(&old.key)),
        }
        Ok(())
    }

    fn same_type(self, old: &Type, new: &Type) -> bool {
        self.same_form(&form(self.old, old.oid), &form(self.new, new.oid), MAX_DEPTH)
    }

    fn same_form(self, old: &Form, new: &Form, depth: usize) -> bool {
        match (old, new) {
            (Form::Array(old), Form::Array(new)) => self.same_form(old, new, depth),
            (Form::Record(old), Form::Record(new)) => self.same_record(*old, *new, depth),
            (old, new) => old == new,
        }
    }

    fn same_record(self, old: u32, new: u32, depth: usize) -> bool {
        let (Some(depth), Some(old), Some(new)) =
            (depth.checked_sub(1), self.old.type_of(old), self.new.type_of(new))
        else {
            return false;
        };
        let pairs = old.attributes.iter().zip(&new.attributes);
        let same = |(before, now): (&Attribute, &Attribute)| {
            let (one, other) = (form(self.old, before.r#type), form(self.new, now.r#type));
            before.name == now.name && self.same_form(&one, &other, depth)
        };
        old.attributes.len() == new.attributes.len() && pairs.into_iter().all(same)
    }
}

/// Whether the column is gone, and not there under another name: PostgreSQL uses no number twice.
fn is_dropped(column: &str, before: &Relation, now: &Relation) -> bool {
    let number = before.column(column).map(|column| column.number);
    before.oid == now.oid
        && number.is_some_and(|number| now.columns.iter().all(|found| found.number != number))
}

/// Whether it is a type that is in every database.
fn is_base(declared: &Type) -> bool {
    declared.schema == "pg_catalog" && declared.kind() == TypeKind::Base
}
