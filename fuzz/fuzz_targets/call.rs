//! The message of a gRPC call; the first byte says which method.
#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use pgduet::{
    config::Config,
    grpc::measure::{self, Made},
};
use std::sync::LazyLock;

static MADE: LazyLock<Made> =
    LazyLock::new(|| measure::make(pgduet_fuzz::catalog()).expect("the catalog is right"));
static CONFIG: LazyLock<Config> = LazyLock::new(pgduet_fuzz::config);
static PATHS: LazyLock<Vec<String>> = LazyLock::new(|| MADE.paths());

fuzz_target!(|input: &[u8]| {
    let Some((which, message)) = input.split_first() else { return };
    let path = &PATHS[usize::from(*which) % PATHS.len()];
    let _ = MADE.request(path, Bytes::copy_from_slice(message), &CONFIG);
});
