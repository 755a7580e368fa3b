//! The command line of the benchmark. It only reads it.

use std::{ffi::OsString, path::PathBuf, time::Duration};

use clap::{Arg, ArgAction, value_parser};
use http::Uri;

use super::{
    cases::{CASES, Case},
    load::Limit,
    report::{SCENES, SUBJECTS, Scene, Subject},
};

/// The part that takes no time: counting instructions.
const INSTRUCTIONS: &str = "instructions";

/// What to measure, and for how long.
#[derive(Debug, Clone)]
pub(crate) struct Options {
    /// How long one measurement takes.
    pub(crate) limit: Limit,
    /// How often each measurement is taken.
    pub(crate) rounds: usize,
    /// Requests in flight: HTTP/1.1 connections, or gRPC calls.
    pub(crate) connections: usize,
    /// Connections to PostgreSQL: pgduet's pool, and `pgbench`'s clients.
    pub(crate) pool: usize,
    /// The cases to measure.
    pub(crate) cases: Vec<&'static Case>,
    /// Who takes part; the other server only if it is named.
    pub(crate) subjects: Vec<Subject>,
    /// Another REST server to measure.
    pub(crate) against: Option<Uri>,
    /// What is made of the cases.
    pub(crate) scenes: Vec<Scene>,
    /// Whether instructions are counted.
    pub(crate) instructions: bool,
    /// The pgduet to measure.
    pub(crate) program: PathBuf,
    /// A database to use in place of a PostgreSQL of our own; the schema `bench` in it is replaced.
    pub(crate) db_uri: Option<String>,
}

impl Options {
    /// Reads the command line; `args` begins with the program's own name.
    pub(crate) fn parse(args: impl IntoIterator<Item = OsString>) -> Result<Self, clap::Error> {
        let matches = grammar().try_get_matches_from(args)?;
        let number = |name: &str| matches.get_one::<u32>(name).copied().unwrap_or(1) as usize;
        let is_chosen = |list: &str, name: &str| {
            matches.get_many::<String>(list).is_none_or(|mut chosen| chosen.any(|chosen| chosen == name))
        };
        let mut options = Self {
            limit: Limit::Time {
                warm_up: Duration::from_millis(500),
                measured: Duration::from_secs(number("seconds") as u64),
            },
            rounds: number("rounds"),
            connections: number("connections"),
            pool: number("pool"),
            cases: CASES.iter().filter(|case| is_chosen("case", case.id)).collect(),
            subjects: SUBJECTS
                .iter()
                .filter(|(name, _)| is_chosen("subject", name))
                .map(|(_, subject)| *subject)
                .collect(),
            against: matches.get_one::<Uri>("against").cloned(),
            scenes: SCENES
                .iter()
                .filter(|(name, _)| is_chosen("part", name))
                .map(|(_, scene)| *scene)
                .collect(),
            instructions: is_chosen("part", INSTRUCTIONS),
            program: matches
                .get_one::<PathBuf>("program")
                .map_or_else(|| env!("CARGO_BIN_EXE_pgduet").into(), PathBuf::clone),
            db_uri: matches.get_one::<String>("db-uri").cloned(),
        };
        if matches.get_flag("quick") {
            options.shorten();
        }
        Ok(options)
    }

    /// Whether something is measured in one of these.
    pub(crate) fn has(&self, scenes: &[Scene]) -> bool {
        self.scenes.iter().any(|scene| scenes.contains(scene))
    }

    /// A few requests of everything: shows that the benchmark works, and measures nothing.
    fn shorten(&mut self) {
        self.limit = Limit::Requests(5);
        self.rounds = 2;
        self.connections = 2;
        self.pool = 2;
    }
}

fn grammar() -> clap::Command {
    let [load, latency, distance] = SCENES.map(|(name, _)| name);
    let parts = [load, latency, distance, INSTRUCTIONS];
    clap::Command::new("compare")
        .about("Measures pgduet beside pgbench, and beside another server")
        // The last one counts: what the Makefile gives can be given again.
        .args_override_self(true)
        .arg(number("seconds", "2", "How long one measurement takes"))
        .arg(number("rounds", "5", "How often each measurement is taken"))
        .arg(number("connections", "32", "Requests in flight"))
        .arg(number("pool", "8", "Connections to PostgreSQL, of each server and of pgbench"))
        .arg(several("case", CASES.each_ref().map(|case| case.id), "Only this case"))
        .arg(several("subject", SUBJECTS.map(|(name, _)| name), "Only this subject"))
        .arg(several("part", parts, "Only this part"))
        .arg(
            Arg::new("program")
                .long("program")
                .value_name("PATH")
                .value_parser(value_parser!(PathBuf))
                .help("Measure this pgduet in place of the one that was built with the benchmark"),
        )
        .arg(
            Arg::new("quick")
                .long("quick")
                .action(ArgAction::SetTrue)
                .help("A few requests of everything, to see that the benchmark works"),
        )
        .arg(
            Arg::new("against")
                .long("against")
                .value_name("URL")
                .value_parser(value_parser!(Uri))
                .help("Measure this REST server too; it has to serve the same database"),
        )
        .arg(Arg::new("db-uri").long("db-uri").value_name("URI").help(
            "Use this database in place of a PostgreSQL of our own; its schema bench is replaced. \
             The role needs to be able to create schemas and roles",
        ))
        // cargo bench passes it to every benchmark.
        .arg(Arg::new("bench").long("bench").hide(true).action(ArgAction::SetTrue))
}

fn number(name: &'static str, default: &'static str, help: &'static str) -> Arg {
    Arg::new(name)
        .long(name)
        .value_name("N")
        .default_value(default)
        .value_parser(value_parser!(u32).range(1..))
        .help(help)
}

fn several<const N: usize>(name: &'static str, values: [&'static str; N], help: &'static str) -> Arg {
    Arg::new(name).long(name).action(ArgAction::Append).value_parser(values).help(help)
}
