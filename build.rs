//! Compiles `proto/` into Rust types and one encoded descriptor set, without a `protoc`.

use std::{env, fs, path::PathBuf};

const FILES: [&str; 6] = [
    "pgduet/schema/v1/schema.proto",
    "pgduet/query/v1/predicate.proto",
    "pgduet/query/v1/conflict_action.proto",
    "pgduet/query/v1/count_mode.proto",
    "pgduet/types/v1/hstore.proto",
    // What the messages made at run time import besides.
    "google/protobuf/field_mask.proto",
];

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo:rerun-if-changed=proto");
    let out = PathBuf::from(env::var("OUT_DIR")?);
    let mut compiler = protox::Compiler::new(["proto"])?;
    compiler.include_source_info(true).include_imports(true);
    compiler.open_files(FILES)?;
    // Custom options and comments survive only in the encoded form.
    fs::write(out.join("pgduet.binpb"), compiler.encode_file_descriptor_set())?;
    prost_build::Config::new().compile_fds(compiler.file_descriptor_set())?;
    Ok(())
}
