//! The document of one schema, made from the catalog and from what the caller's
//! role may do: OpenAPI 3.1 here, with utoipa's builders, Swagger 2.0 in
//! `swagger`. It asks nobody: the privileges are handed in.

mod address;
mod comment;
mod components;
mod constraint;
mod embed;
mod filter;
mod function;
mod info;
mod members;
mod name;
mod parameter;
mod relation;
mod response;
mod row;
mod schema;
mod swagger;
pub mod ui;
mod yaml;

use crate::{
    catalog::{
        Catalog,
        descriptor::{Function, Relation},
    },
    config::{Config, Contact, GrpcReflection, License, OpenApiVersion},
    media::MediaType,
    outcome::{Columns, Privileges, RelationPrivileges},
};
use components::Components;
use serde::Serialize;
use std::collections::HashMap;
use utoipa::openapi::{
    OpenApi, OpenApiBuilder, PathsBuilder,
    tag::{Tag, TagBuilder},
};

/// The name of the security scheme, as PostgREST calls it.
const SECURITY_SCHEME: &str = "JWT";
/// The media type of bodies.
const JSON: &str = "application/json";
/// The media type of bodies that are one row, or arguments, as a browser's form sends them.
const FORM: &str = "application/x-www-form-urlencoded";

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

/// Whether everybody may download the `.proto` files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protos {
    /// At [`ui::PROTOS`].
    Downloadable,
    /// Nobody may.
    Withheld,
}

impl Protos {
    /// What the configuration says: the files tell what reflection tells, and a download brings no token. So there are files
    /// only where everybody may ask reflection, which takes an anonymous role.
    pub fn of(config: &Config) -> Self {
        match (config.grpc_reflection, &config.db_anon_role) {
            (GrpcReflection::Enabled, Some(_)) if config.docs_enabled => Protos::Downloadable,
            (GrpcReflection::Enabled | GrpcReflection::Authenticated | GrpcReflection::Disabled, _) => {
                Protos::Withheld
            }
        }
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
        /// `http` or `https`.
        scheme: &'static str,
        /// The path below which everything is, without a slash at its end.
        base: &'a str,
    },
}

