//! A sink that is looked at: a read whose rows have come runs elsewhere only if the sink can forget them.

use crate::{
    error::Result,
    outcome::{Pace, Row, Sink},
};
use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

pub(super) struct Watched<'s, S> {
    sink: &'s mut S,
    /// Whether rows have come. Whoever waits beside the read looks, too.
    pub(super) had_rows: Arc<AtomicBool>,
}

impl<'s, S: Sink> Watched<'s, S> {
    pub(super) fn new(sink: &'s mut S) -> Self {
        Self { sink, had_rows: Arc::default() }
    }

    /// Has the sink forget what it had.
    pub(super) fn forget(&mut self) -> Result<()> {
        match self.had_rows.load(Ordering::Relaxed) {
            true => self.restart(),
            false => Ok(()),
        }
    }
}

impl<S: Sink> Sink for Watched<'_, S> {
    const PACE: Pace = S::PACE;

    fn columns(&mut self, types: &mut dyn Iterator<Item = u32>) -> Result<()> {
        self.sink.columns(types)
    }

    fn row(&mut self, row: &dyn Row) -> Result<()> {
        self.had_rows.store(true, Ordering::Relaxed);
        self.sink.row(row)
    }

    fn ready(&mut self) -> impl Future<Output = Result<()>> + Send {
        self.sink.ready()
    }

    fn restart(&mut self) -> Result<()> {
        self.sink.restart()?;
        self.had_rows.store(false, Ordering::Relaxed);
        Ok(())
    }

    fn complete(&mut self) -> Result<()> {
        self.sink.complete()
    }
}
