//! A histogram of durations that costs two atomic additions: the histogram of prometheus-client takes a lock.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

/// The upper bounds of the buckets, in microseconds. The last bucket has none.
const MICROSECONDS: [u64; 15] = [
    100, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000, 2_500_000,
    5_000_000, 10_000_000,
];
const BUCKETS: usize = MICROSECONDS.len() + 1;

/// The upper bounds of the buckets, in seconds.
pub const BOUNDS: [f64; BUCKETS] = {
    let mut bounds = [f64::INFINITY; BUCKETS];
    let mut at = 0;
    while at < MICROSECONDS.len() {
        bounds[at] = MICROSECONDS[at] as f64 / 1e6;
        at += 1;
    }
    bounds
};

/// Durations by bucket, and their sum.
#[derive(Debug, Default)]
pub struct Histogram {
    buckets: [AtomicU64; BUCKETS],
    nanoseconds: AtomicU64,
}

/// A histogram at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Shot {
    /// How many durations are in each bucket alone, in the order of [`BOUNDS`].
    pub buckets: [u64; BUCKETS],
    /// The sum of the durations, in seconds.
    pub sum: f64,
}

impl Histogram {
    /// Adds a duration.
    pub fn observe(&self, took: Duration) {
        // 584 years fit.
        let nanoseconds = took.as_secs().wrapping_mul(1_000_000_000) + u64::from(took.subsec_nanos());
        let at = MICROSECONDS.partition_point(|bound| bound * 1000 < nanoseconds);
        self.buckets[at].fetch_add(1, Ordering::Relaxed);
        self.nanoseconds.fetch_add(nanoseconds, Ordering::Relaxed);
    }

    /// What is in it. What is added meanwhile may be in one of the parts only.
    pub fn shot(&self) -> Shot {
        Shot {
            buckets: self.buckets.each_ref().map(|count| count.load(Ordering::Relaxed)),
            sum: self.nanoseconds.load(Ordering::Relaxed) as f64 / 1e9,
        }
    }
}

impl Shot {
    /// How many durations there are.
    pub fn count(&self) -> u64 {
        self.buckets.iter().sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_is_in_the_first_bucket_that_is_not_below_it() {
        let histogram = Histogram::default();
        for (nanoseconds, bucket) in
            [(0, 0), (100_000, 0), (100_001, 1), (999_999, 2), (1_000_001, 3), (10_000_000_000, 14)]
        {
            let before = histogram.shot();
            histogram.observe(Duration::from_nanos(nanoseconds));
            assert_eq!(histogram.shot().buckets[bucket], before.buckets[bucket] + 1, "{nanoseconds} ns");
        }
        histogram.observe(Duration::from_secs(3600));
        let shot = histogram.shot();
        assert_eq!((shot.buckets[BUCKETS - 1], shot.count()), (1, 7));
        assert!((shot.sum - 3610.0022).abs() < 1e-6, "{}", shot.sum);
        assert_eq!((BOUNDS[0], BOUNDS[BUCKETS - 2]), (0.0001, 10.0));
    }
}
