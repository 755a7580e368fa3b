//! `pgduet --ready`: asks a running process' admin server whether it is ready, for scripts and container health checks.
//!
//! It prints nothing and ends nothing: the command line writes the outcome and chooses the exit code.

use std::fmt;
use std::io;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpStream, UnixStream};

use super::listen::Endpoint;
use crate::config::ListenHost;

/// How long a process that does not answer is waited for.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);

/// The process is ready: to standard output, exit code 0.
#[derive(Debug, PartialEq, Eq)]
pub struct Ready {
    url: String,
}

/// It is not, or nobody can tell: to standard error, exit code 1. The texts are those of PostgREST.
#[derive(Debug, PartialEq, Eq)]
pub enum NotReady {
    /// The configuration has no admin server.
    NoAdminServer,
    /// The host is one of those that stand for several addresses.
    SpecialHost(ListenHost),
    /// No answer from this URL.
    Refused(String),
    /// The answer from this URL was another one.
    Status(String),
}

/// Asks the admin server at `endpoint`, the one it was bound with.
pub async fn ready(endpoint: Option<&Endpoint>) -> Result<Ready, NotReady> {
    let (url, status) = match endpoint.ok_or(NotReady::NoAdminServer)? {
        Endpoint::Tcp { host, port } => {
            let ListenHost::Named(name) = host else { return Err(NotReady::SpecialHost(host.clone())) };
            let authority =
                if name.contains(':') { format!("[{name}]:{port}") } else { format!("{name}:{port}") };
            let status =
                answer(async { ask(TcpStream::connect((name.as_str(), *port)).await?, &authority).await });
            (format!("http://{authority}/ready"), status.await)
        }
        Endpoint::Unix { path, .. } => {
            let status = answer(async { ask(UnixStream::connect(path).await?, "localhost").await });
            (format!("unix:{}:/ready", path.display()), status.await)
        }
    };
    match status {
        Ok(b'2') => Ok(Ready { url }),
        Ok(_) => Err(NotReady::Status(url)),
        Err(_) => Err(NotReady::Refused(url)),
    }
}

async fn answer(asked: impl Future<Output = io::Result<u8>>) -> io::Result<u8> {
    tokio::time::timeout(ANSWER_WITHIN, asked).await?
}

/// The first digit of the status.
async fn ask(mut connection: impl AsyncRead + AsyncWrite + Unpin, authority: &str) -> io::Result<u8> {
    let request = format!("GET /ready HTTP/1.1\r\nHost: {authority}\r\nConnection: close\r\n\r\n");
    connection.write_all(request.as_bytes()).await?;
    let mut start = [0; b"HTTP/1.1 2".len()];
    connection.read_exact(&mut start).await?;
    match start {
        [b'H', b'T', b'T', b'P', b'/', b'1', b'.', _, b' ', status] => Ok(status),
        _ => Err(io::ErrorKind::InvalidData.into()),
    }
}

impl fmt::Display for Ready {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "OK: {}", self.url)
    }
}

impl fmt::Display for NotReady {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("ERROR: ")?;
        match self {
            NotReady::NoAdminServer => {
                formatter.write_str("Admin server is not running. Please check admin-server-port config.")
            }
            NotReady::SpecialHost(host) => write!(
                formatter,
                "The `--ready` flag cannot be used when server-host is configured as \"{host}\". \
                 Please update your server-host config to \"localhost\". \
                 Or set admin-server-host, which is server-host unless it is set: it is what `--ready` asks."
            ),
            NotReady::Refused(url) => write!(formatter, "connection refused to {url}"),
            NotReady::Status(url) => formatter.write_str(url),
        }
    }
}

impl std::error::Error for NotReady {}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use bytes::Bytes;
    use http::{Request, Response};
    use http_body_util::Full;

    use super::super::body::RequestBody;
    use super::super::connection::{Limits, serve_connections};
    use super::super::listen::{Address, ListenOptions, Listener, Sharing};
    use super::super::shutdown::shutdown_channel;
    use super::*;

    type TestResult = Result<(), Box<dyn std::error::Error>>;

    fn tcp(host: &str, port: u16) -> Endpoint {
        let host = ListenHost::Named(host.to_owned());
        Endpoint::Tcp { host, port }
    }

    /// Asks a server that answers `status` to `/ready`; gives its port and the outcome.
    async fn ask_one_that_answers(
        status: u16,
    ) -> Result<(u16, Result<Ready, NotReady>), Box<dyn std::error::Error>> {
        let options = ListenOptions { endpoint: tcp("127.0.0.1", 0), sharing: Sharing::Exclusive };
        let listener = Listener::bind(&options).await?;
        let Address::Tcp(address) = listener.address() else { return Err("not TCP".into()) };
        let service = tower::service_fn(move |request: Request<RequestBody>| async move {
            let mut response = Response::new(Full::new(Bytes::new()));
            if request.uri() == "/ready" {
                *response.status_mut() = http::StatusCode::from_u16(status).unwrap_or_default();
            }
            Ok::<_, Infallible>(response)
        });
        let (trigger, shutdown) = shutdown_channel();
        let server =
            tokio::spawn(
                async move { serve_connections(listener, service, &Limits::default(), shutdown).await },
            );
        let outcome = ready(Some(&tcp("127.0.0.1", address.port()))).await;
        trigger.announce();
        server.await?;
        Ok((address.port(), outcome))
    }

    #[tokio::test]
    async fn the_outcome_is_that_of_the_running_process() -> TestResult {
        let (port, outcome) = ask_one_that_answers(200).await?;
        assert_eq!(outcome?.to_string(), format!("OK: http://127.0.0.1:{port}/ready"));
        let (port, outcome) = ask_one_that_answers(503).await?;
        let outcome = outcome.map_err(|error| error.to_string());
        assert_eq!(outcome, Err(format!("ERROR: http://127.0.0.1:{port}/ready")));
        let refused = ready(Some(&tcp("127.0.0.1", port))).await.map_err(|error| error.to_string());
        assert_eq!(refused, Err(format!("ERROR: connection refused to http://127.0.0.1:{port}/ready")));
        Ok(())
    }

    #[tokio::test]
    async fn without_an_admin_server_or_with_a_host_that_is_none_nobody_is_asked() {
        assert_eq!(ready(None).await, Err(NotReady::NoAdminServer));
        let special = Endpoint::Tcp { host: ListenHost::OnlyIpv4, port: 3001 };
        assert_eq!(ready(Some(&special)).await, Err(NotReady::SpecialHost(ListenHost::OnlyIpv4)));
    }
}
