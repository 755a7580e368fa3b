//! `make bench-messages`: two figures of the gRPC side that need no database and no socket.
//!
//! * What it costs to encode a row: pgduet's encoder beside a `DynamicMessage` that is filled from the same binary
//!   columns and encoded. Both take turns within one run, so the ratio holds on a busy machine too.
//! * How long a reload takes to make services, descriptors, encoders and reflection of a catalog of many tables.
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
    let is_quick = env::args().any(|argument| argument == "--quick");
    let length = if is_quick { Length::Quick } else { Length::Full };
    let mut out = io::stdout().lock();
    rows::measure(length, &mut out)?;
    writeln!(out)?;
    reload::measure(length, &mut out)
}
