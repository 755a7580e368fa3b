//! Fields that are computed when a mask names them: what functions make of a row of the relation, and how many rows its
//! embeds have. They get their names after columns and embeds, which may have been there before.

use super::{Count, Field, Multiplicity, Package, Presence, Resource, types::compared};
use crate::{
    catalog::{
        Catalog,
        descriptor::{Function, Relation, TypeKind},
    },
    grpc::{
        lock::{Ledger, Rank, RelationLock, Wanted},
        names::field_name,
    },
};

/// The functions that make one value of a row of the relation, as far as it is no row of another relation.
pub(super) fn functions<'c>(
    catalog: &'c Catalog,
    relation: &'c Relation,
) -> impl Iterator<Item = &'c Function> {
    catalog.computed(relation.oid).filter(move |function| {
        let is_pseudo =
            || catalog.type_of(function.return_type).is_none_or(|found| found.kind() == TypeKind::Pseudo);
        let gives_rows = || function.shape(catalog).is_some_and(|shape| shape.relation().is_some());
        function.schema == relation.schema
            && !function.returns_set
            && relation.column(&function.name).is_none()
            && !is_pseudo()
            && !gives_rows()
    })
}

impl Package {
    /// Gives one of the package's resources its computed fields; it has columns and embeds already.
    pub(super) fn computed(&self, relation: &Relation, resource: &mut Resource, next: &mut RelationLock) {
        let field = |function: &Function| Field {
            column: function.name.clone(),
            name: function.name.clone(),
            number: 0,
            shape: self.shape(function.return_type, next.computed.kind(&function.name)),
            presence: Presence::Computed,
            comment: function.comment.clone(),
            sql_type: self
                .catalog
                .type_of(function.return_type)
                .map(|found| found.sql_name.clone())
                .unwrap_or_default(),
            compared: compared(&self.catalog, function.return_type),
        };
        resource.computed = functions(&self.catalog, relation).map(field).collect();
        let beside = Ledger::all_of(&[&next.columns, &next.embeds, &next.counts]);
        next.computed = super::locked::settle(self, &next.computed, &mut resource.computed, &beside);

        let counted = |multiplicity| match multiplicity {
            Multiplicity::One => false,
            Multiplicity::Many => true,
        };
        let embeds = || resource.embeds.iter().filter(|embed| counted(embed.multiplicity));
        let wanted: Vec<Wanted> = embeds()
            .map(|embed| Wanted {
                key: count_key(&embed.key),
                kind: "int64".to_owned(),
                names: vec![
                    field_name(&format!("{}_count", embed.name)),
                    field_name(&format!("count_of_{}", embed.name)),
                ],
                rank: Rank::First,
            })
            .collect();
        let beside = Ledger::all_of(&[&next.columns, &next.embeds, &next.computed]);
        next.counts = next.counts.settle_fields(&wanted, &beside);
        for embed in resource.embeds.iter_mut().filter(|embed| counted(embed.multiplicity)) {
            let key = count_key(&embed.key);
            let declaration = next.counts.fields.get(&key);
            embed.count =
                declaration.map(|found| Count { key, name: found.name.clone(), number: found.number });
        }
        resource.reserved_computed = next.computed.reserved().and(&next.counts.reserved());
    }
}

/// What the number of an embed's rows is, whatever its field is called.
fn count_key(embed: &str) -> String {
    format!("count({embed})")
}
