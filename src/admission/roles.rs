//! The limits that `ALTER ROLE … SET` gives a role: `pgduet.max_requests`, how many of its requests are answered at once, and
//! `pgduet.rate`, how many may begin in a second, a minute or an hour. Counts and rates go on over reloads.

use std::{
    collections::HashMap,
    fmt,
    num::NonZeroU32,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use super::{Admission, Ticket};
use crate::error::{Error, Fault, Result};

/// What the names of such settings begin with.
const PREFIX: &str = "pgduet.";

/// When a request of a role that has too many is tried again.
const AGAIN: Duration = Duration::from_secs(1);

/// The limits of all roles that have any.
#[derive(Debug, Default)]
pub struct RoleLimits(HashMap<String, Limits>);

#[derive(Debug, Default)]
struct Limits {
    most: Option<usize>,
    rate: Option<Rate>,
    state: Arc<State>,
}

/// What outlives a reload.
#[derive(Debug, Default)]
struct State {
    running: Admission,
    /// None before the first request.
    bucket: Mutex<Option<Bucket>>,
}

/// So many requests in so long a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Rate {
    requests: NonZeroU32,
    period: Duration,
}

/// A token bucket: a request takes one token, and tokens come back at the rate, up to as many as the rate has.
#[derive(Debug)]
struct Bucket {
    tokens: f64,
    filled: Instant,
}

/// A limit that cannot be read.
#[derive(Debug, PartialEq, Eq)]
pub struct Unreadable {
    role: String,
    setting: String,
    value: String,
}

impl RoleLimits {
    /// Takes the limits out of the settings of roles, and says which of them cannot be read. What `former` has counted goes on.
    pub fn take(
        roles: &mut HashMap<String, Vec<(String, String)>>,
        former: Option<&RoleLimits>,
    ) -> (RoleLimits, Vec<Unreadable>) {
        let (mut found, mut unreadable) = (HashMap::<String, Limits>::new(), Vec::new());
        for (role, settings) in roles {
            let is_limit = |(name, _): &mut (String, String)| name.to_ascii_lowercase().starts_with(PREFIX);
            for (name, value) in settings.extract_if(.., is_limit) {
                let limits = found.entry(role.clone()).or_insert_with(|| {
                    let former = former.and_then(|former| former.0.get(role));
                    let state = former.map(|former| former.state.clone()).unwrap_or_default();
                    Limits { state, ..Limits::default() }
                });
                let is_read = match &name.to_ascii_lowercase()[PREFIX.len()..] {
                    "max_requests" => value.trim().parse().map(|most| limits.most = Some(most)).is_ok(),
                    "rate" => Rate::parse(&value).map(|rate| limits.rate = Some(rate)).is_some(),
                    _ => false,
                };
                if !is_read {
                    unreadable.push(Unreadable { role: role.clone(), setting: name, value });
                }
            }
        }
        (RoleLimits(found), unreadable)
    }

    /// Whether no role has any.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Admits a request of this role; none is needed where the role has no limit on what runs at once.
    pub fn enter(&self, role: &str) -> Result<Option<Ticket>> {
        match self.0.get(role) {
            None => Ok(None),
            Some(limits) => limits.enter(role, Instant::now()),
        }
    }
}

impl Limits {
    fn enter(&self, role: &str, now: Instant) -> Result<Option<Ticket>> {
        let refused = |what: &str, again: Duration| {
            Err(Error::new(Fault::RoleLimit, format!("The role {role} {what}")).retry_after(again))
        };
        let ticket = match self.most {
            None => None,
            Some(most) => match self.state.running.enter(most) {
                Some(ticket) => Some(ticket),
                None => return refused("has as many requests under way as it may have", AGAIN),
            },
        };
        let Some(rate) = self.rate else { return Ok(ticket) };
        match rate.begin(&mut self.state.bucket.lock().unwrap_or_else(PoisonError::into_inner), now) {
            Ok(()) => Ok(ticket),
            Err(again) => refused("has begun as many requests as it may in this time", again),
        }
    }
}

impl Rate {
    /// `100/min`; `s` and `h` are units, too, and a number alone is for a second.
    fn parse(text: &str) -> Option<Rate> {
        let (requests, unit) = text.split_once('/').unwrap_or((text, "s"));
        let period = match unit.trim() {
            "s" => 1,
            "min" => 60,
            "h" => 3600,
            _ => return None,
        };
        Some(Rate { requests: requests.trim().parse().ok()?, period: Duration::from_secs(period) })
    }

