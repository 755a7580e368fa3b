//! Aggregates: what those over a column are in messages. Which there are, and of which types, is `catalog/aggregate`'s to
//! say.

use super::{Field, Package, Resource, Scalar, Shape};
use crate::{
    catalog::{aggregate, form::Form},
    request::select::AggregateFunction,
};

impl Package {
    /// The type of what this function gives of a column; `None` where it does not take the column.
    pub(crate) fn aggregated(
        &self,
        resource: &Resource,
        function: AggregateFunction,
        field: &Field,
    ) -> Option<Shape> {
        let oid = self.catalog.relation_by_oid(resource.oid)?.column(&field.column)?.r#type;
        let numeric = |form: Form| match form {
            Form::Int8 => Scalar::Int8,
            Form::Float4 => Scalar::Float4,
            Form::Float8 => Scalar::Float8,
            Form::Text
            | Form::Bool
            | Form::Int2
            | Form::Int4
            | Form::TimestampTz
            | Form::Bytea
            | Form::Hstore
            | Form::Array(_)
            | Form::Record(_) => Scalar::Text,
        };
        match function {
            AggregateFunction::Sum => aggregate::sum(&self.catalog, oid).map(numeric).map(Shape::One),
            AggregateFunction::Avg => aggregate::avg(&self.catalog, oid).map(numeric).map(Shape::One),
            AggregateFunction::Min | AggregateFunction::Max => {
                aggregate::extreme(&self.catalog, oid).map(|_| field.shape)
            }
            AggregateFunction::Count => Some(Shape::One(Scalar::Int8)),
        }
    }
}
