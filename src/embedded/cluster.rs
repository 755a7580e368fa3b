//! One data directory and the server that works on it.
//!
//! ```text
//!   <location>/lock         held while a process works with this location; names it
//!   <location>/data.new     initdb at work; renamed to data when it is done
//!   <location>/data         PGDATA, mode 0700; the unix socket stands in it
//!   <location>/server.log   of the latest start
//! ```
//!
//! There is no TCP, so there is no port to race for, and `trust` authentication stays behind the data directory's mode.
//! Nothing here speaks PostgreSQL's protocol.

use std::{
    env,
    fs::{self, File, TryLockError},
    io::{self, Read, Seek, Write},
    os::unix::{ffi::OsStrExt, net::UnixStream},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread,
};

use nix::{
    sys::signal::kill,
    unistd::{Pid, mkdtemp},
};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use super::{
    Binaries, Context, Error, ServerUser,
    process::{FAST, POLL, Server},
};

/// The name of the socket in its directory; the number is libpq's default port, so that URIs need none.
const SOCKET: &str = ".s.PGSQL.5432";

/// The shortest limit for a socket's path among the supported systems (macOS), with its final NUL.
const SOCKET_PATH_MAX: usize = 104;

/// What would change the server or `initdb` behind our back.
const FOREIGN_VARIABLES: [&str; 9] =
    ["PGDATA", "PGHOST", "PGPORT", "PGUSER", "PGOPTIONS", "LANG", "LANGUAGE", "LC_CTYPE", "LC_MESSAGES"];

/// Where the data is.
#[derive(Debug, Clone)]
pub enum Location {
    /// A directory that is kept between runs, and made if it is missing.
    Kept(PathBuf),
    /// The same, but what is in it is deleted first.
    Fresh(PathBuf),
    /// A directory below the system's temporary directory, deleted when the cluster is dropped.
    Temporary,
}

/// Whether the data survives a crash of the system.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// As PostgreSQL does by default.
    Durable,
    /// Nothing is flushed to disk: faster, and lost with the system. Also has room for more connections.
    Throwaway,
}

impl Durability {
    fn initdb_options(self) -> &'static [&'static str] {
        match self {
            Self::Durable => &[],
            Self::Throwaway => &["--no-sync", "--wal-segsize=1"],
        }
    }

    fn settings(self) -> &'static [&'static str] {
        match self {
            Self::Durable => &[],
            Self::Throwaway => {
                &["fsync=off", "full_page_writes=off", "synchronous_commit=off", "max_connections=500"]
            }
        }
    }
}

/// A running PostgreSQL server. Dropping it stops the server, and deletes a temporary location.
#[derive(Debug)]
pub struct Cluster {
    // In this order they are dropped: the server stops, then its files go, then the lock.
    server: Server,
    data: PathBuf,
    socket_dir: PathBuf,
    _temporary: Vec<TemporaryDirectory>,
    _lock: Lock,
}

impl Cluster {
    /// Starts a server, on a new data directory if there is none yet. Returns when it accepts connections.
    ///
    /// A server that an earlier process left behind in this location is stopped first; a location that another living
    /// process works with is [`Error::Held`].
    pub fn open(binaries: &Binaries, location: Location, durability: Durability) -> Result<Self, Error> {
        let user = ServerUser::find()?;
        let mut temporary = Vec::new();
        let (location, delete) = match location {
            Location::Kept(location) => (location, false),
            Location::Fresh(location) => (location, true),
            Location::Temporary => (new_temporary(&user, &mut temporary)?, false),
        };
        fs::create_dir_all(&location).context(|| format!("create {}", location.display()))?;
        let location = location.canonicalize().context(|| format!("find {}", location.display()))?;
        let lock = lock(&location)?;
        let data = location.join("data");
        let socket_dir = if fits(&data) { data.clone() } else { new_temporary(&user, &mut temporary)? };
        stop_orphan(&data)?;
        if delete {
            remove(&data)?;
        }
        if !data.exists() {
            let new = location.join("data.new");
            remove(&new)?;
            initialise(binaries, &new, durability)?;
            fs::rename(&new, &data).context(|| format!("rename {}", new.display()))?;
        }
        check_major(binaries, &data)?;
        let server = start(binaries, &user, &data, &socket_dir, durability)?;
        Ok(Self { server, data, socket_dir, _temporary: temporary, _lock: lock })
    }

    /// A URI for libpq and everything that reads its URIs: `role` at `database`, over the unix socket, no password.
    pub fn uri(&self, role: &str, database: &str) -> String {
        let encode = |text| utf8_percent_encode(text, NON_ALPHANUMERIC);
        let socket_dir =
            percent_encoding::percent_encode(self.socket_dir.as_os_str().as_bytes(), NON_ALPHANUMERIC);
        format!("postgresql://{}@/{}?host={socket_dir}", encode(role), encode(database))
    }

