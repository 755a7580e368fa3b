//! The lock file over real migrations: each export against the one before, as `buf breaking` sees it.

use crate::support::{
    database::{Database, program},
    server::Server,
    tools::{grpcurl, stdout, tool},
};
use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

const SCHEMA: &str = "
    CREATE SCHEMA api;
    CREATE TYPE api.grade AS ENUM ('fail', 'pass');
    CREATE TYPE api.address AS (street text, city text);
    CREATE TABLE api.courses (id int PRIMARY KEY, title text NOT NULL);
    CREATE TABLE api.students (
        id int PRIMARY KEY, legacy text, name text, nickname text, points int, home api.address,
        joined timestamptz, tags text[]
    );
    CREATE TABLE api.enrollments (
        student_id int REFERENCES api.students, course_id int REFERENCES api.courses, grade api.grade,
        PRIMARY KEY (student_id, course_id)
    );
    CREATE TABLE api.rooms (id int PRIMARY KEY, name text);
    CREATE VIEW api.totals AS SELECT s.id, s.name, count(*) AS courses FROM api.students s GROUP BY s.id;
    CREATE FUNCTION api.search(query text) RETURNS SETOF api.students LANGUAGE sql STABLE
        AS 'SELECT * FROM api.students WHERE name ~ query';
    CREATE FUNCTION api.report() RETURNS TABLE (name text, best api.grade) LANGUAGE sql STABLE
        AS $$SELECT 'a', 'pass'::api.grade$$;
    GRANT USAGE ON SCHEMA api TO anonymous;
    GRANT SELECT ON ALL TABLES IN SCHEMA api TO anonymous;
    -- Numbers that a restore will not give again.
    ALTER TABLE api.students DROP COLUMN legacy;";

/// What happens to a schema in the course of its life.
const MIGRATIONS: &[(&str, &str)] = &[
    ("nothing", ""),
    ("add a column", "ALTER TABLE api.students ADD email text"),
    ("drop a column", "ALTER TABLE api.students DROP COLUMN nickname"),
    ("rename a column", "ALTER TABLE api.courses RENAME title TO name"),
    ("retype a column", "ALTER TABLE api.students ALTER points TYPE text"),
    ("retype it back", "ALTER TABLE api.students ALTER points TYPE int USING points::int"),
    ("add again what was dropped", "ALTER TABLE api.students ADD nickname text"),
    ("add a label in the middle", "ALTER TYPE api.grade ADD VALUE 'merit' BEFORE 'pass'"),
    ("rename a label", "ALTER TYPE api.grade RENAME VALUE 'fail' TO 'failed'"),
    ("rename a table elsewhere", "ALTER TABLE api.rooms RENAME TO classrooms"),
    ("rename a table that is referred to", "ALTER TABLE api.courses RENAME TO lessons"),
    (
        "recreate a view with its columns in another order and one more",
        "DROP VIEW api.totals;
         CREATE VIEW api.totals AS
         SELECT count(*) AS courses, s.name, s.points, s.id FROM api.students s GROUP BY s.id",
    ),
    (
        "give a function an argument before the others",
        "DROP FUNCTION api.search;
         CREATE FUNCTION api.search(most int DEFAULT 10, query text DEFAULT '') RETURNS SETOF api.students
         LANGUAGE sql STABLE AS 'SELECT * FROM api.students WHERE name ~ query LIMIT most'",
    ),
    (
        "let a function return another row",
        "DROP FUNCTION api.report;
         CREATE FUNCTION api.report() RETURNS TABLE (best api.grade, name text, points int) LANGUAGE sql STABLE
         AS $$SELECT 'pass'::api.grade, 'a', 1$$",
    ),
    (
        "let a function return one value",
        "DROP FUNCTION api.report; CREATE FUNCTION api.report() RETURNS int LANGUAGE sql STABLE AS 'SELECT 1'",
    ),
    ("add an attribute to a composite", "ALTER TYPE api.address ADD ATTRIBUTE zip text"),
    ("drop one", "ALTER TYPE api.address DROP ATTRIBUTE city"),
    (
        "change a key",
        "ALTER TABLE api.classrooms DROP CONSTRAINT rooms_pkey, ALTER name SET NOT NULL, ADD PRIMARY KEY (name)",
    ),
    (
        "add columns that are called like an embed and like logic",
        "ALTER TABLE api.students ADD enrollments int, ADD \"and\" int, ADD \"not\" text",
    ),
    (
        "add a second way to the same table",
        "ALTER TABLE api.enrollments ADD tutor_id int REFERENCES api.students",
    ),
    ("add unique keys", "ALTER TABLE api.students ADD UNIQUE (name, email), ADD CONSTRAINT of_points UNIQUE (points)"),
    ("rename a unique key and a column of another", "ALTER TABLE api.students RENAME email TO mail"),
    ("drop a unique key", "ALTER TABLE api.students DROP CONSTRAINT of_points"),
    ("add a table whose message would have a name that is taken", "CREATE TABLE api.student (id int PRIMARY KEY)"),
    ("drop a table", "DROP TABLE api.classrooms"),
];

