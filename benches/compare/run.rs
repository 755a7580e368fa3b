//! One run: prepare, check, measure in turns, report.

use std::{
    env,
    io::{self, Write},
    process,
    time::{Duration, Instant},
};

use anyhow::{Context, ensure};
use tokio::time::sleep;

use super::{
    Options,
    cases::{Access, CASES, Case},
    check,
    database::{ANONYMOUS, Database, SCHEMA},
    exchange::{Call, Connection, Endpoint, Protocol},
    grpc,
    load::{self, Limit, Sample},
    pgbench::Pgbench,
    process::Pgduet,
    report::{self, Series, Subject},
    rest,
};

/// How many different requests of a case are sent.
const REQUESTS: u32 = 4096;

/// How long pgduet may take until it answers.
const READY: Duration = Duration::from_secs(60);

/// Runs the benchmark and writes its report to `out`.
pub(crate) fn run(options: &Options, out: &mut dyn Write) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let database = runtime.block_on(Database::prepare(options.db_uri.as_deref()))?;
    let pgduet = Pgduet::start(&database, options.pool)?;
    let contestants = runtime.block_on(contestants(options, &database, &pgduet, out))?;
    writeln!(out, "{}", heading(options, &database))?;

    let mut lanes = Vec::new();
    for case in &options.cases {
        for contestant in &contestants {
            runtime.block_on(contestant.check(&database, case))?;
            lanes.push(Lane::new(case, contestant)?);
        }
    }
    writeln!(out, "All give the same answers.\n")?;

    let measure = |lane: &Lane<'_>| {
        if lane.series.case.access == Access::ReadWrite {
            runtime.block_on(database.execute("TRUNCATE bench.entries"))?;
        }
        lane.work.measure(options)
    };
    for round in 1..=options.rounds {
        for lane in &mut lanes {
            let sample = measure(lane)?;
            let Series { case, subject, samples } = &mut lane.series;
            samples.push(sample);
            writeln!(io::stderr(), "round {round}: {}, {subject}: {:.0} req/s", case.title, sample.rate)?;
        }
    }
    let again = lanes.first().map(measure).transpose()?;
    let first = lanes.first().and_then(|lane| lane.series.samples.first().copied());
    let series: Vec<_> = lanes.into_iter().map(|lane| lane.series).collect();
    write!(out, "{}", report::table(&series))?;
    if let (Some(first), Some(again)) = (first, again) {
        writeln!(out, "\n{}", report::drift(first, again))?;
    }
    Ok(())
}

/// Who takes part, in the order of their turns.
enum Contestant {
    Rest(Subject, rest::Api),
    Grpc(grpc::Api),
    Pgbench(Pgbench),
}

async fn contestants(
    options: &Options,
    database: &Database,
    pgduet: &Pgduet,
    out: &mut dyn Write,
) -> anyhow::Result<Vec<Contestant>> {
    let api = rest::Api::at(&pgduet.authority);
    let started = Instant::now();
    while let Err(error) = first_answer(&api).await {
        ensure!(started.elapsed() < READY, "pgduet does not answer: {error:#}");
        sleep(Duration::from_millis(20)).await;
    }
    let mut all = Vec::new();
    for subject in &options.subjects {
        match subject {
            Subject::Rest => all.push(Contestant::Rest(*subject, api.clone())),
            Subject::Grpc => {
                let endpoint = Endpoint { authority: pgduet.authority.clone(), protocol: Protocol::Grpc };
                let api = grpc::Api::discover(endpoint, &options.cases).await.context("reflection fails")?;
                all.push(Contestant::Grpc(api));
            }
            Subject::Other => {
                if let Some(url) = &options.against {
                    let api = rest::Api::at_url(url)?;
                    wait_for_other(&api, options, database, out).await?;
                    all.push(Contestant::Rest(*subject, api));
                }
            }
            Subject::Pgbench => all.push(Contestant::Pgbench(Pgbench {
                program: database.pgbench(),
                directory: env::temp_dir().join(format!("pgduet-bench-{}", process::id())),
                uri: database.serving_uri().to_owned(),
                clients: options.pool,
            })),
        }
    }
    Ok(all)
}

