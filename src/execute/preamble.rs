//! The settings of a unit, as one statement that sends no row back. All are local to the transaction: nothing of one
//! request is there in the next, whatever a function set in between.

use super::{
    Unit,
    fixed::{Start, Tenancy},
};
use crate::{
    error::{Error, Origin},
    position::Position,
    sql::{Fragment, Hashed, Setting, reach_workers},
};
use std::{borrow::Cow, time::Duration};

/// What makes a transaction that began without BEGIN what it has to be. A level cannot be changed any more: where it is
/// another one, this is an error (25001), and PostgreSQL skips the rest of the batch.
const READ: &str = " OR pg_catalog.set_config('transaction_isolation', 'read committed', true) IS NULL \
    OR pg_catalog.set_config('transaction_read_only', 'on', true) IS NULL";

/// Locks of the session that code took of which the catalog does not know.
const UNLOCK: &str = " OR pg_catalog.pg_advisory_unlock_all() IS NULL";

/// For units that set no role.
const NO_ROLE: &str = " OR pg_catalog.set_config('role', NULL, false) IS NULL";

/// What shortens `statement_timeout` to a deadline and never lengthens it; 0 is none.
const TIMEOUT: [&str; 2] = [
    " OR pg_catalog.set_config('statement_timeout', least(",
    "::pg_catalog.int8, nullif(extract(epoch FROM pg_catalog.current_setting('statement_timeout')\
        ::pg_catalog.interval) * 1000, 0))::pg_catalog.int8::pg_catalog.text, true) IS NULL",
];

/// The latest timeline that a server has proved to be on: its receiver gets the log of that timeline, or what it has replayed
/// is in its control file, some time after a promotion. The receiver is shown to the rights of `pg_read_all_stats`, which a
/// login role that inherits none has as that role only.
macro_rules! proved_timeline {
    () => {
        "GREATEST((SELECT CASE WHEN pg_catalog.set_config('role', CASE WHEN pg_catalog.pg_has_role(\
            SESSION_USER, 'pg_read_all_stats', 'MEMBER') THEN 'pg_read_all_stats' ELSE 'none' END, true) IS NOT NULL \
            THEN (SELECT received_tli FROM pg_catalog.pg_stat_get_wal_receiver()) END), \
        (SELECT timeline_id FROM pg_catalog.pg_control_checkpoint()), \
        (SELECT min_recovery_end_timeline FROM pg_catalog.pg_control_recovery()))"
    };
}
pub(super) use proved_timeline;

/// What fails, with an error of its own ([`is_behind`]), on a server that has not replayed up to an LSN, or that has not
/// proved to be on a timeline. Later statements see all that was replayed by now: their snapshots are taken after it.
const REPLAYED: [&str; 3] = [
    " OR (CASE WHEN pg_catalog.pg_last_wal_replay_lsn() OPERATOR(pg_catalog.>=) ",
    concat!("::pg_catalog.pg_lsn AND ", proved_timeline!(), " OPERATOR(pg_catalog.>=) "),
    "::pg_catalog.int4 THEN '0/0' ELSE 'behind' END)::pg_catalog.pg_lsn IS NULL \
     OR pg_catalog.set_config('role', 'none', true) IS NULL",
];

/// The same where the timeline is the first one, of which every server is a continuation.
const REPLAYED_AT_ALL: [&str; 2] =
    [REPLAYED[0], "::pg_catalog.pg_lsn THEN '0/0' ELSE 'behind' END)::pg_catalog.pg_lsn IS NULL"];

/// In place of a value, which each unit brings.
const TO_COME: &str = "";

/// The statement that makes settings of certain names. Made once for the units that follow each other on a connection.
#[derive(Debug)]
pub(super) struct Preamble {
    shape: Shape,
    /// The names, in their order.
    names: Vec<Cow<'static, str>>,
    fragment: Fragment,
}

/// What decides the text, besides the names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Shape {
    start: Start,
    tenancy: Tenancy,
    deadline: Deadline,
    replay: Replay,
}

/// What the server has to have replayed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Replay {
    Any,
    Lsn,
    Position,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Deadline {
    None,
    Some,
}

