//! Clients without a lock file, while the schema changes around what they know: a thing keeps its meaning, or it is
//! unknown. It never becomes another one. The client is grpcurl with the descriptors that were exported first.

use crate::{
    lock::restored,
    support::{
        database::Database,
        server::Server,
        tools::{curl, grpcurl, stdout},
        until,
    },
};
use prost::Message as _;
use prost_types::{FileDescriptorProto, FileDescriptorSet};
use serde_json::{Value, json};
use std::{
    fs,
    path::PathBuf,
    process::Command,
    sync::atomic::{AtomicU32, Ordering},
};

const SCHEMA: &str = r#"
    CREATE SCHEMA api;
    CREATE TYPE api.sex AS ENUM ('female', 'male', 'not stated');
    CREATE TYPE api.place AS (street text, city text);
    CREATE TABLE api.doctors (id int PRIMARY KEY, name text, home api.place);
    CREATE TABLE api.patients (id int PRIMARY KEY, legacy int, name text, sex api.sex, "Given Name" text);
    CREATE TABLE api.appointments (
        id int PRIMARY KEY, reason text, doctor_id int REFERENCES api.doctors, patient_id int REFERENCES api.patients
    );
    ALTER TABLE api.patients DROP COLUMN legacy;
    CREATE FUNCTION api.add(a int, b int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT a + b';
    INSERT INTO api.doctors VALUES (1, 'Strange', '(Bleecker St,New York)');
    INSERT INTO api.patients VALUES (1, 'Ada', 'female', 'Augusta');
    INSERT INTO api.appointments VALUES (1, 'cough', 1, 1);
    GRANT USAGE ON SCHEMA api TO anonymous;
    GRANT ALL ON ALL TABLES IN SCHEMA api TO anonymous;
    ALTER DEFAULT PRIVILEGES IN SCHEMA api GRANT ALL ON TABLES TO anonymous;"#;

/// A server without a lock, and a client that knows what it served at first.
struct Clinic {
    database: Database,
    server: Server,
    directory: PathBuf,
    changes: AtomicU32,
}

fn serve(database: &Database) -> Server {
    Server::start(&[
        ("PGRST_DB_URI", &database.uri("authenticator")),
        ("PGRST_DB_SCHEMAS", "api"),
        ("PGRST_DB_ANON_ROLE", "anonymous"),
    ])
}

fn clinic() -> Clinic {
    let database = Database::fresh(SCHEMA);
    let server = serve(&database);
    let directory = std::env::temp_dir().join(format!("pgduet-neighbours-{}", database.name()));
    export(&database, &directory);
    Clinic { database, server, directory, changes: AtomicU32::new(0) }
}

fn export(database: &Database, directory: &PathBuf) -> String {
    let mut command = Command::new(crate::support::server::binary());
    command.args(["proto", "--out"]).arg(directory);
    command.env("PGRST_DB_URI", database.uri("authenticator")).env("PGRST_DB_SCHEMAS", "api");
    stdout(&mut command)
}

impl Clinic {
    /// Changes the schema and waits until the server has seen it.
    fn change(&self, sql: &str) {
        let marker = format!("marker_{}", self.changes.fetch_add(1, Ordering::Relaxed));
        self.database.execute(&format!("{sql}; CREATE TABLE api.{marker} (id int)"));
        self.server.signal("USR1");
        let url = format!("{}/{marker}", self.server.url());
        until("the change is served", || (curl(&[&url]).status == 200).then_some(()));
    }

    /// Calls with what the client knows.
    fn call(&self, method: &str, request: Value) -> Result<Value, String> {
        self.call_at(&self.server, method, request)
    }

    fn call_at(&self, server: &Server, method: &str, request: Value) -> Result<Value, String> {
        let described = self.directory.join("descriptors.binpb");
        let (described, request) = (described.to_str().unwrap(), request.to_string());
        let method = format!("api.v1.{method}");
        let answer = grpcurl(&["-protoset", described, "-d", &request, server.address(), &method])?;
        Ok(serde_json::from_str(&answer).unwrap())
    }
}

impl Drop for Clinic {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.directory);
    }
}

