//! What PostgreSQL refuses, and what the settings of the login role would end: which of it ends the process, and which is
//! waited out.

use super::{SCHEMA, answers, ended, outage::Own, pgduet, serve};
use crate::support::{database::Database, http::send, server::Server, tools::grpcurl, until};
use std::{thread, time::Duration};

fn configured(own: &Own) -> std::process::Command {
    let mut command = pgduet();
    command
        .env("PGRST_DB_URI", own.uri("authenticator"))
        .env("PGRST_DB_SCHEMAS", "api")
        .env("PGRST_DB_ANON_ROLE", "anonymous");
    command
}

/// The settings of the login role are for requests. What the server asks for itself takes longer than these allow.
#[tokio::test]
async fn the_server_s_own_sessions_do_not_end_by_the_settings_of_the_login_role() {
    let database = Database::fresh(SCHEMA);
    for setting in ["statement_timeout = '200ms'", "lock_timeout = '20ms'", "idle_session_timeout = '500ms'"]
    {
        database.execute(&format!("ALTER ROLE authenticator IN DATABASE {} SET {setting}", database.name()));
    }
    let server = serve(&database, &[]);
    server.says("Listening for notifications", 1);
    assert!(answers(&server));
    let holder = super::health::hold_catalog(&database).await;
    server.signal("USR1");
    super::health::until_load_waits(&holder).await;
    // Longer than a statement may take, wait for a lock, or a session may do nothing.
    thread::sleep(Duration::from_secs(1));
    holder.batch_execute("COMMIT").await.unwrap();
    server.says("Schema cache loaded", 2);
    database.execute("NOTIFY pgrst");
    server.says("Schema cache loaded", 3);
    let log = server.log();
    assert!(!log.contains("Failed to load") && !log.contains("no connection"), "{log}");
}

#[tokio::test]
async fn a_load_does_not_wait_for_a_lock_for_ever_and_is_tried_again() {
    let database = Database::fresh(SCHEMA);
    let server = serve(&database, &[]);
    let holder = super::health::hold_catalog(&database).await;
    server.signal("USR1");
    server.says("55P03", 1);
    assert!(answers(&server));
    holder.batch_execute("COMMIT").await.unwrap();
    server.says("Schema cache loaded", 2);
}

#[tokio::test]
async fn who_is_no_longer_let_in_goes_on_serving_what_it_has() {
    let own = Own::start("hba").await;
    let server = Server::run(configured(&own));
    assert!(answers(&server));
    own.rules("local all postgres trust\nlocal all all reject\n").await;
    server.signal("USR1");
    server.says("Failed to load the schema cache", 1);
    own.rules("local all all trust\n").await;
    server.says("Schema cache loaded", 2);
    assert!(answers(&server));
    // A process that has not served yet ends.
    own.rules("local all postgres trust\nlocal all all reject\n").await;
    let (code, text) = ended(&mut configured(&own));
    assert_eq!(code, Some(1), "{text}");
    own.rules("local all postgres trust\nlocal all all scram-sha-256\n").await;
    let (code, text) = ended(&mut configured(&own));
    assert!(code == Some(1) && text.contains("no password is configured"), "{code:?} {text}");
    let (code, text) = ended(configured(&own).arg("--dump-config"));
    assert_eq!(code, Some(0), "{text}");
    assert!(text.contains("db-schemas = \"api\"") && text.contains("are left out"), "{text}");
}

#[tokio::test]
async fn where_postgresql_has_no_more_connections_requests_share_those_that_there_are() {
    let own = Own::start("full").await;
    // One for requests, besides the listener's and the one that asks whether PostgreSQL answers.
    own.superuser("ALTER ROLE authenticator CONNECTION LIMIT 4").await;
    let mut command = configured(&own);
    command.env("PGRST_DB_POOL", "10");
    let server = Server::run(command);
    server.says("Listening for notifications", 1);
    let address = server.address().to_owned();
    own.superuser(
        "CREATE FUNCTION api.nap() RETURNS text LANGUAGE sql AS 'SELECT pg_sleep(0.05)::text'; NOTIFY pgrst",
    )
    .await;
    until("it is known", || {
        (send(&address, "POST", "/rpc/nap", &[], Some("{}")).status == 200).then_some(())
    });
    let calls: Vec<_> = (0..40)
        .map(|_| {
            let address = address.clone();
            thread::spawn(move || send(&address, "POST", "/rpc/nap", &[], Some("{}")).status)
        })
        .collect();
    for call in calls {
        assert_eq!(call.join().unwrap(), 200, "{}", server.log());
    }
}

/// A standby takes no writes, and both protocols say so.
#[tokio::test]
async fn writes_at_a_standby_are_refused_as_such() {
    let standby = Own::standby("writes").await;
    let server = Server::run(configured(&standby));
    assert!(answers(&server));
    let written = send(server.address(), "POST", "/items", &[], Some(r#"{"id":2}"#));
    assert_eq!((written.status, written.code().as_deref()), (405, Some("25006")), "{}", written.text());
    let create = ["-d", r#"{"item":{"id":2}}"#, server.address(), "api.v1.ItemsService/CreateItem"];
    let created = grpcurl(&create).unwrap_err();
    assert!(created.contains("FailedPrecondition") && created.contains("25006"), "{created}");
}
