//! LISTEN on a connection of its own, for as long as somebody wants to hear: it
//! turns notifications into events and makes the connection again when it is
//! lost. It reloads nothing itself.
//!
//! | Payload | Events |
//! |---|---|
//! | `reload schema`, or that and a name | `ReloadChanges` |
//! | `reload config` | `ReloadConfig` |
//! | empty | `ReloadConfig`: the catalog comes with it |
//! | any other | none |
//!
//! A connection that is silent is no connection: it is asked every few seconds whether it still works. That the database
//! answers again elsewhere is a reason to ask at once, and to wait no longer for the next attempt.
//!
//! Events wait while the last ones are being worked on, one of each kind at the
//! most: a thousand notifications during a reload cause one or two more.

use crate::error::{Error, Fault, Result, chain};
use futures_util::{Stream, StreamExt, future::OptionFuture, stream, stream::BoxStream};
use std::{collections::BTreeSet, future::Future, pin::pin, time::Duration};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    sync::mpsc::{self, Permit, error::SendError},
    time,
};
use tokio_postgres::{AsyncMessage, Client, Connection};

/// How long to wait before the first attempt to connect again; it doubles …
const FIRST_DELAY: Duration = Duration::from_secs(1);
/// … up to this.
const LAST_DELAY: Duration = Duration::from_secs(32);

/// How often the connection is asked whether it works …
const BEAT: Duration = Duration::from_secs(5);
/// … and how long an answer may take …
const ANSWER: Duration = Duration::from_secs(5);
/// … where there is no reason to doubt it, and where there is.
const ANSWER_IN_DOUBT: Duration = Duration::from_secs(1);

/// Keeps the settings of the login role, which are made for requests, from ending a session that only listens.
const IMMUNE: &str = "SELECT pg_catalog.set_config(name, '0', false) FROM pg_catalog.pg_settings
    WHERE name OPERATOR(pg_catalog.=) ANY (ARRAY['statement_timeout', 'idle_session_timeout', 'lock_timeout'])";

/// What a listener is told. Where several are due, this is their order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Event {
    /// There is no connection; another attempt follows.
    Lost,
    /// There is one, on which notifications come.
    Listening,
    /// The configuration is to be read again, and with it the catalog.
    ReloadConfig,
    /// The catalog is to be read again, because notifications may have been
    /// missed while there was no connection.
    ReloadCatalog,
    /// What has changed in the catalog is to be read.
    ReloadChanges,
}

/// Starts to listen, until the receiver is dropped.
///
/// `listen` is the LISTEN statement, its channel quoted by who knows SQL;
/// `connect` makes a connection that nothing else uses; `revivals` tells each time
/// that the database answers again after it did not.
pub fn watch<C, F, S, T>(
    listen: &str,
    connect: C,
    revivals: impl Stream<Item = ()> + Send + 'static,
) -> mpsc::Receiver<Event>
where
    C: Fn() -> F + Send + Sync + 'static,
    F: Future<Output = Result<(Client, Connection<S, T>)>> + Send,
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (events, receiver) = mpsc::channel(1);
    let mut listener = Listener {
        listen: listen.to_owned(),
        events,
        // Where nobody tells any more, there is nothing to hear.
        revivals: revivals.chain(stream::pending()).boxed(),
        pending: BTreeSet::new(),
        delay: FIRST_DELAY,
        attempts: 0,
    };
    tokio::spawn(async move {
        loop {
            let error = match listener.session(connect()).await {
                Ok(Unwanted) => return,
                Err(error) => error,
            };
            let seconds = listener.delay.as_secs();
            tracing::warn!("The listener has no connection, next attempt in {seconds} s: {error}");
            if let Some(Unwanted) = listener.rest().await {
                return;
            }
        }
    });
    receiver
}

/// Nobody wants to hear any more.
struct Unwanted;

struct Listener {
    listen: String,
    events: mpsc::Sender<Event>,
    revivals: BoxStream<'static, ()>,
    /// What has not been told yet.
    pending: BTreeSet<Event>,
    /// How long to wait after the next failure.
    delay: Duration,
    /// How often a connection was tried before.
    attempts: u64,
}

