//! What the operating system says of this process. What a system does not tell is left out.

use nix::sys::{
    resource::{Resource, UsageWho, getrlimit, getrusage},
    time::TimeValLike,
};
use std::{fs, time::Duration};

/// The process at one moment.
#[derive(Clone, Copy, Debug, Default)]
pub struct Process {
    /// Time of the processors, of user and system together.
    pub cpu: Option<Duration>,
    /// Resident memory, in bytes.
    pub resident: Option<u64>,
    /// Virtual memory, in bytes.
    pub virtual_memory: Option<u64>,
    /// Open file descriptors.
    pub descriptors: Option<u64>,
    /// Most file descriptors that may be open.
    pub most_descriptors: Option<u64>,
    /// Threads.
    pub threads: Option<u64>,
}

impl Process {
    /// This process now.
    pub fn now() -> Self {
        let usage = getrusage(UsageWho::RUSAGE_SELF).ok();
        let cpu = usage.map(|usage| (usage.user_time() + usage.system_time()).num_microseconds());
        let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
        let field = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
            line.split_whitespace().next()?.parse::<u64>().ok()
        };
        let descriptors = fs::read_dir("/proc/self/fd").ok().map(|open| open.count());
        Self {
            cpu: cpu.and_then(|cpu| u64::try_from(cpu).ok()).map(Duration::from_micros),
            // The kernel tells them in KiB.
            resident: field("VmRSS").map(|size| size * 1024),
            virtual_memory: field("VmSize").map(|size| size * 1024),
            // One of them is open to read this.
            descriptors: descriptors.and_then(|count| u64::try_from(count.saturating_sub(1)).ok()),
            most_descriptors: getrlimit(Resource::RLIMIT_NOFILE).ok().map(|(soft, _)| soft),
            threads: field("Threads"),
        }
    }
}
