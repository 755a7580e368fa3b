//! Methods: THE table of what can be done with a relation. A row fixes a
//! method's name, its request's fields and whether it streams; descriptors and
//! decoders read it. A new kind is a variant and its row here.

use super::surface::{Resource, ResourceNames};
use crate::catalog::descriptor::Relation;

/// A method of a relation's service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum RelationMethod {
    /// The row with this key.
    Get,
    /// One page of rows.
    List,
    /// All rows.
    Stream,
    /// A new row.
    Create,
    /// New values for the row with this key.
    Update,
    /// No more row with this key.
    Delete,
}

/// A field of a request that is there whatever the relation.
#[derive(Debug)]
pub(crate) struct FixedField {
    /// Its name.
    pub(crate) name: &'static str,
    /// Its number.
    pub(crate) number: u32,
    /// Its type.
    pub(crate) kind: FixedKind,
    /// What it is for.
    pub(crate) comment: &'static str,
}

/// The type of a fixed field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FixedKind {
    /// `int32`.
    Int32,
    /// `string`.
    Text,
    /// `bool`.
    Bool,
    /// `google.protobuf.FieldMask`.
    Mask,
    /// `pgduet.query.v1.CountMode`.
    Count,
    /// The relation's predicates.
    Where,
    /// The relation's message, in a field called after it.
    Resource,
}

/// Where a request has the key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum KeyPlace {
    /// It has none.
    Nowhere,
    /// As fields of its own, with the columns' numbers.
    Request,
    /// In the resource.
    Resource,
}

/// What a response holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// Nothing.
    Empty,
    /// One row.
    Row,
    /// One page.
    Page,
    /// A message for each row.
    Rows,
}

/// One row of the table.
#[derive(Debug)]
pub(crate) struct Row {
    /// The method's name, before the resource's.
    pub(crate) verb: &'static str,
    /// What it does, before the resource's name.
    pub(crate) comment: &'static str,
    /// Where the key is.
    pub(crate) key: KeyPlace,
    /// The request's fields.
    pub(crate) request: &'static [FixedField],
    /// The response.
    pub(crate) answer: Answer,
}

const fn field(name: &'static str, number: u32, kind: FixedKind, comment: &'static str) -> FixedField {
    FixedField { name, number, kind, comment }
}

const READ_MASK_TEXT: &str = "Which fields to return, such as \"id,name\". Embeds are returned only when named, with the fields \
     wanted of them: \"id,orders.total\". Empty: every column.";
const VALIDATE_ONLY_TEXT: &str = "Do everything but keep nothing.";

/// The numbers that decoders look fields up by.
pub(crate) mod number {
    pub(crate) const PAGE_SIZE: u32 = 1;
    pub(crate) const PAGE_TOKEN: u32 = 2;
    pub(crate) const WHERE: u32 = 3;
    pub(crate) const FILTER: u32 = 4;
    pub(crate) const ORDER_BY: u32 = 5;
    pub(crate) const READ_MASK: u32 = 6;
    pub(crate) const SKIP: u32 = 7;
    pub(crate) const COUNT: u32 = 8;
    /// Of requests that have the key's columns as fields.
    pub(crate) const KEYED_READ_MASK: u32 = 2001;
    pub(crate) const KEYED_VALIDATE_ONLY: u32 = 2001;
    pub(crate) const KEYED_ALLOW_MISSING: u32 = 2002;
    /// Of requests that carry the resource.
    pub(crate) const RESOURCE: u32 = 1;
    pub(crate) const WRITE_MASK: u32 = 2;
    pub(crate) const WRITE_READ_MASK: u32 = 3;
    pub(crate) const WRITE_VALIDATE_ONLY: u32 = 4;
    pub(crate) const WRITE_ALLOW_MISSING: u32 = 5;
    /// Of responses.
    pub(crate) const ROWS: u32 = 1;
    pub(crate) const NEXT_PAGE_TOKEN: u32 = 2;
    pub(crate) const TOTAL_SIZE: u32 = 3;
    /// Of the predicates of a relation.
    pub(crate) const AND: u32 = 2001;
    pub(crate) const OR: u32 = 2002;
    pub(crate) const NOT: u32 = 2003;
}

const WHERE_FIELD: FixedField =
    field("where", number::WHERE, FixedKind::Where, "Conditions that rows must meet, with types.");
const FILTER_FIELD: FixedField = field(
    "filter",
    number::FILTER,
    FixedKind::Text,
    "Conditions that rows must meet as well, in the grammar of the REST side: \
     \"name=like.A*&or=(id.gt.5,id.is.null)\".",
);
const ORDER_BY_FIELD: FixedField =
    field("order_by", number::ORDER_BY, FixedKind::Text, "The order, such as \"name desc, id\".");
const READ_MASK_FIELD: FixedField = field("read_mask", number::READ_MASK, FixedKind::Mask, READ_MASK_TEXT);
const SKIP_FIELD: FixedField =
    field("skip", number::SKIP, FixedKind::Int32, "How many rows to pass over first.");

const GET: Row = Row {
    verb: "Get",
    comment: "Returns the row that has this key, of",
    key: KeyPlace::Request,
    request: &[field("read_mask", number::KEYED_READ_MASK, FixedKind::Mask, READ_MASK_TEXT)],
    answer: Answer::Row,
};

