//! The pgduet that is measured: the built binary, configured by its environment, on a port of its own.

use std::{
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
    sync::mpsc,
    thread,
    time::Duration,
};

use anyhow::bail;

use super::{
    caller::{Caller, SECRET},
    database::SCHEMA,
};

/// What it says on standard error when it takes connections.
const LISTENING: &str = "API server listening on ";

/// How long its start may take.
const START: Duration = Duration::from_secs(60);

/// A running pgduet, which ends when this is dropped.
#[derive(Debug)]
pub(crate) struct Pgduet {
    child: Child,
    /// `host:port`.
    pub(crate) authority: String,
}

impl Pgduet {
    /// Starts `command`, which runs it, on the database at `uri` with a pool of `pool` connections. Nothing of our
    /// environment reaches it.
    pub(crate) fn start(mut command: Command, uri: &str, pool: usize) -> anyhow::Result<Self> {
        let mut child = command
            .env_clear()
            .env("PGRST_DB_URI", uri)
            .env("PGRST_DB_SCHEMAS", SCHEMA)
            .env("PGRST_DB_ANON_ROLE", Caller::Anonymous.role())
            .env("PGRST_JWT_SECRET", SECRET)
            .env("PGRST_DB_POOL", pool.to_string())
            .env("PGRST_SERVER_HOST", "127.0.0.1")
            .env("PGRST_SERVER_PORT", "0")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()?;
        let stderr = child.stderr.take();
        let mut pgduet = Self { child, authority: String::new() };
        let (say, heard) = mpsc::channel();
        // Read to the end, so that it never waits for a reader.
        thread::spawn(move || {
            for line in
                stderr.into_iter().flat_map(|stderr| BufReader::new(stderr).lines()).map_while(Result::ok)
            {
                let _nobody_listens_any_more = say.send(line);
            }
        });
        let mut said = String::new();
        while let Ok(line) = heard.recv_timeout(START) {
            if let Some((_, authority)) = line.split_once(LISTENING) {
                pgduet.authority = authority.trim().to_owned();
                return Ok(pgduet);
            }
            said.push_str(&line);
            said.push('\n');
        }
        bail!("pgduet did not start:\n{said}")
    }
}

impl Pgduet {
    /// Its process.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Pgduet {
    fn drop(&mut self) {
        let _it_may_have_ended = self.child.kill();
        let _it_may_have_ended = self.child.wait();
    }
}