/// Says how the other server has to be started, unless it answers already, and waits until it does.
async fn wait_for_other(
    api: &rest::Api,
    options: &Options,
    database: &Database,
    out: &mut dyn Write,
) -> anyhow::Result<()> {
    let Err(error) = first_answer(api).await else { return Ok(()) };
    writeln!(
        out,
        "Waiting for {} ({error:#}). It has to be started with\n\
         PGRST_DB_URI={}\nPGRST_DB_SCHEMAS={SCHEMA}\nPGRST_DB_ANON_ROLE={ANONYMOUS}\nPGRST_DB_POOL={}\n",
        api.endpoint.authority,
        database.serving_uri(),
        options.pool
    )?;
    while first_answer(api).await.is_err() {
        sleep(Duration::from_millis(200)).await;
    }
    Ok(())
}

/// A server that has started may not have read the schema yet.
async fn first_answer(api: &rest::Api) -> anyhow::Result<()> {
    Connection::open(&api.endpoint).await?.send(&api.call(&CASES[0], 1)?).await?;
    Ok(())
}

impl Contestant {
    fn subject(&self) -> Subject {
        match self {
            Self::Rest(subject, _) => *subject,
            Self::Grpc(_) => Subject::Grpc,
            Self::Pgbench(_) => Subject::Pgbench,
        }
    }

    async fn check(&self, database: &Database, case: &Case) -> anyhow::Result<()> {
        match self {
            Self::Rest(subject, api) => {
                check::rest(database, api, case).await.with_context(|| subject.to_string())
            }
            Self::Grpc(api) => check::grpc(database, api, case).await,
            // Its SQL is what the others are compared with.
            Self::Pgbench(_) => Ok(()),
        }
    }
}

/// One contestant in one case, with everything prepared that must not cost time later.
struct Lane<'a> {
    series: Series,
    work: Work<'a>,
}

enum Work<'a> {
    Calls(&'a Endpoint, Vec<Call>),
    Sql(&'a Pgbench, &'static Case),
}

impl<'a> Lane<'a> {
    fn new(case: &'static Case, contestant: &'a Contestant) -> anyhow::Result<Self> {
        let keys = case.sample_keys(REQUESTS);
        let work = match contestant {
            Contestant::Rest(_, api) => {
                Work::Calls(&api.endpoint, keys.map(|key| api.call(case, key)).collect::<Result<_, _>>()?)
            }
            Contestant::Grpc(api) => {
                Work::Calls(&api.endpoint, keys.map(|key| api.call(case, key)).collect::<Result<_, _>>()?)
            }
            Contestant::Pgbench(pgbench) => Work::Sql(pgbench, case),
        };
        Ok(Self { series: Series { case, subject: contestant.subject(), samples: Vec::new() }, work })
    }
}

impl Work<'_> {
    fn measure(&self, options: &Options) -> anyhow::Result<Sample> {
        match self {
            Self::Calls(endpoint, calls) => load::run(endpoint, calls, options.connections, options.limit),
            Self::Sql(pgbench, case) => pgbench.run(case, options.limit),
        }
    }
}

/// What one has to know to read the table.
fn heading(options: &Options, database: &Database) -> String {
    let length = match options.limit {
        Limit::Time { measured, .. } => format!("{} s", measured.as_secs()),
        Limit::Requests(requests) => format!("{requests} requests of each caller"),
    };
    format!(
        "pgduet {} on PostgreSQL {}, fsync {} for all. {} requests in flight over REST and gRPC, {} connections\n\
         to PostgreSQL; pgbench has these {} and nothing in front of them. {} rounds of {length}, in turns: medians\n\
         of the rounds, spread from lowest to highest. Client, server and PostgreSQL share {} cores.",
        env!("CARGO_PKG_VERSION"),
        database.version(),
        database.fsync(),
        options.connections,
        options.pool,
        options.pool,
        options.rounds,
        load::threads(usize::MAX),
    )
}
