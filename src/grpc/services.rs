//! Services: everything that calls are looked up in. A reload gives services their names; which methods one has, what
//! reads and writes its messages and what encodes its rows is made when it is first called. Descriptors of whole files
//! are made for whoever asks for them, and not kept here.

use super::{
    descriptor::{self, Part, Root, Side},
    encode::Encoders,
    lock::Lock,
    method::{Effects, RelationMethod, Responses},
    options::Options,
    surface::{EXECUTE, FUNCTIONS_SERVICE, Package, Surface, TRANSACTION_SERVICE, changes, surface},
};
use crate::{
    catalog::Catalog,
    error::{Error, Fault, Result},
    metrics::{self, Route, Subject},
};
use arc_swap::ArcSwapOption;
use prost_reflect::DynamicMessage;
use prost_types::FileDescriptorProto;
use std::{
    collections::{BTreeSet, HashMap},
    sync::{Arc, OnceLock},
};

/// Everything that calls are looked up in.
#[derive(Debug)]
pub(crate) struct Services {
    surface: Surface,
    /// What is made of each package when it is called.
    made: Vec<Made>,
    /// By full name: `api.v1.StudentsService`.
    services: HashMap<String, Service>,
    /// The files that generated ones import, without comments.
    imports: OnceLock<Vec<FileDescriptorProto>>,
}

/// What is made of a package when it is called.
#[derive(Debug)]
struct Made {
    encoders: Encoders,
    /// Those of the methods of each resource.
    resources: Vec<OnceLock<Box<[Parts; RelationMethod::ALL.len()]>>>,
    functions: Vec<Parts>,
    /// What calls of each resource's methods are counted as.
    resource_routes: Vec<OnceLock<Arc<Route>>>,
    function_routes: Vec<OnceLock<Arc<Route>>>,
    functions_by_method: HashMap<String, usize>,
}

/// What reads and writes the messages of one method: of the request and of the response.
#[derive(Debug, Default)]
struct Parts {
    request: ArcSwapOption<Part>,
    response: ArcSwapOption<Part>,
}

/// A service.
#[derive(Clone, Copy, Debug)]
struct Service {
    package: usize,
    of: Of,
}

/// What a service is about.
#[derive(Clone, Copy, Debug)]
enum Of {
    /// This of the package's resources.
    Resource(usize),
    /// The package's functions.
    Functions,
    /// Several writes in one transaction.
    Transactions,
}

/// A method.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Method {
    /// Which package it is of.
    pub(crate) package: usize,
    /// What it is about.
    pub(crate) target: Target,
    /// How it is called.
    pub(crate) signature: Signature,
}

/// How a method is called.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Signature {
    /// What it changes.
    pub(crate) effects: Effects,
    /// How it answers.
    pub(crate) responses: Responses,
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
    /// Several of these that write, in one transaction.
    Transaction,
}

impl Services {
    /// The services of a catalog.
    pub(crate) fn new(catalog: &Arc<Catalog>, options: &Options, lock: &Lock) -> Result<Self> {
        let surface = surface(catalog, options, lock).map_err(unusable)?;
        let made = surface.packages.iter().map(Made::of).collect();
        let mut services = HashMap::with_capacity(surface.packages.iter().map(Package::resource_count).sum());
        for (at, package) in surface.packages.iter().enumerate() {
            for resource in 0..package.resource_count() {
                if let Some(names) = package.names(resource) {
                    let name = format!("{}.{}", package.name, names.service());
                    services.insert(name, Service { package: at, of: Of::Resource(resource) });
                }
            }
            if !package.functions.is_empty() {
                let name = format!("{}.{FUNCTIONS_SERVICE}", package.name);
                services.insert(name, Service { package: at, of: Of::Functions });
            }
            if package.has_operations() {
                let name = format!("{}.{TRANSACTION_SERVICE}", package.name);
                services.insert(name, Service { package: at, of: Of::Transactions });
            }
        }
        Ok(Self { surface, made, services, imports: OnceLock::new() })
    }

    /// What has another number or another meaning than in these, a line each.
    pub(crate) fn changes_since(&self, former: &Self) -> Vec<String> {
        changes(former.surface.packages.iter(), self.surface.packages.iter())
    }

    /// The lock that keeps names and numbers as they are.
    pub(crate) fn lock(&self) -> Lock {
        self.surface.lock()
    }

    /// The encoded descriptors of all packages, with all imports and comments.
    pub(crate) fn files(&self) -> Result<Vec<u8>> {
        let packages = self.surface.packages.iter();
        let set = descriptor::files(packages.clone()).map_err(broken)?;
        Ok(descriptor::encoded(set, packages))
    }

    /// The package at this place, and its encoders.
    pub(crate) fn package(&self, at: usize) -> Option<(&Package, &Encoders)> {
        Some((self.surface.packages.get(at)?, &self.made.get(at)?.encoders))
    }

