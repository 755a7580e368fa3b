//! The document of one schema, made from the catalog and from what the caller's
//! role may do: OpenAPI 3.1 here, with utoipa's builders, Swagger 2.0 in
//! `swagger`. It asks nobody: the privileges are handed in.

mod comment;
mod function;
mod parameter;
mod relation;
mod schema;
mod swagger;
pub mod ui;

use crate::{
    catalog::{
        Catalog,
        descriptor::{Function, Relation},
    },
    config::{Config, OpenApiVersion},
    outcome::{Privileges, RelationPrivileges},
};
use serde::Serialize;
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

/// Whether the document says that tokens are taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Security {
    /// Bearer tokens are.
    Bearer,
    /// None are.
    Off,
}

impl Security {
    /// What the configuration says; Swagger 2.0 speaks of tokens only where it is told to.
    pub fn of(config: &Config) -> Self {
        let taken = match config.openapi_version {
            OpenApiVersion::V3_1 => config.openapi_security_active || config.jwt_secret.is_some(),
            OpenApiVersion::V2_0 => config.openapi_security_active,
        };
        if taken { Security::Bearer } else { Security::Off }
    }
}

/// Where clients reach the server.
#[derive(Clone, Copy, Debug)]
pub enum Server<'a> {
    /// At this address.
    At(&'a http::Uri),
    /// Where it listens.
    Listening {
        /// A name or an address.
        host: &'a str,
        /// The port.
        port: u16,
    },
}

impl<'a> Server<'a> {
    /// What the configuration says.
    pub fn of(config: &'a Config) -> Self {
        match &config.openapi_server_proxy_uri {
            Some(proxy) => Server::At(proxy.uri()),
            None => Server::Listening { host: config.server_host.address(), port: config.server_port },
        }
    }
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
    /// Where clients reach the server.
    pub server: Server<'a>,
    /// Schemas that a role's requests search besides its own.
    pub extra_search_path: &'a [String],
}

/// A document of one version or the other; its JSON is what it serializes to.
#[derive(Serialize)]
#[serde(untagged)]
#[allow(missing_debug_implementations, reason = "utoipa has it only with a feature")]
pub enum Document {
    /// OpenAPI 3.1.
    OpenApi(Box<OpenApi>),
    /// Swagger 2.0.
    Swagger(serde_json::Value),
}

/// Makes the document.
pub fn document(source: &Source<'_>, version: OpenApiVersion) -> Document {
    match version {
        OpenApiVersion::V3_1 => Document::OpenApi(Box::new(openapi(source))),
        OpenApiVersion::V2_0 => Document::Swagger(swagger::document(source)),
    }
}

fn openapi(source: &Source<'_>) -> OpenApi {
    let mut paths = PathsBuilder::new();
    let mut components = parameter::components(ComponentsBuilder::new())
        .schema(ERROR, error_schema())
        .response(ERROR, error_response());
    let mut tags = Vec::new();

    for relation in source.catalog.relations_in(source.schema) {
        let Some(allowed) = source.relation_privileges(relation) else { continue };
        let (title, _) = comment::split(relation.comment.as_deref());
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

    let mut document =
        OpenApiBuilder::new().info(info(source)).servers(servers(source.server)).tags(Some(tags));
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
    /// The schema's comment.
    fn schema_comment(&self) -> Option<&str> {
        let mut schemas = self.catalog.descriptor().schemas.iter();
        schemas.find(|schema| schema.name == self.schema)?.comment.as_deref()
    }

    /// The schemas whose types are called by their names alone, in the order in
    /// which they are searched: those of the role's requests.
    fn searched(&self) -> Vec<&str> {
        match self.visibility {
            Visibility::Everything => Vec::new(),
            Visibility::Role(_) => std::iter::once(self.schema)
                .chain(self.extra_search_path.iter().map(String::as_str))
                .collect(),
        }
    }

    /// Whether the role has any privilege on the relation.
    fn shows(&self, relation: &Relation) -> bool {
        match self.visibility {
            Visibility::Everything => true,
            Visibility::Role(privileges) => privileges.relations.contains_key(&relation.oid),
        }
    }

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
    let (title, description) = comment::split(source.schema_comment());
    InfoBuilder::new()
        .title(title.unwrap_or("pgduet API"))
        .description(Some(description.unwrap_or("This is a dynamic API generated by pgduet.")))
        .version(env!("CARGO_PKG_VERSION"))
        .build()
}

/// No servers: where the document is.
fn servers(server: Server<'_>) -> Option<[utoipa::openapi::Server; 1]> {
    match server {
        Server::At(uri) => Some([ServerBuilder::new().url(uri.to_string()).build()]),
        Server::Listening { .. } => None,
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
