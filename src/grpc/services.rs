//! Services: everything that calls are looked up in, made once per reload from
//! one surface: the methods by their paths, the encoders, the descriptors.

use super::{
    descriptor,
    encode::Encoders,
    lock::Lock,
    method::RelationMethod,
    surface::{FUNCTIONS_SERVICE, Package, changes, surface},
};
use crate::{
    catalog::Catalog,
    config::PackageTemplate,
    error::{Error, Fault, Result},
};
use prost::Message as _;
use prost_reflect::{DescriptorPool, MessageDescriptor, MethodDescriptor};
use prost_types::{MethodOptions, method_options::IdempotencyLevel};
use std::collections::{HashMap, HashSet};

/// Everything that calls are looked up in.
#[derive(Debug)]
pub(crate) struct Services {
    packages: Vec<(Package, Encoders)>,
    /// By path: `/api.v1.StudentsService/GetStudent`.
    methods: HashMap<String, Method>,
    names: HashSet<String>,
}

/// A method.
#[derive(Debug)]
pub(crate) struct Method {
    /// Which package it is of.
    pub(crate) package: usize,
    /// What it is about.
    pub(crate) target: Target,
    /// What goes in and comes out.
    pub(crate) signature: Signature,
}

/// What goes into a method and comes out of it.
#[derive(Debug)]
pub(crate) struct Signature {
    /// Its request.
    pub(crate) input: MessageDescriptor,
    /// Its response.
    pub(crate) output: MessageDescriptor,
    /// What it changes.
    pub(crate) effects: Effects,
    /// How it answers.
    pub(crate) responses: Responses,
}

impl Signature {
    /// That of a described method.
    pub(crate) fn of(method: &MethodDescriptor) -> Self {
        let options = method.method_descriptor_proto().options.as_ref();
        let effects = match options.map(MethodOptions::idempotency_level) {
            Some(IdempotencyLevel::NoSideEffects) => Effects::None,
            Some(IdempotencyLevel::Idempotent | IdempotencyLevel::IdempotencyUnknown) | None => Effects::Some,
        };
        let responses = if method.is_server_streaming() { Responses::Stream } else { Responses::One };
        Self { input: method.input(), output: method.output(), effects, responses }
    }
}

/// What a method is about.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Target {
    /// A relation.
    Relation {
        /// Which of the package's resources.
        resource: usize,
        /// What is done with it.
        method: RelationMethod,
    },
    /// A function.
    Function {
        /// Which of the package's functions.
        function: usize,
    },
}

/// What a method changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Effects {
    /// Nothing, as it is declared.
    None,
    /// Something.
    Some,
}

/// How a method answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Responses {
    /// By one message.
    One,
    /// By any number of them.
    Stream,
}

impl Services {
    /// The services of a catalog, and their encoded descriptors with all imports;
    /// `template` is the option `grpc-package`.
    pub(crate) fn new(catalog: &Catalog, template: &PackageTemplate, lock: &Lock) -> Result<(Self, Vec<u8>)> {
        let (surface, next) = surface(catalog, template, lock).map_err(unusable)?;
        if *lock != Lock::default() && next != *lock {
            tracing::warn!("The schema has changed since the gRPC lock file was written: export the protos");
        }
        let mut files = descriptor::files(&surface).map_err(broken)?;
        let encoded = files.encode_to_vec();
        // Calls need no comments, which are many.
        for file in &mut files.file {
            file.source_code_info = None;
        }
        let bare = files.encode_to_vec();
        drop(files);
        // A pool passes over a second file of one name, so each reload has its own.
        let pool = DescriptorPool::decode(bare.as_slice()).map_err(broken)?;
        drop(bare);
        let mut services = Self { packages: Vec::new(), methods: HashMap::new(), names: HashSet::new() };
        for (at, package) in surface.packages.iter().enumerate() {
            services.add(at, package, &pool)?;
        }
        services.packages = surface
            .packages
            .into_iter()
            .map(|package| {
                let encoders = Encoders::new(&package);
                (package, encoders)
            })
            .collect();
        Ok((services, encoded))
    }

    fn add(&mut self, at: usize, package: &Package, pool: &DescriptorPool) -> Result<()> {
        for (resource, found) in package.resources.iter().enumerate() {
            let service = format!("{}.{}", package.name, found.names.service());
            for &method in &found.methods {
                let target = Target::Relation { resource, method };
                self.add_method(pool, &service, &method.name(&found.names), at, target)?;
            }
        }
        let service = format!("{}.{FUNCTIONS_SERVICE}", package.name);
        for (function, found) in package.functions.iter().enumerate() {
            self.add_method(pool, &service, &found.method, at, Target::Function { function })?;
        }
        Ok(())
    }

    fn add_method(
        &mut self,
        pool: &DescriptorPool,
        service: &str,
        name: &str,
        package: usize,
        target: Target,
    ) -> Result<()> {
        let declared = pool.get_service_by_name(service);
        let method = declared.and_then(|declared| declared.methods().find(|method| method.name() == name));
        let method = method.ok_or_else(|| broken(format!("{service}/{name} is not described")))?;
        let method = Method { package, target, signature: Signature::of(&method) };
        self.methods.insert(format!("/{service}/{name}"), method);
        self.names.insert(service.to_owned());
        Ok(())
    }

    /// What has another number or another meaning than in these, a line each.
    pub(crate) fn changes_since(&self, former: &Self) -> Vec<String> {
        changes(former.described(), self.described())
    }

    fn described(&self) -> impl Iterator<Item = &Package> {
        self.packages.iter().map(|(package, _)| package)
    }

    /// The package at this place, and its encoders.
    pub(crate) fn package(&self, at: usize) -> Option<(&Package, &Encoders)> {
        self.packages.get(at).map(|(package, encoders)| (package, encoders))
    }

    /// The method at this path.
    pub(crate) fn method(&self, path: &str) -> Option<&Method> {
        self.methods.get(path)
    }

    /// The paths of the methods.
    pub(crate) fn paths(&self) -> impl Iterator<Item = &str> {
        self.methods.keys().map(String::as_str)
    }

    /// How many methods there are.
    pub(crate) fn methods(&self) -> usize {
        self.methods.len()
    }

    /// Whether there is a service of this full name.
    pub(crate) fn knows(&self, service: &str) -> bool {
        self.names.contains(service)
    }

    /// The full names of the services, sorted.
    pub(crate) fn names(&self) -> Vec<String> {
        let mut names: Vec<_> = self.names.iter().cloned().collect();
        names.sort_unstable();
        names
    }
}

/// A lock or a template that cannot be used.
pub(super) fn unusable(error: impl std::fmt::Display) -> Box<Error> {
    Error::new(Fault::CatalogUnavailable, "The configuration cannot be used").cause(error)
}

/// Descriptors that contradict themselves.
pub(super) fn broken(error: impl std::fmt::Display) -> Box<Error> {
    Error::new(Fault::Internal, "The schema cannot be described as gRPC services").cause(error)
}
