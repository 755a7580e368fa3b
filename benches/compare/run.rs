//! One run: prepare, check, measure in turns, report.

use std::{
    array,
    io::{self, Write},
    slice,
};

use anyhow::Context;
use tokio::runtime::Runtime;

use super::{
    Options,
    callgrind::Callgrind,
    cases::{Access, CASES, Case},
    contestants::{Contestant, Field, Way, wait_for},
    database::Database,
    exchange::{Call, Endpoint, Protocol},
    grpc, handwritten,
    load::{self, Limit, Pace, Sample},
    pgbench::Pgbench,
    report::{self, Cost, Scene, Series, Subject},
    rest,
    usage::{Postgres, Spender},
};

/// How many different requests of a case are sent.
const REQUESTS: u32 = 4096;

/// How many requests instructions are counted over.
const COUNTED: u32 = 400;

/// Runs the benchmark and writes its report to `out`.
pub(crate) fn run(options: &Options, out: &mut dyn Write) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let database = runtime.block_on(Database::prepare(options.db_uri.as_deref()))?;
    let field = Field::prepare(options, &database, &runtime, out)?;
    writeln!(out, "{}", heading(options, &database))?;

    if !field.all.is_empty() {
        let mut lanes = lanes(options, &database, &field, &runtime, out)?;
        writeln!(out, "All give the same answers.\n")?;
        measure(options, &database, &mut lanes, &runtime, out)?;
        writeln!(out, "{}", report::memory(&memory(&field)))?;
    }
    if options.instructions {
        writeln!(out, "{}", instructions(options, &database, &runtime))?;
    }
    Ok(())
}

/// One contestant in one scene and case, with everything prepared that must not cost time later.
struct Lane<'a> {
    series: Series,
    spender: Spender,
    work: Work<'a>,
}

enum Work<'a> {
    Calls(&'a Endpoint, Vec<Call>),
    Sql(&'a Pgbench),
}

/// Everything that is measured, after a look at the answers. Where another server gives other answers, it is left out.
fn lanes<'a>(
    options: &Options,
    database: &Database,
    field: &'a Field,
    runtime: &Runtime,
    out: &mut dyn Write,
) -> anyhow::Result<Vec<Lane<'a>>> {
    let mut lanes = Vec::new();
    for scene in &options.scenes {
        for case in options.cases.iter().filter(|case| scene.has(case)) {
            for contestant in field.all.iter().filter(|contestant| contestant.takes_part(*scene, case)) {
                match (runtime.block_on(contestant.check(database, case)), contestant.subject) {
                    (Ok(()), _) => lanes.push(Lane::new(*scene, case, contestant)?),
                    (Err(error), Subject::Other) => writeln!(out, "{}: left out: {error:#}\n", case.title)?,
                    (Err(error), _) => return Err(error),
                }
            }
        }
    }
    Ok(lanes)
}

/// All lanes in turns, round by round; then the tables.
fn measure(
    options: &Options,
    database: &Database,
    lanes: &mut Vec<Lane<'_>>,
    runtime: &Runtime,
    out: &mut dyn Write,
) -> anyhow::Result<()> {
    let backend = runtime.block_on(database.text("SELECT pg_backend_pid()::text"))?.parse()?;
    let postgres = Postgres::of_backend(backend);
    let one = |lane: &Lane<'_>| {
        if lane.series.case.access == Access::ReadWrite {
            runtime.block_on(database.execute("TRUNCATE bench.entries"))?;
        }
        lane.measure(options, postgres)
    };
    for round in 1..=options.rounds {
        let mut failed = Vec::new();
        for (at, lane) in lanes.iter_mut().enumerate() {
            let title = lane.series.title();
            match (one(lane), lane.series.subject) {
                (Ok((sample, cost)), subject) => {
                    writeln!(io::stderr(), "round {round}: {title}, {subject}: {:.0} req/s", sample.rate)?;
                    lane.series.samples.push(sample);
                    lane.series.costs.push(cost);
                }
                (Err(error), Subject::Other) => {
                    writeln!(out, "{title}: left out: {error:#}\n")?;
                    failed.push(at);
                }
                (Err(error), subject) => return Err(error.context(format!("{title}, {subject}"))),
            }
        }
        for at in failed.into_iter().rev() {
            lanes.remove(at);
        }
    }
    let again = lanes.first().map(one).transpose()?;
    let first = lanes.first().and_then(|lane| lane.series.samples.first().copied());
    let series: Vec<_> = lanes.drain(..).map(|lane| lane.series).collect();
    writeln!(out, "{}\n{}", report::table(&series), report::summary(&series))?;
    if let (Some(first), Some((again, _))) = (first, again) {
        writeln!(out, "{}", report::drift(first, again))?;
    }
    Ok(())
}

