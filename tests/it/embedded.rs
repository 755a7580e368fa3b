//! The local PostgreSQL: where it comes from, that it starts, and that it always ends.

use crate::support::database::Database;

#[tokio::test]
async fn a_test_database_is_reached_by_its_uri_as_the_role_that_is_named() {
    let database = Database::fresh("CREATE TABLE t (n int)");
    database.execute("INSERT INTO t VALUES (7); GRANT SELECT ON t TO anonymous");
    let (client, connection) =
        tokio_postgres::connect(&database.uri("authenticator"), tokio_postgres::NoTls).await.unwrap();
    tokio::spawn(connection);
    client.batch_execute("SET ROLE anonymous").await.unwrap();
    let row = client.query_one("SELECT n, current_database()::text FROM t", &[]).await.unwrap();
    assert_eq!((row.get(0), row.get(1)), (7, database.name()));
}

#[test]
fn test_databases_do_not_see_each_other() {
    let first = Database::fresh("CREATE TABLE only_here ()");
    let second = Database::fresh("CREATE TABLE only_here ()");
    assert_ne!(first.name(), second.name());
}