    /// Takes a token. Where there is none, says when there will be one.
    fn begin(self, bucket: &mut Option<Bucket>, now: Instant) -> std::result::Result<(), Duration> {
        let full = f64::from(self.requests.get());
        let a_second = full / self.period.as_secs_f64();
        let bucket = bucket.get_or_insert(Bucket { tokens: full, filled: now });
        let since = now.saturating_duration_since(bucket.filled).as_secs_f64();
        bucket.tokens = (bucket.tokens + since * a_second).min(full);
        bucket.filled = now;
        match bucket.tokens >= 1.0 {
            true => {
                bucket.tokens -= 1.0;
                Ok(())
            }
            false => Err(Duration::from_secs_f64((1.0 - bucket.tokens) / a_second)),
        }
    }
}

impl fmt::Display for Unreadable {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Unreadable { role, setting, value } = self;
        write!(out, "{setting} of the role {role} is ignored, it cannot be read: {value:?}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits(settings: &[(&str, &str)], former: Option<&RoleLimits>) -> (RoleLimits, Vec<Unreadable>) {
        let settings =
            settings.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let mut roles = HashMap::from([("a".to_owned(), settings)]);
        let taken = RoleLimits::take(&mut roles, former);
        assert!(roles["a"].iter().all(|(name, _)| name == "statement_timeout"));
        taken
    }

    fn is_in(entered: &Result<Option<Ticket>>) -> bool {
        entered.is_ok()
    }

    #[test]
    fn limits_are_read_and_the_other_settings_left() {
        let (found, unreadable) = limits(
            &[("statement_timeout", "1s"), ("pgduet.max_requests", "2"), ("PGDUET.Rate", "100 / min")],
            None,
        );
        assert!(unreadable.is_empty());
        assert_eq!(found.0["a"].most, Some(2));
        let minute = Duration::from_secs(60);
        assert_eq!(found.0["a"].rate, NonZeroU32::new(100).map(|requests| Rate { requests, period: minute }));
        for (name, value) in [
            ("pgduet.max_requests", "many"),
            ("pgduet.max_requests", "-1"),
            ("pgduet.rate", "0/s"),
            ("pgduet.rate", "10/day"),
            ("pgduet.rate", ""),
            ("pgduet.other", "1"),
        ] {
            let (found, unreadable) = limits(&[(name, value)], None);
            assert_eq!(unreadable.len(), 1, "{name} {value}");
            assert!(is_in(&found.enter("a")), "{name} {value}");
        }
        assert!(limits(&[("statement_timeout", "1s")], None).0.is_empty());
    }

    #[test]
    fn a_role_has_no_more_requests_at_once_than_it_may_and_a_reload_forgets_none() {
        let (first, _) = limits(&[("pgduet.max_requests", "2")], None);
        let (one, two) = (first.enter("a").unwrap(), first.enter("a").unwrap());
        assert!(!is_in(&first.enter("a")));
        assert!(is_in(&first.enter("b")));
        let (second, _) = limits(&[("pgduet.max_requests", "2")], Some(&first));
        let refused = second.enter("a").unwrap_err();
        assert_eq!((refused.code(), refused.retry_after), ("PGDUET24", Some(AGAIN)));
        drop(one.clone());
        assert!(!is_in(&second.enter("a")));
        drop(one);
        let three = second.enter("a");
        assert!(is_in(&three));
        drop((two, three));
        let (none, _) = limits(&[("pgduet.max_requests", "0")], Some(&second));
        assert!(!is_in(&none.enter("a")));
    }

    #[test]
    fn a_rate_allows_a_burst_and_then_as_many_as_it_says() {
        let rate = Rate::parse("10/s").unwrap();
        let (mut bucket, start) = (None, Instant::now());
        let mut begun = |after: u64| rate.begin(&mut bucket, start + Duration::from_millis(after));
        for _ in 0..10 {
            assert!(begun(0).is_ok());
        }
        let again = begun(0).unwrap_err();
        assert!((0.09..0.11).contains(&again.as_secs_f64()), "{again:?}");
        assert!(begun(50).is_err());
        assert!(begun(101).is_ok());
        assert!(begun(102).is_err());
        // It saves up no more than one burst.
        let later = (0..20).filter(|_| begun(60_000).is_ok()).count();
        assert_eq!(later, 10);
        // A clock that goes back gives nothing.
        assert!(begun(0).is_err());
    }
}
