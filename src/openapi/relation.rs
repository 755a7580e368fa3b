//! The path of a relation: an operation for each method that the role may use.

use super::{
    FORM, JSON, comment,
    components::Components,
    name,
    parameter::{self, ColumnList, LOGIC, PAGE, Shared},
    response::{self, Failure, Nothing, Rows, content},
    row::{self, Use},
    schema::string,
};
use crate::{
    catalog::descriptor::{Column, Relation},
    outcome::RelationPrivileges,
};
use utoipa::openapi::{
    HttpMethod, Ref, Required,
    path::{Operation, OperationBuilder, PathItem, PathItemBuilder},
    request_body::{RequestBody, RequestBodyBuilder},
};

/// One operation of a relation.
struct Method {
    http: HttpMethod,
    /// The first word of its `operationId`.
    id: &'static str,
    verb: &'static str,
    allowed: fn(&RelationPrivileges, &Relation) -> bool,
    filters: Filters,
    shared: &'static [Shared],
    columns: &'static [ColumnList],
    body: Body,
    successes: &'static [(&'static str, Success)],
    failures: &'static [Failure],
    profile: &'static str,
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
    Rows(Rows),
    Nothing(Nothing),
}

const ACCEPT_PROFILE: &str = "Accept-Profile";
const CONTENT_PROFILE: &str = "Content-Profile";

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

