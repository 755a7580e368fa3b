//! What operators start from: the files of `deploy/`, held against the tools that read them and the server that they are
//! for; `--version`; the steps of a release.

use crate::support::{
    address,
    database::Database,
    http::send,
    issuer::{Issuer, Signer, publishes, set},
    server::{Server, binary},
    tools::{stdout, tool},
};
use serde::Deserialize;
use serde_json::Value;
use std::{
    collections::BTreeSet,
    env, fs,
    path::{Path, PathBuf},
    process::{self, Command, Output},
    sync::atomic::{AtomicUsize, Ordering},
};

#[path = "../../build/commit.rs"]
mod commit;

const SCHEMA: &str = "CREATE SCHEMA api; GRANT USAGE ON SCHEMA api TO anonymous, authenticated;";

/// The oldest and the newest Kubernetes that the manifests are for.
const KUBERNETES: [&str; 2] = ["1.30", "1.37"];

fn root() -> PathBuf {
    env!("CARGO_MANIFEST_DIR").into()
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// An empty directory of the caller's own: tests run beside each other.
fn directory(name: &str) -> PathBuf {
    static MADE: AtomicUsize = AtomicUsize::new(0);
    let number = MADE.fetch_add(1, Ordering::Relaxed);
    let directory = env::temp_dir().join(format!("pgduet-{name}-{}-{number}", process::id()));
    let _ = fs::remove_dir_all(&directory);
    fs::create_dir_all(&directory).unwrap();
    directory
}

/// What a command said, which must have failed.
fn refusal(command: &mut Command) -> String {
    let Output { status, stdout, stderr } = command.output().unwrap();
    assert!(!status.success(), "{command:?} went well");
    String::from_utf8([stdout, stderr].concat()).unwrap()
}

// systemd

#[test]
fn systemd_takes_the_units_and_finds_little_exposed() {
    let directory = directory("systemd");
    // systemd looks for the program, which is not installed here.
    let service = read("deploy/systemd/pgduet.service");
    let installed = "ExecStart=/usr/bin/pgduet ";
    assert!(service.contains(installed));
    let built = format!("ExecStart={} ", binary().display());
    fs::write(directory.join("pgduet.service"), service.replace(installed, &built)).unwrap();
    fs::write(directory.join("pgduet.socket"), read("deploy/systemd/pgduet.socket")).unwrap();
    let units = ["pgduet.service", "pgduet.socket"].map(|unit| directory.join(unit));
    let verified =
        Command::new("systemd-analyze").args(["verify", "--man=no"]).args(&units).output().unwrap();
    let told = String::from_utf8(verified.stderr).unwrap();
    // Of other units of the machine it may say things, too.
    assert!(verified.status.success() && !told.contains("pgduet"), "{told}");
    let security = ["security", "--offline=true", "--no-pager", "--threshold=20"];
    stdout(Command::new("systemd-analyze").args(security).arg(&units[0]));
}

// Kubernetes

/// The objects of the base, as kustomize writes them for `kubectl apply`.
fn manifests() -> (PathBuf, Vec<Value>) {
    let text = stdout(Command::new(tool("bin/kustomize")).arg("build").arg(root().join("deploy/kubernetes")));
    let path = directory("kubernetes").join("all.yaml");
    fs::write(&path, &text).unwrap();
    let objects =
        serde_yaml_ng::Deserializer::from_str(&text).map(|object| Value::deserialize(object).unwrap());
    (path, objects.collect())
}

fn object<'a>(objects: &'a [Value], kind: &str) -> &'a Value {
    objects.iter().find(|object| object["kind"] == kind).unwrap_or_else(|| panic!("there is no {kind}"))
}

/// The server's container.
fn container(objects: &[Value]) -> &Value {
    &object(objects, "Deployment")["spec"]["template"]["spec"]["containers"][0]
}

#[test]
fn the_manifests_are_what_kubernetes_takes() {
    let (path, _) = manifests();
    for version in KUBERNETES {
        let mut validate = Command::new(tool("python/bin/kubernetes-validate"));
        stdout(validate.args(["--strict", "--quiet", "-k", version]).arg(&path));
    }
    let wrong = read("deploy/kubernetes/disruption.yaml").replace("maxUnavailable", "maxUnavailble");
    let path = path.with_file_name("wrong.yaml");
    fs::write(&path, wrong).unwrap();
    let told = refusal(Command::new(tool("python/bin/kubernetes-validate")).arg("--strict").arg(&path));
    assert!(told.contains("maxUnavailble"), "{told}");
}

