//! LISTEN on a connection of its own, for as long as somebody wants to hear: it
//! turns notifications into events and makes the connection again when it is
//! lost. It reloads nothing itself.
//!
//! | Payload | Events |
//! |---|---|
//! | `reload schema` | `ReloadCatalog` |
//! | `reload config` | `ReloadConfig` |
//! | empty | `ReloadConfig`: the catalog comes with it |
//! | any other | none |
//!
//! Events wait while the last ones are being worked on, one of each kind at the
//! most: a thousand notifications during a reload cause one or two more.

use crate::error::{Error, Fault, Result, chain};
use futures_util::{StreamExt, stream};
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

/// What a listener is told. Where several are due, this is their order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Event {
    /// There is no connection; another attempt follows.
    Lost,
    /// There is one, on which notifications come.
    Listening,
    /// The configuration is to be read again, and with it the catalog.
    ReloadConfig,
    /// The catalog is to be read again: as notified, or because notifications
    /// may have been missed while there was no connection.
    ReloadCatalog,
}

/// Starts to listen, until the receiver is dropped.
///
/// `listen` is the LISTEN statement, its channel quoted by who knows SQL;
/// `connect` makes a connection that nothing else uses.
pub fn watch<C, F, S, T>(listen: String, connect: C) -> mpsc::Receiver<Event>
where
    C: Fn() -> F + Send + Sync + 'static,
    F: Future<Output = Result<(Client, Connection<S, T>)>> + Send,
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (events, receiver) = mpsc::channel(1);
    let mut listener = Listener { listen, events, pending: BTreeSet::new(), delay: FIRST_DELAY, attempts: 0 };
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
        let Self { listen, events, pending, delay, attempts } = self;
        let (client, mut connection) = tokio::select! {
            () = events.closed() => return Ok(Unwanted),
            connected = connect => connected?,
        };
        let mut messages = stream::poll_fn(move |context| connection.poll_message(context));
        let mut listening = pin!(client.batch_execute(listen));
        let mut started = false;
        loop {
            tokio::select! {
                () = events.closed() => return Ok(Unwanted),
                result = &mut listening, if !started => {
                    result.map_err(|error| lost(chain(&error)))?;
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
                permit = events.reserve(), if !pending.is_empty() => tell(permit, pending),
            }
        }
    }

    /// Waits for the next attempt, and tells why.
    async fn rest(&mut self) -> Option<Unwanted> {
        let Self { events, pending, delay, attempts, .. } = self;
        pending.remove(&Event::Listening);
        pending.insert(Event::Lost);
        let mut over = pin!(time::sleep(*delay));
        *delay = LAST_DELAY.min(*delay * 2);
        *attempts += 1;
        loop {
            tokio::select! {
                () = events.closed() => return Some(Unwanted),
                () = &mut over => return None,
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
        "reload schema" => &[Event::ReloadCatalog],
        // Other users of the channel.
        _ => &[],
    }
}

fn lost(cause: impl std::fmt::Display) -> Box<Error> {
    Error::new(Fault::DatabaseUnreachable, "The listener's connection to the database is lost.").cause(cause)
}
