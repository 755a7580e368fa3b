//! What a function is good for: what its result looks like, whether the API can
//! call it, whether it computes a field. Which overload a call means is decided
//! in `plan/call`.

use super::{
    Catalog,
    descriptor::{Function, Relation, ResultColumn, Type, TypeKind},
};

/// What one row of a function's result is. Whether there may be several is
/// `Function::returns_set`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Shape<'c> {
    /// `void`: nothing.
    Void,
    /// One value of this type.
    Scalar(&'c Type),
    /// A row of this relation.
    Relation(&'c Relation),
    /// A composite type's attributes; of a relation's row type where the
    /// descriptor does not have the relation.
    Composite(&'c Type),
    /// The columns of RETURNS TABLE, or the OUT and INOUT arguments.
    Columns(&'c [ResultColumn]),
    /// `record`: columns that nobody knows before the call.
    Record,
}

impl<'c> Shape<'c> {
    /// Names and types of the columns, in their order; none where it has no columns.
    pub fn columns(self) -> Vec<(&'c str, u32)> {
        match self {
            Shape::Relation(relation) => {
                relation.columns.iter().map(|column| (column.name.as_str(), column.r#type)).collect()
            }
            Shape::Composite(composite) => {
                composite.attributes.iter().map(|part| (part.name.as_str(), part.r#type)).collect()
            }
            Shape::Columns(columns) => {
                columns.iter().map(|column| (column.name.as_str(), column.r#type)).collect()
            }
            Shape::Void | Shape::Scalar(_) | Shape::Record => Vec::new(),
        }
    }

    /// The type of the column of this name.
    pub fn column(self, name: &str) -> Option<u32> {
        match self {
            Shape::Relation(relation) => relation.column(name).map(|column| column.r#type),
            Shape::Composite(composite) => {
                composite.attributes.iter().find(|part| part.name == name).map(|part| part.r#type)
            }
            Shape::Columns(columns) => {
                columns.iter().find(|column| column.name == name).map(|column| column.r#type)
            }
            Shape::Void | Shape::Scalar(_) | Shape::Record => None,
        }
    }

    /// The relation whose rows they are.
    pub fn relation(self) -> Option<&'c Relation> {
        match self {
            Shape::Relation(relation) => Some(relation),
            Shape::Void | Shape::Scalar(_) | Shape::Composite(_) | Shape::Columns(_) | Shape::Record => None,
        }
    }
}

/// Types of a single unnamed argument that takes the whole request body.
pub const BODY_TYPES: [&str; 5] = ["bytea", "json", "jsonb", "text", "xml"];

impl Function {
    /// What one row of the result is; domains are looked through. `None` if the
    /// descriptor lacks the type, which introspection never leaves out.
    pub fn shape<'c>(&'c self, catalog: &'c Catalog) -> Option<Shape<'c>> {
        let columns = self.named_columns(catalog);
        if !columns.is_empty() {
            return Some(Shape::Columns(columns));
        }
        let declared = catalog.type_of(self.return_type)?;
        let base = catalog.base_type(self.return_type)?;
        Some(match base.kind() {
            TypeKind::Composite => match catalog.relation_by_oid(base.relation) {
                Some(relation) => Shape::Relation(relation),
                None => Shape::Composite(base),
            },
            TypeKind::Pseudo if base.name == "void" => Shape::Void,
            TypeKind::Pseudo if base.name == "record" => Shape::Record,
            TypeKind::Base
            | TypeKind::Enum
            | TypeKind::Domain
            | TypeKind::Array
            | TypeKind::Range
            | TypeKind::Pseudo
            | TypeKind::Unspecified => Shape::Scalar(declared),
        })
    }

    /// The columns that `RETURNS TABLE`, OUT and INOUT arguments name. PostgreSQL takes a single one of a composite
    /// type for the result itself: in `FROM`, the columns are those of the composite, and the one name is gone.
    pub fn named_columns(&self, catalog: &Catalog) -> &[ResultColumn] {
        let base = catalog.base_type(self.return_type);
        match base.is_some_and(|base| base.kind() == TypeKind::Composite) {
            true => &[],
            false => &self.result_columns,
        }
    }

    /// Whether the API can call it: every argument has a name, or the only one
    /// takes the whole body.
    pub fn is_callable(&self, catalog: &Catalog) -> bool {
        self.arguments.iter().all(|argument| !argument.name.is_empty()) || self.takes_body(catalog).is_some()
    }

    /// The type of the single unnamed argument that takes the whole body.
    pub fn takes_body<'c>(&self, catalog: &'c Catalog) -> Option<&'c Type> {
        let [argument] = self.arguments.as_slice() else { return None };
        let found = catalog.type_of(argument.r#type)?;
        let fits = found.schema == "pg_catalog" && BODY_TYPES.contains(&found.name.as_str());
        (argument.name.is_empty() && fits).then_some(found)
    }

    /// The OID of the relation whose row is its only argument.
    pub fn row_of(&self, catalog: &Catalog) -> Option<u32> {
        let [argument] = self.arguments.as_slice() else { return None };
        let found = catalog.type_of(argument.r#type)?;
        (found.relation != 0).then_some(found.relation)
    }

    /// The media type it makes by itself: its return type is a domain with that name.
    pub fn media_type<'c>(&self, catalog: &'c Catalog) -> Option<&'c str> {
        let found = catalog.type_of(self.return_type)?;
        let makes = !self.returns_set && found.kind() == TypeKind::Domain && is_media_type(&found.name);
        makes.then_some(found.name.as_str())
    }
}

/// Whether a domain of this name stands for a media type: `*/*` or `type/subtype`.
pub(super) fn is_media_type(name: &str) -> bool {
    let fits = |part: &str, more: &[u8]| {
        !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || more.contains(&byte))
    };
    let of_two = name.split_once('/').is_some_and(|(main, sub)| fits(main, b".-") && fits(sub, b".+-"));
    of_two || name == "*/*"
}

#[cfg(test)]
mod tests {
    use super::is_media_type;

    #[test]
    fn domains_named_like_a_media_type_stand_for_it() {
        let (yes, no) =
            (["text/csv", "application/vnd.x+json", "*/*"], ["text", "a/", "text/*", "a/b/c", "a b/c"]);
        assert!(yes.into_iter().all(is_media_type));
        assert!(!no.into_iter().any(is_media_type));
    }
}
