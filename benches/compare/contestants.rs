//! Who takes part, and the servers that have to run for that.

use std::{
    env,
    io::Write,
    process::{self, Command},
    time::{Duration, Instant},
};

use anyhow::{Context, ensure};
use tokio::{runtime::Runtime, time::sleep};

use super::{
    Options,
    caller::{Caller, SECRET},
    cases::{CASES, Case},
    check,
    database::{Database, SCHEMA},
    distance::{Distance, SOCKET},
    exchange::{Connection, Endpoint, Protocol},
    grpc,
    handwritten::{self, HandWritten},
    pgbench::{Form, Pgbench},
    process::Pgduet,
    report::{ROUND_TRIP, Scene, Subject},
    rest,
    usage::Spender,
};

/// How long pgduet may take until it answers.
const READY: Duration = Duration::from_secs(60);

/// Where a contestant takes part.
const NEAR: &[Scene] = &[Scene::Load, Scene::Latency];
const LOAD: &[Scene] = &[Scene::Load];
const FAR: &[Scene] = &[Scene::Distance];

/// One who is measured.
pub(crate) struct Contestant {
    pub(crate) subject: Subject,
    /// Whose CPU time and memory count as its own.
    pub(crate) spender: Spender,
    pub(crate) way: Way,
    scenes: &'static [Scene],
}

/// How it is asked.
pub(crate) enum Way {
    Rest(rest::Api),
    Grpc(grpc::Api),
    Pgbench(Pgbench),
}

/// All contestants, in the order of their turns. Their servers run as long as this is there.
pub(crate) struct Field {
    pub(crate) all: Vec<Contestant>,
    _pgduets: Vec<Pgduet>,
    _handwritten: Option<HandWritten>,
    // After those who are connected to it.
    _distance: Option<Distance>,
}

impl Field {
    /// Starts what the options ask for, and waits until it answers.
    pub(crate) fn prepare(
        options: &Options,
        database: &Database,
        runtime: &Runtime,
        out: &mut dyn Write,
    ) -> anyhow::Result<Self> {
        let mut field = Self { all: Vec::new(), _pgduets: Vec::new(), _handwritten: None, _distance: None };
        if options.has(NEAR) {
            field.add_pgduet(options, database, runtime, database.serving_uri(), NEAR)?;
            field.add_others(options, database, runtime, out)?;
        }
        if options.has(FAR) {
            match database.socket_directory() {
                Some(directory) => {
                    let distance = Distance::before(directory.join(SOCKET), ROUND_TRIP)?;
                    let uri = Database::uri_through(distance.directory());
                    field.add_pgduet(options, database, runtime, &uri, FAR)?;
                    field._distance = Some(distance);
                }
                None => writeln!(out, "A distance to PostgreSQL is put before one of our own only.")?,
            }
        }
        Ok(field)
    }

    /// pgduet, and the same transactions through pgbench.
    fn add_pgduet(
        &mut self,
        options: &Options,
        database: &Database,
        runtime: &Runtime,
        uri: &str,
        scenes: &'static [Scene],
    ) -> anyhow::Result<()> {
        let pgduet = Pgduet::start(Command::new(&options.program), uri, options.pool)?;
        let spender = Spender::Process(pgduet.pid());
        let api = rest::Api::at(&pgduet.authority);
        runtime.block_on(wait_for(&api))?;
        let endpoint = Endpoint { authority: pgduet.authority.clone(), protocol: Protocol::Grpc };
        if options.subjects.contains(&Subject::Rest) {
            self.all.push(Contestant { subject: Subject::Rest, spender, way: Way::Rest(api), scenes });
        }
        if options.subjects.contains(&Subject::Grpc) {
            let api = runtime
                .block_on(grpc::Api::discover(endpoint, &options.cases))
                .context("reflection fails")?;
            self.all.push(Contestant { subject: Subject::Grpc, spender, way: Way::Grpc(api), scenes });
        }
        if options.subjects.contains(&Subject::Limit) {
            self.add_pgbench(options, database, uri, Form::Transaction, scenes);
        }
        self._pgduets.push(pgduet);
        Ok(())
    }

