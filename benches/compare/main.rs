//! `make bench`: pgduet's REST and gRPC sides, the same transactions through `pgbench`, a hand-written server, and
//! another server if one is named, on one database, in one run.
//!
//! Before any time is taken, every subject has to give the same answers. Then they take turns, round by round, so that
//! whatever disturbs the machine disturbs all of them. Nothing here judges the numbers: it prints them.

mod caller;
pub(crate) mod callgrind;
pub(crate) mod cases;
pub(crate) mod check;
mod contestants;
mod database;
pub(crate) mod distance;
pub(crate) mod exchange;
mod grpc;
mod handwritten;
pub(crate) mod http1;
pub(crate) mod load;
mod options;
pub(crate) mod pgbench;
mod process;
pub(crate) mod report;
pub(crate) mod rest;
mod run;
pub(crate) mod usage;

use std::{
    env,
    io::{self, Write},
    process::ExitCode,
};

pub(crate) use options::Options;
pub(crate) use run::run;

fn main() -> ExitCode {
    let options = Options::parse(env::args_os()).unwrap_or_else(|error| error.exit());
    match run(&options, &mut io::stdout()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(io::stderr(), "{error:#}");
            ExitCode::FAILURE
        }
    }
}
