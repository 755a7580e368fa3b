//! What roles may do, for the document: asked of the database, and kept until a transaction may have changed it. Whether
//! one has, the database is asked with each request, by a statement that then reads nothing.

use super::{Engine, question};
use crate::{
    auth::Identity,
    error::{Error, Fault, Result},
    execute::Unit,
    outcome::{Columns, Pace, Privileges, RelationPrivileges, Row, Sink},
    plan::{self, transaction::ResponseSettings},
    request::{Context, shape::Told},
    sql::{self, Settings},
};
use lru::LruCache;
use std::{
    borrow::Cow,
    fmt,
    num::NonZeroUsize,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

/// For how many roles and schemas an engine keeps them.
const MOST: NonZeroUsize = NonZeroUsize::new(64).unwrap();
/// How long at most a commit takes that others can see already. Sessions hear of its privileges at the end of it only.
const COMMIT: Duration = Duration::from_secs(1);

/// What some roles may do.
pub(super) struct Kept(Mutex<LruCache<Key, Known>>);

/// A schema and a role.
type Key = (String, String);

#[derive(Clone)]
struct Known {
    /// As the database tells it.
    state: String,
    privileges: Arc<Privileges>,
    trust: Trust,
}

/// For how long privileges are those of their state.
#[derive(Clone, Copy)]
enum Trust {
    /// A commit may not have ended when they were read: until then, and if they are the same afterwards, for good.
    Until(Instant),
    ForGood,
}

impl Default for Kept {
    fn default() -> Self {
        Self(Mutex::new(LruCache::new(MOST)))
    }
}

impl fmt::Debug for Kept {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Kept").finish_non_exhaustive()
    }
}

impl Kept {
    fn get(&self, key: &Key) -> Option<Known> {
        self.kept().get(key).filter(|known| known.is_trusted()).cloned()
    }

    /// Keeps privileges that were read just now.
    fn keep(&self, key: Key, state: String, privileges: Arc<Privileges>) {
        let mut kept = self.kept();
        let trust = match kept.peek(&key) {
            Some(known) if known.state == state && !known.is_trusted() => Trust::ForGood,
            Some(_) | None => Trust::Until(Instant::now() + COMMIT),
        };
        kept.put(key, Known { state, privileges, trust });
    }

    fn kept(&self) -> MutexGuard<'_, LruCache<Key, Known>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    fn is_trusted(&self) -> bool {
        match self.trust {
            Trust::Until(end) => Instant::now() < end,
            Trust::ForGood => true,
        }
    }
}

impl Engine {
    /// What the role of `identity` may do in `schema`, in a transaction as each request has it: `db-pre-request` may refuse.
    pub async fn privileges(
        &self,
        schema: &str,
        identity: &Identity,
        context: Context,
    ) -> Result<Arc<Privileges>> {
        let key = (schema.to_owned(), identity.role.clone());
        let known = self.privileges.get(&key);
        let statement = sql::privileges(schema, known.as_ref().map_or("", |known| &known.state));
        let role_settings = self.role_settings(identity);
        let told = Told { context, ..Told::default() };
        let settings =
            Settings::in_schema(&self.config, schema, role_settings).of_transaction(identity, &told);
        let pre_request = sql::pre_request(&self.config).map(Cow::Owned);
        let unit = Unit {
            isolation: plan::isolation(role_settings, None),
            // Code runs then, and what it leaves in the session is looked for.
            response_settings: match pre_request {
                Some(_) => ResponseSettings::Read,
                None => ResponseSettings::Unset,
            },
            pre_request,
            ..question(&statement, settings, &self.memory)
        };
        let mut found = Collector::default();
        self.primary().run(&unit, &mut found).await?;
        match (known, found.state) {
            (Some(known), Some(state)) if known.state == state => Ok(known.privileges),
            (_, state) => {
                let privileges = Arc::new(found.privileges);
                if let Some(state) = state {
                    self.privileges.keep(key, state, privileges.clone());
                }
                Ok(privileges)
            }
        }
    }
}

/// Takes the rows of `sql::privileges`.
#[derive(Default)]
struct Collector {
    state: Option<String>,
    privileges: Privileges,
}

impl Sink for Collector {
    const PACE: Pace = Pace::Database;

    fn restart(&mut self) -> Result<()> {
        *self = Self::default();
        Ok(())
    }

    fn row(&mut self, row: &dyn Row) -> Result<()> {
        let malformed = || Error::new(Fault::UnexpectedResult, "The privileges have an unknown form");
        let Some(oid) = row.get(0) else {
            let state = row.get(6).map(|text| String::from_utf8(text.to_vec()));
            self.state = state.transpose().map_err(|_| malformed())?;
            return Ok(());
        };
        let oid = oid.try_into().map(u32::from_be_bytes).map_err(|_| malformed())?;
        let number = row.get(1).and_then(|bytes| bytes.try_into().ok()).map(i16::from_be_bytes);
        let may = |column| row.get(column).map(|bytes| bytes == [1]);
        match (number, may(2), may(3), may(4), may(5)) {
            (None, Some(select), Some(insert), Some(update), Some(delete)) => {
                let found = self.privileges.relations.entry(oid).or_default();
                *found = RelationPrivileges {
                    select: on_the_whole(select, &found.select),
                    insert: on_the_whole(insert, &found.insert),
                    update: on_the_whole(update, &found.update),
                    delete,
                };
            }
            (Some(number), Some(select), Some(insert), Some(update), None) => {
                let found = self.privileges.relations.entry(oid).or_default();
                let granted =
                    [(select, &mut found.select), (insert, &mut found.insert), (update, &mut found.update)];
                for (_, columns) in granted.into_iter().filter(|(granted, _)| *granted) {
                    columns.add(number.into());
                }
            }
            (None, None, None, None, None) => {
                self.privileges.functions.insert(oid);
            }
            _ => return Err(malformed()),
        }
        Ok(())
    }
}

/// The columns of a privilege, once it is known whether it is granted on the whole relation.
fn on_the_whole(granted: bool, so_far: &Columns) -> Columns {
    if granted { Columns::All } else { so_far.clone() }
}