impl Listener {
    /// Listens on one connection for as long as it lasts.
    async fn session<S, T>(
        &mut self,
        connect: impl Future<Output = Result<(Client, Connection<S, T>)>>,
    ) -> Result<Unwanted>
    where
        S: AsyncRead + AsyncWrite + Unpin,
        T: AsyncRead + AsyncWrite + Unpin,
    {
        let Self { listen, events, revivals, pending, delay, attempts } = self;
        let (client, mut connection) = tokio::select! {
            () = events.closed() => return Ok(Unwanted),
            connected = connect => connected?,
            Some(()) = revivals.next() => {
                *delay = Duration::ZERO;
                return Err(lost("it was begun while the database did not answer"));
            }
        };
        let mut messages = stream::poll_fn(move |context| connection.poll_message(context));
        let mut listening = pin!(time::timeout(ANSWER, async {
            client.batch_execute(IMMUNE).await?;
            client.batch_execute(listen).await
        }));
        let mut started = false;
        let ask = |patience| Box::pin(time::timeout(patience, client.simple_query("")));
        let mut asked = None;
        let mut beat = time::interval_at(time::Instant::now() + BEAT, BEAT);
        loop {
            tokio::select! {
                () = events.closed() => return Ok(Unwanted),
                result = &mut listening, if !started => {
                    result.map_err(|_| silent())?.map_err(|error| lost(chain(&error)))?;
                    started = true;
                    *delay = FIRST_DELAY;
                    pending.insert(Event::Listening);
                    if *attempts > 0 {
                        pending.insert(Event::ReloadCatalog);
                    }
                    *attempts += 1;
                    tracing::info!("Listening for notifications");
                }
                message = messages.next() => match message {
                    Some(Ok(AsyncMessage::Notification(told))) => pending.extend(meaning(told.payload())),
                    // Notices, and whatever a later version of the driver passes on.
                    Some(Ok(_)) => {}
                    Some(Err(error)) => return Err(lost(chain(&error))),
                    None => return Err(lost("the server closed it")),
                },
                Some(()) = revivals.next() => asked = Some(ask(ANSWER_IN_DOUBT)),
                _ = beat.tick(), if asked.is_none() => asked = Some(ask(ANSWER)),
                Some(answer) = OptionFuture::from(asked.as_mut()), if asked.is_some() => {
                    answer.map_err(|_| silent())?.map_err(|error| lost(chain(&error)))?;
                    asked = None;
                }
                permit = events.reserve(), if !pending.is_empty() => tell(permit, pending),
            }
        }
    }

    /// Waits for the next attempt, and tells why.
    async fn rest(&mut self) -> Option<Unwanted> {
        let Self { events, revivals, pending, delay, attempts, .. } = self;
        pending.remove(&Event::Listening);
        pending.insert(Event::Lost);
        let mut over = pin!(time::sleep(*delay));
        *delay = LAST_DELAY.min(*delay * 2).max(FIRST_DELAY);
        *attempts += 1;
        loop {
            tokio::select! {
                () = events.closed() => return Some(Unwanted),
                () = &mut over => return None,
                Some(()) = revivals.next() => return None,
                permit = events.reserve(), if !pending.is_empty() => tell(permit, pending),
            }
        }
    }
}

/// Tells the first of what is pending. Where nobody listens any more there is no
/// permit, and the loops see that for themselves.
fn tell(permit: std::result::Result<Permit<'_, Event>, SendError<()>>, pending: &mut BTreeSet<Event>) {
    if let (Ok(permit), Some(event)) = (permit, pending.pop_first()) {
        permit.send(event);
    }
}

fn meaning(payload: &str) -> &'static [Event] {
    match payload {
        "" | "reload config" => &[Event::ReloadConfig],
        "reload schema" => &[Event::ReloadChanges],
        // What changes is seen anyway; the name is for whoever reads along.
        _ if payload.starts_with("reload schema ") => &[Event::ReloadChanges],
        // Other users of the channel.
        _ => &[],
    }
}

fn silent() -> Box<Error> {
    lost("it is silent")
}

fn lost(cause: impl std::fmt::Display) -> Box<Error> {
    Error::new(Fault::DatabaseUnreachable, "The listener's connection to the database is lost.").cause(cause)
}
