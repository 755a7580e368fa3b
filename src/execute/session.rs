//! One connection, which nobody drives but the unit that runs on it: what the
//! unit wants to say is queued first and leaves in one write, and no task is
//! woken on another core. A session that runs nothing is not looked at.

use super::{
    connect::Stream,
    statement_cache::{Preparation, Statements},
};
use std::{
    fmt,
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll, Waker},
    time::{Duration, Instant},
};
use tokio_postgres::{Client, Connection, Socket};

/// A connection and what is known of it.
pub(super) struct Session {
    client: Arc<Client>,
    line: Line,
    statements: Statements,
    /// Of the pool, when this was made; a flush makes another.
    pub(super) generation: u64,
    /// When the last conversation ended.
    quiet_since: Instant,
}

/// The socket, as long as it works. Boxed, for sessions are moved from hand to hand.
struct Line(Option<Box<Connection<Socket, Stream>>>);

impl Session {
    pub(super) fn new(
        client: Client,
        connection: Connection<Socket, Stream>,
        preparation: Preparation,
        generation: u64,
    ) -> Self {
        Self {
            client: Arc::new(client),
            line: Line(Some(Box::new(connection))),
            statements: Statements::new(preparation),
            generation,
            quiet_since: Instant::now(),
        }
    }

    /// Holds a conversation.
    pub(super) async fn hold<T>(
        &mut self,
        conversation: impl AsyncFnOnce(&Arc<Client>, &mut Statements) -> T,
    ) -> T {
        let Self { client, line, statements, .. } = self;
        let outcome = line.drive(pin!(conversation(client, statements))).await;
        self.quiet_since = Instant::now();
        outcome
    }

    pub(super) fn client(&self) -> &Arc<Client> {
        &self.client
    }

    /// Whether no statement is being described.
    pub(super) fn is_settled(&self) -> bool {
        self.statements.is_settled()
    }

    /// Whether the connection works, as far as this side knows.
    pub(super) fn is_open(&self) -> bool {
        self.line.0.is_some()
    }

    /// How long nothing has run on it.
    pub(super) fn idle(&self) -> Duration {
        self.quiet_since.elapsed()
    }

    /// Reads what PostgreSQL may have said while nobody listened, such as good-bye.
    pub(super) fn look(&mut self) {
        self.line.poll(&mut Context::from_waker(Waker::noop()));
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Session").field("is_open", &self.is_open()).finish_non_exhaustive()
    }
}

impl Line {
    /// Runs a conversation and the connection, in one task.
    async fn drive<T>(&mut self, mut conversation: Pin<&mut impl Future<Output = T>>) -> T {
        std::future::poll_fn(|cx| {
            // First all that there is to say, then the write, then the answers that are there already.
            if let Poll::Ready(outcome) = conversation.as_mut().poll(cx) {
                return Poll::Ready(outcome);
            }
            self.poll(cx);
            conversation.as_mut().poll(cx)
        })
        .await
    }

    fn poll(&mut self, cx: &mut Context<'_>) {
        while let Some(connection) = &mut self.0 {
            match connection.poll_message(cx) {
                // Notices are for people, and notifications go to the listener's connection.
                Poll::Ready(Some(Ok(_))) => {}
                // Dropped, so that whoever waits for an answer learns that there will be none.
                Poll::Ready(Some(Err(_)) | None) => self.0 = None,
                Poll::Pending => return,
            }
        }
    }
}
