//! The packages of schemas: each has one of its own, whatever it is called, or the process says why it has not.

use crate::support::{
    database::Database,
    server::Server,
    tools::{grpcurl, stdout, tool},
    until,
};
use std::{fs, path::Path, process::Command};

/// Schemas that are called as what is served or imported besides.
const NAMES: [&str; 7] = ["google", "pgduet", "grpc", "schema", "message", "v1", "shop_v2"];

fn schemas() -> Database {
    let schema = |name: &str| {
        format!(
            "CREATE SCHEMA {name}; CREATE TABLE {name}.timestamps (id int PRIMARY KEY, at timestamptz);
             INSERT INTO {name}.timestamps VALUES (1, now()); GRANT USAGE ON SCHEMA {name} TO anonymous;
             GRANT SELECT ON {name}.timestamps TO anonymous;"
        )
    };
    Database::fresh(&NAMES.map(schema).concat())
}

fn configured(database: &Database, template: &str) -> Command {
    let mut command = Command::new(crate::support::server::binary());
    command
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("PGRST_SERVER_HOST", "127.0.0.1")
        .env("PGRST_SERVER_PORT", "0")
        .env("PGRST_DB_URI", database.uri("authenticator"))
        .env("PGRST_DB_SCHEMAS", NAMES.join(","))
        .env("PGRST_DB_ANON_ROLE", "anonymous")
        .env("PGDUET_GRPC_PACKAGE", template);
    command
}

/// What a command that cannot do its work says.
fn refused(command: &mut Command) -> String {
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{said}");
    said
}

#[test]
fn schemas_of_any_name_are_served_and_exported() {
    let database = schemas();
    for template in
        ["{schema}.v{version}", "acme.{schema}.v{version}", "{schema}.protobuf", "google.{schema}"]
    {
        let server = Server::run(configured(&database, template));
        let listed = grpcurl(&[server.address(), "list"]).unwrap();
        let services: Vec<&str> =
            listed.lines().filter(|name| name.ends_with(".TimestampsService")).collect();
        assert_eq!(services.len(), NAMES.len(), "{template}: {listed}");
        for service in &services {
            let method = format!("{service}/GetTimestamp");
            let answer = grpcurl(&["-d", "{\"id\": 1}", server.address(), &method]);
            assert!(answer.as_ref().is_ok_and(|json| json.contains("\"at\":")), "{method}: {answer:?}");
        }
        let directory = std::env::temp_dir().join(format!("pgduet-packages-{}", database.name()));
        stdout(configured(&database, template).args(["proto", "--out"]).arg(&directory));
        let buf = |arguments: &[&str]| {
            stdout(Command::new(tool("node_modules/.bin/buf")).args(arguments).current_dir(&directory))
        };
        buf(&["build", "-o", "built.binpb"]);
        for service in services {
            let (package, _) = service.rsplit_once('.').unwrap();
            let files = fs::read_dir(directory.join(package.replace('.', "/"))).unwrap();
            assert!(files.count() > 0, "{package}");
        }
        fs::remove_dir_all(directory).unwrap();
    }
}

#[test]
fn a_template_that_gives_no_schema_a_package_of_its_own_ends_the_start() {
    let database = schemas();
    for template in ["9.{schema}", "acme..x", "{schema}.", "{schema}.{version}", "{table}.v1", ""] {
        let mut command = configured(&database, template);
        command.arg("--dump-config");
        match template {
            // As if it were not set.
            "" => assert!(stdout(&mut command).contains("db-schemas")),
            _ => assert!(refused(&mut command).contains("grpc-package"), "{template}"),
        }
    }
    for template in ["acme.v1", "acme.v{version}"] {
        for arguments in [&[][..], &["proto", "--out", "/nowhere"]] {
            let said = refused(configured(&database, template).args(arguments));
            assert!(said.contains("grpc-package") && said.contains("the same package"), "{said}");
        }
    }
    // A package that others have: one schema is one too many.
    let said = refused(
        configured(&database, "google.protobuf")
            .env("PGRST_DB_SCHEMAS", "google")
            .args(["proto", "--out", "/nowhere"]),
    );
    assert!(said.contains("package that is taken"), "{said}");
    // A saved schema may have more than the configuration says.
    let saved = std::env::temp_dir().join(format!("pgduet-packages-{}.json", database.name()));
    fs::write(&saved, stdout(configured(&database, "{schema}").arg("schema"))).unwrap();
    let mut command = configured(&database, "acme.v1");
    command.env("PGRST_DB_SCHEMAS", "google").args(["proto", "--out", "/nowhere", "--schema"]).arg(&saved);
    assert!(refused(&mut command).contains("package that is taken"));
    fs::remove_file(saved).unwrap();
}

#[test]
fn a_reload_with_such_a_template_leaves_what_is_there_and_a_signal_ends_the_process() {
    let database = schemas();
    let file = std::env::temp_dir().join(format!("pgduet-packages-{}.conf", database.name()));
    let write = |template: &str| fs::write(&file, format!("grpc-package = \"{template}\"\n")).unwrap();
    write("acme.{schema}.v{version}");
    let server = serve(&database, &file);
    let get =
        || grpcurl(&["-d", "{\"id\": 1}", server.address(), "acme.google.v1.TimestampsService/GetTimestamp"]);
    get().unwrap();
    for template in ["acme.v1", "acme..x"] {
        write(template);
        server.signal("USR2");
        until("the server says why", || server.log().contains("grpc-package").then_some(()));
        get().unwrap();
    }
    // A package that is taken shows with the catalog alone.
    write("{schema}.v{version}");
    server.signal("USR2");
    until("the new template is in force", || {
        let method = "google.v1.TimestampsService/GetTimestamp";
        grpcurl(&["-d", "{\"id\": 1}", server.address(), method]).ok()
    });
    server.signal("TERM");
    assert!(server.wait().success());
    fs::remove_file(file).unwrap();
}

fn serve(database: &Database, file: &Path) -> Server {
    let mut command = configured(database, "");
    command.env_remove("PGDUET_GRPC_PACKAGE").arg(file);
    Server::run(command)
}
