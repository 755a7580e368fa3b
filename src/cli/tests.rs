//! What each command line asks for.

use super::*;

fn run(line: &str) -> Result<Command, Exit> {
    let args = ["pgduet"].into_iter().chain(line.split_whitespace()).map(OsString::from);
    parse(args, BTreeMap::new())
}

fn command(line: &str) -> Command {
    run(line).unwrap_or_else(|exit| panic!("{line}: {exit:?}"))
}

#[test]
fn a_file_and_flags_are_sources_of_the_configuration() {
    let Command::Serve(sources) = command("my.conf --db-uri postgresql://h/db --server-port=0 --max-rows 5")
    else {
        panic!("not serve")
    };
    assert_eq!(sources.file, Some(PathBuf::from("my.conf")));
    let flags: Vec<_> = sources.flags.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
    assert_eq!(flags, [("db-uri", "postgresql://h/db"), ("max-rows", "5"), ("server-port", "0")]);
}

#[test]
fn application_settings_may_be_given_several_times() {
    let Command::Serve(sources) = command("--app.settings a=1 --app.settings b=x=y") else {
        panic!("not serve")
    };
    assert_eq!(sources.flags.get("app.settings.a").map(String::as_str), Some("1"));
    assert_eq!(sources.flags.get("app.settings.b").map(String::as_str), Some("x=y"));
    assert!(matches!(run("--app.settings a"), Err(Exit::Usage(_))));
}

#[test]
fn options_count_on_both_sides_of_a_command() {
    let Command::Demo(sources, demo) =
        command("--server-port 1 demo --server-host ::1 --fresh --data-dir /d --pg-bin /b")
    else {
        panic!("not demo")
    };
    assert_eq!(demo, Demo { data: DemoData::Replace, data_dir: Some(PathBuf::from("/d")) });
    let names: Vec<_> = sources.flags.keys().map(String::as_str).collect();
    assert_eq!(names, ["pg-bin", "server-host", "server-port"]);
}

#[test]
fn every_command_is_reached() {
    assert!(matches!(command(""), Command::Serve(_)));
    assert!(matches!(command("./demo"), Command::Serve(Sources { file: Some(_), .. })));
    assert!(matches!(command("--dump-config f.conf"), Command::DumpConfig(Sources { file: Some(_), .. })));
    assert!(matches!(command("f.conf --dump-schema"), Command::DumpSchema(_)));
    assert!(matches!(command("schema"), Command::DumpSchema(_)));
    assert!(matches!(command("--ready"), Command::Ready(_)));
    assert!(matches!(command("openapi"), Command::OpenApi(_, Document { schema: SchemaSource::Database })));
    assert!(matches!(
        command("check f.conf"),
        Command::Check(Sources { file: Some(_), .. }, ReportForm::Text)
    ));
    assert!(matches!(command("check --json"), Command::Check(_, ReportForm::Json)));
    let Command::Proto(sources, proto) = command("proto --out o --schema s.json --lock l.json") else {
        panic!("not proto")
    };
    assert_eq!(proto, Proto { out: "o".into(), schema: SchemaSource::File("s.json".into()) });
    assert_eq!(sources.flags.get("grpc-lock").map(String::as_str), Some("l.json"));
}

#[test]
fn answers_and_mistakes_are_told_apart() {
    for line in ["-h", "--help", "-v", "--version", "-e", "--example", "demo --help"] {
        assert!(matches!(run(line), Err(Exit::Answer(_))), "{line}");
    }
    for line in
        ["--no-such-option", "a b", "proto", "--dump-config --ready", "--dump-config demo", "--db-uri"]
    {
        assert!(matches!(run(line), Err(Exit::Usage(_))), "{line}");
    }
    for line in [
        "check --no-such-option",
        "check a b",
        "--db-uri x check --db-uri",
        "check --app.settings a",
        "--dump-config check",
    ] {
        assert!(matches!(run(line), Err(Exit::Unchecked(_))), "{line}");
    }
    assert_eq!(run("-v").err(), Some(Exit::Answer(format!("pgduet {VERSION}\n"))));
}