    /// The method at this path: `/api.v1.StudentsService/GetStudent`.
    pub(crate) fn method(&self, path: &str) -> Option<Method> {
        let (service, name) = path.strip_prefix('/')?.split_once('/')?;
        let Service { package: at, of } = *self.services.get(service)?;
        let package = self.surface.packages.get(at)?;
        match of {
            Of::Resource(at_resource) => {
                let resource = package.resource(at_resource)?;
                let found = resource.methods.iter().find(|method| method.is_called(name, &resource.names));
                found.map(|method| Method::of_relation(at, at_resource, *method))
            }
            Of::Functions => {
                let function = *self.made.get(at)?.functions_by_method.get(name)?;
                let found = package.functions.get(function)?;
                let signature = Signature { effects: found.effects(), responses: found.responses() };
                Some(Method { package: at, target: Target::Function { function }, signature })
            }
            Of::Transactions if name == EXECUTE => {
                let signature = Signature { effects: Effects::Some, responses: Responses::One };
                Some(Method { package: at, target: Target::Transaction, signature })
            }
            Of::Transactions => None,
        }
    }

    /// What calls of a method are counted as, if it is about one thing; `make` is asked once for each.
    pub(crate) fn route(
        &self,
        method: &Method,
        make: impl FnOnce(Subject<'_>) -> Arc<Route>,
    ) -> Option<Arc<Route>> {
        let (package, made) = (self.surface.packages.get(method.package)?, self.made.get(method.package)?);
        let schema = package.schema.as_str();
        let route = match method.target {
            Target::Relation { resource, .. } => {
                let kept = made.resource_routes.get(resource)?;
                let relation = || package.resource(resource).map_or("", |resource| &resource.relation);
                kept.get_or_init(|| make(Subject::Relation(schema, relation())))
            }
            Target::Function { function } => {
                let kept = made.function_routes.get(function)?;
                let name = || package.functions.get(function).map_or("", |function| &function.function);
                kept.get_or_init(|| make(Subject::Function(schema, name())))
            }
            Target::Transaction => return None,
        };
        Some(Arc::clone(route))
    }

    /// The method that an operation of a package's transactions is, and its path.
    pub(crate) fn operation(&self, package: usize, target: Target) -> Option<(Method, String)> {
        let found = self.surface.packages.get(package)?;
        let (method, service, name) = match target {
            Target::Relation { resource, method } => {
                let names = found.names(resource)?;
                let of_relation = Method::of_relation(package, resource, method);
                (of_relation, names.service(), method.name(names))
            }
            Target::Function { function: at } => {
                let function = found.functions.get(at)?;
                let signature = Signature { effects: function.effects(), responses: function.responses() };
                let method = Method { package, target, signature };
                (method, FUNCTIONS_SERVICE.to_owned(), function.method.clone())
            }
            Target::Transaction => return None,
        };
        Some((method, format!("/{}.{service}/{name}", found.name)))
    }

    /// The paths of the methods that have messages of their own: all but those of transactions.
    pub(crate) fn paths(&self) -> Vec<String> {
        let mut paths = Vec::new();
        for package in &self.surface.packages {
            for resource in package.all_resources() {
                let service = resource.names.service();
                let name = |method: &RelationMethod| method.name(&resource.names);
                let path = |name| format!("/{}.{service}/{name}", package.name);
                paths.extend(resource.methods.iter().map(name).map(path));
            }
            let path = |method| format!("/{}.{FUNCTIONS_SERVICE}/{method}", package.name);
            paths.extend(package.functions.iter().map(|function| path(&function.method)));
        }
        paths
    }

    /// Whether there is a service of this full name.
    pub(crate) fn knows(&self, service: &str) -> bool {
        self.services.contains_key(service)
    }

    /// The full names of the services.
    pub(crate) fn names(&self) -> Vec<String> {
        self.services.keys().cloned().collect()
    }

    /// Reads a message of a method.
    pub(crate) fn read(&self, method: &Method, side: Side, bytes: &[u8]) -> Result<DynamicMessage> {
        self.by_part(method, side, |part| {
            let message = DynamicMessage::decode(part.message().clone(), bytes).map_err(|error| {
                let name = part.message().full_name();
                Error::new(Fault::InvalidMessage, format!("{name}: {error}"))
            })?;
            let lacking = part.lacking(&message);
            Ok((message, lacking))
        })
    }

    /// The part of the description that a message in JSON needs.
    pub(crate) fn part_for_json(
        &self,
        method: &Method,
        side: Side,
        json: &serde_json::Value,
    ) -> Result<Arc<Part>> {
        self.by_part(method, side, |part| Ok((part.clone(), part.lacking_in_json(json))))
    }

    /// What `read` gives by a part that lacks nothing. It says what a part lacks.
    fn by_part<T>(
        &self,
        method: &Method,
        side: Side,
        read: impl Fn(&Arc<Part>) -> Result<(T, BTreeSet<String>)>,
    ) -> Result<T> {
        // Messages before this one may have made it as large as it can be.
        for part in [Self::part, Self::fresh_part] {
            let mut part = part(self, method, side)?;
            loop {
                let (found, lacking) = read(&part)?;
                if lacking.is_empty() {
                    return Ok(found);
                }
                let Some(grown) = part.grown(self.root(method, side)?, self.imports()?, &lacking)? else {
                    break;
                };
                part = self.keep(method, side, grown)?;
            }
        }
        let most = format!("It can hold something of {} relations at most.", Part::MOST_RESOURCES);
        Err(Error::new(Fault::RequestTooComplex, "The message is too complex").details(most))
    }

    /// What describes a message of a method, and what messages of it have held so far.
    pub(crate) fn part(&self, method: &Method, side: Side) -> Result<Arc<Part>> {
        match self.place(method, side)?.load_full() {
            Some(part) => Ok(part),
            None => self.fresh_part(method, side),
        }
    }

    fn fresh_part(&self, method: &Method, side: Side) -> Result<Arc<Part>> {
        self.keep(method, side, Part::new(self.root(method, side)?, self.imports()?)?)
    }

    /// Keeps a part in place of the one before.
    fn keep(&self, method: &Method, side: Side, part: Part) -> Result<Arc<Part>> {
        let part = Arc::new(part);
        self.place(method, side)?.store(Some(part.clone()));
        Ok(part)
    }

    fn root(&self, method: &Method, side: Side) -> Result<Root<'_>> {
        let package = self.surface.packages.get(method.package).ok_or_else(gone)?;
        Ok(Root { package, target: method.target, side })
    }

