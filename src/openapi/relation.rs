//! The path of a relation: an operation for each method that the role may use.

use super::{
    FORM, JSON, comment,
    components::Components,
    name,
    operation::{Link, Method, Operation, Path},
    parameter::{self, LOGIC, Profile, Shared},
    response::{self, Content, Failure, Nothing, content},
    row::{self, Use},
    schema::string,
};
use crate::{catalog::descriptor::Relation, outcome::RelationPrivileges};
use std::rc::Rc;
use utoipa::openapi::{
    Ref, Required,
    request_body::{RequestBody, RequestBodyBuilder},
};

/// One operation of a relation.
struct Row {
    method: Method,
    /// The first word of its `operationId`.
    id: &'static str,
    verb: &'static str,
    allowed: fn(&RelationPrivileges, &Relation) -> bool,
    filters: Filters,
    shared: &'static [Shared],
    body: Body,
    successes: &'static [(&'static str, Success)],
    failures: &'static [Failure],
    profile: Profile,
}

#[derive(Clone, Copy)]
enum Filters {
    ByColumns,
    ByKey,
    None,
}

#[derive(Clone, Copy)]
enum Body {
    RowsToInsert,
    RowToUpsert,
    RowToUpdate,
    None,
}

#[derive(Clone, Copy)]
enum Success {
    Rows,
    Nothing(Nothing),
}

/// What every request may meet.
const ALWAYS: [Failure; 5] = [
    Failure::BadRequest,
    Failure::Unauthorized,
    Failure::Forbidden,
    Failure::NotFound,
    Failure::NotAcceptable,
];
const READING: [Failure; 6] =
    [ALWAYS[0], ALWAYS[1], ALWAYS[2], ALWAYS[3], ALWAYS[4], Failure::RangeNotSatisfiable];
const WRITING: [Failure; 7] =
    [ALWAYS[0], ALWAYS[1], ALWAYS[2], ALWAYS[3], ALWAYS[4], Failure::Conflict, Failure::TooLarge];
const PUTTING: [Failure; 8] = [
    ALWAYS[0],
    ALWAYS[1],
    ALWAYS[2],
    ALWAYS[3],
    Failure::NotAllowed,
    ALWAYS[4],
    Failure::Conflict,
    Failure::TooLarge,
];
const DELETING: [Failure; 6] = [ALWAYS[0], ALWAYS[1], ALWAYS[2], ALWAYS[3], ALWAYS[4], Failure::Conflict];

const METHODS: [Row; 6] = [
    Row {
        method: Method::Get,
        id: "list",
        verb: "Read",
        allowed: |may, _| !may.select.is_empty(),
        filters: Filters::ByColumns,
        shared: &[Shared::Limit, Shared::Offset, Shared::Range, Shared::PreferRead],
        body: Body::None,
        successes: &[("200", Success::Rows), ("206", Success::Rows)],
        failures: &READING,
        profile: Profile::Accept,
    },
    Row {
        method: Method::Head,
        id: "head",
        verb: "Count",
        allowed: |may, _| !may.select.is_empty(),
        filters: Filters::ByColumns,
        shared: &[Shared::Limit, Shared::Offset, Shared::Range, Shared::PreferRead],
        body: Body::None,
        successes: &[("200", Success::Nothing(Nothing::Head)), ("206", Success::Nothing(Nothing::Head))],
        failures: &READING,
        profile: Profile::Accept,
    },
    Row {
        method: Method::Post,
        id: "insert",
        verb: "Insert into",
        allowed: |may, relation| relation.insertable && !may.insert.is_empty(),
        filters: Filters::None,
        shared: &[Shared::Columns, Shared::OnConflict, Shared::PreferInsert],
        body: Body::RowsToInsert,
        successes: &[("200", Success::Rows), ("201", Success::Rows)],
        failures: &WRITING,
        profile: Profile::Content,
    },
    Row {
        method: Method::Patch,
        id: "update",
        verb: "Update",
        allowed: |may, relation| relation.updatable && !may.update.is_empty(),
        filters: Filters::ByColumns,
        shared: &[Shared::Columns, Shared::PreferUpdate],
        body: Body::RowToUpdate,
        successes: &[("200", Success::Rows), ("204", Success::Nothing(Nothing::Done))],
        failures: &WRITING,
        profile: Profile::Content,
    },
    Row {
        method: Method::Put,
        id: "upsert",
        verb: "Insert or replace one row of",
        allowed: may_upsert,
        filters: Filters::ByKey,
        shared: &[Shared::PreferUpsert],
        body: Body::RowToUpsert,
        successes: &[
            ("200", Success::Rows),
            ("201", Success::Rows),
            ("204", Success::Nothing(Nothing::Done)),
        ],
        failures: &PUTTING,
        profile: Profile::Content,
    },
    Row {
        method: Method::Delete,
        id: "delete",
        verb: "Delete from",
        allowed: |may, relation| relation.deletable && may.delete,
        filters: Filters::ByColumns,
        shared: &[Shared::PreferDelete],
        body: Body::None,
        successes: &[("200", Success::Rows), ("204", Success::Nothing(Nothing::Done))],
        failures: &DELETING,
        profile: Profile::Content,
    },
];

