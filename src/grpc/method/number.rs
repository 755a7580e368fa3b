//! The numbers that decoders look fields up by. They are of the wire: none of
//! them ever changes.

pub(crate) const PAGE_SIZE: u32 = 1;
pub(crate) const PAGE_TOKEN: u32 = 2;
pub(crate) const WHERE: u32 = 3;
pub(crate) const FILTER: u32 = 4;
pub(crate) const ORDER_BY: u32 = 5;
pub(crate) const READ_MASK: u32 = 6;
pub(crate) const SKIP: u32 = 7;
pub(crate) const COUNT: u32 = 8;
pub(crate) const EMBEDS: u32 = 9;
/// Of what is said of an embed; what reads have too has their numbers.
pub(crate) const EMBED_LIMIT: u32 = 1;
pub(crate) const EMBED_REQUIRED: u32 = 2;
/// Of what asks for groups of rows; what reads have too has their numbers.
pub(crate) const GROUP_BY: u32 = 1;
pub(crate) const AGGREGATES: u32 = 2;
pub(crate) const GROUP_LIMIT: u32 = 8;
/// Of groups: the first is what their rows have in common.
pub(crate) const GROUP: u32 = 1;
pub(crate) const ROW_COUNT: u32 = 2;
pub(crate) const SUM: u32 = 3;
pub(crate) const AVG: u32 = 4;
pub(crate) const MIN: u32 = 5;
pub(crate) const MAX: u32 = 6;
pub(crate) const COUNT_OF: u32 = 7;
/// Of `pgduet.query.v1.Aggregates`.
pub(crate) const OF_SUM: u32 = 1;
pub(crate) const OF_AVG: u32 = 2;
pub(crate) const OF_MIN: u32 = 3;
pub(crate) const OF_MAX: u32 = 4;
pub(crate) const OF_COUNT: u32 = 5;
/// Of requests that have the key's columns as fields.
pub(crate) const KEYED_READ_MASK: u32 = 2001;
pub(crate) const KEYED_EMBEDS: u32 = 2002;
pub(crate) const KEYED_VALIDATE_ONLY: u32 = 2001;
pub(crate) const KEYED_ALLOW_MISSING: u32 = 2002;
/// Of requests that carry the resource.
pub(crate) const RESOURCE: u32 = 1;
pub(crate) const WRITE_MASK: u32 = 2;
pub(crate) const WRITE_READ_MASK: u32 = 3;
pub(crate) const WRITE_VALIDATE_ONLY: u32 = 4;
pub(crate) const WRITE_ALLOW_MISSING: u32 = 5;
pub(crate) const NULL_MASK: u32 = 10;
pub(crate) const ON_CONFLICT: u32 = 11;
/// Of what becomes of rows that are there already.
pub(crate) const CONFLICT_TARGET: u32 = 1;
pub(crate) const CONFLICT_ACTION: u32 = 2;
/// Of responses.
pub(crate) const ROWS: u32 = 1;
pub(crate) const NEXT_PAGE_TOKEN: u32 = 2;
pub(crate) const TOTAL_SIZE: u32 = 3;
pub(crate) const AFFECTED_ROWS: u32 = 2;
pub(crate) const INSERTED: u32 = 2;
/// Of batches.
pub(crate) const REQUESTS: u32 = 1;
pub(crate) const BATCH_READ_MASK: u32 = 2;
pub(crate) const BATCH_VALIDATE_ONLY: u32 = 3;
pub(crate) const BATCH_EMBEDS: u32 = 4;
pub(crate) const BATCH_ON_CONFLICT: u32 = 4;
/// Of changes to the rows that meet conditions; what reads and writes have too has their numbers.
pub(crate) const CHANGE_VALIDATE_ONLY: u32 = 7;
pub(crate) const ALLOW_ALL: u32 = 8;
pub(crate) const MAX_AFFECTED: u32 = 9;
/// Of calls of functions, beside their arguments.
pub(crate) const CALL_NULL_MASK: u32 = 2001;
pub(crate) const CALL_READ_MASK: u32 = 2002;
pub(crate) const CALL_EMBEDS: u32 = 2003;
pub(crate) const CALL_WHERE: u32 = 2004;
pub(crate) const CALL_FILTER: u32 = 2005;
pub(crate) const CALL_ORDER_BY: u32 = 2006;
pub(crate) const CALL_LIMIT: u32 = 2007;
pub(crate) const CALL_SKIP: u32 = 2008;
/// Of transactions.
pub(crate) const OPERATIONS: u32 = 1;
pub(crate) const TRANSACTION_VALIDATE_ONLY: u32 = 2;
pub(crate) const RESULTS: u32 = 1;
pub(crate) const REFERENCES: u32 = 1;
/// Of the predicates of a relation.
pub(crate) const AND: u32 = 2001;
pub(crate) const OR: u32 = 2002;
pub(crate) const NOT: u32 = 2003;

/// The number that an embed has among the predicates of a relation: its own, but locks of old have embeds with the numbers
/// of logic.
pub(crate) fn of_predicate(embed: u32) -> u32 {
    match embed {
        AND | OR | NOT => embed + (1 << 18),
        other => other,
    }
}

/// Of conditions on related rows.
pub(crate) const EXISTS: u32 = 1;
pub(crate) const NONE: u32 = 2;