const LIST: Row = Row {
    verb: "List",
    comment: "Returns one page of",
    key: KeyPlace::Nowhere,
    request: &[
        field(
            "page_size",
            number::PAGE_SIZE,
            FixedKind::Int32,
            "The most rows to return. 0: as the server has it. Fewer may come, and more be left.",
        ),
        field(
            "page_token",
            number::PAGE_TOKEN,
            FixedKind::Text,
            "The next_page_token of the page before. Conditions and order must be the same.",
        ),
        WHERE_FIELD,
        FILTER_FIELD,
        ORDER_BY_FIELD,
        READ_MASK_FIELD,
        SKIP_FIELD,
        field("count", number::COUNT, FixedKind::Count, "Whether and how to find total_size."),
    ],
    answer: Answer::Page,
};

const STREAM: Row = Row {
    verb: "Stream",
    comment: "Returns all rows in one snapshot, of",
    key: KeyPlace::Nowhere,
    request: &[WHERE_FIELD, FILTER_FIELD, ORDER_BY_FIELD, READ_MASK_FIELD, SKIP_FIELD],
    answer: Answer::Rows,
};

const RESOURCE_FIELD: FixedField = field("", number::RESOURCE, FixedKind::Resource, "The values.");
const WRITE_READ_MASK_FIELD: FixedField =
    field("read_mask", number::WRITE_READ_MASK, FixedKind::Mask, READ_MASK_TEXT);
const WRITE_VALIDATE_ONLY_FIELD: FixedField =
    field("validate_only", number::WRITE_VALIDATE_ONLY, FixedKind::Bool, VALIDATE_ONLY_TEXT);

const CREATE: Row = Row {
    verb: "Create",
    comment: "Inserts a row and returns it, in",
    key: KeyPlace::Nowhere,
    request: &[
        RESOURCE_FIELD,
        field(
            "insert_mask",
            number::WRITE_MASK,
            FixedKind::Mask,
            "Which fields to write: those named but not set become NULL. Empty: those that are set; \
             the others take their defaults.",
        ),
        WRITE_READ_MASK_FIELD,
        WRITE_VALIDATE_ONLY_FIELD,
    ],
    answer: Answer::Row,
};

const UPDATE: Row = Row {
    verb: "Update",
    comment: "Updates the row that has this key and returns it, in",
    key: KeyPlace::Resource,
    request: &[
        RESOURCE_FIELD,
        field(
            "update_mask",
            number::WRITE_MASK,
            FixedKind::Mask,
            "Which fields to write: those named but not set become NULL; \"*\" names all. Empty: those that are set.",
        ),
        WRITE_READ_MASK_FIELD,
        WRITE_VALIDATE_ONLY_FIELD,
        field(
            "allow_missing",
            number::WRITE_ALLOW_MISSING,
            FixedKind::Bool,
            "Insert the row if none has this key.",
        ),
    ],
    answer: Answer::Row,
};

const DELETE: Row = Row {
    verb: "Delete",
    comment: "Deletes the row that has this key, of",
    key: KeyPlace::Request,
    request: &[
        field("validate_only", number::KEYED_VALIDATE_ONLY, FixedKind::Bool, VALIDATE_ONLY_TEXT),
        field(
            "allow_missing",
            number::KEYED_ALLOW_MISSING,
            FixedKind::Bool,
            "Succeed if no row has this key.",
        ),
    ],
    answer: Answer::Empty,
};

impl RelationMethod {
    /// Every method, in the order of a service.
    pub(crate) const ALL: &'static [RelationMethod] =
        &[Self::Get, Self::List, Self::Stream, Self::Create, Self::Update, Self::Delete];

    /// The method's row in the table.
    pub(crate) const fn row(self) -> &'static Row {
        match self {
            Self::Get => &GET,
            Self::List => &LIST,
            Self::Stream => &STREAM,
            Self::Create => &CREATE,
            Self::Update => &UPDATE,
            Self::Delete => &DELETE,
        }
    }

    /// The method's name for a resource.
    pub(crate) fn name(self, names: &ResourceNames) -> String {
        let noun = match self {
            Self::List | Self::Stream => &names.plural,
            Self::Get | Self::Create | Self::Update | Self::Delete => &names.singular,
        };
        format!("{}{noun}", self.row().verb)
    }

    /// Whether this can work at all with a relation of this key.
    pub(crate) fn is_offered(self, relation: &Relation, key: &[usize]) -> bool {
        match self {
            Self::List | Self::Stream => true,
            Self::Get => !key.is_empty(),
            Self::Create => relation.insertable,
            Self::Update => relation.updatable && !key.is_empty(),
            Self::Delete => relation.deletable && !key.is_empty(),
        }
    }

    /// Whether calling it changes nothing.
    pub(crate) fn reads_only(self) -> bool {
        match self {
            Self::Get | Self::List | Self::Stream => true,
            Self::Create | Self::Update | Self::Delete => false,
        }
    }

    /// The columns that stand in the request as fields of their own.
    pub(crate) fn key_fields(self, resource: &Resource) -> impl Iterator<Item = &super::surface::Field> {
        let key = match self.row().key {
            KeyPlace::Request => resource.key.as_slice(),
            KeyPlace::Nowhere | KeyPlace::Resource => &[],
        };
        key.iter().filter_map(|at| resource.fields.get(*at))
    }
}
