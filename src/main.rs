//! The command line: which command, what it prints, what exit code.

use anyhow::Result;
use pgduet::{
    app::{self, command},
    check::Verdict,
    cli::{self, Command, DemoData, Exit, ReportForm},
    config::Sources,
    demo::{self, Start},
    server::listen::Address,
    telemetry::{last_word, one_line},
};
use std::{
    env,
    io::{self, Write},
    process::ExitCode,
};

/// The status of a check that could not look: its status 1 says that something was found.
const UNCHECKED: u8 = 2;

fn main() -> ExitCode {
    // What is not UTF-8 cannot be an option of ours.
    let environment = env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
    let command = match cli::parse(env::args_os(), environment.collect()) {
        Ok(command) => command,
        Err(Exit::Answer(text)) => return print(&text),
        Err(Exit::Usage(text)) => return fail(&text),
        Err(Exit::Unchecked(text)) => {
            fail(&text);
            return ExitCode::from(UNCHECKED);
        }
    };
    match in_runtime(run(command)) {
        Ok(code) => code,
        Err(error) => fail(&format!("pgduet: {}\n", one_line(&error.to_string()))),
    }
}

/// Runs a future. What it leaves behind, such as a catalog that is being read, is not waited for.
fn in_runtime(future: impl Future<Output = Result<ExitCode>>) -> Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let outcome = runtime.block_on(future);
    runtime.shutdown_background();
    outcome
}

async fn run(command: Command) -> Result<ExitCode> {
    Ok(match command {
        Command::Serve(sources) => {
            app::serve(sources, |_| {}).await?;
            ExitCode::SUCCESS
        }
        Command::DumpConfig(sources) => {
            let dump = command::dump_config(sources).await?;
            if let Some(why) = dump.without_database {
                fail(&format!("pgduet: {}\n", one_line(&why)));
            }
            print(&dump.text)
        }
        Command::DumpSchema(sources) => print(&command::dump_schema(sources).await?),
        Command::Ready(sources) => match command::ready(sources).await? {
            Ok(ready) => print(&format!("{ready}\n")),
            Err(not_ready) => fail(&format!("{not_ready}\n")),
        },
        Command::Proto(sources, proto) => print(&command::proto(sources, &proto.out, &proto.schema).await?),
        Command::OpenApi(sources, document) => print(&command::openapi(sources, &document.schema).await?),
        Command::Types(sources, types) => {
            print(&command::types(sources, types.language, &types.schema).await?)
        }
        Command::Check(sources, form) => match command::check(sources).await {
            Ok(report) => {
                print(&match form {
                    ReportForm::Text => report.text(),
                    ReportForm::Json => report.json()?,
                });
                match report.verdict() {
                    Verdict::Passed => ExitCode::SUCCESS,
                    Verdict::Failed => ExitCode::FAILURE,
                }
            }
            Err(error) => {
                fail(&format!("pgduet: {error}\n"));
                ExitCode::from(UNCHECKED)
            }
        },
        Command::Demo(sources, options) => {
            serve_demo(sources, options).await?;
            ExitCode::SUCCESS
        }
    })
}

/// Starts the sample database, says what to try, and serves it on the loopback
/// address: secret and token of the demo are public.
async fn serve_demo(mut sources: Sources, options: cli::Demo) -> Result<()> {
    let (config, _) = pgduet::config::Config::load(&sources)?;
    let source = match sources.have("db-uri")? {
        true => {
            let (connection, _) = config.connection()?;
            demo::Source::Given { uri: config.db_uri.0.clone(), database: Box::new(connection.postgres) }
        }
        false => demo::Source::Local {
            pg_bin: config.pg_bin.clone(),
            data_dir: options.data_dir,
            start: match options.data {
                DemoData::Keep => Start::Continue,
                DemoData::Replace => Start::Fresh,
            },
        },
    };
    let demo = demo::prepare(source).await?;
    for (option, value) in [
        ("db-uri", demo.uri()),
        ("db-schemas", demo::SCHEMA),
        ("db-anon-role", demo::ANONYMOUS_ROLE),
        ("jwt-secret", demo::JWT_SECRET),
    ] {
        sources.flags.insert(option.to_owned(), value.to_owned());
    }
    sources.flags.entry("server-host".to_owned()).or_insert_with(|| "127.0.0.1".to_owned());
    let listening = |address: &Address| {
        // The loopback address has a name that is easier on the eye.
        let address = address.to_string().replace("127.0.0.1", "localhost");
        print(&demo::guide(&demo, &format!("http://{address}")));
    };
    let served = app::serve(sources, listening).await;
    demo.stop()?;
    Ok(served?)
}

fn print(text: &str) -> ExitCode {
    // A reader that went away wants no more.
    let _ = io::stdout().write_all(text.as_bytes());
    ExitCode::SUCCESS
}

fn fail(text: &str) -> ExitCode {
    last_word(text);
    ExitCode::FAILURE
}
