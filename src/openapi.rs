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
mod operation;
mod parameter;
mod relation;
mod response;
mod row;
mod schema;
mod swagger;
mod transaction;
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
use serde::{Serialize, Serializer, ser::SerializeMap};
use std::{
    cell::RefCell,
    collections::{HashMap, HashSet},
};
use utoipa::openapi::{
    ExternalDocs, Info, SecurityRequirement,
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

/// Whether answers to GET carry an `ETag`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ETags {
    /// They do.
    Sent,
    /// They do not.
    Omitted,
}

impl ETags {
    /// What the configuration says.
    pub fn of(config: &Config) -> Self {
        if config.server_etag { ETags::Sent } else { ETags::Omitted }
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
    /// Whether answers to GET carry an `ETag`.
    pub etags: ETags,
    /// Schemas that a role's requests search besides its own.
    pub extra_search_path: &'a [String],
    /// Whom to ask about the API.
    pub contact: Option<&'a Contact>,
    /// The licence of its use.
    pub license: Option<&'a License>,
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

    /// Where the document is a file, in which format.
    pub const FILES: [(&str, Self); 2] = [("/openapi.json", Format::Json), ("/openapi.yaml", Format::Yaml)];
}

/// Writes the document.
///
/// # Errors
/// The document cannot be written.
pub fn written(source: &Source<'_>, version: OpenApiVersion, format: Format) -> serde_json::Result<Vec<u8>> {
    let json = match version {
        OpenApiVersion::V3_1 => openapi(source)?,
        OpenApiVersion::V2_0 => serde_json::to_vec(&swagger::document(source))?,
    };
    match format {
        Format::Json => Ok(json),
        Format::Yaml => yaml::written(&json),
    }
}

/// A document of version 3.1. Its members are written in their order, and the first of the large ones, the paths, makes the
/// others while it is written.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Document<'a> {
    openapi: &'static str,
    info: Info,
    servers: [utoipa::openapi::Server; 1],
    paths: Paths<'a>,
    components: &'a RefCell<Components<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    security: Option<[SecurityRequirement; 2]>,
    tags: &'a RefCell<Vec<Tag>>,
    external_docs: ExternalDocs,
}

/// The paths, each of which is made, written and dropped: the memory that a document takes grows with its length alone.
#[derive(Clone, Copy)]
struct Paths<'a> {
    source: &'a Source<'a>,
    components: &'a RefCell<Components<'a>>,
    tags: &'a RefCell<Vec<Tag>>,
}

impl Serialize for Paths<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let source = self.source;
        let components = &mut *self.components.borrow_mut();
        let tags = &mut *self.tags.borrow_mut();
        let mut paths = serializer.serialize_map(None)?;
        let mut root = info::root(components);
        transaction::add(components, &mut root, tags);
        paths.serialize_entry("/", &root)?;
        for relation in source.catalog.relations_in(source.schema) {
            let Some(may) = source.relation_privileges(relation) else { continue };
            tags.push(tag(&relation.name, relation.comment.as_deref(), || relation::rows_of(relation)));
            let path = relation::path(components, relation, &may);
            let (address, path) = address::placed(&[&relation.name], path);
            paths.serialize_entry(&address, &path)?;
        }
        for overloads in source.overloads() {
            let [first, ..] = overloads.as_slice() else { continue };
            let name = function::tag(&first.name);
            tags.push(tag(&name, first.comment.as_deref(), || function::call_of(&first.name)));
            let path = function::path(components, &overloads);
            let (address, path) = address::placed(&["rpc", &first.name], path);
            paths.serialize_entry(&address, &path)?;
        }
        // A relation may be called like one of the document's own tags.
        let mut named = HashSet::new();
        tags.retain(|tag| named.insert(tag.name.clone()));
        paths.end()
    }
}

fn openapi(source: &Source<'_>) -> serde_json::Result<Vec<u8>> {
    let mut components = Components::new(source);
    let security = info::security(source.security).map(|(scheme, required)| {
        components.security_scheme(SECURITY_SCHEME, &scheme);
        required
    });
    let (components, tags) = (RefCell::new(components), RefCell::new(Vec::from(info::tags(source))));
    serde_json::to_vec(&Document {
        openapi: "3.1.0",
        info: info::info(source),
        servers: info::servers(source.server),
        paths: Paths { source, components: &components, tags: &tags },
        components: &components,
        security,
        tags: &tags,
        external_docs: info::manual(),
    })
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
