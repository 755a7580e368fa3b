//! Operations: what can be a part of a transaction. Each method that writes and answers by one message is one, as a field
//! of the request and of the response of [`EXECUTE`]. They are worked out when somebody first asks for them.

use super::{Numbered, Numbers, Package};
use crate::{
    catalog::descriptor::Relation,
    grpc::{
        lock::{Ledger, Rank, Wanted},
        method::{Effects, RelationMethod, Responses},
        names::{Claims, default_json, numbered, snake},
        services::Target,
    },
};
use std::collections::HashMap;

/// The service that carries out several writes in one transaction.
pub(crate) const TRANSACTION_SERVICE: &str = "TransactionService";
/// Its method.
pub(crate) const EXECUTE: &str = "Execute";
/// The message of an operation.
pub(crate) const OPERATION: &str = "TransactionServiceOperation";
/// The message of what it answers.
pub(crate) const RESULT: &str = "TransactionServiceResult";
/// The field of an operation that is there whatever the schema.
pub(crate) const REFERENCES: &str = "references";

/// What can be a part of a transaction.
#[derive(Debug)]
pub(crate) struct Operation {
    /// What the names of its messages begin with: `CreateBook`.
    pub(crate) messages: String,
    /// The field's name: `create_book`.
    pub(crate) name: String,
    /// The field's number.
    pub(crate) number: u32,
    /// Which method it is.
    pub(crate) target: Target,
}

/// The operations of a package.
#[derive(Debug)]
pub(crate) struct Operations {
    all: Vec<Operation>,
    by_number: HashMap<u32, usize>,
    /// By the field's name and by that in JSON.
    by_name: HashMap<String, usize>,
    /// Past and present.
    pub(crate) ledger: Ledger,
}

impl Operations {
    /// All of them.
    pub(crate) fn all(&self) -> &[Operation] {
        &self.all
    }

    /// The one whose field has this number.
    pub(crate) fn numbered(&self, number: u32) -> Option<&Operation> {
        self.all.get(*self.by_number.get(&number)?)
    }

    /// The one whose field has this name, in JSON or out of it.
    pub(crate) fn named(&self, name: &str) -> Option<&Operation> {
        self.all.get(*self.by_name.get(name)?)
    }
}

/// The names that the service has in every package.
pub(super) fn names() -> Vec<String> {
    let messages = ["Request", "Response"].map(|end| format!("{TRANSACTION_SERVICE}{EXECUTE}{end}"));
    [TRANSACTION_SERVICE, OPERATION, RESULT].map(str::to_owned).into_iter().chain(messages).collect()
}

impl Package {
    /// Whether anything can be a part of a transaction.
    pub(crate) fn has_operations(&self) -> bool {
        let writes = |relation: &Relation| relation.insertable || relation.updatable || relation.deletable;
        let relations = (0..self.resource_count()).filter_map(|at| self.relation(at));
        relations.into_iter().any(writes) || self.called().next().is_some()
    }

    /// What can be a part of a transaction.
    pub(crate) fn operations(&self) -> &Operations {
        self.operations.get_or_init(|| self.make_operations())
    }

    /// Functions that can be a part of one, by their places.
    fn called(&self) -> impl Iterator<Item = usize> {
        let functions = self.functions.iter().enumerate().filter(|(_, function)| {
            function.effects() == Effects::Some && function.responses() == Responses::One
        });
        functions.map(|(at, _)| at)
    }

    fn make_operations(&self) -> Operations {
        let mut found: Vec<(String, Target)> = Vec::new();
        for resource in 0..self.resource_count() {
            let (Some(relation), Some(names)) = (self.relation(resource), self.names(resource)) else {
                continue;
            };
            let methods = self.methods(relation).filter(|method| method.effects() == Effects::Some);
            let operation =
                |method: RelationMethod| (method.name(names), Target::Relation { resource, method });
            found.extend(methods.map(operation));
        }
        for function in self.called() {
            let messages = self.functions.get(function).map(|found| found.messages.clone());
            found.push((messages.unwrap_or_default(), Target::Function { function }));
        }
        let wanted = |(messages, _): &(String, Target)| Wanted {
            key: messages.clone(),
            kind: format!("{messages}Request"),
            names: vec![snake(messages)],
            rank: Rank::First,
        };
        let ledger = settle(&self.lock.operations, &found.iter().map(wanted).collect::<Vec<_>>());
        let operation = |(messages, target): (String, Target)| {
            let declaration = ledger.fields.get(&messages)?;
            Some(Operation { name: declaration.name.clone(), number: declaration.number, messages, target })
        };
        let all: Vec<Operation> = found.into_iter().filter_map(operation).collect();
        let by_number = all.iter().enumerate().map(|(at, operation)| (operation.number, at)).collect();
        let both = |(at, operation): (usize, &Operation)| {
            [(operation.name.clone(), at), (default_json(&operation.name), at)]
        };
        let by_name = all.iter().enumerate().flat_map(both).collect();
        Operations { all, by_number, by_name, ledger }
    }
}

/// Gives operations the names and numbers that they keep.
fn settle(known: &Ledger, wanted: &[Wanted]) -> Ledger {
    let mut numbers = Numbers::of(Numbered::Operation, known.all().map(|declaration| declaration.number));
    let mut claims = Claims::default();
    claims.take_field(REFERENCES);
    known.all().for_each(|declaration| claims.take_field(&declaration.name));
    known.settle(wanted, &mut numbers, |new, reserved| {
        claims.fields(new, |wanted, attempt| match wanted.names.first() {
            // It was there before, and is counted.
            Some(plain) if reserved.iter().any(|former| former.name == *plain) => numbered(plain, attempt),
            Some(_) | None => wanted.name(attempt),
        })
    })
}