impl Shape {
    pub(super) fn new(
        start: Start,
        tenancy: Tenancy,
        left: Option<Duration>,
        seen: Option<Position>,
    ) -> Self {
        let replay = match seen {
            None => Replay::Any,
            Some(Position { timeline: 1, .. }) => Replay::Lsn,
            Some(_) => Replay::Position,
        };
        let deadline = match left {
            None => Deadline::None,
            Some(_) => Deadline::Some,
        };
        Self { start, tenancy, deadline, replay }
    }
}

impl Preamble {
    pub(super) fn new(shape: Shape, settings: &[Setting]) -> Self {
        let mut fragment = Fragment::new();
        fragment.sql("SELECT WHERE false");
        if shape.start == Start::Implicit {
            fragment.sql(READ);
        }
        match shape.replay {
            Replay::Any => {}
            Replay::Lsn => {
                fragment.sql(REPLAYED_AT_ALL[0]).text(TO_COME).sql(REPLAYED_AT_ALL[1]);
            }
            Replay::Position => {
                fragment.sql(REPLAYED[0]).text(TO_COME).sql(REPLAYED[1]).text(TO_COME).sql(REPLAYED[2]);
            }
        }
        if shape.tenancy == Tenancy::Sole {
            fragment.sql(UNLOCK);
            if role(settings).is_empty() {
                fragment.sql(NO_ROLE);
            }
        }
        for (name, _) in settings {
            fragment.sql(" OR pg_catalog.set_config(");
            match name {
                Cow::Borrowed(name) => fragment.sql("'").sql(name).sql("'"),
                Cow::Owned(_) => fragment.text(TO_COME),
            };
            fragment.sql(", ").text(TO_COME).sql(", true) IS NULL");
        }
        if shape.deadline == Deadline::Some {
            fragment.sql(TIMEOUT[0]).text(TO_COME).sql(TIMEOUT[1]);
        }
        Self { shape, names: settings.iter().map(|(name, _)| name.clone()).collect(), fragment }
    }

    /// Whether it is the statement for these.
    pub(super) fn fits(&self, shape: Shape, settings: &[Setting]) -> bool {
        let is_same = |(one, (other, _)): (&Cow<'_, str>, &Setting)| match (one, other) {
            (Cow::Borrowed(one), Cow::Borrowed(other)) => one == other,
            (Cow::Owned(one), Cow::Owned(other)) => one == other,
            (Cow::Borrowed(_), Cow::Owned(_)) | (Cow::Owned(_), Cow::Borrowed(_)) => false,
        };
        self.shape == shape
            && self.names.len() == settings.len()
            && self.names.iter().zip(settings).all(is_same)
    }

    pub(super) fn sql(&self) -> Hashed<'_> {
        self.fragment.hashed()
    }
}

/// A position as values of parameters.
pub(super) struct Seen {
    lsn: String,
    /// There where the timeline has to be proved.
    timeline: Option<String>,
}

impl Seen {
    pub(super) fn of(position: Position) -> Self {
        let timeline = (position.timeline > 1).then(|| position.timeline.to_string());
        Self { lsn: position.lsn.to_string(), timeline }
    }
}

/// Whether an error says that the server has not replayed what it had to.
pub(super) fn is_behind(error: &Error) -> bool {
    match &error.origin {
        Origin::PostgreSql(report) => {
            report.sqlstate == "22P02" && error.message.ends_with("pg_lsn: \"behind\"")
        }
        Origin::Pgduet(_) => false,
    }
}

/// The values of its parameters, in their order. `milliseconds` are those of the deadline.
pub(super) fn values<'v>(
    seen: Option<&'v Seen>,
    settings: &'v [Setting],
    milliseconds: Option<&'v str>,
) -> impl Iterator<Item = &'v [u8]> + Clone {
    let of_setting = |(name, value): &'v Setting| {
        let name = match name {
            Cow::Borrowed(_) => None,
            Cow::Owned(name) => Some(name.as_bytes()),
        };
        name.into_iter().chain(std::iter::once(value.as_ref()))
    };
    let seen = seen.map(|seen| std::iter::once(&seen.lsn).chain(&seen.timeline)).into_iter().flatten();
    let seen = seen.map(|text| text.as_bytes());
    seen.chain(settings.iter().flat_map(of_setting)).chain(milliseconds.map(str::as_bytes))
}

