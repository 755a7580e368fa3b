//! Where option texts come from, and which source wins:
//!
//! ```text
//! database settings  >  flags  >  environment  >  configuration file  >  the table's default
//! (pgrst.db_schemas)    (--db-schemas)  (PGDUET_DB_SCHEMAS, then PGRST_DB_SCHEMAS)  (db-schemas)
//! ```
//!
//! Options that a standard names too, such as OpenTelemetry's, are read from its variables as well, after those two.
//!
//! Finds texts; does not know what they mean, and does not read the process's environment
//! by itself: everything is handed in, so that a test can do the same.

use std::{
    collections::BTreeMap,
    fmt, fs, io,
    path::{Path, PathBuf},
    sync::OnceLock,
};

use super::{
    OPTIONS,
    error::{Error, Origin, Warning},
    file::{self, Entry},
    option::{Alias, AtFile, Blank, InDatabase, OptionRow},
};

/// The prefixes of environment variables, the stronger first.
const PREFIXES: [&str; 2] = ["PGDUET_", "PGRST_"];

/// The prefix of settings inside the database.
pub(super) const DATABASE_PREFIX: &str = "pgrst.";

/// The prefix of settings that are passed on to every transaction.
pub const APP_SETTINGS: &str = "app.settings.";

/// Everything a configuration is read from. Kept by the server, so that a reload reads
/// the file again; `flags` and `environment` stay as they were at the start.
#[derive(Default)]
pub struct Sources {
    /// The configuration file.
    pub file: Option<PathBuf>,
    /// The process's environment. `PG*` variables feed the connection.
    pub environment: BTreeMap<String, String>,
    /// Options given on the command line, by their full names (`app.settings.x` among them).
    pub flags: BTreeMap<String, String>,
    /// Settings inside the database, by their names with or without `pgrst.`.
    pub database: BTreeMap<String, String>,
    /// Standard input can be read only once, and several loads need it (`@/dev/stdin`).
    stdin: OnceLock<Vec<u8>>,
}

/// Names only: texts may be secrets.
impl fmt::Debug for Sources {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Sources { file, environment: _, flags, database, stdin: _ } = self;
        f.debug_struct("Sources")
            .field("file", file)
            .field("flags", &flags.keys())
            .field("database", &database.keys())
            .finish_non_exhaustive()
    }
}

/// A text with its place.
pub(super) struct Found {
    /// The text; bytes because a secret's file may hold any.
    pub bytes: Vec<u8>,
    /// Its place.
    pub origin: Origin,
}

/// The sources with the file taken apart.
pub(super) struct Lookup<'a> {
    sources: &'a Sources,
    file: Vec<Entry>,
}

impl Sources {
    /// Sources outside the database; what is in it is added when it has been read.
    pub fn new(
        file: Option<PathBuf>,
        environment: BTreeMap<String, String>,
        flags: BTreeMap<String, String>,
    ) -> Sources {
        Sources { file, environment, flags, ..Sources::default() }
    }

    /// Whether the option of this name has a value from one of these, and not from the option table.
    ///
    /// # Errors
    /// The configuration file, or the file that the value names, cannot be read.
    pub fn have(&self, option: &str) -> Result<bool, Error> {
        let lookup = self.open()?;
        let row = OPTIONS.iter().find(|row| row.name == option);
        Ok(row.map(|row| lookup.find(row)).transpose()?.flatten().is_some())
    }

    /// Reads the configuration file, if there is one.
    pub(super) fn open(&self) -> Result<Lookup<'_>, Error> {
        let Some(path) = &self.file else { return Ok(Lookup { sources: self, file: Vec::new() }) };
        let bytes = self.read(path, "the configuration file")?;
        let file = file::parse(&String::from_utf8_lossy(&bytes), &self.environment).map_err(|error| {
            Error::Syntax { path: path.clone(), line: error.line, problem: error.problem }
        })?;
        Ok(Lookup { sources: self, file })
    }

    fn read(&self, path: &Path, wanted_by: &str) -> Result<Vec<u8>, Error> {
        let unreadable = |error: io::Error| Error::Unreadable {
            path: path.to_owned(),
            wanted_by: wanted_by.to_owned(),
            problem: error.to_string(),
        };
        if path != Path::new("/dev/stdin") {
            return fs::read(path).map_err(unreadable);
        }
        if let Some(bytes) = self.stdin.get() {
            return Ok(bytes.clone());
        }
        let bytes = fs::read(path).map_err(unreadable)?;
        Ok(self.stdin.get_or_init(|| bytes).clone())
    }
}

