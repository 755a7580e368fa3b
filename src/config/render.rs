//! The option table written out: `--dump-config`, `--example`, CONFIG.md.
//! Everything is derived from the table and a configuration; nothing is listed here.

use std::fmt::Write;

use super::{
    Change, Config, Family, InDatabase, OPTIONS, OptionRow, file::quote, option::AtFile, value::Rendered,
};

impl Config {
    /// The configuration as a file, in PostgREST's form: sorted by name, every one of its
    /// options. pgduet's own stand only where they differ from their default, so that a
    /// configuration of PostgREST's dumps as it does there. Secrets stand in clear.
    pub fn dump(&self) -> String {
        let options = OPTIONS.iter().zip(self.rendered()).filter(|(row, value)| match row.rules.family {
            Family::PostgRest => true,
            Family::Pgduet => value.text() != row.default,
        });
        let options = options.map(|(row, value)| (row.name, written(&value)));
        let settings = self.app_settings.iter().map(|(name, text)| (name.as_str(), quote(text)));
        let mut lines: Vec<_> = options.chain(settings).collect();
        lines.sort();
        lines.iter().map(|(name, value)| format!("{name} = {value}\n")).collect()
    }
}

/// A configuration file with every option commented out at its default.
pub fn example() -> String {
    OPTIONS
        .iter()
        .map(|row| format!("## {}\n# {} = {}\n", row.summary(), row.name, default(row)))
        .collect::<Vec<_>>()
        .join("\n")
}

/// CONFIG.md.
pub fn markdown() -> String {
    let mut page = INTRODUCTION.to_owned();
    for (title, family) in FAMILIES {
        let _ = write!(page, "\n## {title}\n\n{TABLE_HEAD}");
        for row in OPTIONS.iter().filter(|row| row.rules.family == family) {
            let alias = row.alias().map(|alias| format!("<br>or `{alias}`")).unwrap_or_default();
            let variables = row.rules.standard_variables.iter();
            let variables: String = variables.map(|name| format!("<br>or `${name}`")).collect();
            let default = match row.default {
                "" => String::new(),
                default => format!("`{default}`"),
            };
            let change = match row.rules.change {
                Change::OnReload => "reload",
                Change::OnRestart => "restart",
            };
            let in_database = match row.rules.in_database {
                InDatabase::Allowed => "yes",
                InDatabase::Refused => "",
            };
            let form = match row.rules.at_file {
                AtFile::Read if !row.form.contains('@') => {
                    format!("{}, or `@` and the path of a file", row.form)
                }
                AtFile::Read | AtFile::Literal => row.form.to_owned(),
            };
            let _ = writeln!(
                page,
                "| `{}`{alias}{variables} | {default} | {} Value: {form}. | {change} | {in_database} |",
                row.name,
                row.summary(),
            );
        }
    }
    page.push_str(CONNECTION);
    page
}

const FAMILIES: [(&str, Family); 2] =
    [("Options that PostgREST has too", Family::PostgRest), ("Options of pgduet alone", Family::Pgduet)];

const TABLE_HEAD: &str =
    "| Option | Default | What it does | Changes with | In the database |\n|---|---|---|---|---|\n";

const INTRODUCTION: &str = "\
<!-- Generated from the option table in src/config.rs by `UPDATE=1 cargo test --lib config`. -->
# Configuration

Every option has one name and can be given in five places. The first of these that has it counts:

1. inside the database, where the table below says so: `ALTER ROLE authenticator SET pgrst.db_schemas = 'api'`
   (with `IN DATABASE` before without, then what the function `db-pre-config` sets); `db-config = false` switches it off;
2. on the command line: `--db-schemas api`;
3. in the environment: `PGDUET_DB_SCHEMAS`, then `PGRST_DB_SCHEMAS`, then the variable of a standard that the table names;
4. in the file that is given on the command line: `db-schemas = \"api\"`;
5. the default.

An empty value is no value: it undoes weaker places. Booleans are `true`, `false`, `1` or `0`. In the file, text stands in
double quotes, where `$$` is a dollar sign and `$(NAME)` an environment variable; numbers and booleans stand bare; `#`
begins a comment. An option that does not exist is a warning; a value of the wrong form is an error, and the process
exits with status 1.

`app.settings.<name>` (in the environment `PGRST_APP_SETTINGS_<name>`, on the command line
`--app.settings <name>=<value>`) is passed on to every transaction as a setting of that name.

`pgduet --dump-config` prints the configuration in force, `pgduet --example` a file to begin with. SIGUSR2 and
`NOTIFY pgrst, 'reload config'` read the configuration again; what changes with a restart keeps its value until then.
";

const CONNECTION: &str = "
## The connection

`db-uri` takes what libpq takes: `postgresql://user:password@host:5432/database?sslmode=verify-full`, several hosts, a
socket directory, `key=value` pairs, or nothing at all. What is missing comes from `PGHOST`, `PGPORT`, `PGUSER`,
`PGPASSWORD`, `PGPASSFILE`, `PGDATABASE`, `PGOPTIONS`, `PGAPPNAME`, `PGSSLMODE`, `PGSSLROOTCERT`, `PGSSLCERT`, `PGSSLKEY`,
`PGCHANNELBINDING`, `PGTARGETSESSIONATTRS`, `PGCONNECT_TIMEOUT`, `PGHOSTADDR`. `sslmode` `require` encrypts, `verify-ca` checks the
certificate, `verify-full` checks the host's name too; `sslrootcert` is a file, or `system` for the system's
certificates.
";

fn default(row: &OptionRow) -> String {
    match row.default.parse::<u64>().is_ok() || ["true", "false"].contains(&row.default) {
        true => row.default.to_owned(),
        false => quote(row.default),
    }
}

fn written(value: &Rendered) -> String {
    match value {
        Rendered::Bare(text) => text.clone(),
        Rendered::Quoted(text) => quote(text),
    }
}
