//! An object and its members. What generators cannot make an identifier of, or would make one of twice, is no member that
//! they see: the object's description names it, and objects that are sent may have it.

use super::{comment, name};
use std::collections::HashSet;
use utoipa::openapi::{
    RefOr,
    schema::{AdditionalProperties, Object, ObjectBuilder, Schema},
};

/// An object in the making.
pub(super) struct Members {
    object: ObjectBuilder,
    description: Option<String>,
    others: Others,
    identifiers: HashSet<String>,
    unseen: Vec<String>,
}

/// Whether an object may have members that are not described.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Others {
    Allowed,
    Refused,
}

impl Members {
    pub(super) fn new(description: Option<String>, others: Others) -> Self {
        Self {
            object: ObjectBuilder::new(),
            description,
            others,
            identifiers: HashSet::new(),
            unseen: Vec::new(),
        }
    }

    /// Adds a member.
    pub(super) fn add(&mut self, name: &str, value: RefOr<Schema>) {
        if self.is_new(name) {
            self.object = std::mem::take(&mut self.object).property(name, value);
        }
    }

    /// Adds a member that has to be there.
    pub(super) fn add_required(&mut self, name: &str, value: RefOr<Schema>) {
        if self.is_new(name) {
            self.object = std::mem::take(&mut self.object).property(name, value).required(name);
        }
    }

    fn is_new(&mut self, name: &str) -> bool {
        let is_new = name::identifier(name).is_some_and(|identifier| self.identifiers.insert(identifier));
        if !is_new {
            self.unseen.push(format!("`{name}`"));
        }
        is_new
    }

    pub(super) fn build(self) -> Object {
        let others = match self.unseen.is_empty() {
            true => self.others,
            false => Others::Allowed,
        };
        let unseen = format!(
            "Has members besides whose names not every language can have: {}.",
            self.unseen.join(", ")
        );
        let parts = self.description.into_iter().chain((!self.unseen.is_empty()).then_some(unseen));
        let description: Vec<_> = parts.map(|part| comment::markdown(&part)).collect();
        let object = match others {
            Others::Allowed => self.object,
            Others::Refused => {
                self.object.additional_properties(Some(AdditionalProperties::<Schema>::FreeForm(false)))
            }
        };
        object.description(Some(description.join("\n\n")).filter(|text| !text.is_empty())).build()
    }
}
