//! TLS on the listener: certificate and key, and the authorities of clients' certificates, from files that may change while
//! the server runs. What cannot be read then leaves what is there in force. It accepts no connection.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use arc_swap::ArcSwap;
use bytes::Bytes;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use tokio_rustls::TlsAcceptor;
use x509_cert::Certificate;
use x509_cert::der::Decode;

/// What clients may speak, the best first.
const PROTOCOLS: [&[u8]; 2] = [b"h2", b"http/1.1"];

/// Where everything is; all in PEM.
#[derive(Debug, Clone)]
pub struct Files {
    /// The server's certificate, and those between it and the authority.
    pub certificate: PathBuf,
    /// Its key.
    pub key: PathBuf,
    /// The authorities of the clients, if clients may show certificates.
    pub client_authorities: Option<PathBuf>,
}

/// What is wrong with a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unusable(String);

/// The server's side of TLS.
pub struct Tls {
    files: Files,
    config: ArcSwap<ServerConfig>,
    /// When the files were changed that were looked at last.
    seen: Mutex<Vec<Option<SystemTime>>>,
}

/// The subject of a client's certificate, as RFC 4514 writes it, such as `CN=reports,O=Example`. Found in the extensions
/// of each request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subject(pub Bytes);

impl Tls {
    /// Reads the files.
    pub fn load(files: Files) -> Result<Tls, Unusable> {
        let seen = Mutex::new(files.changed());
        let config = ArcSwap::from_pointee(config(&files)?);
        Ok(Tls { files, config, seen })
    }

    /// Reads the files again, for connections that come from now on.
    pub fn reload(&self) {
        let changed = self.files.changed();
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner) = changed;
        match config(&self.files) {
            Ok(config) => {
                self.config.store(Arc::new(config));
                tracing::info!("The certificate of the server was read again");
            }
            Err(error) => tracing::error!("The certificate of the server stays as it was: {error}"),
        }
    }

    /// The same if a file has changed.
    pub fn reload_if_changed(&self) {
        let changed = self.files.changed();
        if *self.seen.lock().unwrap_or_else(PoisonError::into_inner) != changed {
            self.reload();
        }
    }

    /// What accepts a connection now.
    pub(super) fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(self.config.load_full())
    }
}

impl Files {
    fn all(&self) -> impl Iterator<Item = &Path> {
        [&self.certificate, &self.key].into_iter().chain(&self.client_authorities).map(PathBuf::as_path)
    }

    fn changed(&self) -> Vec<Option<SystemTime>> {
        self.all().map(|path| fs::metadata(path).and_then(|metadata| metadata.modified()).ok()).collect()
    }
}

fn config(files: &Files) -> Result<ServerConfig, Unusable> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let chain = certificates(&files.certificate)?;
    let key = PrivateKeyDer::from_pem_file(&files.key).map_err(|error| unreadable(&files.key, &error))?;
    // 1.2 and 1.3.
    let builder = ServerConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .map_err(|error| Unusable(error.to_string()))?;
    let builder = match &files.client_authorities {
        None => builder.with_no_client_auth(),
        Some(path) => {
            let mut authorities = RootCertStore::empty();
            for certificate in certificates(path)? {
                authorities.add(certificate).map_err(|error| unreadable(path, &error))?;
            }
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(authorities), provider)
                .allow_unauthenticated()
                .build()
                .map_err(|error| unreadable(path, &error))?;
            builder.with_client_cert_verifier(verifier)
        }
    };
    let mut config =
        builder.with_single_cert(chain, key).map_err(|error| unreadable(&files.certificate, &error))?;
    config.alpn_protocols = PROTOCOLS.map(<[u8]>::to_vec).into();
    Ok(config)
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, Unusable> {
    let read = CertificateDer::pem_file_iter(path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    match read {
        Ok(found) if found.is_empty() => Err(Unusable(format!("{}: no certificate in it", path.display()))),
        Ok(found) => Ok(found),
        Err(error) => Err(unreadable(path, &error)),
    }
}

fn unreadable(path: &Path, error: &dyn fmt::Display) -> Unusable {
    Unusable(format!("{}: {error}", path.display()))
}

/// The subject of a certificate that has been verified.
pub(super) fn subject(certificate: &CertificateDer<'_>) -> Option<Subject> {
    let certificate = Certificate::from_der(certificate).ok()?;
    Some(Subject(certificate.tbs_certificate().subject().to_string().into()))
}

impl fmt::Debug for Tls {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Tls").field("files", &self.files).finish_non_exhaustive()
    }
}

impl fmt::Display for Unusable {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

impl std::error::Error for Unusable {}
