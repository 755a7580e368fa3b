//! Compiles `proto/` into Rust types and one encoded descriptor set, without a `protoc`, and tells the program its version.

use std::{env, fs, path::PathBuf};

#[path = "build/commit.rs"]
mod commit;

/// The commit, where the source has no repository.
const COMMIT: &str = "SOURCE_COMMIT";

const FILES: [&str; 9] = [
    "pgduet/schema/v1/schema.proto",
    "pgduet/query/v1/predicate.proto",
    "pgduet/query/v1/aggregates.proto",
    "pgduet/query/v1/conflict_action.proto",
    "pgduet/query/v1/reference.proto",
    "pgduet/query/v1/count_mode.proto",
    "pgduet/types/v1/hstore.proto",
    // What the messages made at run time import besides.
    "google/protobuf/field_mask.proto",
    "google/api/field_behavior.proto",
];
/// Where they are; the second place has what the export is accompanied by.
const PLACES: [&str; 2] = ["proto", "src/grpc/export"];

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo:rerun-if-changed=proto");
    println!("cargo:rerun-if-changed=src/grpc/export/google");
    let out = PathBuf::from(env::var("OUT_DIR")?);
    let mut compiler = protox::Compiler::new(PLACES)?;
    compiler.include_source_info(true).include_imports(true);
    compiler.open_files(FILES)?;
    // Custom options and comments survive only in the encoded form.
    fs::write(out.join("pgduet.binpb"), compiler.encode_file_descriptor_set())?;
    prost_build::Config::new().compile_fds(compiler.file_descriptor_set())?;
    println!("cargo:rustc-env=PGDUET_VERSION={}", version()?);
    Ok(())
}

/// Version, commit, profile and target, such as `0.1.0 (29f32ed4c0de, release, x86_64-unknown-linux-musl)`.
/// Development builds leave the commit out: with it, each commit would have everything compiled again.
fn version() -> Result<String, env::VarError> {
    let root = PathBuf::from(env::var("CARGO_MANIFEST_DIR")?);
    let profile = env::var("PROFILE")?;
    let commit = if profile == "release" {
        println!("cargo:rerun-if-env-changed={}", COMMIT);
        for file in commit::watched(&root) {
            println!("cargo:rerun-if-changed={}", file.display());
        }
        commit::commit(&root, env::var(COMMIT).ok())
    } else {
        None
    };
    let build: Vec<_> = commit.into_iter().chain([profile, env::var("TARGET")?]).collect();
    Ok(format!("{} ({})", env::var("CARGO_PKG_VERSION")?, build.join(", ")))
}
