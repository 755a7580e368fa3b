//! The `postgres` process: started so that it cannot outlive this one, and stopped.
//!
//! ```text
//!   this process                          postgres
//!   ────────────                          ────────
//!   keeper thread ── fork, exec ───────▶  own process group: Ctrl-C reaches us first
//!        │ waits                          SIGINT when the keeper ends (Linux)
//!   stop: SIGINT  ─────────────────────▶  fast shutdown: ends sessions, writes a checkpoint
//!        │ reaps
//!        ▼ keeper ends
//! ```
//!
//! Linux sends the parent-death signal when the *thread* ends that started the child, so a thread of its own does, and
//! lives as long as the server. Where there is no such signal, [`super::cluster`] finds the orphan at the next start.

use std::{
    convert::Infallible,
    io,
    os::unix::process::CommandExt,
    process::{Child, Command},
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

/// How often a condition of another process is looked at.
pub(super) const POLL: Duration = Duration::from_millis(5);

/// What PostgreSQL calls a fast shutdown.
pub(super) const FAST: Signal = Signal::SIGINT;

/// A fast shutdown takes some 20 ms; a session that does not react gets the immediate one.
const PATIENCE: Duration = Duration::from_secs(20);

/// A running server process. Dropping it stops the server.
#[derive(Debug)]
pub(super) struct Server {
    child: Child,
    /// The keeper thread lives until this is dropped.
    _keeper: mpsc::Sender<Infallible>,
}

impl Server {
    /// Starts `command`, which has to be `postgres` itself and not a wrapper: it is what gets the signals.
    pub(super) fn start(mut command: Command) -> io::Result<Self> {
        command.process_group(0);
        end_with_parent(&mut command);
        let (keeper, life) = mpsc::channel::<Infallible>();
        let (started, start) = mpsc::channel();
        thread::Builder::new().name("postgres keeper".into()).spawn(move || {
            if started.send(command.spawn()).is_ok() {
                // Nothing is ever sent: this returns when the sender is dropped.
                let _ended = life.recv();
            }
        })?;
        let child = start.recv().map_err(io::Error::other)??;
        Ok(Self { child, _keeper: keeper })
    }

    /// The process id.
    pub(super) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Whether the process has ended.
    pub(super) fn has_ended(&mut self) -> io::Result<bool> {
        Ok(self.child.try_wait()?.is_some())
    }

    /// Stops the server and waits for its end.
    pub(super) fn stop(&mut self) -> io::Result<()> {
        for signal in [FAST, Signal::SIGQUIT] {
            if self.has_ended()? {
                return Ok(());
            }
            kill(Pid::from_raw(self.child.id().cast_signed()), signal)?;
            let start = Instant::now();
            while !self.has_ended()? && start.elapsed() < PATIENCE {
                thread::sleep(POLL);
            }
        }
        self.child.wait().map(drop)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Err(error) = self.stop() {
            tracing::error!("PostgreSQL (process {}) was not stopped: {error}", self.id());
        }
    }
}

/// Asks the kernel to stop the child when the thread that starts it is gone.
#[cfg(target_os = "linux")]
fn end_with_parent(command: &mut Command) {
    let parent = Pid::this();
    // SAFETY: the closure runs between fork and exec and makes two system calls, both async-signal-safe; it does not
    // allocate. std has changed the user by then, which would have cleared the setting.
    #[allow(unsafe_code, reason = "std offers no other way to set the parent-death signal")]
    unsafe {
        command.pre_exec(move || {
            nix::sys::prctl::set_pdeathsig(FAST)?;
            // If the parent died before the call, the signal never comes.
            if nix::unistd::getppid() == parent { Ok(()) } else { Err(nix::Error::ESRCH.into()) }
        });
    }
}

/// No such signal on this system: the next start takes over.
#[cfg(not(target_os = "linux"))]
fn end_with_parent(_: &mut Command) {}
