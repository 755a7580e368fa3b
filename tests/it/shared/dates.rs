//! `DateStyle` is the database's, as for every other client: it decides the text that SQL makes, and not JSON.

use super::*;

const SCHEMA: &str = "
    CREATE SCHEMA api;
    DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET datestyle = German', current_database()); END $$;
    CREATE TABLE api.days (id int PRIMARY KEY, day date, at timestamp, moment timestamptz, days date[]);
    INSERT INTO api.days VALUES
        (1, '2020-12-31', '2020-12-31 01:02:03', '2020-12-31 01:02:03+00', ARRAY[date '2020-12-31']);
    CREATE VIEW api.texts AS SELECT id, day::text AS day FROM api.days;
    CREATE FUNCTION api.styled() RETURNS SETOF api.days LANGUAGE plpgsql AS $$ BEGIN
        PERFORM set_config('DateStyle', 'SQL, DMY', false);
        RETURN QUERY SELECT * FROM api.days;
    END $$;
    GRANT USAGE ON SCHEMA api TO anonymous;
    GRANT ALL ON ALL TABLES IN SCHEMA api TO anonymous";

const ROW: &str = r#"[{"id":1,"day":"2020-12-31","at":"2020-12-31T01:02:03","moment":"2020-12-31T01:02:03+00:00","days":["2020-12-31"]}]"#;

#[test]
fn the_database_s_style_is_that_of_its_texts_and_json_has_none() {
    let served = served(SCHEMA);
    for _ in 0..3 {
        assert_eq!(served.get("/days"), ROW);
        assert_eq!(served.get("/texts"), r#"[{"id":1,"day":"31.12.2020"}]"#);
        assert_eq!(served.get("/rpc/styled"), ROW);
        assert_eq!(served.get("/days?day=eq.31.12.2020&select=id"), r#"[{"id":1}]"#);
    }
    let client = served.client();
    let found = call(&client, Who::Anonymous, "DaysService/ListDays", json!({})).unwrap();
    let row = found.as_object().unwrap().values().next().unwrap()[0].clone();
    assert_eq!((&row["day"], &row["at"]), (&json!("2020-12-31"), &json!("2020-12-31T01:02:03")));
    assert_eq!((&row["moment"], &row["days"]), (&json!("2020-12-31T01:02:03Z"), &json!(["2020-12-31"])));
}
