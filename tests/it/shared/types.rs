//! What was looked up when a statement was prepared does not outlive what it was looked up in.

use super::*;

#[test]
fn a_column_that_changed_its_type_is_compared_by_the_new_one() {
    let served = served(
        "CREATE SCHEMA api; CREATE TABLE api.t (id int PRIMARY KEY, v int); INSERT INTO api.t VALUES (1, 1), (2, 2);
         CREATE FUNCTION api.twice(v int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT 2 * v';
         GRANT USAGE ON SCHEMA api TO anonymous; GRANT ALL ON api.t TO anonymous",
    );
    let often = |target: &str, expected: &str| {
        for _ in 0..8 {
            assert_eq!(served.get(target), expected, "{target}");
        }
    };
    often("/t?v=eq.1&select=id", r#"[{"id":1}]"#);
    // 42883 of the operator that is no more.
    served.database.execute("ALTER TABLE api.t ALTER v TYPE text");
    often("/t?v=eq.1&select=id", r#"[{"id":1}]"#);
    often("/t?v=eq.abc&select=id", "[]");
    // 22P02 and 22003 of the values that are good now.
    served.database.execute("ALTER TABLE api.t ALTER v TYPE int USING v::int");
    often("/t?v=eq.1&select=id", r#"[{"id":1}]"#);
    served.database.execute("ALTER TABLE api.t ALTER v TYPE numeric");
    often("/t?v=eq.1.0&select=id", r#"[{"id":1}]"#);
    often(
        "/t?v=lt.10000000000&select=id",
        r#"[{"id":1}, 
 {"id":2}]"#,
    );
}

#[test]
fn a_value_that_is_wrong_is_wrong_however_often() {
    let served = served(
        "CREATE SCHEMA api; CREATE TABLE api.t (id int PRIMARY KEY); GRANT USAGE ON SCHEMA api TO anonymous;
         GRANT ALL ON api.t TO anonymous",
    );
    for _ in 0..8 {
        assert_eq!(served.get("/t?id=eq.1"), "[]");
        assert_eq!(served.ask(Who::Anonymous, "GET", "/t?id=eq.abc", None).code().as_deref(), Some("22P02"));
    }
}
