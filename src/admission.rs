//! How many requests may be answered at once, in the whole process and for each role, and how many of a role may begin in a
//! time. A leaf: it counts, and knows neither requests nor answers.

mod roles;

pub use self::roles::{RoleLimits, Unreadable};

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering::Relaxed},
};

/// A count of the requests that are in. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Admission(Arc<AtomicUsize>);

/// The right of one request to be in, until the last clone is dropped.
#[derive(Clone, Debug)]
pub struct Ticket(#[allow(dead_code, reason = "it is dropped")] Arc<Counted>);

#[derive(Debug)]
struct Counted(Arc<AtomicUsize>);

impl Admission {
    /// A ticket, unless so many requests are in.
    pub fn enter(&self, limit: usize) -> Option<Ticket> {
        let entered = self.0.fetch_update(Relaxed, Relaxed, |count| (count < limit).then_some(count + 1));
        entered.ok().map(|_| Ticket(Arc::new(Counted(self.0.clone()))))
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Relaxed);
    }
}
