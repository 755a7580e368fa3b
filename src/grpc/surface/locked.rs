//! Names and numbers between the surface and the lock: things are built under
//! the names that the database has, and get here those that they keep.

use super::{
    Declared, Embed, Enum, Field, Multiplicity, Numbered, Numbers, Package, Resource, ResourceNames, Returns,
    Scalar, Shape,
    build::{Builder, own_number},
    predicate,
    types::qualified,
};
use crate::{
    catalog::descriptor::{self, Argument, Relation, Type},
    grpc::{
        lock::{self, CompositeLock, EnumLock, FunctionLock, Ledger, LockError, Rank, RelationLock, Wanted},
        names::{Claims, field_name},
    },
};
use std::collections::HashMap;

impl Package {
    /// A type as a `.proto` file of this package writes it.
    pub(super) fn kind(&self, shape: Shape) -> String {
        let one = match shape.scalar() {
            Scalar::Bool => "bool",
            Scalar::Int2 | Scalar::Int4 => "int32",
            Scalar::Int8 => "int64",
            Scalar::Float4 => "float",
            Scalar::Float8 => "double",
            Scalar::TimestampTz => TIMESTAMP,
            Scalar::Bytea => "bytes",
            Scalar::Hstore => "pgduet.types.v1.Hstore",
            Scalar::Text | Scalar::Json | Scalar::TimestampText | Scalar::OwnText => "string",
            Scalar::Enum(at) => self.enums.get(at).map_or("string", |found| found.name.as_str()),
            Scalar::Record(at) => self.records.get(at).map_or("string", |record| record.message.as_str()),
        };
        repeated(one, shape.is_many())
    }
}

/// A `timestamptz` as a `.proto` file has it.
pub(super) const TIMESTAMP: &str = "google.protobuf.Timestamp";

/// Where values get their names.
pub(super) enum Scope<'a> {
    /// What they would be called is theirs.
    Settled,
    /// Others may have their names.
    Open(&'a mut Claims),
}

fn repeated(kind: &str, many: bool) -> String {
    if many { format!("repeated {kind}") } else { kind.to_owned() }
}

impl Enum {
    /// Every name that it takes.
    pub(super) fn names(&self) -> Vec<String> {
        let values = self.values.iter().map(|value| value.name.clone());
        [self.name.clone(), self.predicate(), self.unspecified.clone()].into_iter().chain(values).collect()
    }
}

/// Gives fields the names and numbers that they keep.
/// `beside` are the other fields of their message.
pub(super) fn settle(package: &Package, ledger: &Ledger, fields: &mut [Field], beside: &Ledger) -> Ledger {
    // The one argument without a name is called after what it is.
    let key = |field: &Field| if field.column.is_empty() { &field.name } else { &field.column }.clone();
    let wanted = |field: &Field| {
        let name = field_name(&field.name);
        Wanted {
            key: key(field),
            kind: package.kind(field.shape),
            // Whose name is one in protobuf has it, whoever else's ends at it.
            rank: if name == field.name { Rank::First } else { Rank::Second },
            names: vec![name],
        }
    };
    let wanted: Vec<Wanted> = fields.iter().map(wanted).collect();
    let settled = ledger.settle_fields(&wanted, beside);
    for (field, wanted) in fields.iter_mut().zip(wanted) {
        if let Some(declaration) = settled.fields.get(&wanted.key) {
            field.name.clone_from(&declaration.name);
            field.number = declaration.number;
        }
    }
    settled
}

fn names_of(locked: &RelationLock, related: &str) -> ResourceNames {
    let (singular, plural) = (locked.message.clone(), locked.plural.clone());
    ResourceNames { singular, plural, related: related.to_owned() }
}

