//! The commit that is built, for `pgduet --version`: git's, or else one that is given, or none.
//!
//! It is never the commit of a repository that only surrounds the source, and there is no time in it, so that the same
//! source gives the same program.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

/// What the program is made of. Changes to these are told beside the commit.
const INPUTS: [&str; 6] = ["Cargo.lock", "Cargo.toml", "build", "build.rs", "proto", "src"];

/// The commit of the source at `root`: `29f32ed4c0de`, with `+changes` where the source is not as committed; where there is
/// no repository, such as in a container, the one that is `given`.
pub(crate) fn commit(root: &Path, given: Option<String>) -> Option<String> {
    of_repository(root).or_else(|| given.filter(|commit| !commit.is_empty()))
}

/// The files that change when [`commit`] does.
pub(crate) fn watched(root: &Path) -> Vec<PathBuf> {
    let mut files: Vec<_> = INPUTS.iter().map(|input| root.join(input)).collect();
    // The first changes when another branch is checked out, the second with every commit, too.
    let states =
        ["HEAD", "logs/HEAD"].iter().filter_map(|state| git(root, &["rev-parse", "--git-path", state]));
    files.extend(states.map(|path| root.join(path)));
    // Cargo takes a file that is missing for one that has changed.
    files.retain(|file| file.exists());
    files
}

fn of_repository(root: &Path) -> Option<String> {
    let is_top = git(root, &["rev-parse", "--show-prefix"])?.is_empty();
    if !is_top || git(root, &["ls-files", "--error-unmatch", "Cargo.toml"]).is_none() {
        return None;
    }
    let commit = git(root, &["rev-parse", "--short=12", "HEAD"])?;
    let changes = git(root, &[["status", "--porcelain", "--"].as_slice(), &INPUTS].concat())?;
    Some(if changes.is_empty() { commit } else { format!("{commit}+changes") })
}

/// What git prints, unless it fails or there is none.
fn git(root: &Path, arguments: &[&str]) -> Option<String> {
    let mut git = Command::new("git");
    // A hook of another repository sets these.
    git.env_remove("GIT_DIR").env_remove("GIT_WORK_TREE").env_remove("GIT_INDEX_FILE");
    let output = git.arg("-C").arg(root).args(arguments).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| text.trim().to_owned())
}
