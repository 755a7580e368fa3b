//! Paths and methods: which resource is meant and what is to be done with it.
//! Whether the resource exists is not asked here.

use crate::{
    config::{Config, OpenApiMode},
    error::{Error, Fault, Result},
    request::CallAccess,
};
use http::Method;
use percent_encoding::percent_decode_str;

/// What a path names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Resource {
    /// `/`
    Root,
    /// `/{relation}`
    Relation(String),
    /// `/rpc/{function}`
    Function(String),
}

/// What is to be done with a relation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verb {
    /// GET and HEAD.
    Read,
    /// POST.
    Insert,
    /// PUT.
    Upsert,
    /// PATCH.
    Update,
    /// DELETE.
    Delete,
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Task {
    /// Describe the schema.
    Describe,
    /// Say which methods the resource takes.
    Options(Resource),
    /// Read or change a relation.
    Relation(String, Verb),
    /// Call a function.
    Call(String, CallAccess),
}

/// The resource at a path, which is still percent-encoded.
pub(super) fn resource(path: &str, config: &Config) -> Result<Resource> {
    let mut segments = path.strip_prefix('/').unwrap_or(path).split('/');
    let decode = |segment: &str| percent_decode_str(segment).decode_utf8_lossy().into_owned();
    match (segments.next().unwrap_or_default(), segments.next(), segments.next()) {
        ("", None, _) => match (config.openapi_mode, &config.db_root_spec) {
            (OpenApiMode::Disabled, _) => {
                Err(Error::new(Fault::RootDisabled, "Root endpoint metadata is disabled"))
            }
            (_, Some(function)) => Ok(Resource::Function(function.name.clone())),
            (_, None) => Ok(Resource::Root),
        },
        (relation, None, _) => Ok(Resource::Relation(decode(relation))),
        (rpc, Some(function), None) if decode(rpc) == "rpc" => Ok(Resource::Function(decode(function))),
        _ => Err(Error::new(Fault::InvalidPath, "Invalid path specified in request URL")),
    }
}

/// What this method does with a resource.
pub(super) fn task(resource: Resource, method: &Method) -> Result<Task> {
    let unsupported =
        || Err(Error::new(Fault::MethodNotAllowed, format!("Unsupported HTTP method: {method}")));
    if *method == Method::OPTIONS {
        return Ok(Task::Options(resource));
    }
    match resource {
        Resource::Root => match *method {
            Method::GET | Method::HEAD => Ok(Task::Describe),
            _ => unsupported(),
        },
        Resource::Relation(relation) => match *method {
            Method::GET | Method::HEAD => Ok(Task::Relation(relation, Verb::Read)),
            Method::POST => Ok(Task::Relation(relation, Verb::Insert)),
            Method::PUT => Ok(Task::Relation(relation, Verb::Upsert)),
            Method::PATCH => Ok(Task::Relation(relation, Verb::Update)),
            Method::DELETE => Ok(Task::Relation(relation, Verb::Delete)),
            _ => unsupported(),
        },
        Resource::Function(function) => match *method {
            Method::GET | Method::HEAD => Ok(Task::Call(function, CallAccess::ReadOnly)),
            Method::POST => Ok(Task::Call(function, CallAccess::ByVolatility)),
            _ => Err(Error::new(Fault::FunctionMethod, format!("Cannot use the {method} method on RPC"))),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Sources;

    fn config(environment: &[(&str, &str)]) -> Config {
        let mut sources = Sources::default();
        let pairs = environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        sources.environment = pairs.collect();
        Config::load(&sources).unwrap().0
    }

    fn found(path: &str) -> Result<Resource> {
        resource(path, &config(&[]))
    }

    #[test]
    fn paths_name_the_root_relations_and_functions() {
        assert_eq!(found("/").unwrap(), Resource::Root);
        assert_eq!(found("/a%20b;").unwrap(), Resource::Relation("a b;".to_owned()));
        assert_eq!(found("/rpc").unwrap(), Resource::Relation("rpc".to_owned()));
        assert_eq!(found("/rpc/f%2Fg").unwrap(), Resource::Function("f/g".to_owned()));
    }

    #[test]
    fn longer_paths_are_nowhere() {
        for path in ["/a/b", "/rpc/f/g", "/a/", "//a"] {
            assert_eq!(found(path).unwrap_err().code(), "PGRST125", "{path}");
        }
    }

    #[test]
    fn the_root_may_be_off_or_a_function() {
        let off = config(&[("PGRST_OPENAPI_MODE", "disabled")]);
        assert_eq!(resource("/", &off).unwrap_err().code(), "PGRST126");
        let function = config(&[("PGRST_DB_ROOT_SPEC", "root")]);
        assert_eq!(resource("/", &function).unwrap(), Resource::Function("root".to_owned()));
    }

    #[test]
    fn methods_are_tasks_and_others_are_told_by_name() {
        let relation = || Resource::Relation("t".to_owned());
        let function = || Resource::Function("f".to_owned());
        assert_eq!(task(relation(), &Method::PUT).unwrap(), Task::Relation("t".to_owned(), Verb::Upsert));
        assert_eq!(
            task(function(), &Method::HEAD).unwrap(),
            Task::Call("f".to_owned(), CallAccess::ReadOnly)
        );
        assert_eq!(task(function(), &Method::OPTIONS).unwrap(), Task::Options(function()));
        let error = task(function(), &Method::PATCH).unwrap_err();
        assert_eq!(
            (error.code(), error.message.as_str()),
            ("PGRST101", "Cannot use the PATCH method on RPC")
        );
        let error = task(relation(), &Method::TRACE).unwrap_err();
        assert_eq!((error.code(), error.message.as_str()), ("PGRST117", "Unsupported HTTP method: TRACE"));
        assert_eq!(task(Resource::Root, &Method::POST).unwrap_err().code(), "PGRST117");
    }
}