    /// The directory of the unix socket: what `PGHOST` and `psql -h` take.
    pub fn socket_dir(&self) -> &Path {
        &self.socket_dir
    }

    /// The data directory.
    pub fn data_dir(&self) -> &Path {
        &self.data
    }

    /// The process id of the server.
    pub fn server_id(&self) -> u32 {
        self.server.id()
    }

    /// Stops the server and tells whether that worked; dropping does the same and only logs.
    pub fn stop(mut self) -> Result<(), Error> {
        self.server.stop().context(|| "stop PostgreSQL".into())
    }
}

/// Makes a data directory at `data`, which must not exist; its parent may belong to this process's user alone.
pub fn initialise(binaries: &Binaries, data: &Path, durability: Durability) -> Result<(), Error> {
    let user = ServerUser::find()?;
    fs::create_dir(data).context(|| format!("create {}", data.display()))?;
    user.own(data)?;
    // C.UTF-8 everywhere, so that order and case do not depend on the system; C alone where the system lacks it.
    let locales: [&[&str]; 2] = if binaries.major() >= 17 {
        [&["--locale-provider=builtin", "--locale=C.UTF-8"], &["--locale=C"]]
    } else {
        [&["--lc-collate=C", "--lc-ctype=C.UTF-8"], &["--locale=C"]]
    };
    let mut output = String::new();
    for locale in locales {
        let mut command = command(binaries, "initdb", &user, data);
        command.args(["-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-instructions"]);
        command.args(durability.initdb_options()).args(locale).arg("-D").arg(data);
        let result = command.output().context(|| denied("run initdb", &user, data))?;
        if result.status.success() {
            return Ok(());
        }
        output = String::from_utf8_lossy(&result.stderr).trim().to_owned();
    }
    Err(Error::Initdb { output })
}

/// A program that runs as `user` in `data`, and whose behaviour depends on nothing in our environment.
fn command(binaries: &Binaries, program: &str, user: &ServerUser, data: &Path) -> Command {
    let mut command = Command::new(binaries.program(program));
    for variable in FOREIGN_VARIABLES {
        command.env_remove(variable);
    }
    command.env("LC_ALL", "C").env("TZ", "UTC").current_dir(data).stdin(Stdio::null());
    user.run(&mut command);
    command
}

/// Starts `postgres` and waits until it accepts connections.
fn start(
    binaries: &Binaries,
    user: &ServerUser,
    data: &Path,
    socket_dir: &Path,
    durability: Durability,
) -> Result<Server, Error> {
    let log_path = data.with_file_name("server.log");
    let log = File::create(&log_path).context(|| format!("write {}", log_path.display()))?;
    let output = log.try_clone().context(|| format!("write {}", log_path.display()))?;
    let mut command = command(binaries, "postgres", user, data);
    command.arg("-D").arg(data).arg("-k").arg(socket_dir).args(["-p", "5432"]);
    for setting in ["listen_addresses=", "unix_socket_permissions=0700"].iter().chain(durability.settings()) {
        command.args(["-c", setting]);
    }
    command.stdout(output).stderr(log);
    let mut server = Server::start(command).context(|| denied("start postgres", user, data))?;
    while !is_ready(data, server.id()) {
        if server.has_ended().context(|| "watch postgres".into())? {
            let log = fs::read(&log_path).context(|| format!("read {}", log_path.display()))?;
            return Err(Error::ServerEnded { log: String::from_utf8_lossy(&log).trim().to_owned() });
        }
        thread::sleep(POLL);
    }
    Ok(server)
}

/// What a server says of itself in `postmaster.pid`, line by line; `pg_ctl` reads the same.
struct Status {
    id: i32,
    socket: PathBuf,
    listens_on_tcp: bool,
    is_ready: bool,
}

impl Status {
    /// None while there is no such file, or none that is complete.
    fn read(data: &Path) -> Option<Self> {
        let text = fs::read_to_string(data.join("postmaster.pid")).ok()?;
        let lines: Vec<&str> = text.lines().map(str::trim).collect();
        let [id, _data, _started, _port, socket_dir, address, _memory, state] = lines[..] else {
            return None;
        };
        Some(Self {
            id: id.parse().ok()?,
            socket: Path::new(socket_dir).join(SOCKET),
            listens_on_tcp: !address.is_empty(),
            is_ready: state == "ready",
        })
    }
}

