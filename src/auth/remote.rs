//! Keys that an issuer publishes at an address: fetched by one task, so that there is one fetch at a time, and held until
//! the issuer publishes others. Requests read what is held; only a token whose key is not among it waits for a fetch, and
//! such tokens start one fetch each [`DEMAND_WINDOW`], however many come. An issuer that does not answer, or whose answer
//! is no usable set of keys, changes nothing.
//!
//! ```text
//!     address ─ GET ─┬─ {"keys": […]}        a set of keys
//!                    ├─ {"jwks_uri": …}      a discovery document: the set is at jwks_uri
//!                    └─ anything else        address/.well-known/openid-configuration is asked
//! ```

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use arc_swap::{ArcSwapOption, Guard};
use bytes::Bytes;
use serde::Deserialize;
use tokio::{
    sync::watch,
    task::JoinSet,
    time::{Instant, sleep_until, timeout},
};

use super::{
    fetch::{Client, Document, Failure},
    jwks::Keys,
};
use crate::config::{KeyAddress, PlainHttp};

/// A fetch may take so long: redirects, and the discovery document, included. So may a request wait for it.
const FETCH_WITHIN: Duration = Duration::from_secs(5);

/// Tokens of unknown keys start at most one fetch in this time.
const DEMAND_WINDOW: Duration = Duration::from_secs(10);

/// What `Cache-Control` says is kept within these bounds.
const SHORTEST: Duration = Duration::from_secs(60);
const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);
/// For how long keys are fresh where it says nothing.
const USUAL: Duration = Duration::from_secs(10 * 60);

/// After a failure the next fetch follows after a second, then after twice the time each time, up to this.
const FIRST_RETRY: Duration = Duration::from_secs(1);
const LAST_RETRY_WITHOUT_KEYS: Duration = Duration::from_secs(8);
const LAST_RETRY: Duration = Duration::from_secs(60);

/// An address and the keys that were found there. It outlives configurations that have the same address.
pub(super) struct Remote {
    address: KeyAddress,
    plain: PlainHttp,
    state: Arc<State>,
    task: Mutex<JoinSet<()>>,
}

/// What the task and the requests share.
struct State {
    published: ArcSwapOption<Published>,
    /// When the issuer last answered with keys, the same or others.
    confirmed: ArcSwapOption<Instant>,
    phase: watch::Sender<Phase>,
}

/// What an issuer publishes.
pub(super) struct Published {
    pub(super) keys: Keys,
    /// The issuer, where it is known from a discovery document.
    pub(super) issuer: Option<String>,
    /// Another number for other keys, and never 0.
    pub(super) generation: u64,
}

/// What the task is doing.
#[derive(Debug, Default)]
struct Phase {
    is_fetching: bool,
    /// A fetch has to begin.
    is_wanted: bool,
    /// When tokens may start the next fetch.
    closed_until: Option<Instant>,
    /// Fetches that have ended.
    ended: u64,
}

impl Remote {
    /// No keys yet: [`Remote::keep`] fetches them.
    pub(super) fn new(address: KeyAddress, plain: PlainHttp) -> Remote {
        let state = State {
            published: ArcSwapOption::empty(),
            confirmed: ArcSwapOption::empty(),
            phase: watch::Sender::default(),
        };
        Remote { address, plain, state: Arc::new(state), task: Mutex::default() }
    }

    /// Whether it is what a new one of this address would become.
    pub(super) fn is_for(&self, address: &KeyAddress, plain: PlainHttp) -> bool {
        self.address == *address && self.plain == plain
    }

    /// The keys that are held.
    pub(super) fn published(&self) -> Guard<Option<Arc<Published>>> {
        self.state.published.load()
    }

    /// How long ago the issuer last answered with keys.
    pub(super) fn age(&self) -> Option<Duration> {
        self.state.confirmed.load().as_ref().map(|confirmed| confirmed.elapsed())
    }

    /// Fetches the keys now and keeps them fresh until this is dropped. Where there were none, returns when the fetch has
    /// ended.
    pub(super) async fn keep(&self) {
        let ended = {
            let mut task = self.task.lock().unwrap_or_else(PoisonError::into_inner);
            if task.is_empty() {
                task.spawn(follow(self.address.clone(), self.plain, Arc::clone(&self.state)));
            }
            let mut before = 0;
            self.state.phase.send_modify(|phase| {
                phase.is_wanted = !phase.is_fetching;
                before = phase.ended;
            });
            self.ended_after(before)
        };
        if self.published().is_none() {
            ended.await;
        }
    }

    /// A token names a key that is not held: fetches the keys unless that was done a moment ago, and returns when the fetch
    /// has ended.
    pub(super) async fn demand(&self) {
        let mut before = None;
        self.state.phase.send_if_modified(|phase| {
            let now = Instant::now();
            let is_open = phase.closed_until.is_none_or(|end| end <= now);
            if phase.is_fetching || phase.is_wanted {
                before = Some(phase.ended);
                return false;
            }
            if is_open {
                before = Some(phase.ended);
                phase.is_wanted = true;
                phase.closed_until = Some(now + DEMAND_WINDOW);
            }
            is_open
        });
        if let Some(before) = before {
            self.ended_after(before).await;
        }
    }

    /// Returns when more fetches than `before` have ended, or when that takes too long.
    fn ended_after(&self, before: u64) -> impl Future<Output = ()> + use<> {
        let mut phase = self.state.phase.subscribe();
        async move {
            let ended = async { phase.wait_for(|phase| phase.ended > before).await.map(drop) };
            // The task has a deadline of its own.
            let _ = timeout(2 * FETCH_WITHIN, ended).await;
        }
    }
}

