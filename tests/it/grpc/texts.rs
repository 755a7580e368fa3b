//! Arrays and times that the lock declares as strings: any of them comes and goes, also what protobuf has no form for.

use crate::support::{
    database::Database,
    server::Server,
    tools::{curl, stdout},
};
use serde_json::{Value, json};
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

const SCHEMA: &str = r"
    CREATE SCHEMA api;
    CREATE TYPE api.mood AS ENUM ('sad', 'happy');
    CREATE DOMAIN api.words AS text[];
    CREATE TYPE api.part AS (name text, sizes int[], kept int[]);
    CREATE TABLE api.owners (id int PRIMARY KEY, nicks text[]);
    CREATE TABLE api.things (
        id int PRIMARY KEY, numbers int[], moods api.mood[], words api.words, days timestamptz[],
        part api.part, parts api.part[], owner_id int REFERENCES api.owners
    );
    CREATE FUNCTION api.doubled(numbers int[]) RETURNS int[] LANGUAGE sql IMMUTABLE AS 'SELECT numbers || numbers';
    CREATE FUNCTION api.rows_of(numbers int[]) RETURNS SETOF int[] LANGUAGE sql IMMUTABLE
        AS 'SELECT numbers UNION ALL SELECT NULL::int[]';
    CREATE FUNCTION api.report() RETURNS TABLE (id int, numbers int[]) LANGUAGE sql STABLE
        AS 'SELECT id, numbers FROM api.things';
    CREATE FUNCTION api.first_thing() RETURNS api.things LANGUAGE sql STABLE
        AS 'SELECT * FROM api.things ORDER BY id LIMIT 1';
    GRANT USAGE ON SCHEMA api TO anonymous;
    GRANT ALL ON ALL TABLES IN SCHEMA api TO anonymous;";

/// What is edited by hand: the lines of the lock before and after.
const EDITS: &[(&str, &str)] = &[
    ("\"repeated int32 numbers = 149241\"", "\"string numbers = 149241\""),
    ("\"repeated Mood moods = 51751\"", "\"string moods = 51751\""),
    ("\"repeated string words = 190378\"", "\"string words = 190378\""),
    ("\"repeated google.protobuf.Timestamp days = 28066\"", "\"string days = 28066\""),
    ("\"repeated int32 sizes = 153805\"", "\"string sizes = 153805\""),
    ("\"repeated string nicks = 166879\"", "\"string nicks = 166879\""),
    ("\"returns\": \"repeated int32\"", "\"returns\": \"string\""),
    ("\"returns\": \"stream repeated int32\"", "\"returns\": \"stream string\""),
];

fn export(database: &Database, directory: &Path) -> String {
    export_with(database, directory, &[])
}

fn export_with(database: &Database, directory: &Path, options: &[(&str, &str)]) -> String {
    let mut command = Command::new(crate::support::server::binary());
    command.args(["proto", "--out"]).arg(directory);
    command.env("PGRST_DB_URI", database.uri("authenticator")).env("PGRST_DB_SCHEMAS", "api");
    command.envs(options.iter().copied());
    stdout(&mut command);
    fs::read_to_string(directory.join("api/v1/api.proto")).unwrap()
}

/// A database, what serves it, and the directory of its export.
struct Served(Database, Server, PathBuf);

fn served() -> Served {
    served_with(SCHEMA, EDITS)
}

fn served_with(schema: &str, edits: &[(&str, &str)]) -> Served {
    let database = Database::fresh(schema);
    let directory = std::env::temp_dir().join(format!("pgduet-texts-{}", database.name()));
    export(&database, &directory);
    let path = directory.join("pgduet.lock.json");
    let mut lock = fs::read_to_string(&path).unwrap();
    for (before, after) in edits {
        assert!(lock.contains(before), "{before} is not in {lock}");
        lock = lock.replace(before, after);
    }
    fs::write(&path, &lock).unwrap();
    let server = Server::start(&[
        ("PGRST_DB_URI", &database.uri("authenticator")),
        ("PGRST_DB_SCHEMAS", "api"),
        ("PGRST_DB_ANON_ROLE", "anonymous"),
        ("PGDUET_GRPC_LOCK", path.to_str().unwrap()),
    ]);
    Served(database, server, directory)
}