#[test]
fn the_overlay_of_the_documentation_changes_what_it_names() {
    let directory = directory("overlay");
    let documentation = read("docs/deploy.md");
    let overlay =
        documentation.split_once("    # kustomization.yaml\n").and_then(|(_, rest)| rest.split_once("\n\n"));
    let overlay: String = overlay.unwrap().0.lines().map(|line| format!("{}\n", &line[4..])).collect();
    fs::write(directory.join("kustomization.yaml"), overlay).unwrap();
    let base = directory.join("pgduet/deploy/kubernetes");
    fs::create_dir_all(&base).unwrap();
    for file in fs::read_dir(root().join("deploy/kubernetes")).unwrap().map(|entry| entry.unwrap().path()) {
        fs::copy(&file, base.join(file.file_name().unwrap())).unwrap();
    }
    let text = stdout(Command::new(tool("bin/kustomize")).arg("build").arg(&directory));
    for part in
        ["namespace: library", "image: registry.example.com/pgduet:v0.1.0", "PGDUET_DB_SCHEMAS: library"]
    {
        assert!(text.contains(part), "{part} in {text}");
    }
    // The options of the base are still there.
    assert!(text.contains("PGDUET_SERVER_DRAIN_TIMEOUT"), "{text}");
}

#[test]
fn every_selector_means_the_pods_of_the_deployment_and_no_others() {
    let (_, objects) = manifests();
    let deployment = object(&objects, "Deployment");
    let labels = &deployment["spec"]["template"]["metadata"]["labels"];
    assert!(labels.as_object().is_some_and(|labels| !labels.is_empty()), "{labels}");
    for selector in [
        &deployment["spec"]["selector"]["matchLabels"],
        &deployment["spec"]["template"]["spec"]["topologySpreadConstraints"][0]["labelSelector"]["matchLabels"],
        &object(&objects, "Service")["spec"]["selector"],
        &object(&objects, "PodDisruptionBudget")["spec"]["selector"]["matchLabels"],
        &object(&objects, "NetworkPolicy")["spec"]["podSelector"]["matchLabels"],
    ] {
        assert_eq!(selector, labels);
    }
    let target = &object(&objects, "HorizontalPodAutoscaler")["spec"]["scaleTargetRef"];
    assert_eq!((&target["kind"], &target["name"]), (&deployment["kind"], &deployment["metadata"]["name"]));
}

#[test]
fn the_pod_s_end_has_time_for_the_process_s() {
    let (_, objects) = manifests();
    let options = &object(&objects, "ConfigMap")["data"];
    let seconds = |option: &str| options[option].as_str().unwrap().parse::<u64>().unwrap();
    let before = container(&objects)["lifecycle"]["preStop"]["sleep"]["seconds"].as_u64().unwrap();
    let given =
        object(&objects, "Deployment")["spec"]["template"]["spec"]["terminationGracePeriodSeconds"].as_u64();
    // The last second is for cancelling what is cut off.
    let needed =
        before + seconds("PGDUET_SERVER_SHUTDOWN_DELAY") + seconds("PGDUET_SERVER_DRAIN_TIMEOUT") + 1;
    assert!(given.unwrap() > needed, "{given:?} for {needed}");
}

#[test]
fn the_server_takes_the_manifests_options_and_answers_their_probes() {
    let (_, objects) = manifests();
    let database = Database::fresh(SCHEMA);
    let admin = address::free();
    let mut command = Command::new(binary());
    command.env_clear();
    for (name, value) in object(&objects, "ConfigMap")["data"].as_object().unwrap() {
        command.env(name, value.as_str().unwrap());
    }
    let secret = "of 32 characters, for tests alone";
    for variable in container(&objects)["env"].as_array().unwrap() {
        let value = match variable["valueFrom"]["secretKeyRef"]["key"].as_str().unwrap() {
            "db-uri" => database.uri("authenticator"),
            _ => secret.to_owned(),
        };
        command.env(variable["name"].as_str().unwrap(), value);
    }
    // The ports of the image may be taken on this machine. Warnings are to be seen.
    let ports = ["--server-port", "0", "--admin-server-port", &admin.port().to_string()];
    let server = Server::run({
        command.args(ports).args(["--log-level", "warn", "--log-format", "text"]);
        command
    });
    // So it says of an option that it does not know.
    assert!(!server.log().contains("has no effect"), "{}", server.log());
    for probe in ["startupProbe", "livenessProbe", "readinessProbe"] {
        let path = container(&objects)[probe]["httpGet"]["path"].as_str().unwrap();
        assert_eq!(send(&admin.to_string(), "GET", path, &[], None).status, 200, "{probe}");
    }
}

