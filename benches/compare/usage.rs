//! What a measurement costs: CPU time and memory, read from Linux's `/proc`. Where it does not say (another system,
//! a server on another machine), there is no number.

use std::{fs, path::Path, process, time::Duration};

/// The unit of times in `/proc`: Linux has 100 ticks a second for user space on every architecture.
const TICK: Duration = Duration::from_millis(10);

/// The columns of `/proc/PID/stat` behind the name, which may contain spaces and parentheses.
const PARENT: usize = 1;
const USER: usize = 11;
const KERNEL: usize = 12;
const ENDED_CHILDREN: [usize; 2] = [13, 14];

/// Whose time and memory it is.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Spender {
    /// A process, with all of its threads.
    Process(u32),
    /// The threads of this process that have this name.
    Threads(&'static str),
    /// The client: this process without the threads of this name, and the children that have ended, `pgbench` among them.
    Client { without: &'static str },
    /// Nobody that could be looked at.
    Unknown,
}

/// CPU time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Cpu {
    pub(crate) user: Duration,
    pub(crate) kernel: Duration,
}

impl Spender {
    /// The process that listens on this TCP port of this machine.
    pub(crate) fn listening_on(port: u16) -> Self {
        listening_process(port).map_or(Self::Unknown, Self::Process)
    }

    /// The CPU time that it has used so far.
    pub(crate) fn cpu(self) -> Option<Cpu> {
        match self {
            Self::Process(pid) => Some(own(&stat(pid)?)),
            Self::Threads(name) => Some(
                numbers("/proc/self/task")
                    .filter_map(|thread| fs::read_to_string(format!("/proc/self/task/{thread}/stat")).ok())
                    .filter(|line| line.contains(&format!("({name})")))
                    .filter_map(|line| columns(&line))
                    .map(|columns| own(&columns))
                    .fold(Cpu::default(), Cpu::plus),
            ),
            Self::Client { without } => {
                let columns = stat(process::id())?;
                let [user, kernel] = ENDED_CHILDREN.map(|column| ticks(columns[column]));
                Some(own(&columns).plus(Cpu { user, kernel }).since(Self::Threads(without).cpu()?))
            }
            Self::Unknown => None,
        }
    }

    /// The memory that a process occupies, in bytes.
    pub(crate) fn resident(self) -> Option<u64> {
        let Self::Process(pid) = self else { return None };
        let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
        Some(1024 * line.trim().strip_suffix(" kB")?.parse::<u64>().ok()?)
    }
}

/// PostgreSQL: its first process and the children of it, which are its backends.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Postgres {
    first: Option<u32>,
}

impl Postgres {
    /// The server that has this backend.
    pub(crate) fn of_backend(pid: u32) -> Self {
        let runs_here =
            fs::read_to_string(format!("/proc/{pid}/comm")).is_ok_and(|name| name.trim() == "postgres");
        let parent = || u32::try_from(*stat(pid)?.get(PARENT)?).ok();
        Self { first: runs_here.then(parent).flatten() }
    }

    /// The CPU time that it has used so far; that of backends which have ended is their parent's.
    pub(crate) fn cpu(self) -> Option<Cpu> {
        let first = self.first?;
        let backends =
            numbers("/proc").filter_map(stat).filter(|columns| columns[PARENT] == u64::from(first));
        let living = backends.map(|columns| own(&columns)).fold(Cpu::default(), Cpu::plus);
        let parent = stat(first)?;
        let [user, kernel] = ENDED_CHILDREN.map(|column| ticks(parent[column]));
        Some(living.plus(own(&parent)).plus(Cpu { user, kernel }))
    }
}

impl Cpu {
    fn plus(self, other: Self) -> Self {
        Self { user: self.user + other.user, kernel: self.kernel + other.kernel }
    }

    /// What came after `before`.
    pub(crate) fn since(self, before: Self) -> Self {
        Self {
            user: self.user.saturating_sub(before.user),
            kernel: self.kernel.saturating_sub(before.kernel),
        }
    }
}

fn own(columns: &[u64]) -> Cpu {
    Cpu { user: ticks(columns[USER]), kernel: ticks(columns[KERNEL]) }
}

fn ticks(count: u64) -> Duration {
    TICK * u32::try_from(count).unwrap_or(u32::MAX)
}

fn stat(pid: u32) -> Option<Vec<u64>> {
    columns(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
}

/// The columns behind the name. Those that are no numbers, the state and negative ones, count as 0.
pub(crate) fn columns(line: &str) -> Option<Vec<u64>> {
    let (_, rest) = line.rsplit_once(')')?;
    let columns: Vec<u64> = rest.split_whitespace().map(|column| column.parse().unwrap_or(0)).collect();
    (columns.len() > ENDED_CHILDREN[1]).then_some(columns)
}

/// The entries of a directory that are numbers.
fn numbers(directory: &str) -> impl Iterator<Item = u32> {
    fs::read_dir(directory)
        .into_iter()
        .flatten()
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
}

/// The process that holds the listening socket: the kernel's table names its inode, and so do its descriptors.
fn listening_process(port: u16) -> Option<u32> {
    let inode = ["/proc/net/tcp", "/proc/net/tcp6"].iter().find_map(|table| {
        fs::read_to_string(table).ok()?.lines().find_map(|line| listening_inode(line, port))
    })?;
    let socket = format!("socket:[{inode}]");
    numbers("/proc").find(|pid| {
        let descriptors = fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
        descriptors
            .into_iter()
            .any(|entry| fs::read_link(entry.path()).is_ok_and(|to| to == Path::new(&socket)))
    })
}

/// The inode in a line of `/proc/net/tcp` whose socket listens on this port.
pub(crate) fn listening_inode(line: &str, port: u16) -> Option<u64> {
    let columns: Vec<&str> = line.split_whitespace().collect();
    let (_, local) = columns.get(1)?.split_once(':')?;
    let listens = u16::from_str_radix(local, 16) == Ok(port) && columns.get(3) == Some(&"0A");
    listens.then(|| columns.get(9)?.parse().ok()).flatten()
}
