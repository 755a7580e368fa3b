//! Methods: THE table of what can be done with a relation. A row fixes a
//! method's name, its request's fields and whether it streams; descriptors and
//! decoders read it. A new kind is a variant and its row here.

pub(crate) mod number;

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
    /// The rows with these keys.
    BatchGet,
    /// New rows.
    BatchCreate,
    /// New values for the rows with these keys.
    BatchUpdate,
    /// No more rows with these keys.
    BatchDelete,
    /// New values for the rows that meet conditions.
    Patch,
    /// No more rows that meet conditions.
    Purge,
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
    /// `int64`.
    Int64,
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
    /// What is said of its embeds. Relations without embeds have no such field.
    Embeds,
    /// The relation's message, in a field called after it.
    Resource,
    /// Requests of another of the relation's methods.
    Requests(RelationMethod),
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
    /// Several rows.
    Batch,
    /// How many rows were affected, and those rows.
    Affected,
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
const WRITE_READ_MASK_TEXT: &str = "Which fields to return, as of a read. Not set: every column. Set and empty: nothing, which needs no right to \
     read.";
const UPDATE_MASK_TEXT: &str =
    "Which fields to write: those named but not set become NULL; \"*\" names all. Empty: those that are set.";
const VALIDATE_ONLY_TEXT: &str = "Do everything but keep nothing.";

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

const EMBEDS_TEXT: &str = "Conditions, order and number of the related rows that read_mask names, and whether rows without any are \
     left out.";
const EMBEDS_FIELD: FixedField = field("embeds", number::EMBEDS, FixedKind::Embeds, EMBEDS_TEXT);

const GET: Row = Row {
    verb: "Get",
    comment: "Returns the row that has this key, of",
    key: KeyPlace::Request,
    request: &[
        field("read_mask", number::KEYED_READ_MASK, FixedKind::Mask, READ_MASK_TEXT),
        field("embeds", number::KEYED_EMBEDS, FixedKind::Embeds, EMBEDS_TEXT),
    ],
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
        EMBEDS_FIELD,
    ],
    answer: Answer::Page,
};

const STREAM: Row = Row {
    verb: "Stream",
    comment: "Returns all rows in one snapshot, of",
    key: KeyPlace::Nowhere,
    request: &[WHERE_FIELD, FILTER_FIELD, ORDER_BY_FIELD, READ_MASK_FIELD, SKIP_FIELD, EMBEDS_FIELD],
    answer: Answer::Rows,
};

const RESOURCE_FIELD: FixedField = field("", number::RESOURCE, FixedKind::Resource, "The values.");
const WRITE_READ_MASK_FIELD: FixedField =
    field("read_mask", number::WRITE_READ_MASK, FixedKind::Mask, WRITE_READ_MASK_TEXT);
const WRITE_VALIDATE_ONLY_FIELD: FixedField =
    field("validate_only", number::WRITE_VALIDATE_ONLY, FixedKind::Bool, VALIDATE_ONLY_TEXT);

const NULL_MASK_FIELD: FixedField = field(
    "null_mask",
    number::NULL_MASK,
    FixedKind::Mask,
    "Fields to set to NULL. The other masks can name them too, but an array that they name and that is not set \
     becomes empty.",
);

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
        NULL_MASK_FIELD,
    ],
    answer: Answer::Row,
};

