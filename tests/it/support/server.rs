//! The server as its users start it: the built binary, configured by its environment, on a port of its own.

use super::until;
use std::{
    env,
    io::{BufRead, BufReader, Read},
    path::PathBuf,
    process::{Child, Command, ExitStatus, Stdio},
    sync::{Arc, Mutex, mpsc},
    thread,
    time::Duration,
};

/// What the anonymous role's server says when it takes connections.
const LISTENING: &str = "API server listening on ";

/// How long a server may take to start; on a busy machine the catalog of a test's database takes a moment.
const START: Duration = Duration::from_secs(60);

/// The program that is tested: the one that was built with the tests, unless `TEST_BINARY` names another.
pub(crate) fn binary() -> PathBuf {
    env::var_os("TEST_BINARY").map_or_else(|| env!("CARGO_BIN_EXE_pgduet").into(), PathBuf::from)
}

/// A running server. It is killed when this is dropped.
pub(crate) struct Server {
    child: Child,
    address: String,
    log: Log,
    access: Log,
}

/// What a process has written so far.
type Log = Arc<Mutex<String>>;

impl Server {
    /// Starts `pgduet` with these variables and nothing else of the environment that could configure it.
    pub(crate) fn start(environment: &[(&str, &str)]) -> Self {
        let mut command = Command::new(binary());
        command.env("PGRST_SERVER_HOST", "127.0.0.1").env("PGRST_SERVER_PORT", "0");
        command.envs(environment.iter().copied());
        Self::run(command)
    }

    /// Starts a command that serves, and waits until it says where.
    pub(crate) fn run(mut command: Command) -> Self {
        let mut child =
            command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let (say, heard) = mpsc::channel();
        let log = collect(child.stderr.take().unwrap(), move |line| {
            if let Some((_, address)) = line.split_once(LISTENING) {
                // In a log for programs a quotation mark ends it.
                let _ = say.send(address.split('"').next().unwrap_or_default().trim().to_owned());
            }
        });
        let access = collect(child.stdout.take().unwrap(), |_| ());
        match heard.recv_timeout(START) {
            Ok(address) => Self { child, address, log, access },
            Err(_) => {
                let _ = child.kill();
                panic!("the server did not start:\n{}", log.lock().unwrap());
            }
        }
    }

    /// `127.0.0.1:PORT`.
    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// `http://127.0.0.1:PORT`.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Its process.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// What it has said on stderr so far.
    pub(crate) fn log(&self) -> String {
        self.log.lock().unwrap().clone()
    }

    /// Waits until it has said `text` on stderr, `times` times at least.
    pub(crate) fn says(&self, text: &str, times: usize) {
        until(text, || (self.log().matches(text).count() >= times).then_some(()));
    }

    /// What it has said on stdout so far.
    pub(crate) fn access_log(&self) -> String {
        self.access.lock().unwrap().clone()
    }

    /// Sends it a signal, such as `TERM`.
    pub(crate) fn signal(&self, name: &str) {
        let sent =
            Command::new("kill").args([&format!("-{name}"), &self.child.id().to_string()]).status().unwrap();
        assert!(sent.success(), "kill -{name}");
    }

    /// Waits for its end.
    pub(crate) fn wait(mut self) -> ExitStatus {
        self.child.wait().unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if thread::panicking() {
            eprintln!("--- the server said ---\n{}", self.log());
        }
    }
}

/// Keeps what comes from a stream, line by line, and shows each line to `see`.
fn collect(stream: impl Read + Send + 'static, see: impl Fn(&str) + Send + 'static) -> Log {
    let log = Log::default();
    let kept = log.clone();
    thread::spawn(move || {
        for line in BufReader::new(stream).lines().map_while(Result::ok) {
            see(&line);
            let mut kept = kept.lock().unwrap();
            kept.push_str(&line);
            kept.push('\n');
        }
    });
    log
}