/// What the client asks all the time, and is told. Returns what it was told otherwise.
fn otherwise(clinic: &Clinic, server: &Server) -> Vec<String> {
    let paths = |paths: &[&str]| json!({"id": 1, "read_mask": {"paths": paths}});
    let home = json!({"street": "Bleecker St", "city": "New York"});
    let calls = [
        (
            "PatientsService/GetPatient",
            json!({"id": 1}),
            json!({"patient": {"id": 1, "name": "Ada", "sex": "SEX_FEMALE", "Given Name": "Augusta"}}),
        ),
        (
            "AppointmentsService/GetAppointment",
            paths(&["id", "doctor"]),
            json!({"appointment": {"id": 1, "doctor": {"id": 1, "name": "Strange", "home": home}}}),
        ),
        (
            "DoctorsService/GetDoctor",
            paths(&["name", "appointments.reason"]),
            json!({"doctor": {"name": "Strange", "appointments": [{"reason": "cough"}]}}),
        ),
        (
            "PatientsService/GetPatient",
            paths(&["name", "appointments.reason", "appointments_count"]),
            json!({"patient": {"name": "Ada", "appointments": [{"reason": "cough"}], "appointmentsCount": "1"}}),
        ),
        ("FunctionsService/Add", json!({"a": 1, "b": 2}), json!({"value": 3})),
    ];
    let asked = calls
        .into_iter()
        .map(|(method, request, expected)| (method, clinic.call_at(server, method, request), expected));
    let other = asked.filter(|(_, found, expected)| found.as_ref() != Ok(expected));
    other.map(|(method, found, _)| format!("{method}: {found:?}")).collect()
}

/// What comes beside what clients know, and changes nothing for them.
const NEIGHBOURS: &[(&str, &str)] = &[
    ("nothing", ""),
    ("a label in front", "ALTER TYPE api.sex ADD VALUE 'divers' BEFORE 'male'"),
    (
        "a view over a table, in the singular",
        "CREATE VIEW api.doctor AS SELECT id, name AS home, 'secret' AS name FROM api.doctors",
    ),
    ("another view over it", "CREATE VIEW api.a_doctor AS SELECT * FROM api.doctors"),
    ("a second way to a table", "ALTER TABLE api.appointments ADD assistant_id int REFERENCES api.patients"),
    (
        "other ways between tables that are related already",
        "ALTER TABLE api.doctors ADD main_patient_id int REFERENCES api.patients, \
            ADD appointment_id int REFERENCES api.appointments; \
         ALTER TABLE api.appointments ADD substitute int REFERENCES api.doctors; \
         CREATE TABLE api.visits (doctor_id int REFERENCES api.doctors, \
            appointment_id int REFERENCES api.appointments, PRIMARY KEY (doctor_id, appointment_id)); \
         CREATE FUNCTION api.open_appointments(api.patients) RETURNS SETOF api.appointments LANGUAGE sql STABLE \
            AS 'SELECT * FROM api.appointments WHERE patient_id = $1.id'",
    ),
    (
        "a column whose name ends at one that is there",
        "ALTER TABLE api.patients ADD \"Name\" text, ADD \"na me\" text, ADD \"name!\" text",
    ),
    ("an enum of a table's name", "CREATE TYPE api.patient AS ENUM ('in', 'out'); ALTER TABLE api.patients ADD state api.patient"),
    (
        "a function of a method's name",
        "CREATE FUNCTION api.get_patient(id int) RETURNS text LANGUAGE sql STABLE AS 'SELECT NULL::text'",
    ),
    (
        "a table made again, its columns in another order",
        "CREATE TABLE api.again (sex api.sex, \"Given Name\" text, extra int, name text, id int PRIMARY KEY);
         INSERT INTO api.again SELECT sex, \"Given Name\", 1, name, id FROM api.patients;
         DROP TABLE api.patients CASCADE;
         ALTER TABLE api.again DROP COLUMN extra;
         ALTER TABLE api.again RENAME TO patients;
         ALTER TABLE api.appointments ADD FOREIGN KEY (patient_id) REFERENCES api.patients",
    ),
    (
        "a composite made again",
        "CREATE TYPE api.new_place AS (zip text, city text, street text);
         ALTER TABLE api.doctors ADD new_home api.new_place;
         UPDATE api.doctors SET new_home = ROW(NULL, (home).city, (home).street)::api.new_place;
         DROP VIEW api.doctor, api.a_doctor;
         ALTER TABLE api.doctors DROP COLUMN home;
         ALTER TABLE api.doctors RENAME new_home TO home;
         DROP TYPE api.place;
         ALTER TYPE api.new_place RENAME TO place",
    ),
    (
        "a function with its arguments in another order",
        "DROP FUNCTION api.add;
         CREATE FUNCTION api.add(c int DEFAULT 0, b int DEFAULT 0, a int DEFAULT 0) RETURNS int LANGUAGE sql IMMUTABLE
         AS 'SELECT a + b + c'",
    ),
];

