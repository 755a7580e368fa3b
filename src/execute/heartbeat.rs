//! Asks PostgreSQL, on a connection of its own, whether it answers, and what it answers. One that is silent, with its connections open, is told
//! from one that is only slow: a question that is not answered soon is asked on new connections too, and whichever
//! answers first counts. It decides nothing.

use super::{
    connect::{Connector, of_driver},
    error,
    revival::Revival,
    side::Session,
    wire::Error as WireError,
};
use crate::error::Error;
use futures_util::{
    StreamExt,
    future::{Either, select},
    stream::FuturesUnordered,
};
use std::{collections::HashSet, mem, pin::pin, sync::Arc, time::Duration};
use tokio::time::{Instant, sleep, timeout, timeout_at};
use tokio_postgres::SimpleQueryMessage;

/// A question that is not answered within this is asked on another connection too.
const SOON: Duration = Duration::from_secs(1);

/// The processes that work for the login role. The catalog's names are written out, for settings of the role may hide them.
const AT_WORK: &str = "SELECT pid FROM pg_catalog.pg_stat_activity
    WHERE usename OPERATOR(pg_catalog.=) SESSION_USER AND state OPERATOR(pg_catalog.<>) 'idle'";

/// Which connection may be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ask {
    /// The one from before, where there is one.
    AsBefore,
    /// A new one: that an old one works says nothing of whether one can be made.
    Anew,
}

/// What is asked, and of whom.
#[derive(Clone, Copy, Debug)]
pub(super) struct Question {
    /// One statement.
    pub(super) sql: &'static str,
    pub(super) of: Whom,
}

/// Who is asked, where several servers are named.
#[derive(Clone, Copy, Debug)]
pub(super) enum Whom {
    /// The one that requests would reach.
    Reached,
    /// The one that takes writes.
    Primary,
}

impl Question {
    /// Whether there is an answer at all.
    pub(super) const NOTHING: Self = Self { sql: "", of: Whom::Reached };
}

/// The columns of the first row of an answer. A server that has no connection to give answers without any.
pub type Answer = Vec<Option<String>>;

/// What became of a question.
#[derive(Debug)]
pub enum Heard {
    /// An answer.
    Answer(Answer),
    /// An answer on a new connection where one from before is silent, or where there was none until now. All other
    /// connections from before may be dead, too.
    Revival(Revival, Answer),
    /// None.
    Nothing(Box<Error>),
}

/// Asks. Whoever has it asks one question at a time.
#[derive(Debug)]
pub struct Heartbeat {
    connector: Arc<Connector>,
    question: Question,
    session: Option<Session>,
    /// The last question had no answer.
    is_silent: bool,
}

impl Heartbeat {
    pub(super) fn new(connector: Arc<Connector>, question: Question) -> Self {
        Self { connector, question, session: None, is_silent: false }
    }

    /// Asks, and waits for an answer as long as `patience`.
    pub async fn beat(&mut self, ask: Ask, patience: Duration) -> Heard {
        let until = Instant::now() + patience;
        let (connector, question) = (Arc::clone(&self.connector), self.question);
        let before = match ask {
            Ask::AsBefore => self.session.take(),
            Ask::Anew => None,
        };
        let fresh = match before {
            None => timeout_at(until, fresh(&connector, question)).await,
            Some(session) => {
                let mut asked = Box::pin(answered(session, question));
                match timeout(SOON, &mut asked).await {
                    Ok(Ok(answered)) => return self.keep(answered),
                    // It is closed, and another one tells more.
                    Ok(Err(_)) => timeout_at(until, fresh(&connector, question)).await,
                    Err(_) => {
                        let fresh = pin!(fresh(&connector, question));
                        let fresh = match timeout_at(until, select(asked, fresh)).await {
                            Ok(Either::Left((Ok(answered), _))) => Either::Left(answered),
                            Ok(Either::Left((Err(_), fresh))) => {
                                Either::Right(timeout_at(until, fresh).await)
                            }
                            Ok(Either::Right((fresh, _))) => Either::Right(Ok(fresh)),
                            Err(late) => Either::Right(Err(late)),
                        };
                        match fresh {
                            Either::Left(answered) => return self.keep(answered),
                            Either::Right(fresh) => {
                                self.is_silent = true;
                                fresh
                            }
                        }
                    }
                }
            }
        };
        let error = match fresh {
            Ok(Ok((session, answer))) if mem::take(&mut self.is_silent) => {
                let revival = Revival { at_work: self.at_work(&session).await };
                self.session = Some(session);
                return Heard::Revival(revival, answer);
            }
            Ok(Ok(answered)) => return self.keep(answered),
            Ok(Err(error)) if error.is_full() => return Heard::Answer(Answer::new()),
            Ok(Err(error)) => error::reported(&error),
            Err(_) => error::silent(),
        };
        self.is_silent = true;
        Heard::Nothing(error)
    }

    fn keep(&mut self, (session, answer): (Session, Answer)) -> Heard {
        self.session = Some(session);
        Heard::Answer(answer)
    }

    /// The processes that work for the login role. Of several servers, one knows nothing of the others'.
    async fn at_work(&self, session: &Session) -> Option<Arc<HashSet<i32>>> {
        if !self.connector.is_of_one_server() {
            return None;
        }
        let rows = timeout(SOON, session.client().simple_query(AT_WORK)).await.ok()?.ok()?;
        let process = |message: &SimpleQueryMessage| match message {
            SimpleQueryMessage::Row(row) => row.get(0)?.parse().ok(),
            _ => None,
        };
        Some(Arc::new(rows.iter().filter_map(process).collect()))
    }
}

/// A new connection on which PostgreSQL has answered. A further one is tried each second, for one that was begun while
/// nothing answered may stay silent for ever.
async fn fresh(connector: &Connector, question: Question) -> Result<(Session, Answer), WireError> {
    let attempt = || async {
        let session = match question.of {
            Whom::Reached => Session::connect(connector).await?,
            Whom::Primary => Session::connect_to_primary(connector).await?,
        };
        answered(session, question).await
    };
    let mut attempts = FuturesUnordered::from_iter([attempt()]);
    loop {
        tokio::select! {
            Some(attempted) = attempts.next() => match attempted {
                Err(error) if attempts.is_empty() => return Err(error),
                Err(_) => {}
                Ok(answered) => return Ok(answered),
            },
            () = sleep(SOON) => attempts.push(attempt()),
        }
    }
}

/// The connection and the answer, when PostgreSQL has answered on it.
async fn answered(session: Session, question: Question) -> Result<(Session, Answer), WireError> {
    let messages = session.client().simple_query(question.sql).await.map_err(of_driver)?;
    let row = messages.iter().find_map(|message| match message {
        SimpleQueryMessage::Row(row) => {
            Some((0..row.len()).map(|at| row.get(at).map(str::to_owned)).collect())
        }
        _ => None,
    });
    Ok((session, row.unwrap_or_default()))
}
