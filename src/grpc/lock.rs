//! The lock file: which names and numbers things have been given, so that they
//! keep them whatever a restore, another server or a migration does to
//! PostgreSQL's own numbers. `pgduet proto` writes it, the server reads it. It
//! gives out nothing itself: see [`Ledger`] and the surface.
//!
//! A line of it reads like one of the `.proto` file:
//!
//! ```json
//! "columns": {
//!   "fields": { "id": "int32 id = 179104", "Shoe Size": "string shoe_size = 187951" },
//!   "reserved": [ "string nickname = 78333" ]
//! }
//! ```
//!
//! Names may be changed by hand, and what the database calls a thing where it is renamed there;
//! numbers should not be.

mod declaration;
mod ledger;
mod rename;

pub(crate) use declaration::Declaration;
pub(crate) use ledger::{Ledger, Rank, Wanted};
pub(crate) use rename::renames;

use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, fmt, fs, io, path::Path};

/// The name of the file in an export.
pub const FILE: &str = "pgduet.lock.json";

/// What stands before the row of a function that gives several.
pub(crate) const STREAM: &str = "stream ";

/// What the file has. An empty one leaves everything as the catalog has it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lock {
    version: Version,
    /// By schema.
    pub(crate) schemas: BTreeMap<String, PackageLock>,
}

/// The version of the file's form.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "u32", into = "u32")]
enum Version {
    #[default]
    One,
}

/// What is locked of one schema.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct PackageLock {
    /// By name.
    pub(crate) relations: BTreeMap<String, RelationLock>,
    /// By schema and name: `api.grade`.
    pub(crate) enums: BTreeMap<String, EnumLock>,
    /// By schema and name: `api.address`.
    pub(crate) composites: BTreeMap<String, CompositeLock>,
    /// By name and arguments: `add(a,b)`.
    pub(crate) functions: BTreeMap<String, FunctionLock>,
    /// The operations of transactions, by what their messages' names begin with: `CreateStudent`.
    #[serde(skip_serializing_if = "Ledger::is_empty")]
    pub(crate) operations: Ledger,
}

/// What is locked of a relation.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RelationLock {
    /// The message: `Student`.
    pub(crate) message: String,
    /// Several of them, for methods and the service: `Students`.
    pub(crate) plural: String,
    /// Its columns.
    pub(crate) columns: Ledger,
    /// Its embeds.
    #[serde(default, skip_serializing_if = "Ledger::is_empty")]
    pub(crate) embeds: Ledger,
    /// What functions make of its rows, by the functions' names.
    #[serde(default, skip_serializing_if = "Ledger::is_empty")]
    pub(crate) computed: Ledger,
    /// The numbers of embeds' rows: `count(orders!orders_student_id_fkey)`.
    #[serde(default, skip_serializing_if = "Ledger::is_empty")]
    pub(crate) counts: Ledger,
    /// Its unique keys, by their columns: `first_name,last_name`.
    #[serde(default, skip_serializing_if = "Ledger::is_empty")]
    pub(crate) uniques: Ledger,
    /// The columns of the key.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) key: Vec<String>,
    /// Fields that requests once had because they were the key's.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) former_key: Vec<Declaration>,
}

/// What is locked of an enum.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct EnumLock {
    /// Its name: `Grade`.
    #[serde(rename = "enum")]
    pub(crate) name: String,
    /// Its labels.
    pub(crate) labels: Ledger,
}

/// What is locked of a composite type.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct CompositeLock {
    /// Its message: `Address`.
    pub(crate) message: String,
    /// Its attributes.
    pub(crate) attributes: Ledger,
}

/// What is locked of a function.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct FunctionLock {
    /// Its method: `SearchStudents`.
    pub(crate) method: String,
    /// What its messages' names begin with, where the method's name was taken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) messages: Option<String>,
    /// What it gives: a change of it is another method.
    pub(crate) returns: String,
    /// Its arguments.
    #[serde(default, skip_serializing_if = "Ledger::is_empty")]
    pub(crate) arguments: Ledger,
    /// The columns of its result, if it has any of its own.
    #[serde(default, skip_serializing_if = "Ledger::is_empty")]
    pub(crate) columns: Ledger,
}

