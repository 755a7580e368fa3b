//! `sslmode=require`, and `prefer`: encrypted, to whomever. That the server has the key of its certificate is checked all
//! the same, since a password may be bound to the certificate; so nobody in between can show somebody else's.
//!
//! `openssl x509 -req` makes certificates of version 1 unless it is told otherwise, and libpq takes them here. webpki
//! reads version 3 alone, so the key is found here.

use crate::execute::wire::element;
use rustls::{
    CertificateError, DigitallySignedStruct, Error as TlsError, PeerMisbehaved, SignatureScheme,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    crypto::CryptoProvider,
    pki_types::{CertificateDer, ServerName, UnixTime},
};
use std::sync::Arc;

/// The tag of a certificate's version, which version 1 leaves out.
const VERSION: u8 = 0xa0;

#[derive(Debug)]
pub(super) struct Unchecked(pub(super) Arc<CryptoProvider>);

impl ServerCertVerifier for Unchecked {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, TlsError> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        self.verify(message, certificate, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        self.verify(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

impl Unchecked {
    /// Whether this message is signed with the certificate's key.
    fn verify(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        let key = Key::of(certificate).ok_or(TlsError::InvalidCertificate(CertificateError::BadEncoding))?;
        let supported = self.0.signature_verification_algorithms.mapping;
        let of_scheme = supported.iter().find(|(scheme, _)| *scheme == signed.scheme);
        let (_, algorithms) = of_scheme.ok_or(PeerMisbehaved::SignedHandshakeWithUnadvertisedSigScheme)?;
        let mut fitting = algorithms.iter().filter(|one| one.public_key_alg_id().as_ref() == key.algorithm);
        let is_signed =
            fitting.any(|one| one.verify_signature(key.bits, message, signed.signature()).is_ok());
        match is_signed {
            true => Ok(HandshakeSignatureValid::assertion()),
            false => Err(TlsError::InvalidCertificate(CertificateError::BadSignature)),
        }
    }
}

/// `SubjectPublicKeyInfo ::= SEQUENCE { algorithm SEQUENCE { … }, subjectPublicKey BIT STRING }`
struct Key<'c> {
    algorithm: &'c [u8],
    bits: &'c [u8],
}

impl<'c> Key<'c> {
    /// `Certificate ::= SEQUENCE { tbsCertificate SEQUENCE { [version], serial, signature, issuer, validity, subject,
    /// subjectPublicKeyInfo, … }, … }`
    fn of(certificate: &'c [u8]) -> Option<Self> {
        let (certificate, _) = element(certificate)?;
        let (mut rest, _) = element(certificate)?;
        let before = if *rest.first()? == VERSION { 6 } else { 5 };
        for _ in 0..before {
            rest = element(rest)?.1;
        }
        let (info, _) = element(rest)?;
        let (algorithm, key) = element(info)?;
        // The first byte says how many bits of the last one do not count.
        let (bits, _) = element(key)?;
        Some(Self { algorithm, bits: bits.strip_prefix(b"\0")? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_cut_off_has_no_key() {
        for cut_off in [&b""[..], b"\x30", b"\x30\x02\x30\x00", b"\x30\x04\x30\x02\xa0\x00"] {
            assert!(Key::of(cut_off).is_none(), "{cut_off:?}");
        }
    }
}