impl Served {
    fn call(&self, method: &str, request: Value) -> Value {
        let Served(_, server, _) = self;
        let url = format!("http://{}/api.v1.{method}", server.address());
        let answer = curl(&["-H", "content-type: application/json", "-d", &request.to_string(), &url]);
        assert_eq!(answer.status, 200, "{method}: {}", answer.body);
        answer.json()
    }
}

#[test]
fn an_array_that_the_lock_declares_as_a_string_is_one_wherever_it_stands() {
    let served = served();
    let thing = json!({
        "id": 1, "numbers": "{{1,NULL},{3,4}}", "moods": "{sad,NULL}", "words": "{NULL,\"a,b\"}",
        "days": "{infinity,NULL}", "owner_id": 7,
        "part": {"name": "p", "sizes": "{1,NULL}", "kept": [5]},
        "parts": [{"name": "q", "sizes": "[0:1]={7,8}"}, {"sizes": "{}", "kept": [1, 2]}],
    });
    served.call("OwnersService/CreateOwner", json!({"owner": {"id": 7, "nicks": "{x,NULL}"}}));
    let created = served.call("ThingsService/CreateThing", json!({"thing": thing}));
    assert_eq!(created, json!({"thing": thing}));
    assert_eq!(served.call("ThingsService/GetThing", json!({"id": 1})), json!({"thing": thing}));
    let embedded = json!({"id": 1, "readMask": "id,owner.nicks"});
    assert_eq!(
        served.call("ThingsService/GetThing", embedded),
        json!({"thing": {"id": 1, "owner": {"nicks": "{x,NULL}"}}})
    );

    let update = json!({"thing": {"id": 1, "numbers": "{5,NULL}"}, "readMask": "numbers"});
    assert_eq!(served.call("ThingsService/UpdateThing", update), json!({"thing": {"numbers": "{5,NULL}"}}));
    for find in [
        json!({"where": {"numbers": {"eq": "{5,NULL}"}}, "readMask": "id"}),
        json!({"where": {"numbers": {"cs": "{5}"}}, "readMask": "id"}),
        json!({"filter": "numbers=eq.{5,NULL}", "readMask": "id"}),
        json!({"orderBy": "numbers", "pageSize": 1, "readMask": "id"}),
    ] {
        let found = served.call("ThingsService/ListThings", find.clone());
        assert_eq!(found, json!({"things": [{"id": 1}]}), "{find}");
    }

    let doubled = served.call("FunctionsService/Doubled", json!({"numbers": "{1,NULL}"}));
    assert_eq!(doubled, json!({"value": "{1,NULL,1,NULL}"}));
    let first = served.call("FunctionsService/FirstThing", json!({}));
    assert_eq!((&first["thing"]["numbers"], &first["thing"]["part"]), (&json!("{5,NULL}"), &thing["part"]));
    let url = format!("http://{}/things?select=numbers,part", served.1.address());
    assert_eq!(
        curl(&[&url]).json(),
        json!([{"numbers": [5, null], "part": {"name": "p", "sizes": [1, null], "kept": [5]}}]),
        "REST has arrays as before"
    );
    fs::remove_dir_all(served.2).unwrap();
}

