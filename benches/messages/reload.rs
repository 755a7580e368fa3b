//! What a reload makes of a catalog: services, descriptors, encoders, reflection.

use super::{Length, catalog::tables};
use std::{
    io::{self, Write},
    time::{Duration, Instant},
};

/// Tables, and how often they are measured.
const SIZES: [(u32, usize); 3] = [(100, 5), (1_000, 5), (10_000, 3)];

pub(crate) fn measure(length: Length, out: &mut impl Write) -> io::Result<()> {
    writeln!(out, "tables of 10 columns   methods   catalog   services and descriptors (best of runs)")?;
    for (count, runs) in SIZES {
        let (count, runs) = match length {
            Length::Full => (count, runs),
            Length::Quick => (count / 10, 1),
        };
        let mut catalogs = Duration::MAX;
        let mut services = Duration::MAX;
        let mut methods = 0;
        for _ in 0..runs {
            let begun = Instant::now();
            let catalog = tables(count);
            catalogs = catalogs.min(begun.elapsed());
            let begun = Instant::now();
            let made = pgduet::grpc::measure::make(&catalog).map_err(io::Error::other)?;
            services = services.min(begun.elapsed());
            methods = made.methods();
        }
        writeln!(out, "{count:20}   {methods:7}   {:>7}   {:>10}", millis(catalogs), millis(services))?;
    }
    Ok(())
}

fn millis(time: Duration) -> String {
    format!("{:.0} ms", time.as_secs_f64() * 1e3)
}
