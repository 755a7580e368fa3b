//! The rows of the table of methods: a row fixes a method's verb, its request's fields and what it answers with.

use super::{Answer, FixedField, FixedKind, KeyPlace, RelationMethod, Row, number};

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

pub(super) const GET: Row = Row {
    verb: "Get",
    comment: "Returns the row that has this key, of",
    key: KeyPlace::Request,
    request: &[
        field("read_mask", number::KEYED_READ_MASK, FixedKind::Mask, READ_MASK_TEXT),
        field("embeds", number::KEYED_EMBEDS, FixedKind::Embeds, EMBEDS_TEXT),
    ],
    answer: Answer::Row,
};

pub(super) const LIST: Row = Row {
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

pub(super) const STREAM: Row = Row {
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

pub(super) const CREATE: Row = Row {
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
        field(
            "on_conflict",
            number::ON_CONFLICT,
            FixedKind::OnConflict,
            "What becomes of a row that is there already. Not set: the call fails.",
        ),
    ],
    answer: Answer::CreatedRow,
};

pub(super) const UPDATE: Row = Row {
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

pub(super) const DELETE: Row = Row {
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

pub(super) const BATCH_GET: Row = Row {
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

pub(super) const BATCH_CREATE: Row = Row {
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
        field(
            "on_conflict",
            number::BATCH_ON_CONFLICT,
            FixedKind::OnConflict,
            "What becomes of rows that are there already, as in the requests, whose own on_conflict is not set or the \
             same. Not set: the call fails.",
        ),
    ],
    answer: Answer::CreatedRows,
};

pub(super) const BATCH_UPDATE: Row = Row {
    verb: "BatchUpdate",
    comment: "Updates all of the rows that have these keys or, if one is refused or missing, none, and returns \
              them in the order of the requests, in",
    key: KeyPlace::Nowhere,
    request: &[
        requests(RelationMethod::Update, "The rows, each at most once. Each may write other fields."),
        BATCH_READ_MASK_FIELD,
        BATCH_VALIDATE_ONLY_FIELD,
    ],
    answer: Answer::Batch,
};

pub(super) const BATCH_DELETE: Row = Row {
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

pub(super) const PATCH: Row = Row {
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

pub(super) const PURGE: Row = Row {
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

pub(super) const AGGREGATE: Row = Row {
    verb: "Aggregate",
    comment: "Returns groups of rows and what is worked out of them, of",
    key: KeyPlace::Nowhere,
    request: &[
        field(
            "group_by",
            number::GROUP_BY,
            FixedKind::Mask,
            "The fields that rows of one group have in common, such as \"level,teacher.name\"; of embeds those that are to \
             one row. Empty: all rows are one group.",
        ),
        field(
            "aggregates",
            number::AGGREGATES,
            FixedKind::Aggregates,
            "What to work out of each group besides the number of its rows.",
        ),
        WHERE_FIELD,
        FILTER_FIELD,
        field(
            "order_by",
            number::ORDER_BY,
            FixedKind::Text,
            "The order of the groups, by the fields of a group: \"row_count desc, sum.amount, group.level\".",
        ),
        field("skip", number::SKIP, FixedKind::Int32, "How many groups to pass over first."),
        field("limit", number::GROUP_LIMIT, FixedKind::Int32, "The most groups to return. 0: all."),
    ],
    answer: Answer::Groups,
};
