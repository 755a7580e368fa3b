//! Connections to servers of others, apart from the database: an issuer of keys, a collector of traces. TCP, and TLS with
//! the authorities that this machine trusts; a certificate is always verified. The caller sets the deadline.

use std::{fmt, io, sync::Arc, time::Duration};

use rustls::{ClientConfig, RootCertStore, crypto::aws_lc_rs, pki_types::ServerName};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpStream, lookup_host},
    time::timeout,
};
use tokio_rustls::TlsConnector;

/// One of several addresses of a host may never answer.
const CONNECT_WITHIN: Duration = Duration::from_secs(2);

/// A connection.
pub trait Io: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Io for T {}

/// Whether a connection is encrypted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encryption {
    /// TCP alone.
    None,
    /// TLS, with a certificate for the host.
    Tls,
}

/// Makes connections. Cheap to clone.
#[derive(Clone)]
pub struct Dialer(TlsConnector);

impl Dialer {
    /// Offers these protocols where it speaks TLS (ALPN), if any. Reads the certificates of authorities from files.
    pub fn new(protocols: &[&str]) -> Result<Dialer, String> {
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        let mut config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|error| error.to_string())?
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = protocols.iter().map(|name| name.as_bytes().to_vec()).collect();
        Ok(Dialer(TlsConnector::from(Arc::new(config))))
    }

    /// Connects to the first address of the host that answers.
    pub async fn dial(&self, host: &str, port: u16, encryption: Encryption) -> io::Result<Box<dyn Io>> {
        let stream = connect(host, port).await?;
        match encryption {
            Encryption::None => Ok(Box::new(stream)),
            Encryption::Tls => {
                let name = ServerName::try_from(host.to_owned()).map_err(io::Error::other)?;
                Ok(Box::new(self.0.connect(name, stream).await?))
            }
        }
    }
}

impl fmt::Debug for Dialer {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Dialer").finish_non_exhaustive()
    }
}

async fn connect(host: &str, port: u16) -> io::Result<TcpStream> {
    let mut last = io::Error::from(io::ErrorKind::NotFound);
    for socket in lookup_host((host, port)).await? {
        match timeout(CONNECT_WITHIN, TcpStream::connect(socket)).await {
            Ok(Ok(stream)) => return Ok(stream),
            Ok(Err(error)) => last = error,
            Err(elapsed) => last = elapsed.into(),
        }
    }
    Err(last)
}
