//! A page token from a client, and the place that one has inside.
#![no_main]

use libfuzzer_sys::fuzz_target;
use pgduet::{
    config::Config,
    grpc::measure::{self, Made},
};
use std::sync::LazyLock;

static MADE: LazyLock<Made> =
    LazyLock::new(|| measure::make(pgduet_fuzz::catalog()).expect("the catalog is right"));
static CONFIG: LazyLock<Config> = LazyLock::new(pgduet_fuzz::config);
static LIST: LazyLock<String> =
    LazyLock::new(|| MADE.paths().into_iter().find(|path| path.contains("/List")).expect("a list"));

fuzz_target!(|token: &[u8]| {
    let text = String::from_utf8_lossy(token);
    if let Err(error) = MADE.page_token(&LIST, &text, token, &CONFIG) {
        assert_eq!(error.code(), "PGDUET03", "{error}");
    }
});
