//! The commands in the README and in docs/grpc.md give the output that is printed there: every `console` block is run against
//! the demo.

use crate::{clients::demo, support::tools::tool};
use std::{fs, path::Path, process::Command};

/// A command and what the page says it prints.
struct Example {
    command: String,
    output: String,
}

fn examples(page: &str) -> Vec<Example> {
    let mut found = Vec::new();
    for block in page.split("```console\n").skip(1) {
        let block = block.split("```").next().unwrap();
        for part in format!("\n{block}").split("\n$ ").skip(1) {
            // A command goes on in the next line after a backslash.
            let mut lines = part.lines();
            let mut command = String::new();
            for line in lines.by_ref() {
                command.push_str(line);
                command.push('\n');
                if !line.ends_with('\\') {
                    break;
                }
            }
            let output = lines.map(|line| format!("{line}\n")).collect();
            found.push(Example { command, output });
        }
    }
    found
}

#[test]
fn the_readme_s_commands_print_what_the_readme_says() {
    commands_print_what_is_said("README.md", 6);
}

#[test]
fn the_commands_about_grpc_print_what_their_page_says() {
    commands_print_what_is_said("docs/grpc.md", 12);
}

/// Runs all commands of a page, which are so many at least.
fn commands_print_what_is_said(page: &str, least: usize) {
    let (_database, server, token) = demo();
    let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(page)).unwrap();
    let path = format!("{}:{}", tool("bin").display(), std::env::var("PATH").unwrap());
    let examples = examples(&text);
    assert!(examples.len() >= least, "only {} examples were found", examples.len());
    for Example { command, output } in examples {
        let here = command.replace("localhost:3000", server.address());
        let printed =
            Command::new("sh").args(["-c", &here]).env("PATH", &path).env("TOKEN", &token).output().unwrap();
        let mut text = String::from_utf8(printed.stdout).unwrap();
        // curl prints bodies as they are, without a line's end.
        if !text.is_empty() && !text.ends_with('\n') {
            text.push('\n');
        }
        assert_eq!(text, output, "{command}{}", String::from_utf8_lossy(&printed.stderr));
    }
}