// The image

/// The words of a JSON list after a keyword of the Dockerfile.
fn words(image: &str, keyword: &str) -> Vec<String> {
    let at = image.find(keyword).unwrap_or_else(|| panic!("there is no {keyword}"));
    let list = image[at..].find('[').map(|start| &image[at + start..]).unwrap();
    serde_json::from_str(list.lines().next().unwrap()).unwrap()
}

#[test]
fn the_image_has_the_ports_of_the_manifests_and_shows_both() {
    let (_, objects) = manifests();
    let ports = container(&objects)["ports"].as_array().unwrap().iter();
    let ports: Vec<_> = ports.map(|port| port["containerPort"].to_string()).collect();
    let image = read("Dockerfile");
    assert!(image.contains(&format!("\nEXPOSE {}\n", ports.join(" "))), "{ports:?}");
    assert!(image.contains(&format!("\nENV PGRST_ADMIN_SERVER_PORT={}\n", ports[1])), "{ports:?}");
    let api = object(&objects, "Service")["spec"]["ports"][0]["targetPort"].clone();
    assert_eq!(api, container(&objects)["ports"][0]["name"]);
}

#[test]
fn the_image_s_admin_server_answers_its_health_check_and_who_comes_from_outside() {
    let database = Database::fresh(SCHEMA);
    let admin = address::free();
    let command = |words: &[String]| {
        assert_eq!(words[0], "pgduet");
        let mut command = Command::new(binary());
        // What the image sets, but for a port that may be taken on this machine.
        command.env_clear().env("PGRST_ADMIN_SERVER_PORT", admin.port().to_string()).args(&words[1..]);
        command
    };
    let image = read("Dockerfile");
    let mut serve = command(&words(&image, "\nENTRYPOINT"));
    serve.env("PGRST_DB_URI", database.uri("authenticator")).env("PGRST_DB_SCHEMAS", "api");
    let server = Server::run({
        serve.args(["--server-port", "0"]);
        serve
    });
    server.says(&format!("Admin server listening on 0.0.0.0:{}", admin.port()), 1);
    stdout(&mut command(&words(&image, "\nHEALTHCHECK")));
}

// Prometheus and Grafana

#[test]
fn the_alerts_are_raised_when_they_should_be() {
    let directory = root().join("deploy/prometheus");
    stdout(Command::new("promtool").args(["check", "rules", "rules.yaml"]).current_dir(&directory));
    stdout(Command::new("promtool").args(["test", "rules", "rules.test.yaml"]).current_dir(&directory));
}

/// The queries of the dashboard, with values for Grafana's variables.
fn queries() -> Vec<String> {
    let dashboard: Value = serde_json::from_str(&read("deploy/grafana/pgduet.json")).unwrap();
    let panels = dashboard["panels"].as_array().unwrap();
    let queries = panels.iter().filter_map(|panel| panel["targets"].as_array()).flatten();
    let queries = queries.map(|target| target["expr"].as_str().unwrap().replace("$__rate_interval", "5m"));
    queries.collect()
}

#[test]
fn the_dashboard_s_queries_are_prometheus_s() {
    let queries = queries();
    assert!(queries.len() > 10, "{queries:?}");
    let rules =
        queries.iter().enumerate().map(|(at, expr)| format!("  - record: query:{at}\n    expr: '{expr}'\n"));
    let text = format!("groups:\n- name: dashboard\n  rules:\n{}", rules.collect::<String>());
    let path = directory("dashboard").join("queries.yaml");
    fs::write(&path, text).unwrap();
    stdout(Command::new("promtool").args(["check", "rules"]).arg(path));
}

/// A sample on the admin server's page: a name, and labels such as `state="away"`.
type Sample<'a> = (&'a str, &'a str);

/// Labels that Prometheus adds.
const ADDED: [&str; 4] = ["job", "instance", "namespace", "pod"];

/// The name and the labels at the beginning of a text.
fn sample(text: &str) -> Option<Sample<'_>> {
    let end = text.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).unwrap_or(text.len());
    let (name, rest) = text.split_at(end);
    let labels =
        rest.strip_prefix('{').and_then(|rest| rest.split_once('}')).map_or("", |(labels, _)| labels);
    Some((name, labels))
}

