//! `make bench-messages`: two figures of the gRPC side that need no database and no socket.
//!
//! * What it costs to encode a row: pgduet's encoder beside a `DynamicMessage` that is filled from the same binary
//!   columns and encoded. Both take turns within one run, so the ratio holds on a busy machine too.
//! * What a catalog of many tables costs: at a reload, when a service is first called, when reflection is asked.
//!
//! Nothing here judges the numbers: it prints them.

mod catalog;
mod reload;
mod rows;

use std::{
    env,
    io::{self, Write},
};

/// How long to measure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Length {
    /// Until figures are steady.
    Full,
    /// As short as shows that it works; measures nothing.
    Quick,
}

fn main() -> io::Result<()> {
    let mut out = io::stdout().lock();
    let tables = env::args().skip_while(|argument| argument != reload::TABLES).nth(1);
    if let Some(count) = tables.and_then(|tables| tables.parse().ok()) {
        return reload::measure_one(count, &mut out);
    }
    let is_quick = env::args().any(|argument| argument == "--quick");
    let length = if is_quick { Length::Quick } else { Length::Full };
    rows::measure(length, &mut out)?;
    writeln!(out)?;
    reload::measure(length, &mut out)
}
