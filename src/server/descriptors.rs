//! File descriptors: each connection takes one, and what a process may open at first is often far less than it may ask
//! for. It asks for all; who opens them is not its business.

use std::io;
use std::num::NonZeroUsize;

use nix::sys::resource::{Resource, getrlimit, setrlimit};

/// Descriptors that are not for clients: logs, listeners, the runtime's own.
const OWN: u64 = 64;

/// Raises the soft limit to the hard one; returns it.
pub fn raise() -> io::Result<u64> {
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    if soft < hard {
        setrlimit(Resource::RLIMIT_NOFILE, hard, hard)?;
    }
    Ok(hard)
}

/// As many client connections as are `wanted`, unless there are no descriptors for them beside those to the database.
pub fn connections(wanted: NonZeroUsize, descriptors: u64, database: NonZeroUsize) -> NonZeroUsize {
    let database = u64::try_from(database.get()).unwrap_or(u64::MAX);
    let left = descriptors.saturating_sub(OWN).saturating_sub(database);
    let left = usize::try_from(left).ok().and_then(NonZeroUsize::new).unwrap_or(NonZeroUsize::MIN);
    wanted.min(left)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_leave_descriptors_for_everything_else() {
        let number = |number| NonZeroUsize::new(number).unwrap_or(NonZeroUsize::MIN);
        assert_eq!(connections(number(10_000), 1_048_576, number(10)), number(10_000));
        assert_eq!(connections(number(10_000), 1024, number(10)), number(950));
        assert_eq!(connections(number(10_000), 20, number(10)), number(1));
    }

    #[test]
    fn the_soft_limit_becomes_the_hard_one() -> io::Result<()> {
        let raised = raise()?;
        assert_eq!(getrlimit(Resource::RLIMIT_NOFILE)?, (raised, raised));
        Ok(())
    }
}