impl Lookup<'_> {
    /// The text that counts for an option; none where the table's default does.
    pub(super) fn find(&self, row: &OptionRow) -> Result<Option<Found>, Error> {
        let names = match row.rules.alias {
            None => [Some(row.name), None],
            Some(Alias::Weaker(alias)) => [Some(row.name), Some(alias)],
            Some(Alias::Stronger(alias)) => [Some(alias), Some(row.name)],
        };
        let found = names.into_iter().flatten().find_map(|name| {
            let (text, origin) = self.text(name, row)?;
            // An empty text undoes weaker sources and leaves the alias and the default.
            match (text.is_empty(), row.rules.blank) {
                (true, Blank::Unset) => None,
                (true, Blank::Empty) | (false, _) => Some((text, origin)),
            }
        });
        let Some((text, origin)) = found else { return Ok(None) };
        let bytes = match (row.rules.at_file, text.strip_prefix('@')) {
            (AtFile::Read, Some(path)) => {
                let bytes = self.sources.read(Path::new(path), &origin.to_string())?;
                bytes.strip_suffix(b"\n").map(<[u8]>::to_vec).unwrap_or(bytes)
            }
            (AtFile::Read | AtFile::Literal, _) => text.as_bytes().to_vec(),
        };
        Ok(Some(Found { bytes, origin }))
    }

    /// The strongest source that has `name`.
    fn text(&self, name: &str, row: &OptionRow) -> Option<(&str, Origin)> {
        let Sources { file: path, environment, flags, database, .. } = self.sources;
        let underscored = name.replace('-', "_");
        let in_database = || {
            let full = format!("{DATABASE_PREFIX}{underscored}");
            let text = database.get(&full).or_else(|| database.get(&underscored))?;
            (row.rules.in_database == InDatabase::Allowed).then_some((text.as_str(), Origin::Database(full)))
        };
        let on_command_line = || Some((flags.get(name)?.as_str(), Origin::Flag(name.to_owned())));
        let in_environment = || {
            PREFIXES.into_iter().find_map(|prefix| {
                let variable = format!("{prefix}{}", underscored.to_uppercase());
                Some((environment.get(&variable)?.as_str(), Origin::Environment(variable)))
            })
        };
        let in_standard_variable = || {
            row.rules.standard_variables.iter().find_map(|variable| {
                let text = environment.get(*variable).filter(|text| !text.is_empty())?;
                Some((text.as_str(), Origin::Environment((*variable).to_owned())))
            })
        };
        let in_file = || {
            let entry = self.file.iter().rfind(|entry| entry.name == name)?;
            Some((entry.text.as_str(), file_origin(path.as_deref()?, entry)))
        };
        in_database()
            .or_else(on_command_line)
            .or_else(in_environment)
            .or_else(in_standard_variable)
            .or_else(in_file)
    }

    /// All `app.settings.*`, by full name, in the order of their names.
    pub(super) fn app_settings(&self) -> BTreeMap<String, String> {
        let in_file = self.file.iter().map(|entry| (entry.name.clone(), entry.text.clone()));
        let in_environment = PREFIXES.iter().rev().flat_map(|prefix| {
            let prefix = format!("{prefix}APP_SETTINGS_");
            self.sources.environment.iter().filter_map(move |(name, text)| {
                Some((format!("{APP_SETTINGS}{}", name.strip_prefix(&prefix)?), text.clone()))
            })
        });
        let on_command_line = self.sources.flags.iter().map(|(name, text)| (name.clone(), text.clone()));
        in_file
            .chain(in_environment)
            .chain(on_command_line)
            .filter(|(name, _)| name.starts_with(APP_SETTINGS))
            .collect()
    }

    /// What was given and has no effect.
    pub(super) fn unused(&self) -> Vec<Warning> {
        let known =
            |name: &str| OPTIONS.iter().any(|row| row.is_named(name)) || name.starts_with(APP_SETTINGS);
        let in_file =
            self.file.iter().filter(|entry| !known(&entry.name)).filter_map(|entry| {
                Some(Warning::Unknown(file_origin(self.sources.file.as_deref()?, entry)))
            });
        let in_environment = self.sources.environment.keys().filter_map(|variable| {
            let name = PREFIXES.iter().find_map(|prefix| variable.strip_prefix(prefix))?;
            let unknown =
                !name.starts_with("APP_SETTINGS_") && !known(&name.to_lowercase().replace('_', "-"));
            unknown.then(|| Warning::Unknown(Origin::Environment(variable.clone())))
        });
        let in_database = self.sources.database.keys().filter_map(|setting| {
            let name = setting.strip_prefix(DATABASE_PREFIX).unwrap_or(setting).replace('_', "-");
            let origin = || Origin::Database(setting.clone());
            match OPTIONS.iter().find(|row| row.name == name) {
                None => Some(Warning::Unknown(origin())),
                Some(row) => match row.rules.in_database {
                    InDatabase::Allowed => None,
                    InDatabase::Refused => Some(Warning::NotInDatabase(origin())),
                },
            }
        });
        in_file.chain(in_environment).chain(in_database).collect()
    }
}

fn file_origin(path: &Path, entry: &Entry) -> Origin {
    Origin::File { path: path.to_owned(), line: entry.line, name: entry.name.clone() }
}
