//! What the option table says about an option besides its type: where it may be set, when
//! a change takes effect, by which other name it is known. The table itself is in
//! [`config`](super).

/// A row of the option table without its type.
#[derive(Debug)]
pub struct OptionRow {
    /// The name in the file; a flag with `--` before it, an environment variable and a
    /// database setting with `_` for `-`.
    pub name: &'static str,
    /// What it is for, one or more sentences.
    pub help: &'static str,
    /// The form of its values, as a noun phrase.
    pub form: &'static str,
    /// The text that counts where no source has one.
    pub default: &'static str,
    /// The rest.
    pub rules: Rules,
}

impl OptionRow {
    /// Whether `name` is the option's name or an alias of it.
    pub fn is_named(&self, name: &str) -> bool {
        self.name == name || self.alias() == Some(name)
    }

    /// The other name, where there is one.
    pub fn alias(&self) -> Option<&'static str> {
        match self.rules.alias? {
            Alias::Weaker(name) | Alias::Stronger(name) => Some(name),
        }
    }

    /// The help as one line.
    pub fn summary(&self) -> String {
        self.help.split_whitespace().collect::<Vec<_>>().join(" ")
    }
}

/// When a changed value takes effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// With a reload of the configuration.
    OnReload,
    /// With the next start.
    OnRestart,
}

/// Whether the option may be set inside the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InDatabase {
    /// As `pgrst.<name>`.
    Allowed,
    /// It is needed before there is a connection, or a database owner must not decide it.
    Refused,
}

/// Another name of an option.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Alias {
    /// Looked at where the name is not set.
    Weaker(&'static str),
    /// Looked at first.
    Stronger(&'static str),
}

/// What an empty text means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Blank {
    /// The default.
    Unset,
    /// The empty value.
    Empty,
}

/// What a text that begins with `@` means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AtFile {
    /// Itself.
    Literal,
    /// The path of a file that holds the value.
    Read,
}

/// Whose option it is: CONFIG.md tells them apart, and the dump keeps to PostgREST's form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Family {
    /// PostgREST has it too.
    PostgRest,
    /// Only pgduet has it.
    Pgduet,
}

/// How an option behaves.
#[derive(Debug, Clone, Copy)]
pub struct Rules {
    /// When a change takes effect.
    pub change: Change,
    /// Whether the database may set it.
    pub in_database: InDatabase,
    /// Its other name.
    pub alias: Option<Alias>,
    /// Environment variables that a standard of others has for it, the stronger first. pgduet's own are stronger.
    pub standard_variables: &'static [&'static str],
    /// What an empty text means.
    pub blank: Blank,
    /// What `@` means.
    pub at_file: AtFile,
    /// Whose it is.
    pub family: Family,
}

/// An option of PostgREST's that changes with a reload.
pub(super) const RELOAD: Rules = Rules { change: Change::OnReload, ..RESTART };

/// An option of PostgREST's that changes with a restart.
pub(super) const RESTART: Rules = Rules {
    change: Change::OnRestart,
    in_database: InDatabase::Refused,
    alias: None,
    standard_variables: &[],
    blank: Blank::Unset,
    at_file: AtFile::Literal,
    family: Family::PostgRest,
};

impl Rules {
    /// May be set inside the database.
    pub const fn in_database(self) -> Rules {
        Rules { in_database: InDatabase::Allowed, ..self }
    }

    /// Has this other name.
    pub const fn alias(self, name: &'static str) -> Rules {
        Rules { alias: Some(Alias::Weaker(name)), ..self }
    }

    /// Has this other name, which wins where both are set.
    pub const fn stronger_alias(self, name: &'static str) -> Rules {
        Rules { alias: Some(Alias::Stronger(name)), ..self }
    }

    /// Is also set by these environment variables.
    pub const fn standard_variables(self, names: &'static [&'static str]) -> Rules {
        Rules { standard_variables: names, ..self }
    }

    /// An empty text is the empty value.
    pub const fn may_be_empty(self) -> Rules {
        Rules { blank: Blank::Empty, ..self }
    }

    /// `@path` reads the file.
    pub const fn or_file(self) -> Rules {
        Rules { at_file: AtFile::Read, ..self }
    }

    /// PostgREST does not have it.
    pub const fn pgduet(self) -> Rules {
        Rules { family: Family::Pgduet, ..self }
    }
}