impl FunctionLock {
    /// One row of what it gives.
    pub(crate) fn row(&self) -> &str {
        self.returns.strip_prefix(STREAM).unwrap_or(&self.returns)
    }

    /// What its messages' names begin with.
    pub(crate) fn messages(&self) -> &str {
        self.messages.as_deref().unwrap_or(&self.method)
    }
}

/// Why a lock cannot be used.
#[derive(Debug)]
pub struct LockError(String);

impl fmt::Display for LockError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "the gRPC lock file cannot be used: {}", self.0)
    }
}

impl std::error::Error for LockError {}

impl Lock {
    /// The lock at `path`; `None` if there is no file.
    ///
    /// # Errors
    /// It is not readable, no JSON of this form, or contradicts itself; the text
    /// names the file and the place.
    pub fn read(path: &Path) -> Result<Option<Self>, LockError> {
        let wrong = |why: &dyn fmt::Display| LockError(format!("{}: {why}", path.display()));
        match fs::read_to_string(path) {
            Ok(text) => Self::parse(&text).map(Some).map_err(|error| wrong(&error.0)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(wrong(&error)),
        }
    }

    /// The lock that the option `grpc-lock` names: empty without it.
    ///
    /// # Errors
    /// As [`Lock::read`]; and there is no such file.
    pub fn of_server(path: Option<&Path>) -> Result<Self, LockError> {
        let Some(path) = path else { return Ok(Self::default()) };
        let missing = || LockError(format!("{}: there is no such file", path.display()));
        Self::read(path)?.ok_or_else(missing)
    }

    fn parse(text: &str) -> Result<Self, LockError> {
        let lock: Self = serde_json::from_str(text).map_err(|error| LockError(error.to_string()))?;
        for (schema, package) in &lock.schemas {
            package.check().map_err(|why| LockError(format!("schema \"{schema}\", {why}")))?;
        }
        Ok(lock)
    }

    /// The text of the file: the same for the same lock.
    pub fn to_json(&self) -> Result<String, LockError> {
        let text = serde_json::to_string_pretty(self).map_err(|error| LockError(error.to_string()))?;
        Ok(text + "\n")
    }
}

impl PackageLock {
    /// No message has two fields of one name or number, and names are identifiers.
    fn check(&self) -> Result<(), String> {
        Ledger::check([&self.operations]).map_err(|why| format!("operations: {why}"))?;
        for (name, relation) in &self.relations {
            let place = format!("relation \"{name}\"");
            declaration::identifiers([&relation.message, &relation.plural])
                .and_then(|()| {
                    Ledger::check([&relation.columns, &relation.embeds, &relation.computed, &relation.counts])
                })
                .and_then(|()| Ledger::check([&relation.uniques]))
                .map_err(|why| format!("{place}: {why}"))?;
        }
        for (name, found) in &self.enums {
            declaration::identifiers([&found.name])
                .and_then(|()| Ledger::check([&found.labels]))
                .map_err(|why| format!("enum \"{name}\": {why}"))?;
        }
        for (name, composite) in &self.composites {
            declaration::identifiers([&composite.message])
                .and_then(|()| Ledger::check([&composite.attributes]))
                .map_err(|why| format!("composite \"{name}\": {why}"))?;
        }
        for (name, function) in &self.functions {
            declaration::identifiers([function.method.as_str(), function.messages()])
                .and_then(|()| Ledger::check([&function.arguments]))
                .and_then(|()| Ledger::check([&function.columns]))
                .map_err(|why| format!("function \"{name}\": {why}"))?;
        }
        Ok(())
    }
}

/// Two things are locked under one name.
pub(crate) fn collision(what: &str, names: &[String]) -> LockError {
    LockError(format!("{what}: another one has the name {} too", names.join(" or ")))
}

impl TryFrom<u32> for Version {
    type Error = String;

    fn try_from(version: u32) -> Result<Self, String> {
        match version {
            1 => Ok(Self::One),
            other => Err(format!("version {other} is of a newer pgduet")),
        }
    }
}

impl From<Version> for u32 {
    fn from(version: Version) -> u32 {
        match version {
            Version::One => 1,
        }
    }
}

#[cfg(test)]
mod tests;