impl Builder<'_> {
    /// Takes every locked name, before anything new can.
    pub(super) fn hold_locked_names(&mut self) -> Result<(), LockError> {
        let claims = &mut self.claims;
        // A name that two locked things have is an error, but the messages about related rows make way.
        let mut hold = |what: &str, name: &str, names: Vec<String>| {
            claims.take(names).map_err(|taken| lock::collision(&format!("{what} \"{name}\""), &taken))
        };
        for (name, found) in &self.lock.relations {
            hold("relation", name, names_of(found, &found.message).own())?;
            hold("relation", name, found.uniques.all().map(|value| value.name.clone()).collect())?;
        }
        for (name, found) in &self.lock.enums {
            let values = found.labels.all().map(|value| value.name.clone());
            hold("enum", name, values.chain([found.name.clone(), predicate(&found.name)]).collect())?;
        }
        for (name, found) in &self.lock.composites {
            hold("composite", name, vec![found.message.clone()])?;
        }
        for (name, found) in &self.lock.functions {
            let stem = found.messages();
            hold("function", name, vec![format!("{stem}Request"), format!("{stem}Response")])?;
        }
        for (name, found) in &self.lock.relations {
            let candidate =
                |attempt| names_of(found, &format!("{}{}", found.message, own_number(name, attempt)));
            let names = claims.claim(candidate, ResourceNames::of_related);
            self.related.insert(name.clone(), names.related);
        }
        Ok(())
    }

    /// Settles an enum's values.
    pub(super) fn settle_labels(&mut self, key: &str, found: &mut Enum) {
        let labels = self.lock.enums.get(key).map(|known| known.labels.clone()).unwrap_or_default();
        // Without a lock the enum's names have been taken together with its own.
        let scope = if labels.is_empty() { Scope::Settled } else { Scope::Open(&mut self.claims) };
        let settled = settle_values(&labels, found, scope);
        self.next.enums.insert(key.to_owned(), EnumLock { name: found.name.clone(), labels: settled });
    }

    /// What is locked of the attributes of the package's record at this place.
    pub(super) fn attributes_of(&self, package: &Package, at: usize, found: &Type) -> Ledger {
        let known = || self.lock.composites.get(&qualified(found)).map(|known| &known.attributes);
        let of_relation = self.relation_of(package, at, found).map(|relation| &relation.columns);
        of_relation.or_else(known).cloned().unwrap_or_default()
    }

    /// Settles the attributes of the package's record at this place.
    pub(super) fn settle_attributes(
        &mut self,
        package: &mut Package,
        at: usize,
        found: &Type,
        ledger: &Ledger,
        mut fields: Vec<Field>,
    ) {
        let beside =
            self.relation_of(package, at, found).map(|relation| relation.embeds.clone()).unwrap_or_default();
        let settled = settle(package, ledger, &mut fields, &beside);
        let Some(record) = package.records.get_mut(at) else { return };
        record.fields = fields;
        record.reserved = settled.reserved_with_gaps();
        if record.declared == Declared::Here {
            let locked = CompositeLock { message: record.message.clone(), attributes: settled };
            self.next.composites.insert(qualified(found), locked);
        }
    }

    /// What is locked of the relation whose message the record's is.
    fn relation_of(&self, package: &Package, at: usize, found: &Type) -> Option<&RelationLock> {
        match package.records.get(at)?.declared {
            Declared::ByResource => {
                let relation: &Relation = self.catalog.relation_by_oid(found.relation)?;
                self.lock.relations.get(&relation.name)
            }
            Declared::Here => None,
        }
    }

    /// The methods of functions that are locked.
    pub(super) fn locked_methods(&self) -> Claims {
        let mut methods = Claims::default();
        for function in self.lock.functions.values() {
            // Of two that share a name the messages do too, which was refused.
            let _ = methods.take(vec![function.method.clone()]);
        }
        methods
    }

    /// What is locked of each of these functions. One that was alone of its name,
    /// and is so still, is the same whatever arguments it has now.
    pub(super) fn locked_functions(
        &mut self,
        functions: &[&descriptor::Function],
    ) -> HashMap<String, FunctionLock> {
        let mut found = HashMap::new();
        if self.lock.functions.is_empty() {
            return found;
        }
        let keys = keys(functions);
        for key in &keys {
            if let Some(known) = self.lock.functions.get(key) {
                found.insert(key.clone(), known.clone());
                continue;
            }
            let Some((name, _)) = key.split_once('(') else { continue };
            let begins = format!("{name}(");
            let alone = keys.iter().filter(|key| key.starts_with(&begins)).count() == 1;
            let before: Vec<&String> =
                self.lock.functions.keys().filter(|key| key.starts_with(&begins)).collect();
            if let (true, [before]) = (alone, before.as_slice())
                && let Some(known) = self.next.functions.remove(*before)
            {
                found.insert(key.clone(), known);
            }
        }
        found
    }
}

/// Gives an enum's values the names and numbers that they keep.
pub(super) fn settle_values(labels: &Ledger, found: &mut Enum, mut scope: Scope<'_>) -> Ledger {
    let wanted = found.values.iter().map(|value| Wanted {
        key: value.label.clone(),
        kind: String::new(),
        names: vec![value.name.clone()],
        rank: Rank::First,
    });
    let wanted: Vec<Wanted> = wanted.collect();
    let mut numbers =
        Numbers::of(Numbered::Label, labels.all().map(|declaration| declaration.number).chain([0]));
    let settled = labels.settle(&wanted, &mut numbers, |wanted, reserved| {
        let candidate = |wanted: &&Wanted, attempt| match wanted.names.first() {
            Some(plain) if reserved.iter().any(|former| former.name == *plain) && attempt > 0 => {
                format!("{plain}_{}", attempt + 1)
            }
            Some(_) | None => wanted.name(attempt),
        };
        match &mut scope {
            Scope::Settled => wanted.iter().map(|wanted| wanted.name(0)).collect(),
            Scope::Open(claims) => claims.settle(wanted, candidate, |name| vec![name.clone()]),
        }
    });
    for value in &mut found.values {
        if let Some(declaration) = settled.fields.get(&value.label) {
            value.name.clone_from(&declaration.name);
            value.number = declaration.number;
        }
    }
    found.reserved = settled.reserved();
    settled
}