#[test]
fn rows_of_streams_have_them_too_and_the_next_export_keeps_them() {
    let served = served();
    let Served(database, server, directory) = &served;
    database.execute("INSERT INTO api.things (id, numbers) VALUES (1, '{1,NULL}'), (2, NULL)");
    let proto = export(database, directory);
    for line in [
        "optional string numbers = 149241;",
        "optional string moods = 51751;",
        "optional string sizes = 153805;",
        "repeated int32 kept = 74905;",
        "pgduet.query.v1.TextPredicate numbers = 149241",
    ] {
        assert!(proto.contains(line), "{line} is not in {proto}");
    }
    let lock = fs::read_to_string(directory.join("pgduet.lock.json")).unwrap();
    assert!(!lock.contains("reserved"), "nothing has another type: {lock}");
    assert_eq!(export(database, directory), proto);

    let described = directory.join("descriptors.binpb");
    let streamed = |method: &str, request: &str| {
        let arguments = ["-protoset", described.to_str().unwrap(), "-d", request, server.address(), method];
        let printed = crate::support::tools::grpcurl(&arguments).unwrap();
        let rows = serde_json::Deserializer::from_str(&printed).into_iter::<Value>();
        rows.collect::<Result<Vec<_>, _>>().unwrap()
    };
    assert_eq!(
        streamed("api.v1.FunctionsService/RowsOf", r#"{"numbers": "{1,NULL}"}"#),
        [json!({"value": "{1,NULL}"}), json!({})]
    );
    let rows = [json!({"id": 1, "numbers": "{1,NULL}"}), json!({"id": 2})];
    assert_eq!(streamed("api.v1.FunctionsService/Report", "{}"), rows);
    let rows = [json!({"thing": {"id": 1, "numbers": "{1,NULL}"}}), json!({"thing": {"id": 2}})];
    assert_eq!(streamed("api.v1.ThingsService/StreamThings", r#"{"order_by": "id"}"#), rows);
    fs::remove_dir_all(directory).unwrap();
}

const TIMES: &str = r"
    CREATE SCHEMA api;
    CREATE TYPE api.span AS (since timestamptz, until timestamptz);
    CREATE TABLE api.visits (
        id int PRIMARY KEY, name text, seen timestamptz, until timestamptz, days timestamptz[], span api.span
    );
    INSERT INTO api.visits VALUES
        (1, 'a', '2024-02-29 10:00:00.5+01', 'infinity', '{infinity}', '(-infinity,2024-01-01 00:00+00)'),
        (2, 'b', 'infinity', NULL, NULL, NULL);
    CREATE FUNCTION api.ends(at timestamptz) RETURNS timestamptz LANGUAGE sql IMMUTABLE AS 'SELECT at';
    GRANT USAGE ON SCHEMA api TO anonymous;
    GRANT ALL ON ALL TABLES IN SCHEMA api TO anonymous;";

const TIMES_AS_TEXT: &[(&str, &str)] = &[
    ("\"google.protobuf.Timestamp until = ", "\"string until = "),
    ("\"google.protobuf.Timestamp since = ", "\"string since = "),
    ("\"repeated google.protobuf.Timestamp days = ", "\"repeated string days = "),
    ("\"google.protobuf.Timestamp at = ", "\"string at = "),
    ("\"returns\": \"google.protobuf.Timestamp\"", "\"returns\": \"string\""),
];

#[test]
fn a_time_that_the_lock_declares_as_a_string_can_be_infinite() {
    let served = served_with(TIMES, TIMES_AS_TEXT);
    let row = json!({
        "id": 1, "name": "a", "seen": "2024-02-29T09:00:00.500Z", "until": "infinity", "days": ["infinity"],
        "span": {"since": "-infinity", "until": "2024-01-01T00:00:00Z"},
    });
    assert_eq!(served.call("VisitsService/GetVisit", json!({"id": 1})), json!({"visit": row}));
    let mut copy = row.clone();
    copy["id"] = json!(3);
    copy["until"] = json!("0044-03-15T12:00:00.000001Z BC");
    copy["days"] = json!(["-infinity", "294276-12-31T23:59:59Z"]);
    let created = served.call("VisitsService/CreateVisit", json!({ "visit": copy }));
    assert_eq!(created, json!({ "visit": copy }));
    let found = json!({"where": {"until": {"eq": "infinity"}}, "readMask": "id"});
    assert_eq!(served.call("VisitsService/ListVisits", found), json!({"visits": [{"id": 1}]}));
    assert_eq!(served.call("FunctionsService/Ends", json!({"at": "infinity"})), json!({"value": "infinity"}));
    // The next export has them as they are declared.
    let Served(database, _, directory) = &served;
    let proto = export(database, directory);
    for line in [
        "optional string until = ",
        "optional string since = ",
        "repeated string days = ",
        "optional string at = ",
    ] {
        assert!(proto.contains(line), "{line} is not in {proto}");
    }
    let lock = fs::read_to_string(directory.join("pgduet.lock.json")).unwrap();
    assert!(!lock.contains("reserved"), "nothing has another type: {lock}");
    fs::remove_dir_all(directory).unwrap();
}

#[test]
fn times_are_strings_where_the_option_says_so_and_the_lock_does_not_say_otherwise() {
    let database = Database::fresh(TIMES);
    let directory = std::env::temp_dir().join(format!("pgduet-times-{}", database.name()));
    let strings = ("PGRST_GRPC_TIMESTAMPS", "string");
    let uri = database.uri("authenticator");
    let options =
        [("PGRST_DB_URI", uri.as_str()), ("PGRST_DB_SCHEMAS", "api"), ("PGRST_DB_ANON_ROLE", "anonymous")];
    let lines =
        ["string seen = ", "string until = ", "string since = ", "repeated string days = ", "string at = "];
    let proto = export_with(&database, &directory, &[strings]);
    assert!(lines.iter().all(|line| proto.contains(line)), "{proto}");
    // The lock has what was given out, whatever the option is from now on.
    assert_eq!(export(&database, &directory), proto);
    let server = Server::start(&[&options[..], &[strings]].concat());
    let described = directory.join("descriptors.binpb");
    let call = |method: &str, request: Value| {
        let (request, method) = (request.to_string(), format!("api.v1.{method}"));
        let arguments = ["-protoset", described.to_str().unwrap(), "-d", &request, server.address(), &method];
        serde_json::from_str::<Value>(&crate::support::tools::grpcurl(&arguments).unwrap()).unwrap()
    };
    let row = json!({
        "id": 1, "name": "a", "seen": "2024-02-29T09:00:00.5Z", "until": "infinity", "days": ["infinity"],
        "span": {"since": "-infinity", "until": "2024-01-01T00:00:00Z"},
    });
    assert_eq!(call("VisitsService/GetVisit", json!({"id": 1})), json!({"visit": row}));
    let found = json!({"where": {"seen": {"eq": "infinity"}}, "read_mask": {"paths": ["id"]}});
    assert_eq!(call("VisitsService/ListVisits", found), json!({"visits": [{"id": 2}]}));
    assert_eq!(call("FunctionsService/Ends", json!({"at": "-infinity"})), json!({"value": "-infinity"}));
    // What the lock has as a Timestamp stays one, and the error says what can be done.
    fs::remove_dir_all(&directory).unwrap();
    let proto = export(&database, &directory);
    assert_eq!(export_with(&database, &directory, &[strings]), proto);
    let lock = directory.join("pgduet.lock.json");
    let locked = ("PGRST_GRPC_LOCK", lock.to_str().unwrap());
    let server = Server::start(&[&options[..], &[strings, locked]].concat());
    let arguments = ["-d", r#"{"id": 2}"#, server.address(), "api.v1.VisitsService/GetVisit"];
    let error = crate::support::tools::grpcurl(&arguments).unwrap_err();
    assert!(error.contains("row id=2: column \"seen\" holds infinity"), "{error}");
    fs::remove_dir_all(directory).unwrap();
}

#[test]
fn a_row_that_fails_is_named_with_its_column() {
    let served = served_with(TIMES, &[]);
    let Served(_, server, directory) = &served;
    let described = directory.join("descriptors.binpb");
    let failed = |method: &str, request: &str| {
        let method = format!("api.v1.VisitsService/{method}");
        let arguments = ["-protoset", described.to_str().unwrap(), "-d", request, server.address(), &method];
        crate::support::tools::grpcurl(&arguments).unwrap_err()
    };
    for (method, request, row) in [
        ("ListVisits", r#"{"orderBy": "id desc", "readMask": {"paths": ["id", "seen"]}}"#, "row id=2: "),
        ("ListVisits", r#"{"orderBy": "id", "readMask": {"paths": ["name", "seen"]}}"#, "row 2: "),
        ("GetVisit", r#"{"id": 2}"#, "row id=2: "),
        ("StreamVisits", r#"{"orderBy": "id", "readMask": {"paths": ["seen"]}}"#, "row 2: "),
        ("BatchGetVisits", r#"{"requests": [{"id": 2}]}"#, "row id=2: "),
    ] {
        let error = failed(method, request);
        let expected = format!("{row}column \"seen\" holds infinity");
        assert!(error.contains(&expected) && error.contains("OutOfRange"), "{method}: {error}");
    }
    fs::remove_dir_all(directory).unwrap();
}