    fn imports(&self) -> Result<&[FileDescriptorProto]> {
        if let Some(imports) = self.imports.get() {
            return Ok(imports);
        }
        let mut files = descriptor::imports().map_err(broken)?.file;
        for file in &mut files {
            file.source_code_info = None;
        }
        Ok(self.imports.get_or_init(|| files))
    }

    /// Where the part of a method's message is kept.
    fn place(&self, method: &Method, side: Side) -> Result<&ArcSwapOption<Part>> {
        let made = self.made.get(method.package).ok_or_else(gone)?;
        let parts = match method.target {
            Target::Relation { resource, method } => {
                let parts = made.resources.get(resource).map(|parts| parts.get_or_init(Default::default));
                parts.and_then(|parts| parts.get(method as usize))
            }
            Target::Function { function } => made.functions.get(function),
            // Its operations are read and written as what they are alone.
            Target::Transaction => None,
        };
        let parts = parts.ok_or_else(gone)?;
        Ok(match side {
            Side::Request => &parts.request,
            Side::Response => &parts.response,
        })
    }
}

impl Made {
    fn of(package: &Package) -> Self {
        let functions = package.functions.iter().enumerate();
        Self {
            encoders: Encoders::new(package),
            resources: (0..package.resource_count()).map(|_| OnceLock::new()).collect(),
            functions: package.functions.iter().map(|_| Parts::default()).collect(),
            resource_routes: (0..package.resource_count()).map(|_| OnceLock::new()).collect(),
            function_routes: package.functions.iter().map(|_| OnceLock::new()).collect(),
            functions_by_method: functions.map(|(at, function)| (function.method.clone(), at)).collect(),
        }
    }
}

impl Method {
    /// What its calls are counted as.
    pub(crate) fn counted(&self) -> metrics::Method {
        match self.target {
            Target::Relation { method, .. } => method.counted(),
            Target::Function { .. } => metrics::Method::Call,
            Target::Transaction => metrics::Method::Execute,
        }
    }

    fn of_relation(package: usize, resource: usize, method: RelationMethod) -> Self {
        let signature = Signature { effects: method.effects(), responses: method.responses() };
        Self { package, target: Target::Relation { resource, method }, signature }
    }
}

/// The method table is of the same surface, so this does not happen.
pub(super) fn gone() -> Box<Error> {
    Error::new(Fault::Internal, "the method table is broken")
}

/// A lock or a template that cannot be used.
pub(super) fn unusable(error: impl std::fmt::Display) -> Box<Error> {
    Error::new(Fault::CatalogUnavailable, "The configuration cannot be used").cause(error)
}

/// Descriptors that contradict themselves.
pub(super) fn broken(error: impl std::fmt::Display) -> Box<Error> {
    Error::new(Fault::Internal, "The schema cannot be described as gRPC services").cause(error)
}

#[cfg(test)]
mod tests;
