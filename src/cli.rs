//! The command line: which command, with which sources of configuration. Every option of
//! the option table is a flag that takes a value. Reads no file, opens no connection and
//! prints nothing: what there is to print is in [`Exit`].

use std::{collections::BTreeMap, ffi::OsString, path::PathBuf};

use clap::{Arg, ArgAction, ArgMatches, builder::PathBufValueParser, error::ErrorKind, value_parser};

use crate::config::{self, APP_SETTINGS, OPTIONS, Sources};

/// What `--version` tells: version, commit, profile and target. `build.rs` says which.
pub const VERSION: &str = env!("PGDUET_VERSION");

/// What to do.
#[derive(Debug)]
pub enum Command {
    /// `pgduet [FILE]`: serve the database.
    Serve(Sources),
    /// `--dump-config`: print the configuration in force.
    DumpConfig(Sources),
    /// `--dump-schema`: print the schema as JSON; `pgduet schema` is the same.
    DumpSchema(Sources),
    /// `--ready`: ask the admin server of a running pgduet.
    Ready(Sources),
    /// `demo`: start a PostgreSQL with a sample schema and serve it.
    Demo(Sources, Demo),
    /// `proto`: write the `.proto` files.
    Proto(Sources, Proto),
    /// `openapi`: print the OpenAPI document.
    OpenApi(Sources, Document),
    /// `types`: print the schema as types of a language.
    Types(Sources, Types),
    /// `check`: look for what lets a client do more than was meant.
    Check(Sources, ReportForm),
}

/// What `demo` takes. The directory of the binaries is the option `pg-bin`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Demo {
    /// What happens to the data of earlier runs.
    pub data: DemoData,
    /// Where the data is; the user's data directory without it.
    pub data_dir: Option<PathBuf>,
}

/// What happens to the data of earlier runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DemoData {
    /// It is served again.
    Keep,
    /// It is thrown away (`--fresh`).
    Replace,
}

/// What `proto` takes. The lock file (`--lock`) is the option `grpc-lock`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proto {
    /// The directory to write to.
    pub out: PathBuf,
    /// Where the schema comes from.
    pub schema: SchemaSource,
}

/// What `openapi` takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document {
    /// Where the schema comes from.
    pub schema: SchemaSource,
}

/// What `types` takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Types {
    /// The language.
    pub language: Language,
    /// Where the schema comes from.
    pub schema: SchemaSource,
}

/// A language that there are types for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Language {
    /// `typescript`: the `Database` type of supabase-js.
    TypeScript,
}

/// How `check` writes what it found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReportForm {
    /// As a table.
    Text,
    /// As JSON (`--json`).
    Json,
}

/// Where the schema comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SchemaSource {
    /// The database.
    Database,
    /// A file that `pgduet schema` has written (`--schema`).
    File(PathBuf),
}

/// Why there is no command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Exit {
    /// This was asked for (help, version, example): to standard output, status 0.
    Answer(String),
    /// The command line is wrong: to standard error, status 1.
    Usage(String),
    /// The command line of `check` is wrong: to standard error, status 2, as its status 1 says that something was found.
    Unchecked(String),
}

/// Reads the command line; `args` begins with the program's own name.
///
/// A file named like a subcommand needs a path: `pgduet ./demo`.
pub fn parse(
    args: impl IntoIterator<Item = OsString>,
    environment: BTreeMap<String, String>,
) -> Result<Command, Exit> {
    let args: Vec<OsString> = args.into_iter().collect();
    read(&args, environment).map_err(|exit| match exit {
        Exit::Usage(text) if is_check(&args) => Exit::Unchecked(text),
        exit => exit,
    })
}

fn read(args: &[OsString], environment: BTreeMap<String, String>) -> Result<Command, Exit> {
    let matches = grammar().try_get_matches_from(args).map_err(|error| match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => Exit::Answer(error.to_string()),
        _ => Exit::Usage(error.to_string()),
    })?;
    if matches.get_flag("example") {
        return Err(Exit::Answer(config::example()));
    }
    // Options may stand before and behind the subcommand.
    let mut file = matches.get_one::<PathBuf>("FILE");
    let mut flags = flags(&matches)?;
    if let Some((_, arguments)) = matches.subcommand() {
        file = arguments.get_one("FILE").or(file);
        flags.extend(self::flags(arguments)?);
    }
    let sources = Sources::new(file.cloned(), environment, flags);
    let switch = SWITCHES.into_iter().find(|name| matches.get_flag(name));
    Ok(match (switch, matches.subcommand()) {
        (None, None) => Command::Serve(sources),
        (Some("dump-config"), None) => Command::DumpConfig(sources),
        (Some("dump-schema"), None) => Command::DumpSchema(sources),
        (Some("ready"), None) => Command::Ready(sources),
        (Some(switch), _) => return Err(Exit::Usage(format!("--{switch} goes with no command\n"))),
        (None, Some(("schema", _))) => Command::DumpSchema(sources),
        (None, Some(("demo", arguments))) => Command::Demo(
            sources,
            Demo {
                data: match arguments.get_flag("fresh") {
                    true => DemoData::Replace,
                    false => DemoData::Keep,
                },
                data_dir: arguments.get_one::<PathBuf>("data-dir").cloned(),
            },
        ),
        (None, Some(("proto", arguments))) => Command::Proto(
            sources,
            Proto {
                out: arguments.get_one::<PathBuf>("out").cloned().unwrap_or_else(|| PathBuf::from(".")),
                schema: schema_source(arguments),
            },
        ),
        (None, Some(("openapi", arguments))) => {
            Command::OpenApi(sources, Document { schema: schema_source(arguments) })
        }
        // It is the only one.
        (None, Some(("types", arguments))) => Command::Types(
            sources,
            Types { language: Language::TypeScript, schema: schema_source(arguments) },
        ),
        (None, Some((CHECK, arguments))) => Command::Check(
            sources,
            match arguments.get_flag("json") {
                true => ReportForm::Json,
                false => ReportForm::Text,
            },
        ),
        (None, Some((other, _))) => return Err(Exit::Usage(format!("there is no command {other}\n"))),
    })
}

