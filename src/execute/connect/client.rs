//! tokio-postgres on a line of this module, for what is not a request: it makes no connection itself, so that all that is
//! said of making connections holds for it too. Who reads the catalog or listens has a [`Client`]; somebody has to poll
//! its [`Connection`].

use super::{Begin, Connector, HEARD_WITHIN, Opened, Way, too_late};
use crate::{
    error::{Severity, chain},
    execute::wire::{Error as WireError, Line, ServerError, Writes},
};
use std::{
    future::{Ready, ready},
    io,
    pin::Pin,
    task::{Context, Poll},
};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_postgres::{
    CancelToken, Client, Config, SimpleQueryMessage,
    config::{SslMode, SslNegotiation},
    error::Severity as Known,
    tls::{ChannelBinding, TlsConnect, TlsStream},
};

/// What tokio-postgres says where the server asks for a password and there is none. PostgreSQL would call it a wrong one.
const NO_PASSWORD: &str = "password missing";
const INVALID_PASSWORD: &str = "28P01";

/// The connection of a client. A task has to poll it, or no call of the client is ever answered.
pub type Connection = tokio_postgres::Connection<Opened, Opened>;

/// Clients of tokio-postgres.
#[derive(Clone, Copy, Debug)]
pub(in crate::execute) struct Clients;

/// A client, and what has to be polled for it.
pub(in crate::execute) struct Driven {
    pub(in crate::execute) client: Client,
    pub(in crate::execute) connection: Connection,
}

impl Begin for Clients {
    type Session = Driven;

    async fn begin(&self, opened: Opened, config: &Config) -> Result<Driven, WireError> {
        let mut config = config.clone();
        // Whether there is TLS has been settled, and it stands already: `Handed` gives the line back as it is.
        config.ssl_mode(SslMode::Require).ssl_negotiation(SslNegotiation::Direct);
        let (client, connection) = config.connect_raw(opened, Handed).await.map_err(of_driver)?;
        Ok(Driven { client, connection })
    }

    async fn writes(driven: &mut Driven) -> Result<Writes, WireError> {
        let Driven { client, connection } = driven;
        let answer = tokio::select! {
            answer = client.simple_query("SHOW transaction_read_only") => answer.map_err(of_driver)?,
            ended = connection => {
                ended.map_err(of_driver)?;
                return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
            }
        };
        let refuses = |message: &SimpleQueryMessage| match message {
            SimpleQueryMessage::Row(row) => row.get(0) == Some("on"),
            _ => false,
        };
        Ok(if answer.iter().any(refuses) { Writes::Refused } else { Writes::Taken })
    }
}

impl Connector {
    /// Asks PostgreSQL to stop what a client's session runs; returns when it has heard that.
    pub(in crate::execute) async fn cancel_client(
        &self,
        cancel: &CancelToken,
        way: &Way,
    ) -> Result<(), WireError> {
        let asked = async {
            let line = self.line(way).await?;
            cancel.cancel_query_raw(line, Handed).await.map_err(of_driver)
        };
        tokio::time::timeout(HEARD_WITHIN, asked).await.unwrap_or_else(|_| Err(too_late()))
    }
}

/// What the driver reports: of PostgreSQL's errors the fields, of all else the text.
pub(in crate::execute) fn of_driver(error: tokio_postgres::Error) -> WireError {
    if let Some(found) = error.as_db_error() {
        return WireError::Server(Box::new(ServerError {
            sqlstate: found.code().code().to_owned(),
            severity: match found.parsed_severity() {
                Some(Known::Fatal | Known::Panic) => Severity::Fatal,
                Some(_) | None => Severity::Error,
            },
            message: found.message().to_owned(),
            detail: found.detail().map(Into::into),
            hint: found.hint().map(Into::into),
            table: found.table().map(Into::into),
            column: found.column().map(Into::into),
            constraint: found.constraint().map(Into::into),
        }));
    }
    let cause = std::error::Error::source(&error).map(ToString::to_string);
    match cause.as_deref() {
        Some(NO_PASSWORD) => WireError::Server(Box::new(ServerError {
            sqlstate: INVALID_PASSWORD.to_owned(),
            message: "password authentication failed: no password is configured".to_owned(),
            ..ServerError::default()
        })),
        Some(_) | None => io::Error::other(chain(&error)).into(),
    }
}

/// Gives a line back as it is: its TLS, if it has any, stands.
#[derive(Clone, Copy, Debug)]
struct Handed;

impl TlsConnect<Opened> for Handed {
    type Stream = Opened;
    type Error = io::Error;
    type Future = Ready<io::Result<Opened>>;

    fn connect(self, opened: Opened) -> Self::Future {
        ready(Ok(opened))
    }
}

impl TlsStream for Opened {
    fn channel_binding(&self) -> ChannelBinding {
        match &self.binding {
            Some(hash) => ChannelBinding::tls_server_end_point(hash.clone()),
            None => ChannelBinding::none(),
        }
    }
}

impl Opened {
    fn line(self: Pin<&mut Self>) -> Pin<&mut dyn Line> {
        Pin::new(&mut *self.get_mut().line)
    }
}

impl AsyncRead for Opened {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.line().poll_read(context, buffer)
    }
}

impl AsyncWrite for Opened {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.line().poll_write(context, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.line().poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.line().poll_shutdown(context)
    }
}