/// A directory of exports, each with the lock of the one before.
struct Exports(PathBuf);

impl Exports {
    fn lock(&self) -> PathBuf {
        self.0.join("pgduet.lock.json")
    }

    fn export(&self, name: &str, database: &Database) -> PathBuf {
        let directory = self.0.join(name);
        stdout(proto(database, &directory).arg("--lock").arg(self.lock()));
        directory
    }
}

fn proto(database: &Database, directory: &Path) -> Command {
    let mut command = Command::new(crate::support::server::binary());
    command
        .args(["proto", "--out"])
        .arg(directory)
        .env("PGRST_DB_URI", database.uri("authenticator"))
        .env("PGRST_DB_SCHEMAS", "api");
    command
}

fn breaking(new: &Path, old: &Path) -> Result<(), String> {
    let mut buf = Command::new(tool("node_modules/.bin/buf"));
    let Output { status, stdout, .. } =
        buf.arg("breaking").arg(new).arg("--against").arg(old).output().unwrap();
    if status.success() { Ok(()) } else { Err(String::from_utf8_lossy(&stdout).into_owned()) }
}

/// The schema of `from` in a database of its own, as `pg_dump` writes it.
pub(crate) fn restored(from: &Database) -> Database {
    let dump = stdout(
        Command::new(program("pg_dump"))
            .args(["--schema-only", "--no-owner", "-d"])
            .arg(from.superuser_uri()),
    );
    // What begins with a backslash is for psql.
    let sql: Vec<&str> = dump.lines().filter(|line| !line.starts_with('\\')).collect();
    Database::fresh(&sql.join("\n"))
}

#[test]
fn no_migration_breaks_clients_of_the_protos_that_were_exported_before() {
    let database = Database::fresh(SCHEMA);
    let exports = Exports(std::env::temp_dir().join(format!("pgduet-lock-{}", database.name())));
    let mut before = exports.export("0", &database);
    for (number, (migration, sql)) in (1..).zip(MIGRATIONS) {
        database.execute(sql);
        let after = exports.export(&number.to_string(), &database);
        if let Err(broken) = breaking(&after, &before) {
            panic!("{migration}:\n{broken}");
        }
        before = after;
    }
    stdout(Command::new(tool("node_modules/.bin/buf")).arg("lint").current_dir(&before));

    let locked = fs::read_to_string(exports.lock()).unwrap();
    let other = restored(&database);
    let after = exports.export("restored", &other);
    assert_eq!(breaking(&after, &before), Ok(()));
    assert_eq!(fs::read_to_string(exports.lock()).unwrap(), locked, "a restore changes nothing");

    let unlocked = exports.0.join("unlocked");
    stdout(&mut proto(&other, &unlocked));
    let broken = breaking(&unlocked, &before).unwrap_err();
    assert!(
        broken.contains("Student"),
        "without the lock nothing is known of columns that had other types: {broken}"
    );

    served_with_its_lock(&exports, &other, &before);
    fs::remove_dir_all(exports.0).unwrap();
}