const CHECK: &str = "check";

/// Whether a command line that is wrong asks for a check nevertheless.
fn is_check(args: &[OsString]) -> bool {
    let matches = grammar().ignore_errors(true).try_get_matches_from(args);
    matches.is_ok_and(|matches| matches.subcommand_name() == Some(CHECK))
}

/// The switches that take the place of a command.
const SWITCHES: [&str; 3] = ["dump-config", "dump-schema", "ready"];

fn schema_source(arguments: &ArgMatches) -> SchemaSource {
    match arguments.get_one::<PathBuf>("schema") {
        Some(path) => SchemaSource::File(path.clone()),
        None => SchemaSource::Database,
    }
}

/// The options that were given, by their full names.
fn flags(arguments: &ArgMatches) -> Result<BTreeMap<String, String>, Exit> {
    let given = OPTIONS.iter().flat_map(|row| [Some(row.name), row.alias()]).flatten();
    let mut flags: BTreeMap<_, _> = given
        .filter_map(|name| {
            let text = arguments.try_get_one::<String>(name).ok().flatten()?;
            Some((name.to_owned(), text.clone()))
        })
        .collect();
    for setting in arguments.get_many::<String>("app.settings").unwrap_or_default() {
        let Some((name, text)) = setting.split_once('=') else {
            return Err(Exit::Usage(format!("--app.settings {setting}: expected NAME=VALUE\n")));
        };
        flags.insert(format!("{APP_SETTINGS}{name}"), text.to_owned());
    }
    Ok(flags)
}

fn grammar() -> clap::Command {
    clap::Command::new("pgduet")
        .about(concat!(env!("CARGO_PKG_DESCRIPTION"), "."))
        .after_help(
            "A FILE named like a command needs a path: pgduet ./demo. CONFIG.md explains the options.",
        )
        .version(VERSION)
        .disable_version_flag(true)
        .disable_help_subcommand(true)
        .arg(switch("version", "Print the version").short('v').action(ArgAction::Version))
        .arg(switch("example", "Print an example of a configuration file").short('e'))
        .arg(switch("dump-config", "Print the configuration in force"))
        .arg(switch("dump-schema", "Print the schema as JSON").conflicts_with("dump-config"))
        .arg(
            switch("ready", "Ask the admin server of a running pgduet whether it is ready")
                .conflicts_with_all(["dump-config", "dump-schema"]),
        )
        .arg(file())
        .args(options())
        .subcommand(
            subcommand("demo", "Start a PostgreSQL with a sample schema and serve it")
                .arg(switch("fresh", "Throw the data of earlier runs away"))
                .arg(path("data-dir", "Directory of the data")),
        )
        .subcommand(subcommand("schema", "Print the schema as JSON"))
        .subcommand(
            subcommand("proto", "Write the .proto files of the gRPC services")
                .arg(path("out", "Directory to write to").required(true))
                .arg(path("schema", "Schema from `pgduet schema`, in place of a database"))
                .mut_arg("grpc-lock", |lock| lock.visible_alias("lock")),
        )
        .subcommand(
            subcommand("openapi", "Print the OpenAPI document")
                .arg(path("schema", "Schema from `pgduet schema`, in place of a database")),
        )
        .subcommand(
            clap::Command::new("types")
                .about("Print the schema as types: `typescript` has the `Database` type of supabase-js")
                .arg(Arg::new("LANGUAGE").required(true).value_parser(["typescript"]))
                .arg(file())
                .args(options())
                .arg(path("schema", "Schema from `pgduet schema`, in place of a database")),
        )
        .subcommand(
            subcommand(CHECK, "Look for what lets a client do more than was meant")
                .arg(switch("json", "Print JSON in place of a table"))
                .after_help(
                    "Status: 0 where there is no warning, 1 where there is one, 2 where nothing could be looked at.",
                ),
        )
}

fn subcommand(name: &'static str, about: &'static str) -> clap::Command {
    clap::Command::new(name).about(about).arg(file()).args(options())
}

fn switch(name: &'static str, help: &'static str) -> Arg {
    Arg::new(name).long(name).help(help).action(ArgAction::SetTrue)
}

fn path(name: &'static str, help: &'static str) -> Arg {
    Arg::new(name).long(name).help(help).value_name("PATH").value_parser(value_parser!(PathBuf))
}

fn file() -> Arg {
    Arg::new("FILE").help("Configuration file").value_parser(PathBufValueParser::new())
}

/// A flag for each row of the option table, and for its alias.
fn options() -> Vec<Arg> {
    let named = OPTIONS.iter().map(|row| option(row.name).help(row.summary()));
    // An alias that is an option by itself has its flag already.
    let is_option = |name: &str| OPTIONS.iter().any(|row| row.name == name);
    let aliases = OPTIONS.iter().filter_map(|row| row.alias()).filter(|alias| !is_option(alias));
    let settings = option("app.settings")
        .value_name("NAME=VALUE")
        .action(ArgAction::Append)
        .help("A setting for every transaction; may be given several times.");
    named.chain(aliases.map(|alias| option(alias).hide(true))).chain([settings]).collect()
}

fn option(name: &'static str) -> Arg {
    Arg::new(name)
        .long(name)
        .value_name("VALUE")
        .help_heading("Options of the configuration")
        .hide_short_help(true)
}

#[cfg(test)]
mod tests;
