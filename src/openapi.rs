//! The OpenAPI 3.1 document of one schema, built with utoipa's builders from
//! the catalog and from what the caller's role may do. It asks nobody: the
//! privileges are handed in.

mod function;
mod parameter;
mod relation;
mod schema;
pub mod ui;

use crate::{
    catalog::{
        Catalog,
        descriptor::{Function, Relation},
    },
    outcome::{Privileges, RelationPrivileges},
};
use utoipa::openapi::{
    ComponentsBuilder, ContentBuilder, InfoBuilder, Object, OpenApi, OpenApiBuilder, PathsBuilder, Ref,
    Response, ResponseBuilder, SecurityRequirement, ServerBuilder,
    schema::{ObjectBuilder, SchemaType, Type},
    security::{HttpAuthScheme, HttpBuilder, SecurityScheme},
    tag::TagBuilder,
};

/// The name of the security scheme, as PostgREST calls it.
const SECURITY_SCHEME: &str = "JWT";
/// The name of the component that describes error bodies.
const ERROR: &str = "Error";

/// Whose privileges the document shows.
#[derive(Clone, Copy, Debug)]
pub enum Visibility<'a> {
    /// A role's.
    Role(&'a Privileges),
    /// Nobody's: everything is there.
    Everything,
}

/// Whether tokens are taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Security {
    /// Bearer tokens are.
    Bearer,
    /// None are.
    Off,
}

/// What a document is made of.
#[derive(Clone, Copy, Debug)]
pub struct Source<'a> {
    /// The catalog.
    pub catalog: &'a Catalog,
    /// The schema that is described.
    pub schema: &'a str,
    /// Whose privileges it shows.
    pub visibility: Visibility<'a>,
    /// Whether tokens are taken.
    pub security: Security,
    /// Where clients reach the server, if that is not where the document is.
    pub server_url: Option<&'a str>,
}

/// Makes the document.
pub fn document(source: &Source<'_>) -> OpenApi {
    let mut paths = PathsBuilder::new();
    let mut components = parameter::components(ComponentsBuilder::new())
        .schema(ERROR, error_schema())
        .response(ERROR, error_response());
    let mut tags = Vec::new();

    for relation in source.catalog.relations_in(source.schema) {
        let Some(allowed) = source.relation_privileges(relation) else { continue };
        let (title, _) = split_comment(relation.comment.as_deref());
        tags.push(TagBuilder::new().name(&relation.name).description(title).build());
        components =
            components.schema(schema::component_name(relation), schema::row(source.catalog, relation));
        paths = paths.path(path_to(&[&relation.name]), relation::path(relation, allowed));
    }
    let mut described = std::collections::HashSet::new();
    for function in source.catalog.functions_in(source.schema) {
        // Overloads share a path; the first one in the catalog describes it.
        if source.may_execute(function) && described.insert(function.name.as_str()) {
            paths = paths.path(path_to(&["rpc", &function.name]), function::path(source.catalog, function));
        }
    }

    let mut document = OpenApiBuilder::new()
        .info(info(source))
        .servers(source.server_url.map(|url| [ServerBuilder::new().url(url).build()]))
        .tags(Some(tags));
    if source.security == Security::Bearer {
        let scheme = HttpBuilder::new()
            .scheme(HttpAuthScheme::Bearer)
            .bearer_format("JWT")
            .description(Some("A token whose role claim names the database role."))
            .build();
        components = components.security_scheme(SECURITY_SCHEME, SecurityScheme::Http(scheme));
        // Either without a token, as the anonymous role, or with one.
        let with_token = SecurityRequirement::new(SECURITY_SCHEME, Vec::<String>::new());
        document = document.security(Some([SecurityRequirement::default(), with_token]));
    }
    document.paths(paths).components(Some(components.build())).build()
}

impl Source<'_> {
    /// What may be done with the relation; `None` if nothing, or nothing can be.
    fn relation_privileges(&self, relation: &Relation) -> Option<RelationPrivileges> {
        if relation.is_partition {
            return None;
        }
        let granted = match self.visibility {
            Visibility::Everything => {
                RelationPrivileges { select: true, insert: true, update: true, delete: true }
            }
            Visibility::Role(privileges) => *privileges.relations.get(&relation.oid)?,
        };
        let possible = RelationPrivileges {
            select: granted.select,
            insert: granted.insert && relation.insertable,
            update: granted.update && relation.updatable,
            delete: granted.delete && relation.deletable,
        };
        (possible != RelationPrivileges::default()).then_some(possible)
    }

    fn may_execute(&self, function: &Function) -> bool {
        match self.visibility {
            Visibility::Everything => true,
            Visibility::Role(privileges) => privileges.functions.contains(&function.oid),
        }
    }
}

fn info(source: &Source<'_>) -> utoipa::openapi::Info {
    let comment = source
        .catalog
        .descriptor()
        .schemas
        .iter()
        .find(|schema| schema.name == source.schema)
        .and_then(|schema| schema.comment.as_deref());
    let (title, description) = split_comment(comment);
    InfoBuilder::new()
        .title(title.unwrap_or("pgduet API"))
        .description(Some(description.unwrap_or("This is a dynamic API generated by pgduet.")))
        .version(env!("CARGO_PKG_VERSION"))
        .build()
}

/// The first line is the summary, what follows the description.
fn split_comment(comment: Option<&str>) -> (Option<&str>, Option<&str>) {
    let Some(comment) = comment else { return (None, None) };
    match comment.split_once('\n') {
        Some((first, rest)) => (Some(first.trim()), Some(rest.trim()).filter(|rest| !rest.is_empty())),
        None => (Some(comment), None),
    }
}

/// A path with each segment percent-encoded.
fn path_to(segments: &[&str]) -> String {
    use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
    /// RFC 3986's unreserved characters stay; braces would be a template.
    const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
    segments.iter().map(|segment| format!("/{}", utf8_percent_encode(segment, SEGMENT))).collect()
}

fn error_schema() -> Object {
    let text = |title: &str| {
        ObjectBuilder::new()
            .schema_type(SchemaType::from_iter([Type::String, Type::Null]))
            .description(Some(title.to_owned()))
    };
    ObjectBuilder::new()
        .property(
            "code",
            ObjectBuilder::new().schema_type(Type::String).description(Some("PGRSTnnn or SQLSTATE.")),
        )
        .property(
            "message",
            ObjectBuilder::new().schema_type(Type::String).description(Some("One sentence.")),
        )
        .property(
            "details",
            ObjectBuilder::new().schema_type(SchemaType::AnyValue).description(Some("Particulars.")),
        )
        .property("hint", text("What to try."))
        .required("code")
        .required("message")
        .build()
}

fn error_response() -> Response {
    ResponseBuilder::new()
        .description("An error.")
        .content(JSON, ContentBuilder::new().schema(Some(Ref::from_schema_name(ERROR))).build())
        .build()
}

/// The media type of bodies.
const JSON: &str = "application/json";

#[cfg(test)]
mod tests;
