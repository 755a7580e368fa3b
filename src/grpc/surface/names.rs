//! What a relation's service, methods and messages are called.

use crate::grpc::{method::RelationMethod, names::upper_snake};

/// What a relation is called.
#[derive(Clone, Debug)]
pub(crate) struct ResourceNames {
    /// One of them: the message, `Student`.
    pub(crate) singular: String,
    /// Several of them, `Students`.
    pub(crate) plural: String,
    /// What the names begin with of messages about related rows, unique keys and aggregates: as a rule `singular`. A lock
    /// that is older than these messages can have given their names away.
    pub(crate) related: String,
}

impl ResourceNames {
    /// Every name that the relation's messages and its service have or could have.
    pub(crate) fn all(&self) -> Vec<String> {
        let mut names = self.own();
        names.extend(self.of_related());
        names
    }

    /// The names that follow from `singular` and `plural`.
    pub(crate) fn own(&self) -> Vec<String> {
        let methods = RelationMethod::ALL.iter().filter(|method| **method != RelationMethod::Aggregate);
        methods
            .map(|method| method.messages(self))
            .flat_map(|method| [format!("{method}Request"), format!("{method}Response")])
            .chain([self.singular.clone(), self.predicates(), self.service()])
            .collect()
    }

    /// The names that follow from `related`.
    pub(crate) fn of_related(&self) -> Vec<String> {
        let unspecified = format!("{}_UNSPECIFIED", upper_snake(&self.unique()));
        let aggregate = RelationMethod::Aggregate.messages(self);
        vec![
            format!("{aggregate}Request"),
            format!("{aggregate}Response"),
            self.aggregates(),
            self.sums(),
            self.averages(),
            self.counts(),
            self.embeds(),
            self.embed(),
            self.related_predicate(),
            self.on_conflict(),
            self.unique(),
            unspecified,
        ]
    }

    /// The enum of the relation's unique keys.
    pub(crate) fn unique(&self) -> String {
        format!("{}Unique", self.related)
    }

    /// The message of what becomes of rows that are there already.
    pub(crate) fn on_conflict(&self) -> String {
        format!("{}OnConflict", self.related)
    }

    /// The message of what is said of each of the relation's embeds.
    pub(crate) fn embeds(&self) -> String {
        format!("{}Embeds", self.related)
    }

    /// The message of what is said of the relation where it is embedded.
    pub(crate) fn embed(&self) -> String {
        format!("{}Embed", self.related)
    }

    /// The message of conditions on the relation's rows where they are related to others.
    pub(crate) fn related_predicate(&self) -> String {
        format!("{}Predicate", self.related)
    }

    /// The message of a group of its rows.
    pub(crate) fn aggregates(&self) -> String {
        format!("{}Aggregates", self.related)
    }

    /// The message of sums of its columns.
    pub(crate) fn sums(&self) -> String {
        format!("{}Sums", self.related)
    }

    /// The message of means of its columns.
    pub(crate) fn averages(&self) -> String {
        format!("{}Averages", self.related)
    }

    /// The message of numbers of values of its columns.
    pub(crate) fn counts(&self) -> String {
        format!("{}Counts", self.related)
    }

    /// The message of its predicates.
    pub(crate) fn predicates(&self) -> String {
        format!("{}Where", self.singular)
    }

    /// The service.
    pub(crate) fn service(&self) -> String {
        format!("{}Service", self.plural)
    }
}