/// Where a text names metrics of the server's.
fn named(text: &str) -> impl Iterator<Item = Sample<'_>> {
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let starts = text.match_indices("pgrst_").chain(text.match_indices("pgduet_"));
    starts.filter(move |(at, _)| !text[..*at].ends_with(is_name)).filter_map(|(at, _)| sample(&text[at..]))
}

/// The files that name metrics, below `deploy/` and in the documentation.
fn files_with_metrics() -> Vec<PathBuf> {
    let mut left = vec![root().join("deploy"), root().join("docs/deploy.md")];
    let mut files = Vec::new();
    while let Some(path) = left.pop() {
        match path.is_dir() {
            true => left.extend(fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path())),
            false => files.push(path),
        }
    }
    files
}

#[test]
fn what_dashboard_alerts_and_autoscaler_look_at_is_what_the_server_prints() {
    let database = Database::fresh(SCHEMA);
    let admin = address::free();
    let issuer = Issuer::start(publishes(&set(&[&Signer::new("first")])));
    let server = Server::start(&[
        ("PGRST_DB_URI", &database.uri("authenticator")),
        ("PGRST_DB_SCHEMAS", "api"),
        ("PGRST_JWT_SECRET", &issuer.url("/keys")),
        ("PGRST_ADMIN_SERVER_HOST", "127.0.0.1"),
        ("PGRST_ADMIN_SERVER_PORT", &admin.port().to_string()),
    ]);
    // Histograms of requests are there from the first one on.
    send(server.address(), "GET", "/nope", &[], None);
    let page = send(&admin.to_string(), "GET", "/metrics", &[], None).text();
    let printed: BTreeSet<_> =
        page.lines().filter(|line| !line.starts_with('#')).filter_map(sample).collect();
    let mut names = 0;
    for path in files_with_metrics() {
        // In JSON quotes are escaped.
        let text = fs::read_to_string(&path).unwrap().replace("\\\"", "\"");
        for (name, labels) in named(&text) {
            names += 1;
            let is_printed = printed.iter().any(|(printed, _)| *printed == name);
            assert!(is_printed, "{}: the server has no {name}:\n{page}", path.display());
            for label in labels.split(',').map(str::trim).filter(|label| !label.is_empty()) {
                let key = label.split(['=', '!']).next().unwrap();
                let is = |label: &str, printed: &str| match label.split_once("=~").or(label.split_once("!="))
                {
                    // What a pattern matches is not looked for.
                    Some((key, _)) => printed.split('=').next() == Some(key),
                    None => printed == label,
                };
                let has =
                    |(of, labels): &Sample<'_>| *of == name && labels.split(',').any(|one| is(label, one));
                let is_printed = ADDED.contains(&key) || printed.iter().any(has);
                assert!(is_printed, "{}: the server has no {name}{{{label}}}:\n{page}", path.display());
            }
        }
    }
    assert!(names > 20, "only {names} were found");
}

// The version

#[test]
fn the_version_tells_how_it_was_built() {
    let printed = stdout(Command::new(binary()).arg("--version"));
    let start = format!("pgduet {} (", env!("CARGO_PKG_VERSION"));
    let build = printed.strip_prefix(&start).and_then(|build| build.strip_suffix(")\n"));
    let build: Vec<_> = build.unwrap_or_else(|| panic!("{printed}")).split(", ").collect();
    match build.as_slice() {
        ["debug", target] => assert!(target.contains(env::consts::OS), "{printed}"),
        ["release", target] | [_, "release", target] => {
            assert!(target.contains(env::consts::OS), "{printed}")
        }
        _ => panic!("{printed}"),
    }
}

/// Runs git as nobody in particular.
fn git(directory: &Path, arguments: &[&str]) -> String {
    let identity =
        ["-c", "user.name=Nobody", "-c", "user.email=nobody@example.com", "-c", "commit.gpgsign=false"];
    stdout(Command::new("git").current_dir(directory).args(identity).args(arguments)).trim().to_owned()
}