/// A successful connect would say less than the server's own word: the socket listens before recovery is done.
fn is_ready(data: &Path, id: u32) -> bool {
    Status::read(data).is_some_and(|status| status.is_ready && status.id == id.cast_signed())
}

/// Stops the server that a process of ours left behind. The caller holds the lock, so none that lives works with it.
///
/// An answering socket proves that `postmaster.pid` is not a leftover; a server with TCP was started by someone else,
/// and ours will refuse to start beside it.
fn stop_orphan(data: &Path) -> Result<(), Error> {
    let answers = |status: &Status| UnixStream::connect(&status.socket).is_ok();
    let Some(orphan) = Status::read(data).filter(|status| !status.listens_on_tcp && answers(status)) else {
        return Ok(());
    };
    tracing::info!("stopping PostgreSQL (process {}), left behind in {}", orphan.id, data.display());
    let process = Pid::from_raw(orphan.id);
    match kill(process, FAST) {
        Ok(()) | Err(nix::Error::ESRCH) => {}
        Err(error) => return Err(error.into()).context(|| format!("stop process {process}")),
    }
    // Its file goes last, unless it was killed.
    while Status::read(data).is_some_and(|status| status.id == orphan.id && kill(process, None).is_ok()) {
        thread::sleep(POLL);
    }
    Ok(())
}

fn check_major(binaries: &Binaries, data: &Path) -> Result<(), Error> {
    let path = data.join("PG_VERSION");
    let version = fs::read_to_string(&path).context(|| format!("read {}", path.display()))?;
    if version.trim() == binaries.major().to_string() {
        return Ok(());
    }
    Err(Error::OtherMajor {
        directory: data.to_owned(),
        data: version.trim().to_owned(),
        binaries: binaries.major(),
    })
}

/// The lock of a location. The kernel releases it when this process ends.
#[derive(Debug)]
struct Lock(File);

impl Drop for Lock {
    /// Closing the file is not enough: a child process that another thread forks has it open until it executes its program.
    fn drop(&mut self) {
        // If that fails, the end of the process releases it.
        let _ = self.0.unlock();
    }
}

/// Takes the lock of `location` and leaves our name in it.
fn lock(location: &Path) -> Result<Lock, Error> {
    let path = location.join("lock");
    let open = || File::options().read(true).write(true).create(true).truncate(false).open(&path);
    let mut file = open().context(|| format!("open {}", path.display()))?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let mut holder = String::new();
            file.read_to_string(&mut holder).context(|| format!("read {}", path.display()))?;
            return Err(Error::Held { directory: location.to_owned(), holder: holder.trim().to_owned() });
        }
        Err(TryLockError::Error(error)) => {
            return Err(error).context(|| format!("lock {}", path.display()));
        }
    }
    let name =
        env::current_exe().ok().and_then(|path| Some(path.file_name()?.to_string_lossy().into_owned()));
    file.set_len(0)
        .and_then(|()| file.rewind())
        .and_then(|()| {
            writeln!(file, "{} (process {})", name.as_deref().unwrap_or("pgduet"), std::process::id())
        })
        .context(|| format!("write {}", path.display()))?;
    Ok(Lock(file))
}

fn fits(socket_dir: &Path) -> bool {
    socket_dir.as_os_str().len() + 1 + SOCKET.len() < SOCKET_PATH_MAX
}

fn denied(action: &str, user: &ServerUser, data: &Path) -> String {
    match user {
        ServerUser::Own => format!("{action} in {}", data.display()),
        ServerUser::Other { name, .. } => {
            format!("{action} as user {name} in {}, which that user has to be able to enter", data.display())
        }
    }
}

/// Deleted when dropped.
#[derive(Debug)]
struct TemporaryDirectory(PathBuf);

impl Drop for TemporaryDirectory {
    fn drop(&mut self) {
        if let Err(error) = remove(&self.0) {
            tracing::warn!("{error}");
        }
    }
}

/// Makes a directory that only the server's user (and root) can enter, and adds it to those to delete.
fn new_temporary(user: &ServerUser, temporary: &mut Vec<TemporaryDirectory>) -> Result<PathBuf, Error> {
    let template = env::temp_dir().join("pgduet-XXXXXX");
    let path =
        mkdtemp(&template).map_err(io::Error::from).context(|| format!("create {}", template.display()))?;
    temporary.push(TemporaryDirectory(path.clone()));
    user.own(&path)?;
    Ok(path)
}

fn remove(directory: &Path) -> Result<(), Error> {
    match fs::remove_dir_all(directory) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(error).context(|| format!("remove {}", directory.display()))
        }
        _ => Ok(()),
    }
}
