//! rustls as `sslmode` asks for it: how far the server's certificate is checked,
//! against which roots, and what the client shows. Whether TLS is used at all
//! is not decided here.

mod unchecked;

use crate::config::connection::{ClientCertificate, Roots, Tls, Verification};
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error as TlsError, RootCertStore, SignatureScheme,
    client::{
        WebPkiServerVerifier,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
        verify_server_name,
    },
    crypto::{CryptoProvider, aws_lc_rs},
    pki_types::{
        CertificateDer, CertificateRevocationListDer, PrivateKeyDer, ServerName, UnixTime, pem::PemObject,
    },
    server::ParsedCertificate,
};
use std::{
    path::{Path, PathBuf},
    sync::Arc,
};
use unchecked::Unchecked;

/// What PostgreSQL calls itself in the handshake
/// (<https://www.postgresql.org/docs/current/protocol-flow.html#PROTOCOL-FLOW-SSL>).
const ALPN: &[u8] = b"postgresql";

/// The client's side of TLS, or what is wrong with the files it needs.
pub(super) fn client_config(tls: &Tls) -> Result<ClientConfig, String> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let verifier: Arc<dyn ServerCertVerifier> = match tls.verification {
        Verification::None => Arc::new(Unchecked(Arc::clone(&provider))),
        Verification::Authority => Arc::new(Authority::new(tls, Name::Any, &provider)?),
        Verification::AuthorityAndName => Arc::new(Authority::new(tls, Name::Asked, &provider)?),
    };
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?
        .dangerous()
        .with_custom_certificate_verifier(verifier);
    let mut config = match &tls.client {
        None => builder.with_no_client_auth(),
        Some(ClientCertificate { certificate, key }) => {
            let chain = certificates(certificate)?;
            let key = PrivateKeyDer::from_pem_file(key).map_err(|error| unreadable(key, &error))?;
            builder.with_client_auth_cert(chain, key).map_err(|error| error.to_string())?
        }
    };
    config.alpn_protocols = vec![ALPN.to_vec()];
    Ok(config)
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let read = CertificateDer::pem_file_iter(path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    match read {
        Ok(found) if found.is_empty() => Err(format!("{}: no certificate in it", path.display())),
        Ok(found) => Ok(found),
        Err(error) => Err(unreadable(path, &error)),
    }
}

/// The lists of revoked certificates. With any, each certificate has to be on none of them, and its authority's has to be
/// there, as in libpq.
fn revoked(files: &[PathBuf]) -> Result<Vec<CertificateRevocationListDer<'static>>, String> {
    let mut lists = Vec::new();
    for path in files {
        let read = CertificateRevocationListDer::pem_file_iter(path)
            .and_then(Iterator::collect::<Result<Vec<_>, _>>)
            .map_err(|error| unreadable(path, &error))?;
        if read.is_empty() {
            return Err(format!("{}: no list of revoked certificates in it", path.display()));
        }
        lists.extend(read);
    }
    Ok(lists)
}

fn unreadable(path: &Path, error: &dyn std::fmt::Display) -> String {
    format!("{}: {error}", path.display())
}

/// `sslmode=verify-ca` and `verify-full`: signed by a trusted authority.
#[derive(Debug)]
struct Authority {
    signed: Arc<WebPkiServerVerifier>,
    /// The certificates of the file, which are trusted as a server's, too. Such
    /// that signed themselves, as PostgreSQL's manual has them (section 19.9.5),
    /// call themselves an authority's, and webpki takes those for nothing else.
    roots: Vec<CertificateDer<'static>>,
    name: Name,
}

/// For which name the certificate may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Name {
    Any,
    /// The one that was connected to.
    Asked,
}

impl Authority {
    fn new(tls: &Tls, name: Name, provider: &Arc<CryptoProvider>) -> Result<Self, String> {
        let mut store = RootCertStore::empty();
        let roots = match &tls.roots {
            Roots::System => {
                let found = rustls_native_certs::load_native_certs();
                store.add_parsable_certificates(found.certs);
                if store.is_empty() {
                    let problems =
                        found.errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
                    return Err(format!("no root certificates on this system, set sslrootcert ({problems})"));
                }
                Vec::new()
            }
            Roots::File(path) => {
                let roots = certificates(path)?;
                for certificate in &roots {
                    store.add(certificate.clone()).map_err(|error| unreadable(path, &error))?;
                }
                roots
            }
        };
        let signed = WebPkiServerVerifier::builder_with_provider(Arc::new(store), Arc::clone(provider))
            .with_crls(revoked(&tls.revoked)?)
            .build();
        Ok(Self { signed: signed.map_err(|error| error.to_string())?, roots, name })
    }

    fn is_root(&self, certificate: &CertificateDer<'_>) -> bool {
        self.roots.iter().any(|root| root.as_ref() == certificate.as_ref())
    }
}

impl ServerCertVerifier for Authority {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        chain: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, TlsError> {
        let verdict = self.signed.verify_server_cert(certificate, chain, name, ocsp, now);
        let Err(TlsError::InvalidCertificate(problem)) = &verdict else { return verdict };
        match (problem, self.name) {
            // The name is checked last, when everything else is found good.
            (
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
                Name::Any,
            ) => Ok(ServerCertVerified::assertion()),
            // What it may be used for is checked after the dates.
            (CertificateError::Other(_), wanted) if self.is_root(certificate) => {
                if wanted == Name::Asked {
                    verify_server_name(&ParsedCertificate::try_from(certificate)?, name)?;
                }
                Ok(ServerCertVerified::assertion())
            }
            (_, Name::Any | Name::Asked) => verdict,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        self.signed.verify_tls12_signature(message, certificate, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        self.signed.verify_tls13_signature(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.signed.supported_verify_schemes()
    }
}