/// Enters a relation's names and key into its next lock; tells the resource what is reserved.
pub(super) fn lock_relation(resource: &mut Resource, known: Option<&RelationLock>, next: &mut RelationLock) {
    let former_key = known.map(|known| {
        let were = known.key.iter().filter_map(|column| known.columns.fields.get(column));
        let is_key = |number: u32| resource.key_columns().any(|field| field.number == number);
        let mut former: Vec<_> = known.former_key.iter().chain(were).cloned().collect();
        former.retain(|declaration| !is_key(declaration.number));
        former
    });
    next.message.clone_from(&resource.names.singular);
    next.plural.clone_from(&resource.names.plural);
    next.key = resource.key_columns().map(|field| field.column.clone()).collect();
    next.former_key = former_key.unwrap_or_default();
    resource.reserved = next.columns.reserved_with_gaps();
    let former_key = Ledger { reserved: next.former_key.clone(), ..Ledger::default() };
    resource.reserved_key = former_key.reserved();
}

/// Settles a relation's embeds; `named` is what each embed would be called and who goes first.
pub(super) fn settle_embeds(
    package: &Package,
    resource: &mut Resource,
    next: &mut RelationLock,
    named: Vec<(Vec<String>, Rank)>,
) {
    let kind =
        |embed: &Embed| repeated(package.message(embed.resource), embed.multiplicity == Multiplicity::Many);
    // Locks of old have a relationship that is alone under its target's name.
    let mut known = next.embeds.clone();
    for embed in &resource.embeds {
        let former = embed.former_key();
        if !known.fields.contains_key(&embed.key)
            && let Some(declaration) = known.fields.remove(&former)
        {
            known.fields.insert(embed.key.clone(), declaration);
        }
    }
    let wanted: Vec<Wanted> = resource
        .embeds
        .iter()
        .zip(named)
        .map(|(embed, (names, rank))| Wanted { key: embed.key.clone(), kind: kind(embed), names, rank })
        .collect();
    let beside = Ledger::all_of(&[&next.columns, &next.computed, &next.counts]);
    next.embeds = known.settle_fields(&wanted, &beside);
    for embed in &mut resource.embeds {
        if let Some(declaration) = next.embeds.fields.get(&embed.key) {
            embed.name.clone_from(&declaration.name);
            embed.number = declaration.number;
        }
    }
    resource.reserved_embeds = next.embeds.reserved();
}

impl Embed {
    /// What locks of old call it.
    fn former_key(&self) -> String {
        match &self.hint {
            Some(hint) => format!("{}!{hint}", self.target),
            None => self.target.clone(),
        }
    }
}

impl Resource {
    /// The key's columns.
    fn key_columns(&self) -> impl Iterator<Item = &Field> {
        self.key.iter().filter_map(|at| self.fields.get(*at))
    }
}

/// What the lock calls functions: by their names and their arguments' names, and where those of two are the same by the
/// arguments' types too.
pub(super) fn keys(functions: &[&descriptor::Function]) -> Vec<String> {
    let key = |function: &descriptor::Function, argument: fn(&Argument) -> String| {
        let arguments: Vec<String> = function.arguments.iter().map(argument).collect();
        format!("{}({})", function.name, arguments.join(","))
    };
    let plain: Vec<String> =
        functions.iter().map(|function| key(function, |argument| argument.name.clone())).collect();
    let mut count: HashMap<&str, usize> = HashMap::new();
    for key in &plain {
        *count.entry(key).or_default() += 1;
    }
    let typed = |argument: &Argument| format!("{} {}", argument.name, argument.sql_type);
    let own = |(function, plain): (&&descriptor::Function, &String)| match count.get(plain.as_str()) {
        Some(1) => plain.clone(),
        Some(_) | None => key(function, typed),
    };
    functions.iter().zip(&plain).map(own).collect()
}

/// What a function gives, as the lock writes it.
pub(super) fn signature(package: &Package, returns: &Returns, multiplicity: Multiplicity) -> String {
    let row = match returns {
        Returns::Void => "void".to_owned(),
        Returns::Value(shape) => package.kind(*shape),
        Returns::Resource(at) => package.message(*at).to_owned(),
        Returns::Columns(_) => "columns".to_owned(),
    };
    match multiplicity {
        Multiplicity::One => row,
        Multiplicity::Many => format!("{}{row}", lock::STREAM),
    }
}

/// Settles a function's arguments and the columns of its result.
pub(super) fn settle_function(
    package: &Package,
    known: FunctionLock,
    arguments: &mut [Field],
    returns: &mut Returns,
) -> FunctionLock {
    let arguments = settle(package, &known.arguments, arguments, &Ledger::default());
    let columns = match returns {
        Returns::Columns(fields) => settle(package, &known.columns, fields, &Ledger::default()),
        Returns::Void | Returns::Value(_) | Returns::Resource(_) => known.columns,
    };
    FunctionLock { arguments, columns, ..known }
}
