//! The limit: the transaction of a case through `pgbench`, pipelined and prepared as pgduet sends it, with no HTTP
//! around it. And the statement by itself, which has no transaction, role or claims around it either.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};

use anyhow::{Context, ensure};

use super::{
    cases::{Access, Case},
    load::{Limit, Pace, Sample, threads},
};

/// At full pace, one latency in so many is logged: writing them costs `pgbench` time that it would spend on requests.
const LOGGED: u32 = 4;

/// What is run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// The whole transaction, in one pipeline.
    Transaction,
    /// The statement, on connections that have the caller's role and claims already.
    Statement,
}

/// `pgbench`, and a directory for its scripts and logs.
#[derive(Debug)]
pub(crate) struct Pgbench {
    pub(crate) program: PathBuf,
    pub(crate) directory: PathBuf,
    /// The database.
    pub(crate) uri: String,
    /// How many connections.
    pub(crate) clients: usize,
    pub(crate) form: Form,
}

impl Pgbench {
    /// Runs the SQL of a case.
    pub(crate) fn run(&self, case: &Case, pace: Pace, limit: Limit) -> anyhow::Result<Sample> {
        if self.directory.exists() {
            fs::remove_dir_all(&self.directory)?;
        }
        fs::create_dir_all(&self.directory)?;
        let script = self.directory.join("script.sql");
        fs::write(&script, self.script(case))?;
        let clients = match pace {
            Pace::Full => self.clients,
            Pace::Rate(_) => 1,
        };
        let mut command = Command::new(&self.program);
        command
            .current_dir(&self.directory)
            .args(["--no-vacuum", "--protocol=prepared", "--log"])
            .env("PGOPTIONS", self.settings(case))
            .arg(format!("--client={clients}"))
            .arg(format!("--jobs={}", threads(clients)))
            .arg("--file")
            .arg(&script);
        if let Pace::Rate(rate) = pace {
            command.arg(format!("--rate={rate}"));
        }
        match limit {
            Limit::Time { measured, .. } => {
                command.arg(format!("--time={}", measured.as_secs().max(1)));
                if let Pace::Full = pace {
                    command.arg(format!("--sampling-rate={}", 1.0 / f64::from(LOGGED)));
                }
            }
            Limit::Requests(requests) => {
                command.arg(format!("--transactions={requests}"));
            }
        }
        let output = command
            .arg(&self.uri)
            .stdin(Stdio::null())
            .output()
            .with_context(|| format!("cannot run {}", self.program.display()))?;
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "pgbench failed: {said}");
        let (rate, answered) = result(&String::from_utf8_lossy(&output.stdout))
            .with_context(|| format!("pgbench gave no rate: {said}"))?;
        Sample::new(rate, answered, logged_latencies(&self.directory)?)
    }

    /// What connections have from the beginning.
    fn settings(&self, case: &Case) -> String {
        match self.form {
            Form::Transaction => String::new(),
            Form::Statement => {
                format!("-c role={} -c request.jwt.claims={}", case.caller.role(), case.caller.claims())
            }
        }
    }

    fn script(&self, case: &Case) -> String {
        let lines = match self.form {
            Form::Transaction => transaction(case),
            Form::Statement => format!("{};\n", case.sql),
        };
        format!("\\set key random(1, {})\n{lines}", case.keys)
    }
}

impl Drop for Pgbench {
    fn drop(&mut self) {
        let _it_may_not_be_there = fs::remove_dir_all(&self.directory);
    }
}

/// The transaction of a read or write as pgduet sends it: all in one flush, with the same settings.
fn transaction(case: &Case) -> String {
    let access = match case.access {
        Access::ReadOnly => "READ ONLY",
        Access::ReadWrite => "READ WRITE",
    };
    format!(
        r#"\startpipeline
BEGIN ISOLATION LEVEL READ COMMITTED {access};
SELECT WHERE set_config('search_path', '"bench", "public"', true) IS NULL
    OR set_config('role', '{role}', true) IS NULL
    OR set_config('request.jwt.claims', '{claims}', true) IS NULL
    OR set_config('request.method', '{method}', true) IS NULL
    OR set_config('request.path', '/path', true) IS NULL
    OR set_config('request.headers', '{{"host":"127.0.0.1"}}', true) IS NULL
    OR set_config('request.cookies', '{{}}', true) IS NULL;
{sql};
COMMIT;
\endpipeline
"#,
        role = case.caller.role(),
        claims = case.caller.claims(),
        method = case.rest.method,
        sql = case.sql,
    )
}

/// Transactions per second and in all, of what `pgbench` prints at its end.
pub(crate) fn result(output: &str) -> Option<(f64, usize)> {
    let after = |prefix| output.lines().find_map(|line| line.strip_prefix(prefix)?.split([' ', '/']).next());
    let answered = after("number of transactions actually processed: ")?.parse().ok()?;
    Some((after("tps = ")?.parse().ok()?, answered))
}

/// The latencies in `pgbench`'s log files, one a thread: the third column, in microseconds.
fn logged_latencies(directory: &Path) -> anyhow::Result<Vec<Duration>> {
    let mut all = Vec::new();
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        if path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("pgbench_log.")) {
            all.extend(fs::read_to_string(&path)?.lines().filter_map(latency));
        }
    }
    Ok(all)
}

/// The latency in a line of the log. At a rate, it counts from the time that the transaction was due; the last column
/// is by how much it began later, and no server's doing.
pub(crate) fn latency(line: &str) -> Option<Duration> {
    let columns: Vec<&str> = line.split(' ').collect();
    let late: u64 = columns.get(6).map_or(Ok(0), |lag| lag.parse()).ok()?;
    let micros: u64 = columns.get(2)?.parse().ok()?;
    Some(Duration::from_micros(micros.saturating_sub(late)))
}