impl<'a> Server<'a> {
    /// What the configuration says, or else what `forwarded` says, the address that proxies were called at.
    pub fn of(config: &'a Config, forwarded: Option<&'a http::Uri>) -> Self {
        match config.openapi_server_proxy_uri.as_ref().map(|proxy| proxy.uri()).or(forwarded) {
            Some(address) => Server::At(address),
            None => Server::Listening {
                host: config.server_host.address(),
                port: config.server_port,
                scheme: match config.server_tls_certificate {
                    Some(_) => "https",
                    None => "http",
                },
                base: config.server_base_path.as_deref().unwrap_or_default(),
            },
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
    /// Whether everybody may download the `.proto` files.
    pub protos: Protos,
    /// Schemas that a role's requests search besides its own.
    pub extra_search_path: &'a [String],
    /// Whom to ask about the API.
    pub contact: Option<&'a Contact>,
    /// The licence of its use.
    pub license: Option<&'a License>,
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

/// How a document is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Format {
    /// As JSON.
    Json,
    /// As YAML.
    Yaml,
}

impl Format {
    /// The media type of such a document.
    pub const fn content_type(self) -> &'static str {
        match self {
            Format::Json => "application/openapi+json; charset=utf-8",
            Format::Yaml => yaml::MEDIA_TYPE,
        }
    }

    /// The format that this media type asks for; `None` if there is none.
    pub fn of(media: &MediaType) -> Option<Self> {
        match media {
            MediaType::OpenApi | MediaType::Json | MediaType::Any => Some(Format::Json),
            MediaType::Other(name) => {
                let essence = name.split(';').next().unwrap_or_default().trim();
                essence.eq_ignore_ascii_case(yaml::MEDIA_TYPE).then_some(Format::Yaml)
            }
            MediaType::ArrayStripped
            | MediaType::Object(_)
            | MediaType::Csv
            | MediaType::GeoJson
            | MediaType::UrlEncoded
            | MediaType::OctetStream
            | MediaType::Text
            | MediaType::Xml
            | MediaType::Plan { .. } => None,
        }
    }

    /// The format of the document whose file is called so; `None` if none is.
    pub fn of_file(name: &str) -> Option<Self> {
        match name {
            "openapi.json" => Some(Format::Json),
            "openapi.yaml" => Some(Format::Yaml),
            _ => None,
        }
    }
}

/// Makes the document and writes it.
///
/// # Errors
/// The document cannot be written.
pub fn written(source: &Source<'_>, version: OpenApiVersion, format: Format) -> serde_json::Result<Vec<u8>> {
    let document = document(source, version);
    match format {
        Format::Json => serde_json::to_vec(&document),
        Format::Yaml => Ok(yaml::written(&serde_json::to_value(&document)?).into_bytes()),
    }
}

fn openapi(source: &Source<'_>) -> OpenApi {
    let mut components = Components::new(source);
    let mut paths = PathsBuilder::new().path("/", info::root(&mut components));
    let mut tags = Vec::from(info::tags(source));

    for relation in source.catalog.relations_in(source.schema) {
        let Some(may) = source.relation_privileges(relation) else { continue };
        tags.push(tag(&relation.name, relation.comment.as_deref(), || relation::rows_of(relation)));
        let item = relation::path(&mut components, relation, &may);
        let (path, item) = address::placed(&[&relation.name], item);
        paths = paths.path(path, item);
    }
    for overloads in source.overloads() {
        let [first, ..] = overloads.as_slice() else { continue };
        let name = function::tag(&first.name);
        tags.push(tag(&name, first.comment.as_deref(), || function::call_of(&first.name)));
        let item = function::path(&mut components, &overloads);
        let (path, item) = address::placed(&["rpc", &first.name], item);
        paths = paths.path(path, item);
    }
    // A relation may be called like one of the document's own tags.
    let mut named = std::collections::HashSet::new();
    tags.retain(|tag| named.insert(tag.name.clone()));

    let mut components = components.build();
    let mut document = OpenApiBuilder::new()
        .info(info::info(source))
        .servers(Some(info::servers(source.server)))
        .tags(Some(tags))
        .external_docs(Some(info::manual()));
    if let Some((scheme, required)) = info::security(source.security) {
        components.add_security_scheme(SECURITY_SCHEME, scheme);
        document = document.security(Some(required));
    }
    document.paths(paths).components(Some(components)).build()
}

/// A tag with the first line of the comment.
fn tag(name: &str, comment: Option<&str>, otherwise: impl FnOnce() -> String) -> Tag {
    let (title, _) = comment::split(comment);
    TagBuilder::new().name(name).description(Some(title.map_or_else(otherwise, comment::markdown))).build()
}

impl<'a> Source<'a> {
    /// The functions that may be called, those of one name together, in the catalog's order.
    fn overloads(&self) -> Vec<Vec<&'a Function>> {
        let mut found: Vec<Vec<&Function>> = Vec::new();
        let mut places = HashMap::new();
        for function in self.catalog.functions_in(self.schema).filter(|function| self.may_execute(function)) {
            let place = *places.entry(function.name.as_str()).or_insert_with(|| {
                found.push(Vec::new());
                found.len() - 1
            });
            if let Some(named) = found.get_mut(place) {
                named.push(function);
            }
        }
        found
    }
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
            Visibility::Everything => RelationPrivileges {
                select: Columns::All,
                insert: Columns::All,
                update: Columns::All,
                delete: true,
            },
            Visibility::Role(privileges) => privileges.relations.get(&relation.oid)?.clone(),
        };
        let if_possible =
            |possible: bool, columns: Columns| if possible { columns } else { Columns::default() };
        let possible = RelationPrivileges {
            select: granted.select,
            insert: if_possible(relation.insertable, granted.insert),
            update: if_possible(relation.updatable, granted.update),
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

#[cfg(test)]
mod tests;
