//! The services that are there whatever the catalog: health, and reflection where the option
//! `grpc-reflection` has it. Which methods they have, and who may call them; they answer by
//! themselves.

use super::{
    method::{Effects, Responses},
    reflection::own_descriptors,
    services::{Signature, broken},
};
use crate::{
    auth::Identity,
    config::GrpcReflection,
    error::{Caller, Error, Fault, Result},
    metrics,
};
use prost_reflect::{DescriptorPool, MessageDescriptor, MethodDescriptor};
use prost_types::{MethodOptions, method_options::IdempotencyLevel};
use std::collections::{HashMap, HashSet};
use tonic_health::pb::health_server;
use tonic_reflection::pb::{v1, v1alpha};

/// One of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Infrastructure {
    /// How things are. Whoever checks that has no token.
    Health,
    /// What there is.
    Reflection,
    /// The same, as older clients ask for it.
    ReflectionAlpha,
}

impl Infrastructure {
    /// What its methods are counted as.
    pub(super) fn counted(self) -> metrics::Method {
        match self {
            Self::Health => metrics::Method::Health,
            Self::Reflection | Self::ReflectionAlpha => metrics::Method::Reflection,
        }
    }
}

const NAMES: [(&str, Infrastructure); 3] = [
    (health_server::SERVICE_NAME, Infrastructure::Health),
    (v1::server_reflection_server::SERVICE_NAME, Infrastructure::Reflection),
    (v1alpha::server_reflection_server::SERVICE_NAME, Infrastructure::ReflectionAlpha),
];

/// A method of the health or the reflection service.
#[derive(Clone, Debug)]
pub(super) struct Method {
    pub(super) of: Infrastructure,
    pub(super) signature: Signature,
    /// Its request.
    pub(super) input: MessageDescriptor,
    /// Its response.
    pub(super) output: MessageDescriptor,
}

impl Method {
    fn described(of: Infrastructure, method: &MethodDescriptor) -> Self {
        let options = method.method_descriptor_proto().options.as_ref();
        let effects = match options.map(MethodOptions::idempotency_level) {
            Some(IdempotencyLevel::NoSideEffects) => Effects::None,
            Some(IdempotencyLevel::Idempotent | IdempotencyLevel::IdempotencyUnknown) | None => Effects::Some,
        };
        let responses = if method.is_server_streaming() { Responses::Stream } else { Responses::One };
        let signature = Signature { effects, responses };
        Self { of, signature, input: method.input(), output: method.output() }
    }
}

/// Their methods, by path.
#[derive(Debug)]
pub(super) struct Methods {
    methods: HashMap<String, Method>,
    services: HashSet<&'static str>,
    reflection: GrpcReflection,
}

impl Methods {
    /// Those that the option leaves.
    pub(super) fn new(reflection: GrpcReflection) -> Result<Self> {
        let pool = DescriptorPool::decode(own_descriptors().concat().as_slice()).map_err(broken)?;
        let mut found = Self { methods: HashMap::new(), services: HashSet::new(), reflection };
        for (name, service) in NAMES {
            if is_offered(service, reflection) {
                let described = pool.get_service_by_name(name).ok_or_else(|| broken(name))?;
                let method = |method: MethodDescriptor| {
                    (format!("/{name}/{}", method.name()), Method::described(service, &method))
                };
                found.methods.extend(described.methods().map(method));
                found.services.insert(name);
            }
        }
        Ok(found)
    }

    /// The method at this path.
    pub(super) fn method(&self, path: &str) -> Option<&Method> {
        self.methods.get(path)
    }

    /// Whether the service of this full name is one of them.
    pub(super) fn knows(&self, service: &str) -> bool {
        self.services.contains(service)
    }

    /// Whether whoever this is may be told what there is.
    pub(super) fn may_reflect(&self, identity: &Identity) -> Result<()> {
        match (self.reflection, identity.caller) {
            (GrpcReflection::Enabled, _) | (GrpcReflection::Authenticated, Caller::Authenticated) => Ok(()),
            (GrpcReflection::Authenticated, Caller::Anonymous) | (GrpcReflection::Disabled, _) => {
                Err(Error::new(Fault::AnonymousDisabled, "Reflection needs a token"))
            }
        }
    }
}

fn is_offered(service: Infrastructure, reflection: GrpcReflection) -> bool {
    match (service, reflection) {
        (Infrastructure::Health, _) => true,
        (
            Infrastructure::Reflection | Infrastructure::ReflectionAlpha,
            GrpcReflection::Enabled | GrpcReflection::Authenticated,
        ) => true,
        (Infrastructure::Reflection | Infrastructure::ReflectionAlpha, GrpcReflection::Disabled) => false,
    }
}
