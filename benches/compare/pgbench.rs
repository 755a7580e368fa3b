//! The floor: the SQL of a case through `pgbench`, pipelined and prepared as pgduet sends it, with no HTTP around it.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};

use anyhow::{Context, ensure};

use super::{
    cases::{Access, Case},
    load::{Limit, Sample, threads},
};

/// One latency in so many is logged: writing them costs `pgbench` time that it would spend on requests.
const LOGGED: u32 = 4;

/// `pgbench`, and a directory for its scripts and logs.
#[derive(Debug)]
pub(crate) struct Pgbench {
    pub(crate) program: PathBuf,
    pub(crate) directory: PathBuf,
    /// The database.
    pub(crate) uri: String,
    /// How many connections.
    pub(crate) clients: usize,
}

impl Pgbench {
    /// Runs the SQL of a case.
    pub(crate) fn run(&self, case: &Case, limit: Limit) -> anyhow::Result<Sample> {
        if self.directory.exists() {
            fs::remove_dir_all(&self.directory)?;
        }
        fs::create_dir_all(&self.directory)?;
        let script = self.directory.join("script.sql");
        fs::write(&script, self::script(case))?;
        let mut command = Command::new(&self.program);
        command
            .current_dir(&self.directory)
            .args(["--no-vacuum", "--protocol=prepared", "--log"])
            .arg(format!("--client={}", self.clients))
            .arg(format!("--jobs={}", threads(self.clients)))
            .arg("--file")
            .arg(&script);
        match limit {
            Limit::Time { measured, .. } => {
                command
                    .arg(format!("--time={}", measured.as_secs().max(1)))
                    .arg(format!("--sampling-rate={}", 1.0 / f64::from(LOGGED)));
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
        let rate = rate(&String::from_utf8_lossy(&output.stdout))
            .with_context(|| format!("pgbench gave no rate: {said}"))?;
        Sample::new(rate, logged_latencies(&self.directory)?)
    }
}

impl Drop for Pgbench {
    fn drop(&mut self) {
        let _it_may_not_be_there = fs::remove_dir_all(&self.directory);
    }
}

/// The transaction of a read or write as pgduet sends it: all in one flush, with the same settings.
fn script(case: &Case) -> String {
    let access = match case.access {
        Access::ReadOnly => "READ ONLY",
        Access::ReadWrite => "READ WRITE",
    };
    format!(
        r#"\set key random(1, {keys})
\startpipeline
BEGIN ISOLATION LEVEL READ COMMITTED {access};
SELECT WHERE set_config('search_path', '"bench", "public"', true) IS NULL
    OR set_config('role', 'bench_anonymous', true) IS NULL
    OR set_config('request.jwt.claims', '{{"role":"bench_anonymous"}}', true) IS NULL
    OR set_config('request.method', '{method}', true) IS NULL
    OR set_config('request.path', '/path', true) IS NULL
    OR set_config('request.headers', '{{"host":"127.0.0.1"}}', true) IS NULL
    OR set_config('request.cookies', '{{}}', true) IS NULL;
{sql};
COMMIT;
\endpipeline
"#,
        keys = case.keys,
        method = case.rest.method,
        sql = case.sql,
    )
}

/// Transactions per second, of what `pgbench` prints at its end.
pub(crate) fn rate(output: &str) -> Option<f64> {
    output.lines().find_map(|line| line.strip_prefix("tps = ")?.split(' ').next()?.parse().ok())
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

/// The latency in a line of the log.
pub(crate) fn latency(line: &str) -> Option<Duration> {
    line.split(' ').nth(2)?.parse().ok().map(Duration::from_micros)
}
