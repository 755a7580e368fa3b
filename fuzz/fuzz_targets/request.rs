//! Target, query string, headers and body of a request to REST, up to its SQL.
#![no_main]

use libfuzzer_sys::fuzz_target;
use pgduet::{
    auth::{Claims, Identity},
    catalog::Catalog,
    config::Config,
    error::Caller,
    plan::{self, transaction},
    rest::probe,
    sql,
};
use std::sync::LazyLock;

static CATALOG: LazyLock<Catalog> = LazyLock::new(pgduet_fuzz::catalog);
static CONFIG: LazyLock<Config> = LazyLock::new(pgduet_fuzz::config);
static IDENTITY: LazyLock<Identity> =
    LazyLock::new(|| Identity::new("someone", Claims::default(), Caller::Anonymous));

fuzz_target!(|text: &[u8]| {
    let Some((head, body)) = pgduet_fuzz::request(text) else { return };
    let Ok(Some(request)) = probe::request(&head, body, &CONFIG) else { return };
    let caller = transaction::Caller { identity: &IDENTITY, settings: &[] };
    match plan::plan(request, &CATALOG, &CONFIG, caller) {
        Ok(plan) => {
            let _ = (sql::statement(&plan), sql::count(&plan), sql::settings(&plan));
        }
        Err(error) => assert_ne!(error.code(), "PGRSTX00", "{error}"),
    }
});
