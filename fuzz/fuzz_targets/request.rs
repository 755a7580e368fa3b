//! Target, query string, headers and body of a request to REST, up to its SQL.
#![no_main]

use libfuzzer_sys::fuzz_target;
use pgduet::{
    auth::{Claims, Identity},
    catalog::Catalog,
    config::Config,
    error::Caller,
    plan,
    rest::probe,
    sql::{self, Settings},
};
use std::sync::LazyLock;

static CATALOG: LazyLock<Catalog> = LazyLock::new(pgduet_fuzz::catalog);
static CONFIG: LazyLock<Config> = LazyLock::new(pgduet_fuzz::config);
static IDENTITY: LazyLock<Identity> =
    LazyLock::new(|| Identity::new("someone", Claims::default(), Caller::Anonymous));

fuzz_target!(|text: &[u8]| {
    let Some((head, body)) = pgduet_fuzz::request(text) else { return };
    let Ok(Some(request)) = probe::request(&head, body, &CONFIG) else { return };
    let (shape, literals, told) = request.split();
    match plan::plan(shape, &CATALOG, &CONFIG, &[]) {
        Ok(plan) => {
            let _ = (sql::statement(&plan).fragment.values(&literals), sql::count(&plan));
            let _ = Settings::of(&plan).of_transaction(&IDENTITY, &told);
        }
        Err(error) => assert_ne!(error.code(), "PGRSTX00", "{error}"),
    }
});