/// A client of an export from one database reads another that has the same lock.
fn served_with_its_lock(exports: &Exports, database: &Database, export: &Path) {
    database.execute(
        "INSERT INTO api.students (id, name, home, points, nickname) VALUES (1, 'Ada', '(Main St,N1)', 7, 'A')",
    );
    let server = Server::start(&[
        ("PGRST_DB_URI", &database.uri("authenticator")),
        ("PGRST_DB_SCHEMAS", "api"),
        ("PGRST_DB_ANON_ROLE", "anonymous"),
        ("PGDUET_GRPC_LOCK", exports.lock().to_str().unwrap()),
    ]);
    let described = export.join("descriptors.binpb");
    let method = "api.v1.StudentsService/ListStudents";
    let arguments = ["-protoset", described.to_str().unwrap(), "-emit-defaults", server.address(), method];
    let listed: serde_json::Value = serde_json::from_str(&grpcurl(&arguments).unwrap()).unwrap();
    let student = &listed["students"][0];
    assert_eq!([&student["name"], &student["nickname"], &student["home"]["zip"]], ["Ada", "A", "N1"]);
    assert_eq!((&student["id"], &student["points"]), (&1.into(), &7.into()));
}

#[test]
fn a_lock_that_cannot_be_used_stops_export_and_server_and_says_where() {
    let database = Database::fresh(SCHEMA);
    let lock = std::env::temp_dir().join(format!("{}.lock.json", database.name()));
    fs::write(&lock, "{\n  \"version\": 1,\n  \"schemas\": {},,\n}").unwrap();
    let refused = |command: &mut Command| {
        let output = command.env("PGDUET_GRPC_LOCK", &lock).output().unwrap();
        assert!(!output.status.success());
        String::from_utf8(output.stderr).unwrap()
    };
    let directory = std::env::temp_dir().join(database.name());
    let place = format!("pgduet: the gRPC lock file cannot be used: {}: ", lock.display());
    let exported = refused(&mut proto(&database, &directory));
    assert!(exported.starts_with(&place) && exported.contains("line 3 column 17"), "{exported}");
    assert!(!directory.exists());
    let mut serve = Command::new(crate::support::server::binary());
    serve.env("PGRST_DB_URI", database.uri("authenticator")).env("PGRST_SERVER_PORT", "0");
    assert!(refused(&mut serve).contains(&place));
    fs::remove_file(&lock).unwrap();
    assert!(refused(&mut serve).contains("there is no such file"));
}

/// A lock as it was written when columns had the numbers of their places, and embeds those from 2001 on.
const OLD_LOCK: &str = r#"{
  "version": 1,
  "schemas": { "api": {
    "relations": {
      "courses": {
        "message": "Course", "plural": "Courses",
        "columns": { "fields": { "id": "int32 id = 1", "title": "string title = 2" } },
        "embeds": { "fields": {
          "enrollments": "repeated Enrollment enrollments = 2001", "students": "repeated Student students = 2002"
        } },
        "key": ["id"]
      },
      "enrollments": {
        "message": "Enrollment", "plural": "Enrollments",
        "columns": { "fields": {
          "student_id": "int32 student_id = 1", "course_id": "int32 course_id = 2", "grade": "Grade grade = 3"
        } },
        "embeds": { "fields": { "courses": "Course course = 2001", "students": "Student student = 2002" } },
        "key": ["student_id", "course_id"]
      },
      "students": {
        "message": "Student", "plural": "Students",
        "columns": {
          "fields": { "id": "int32 id = 1", "name": "string name = 3", "points": "int32 points = 5" },
          "reserved": ["string nickname = 4"]
        },
        "embeds": { "fields": {
          "courses": "repeated Course courses = 2001", "enrollments": "repeated Enrollment enrollments = 2002"
        } },
        "key": ["id"]
      }
    },
    "enums": { "api.grade": { "enum": "Grade", "labels": { "fields": { "fail": "GRADE_FAIL = 1", "pass": "GRADE_PASS = 2" } } } },
    "composites": {},
    "functions": {
      "search(query)": {
        "method": "Search", "returns": "stream Student", "arguments": { "fields": { "query": "string query = 1" } }
      }
    }
  } }
}"#;