impl fmt::Debug for Remote {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_tuple("Remote").field(&self.address.to_string()).finish()
    }
}

/// The task: fetches when the keys are due or wanted.
async fn follow(address: KeyAddress, plain: PlainHttp, state: Arc<State>) {
    let mut wanted = state.phase.subscribe();
    let mut due = Instant::now();
    let mut retry = FIRST_RETRY;
    let mut client = None;
    let mut before = None;
    loop {
        tokio::select! {
            () = sleep_until(due) => {}
            wanted = wanted.wait_for(|phase| phase.is_wanted) => if wanted.is_err() { return },
        }
        state.phase.send_modify(|phase| (phase.is_fetching, phase.is_wanted) = (true, false));
        let found = timeout(FETCH_WITHIN, find(&address, plain, &mut client)).await;
        let found =
            found.unwrap_or_else(|_| Err(format!("there is no answer within {} s", FETCH_WITHIN.as_secs())));
        let taken = found.and_then(|found| {
            let fresh_for = found.fresh_for;
            state.take(found, &mut before, &address).map(|()| fresh_for)
        });
        let taken = taken.inspect(|_| {
            state.confirmed.store(Some(Arc::new(Instant::now())));
        });
        due = Instant::now()
            + match taken {
                Ok(fresh_for) => {
                    if retry > FIRST_RETRY {
                        tracing::info!("The keys of {address} can be fetched again");
                    }
                    retry = FIRST_RETRY;
                    fresh_for.unwrap_or(USUAL).clamp(SHORTEST, LONGEST)
                }
                Err(why) => {
                    let (consequence, longest) = match state.published.load().is_some() {
                        true => ("the keys from before stay in use", LAST_RETRY),
                        false => ("tokens are refused until there are keys", LAST_RETRY_WITHOUT_KEYS),
                    };
                    tracing::error!("The keys of {address} could not be fetched, {consequence}: {why}");
                    let wait = retry;
                    retry = (retry * 2).min(longest);
                    wait
                }
            };
        state.phase.send_modify(|phase| {
            phase.is_fetching = false;
            phase.ended += 1;
        });
    }
}

impl State {
    /// Publishes the keys, if they are others than before.
    fn take(&self, found: Found, before: &mut Option<Bytes>, address: &KeyAddress) -> Result<(), String> {
        let known = self.published.load();
        let is_known = known.as_ref().is_some_and(|known| known.issuer == found.issuer);
        if is_known && before.as_ref() == Some(&found.set) {
            return Ok(());
        }
        let (keys, skipped) = Keys::published(&found.set).map_err(|why| format!("the set of keys {why}"))?;
        for why in skipped {
            tracing::warn!("A key of {address} is not used: {why}");
        }
        tracing::info!("Fetched {} keys from {address}", keys.len());
        let generation = known.as_ref().map_or(0, |known| known.generation) + 1;
        self.published.store(Some(Arc::new(Published { keys, issuer: found.issuer, generation })));
        *before = Some(found.set);
        Ok(())
    }
}

/// A set of keys, not read yet.
struct Found {
    set: Bytes,
    issuer: Option<String>,
    fresh_for: Option<Duration>,
}

/// The members of a document that say what it is (OpenID Connect Discovery 1.0, section 3).
#[derive(Deserialize)]
struct Described {
    keys: Option<serde::de::IgnoredAny>,
    jwks_uri: Option<String>,
    issuer: Option<String>,
}

/// Looks for the set of keys. The error is a clause for the log.
async fn find(address: &KeyAddress, plain: PlainHttp, client: &mut Option<Client>) -> Result<Found, String> {
    let client = match client {
        Some(client) => client,
        None => {
            // The certificates of the authorities are read from files.
            let made = tokio::task::spawn_blocking(move || Client::new(plain)).await;
            client.insert(made.map_err(|error| error.to_string())??)
        }
    };
    let first = look(client, address).await;
    let (document, described) = match (first, address.discovery()) {
        (Err(Failure::Answer(why)), Some(discovery)) => {
            let second = look(client, &discovery).await;
            let (document, described) = second.map_err(|error| format!("{why}; {}", error.text()))?;
            // Another issuer's keys must not verify this one's tokens (OpenID Connect Discovery 1.0, section 4.3).
            if !described.issuer.as_deref().is_some_and(|issuer| address.is_issuer(issuer)) {
                return Err(format!("{} is the discovery document of another issuer", document.address));
            }
            (document, described)
        }
        (found, _) => found.map_err(Failure::text)?,
    };
    let jwks = match (described.keys, described.jwks_uri) {
        (Some(_), _) => return Ok(Found { set: document.body, issuer: None, fresh_for: document.fresh_for }),
        (None, jwks) => jwks.unwrap_or_default(),
    };
    let target = client.follow(&document, &jwks).map_err(Failure::text)?;
    let set = client.get(&target).await.map_err(Failure::text)?;
    Ok(Found { set: set.body, issuer: described.issuer, fresh_for: set.fresh_for })
}

/// Fetches a document that is either a set of keys or says where one is.
async fn look(client: &Client, address: &KeyAddress) -> Result<(Document, Described), Failure> {
    let document = client.get(address).await?;
    let described = serde_json::from_slice::<Described>(&document.body)
        .ok()
        .filter(|described| described.keys.is_some() || described.jwks_uri.is_some());
    match described {
        Some(described) => Ok((document, described)),
        None => Err(Failure::Answer(format!(
            "{} answers with what is neither a set of keys nor a discovery document",
            document.address
        ))),
    }
}

impl Failure {
    fn text(self) -> String {
        match self {
            Failure::Answer(text) | Failure::Transport(text) => text,
        }
    }
}