/// PUT names the row by its key, which the body has too: the columns have to be writable, and to have keys of a query
/// string that mean them.
fn may_upsert(may: &RelationPrivileges, relation: &Relation) -> bool {
    let insertable = Use::Insert.columns(relation, may);
    let filterable = parameter::filterable(relation);
    let is_usable = |name: &String| {
        filterable.contains(name.as_str()) && insertable.iter().any(|column| column.name == *name)
    };
    relation.insertable
        && relation.updatable
        && !may.update.is_empty()
        && !relation.primary_key.is_empty()
        && relation.primary_key.iter().all(is_usable)
}

/// What a relation without a comment is.
pub(super) fn rows_of(relation: &Relation) -> String {
    format!("The rows of `{}`.", relation.name)
}

/// A relation, and what its operations have in common.
struct Subject<'r, 'p> {
    relation: &'r Relation,
    may: &'p RelationPrivileges,
    /// In the names of operations on rows, and on one row.
    words: (String, Rc<str>),
    description: Option<String>,
    /// References to filters by its columns.
    filters: Vec<Link>,
    order: Option<Link>,
    /// A row that the role may read.
    row: Option<Ref>,
}

/// The path of a relation.
pub(super) fn path<'r>(
    components: &mut Components<'_>,
    relation: &'r Relation,
    may: &RelationPrivileges,
) -> Path<'r> {
    let readable = Use::Read.columns(relation, may);
    let filterable = parameter::filterable(relation);
    let filters = readable.iter().filter(|column| filterable.contains(column.name.as_str()));
    let is_read = !readable.is_empty();
    let subject = Subject {
        relation,
        may,
        words: (name::word(&relation.name), components.stem(&relation.name)),
        description: relation.comment.as_deref().map(comment::markdown),
        filters: filters.map(|column| parameter::filter(components, relation, column)).collect(),
        order: is_read.then(|| parameter::order(components, relation, &readable)),
        row: is_read.then(|| row::read(components, relation, may)),
    };
    let select = is_read.then(|| parameter::select(components, relation));
    let allowed = METHODS.iter().filter(|row| (row.allowed)(may, relation));
    Path {
        parameters: select.into_iter().map(Into::into).collect(),
        operations: allowed.map(|row| (row.method, operation(components, row, &subject))).collect(),
    }
}

fn operation<'r>(components: &mut Components<'_>, row: &Row, subject: &Subject<'r, '_>) -> Operation<'r> {
    let Subject { relation, may, words: (rows, one), .. } = subject;
    let id = match row.filters {
        // It is about one row, and named so.
        Filters::ByKey => one,
        Filters::ByColumns | Filters::None => rows.as_str(),
    };
    let mut responses: response::Answers = Vec::new();
    for (status, success) in row.successes {
        let link = match (success, &subject.row) {
            (Success::Rows, Some(row)) => response::rows(components, relation, row),
            // Rows that the role may not read are in no answer.
            (Success::Rows, None) => response::nothing(components, Nothing::Done),
            (Success::Nothing(nothing), _) => response::nothing(components, *nothing),
        };
        responses.push((*status, link.into()));
    }
    if response::is_conditional(components, row.method) {
        responses.push(response::not_modified(components));
    }
    let content = match row.method {
        Method::Head => Content::None,
        Method::Get | Method::Post | Method::Put | Method::Patch | Method::Delete => Content::Full,
    };
    responses.extend(response::failures(components, content, row.failures));
    Operation {
        tags: [relation.name.as_str().into()],
        summary: format!("{} {}", row.verb, relation.name),
        description: subject.description.clone(),
        operation_id: format!("{}{id}", row.id),
        parameters: parameters(components, row, subject).into_iter().map(Into::into).collect(),
        request_body: body(components, row.body, relation, may),
        responses,
    }
}

fn parameters(components: &mut Components<'_>, row: &Row, subject: &Subject<'_, '_>) -> Vec<Link> {
    let mut found = Vec::new();
    match row.filters {
        Filters::ByColumns => {
            found.extend_from_slice(&subject.filters);
            found.extend(LOGIC.map(|shared| parameter::shared(components, shared)));
        }
        Filters::ByKey => {
            let key = &subject.relation.primary_key;
            let columns = subject.relation.columns.iter().filter(|column| key.contains(&column.name));
            found.extend(columns.map(|column| parameter::of_key(components, &column.name)));
        }
        Filters::None => {}
    }
    match row.method {
        Method::Get | Method::Head => found.extend(subject.order.clone()),
        Method::Post | Method::Put | Method::Patch | Method::Delete => {}
    }
    found.extend(row.shared.iter().map(|shared| parameter::shared(components, *shared)));
    if response::is_conditional(components, row.method) {
        found.push(parameter::shared(components, Shared::IfNoneMatch));
    }
    found.extend(parameter::profile(components, row.profile));
    found
}

fn body(
    components: &mut Components<'_>,
    body: Body,
    relation: &Relation,
    may: &RelationPrivileges,
) -> Option<RequestBody> {
    let built = RequestBodyBuilder::new().required(Some(Required::True));
    Some(match body {
        Body::None => return None,
        Body::RowsToInsert => {
            let rows = row::insert_body(components, relation, may);
            let row = row::insert(components, relation, may);
            let built = built.content(JSON, content(rows)).content("text/csv", content(string()));
            built.content(FORM, content(row)).build()
        }
        Body::RowToUpsert => built.content(JSON, content(row::upsert(components, relation, may))).build(),
        Body::RowToUpdate => built.content(JSON, content(row::update(components, relation, may))).build(),
    })
}
