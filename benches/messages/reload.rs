//! What a catalog of many tables costs: at a reload, where nobody calls its services, where each is called, and where
//! reflection is asked. Memory is the resident size of this process, above what it was without a catalog.

use super::{Length, catalog::tables};
use bytes::Bytes;
use pgduet::{
    catalog::Catalog,
    config::{Config, Sources},
    error::Error,
    grpc::measure,
};
use std::{
    env, fs,
    io::{self, Write},
    process::Command,
    sync::Arc,
    time::{Duration, Instant},
};

/// How many tables.
const SIZES: [u32; 3] = [100, 1_000, 10_000];

/// What makes this process measure one size alone; the number of tables follows.
pub(crate) const TABLES: &str = "--tables";

/// So often times are taken; the shortest counts.
const RUNS: usize = 3;

pub(crate) fn measure(length: Length, out: &mut impl Write) -> io::Result<()> {
    writeln!(out, "tables of 10 columns: times are the best of {RUNS}; memory is for each table")?;
    writeln!(
        out,
        "tables   catalog     names   memory   at a reload   changes   first call   all called   memory   reflection"
    )?;
    for count in SIZES {
        match length {
            // Each in a process of its own, which has had no other memory.
            Length::Full => {
                let measured =
                    Command::new(env::current_exe()?).args([TABLES, &count.to_string()]).output()?;
                out.write_all(&measured.stdout)?;
                out.write_all(&measured.stderr)?;
            }
            Length::Quick => one(count / 10, 1, out)?,
        }
    }
    Ok(())
}

/// Measures a catalog of so many tables in this process.
pub(crate) fn measure_one(count: u32, out: &mut impl Write) -> io::Result<()> {
    one(count, RUNS, out)
}

fn one(count: u32, runs: usize, out: &mut impl Write) -> io::Result<()> {
    let (config, _) = Config::load(&Sources::default()).map_err(io::Error::other)?;
    let before = resident();
    let each =
        |bytes: usize| format!("{:.1} KB", bytes.saturating_sub(before) as f64 / f64::from(count) / 1e3);
    let mut catalogs = Duration::MAX;
    let mut names = Duration::MAX;
    let (mut catalog, mut made) = loaded(count)?;
    let once = resident();
    let mut twice = 0;
    let mut changes = Duration::MAX;
    for _ in 0..runs {
        // The one before is there until the next one is.
        let begun = Instant::now();
        let next = Arc::new(tables(count));
        catalogs = catalogs.min(begun.elapsed());
        let begun = Instant::now();
        let next_made = measure::make(next.clone()).map_err(io::Error::other)?;
        names = names.min(begun.elapsed());
        let begun = Instant::now();
        assert!(next_made.changes_since(&made).is_empty());
        changes = changes.min(begun.elapsed());
        twice = twice.max(resident());
        (catalog, made) = (next, next_made);
    }
    let mut services = made.services();
    // It has no rows of its own.
    services.retain(|service| !service.ends_with(".TransactionService"));
    let first = timed(|| services.iter().take(1).try_for_each(|service| call(&made, &config, service)))?;
    let all = timed(|| services.iter().try_for_each(|service| call(&made, &config, service)))?;
    let called = resident();
    let reflection = timed(|| made.reflect().map(|bytes| assert!(bytes > 0)))?;
    drop(catalog);
    writeln!(
        out,
        "{count:6}   {:>7}   {:>7}   {:>6}   {:>11}   {:>7}   {:>10}   {:>10}   {:>6}   {:>10}",
        millis(catalogs),
        millis(names),
        each(once),
        each(twice),
        millis(changes),
        millis(first),
        millis(all),
        each(called),
        millis(reflection)
    )
}

fn loaded(count: u32) -> io::Result<(Arc<Catalog>, measure::Made)> {
    let catalog = Arc::new(tables(count));
    let made = measure::make(catalog.clone()).map_err(io::Error::other)?;
    Ok((catalog, made))
}

/// A page of rows of the relation that this service is about.
fn call(made: &measure::Made, config: &Config, service: &str) -> Result<(), Box<Error>> {
    let rows = service.rsplit('.').next().and_then(|name| name.strip_suffix("Service")).unwrap_or_default();
    let path = format!("/{service}/List{rows}");
    assert!(made.request(&path, Bytes::new(), config)?.is_some(), "there is no {path}");
    Ok(())
}

fn timed(run: impl FnOnce() -> Result<(), Box<Error>>) -> io::Result<Duration> {
    let begun = Instant::now();
    run().map_err(io::Error::other)?;
    Ok(begun.elapsed())
}

/// The resident size of this process in bytes; 0 where the system does not say.
fn resident() -> usize {
    let line = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let size = line.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kilobytes = size.and_then(|size| size.trim().strip_suffix(" kB")?.parse::<usize>().ok());
    kilobytes.unwrap_or_default() * 1024
}

fn millis(time: Duration) -> String {
    format!("{:.1} ms", time.as_secs_f64() * 1e3)
}