impl<'a> Lane<'a> {
    fn new(scene: Scene, case: &'static Case, contestant: &'a Contestant) -> anyhow::Result<Self> {
        let keys = case.sample_keys(REQUESTS);
        let work = match &contestant.way {
            Way::Rest(api) => {
                Work::Calls(&api.endpoint, keys.map(|key| api.call(case, key)).collect::<Result<_, _>>()?)
            }
            Way::Grpc(api) => {
                Work::Calls(&api.endpoint, keys.map(|key| api.call(case, key)).collect::<Result<_, _>>()?)
            }
            Way::Pgbench(pgbench) => Work::Sql(pgbench),
        };
        let series =
            Series { scene, case, subject: contestant.subject, samples: Vec::new(), costs: Vec::new() };
        Ok(Self { series, spender: contestant.spender, work })
    }

    fn measure(&self, options: &Options, postgres: Postgres) -> anyhow::Result<(Sample, Cost)> {
        let pace = self.series.scene.pace();
        let callers = match pace {
            Pace::Full => options.connections,
            Pace::Rate(_) => 1,
        };
        let client = Spender::Client { without: handwritten::THREADS };
        let spent = || [self.spender.cpu(), postgres.cpu(), client.cpu()];
        let before = spent();
        let sample = match &self.work {
            Work::Calls(endpoint, calls) => load::run(endpoint, calls, callers, pace, options.limit),
            Work::Sql(pgbench) => pgbench.run(self.series.case, pace, options.limit),
        }?;
        let after = spent();
        let [own, postgresql, client] = array::from_fn(|at| Some(after[at]?.since(before[at]?)));
        Ok((sample, Cost::of_each(own, postgresql, client, sample.answered)))
    }
}

/// What the servers occupy now.
fn memory(field: &Field) -> Vec<(Subject, u64)> {
    let mut all = Vec::new();
    for subject in [Subject::Rest, Subject::Other] {
        let contestant = field.all.iter().find(|contestant| contestant.subject == subject);
        all.extend(contestant.and_then(|contestant| Some((subject, contestant.spender.resident()?))));
    }
    all
}

/// Instructions and allocations for a row by key, or why they were not counted.
fn instructions(options: &Options, database: &Database, runtime: &Runtime) -> String {
    let mut text = format!("Instructions of one request in user space, {}:", CASES[0].title);
    match count(options, database, runtime) {
        Ok(Some(counts)) => text.extend(counts.iter().map(|(subject, count)| {
            format!(" {subject} {} and {} allocations;", count.instructions, count.allocations)
        })),
        Ok(None) => text.push_str(" not counted, valgrind is not installed"),
        Err(error) => text.push_str(&format!(" not counted, {error:#}")),
    }
    text
}

type Counts = Vec<(Subject, super::callgrind::Count)>;

fn count(options: &Options, database: &Database, runtime: &Runtime) -> anyhow::Result<Option<Counts>> {
    let Some(callgrind) = Callgrind::start(&options.program, database.serving_uri())? else {
        return Ok(None);
    };
    let case = &CASES[0];
    let rest = rest::Api::at(&callgrind.pgduet.authority);
    runtime.block_on(wait_for(&rest))?;
    let endpoint = Endpoint { authority: rest.endpoint.authority.clone(), protocol: Protocol::Grpc };
    let grpc = runtime
        .block_on(grpc::Api::discover(endpoint, slice::from_ref(&case)))
        .context("reflection fails")?;
    let keys = || case.sample_keys(REQUESTS);
    let calls: Vec<_> = keys().map(|key| rest.call(case, key)).collect::<Result<_, _>>()?;
    let over_rest = callgrind.count(&rest.endpoint, &calls, COUNTED)?;
    let calls: Vec<_> = keys().map(|key| grpc.call(case, key)).collect::<Result<_, _>>()?;
    let over_grpc = callgrind.count(&grpc.endpoint, &calls, COUNTED)?;
    Ok(Some(vec![(Subject::Rest, over_rest), (Subject::Grpc, over_grpc)]))
}

/// What one has to know to read the tables.
fn heading(options: &Options, database: &Database) -> String {
    let length = match options.limit {
        Limit::Time { measured, .. } => format!("{} s", measured.as_secs()),
        Limit::Requests(requests) => format!("{requests} requests of each caller"),
    };
    format!(
        "pgduet {} on PostgreSQL {}, fsync {} for all. {} requests in flight over REST and gRPC, {} connections\n\
         to PostgreSQL. The limit is the transaction that pgduet sends, through pgbench as one pipeline on these {}\n\
         connections; the bare statement and the hand-written server have no transaction, role or claims.\n\
         {} rounds of {length}, in turns: medians of the rounds, spread from lowest to highest; CPU time of each\n\
         request. Client, server and PostgreSQL share {} cores.",
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