const METHODS: [Method; 6] = [
    Method {
        http: HttpMethod::Get,
        id: "list",
        verb: "Read",
        allowed: |may, _| !may.select.is_empty(),
        filters: Filters::ByColumns,
        shared: &[Shared::PreferRead],
        columns: &[],
        body: Body::None,
        successes: &[("200", Success::Rows(Rows::Read)), ("206", Success::Rows(Rows::Read))],
        failures: &READING,
        profile: ACCEPT_PROFILE,
    },
    Method {
        http: HttpMethod::Head,
        id: "head",
        verb: "Count",
        allowed: |may, _| !may.select.is_empty(),
        filters: Filters::ByColumns,
        shared: &[Shared::PreferRead],
        columns: &[],
        body: Body::None,
        successes: &[("200", Success::Nothing(Nothing::Head)), ("206", Success::Nothing(Nothing::Head))],
        failures: &READING,
        profile: ACCEPT_PROFILE,
    },
    Method {
        http: HttpMethod::Post,
        id: "insert",
        verb: "Insert into",
        allowed: |may, relation| relation.insertable && !may.insert.is_empty(),
        filters: Filters::None,
        shared: &[Shared::PreferInsert],
        columns: &[ColumnList::Insert, ColumnList::OnConflict],
        body: Body::RowsToInsert,
        successes: &[("200", Success::Rows(Rows::Changed)), ("201", Success::Rows(Rows::Created))],
        failures: &WRITING,
        profile: CONTENT_PROFILE,
    },
    Method {
        http: HttpMethod::Patch,
        id: "update",
        verb: "Update",
        allowed: |may, relation| relation.updatable && !may.update.is_empty(),
        filters: Filters::ByColumns,
        shared: &[Shared::PreferUpdate],
        columns: &[ColumnList::Update],
        body: Body::RowToUpdate,
        successes: &[("200", Success::Rows(Rows::Changed)), ("204", Success::Nothing(Nothing::Done))],
        failures: &WRITING,
        profile: CONTENT_PROFILE,
    },
    Method {
        http: HttpMethod::Put,
        id: "upsert",
        verb: "Insert or replace one row of",
        allowed: may_upsert,
        filters: Filters::ByKey,
        shared: &[Shared::PreferUpsert],
        columns: &[],
        body: Body::RowToUpsert,
        successes: &[
            ("200", Success::Rows(Rows::Changed)),
            ("201", Success::Rows(Rows::Created)),
            ("204", Success::Nothing(Nothing::Done)),
        ],
        failures: &PUTTING,
        profile: CONTENT_PROFILE,
    },
    Method {
        http: HttpMethod::Delete,
        id: "delete",
        verb: "Delete from",
        allowed: |may, relation| relation.deletable && may.delete,
        filters: Filters::ByColumns,
        shared: &[Shared::PreferDelete],
        columns: &[],
        body: Body::None,
        successes: &[("200", Success::Rows(Rows::Changed)), ("204", Success::Nothing(Nothing::Done))],
        failures: &DELETING,
        profile: CONTENT_PROFILE,
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

/// The path of a relation.
pub(super) fn path(
    components: &mut Components<'_>,
    relation: &Relation,
    may: &RelationPrivileges,
) -> PathItem {
    let allowed = METHODS.iter().filter(|method| (method.allowed)(may, relation));
    allowed
        .fold(PathItemBuilder::new(), |path, method| {
            path.operation(method.http.clone(), operation(components, method, relation, may))
        })
        .build()
}

fn operation(
    components: &mut Components<'_>,
    method: &Method,
    relation: &Relation,
    may: &RelationPrivileges,
) -> Operation {
    let id = match method.filters {
        // It is about one row, and named so.
        Filters::ByKey => name::stem(&relation.name),
        Filters::ByColumns | Filters::None => name::word(&relation.name),
    };
    let mut operation = OperationBuilder::new()
        .tag(&relation.name)
        .operation_id(Some(format!("{}{id}", method.id)))
        .summary(Some(format!("{} {}", method.verb, relation.name)))
        .description(Some(relation.comment.as_deref().map_or_else(|| rows_of(relation), comment::markdown)))
        .request_body(body(components, method.body, relation, may));
    for parameter in parameters(components, method, relation, may) {
        operation = operation.parameter_ref(parameter);
    }
    let is_read = !may.select.is_empty();
    for (status, success) in method.successes {
        let reference = match success {
            Success::Rows(rows) if is_read => {
                let row = row::read(components, relation, may);
                response::rows(components, relation, &row, *rows)
            }
            // Rows that the role may not read are in no answer.
            Success::Rows(_) => response::nothing(components, Nothing::Done),
            Success::Nothing(nothing) => response::nothing(components, *nothing),
        };
        operation = operation.response(*status, reference);
    }
    let operation = match method.http {
        HttpMethod::Head => response::bare_failures(components, operation, method.failures),
        HttpMethod::Get
        | HttpMethod::Post
        | HttpMethod::Put
        | HttpMethod::Patch
        | HttpMethod::Delete
        | HttpMethod::Options
        | HttpMethod::Trace => response::failures(components, operation, method.failures),
    };
    operation.build()
}

fn parameters(
    components: &mut Components<'_>,
    method: &Method,
    relation: &Relation,
    may: &RelationPrivileges,
) -> Vec<Ref> {
    let readable = Use::Read.columns(relation, may);
    let mut found = Vec::new();
    match method.filters {
        Filters::ByColumns => {
            let filterable = parameter::filterable(relation);
            for column in readable.iter().filter(|column| filterable.contains(column.name.as_str())) {
                found.push(parameter::filter(components, relation, column));
            }
            found.extend(LOGIC.map(|shared| parameter::shared(components, shared)));
        }
        Filters::ByKey => {
            let of_key = relation.columns.iter().filter(|column| relation.primary_key.contains(&column.name));
            for column in of_key {
                found.push(parameter::of_key(components, relation, column));
            }
        }
        Filters::None => {}
    }
    if !readable.is_empty() {
        found.push(parameter::select(components, relation, &readable));
    }
    for list in method.columns {
        let columns: Vec<&Column> = match list {
            ColumnList::Insert | ColumnList::OnConflict => Use::Insert.columns(relation, may),
            ColumnList::Update => Use::Update.columns(relation, may),
        };
        found.push(parameter::columns(components, relation, *list, &columns));
    }
    match method.http {
        HttpMethod::Get | HttpMethod::Head => {
            found.push(parameter::order(components, relation, &readable));
            found.extend(PAGE.map(|shared| parameter::shared(components, shared)));
        }
        HttpMethod::Post
        | HttpMethod::Put
        | HttpMethod::Patch
        | HttpMethod::Delete
        | HttpMethod::Options
        | HttpMethod::Trace => {}
    }
    found.extend(method.shared.iter().map(|shared| parameter::shared(components, *shared)));
    found.extend(parameter::profile(components, method.profile));
    found
}

fn body(
    components: &mut Components<'_>,
    body: Body,
    relation: &Relation,
    may: &RelationPrivileges,
) -> Option<RequestBody> {
    let built = RequestBodyBuilder::new().required(Some(Required::True));
    let csv = || content(string().description(Some("A line with the columns' names, then one per row.")));
    Some(match body {
        Body::None => return None,
        Body::RowsToInsert => {
            let rows = row::insert_body(components, relation, may);
            let row = row::insert(components, relation, may);
            let built = built.content(JSON, content(rows)).content("text/csv", csv());
            built.content(FORM, content(row)).build()
        }
        Body::RowToUpsert => built.content(JSON, content(row::upsert(components, relation, may))).build(),
        Body::RowToUpdate => built.content(JSON, content(row::update(components, relation, may))).build(),
    })
}