/// How long PostgreSQL may take. Rounded up, so that the deadline has passed when it gives up.
pub(super) fn milliseconds(left: Duration) -> u128 {
    left.as_nanos().div_ceil(1_000_000).clamp(1, i32::MAX as u128)
}

/// The role that a unit's statement runs as; empty for the login role.
fn role(settings: &[Setting]) -> &str {
    let roles = settings.iter().rev().filter(|(name, _)| name.eq_ignore_ascii_case("role"));
    roles.map(|(_, role)| std::str::from_utf8(role).unwrap_or_default()).next().unwrap_or_default()
}

impl Unit<'_> {
    /// The role that the statement runs as; empty for the login role.
    pub(super) fn role(&self) -> &str {
        role(&self.settings)
    }

    /// Whether the workers of Citus are sent its settings.
    pub(super) fn reaches_workers(&self) -> bool {
        reach_workers(&self.settings)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHAPE: Shape = Shape {
        start: Start::Explicit,
        tenancy: Tenancy::Shared,
        deadline: Deadline::None,
        replay: Replay::Any,
    };

    #[test]
    fn values_are_parameters_in_their_order_and_so_are_names_from_elsewhere() {
        let settings: [Setting; 2] =
            [("role".into(), "anonymous".into()), ("app.it's".to_owned().into(), "1'".into())];
        assert_eq!(
            Preamble::new(SHAPE, &settings).sql().text,
            "SELECT WHERE false OR pg_catalog.set_config('role', $1, true) IS NULL \
             OR pg_catalog.set_config($2, $3, true) IS NULL"
        );
        let found: Vec<_> = values(None, &settings, Some("7")).collect();
        assert_eq!(found, [&b"anonymous"[..], b"app.it's", b"1'", b"7"]);
    }

    #[test]
    fn the_text_depends_on_the_names_of_the_settings_alone() {
        let settings =
            |name: &'static str, value: &'static str| -> [Setting; 1] { [(name.into(), value.into())] };
        let preamble = Preamble::new(SHAPE, &settings("request.path", "/a"));
        assert!(preamble.fits(SHAPE, &settings("request.path", "/b")));
        assert!(!preamble.fits(SHAPE, &settings("request.method", "/a")));
        assert!(!preamble.fits(SHAPE, &[("request.path".to_owned().into(), "/a".into())]));
        assert!(!preamble.fits(SHAPE, &[]));
        assert!(!preamble.fits(Shape { start: Start::Implicit, ..SHAPE }, &settings("request.path", "/a")));
    }

    #[test]
    fn a_position_comes_before_the_settings() {
        let position = |timeline| Position { timeline, lsn: crate::position::Lsn(0x16B_3748) };
        for (timeline, values_of_it) in [(1, vec![&b"0/16B3748"[..]]), (2, vec![&b"0/16B3748"[..], b"2"])] {
            let shape = Shape::new(Start::Implicit, Tenancy::Sole, None, Some(position(timeline)));
            let settings: [Setting; 1] = [("role".into(), "anonymous".into())];
            let sql = Preamble::new(shape, &settings).sql().text.to_owned();
            let last = values_of_it.len() + 1;
            assert!(sql.contains(&format!("set_config('role', ${last}, true)")), "{sql}");
            assert_eq!(sql.contains("pg_control_checkpoint"), timeline == 2);
            let seen = Seen::of(position(timeline));
            let found: Vec<_> = values(Some(&seen), &settings, None).collect();
            assert_eq!(found, [values_of_it, vec![b"anonymous"]].concat());
        }
    }

    #[test]
    fn a_deadline_is_rounded_up() {
        let of = |left| milliseconds(left);
        assert_eq!(
            (of(Duration::ZERO), of(Duration::from_micros(1500)), of(Duration::from_secs(1))),
            (1, 2, 1000)
        );
    }
}