#[test]
fn a_lock_of_old_keeps_its_small_numbers_and_what_is_new_has_those_of_names() {
    let database = Database::fresh(SCHEMA);
    let exports = Exports(std::env::temp_dir().join(format!("pgduet-old-lock-{}", database.name())));
    fs::create_dir_all(&exports.0).unwrap();
    fs::write(exports.lock(), OLD_LOCK).unwrap();
    let first = exports.export("first", &database);
    let proto = fs::read_to_string(first.join("api/v1/api.proto")).unwrap();
    for line in [
        "reserved 2, 4;",
        "optional int32 points = 5;",
        "optional int32 student_id = 1 [json_name = \"student_id\"",
        "repeated Course courses = 2001;",
        "Course course = 2001;",
        "GRADE_PASS = 2;",
        "optional string query = 1 [",
        // What the lock does not have.
        "repeated string tags = 133584;",
        "google.protobuf.Timestamp joined = 36072;",
    ] {
        assert!(proto.contains(line), "{line} is not in {proto}");
    }
    let lock = fs::read_to_string(exports.lock()).unwrap();
    assert!(lock.contains("\"courses!enrollments\": \"repeated Course courses = 2001\""), "{lock}");
    // A second way to students does not take the first one's field.
    database.execute("ALTER TABLE api.enrollments ADD tutor_id int REFERENCES api.students");
    let second = exports.export("second", &database);
    assert_eq!(breaking(&second, &first), Ok(()));
    let proto = fs::read_to_string(second.join("api/v1/api.proto")).unwrap();
    for line in ["Student student = 2002;", "Student tutor = ", "repeated Enrollment enrollments = 2002;"] {
        assert!(proto.contains(line), "{line} is not in {proto}");
    }
    fs::remove_dir_all(exports.0).unwrap();
}

#[test]
fn a_rename_that_the_lock_is_told_of_keeps_numbers_and_the_export_asks_for_it() {
    let database = Database::fresh(SCHEMA);
    let exports = Exports(std::env::temp_dir().join(format!("pgduet-renames-{}", database.name())));
    let first = exports.export("first", &database);
    let before = fs::read_to_string(exports.lock()).unwrap();
    database.execute(
        "ALTER TABLE api.students RENAME name TO full_name;
         ALTER TYPE api.grade RENAME VALUE 'fail' TO 'failed';
         ALTER TABLE api.rooms RENAME TO classrooms",
    );
    let told = stdout(proto(&database, &exports.0.join("unedited")).arg("--lock").arg(exports.lock()));
    let hint = "In \"students\" \"name\" is gone and \"full_name\" is new. If that is a rename, take the lock as it was, \
                write \"full_name\": \"string name = 200846\" there";
    assert!(told.contains(hint), "{told}");
    assert!(told.contains("In \"api.grade\" \"fail\" is gone and \"failed\" is new."), "{told}");

    let mut edited = before.clone();
    for (was, is) in [
        (
            "\"name\": \"string name = 200846\",\n              \"nickname\"",
            "\"full_name\": \"string name = 200846\",\n              \"nickname\"",
        ),
        ("\"fail\":", "\"failed\":"),
        ("\"rooms\":", "\"classrooms\":"),
    ] {
        assert!(edited.contains(was), "{was} is not in {edited}");
        edited = edited.replacen(was, is, 1);
    }
    fs::write(exports.lock(), edited).unwrap();
    exports.export("edited", &database);
    let server = Server::start(&[
        ("PGRST_DB_URI", &database.uri("authenticator")),
        ("PGRST_DB_SCHEMAS", "api"),
        ("PGRST_DB_ANON_ROLE", "anonymous"),
        ("PGDUET_GRPC_LOCK", exports.lock().to_str().unwrap()),
    ]);
    database.execute(
        "INSERT INTO api.students (id, full_name) VALUES (1, 'Ada'); INSERT INTO api.courses VALUES (1, 'Logic');
         INSERT INTO api.enrollments VALUES (1, 1, 'failed'); INSERT INTO api.classrooms VALUES (7, 'Blue')",
    );
    // A client of the first export, by numbers.
    let described = first.join("descriptors.binpb");
    let call = |method: &str| {
        let arguments = ["-protoset", described.to_str().unwrap(), server.address(), method];
        serde_json::from_str::<serde_json::Value>(&grpcurl(&arguments).unwrap()).unwrap()
    };
    assert_eq!(call("api.v1.StudentsService/ListStudents")["students"][0]["name"], "Ada");
    assert_eq!(call("api.v1.EnrollmentsService/ListEnrollments")["enrollments"][0]["grade"], "GRADE_FAIL");
    assert_eq!(call("api.v1.RoomsService/ListRooms")["rooms"][0]["name"], "Blue");
    fs::remove_dir_all(exports.0).unwrap();
}
