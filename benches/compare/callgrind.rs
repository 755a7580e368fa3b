//! Instructions and allocations of one request, counted by valgrind: unlike times, they are the same on every run.
//!
//! What the kernel and PostgreSQL do is not among them. Where valgrind is not installed, nothing is counted.

use std::{
    env,
    fs::{self, File},
    io::{BufRead, BufReader, ErrorKind},
    path::{Path, PathBuf},
    process::{self, Command, Stdio},
};

use anyhow::{Context, ensure};

use super::{
    exchange::{Call, Endpoint},
    load::{self, Limit, Pace},
    process::Pgduet,
};

/// The functions of the C library that give memory.
const ALLOCATORS: [&str; 5] = ["malloc", "calloc", "realloc", "aligned_alloc", "posix_memalign"];

/// Requests before counting begins: by then, statements are prepared and plans are made.
const WARM_UP: u32 = 50;

/// What one request costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Count {
    pub(crate) instructions: u64,
    pub(crate) allocations: u64,
}

/// A pgduet under callgrind, which counts only when it is told to.
#[derive(Debug)]
pub(crate) struct Callgrind {
    pub(crate) pgduet: Pgduet,
    output: Output,
}

impl Callgrind {
    /// Starts `program` with one connection to the database; `None` where valgrind is not installed.
    pub(crate) fn start(program: &Path, uri: &str) -> anyhow::Result<Option<Self>> {
        let version = Command::new("valgrind").arg("--version").stdout(Stdio::null()).status();
        match version {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            other => ensure!(other?.success(), "valgrind does not run"),
        }
        let output = Output::fresh()?;
        let mut command = Command::new("valgrind");
        command
            .args(["--tool=callgrind", "--instr-atstart=no"])
            .arg(format!("--callgrind-out-file={}", output.file().display()))
            .arg(program);
        Ok(Some(Self { pgduet: Pgduet::start(command, uri, 1)?, output }))
    }

    /// Sends `calls` over one connection, `requests` of them, and counts what each costs.
    pub(crate) fn count(&self, endpoint: &Endpoint, calls: &[Call], requests: u32) -> anyhow::Result<Count> {
        load::run(endpoint, calls, 1, Pace::Full, Limit::Requests(WARM_UP))?;
        self.control("--instr=on")?;
        load::run(endpoint, calls, 1, Pace::Full, Limit::Requests(requests))?;
        self.control("--instr=off")?;
        self.control("--dump")?;
        let dump = self.output.newest()?;
        let all = read(BufReader::new(File::open(dump)?))?;
        let each = |count: u64| count / u64::from(requests);
        Ok(Count { instructions: each(all.instructions), allocations: each(all.allocations) })
    }

    fn control(&self, what: &str) -> anyhow::Result<()> {
        let output = Command::new("callgrind_control")
            .args([what, &self.pgduet.pid().to_string()])
            .output()
            .context("cannot run callgrind_control")?;
        ensure!(output.status.success(), "callgrind_control: {}", String::from_utf8_lossy(&output.stderr));
        Ok(())
    }
}

/// A directory for what callgrind writes.
#[derive(Debug)]
struct Output(PathBuf);

impl Output {
    fn fresh() -> anyhow::Result<Self> {
        let directory = env::temp_dir().join(format!("pgduet-bench-callgrind-{}", process::id()));
        fs::create_dir(&directory)?;
        Ok(Self(directory))
    }

    fn file(&self) -> PathBuf {
        self.0.join("out")
    }

    /// The dump with the highest number: they are `out.1`, `out.2` and so on.
    fn newest(&self) -> anyhow::Result<PathBuf> {
        let number = |path: &PathBuf| path.extension()?.to_str()?.parse::<u32>().ok();
        let files =
            fs::read_dir(&self.0)?.map(|entry| Ok(entry?.path())).collect::<anyhow::Result<Vec<_>>>()?;
        files
            .into_iter()
            .filter(|path| number(path).is_some())
            .max_by_key(number)
            .context("callgrind wrote no dump")
    }
}

impl Drop for Output {
    fn drop(&mut self) {
        let _it_may_not_be_there = fs::remove_dir_all(&self.0);
    }
}

/// The counts of a whole dump: a total of instructions, and calls of functions, whose names are written once and are
/// numbers from then on.
pub(crate) fn read(dump: impl BufRead) -> anyhow::Result<Count> {
    let mut count = Count { instructions: 0, allocations: 0 };
    let mut allocators = Vec::new();
    let mut called_allocates = false;
    for line in dump.lines() {
        let line = line?;
        let called = line.strip_prefix("cfn=");
        if let Some(function) = called.or_else(|| line.strip_prefix("fn=")) {
            let (id, name) = function.split_once(' ').unwrap_or((function, ""));
            // The recursive calls of a function have names of their own.
            if ALLOCATORS.contains(&name.split('\'').next().unwrap_or_default()) {
                allocators.push(id.to_owned());
            }
            called_allocates = called.is_some() && allocators.iter().any(|allocator| allocator == id);
        } else if let Some(calls) = line.strip_prefix("calls=").filter(|_| called_allocates) {
            count.allocations += calls.split(' ').next().unwrap_or_default().parse::<u64>()?;
        } else if let Some(total) = line.strip_prefix("totals: ") {
            count.instructions = total.trim().parse()?;
        }
    }
    ensure!(count.instructions > 0, "callgrind counted no instructions");
    Ok(count)
}
