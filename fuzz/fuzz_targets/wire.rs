//! What claims to be PostgreSQL: it says these bytes, whatever it is told, and hangs up. The first byte says what is made
//! of the rows of the unit that runs there.
#![no_main]

use libfuzzer_sys::fuzz_target;
use pgduet::{
    error::Result,
    execute::{Access, End, Expectation, Isolation, Options, Pool, Preparation, ResponseSettings, Unit},
    memory::Memory,
    outcome::{Pace, Row, Sink},
    sql::{Fact, Fragment, Layout, Statement},
};
use std::{borrow::Cow, num::NonZeroUsize, sync::LazyLock, time::Duration};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::UnixListener,
    runtime::Builder,
};

/// Where both meet: a directory of this process.
static PLACE: LazyLock<std::path::PathBuf> = LazyLock::new(|| {
    let place = std::env::temp_dir().join(format!("pgduet-fuzz-{}", std::process::id()));
    std::fs::create_dir_all(&place).expect("a directory can be made");
    place
});

/// Looks at every column of every row.
#[derive(Default)]
struct Columns(usize);

impl Sink for Columns {
    const PACE: Pace = Pace::Database;

    fn columns(&mut self, types: &mut dyn Iterator<Item = u32>) -> Result<()> {
        self.0 += types.count();
        Ok(())
    }

    fn row(&mut self, row: &dyn Row) -> Result<()> {
        self.0 += (0..row.len()).filter_map(|column| row.get(column)).map(<[u8]>::len).sum::<usize>();
        Ok(())
    }
}

fn unit(which: u8) -> Unit<'static> {
    let layout = match which % 3 {
        0 => Layout::Columns,
        1 => Layout::Body,
        _ => Layout::Nothing,
    };
    let mut fragment = Fragment::new();
    fragment.sql("SELECT 1");
    Unit {
        settings: vec![("role".into(), "anonymous".into())],
        access: if which & 4 == 0 { Access::ReadOnly } else { Access::ReadWrite },
        isolation: Isolation::default(),
        pre_request: None,
        statement: Cow::Owned(Statement { fragment, layout, facts: vec![Fact::Present] }),
        count: None,
        literals: Cow::default(),
        response_settings: if which & 8 == 0 { ResponseSettings::Unset } else { ResponseSettings::Read },
        expectation: if which & 16 == 0 { Expectation::Any } else { Expectation::One },
        end: if which & 32 == 0 { End::Commit } else { End::Rollback },
        deadline: Some(Duration::from_secs(1)),
        memory: Memory::new(1 << 20).request(),
    }
}

fuzz_target!(|input: &[u8]| {
    let Some((which, said)) = input.split_first() else { return };
    let (which, said) = (*which, said.to_vec());
    let socket = PLACE.join(".s.PGSQL.5432");
    let _ = std::fs::remove_file(&socket);
    let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async move {
        let listener = UnixListener::bind(&socket).expect("the socket is free");
        tokio::spawn(async move {
            while let Ok((mut client, _)) = listener.accept().await {
                let _ = client.write_all(&said).await;
                let _ = client.shutdown().await;
                let _ = client.read_to_end(&mut Vec::new()).await;
            }
        });
        let options = Options {
            size: NonZeroUsize::MIN,
            acquisition_timeout: Duration::from_secs(1),
            max_idle: Duration::from_secs(1),
            max_lifetime: Duration::from_secs(1),
            query_timeout: None,
            preparation: Preparation::Cached(NonZeroUsize::MIN),
        };
        let pool = Pool::new(&pgduet_fuzz::database(&PLACE), options).expect("there are no certificates");
        // Twice, for what the first left there.
        for _ in 0..2 {
            let _ = pool.run(&unit(which), &mut Columns::default()).await;
        }
    });
});