#[test]
fn what_comes_beside_a_thing_leaves_it_as_clients_know_it() {
    let clinic = clinic();
    let mut changed = Vec::new();
    for (what, sql) in NEIGHBOURS {
        clinic.change(sql);
        changed.extend(otherwise(&clinic, &clinic.server).into_iter().map(|told| format!("{what}: {told}")));
    }
    assert!(changed.is_empty(), "{changed:#?}");
    assert!(!clinic.server.log().contains("generated anew"), "nobody is to do anything");
    let other = restored(&clinic.database);
    other.execute(
        "INSERT INTO api.doctors (id, name, home) VALUES (1, 'Strange', '(,New York,Bleecker St)');
         INSERT INTO api.patients (id, name, sex, \"Given Name\") VALUES (1, 'Ada', 'female', 'Augusta');
         INSERT INTO api.appointments (id, reason, doctor_id, patient_id) VALUES (1, 'cough', 1, 1)",
    );
    assert_eq!(otherwise(&clinic, &serve(&other)), [""; 0], "a dump and restore");
}

#[test]
fn a_label_that_a_client_writes_is_stored_as_what_it_is() {
    let clinic = clinic();
    clinic.change("ALTER TYPE api.sex ADD VALUE 'divers' BEFORE 'male'");
    let patient = json!({"patient": {"id": 2, "name": "Lee", "sex": "SEX_NOT_STATED"}});
    let created = clinic.call("PatientsService/CreatePatient", patient.clone());
    assert_eq!(created, Ok(patient));
    let url = format!("{}/patients?id=eq.2&select=sex", clinic.server.url());
    assert_eq!(curl(&[&url]).json(), json!([{"sex": "not stated"}]));
}

/// What takes a thing's name. To clients the thing is unknown then.
const NAMESAKES: &[(&str, &str, &str, &str)] = &[
    (
        "another overload",
        "CREATE FUNCTION api.add(a int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT -a'",
        "FunctionsService/Add",
        r#"{"a": 1, "b": 2}"#,
    ),
    (
        "another table of the same singular",
        "CREATE TABLE api.patient (id int PRIMARY KEY, name text); INSERT INTO api.patient VALUES (1, 'nobody')",
        "PatientsService/ListPatients",
        "{}",
    ),
];

#[test]
fn a_name_that_two_would_have_is_nobodys() {
    for (what, sql, method, request) in NAMESAKES {
        let clinic = clinic();
        let request: Value = serde_json::from_str(request).unwrap();
        clinic.call(method, request.clone()).unwrap();
        clinic.change(sql);
        let refused = clinic.call(method, request).unwrap_err();
        assert!(refused.contains("Code: Unimplemented"), "{what}: {refused}");
    }
    let clinic = clinic();
    for (_, sql, ..) in NAMESAKES {
        clinic.change(sql);
    }
    // To those who ask anew each has a name.
    for (method, request, answer) in [
        ("FunctionsService/AddByA", json!({"a": 1}), json!({"value": -1})),
        ("FunctionsService/AddByAB", json!({"a": 1, "b": 2}), json!({"value": 3})),
        (
            "PatientRowsService/GetPatientRow",
            json!({"id": 1}),
            json!({"patientRow": {"id": 1, "name": "nobody"}}),
        ),
        (
            "PatientsRowsService/GetPatientsRow",
            json!({"id": 1, "read_mask": "name"}),
            json!({"patientsRow": {"name": "Ada"}}),
        ),
    ] {
        let url = format!("{}/api.v1.{method}", clinic.server.url());
        let found = curl(&["-H", "content-type: application/json", "-d", &request.to_string(), &url]);
        assert_eq!((found.status, found.json()), (200, answer), "{method}");
    }
}

#[test]
fn a_reload_tells_what_clients_do_not_see_coming_and_nothing_else() {
    let clinic = clinic();
    let warned = |what: &str| {
        let line = format!("gRPC clients have to be generated anew: {what}");
        until(&line, || clinic.server.log().contains(&line).then_some(()));
    };
    clinic.change("ALTER TABLE api.patients ALTER name TYPE varchar, ADD age int");
    clinic.change("ALTER TABLE api.patients ALTER age TYPE text, DROP \"Given Name\"");
    warned("Patient: \"age\" was int32 and is string, with the number 169196");
    clinic.change(
        "DROP FUNCTION api.add; CREATE FUNCTION api.add(a int, b bigint) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT 1::text'",
    );
    warned("the request of Add: \"b\" was int32 and is int64");
    warned("Add gave int32 and gives string");
    clinic.change("ALTER TABLE api.appointments ADD doctor int");
    warned(
        "Appointment: \"doctors!appointments_doctor_id_fkey\" had the name doctor and has doctor_by_doctor_id, \
         with the number",
    );
    warned(
        "Appointment: the name doctor was that of \"doctors!appointments_doctor_id_fkey\" and is that of \"doctor\"",
    );
    clinic.change("CREATE VIEW api.nurses AS SELECT 1 AS id");
    clinic.change("DROP VIEW api.nurses; CREATE TABLE api.nurse (id int PRIMARY KEY)");
    warned("Nurse was \"nurses\" and is \"nurse\"");
    assert_eq!(clinic.server.log().matches("generated anew").count(), 6, "{}", clinic.server.log());
}

#[test]
fn the_export_and_a_server_agree_without_a_lock_and_both_recommend_one() {
    let clinic = clinic();
    let served = clinic.directory.join("served.binpb");
    let service = "api.v1.PatientsService";
    grpcurl(&["-protoset-out", served.to_str().unwrap(), clinic.server.address(), "describe", service])
        .unwrap();
    let package = |path: &str| {
        let bytes = fs::read(clinic.directory.join(path)).unwrap();
        let set = FileDescriptorSet::decode(bytes.as_slice()).unwrap();
        let file = set.file.into_iter().find(|file| file.name() == "api/v1/api.proto").unwrap();
        // grpcurl leaves comments out.
        FileDescriptorProto { source_code_info: None, ..file }
    };
    assert_eq!(package("served.binpb"), package("descriptors.binpb"));
    assert!(clinic.server.log().contains("With `pgduet proto` and grpc-lock"), "{}", clinic.server.log());
    let lock = clinic.directory.join("pgduet.lock.json");
    let told = export(&clinic.database, &clinic.directory);
    assert!(told.contains(&format!("Commit {}", lock.display())) && told.lines().count() == 1, "{told}");
    assert!(!fs::read_to_string(lock).unwrap().contains("reserved"));
}