#[test]
fn the_commit_is_that_of_the_source_s_own_repository_or_the_one_that_is_given() {
    let outer = directory("commit");
    let source = outer.join("source");
    fs::create_dir_all(source.join("src")).unwrap();
    fs::write(source.join("Cargo.toml"), "").unwrap();
    fs::write(source.join("src/main.rs"), "").unwrap();
    let given = || Some("given".to_owned());
    assert_eq!(commit::commit(&source, None), None);
    assert_eq!(commit::commit(&source, Some(String::new())), None);
    assert_eq!(commit::commit(&source, given()), given());

    // A repository of something that only contains the source.
    git(&outer, &["init", "--quiet"]);
    git(&outer, &["add", "."]);
    git(&outer, &["commit", "--quiet", "--message=outer"]);
    assert_eq!(commit::commit(&source, given()), given());

    git(&source, &["init", "--quiet"]);
    assert_eq!(commit::commit(&source, given()), given(), "nothing is committed");
    git(&source, &["add", "."]);
    git(&source, &["commit", "--quiet", "--message=inner"]);
    let committed = git(&source, &["rev-parse", "--short=12", "HEAD"]);
    assert_eq!(commit::commit(&source, given()).as_ref(), Some(&committed));
    fs::write(source.join("README.md"), "not built").unwrap();
    assert_eq!(commit::commit(&source, None).as_ref(), Some(&committed));
    fs::write(source.join("src/main.rs"), "fn main() {}").unwrap();
    assert_eq!(commit::commit(&source, None), Some(format!("{committed}+changes")));

    let watched = commit::watched(&source);
    for file in ["src", "Cargo.toml", ".git/HEAD", ".git/logs/HEAD"] {
        assert!(watched.contains(&source.join(file)), "{file} in {watched:?}");
    }
    assert!(watched.iter().all(|file| file.exists()), "{watched:?}");
}

// A release

#[test]
fn a_release_has_the_notes_of_its_version_and_archives_that_can_be_made_again() {
    let directory = directory("release");
    for file in [
        "README.md",
        "CONFIG.md",
        "LICENSE-APACHE",
        "LICENSE-MIT",
        "tools/release",
        "deploy/systemd/pgduet.service",
    ] {
        let copy = directory.join(file);
        fs::create_dir_all(copy.parent().unwrap()).unwrap();
        fs::copy(root().join(file), copy).unwrap();
    }
    fs::write(directory.join("Cargo.toml"), "[package]\nname = \"pgduet\"\nversion = \"1.2.3\"\n").unwrap();
    let release = |arguments: &[&str]| {
        let mut command = Command::new(directory.join("tools/release"));
        command.args(arguments);
        command
    };
    fs::write(directory.join("CHANGELOG.md"), "# Changelog\n\n## Unreleased\n\n* Not yet.\n").unwrap();
    assert!(refusal(&mut release(&["notes", "v1.2.3"])).contains("no section for 1.2.3"));
    for heading in ["## [1.2.3] - 2026-01-31", "## 1.2.3"] {
        let log = format!(
            "# Changelog\n\n## Unreleased\n\n* Not yet.\n\n{heading}\n\n* This.\n\n## 1.2.2\n\n* Then.\n"
        );
        fs::write(directory.join("CHANGELOG.md"), log).unwrap();
        assert_eq!(stdout(&mut release(&["notes", "v1.2.3"])), "* This.\n");
    }
    assert!(refusal(&mut release(&["notes", "v1.2.4"])).contains("is not v1.2.3"));

    let target = directory.join("binaries/binary-x86_64-unknown-linux-musl");
    fs::create_dir_all(&target).unwrap();
    fs::write(target.join("pgduet"), "#!/bin/sh\necho pgduet 1.2.3\n").unwrap();
    let sums = ["first", "second"].map(|out| {
        stdout(&mut release(&["pack", "v1.2.3", "binaries", out]));
        stdout(
            Command::new("sha256sum")
                .args(["--check", "--quiet", "SHA256SUMS"])
                .current_dir(directory.join(out)),
        );
        fs::read_to_string(directory.join(out).join("SHA256SUMS")).unwrap()
    });
    assert_eq!(sums[0], sums[1]);
    let name = "pgduet-v1.2.3-x86_64-unknown-linux-musl";
    assert!(sums[0].ends_with(&format!("  {name}.tar.gz\n")), "{}", sums[0]);
    let unpack = ["-xzf", &format!("first/{name}.tar.gz")];
    stdout(Command::new("tar").args(unpack).current_dir(&directory));
    assert_eq!(stdout(&mut Command::new(directory.join(name).join("pgduet"))), "pgduet 1.2.3\n");
}