    fn add_pgbench(
        &mut self,
        options: &Options,
        database: &Database,
        uri: &str,
        form: Form,
        scenes: &'static [Scene],
    ) {
        let subject = match form {
            Form::Transaction => Subject::Limit,
            Form::Statement => Subject::Statement,
        };
        let pgbench = Pgbench {
            program: database.pgbench(),
            directory: env::temp_dir().join(format!("pgduet-bench-{}", process::id())),
            uri: uri.to_owned(),
            clients: options.pool,
            form,
        };
        self.all.push(Contestant { subject, spender: Spender::Unknown, way: Way::Pgbench(pgbench), scenes });
    }

    /// Those that are not pgduet.
    fn add_others(
        &mut self,
        options: &Options,
        database: &Database,
        runtime: &Runtime,
        out: &mut dyn Write,
    ) -> anyhow::Result<()> {
        if options.subjects.contains(&Subject::Statement) {
            self.add_pgbench(options, database, database.serving_uri(), Form::Statement, LOAD);
        }
        if options.subjects.contains(&Subject::HandWritten) {
            let server = HandWritten::start(database.serving_uri(), options.pool)?;
            self.all.push(Contestant {
                subject: Subject::HandWritten,
                spender: Spender::Threads(handwritten::THREADS),
                way: Way::Rest(rest::Api::at(&server.authority)),
                scenes: NEAR,
            });
            self._handwritten = Some(server);
        }
        if let Some(url) = options.against.as_ref().filter(|_| options.subjects.contains(&Subject::Other)) {
            let api = rest::Api::at_url(url)?;
            runtime.block_on(wait_for_other(&api, options, database, out))?;
            let spender = Spender::listening_on(url.port_u16().unwrap_or(80));
            self.all.push(Contestant { subject: Subject::Other, spender, way: Way::Rest(api), scenes: NEAR });
        }
        Ok(())
    }
}

impl Contestant {
    /// Whether it is measured in this scene with this case.
    pub(crate) fn takes_part(&self, scene: Scene, case: &Case) -> bool {
        self.scenes.contains(&scene)
            && (self.subject != Subject::HandWritten || handwritten::CASES.contains(&case.id))
    }

    /// Compares its answers with what the SQL gives.
    pub(crate) async fn check(&self, database: &Database, case: &Case) -> anyhow::Result<()> {
        match &self.way {
            Way::Rest(api) => {
                check::rest(database, api, case).await.with_context(|| self.subject.to_string())
            }
            Way::Grpc(api) => check::grpc(database, api, case).await,
            // Its SQL is what the others are compared with.
            Way::Pgbench(_) => Ok(()),
        }
    }
}

/// A server that has started may not have read the schema yet.
pub(crate) async fn wait_for(api: &rest::Api) -> anyhow::Result<()> {
    let started = Instant::now();
    while let Err(error) = first_answer(api).await {
        ensure!(started.elapsed() < READY, "pgduet does not answer: {error:#}");
        sleep(Duration::from_millis(20)).await;
    }
    Ok(())
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
         PGRST_DB_URI={}\nPGRST_DB_SCHEMAS={SCHEMA}\nPGRST_DB_ANON_ROLE={}\nPGRST_JWT_SECRET={SECRET}\n\
         PGRST_DB_POOL={}\n",
        api.endpoint.authority,
        database.serving_uri(),
        Caller::Anonymous.role(),
        options.pool
    )?;
    while first_answer(api).await.is_err() {
        sleep(Duration::from_millis(200)).await;
    }
    Ok(())
}

async fn first_answer(api: &rest::Api) -> anyhow::Result<()> {
    Connection::open(&api.endpoint).await?.send(&api.call(&CASES[0], 1)?).await?;
    Ok(())
}
