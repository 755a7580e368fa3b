//! The clients that users have: curl, grpcurl, a browser, Python. `tools/install` puts those that the system does not
//! have below `target/tools`.

use std::{
    path::PathBuf,
    process::{Command, Output},
};

/// A file below `target/tools`; a test that needs one that is missing says how to get it.
pub(crate) fn tool(path: &str) -> PathBuf {
    let found = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("target/tools").join(path);
    assert!(found.exists(), "{} is missing: run tools/install", found.display());
    found
}

/// What a command printed, which must have succeeded.
pub(crate) fn stdout(command: &mut Command) -> String {
    let Output { status, stdout, stderr } = command.output().unwrap();
    let stderr = String::from_utf8_lossy(&stderr);
    let stdout = String::from_utf8(stdout).unwrap();
    // Compilers of JavaScript and buf say on it what is wrong.
    assert!(status.success(), "{command:?}: {status}\n{stderr}{stdout}");
    stdout
}

/// An answer as curl saw it.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: String,
    pub(crate) body: String,
}

impl Answer {
    /// The body as JSON.
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.body))
    }
}

/// Runs `curl` with these arguments.
pub(crate) fn curl(arguments: &[&str]) -> Answer {
    let printed = stdout(Command::new("curl").args(["-sS", "-i", "--globoff"]).args(arguments));
    let (head, body) = printed.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap();
    Answer { status, headers: head.to_ascii_lowercase(), body: body.to_owned() }
}

/// Runs `grpcurl -plaintext` with these arguments: what it printed, or what it said of an error.
pub(crate) fn grpcurl(arguments: &[&str]) -> Result<String, String> {
    let output = Command::new(tool("bin/grpcurl")).arg("-plaintext").args(arguments).output().unwrap();
    match output.status.success() {
        true => Ok(String::from_utf8(output.stdout).unwrap()),
        false => Err(String::from_utf8_lossy(&output.stderr).into_owned()),
    }
}
