//! A right that one role has is no other's. PostgreSQL inlines simple functions when it plans, and checks the right to
//! EXECUTE them then and never again for a plan that is kept, as it is from the sixth time on.

use super::*;

const SCHEMA: &str = "
    CREATE SCHEMA api;
    CREATE TABLE api.people (id int PRIMARY KEY, name text, boss int REFERENCES api.people);
    INSERT INTO api.people VALUES (1, 'Ann', NULL), (2, 'Bob', 1);
    CREATE FUNCTION api.greet(name text) RETURNS text LANGUAGE sql STABLE AS $$ SELECT 'hi ' || name $$;
    CREATE FUNCTION api.loud(api.people) RETURNS text LANGUAGE sql STABLE AS $$ SELECT upper($1.name) $$;
    CREATE FUNCTION api.team(api.people) RETURNS SETOF api.people LANGUAGE sql STABLE
        AS $$ SELECT * FROM api.people WHERE boss = $1.id $$;
    CREATE FUNCTION api.may(int) RETURNS bool LANGUAGE sql STABLE AS $$ SELECT $1 > 0 $$;
    CREATE FUNCTION api.made() RETURNS text LANGUAGE sql STABLE AS $$ SELECT 'made' $$;
    CREATE TABLE api.notes (id serial PRIMARY KEY, word text DEFAULT api.made());
    CREATE TABLE api.guests (id serial PRIMARY KEY, age int CHECK (api.may(age)));
    CREATE TABLE api.rooms (id int PRIMARY KEY);
    INSERT INTO api.rooms VALUES (1);
    ALTER TABLE api.rooms ENABLE ROW LEVEL SECURITY;
    CREATE POLICY p ON api.rooms USING (api.may(id));
    REVOKE EXECUTE ON ALL FUNCTIONS IN SCHEMA api FROM PUBLIC;
    GRANT USAGE ON SCHEMA api TO anonymous, authenticated;
    GRANT ALL ON ALL TABLES IN SCHEMA api TO anonymous, authenticated;
    GRANT ALL ON ALL SEQUENCES IN SCHEMA api TO anonymous, authenticated;
    GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA api TO authenticated";

/// More often than it takes PostgreSQL to keep a plan for all parameters.
const OFTEN: usize = 9;

const REQUESTS: [(&str, &str, Option<&str>); 9] = [
    ("GET", "/rpc/greet?name=x", None),
    ("POST", "/rpc/greet", Some(r#"{"name":"x"}"#)),
    ("GET", "/people?select=id,loud&id=eq.1", None),
    ("GET", "/people?loud=eq.ANN", None),
    ("GET", "/people?order=loud.desc&id=gt.0", None),
    ("GET", "/people?select=id,team(name)&id=eq.1", None),
    ("POST", "/notes", Some("{}")),
    ("POST", "/guests", Some(r#"{"age":7}"#)),
    ("GET", "/rooms?id=eq.1", None),
];

#[test]
fn who_may_not_execute_a_function_does_not_whoever_asked_before() {
    let served = served(SCHEMA);
    for (method, target, body) in REQUESTS {
        for round in 0..2 {
            for _ in 0..OFTEN {
                let answer = served.ask(Who::Authenticated, method, target, body);
                assert!((200..300).contains(&answer.status), "{method} {target}: {}", answer.text());
            }
            for _ in 0..OFTEN {
                let answer = served.ask(Who::Anonymous, method, target, body);
                assert_eq!(
                    answer.code().as_deref(),
                    Some("42501"),
                    "{round} {method} {target}: {}",
                    answer.text()
                );
            }
        }
    }
}

#[test]
fn who_may_not_execute_a_function_does_not_over_grpc_either() {
    let served = served(SCHEMA);
    let client = served.client();
    for (method, request) in [
        ("FunctionsService/Greet", json!({"name": "x"})),
        ("PeopleService/ListPeople", json!({"filter": "loud=eq.ANN"})),
        ("PeopleService/ListPeople", json!({"orderBy": "loud desc"})),
        ("RoomsService/ListRooms", json!({})),
        ("NotesService/CreateNote", json!({"note": {}})),
    ] {
        for _ in 0..OFTEN {
            let answer = call(&client, Who::Authenticated, method, request.clone());
            answer.unwrap_or_else(|status| panic!("{method}: {status:?}"));
        }
        for _ in 0..OFTEN {
            let status = call(&client, Who::Anonymous, method, request.clone()).unwrap_err();
            assert_eq!(status.code(), tonic::Code::Unauthenticated, "{method}: {status:?}");
        }
    }
}

/// The function that comes before the statement may choose another role than the one that is known here.
#[test]
fn who_becomes_another_before_the_statement_has_that_one_s_rights() {
    const BEFORE: &str = "
        CREATE FUNCTION api.before() RETURNS void LANGUAGE plpgsql AS $$ BEGIN
            PERFORM set_config('role', current_setting('request.headers')::json ->> 'x-role', true);
        END $$;
        GRANT EXECUTE ON FUNCTION api.before() TO authenticated";
    let served = served_with(&format!("{SCHEMA};{BEFORE}"), &[("PGRST_DB_PRE_REQUEST", "api.before")]);
    let bearer = format!("Bearer {}", Who::Authenticated.token().unwrap());
    let ask = |role| {
        let headers = [("Authorization", bearer.as_str()), ("X-Role", role)];
        served.connection.borrow_mut().send("GET", "/rpc/greet?name=x", &headers, None).unwrap()
    };
    for _ in 0..OFTEN {
        assert_eq!(ask("authenticated").status, 200);
    }
    for _ in 0..OFTEN {
        assert_eq!(ask("anonymous").code().as_deref(), Some("42501"));
    }
}