const UPDATE: Row = Row {
    verb: "Update",
    comment: "Updates the row that has this key and returns it, in",
    key: KeyPlace::Resource,
    request: &[
        RESOURCE_FIELD,
        field("update_mask", number::WRITE_MASK, FixedKind::Mask, UPDATE_MASK_TEXT),
        WRITE_READ_MASK_FIELD,
        WRITE_VALIDATE_ONLY_FIELD,
        field(
            "allow_missing",
            number::WRITE_ALLOW_MISSING,
            FixedKind::Bool,
            "Insert the row if none has this key.",
        ),
        NULL_MASK_FIELD,
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

const BATCH_READ_MASK_FIELD: FixedField =
    field("read_mask", number::BATCH_READ_MASK, FixedKind::Mask, BATCH_READ_MASK_TEXT);
const BATCH_VALIDATE_ONLY_FIELD: FixedField =
    field("validate_only", number::BATCH_VALIDATE_ONLY, FixedKind::Bool, VALIDATE_ONLY_TEXT);
const BATCH_READ_MASK_TEXT: &str = "Which fields to return of every row, as in the requests, whose own read_mask is not set \
     or the same.";

const fn requests(method: RelationMethod, comment: &'static str) -> FixedField {
    field("requests", number::REQUESTS, FixedKind::Requests(method), comment)
}

const BATCH_GET: Row = Row {
    verb: "BatchGet",
    comment: "Returns the rows that have these keys, in the order of the requests and by one query, of",
    key: KeyPlace::Nowhere,
    request: &[
        requests(RelationMethod::Get, "The keys. NOT_FOUND names the first one that no row has."),
        BATCH_READ_MASK_FIELD,
        field(
            "embeds",
            number::BATCH_EMBEDS,
            FixedKind::Embeds,
            "Which related rows of every row to return, as in the requests, whose own embeds is not set or the same.",
        ),
    ],
    answer: Answer::Batch,
};

const BATCH_CREATE: Row = Row {
    verb: "BatchCreate",
    comment: "Inserts all of these rows or, if one is refused, none, and returns them in the order of the \
              requests, in",
    key: KeyPlace::Nowhere,
    request: &[
        requests(
            RelationMethod::Create,
            "The rows. Each may write other fields; what one does not write takes its default.",
        ),
        BATCH_READ_MASK_FIELD,
        BATCH_VALIDATE_ONLY_FIELD,
    ],
    answer: Answer::Batch,
};

const BATCH_UPDATE: Row = Row {
    verb: "BatchUpdate",
    comment: "Updates all of the rows that have these keys or, if one is refused or missing, none, and returns \
              them in the order of the requests, in",
    key: KeyPlace::Nowhere,
    request: &[
        requests(
            RelationMethod::Update,
            "The rows, each at most once. Each may write other fields; with allow_missing, which has to be set in \
             all or none, all have to write the same.",
        ),
        BATCH_READ_MASK_FIELD,
        BATCH_VALIDATE_ONLY_FIELD,
    ],
    answer: Answer::Batch,
};

const BATCH_DELETE: Row = Row {
    verb: "BatchDelete",
    comment: "Deletes all of the rows that have these keys or, if one is refused or missing, none, of",
    key: KeyPlace::Nowhere,
    request: &[
        requests(RelationMethod::Delete, "The keys. NOT_FOUND names the first one that no row has."),
        BATCH_VALIDATE_ONLY_FIELD,
    ],
    answer: Answer::Empty,
};

const CHANGED_READ_MASK_FIELD: FixedField = field(
    "read_mask",
    number::READ_MASK,
    FixedKind::Mask,
    "Which fields of the affected rows to return, such as \"id,name\"; \"*\" names every column. Not set or empty: no \
     rows, just their number.",
);
const CHANGE_VALIDATE_ONLY_FIELD: FixedField =
    field("validate_only", number::CHANGE_VALIDATE_ONLY, FixedKind::Bool, VALIDATE_ONLY_TEXT);
const ALLOW_ALL_FIELD: FixedField = field(
    "allow_all",
    number::ALLOW_ALL,
    FixedKind::Bool,
    "Affect every row if neither where nor filter has a condition, which is refused otherwise.",
);
const MAX_AFFECTED_FIELD: FixedField = field(
    "max_affected",
    number::MAX_AFFECTED,
    FixedKind::Int64,
    "If more rows than this are affected, none is. 0: however many.",
);

const PATCH: Row = Row {
    verb: "Patch",
    comment: "Updates the rows that meet conditions, all to the same values, in",
    key: KeyPlace::Nowhere,
    request: &[
        RESOURCE_FIELD,
        field("update_mask", number::WRITE_MASK, FixedKind::Mask, UPDATE_MASK_TEXT),
        WHERE_FIELD,
        FILTER_FIELD,
        CHANGED_READ_MASK_FIELD,
        CHANGE_VALIDATE_ONLY_FIELD,
        ALLOW_ALL_FIELD,
        MAX_AFFECTED_FIELD,
        NULL_MASK_FIELD,
    ],
    answer: Answer::Affected,
};

const PURGE: Row = Row {
    verb: "Purge",
    comment: "Deletes the rows that meet conditions, of",
    key: KeyPlace::Nowhere,
    request: &[
        WHERE_FIELD,
        FILTER_FIELD,
        CHANGED_READ_MASK_FIELD,
        CHANGE_VALIDATE_ONLY_FIELD,
        ALLOW_ALL_FIELD,
        MAX_AFFECTED_FIELD,
    ],
    answer: Answer::Affected,
};

impl RelationMethod {
    /// Every method, in the order of a service.
    pub(crate) const ALL: &'static [RelationMethod] = &[
        Self::Get,
        Self::List,
        Self::Stream,
        Self::Create,
        Self::Update,
        Self::Delete,
        Self::BatchGet,
        Self::BatchCreate,
        Self::BatchUpdate,
        Self::BatchDelete,
        Self::Patch,
        Self::Purge,
    ];

    /// The method's row in the table.
    pub(crate) const fn row(self) -> &'static Row {
        match self {
            Self::Get => &GET,
            Self::List => &LIST,
            Self::Stream => &STREAM,
            Self::Create => &CREATE,
            Self::Update => &UPDATE,
            Self::Delete => &DELETE,
            Self::BatchGet => &BATCH_GET,
            Self::BatchCreate => &BATCH_CREATE,
            Self::BatchUpdate => &BATCH_UPDATE,
            Self::BatchDelete => &BATCH_DELETE,
            Self::Patch => &PATCH,
            Self::Purge => &PURGE,
        }
    }

    /// The fields of its request for a resource.
    pub(crate) fn request(self, resource: &Resource) -> impl Iterator<Item = &'static FixedField> {
        let has_embeds = resource.has_embeds();
        self.row().request.iter().filter(move |field| has_embeds || field.kind != FixedKind::Embeds)
    }

    /// The method's name for a resource.
    pub(crate) fn name(self, names: &ResourceNames) -> String {
        let noun = match self {
            Self::List
            | Self::Stream
            | Self::BatchGet
            | Self::BatchCreate
            | Self::BatchUpdate
            | Self::BatchDelete
            | Self::Patch
            | Self::Purge => &names.plural,
            Self::Get | Self::Create | Self::Update | Self::Delete => &names.singular,
        };
        format!("{}{noun}", self.row().verb)
    }

    /// Whether this can work at all with a relation of this key.
    pub(crate) fn is_offered(self, relation: &Relation, key: &[usize]) -> bool {
        match self {
            Self::List | Self::Stream => true,
            Self::Get | Self::BatchGet => !key.is_empty(),
            Self::Create | Self::BatchCreate => relation.insertable,
            Self::Update | Self::BatchUpdate => relation.updatable && !key.is_empty(),
            Self::Delete | Self::BatchDelete => relation.deletable && !key.is_empty(),
            Self::Patch => relation.updatable,
            Self::Purge => relation.deletable,
        }
    }

    /// Whether calling it changes nothing.
    pub(crate) fn reads_only(self) -> bool {
        match self {
            Self::Get | Self::List | Self::Stream | Self::BatchGet => true,
            Self::Create
            | Self::Update
            | Self::Delete
            | Self::BatchCreate
            | Self::BatchUpdate
            | Self::BatchDelete
            | Self::Patch
            | Self::Purge => false,
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
