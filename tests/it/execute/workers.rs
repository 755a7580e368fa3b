//! Settings that workers of Citus are sent: what PostgreSQL makes a statement of is what was set, whatever it is.

use super::{Database, Unit, body, pool, settings, show};

#[tokio::test(flavor = "multi_thread")]
async fn what_is_sent_to_workers_is_what_was_set_whatever_is_in_it() {
    let database = Database::fresh("CREATE SCHEMA odd");
    let pool = pool(&database);
    for hostile in [
        "it's",
        "\\",
        "\\'",
        "'; DROP SCHEMA odd; --",
        "$pgduet$",
        "$$ $1 %s %L %%",
        "E'\\''",
        "\u{e9}\u{1f600}",
        "\n\t",
        "",
        "''",
        "{\"sub\":\"a\\\\\\\"b\"}",
    ] {
        for conforming in ["on", "off"] {
            let told = settings(&[
                ("role", "anonymous"),
                ("search_path", "\"odd\""),
                ("standard_conforming_strings", conforming),
                ("request.jwt.claims", hostile),
                ("citus.propagate_set_commands", "local"),
                ("pgduet.sent", "{request.jwt.claims,request.none}"),
            ]);
            let unit = Unit {
                settings: told,
                ..show(
                    "SELECT concat_ws('|', current_setting('request.jwt.claims'), \
                        to_regnamespace('odd') IS NOT NULL, current_user)",
                )
            };
            assert_eq!(
                body(&pool, unit).await,
                format!("{}", serde_json::json!(format!("{hostile}|t|anonymous"))),
                "{hostile}"
            );
        }
    }
    // It ends with the transaction.
    let after = Unit {
        settings: Vec::new(),
        ..show("SELECT coalesce(current_setting('request.jwt.claims', true), '')")
    };
    assert_eq!(body(&pool, after).await, "\"\"");
}
