//! The path of a relation: an operation for each method that the role may use.

use super::{
    ERROR, JSON, comment,
    parameter::{self, Shared},
    schema,
};
use crate::{catalog::descriptor::Relation, outcome::RelationPrivileges};
use utoipa::openapi::{
    ContentBuilder, HttpMethod, Ref, Required, ResponseBuilder,
    path::{Operation, OperationBuilder, PathItem, PathItemBuilder},
    request_body::{RequestBody, RequestBodyBuilder},
    schema::{ArrayBuilder, OneOfBuilder},
};

/// One operation of a relation.
struct Method {
    http: HttpMethod,
    verb: &'static str,
    allowed: fn(&RelationPrivileges, &Relation) -> bool,
    shared: &'static [Shared],
    filters: Filters,
    body: Body,
    responses: &'static [(&'static str, Answer, &'static str)],
}

#[derive(Clone, Copy)]
enum Filters {
    ByColumns,
    ByKey,
    None,
}

#[derive(Clone, Copy)]
enum Body {
    Row,
    RowOrRows,
    None,
}

#[derive(Clone, Copy)]
enum Answer {
    Rows,
    Empty,
}

const METHODS: [Method; 5] = [
    Method {
        http: HttpMethod::Get,
        verb: "Read",
        allowed: |may, _| may.select,
        shared: &[
            Shared::Select,
            Shared::Order,
            Shared::Limit,
            Shared::Offset,
            Shared::Range,
            Shared::PreferCount,
        ],
        filters: Filters::ByColumns,
        body: Body::None,
        responses: &[("200", Answer::Rows, "The rows."), ("206", Answer::Rows, "Some of the rows.")],
    },
    Method {
        http: HttpMethod::Post,
        verb: "Insert into",
        allowed: |may, _| may.insert,
        shared: &[Shared::Select, Shared::Columns, Shared::OnConflict, Shared::PreferInsert],
        filters: Filters::None,
        body: Body::RowOrRows,
        responses: &[("201", Answer::Rows, "Created; the rows with `Prefer: return=representation`.")],
    },
    Method {
        http: HttpMethod::Patch,
        verb: "Update",
        allowed: |may, _| may.update,
        shared: &[Shared::Select, Shared::Columns, Shared::PreferReturn],
        filters: Filters::ByColumns,
        body: Body::Row,
        responses: &[("200", Answer::Rows, "The updated rows."), ("204", Answer::Empty, "Updated.")],
    },
    Method {
        http: HttpMethod::Put,
        verb: "Insert or update one row of",
        allowed: |may, relation| may.insert && may.update && !relation.primary_key.is_empty(),
        shared: &[Shared::Select, Shared::Columns, Shared::PreferReturn],
        filters: Filters::ByKey,
        body: Body::Row,
        responses: &[
            ("200", Answer::Rows, "The row."),
            ("201", Answer::Rows, "Created."),
            ("204", Answer::Empty, "Done."),
        ],
    },
    Method {
        http: HttpMethod::Delete,
        verb: "Delete from",
        allowed: |may, _| may.delete,
        shared: &[Shared::Select, Shared::PreferReturn],
        filters: Filters::ByColumns,
        body: Body::None,
        responses: &[("200", Answer::Rows, "The deleted rows."), ("204", Answer::Empty, "Deleted.")],
    },
];

/// The path of a relation.
pub(super) fn path(relation: &Relation, allowed: RelationPrivileges) -> PathItem {
    METHODS
        .iter()
        .filter(|method| (method.allowed)(&allowed, relation))
        .fold(PathItemBuilder::new(), |path, method| {
            path.operation(method.http.clone(), operation(method, relation))
        })
        .build()
}

fn operation(method: &Method, relation: &Relation) -> Operation {
    let (title, description) = comment::split(relation.comment.as_deref());
    let mut operation = OperationBuilder::new()
        .tag(&relation.name)
        .summary(Some(match title {
            Some(title) => format!("{} {}: {title}", method.verb, relation.name),
            None => format!("{} {}", method.verb, relation.name),
        }))
        .description(description)
        .request_body(body(method.body, relation));
    for shared in method.shared.iter().filter_map(|shared| parameter::shared(*shared)) {
        operation = operation.parameter_ref(shared);
    }
    let of_key = |name: &String| relation.primary_key.contains(name);
    for filter in parameter::column_filters(relation) {
        let wanted = match method.filters {
            Filters::ByColumns => true,
            Filters::ByKey => of_key(&filter.name),
            Filters::None => false,
        };
        if wanted {
            operation = operation.parameter(filter);
        }
    }
    for (status, answer, description) in method.responses {
        let mut response = ResponseBuilder::new().description(*description);
        if let Answer::Rows = answer {
            let rows = ArrayBuilder::new().items(schema::row_ref(relation));
            response = response.content(JSON, ContentBuilder::new().schema(Some(rows)).build());
        }
        operation = operation.response(*status, response);
    }
    operation.response("default", Ref::from_response_name(ERROR)).build()
}

fn body(body: Body, relation: &Relation) -> Option<RequestBody> {
    let row = schema::row_ref(relation);
    let content = match body {
        Body::None => return None,
        Body::Row => ContentBuilder::new().schema(Some(row)),
        Body::RowOrRows => {
            let rows = ArrayBuilder::new().items(row.clone());
            ContentBuilder::new().schema(Some(OneOfBuilder::new().item(row).item(rows)))
        }
    };
    Some(RequestBodyBuilder::new().content(JSON, content.build()).required(Some(Required::True)).build())
}
