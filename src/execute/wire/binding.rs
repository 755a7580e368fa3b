//! What a password is bound to: the hash of the server's certificate, by the hash function of its signature
//! (RFC 5929, section 4: `tls-server-end-point`).

use aws_lc_rs::digest::{Algorithm, SHA256, SHA384, SHA512, digest};

/// Algorithms of signatures, as DER writes their identifiers, and the hash functions that they bind by.
const ALGORITHMS: [(&[u8], &Algorithm); 9] = [
    // With RSA: MD5 and SHA-1, which are replaced by SHA-256, and the rest.
    (b"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x04", &SHA256),
    (b"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x05", &SHA256),
    (b"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0b", &SHA256),
    (b"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0c", &SHA384),
    (b"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0d", &SHA512),
    // With ECDSA.
    (b"\x2a\x86\x48\xce\x3d\x04\x01", &SHA256),
    (b"\x2a\x86\x48\xce\x3d\x04\x03\x02", &SHA256),
    (b"\x2a\x86\x48\xce\x3d\x04\x03\x03", &SHA384),
    (b"\x2a\x86\x48\xce\x3d\x04\x03\x04", &SHA512),
];

/// What a password can be bound to; `None` where the certificate's signature has no hash function.
pub(in crate::execute) fn end_point(certificate: &[u8]) -> Option<Vec<u8>> {
    let identifier = signature_algorithm(certificate)?;
    let (_, algorithm) = ALGORITHMS.iter().find(|(known, _)| *known == identifier)?;
    Some(digest(algorithm, certificate).as_ref().to_vec())
}

/// `Certificate ::= SEQUENCE { tbsCertificate, signatureAlgorithm SEQUENCE { OBJECT IDENTIFIER, … }, … }`
fn signature_algorithm(certificate: &[u8]) -> Option<&[u8]> {
    let (certificate, _) = element(certificate)?;
    let (_, behind) = element(certificate)?;
    let (algorithm, _) = element(behind)?;
    Some(element(algorithm)?.0)
}

/// The contents of the first element, and what is behind it.
pub(in crate::execute) fn element(der: &[u8]) -> Option<(&[u8], &[u8])> {
    let [_tag, first, rest @ ..] = der else { return None };
    let (length, rest) = match first {
        0..=0x7f => (usize::from(*first), rest),
        0x81..=0x84 => {
            let (length, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
            (length.iter().fold(0, |length, byte| length << 8 | usize::from(*byte)), rest)
        }
        _ => return None,
    };
    rest.split_at_checked(length)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_end_where_they_say() {
        assert_eq!(element(b"\x30\x01ab"), Some((&b"a"[..], &b"b"[..])));
        assert_eq!(element(b"\x30\x81\x01ab"), Some((&b"a"[..], &b"b"[..])));
        for cut_off in
            [&b""[..], b"\x30", b"\x30\x01", b"\x30\x82\x01", b"\x30\x80", b"\x30\x88\0\0\0\0\0\0\0\0"]
        {
            assert_eq!(element(cut_off), None, "{cut_off:?}");
            assert_eq!(end_point(cut_off), None);
        }
    }

    #[test]
    fn the_hash_function_is_the_signature_s() {
        let signed = |oid: &[u8]| {
            let mut algorithm = vec![0x06, u8::try_from(oid.len()).unwrap()];
            algorithm.extend_from_slice(oid);
            let mut certificate = vec![0x30, 0x00, 0x30, u8::try_from(algorithm.len()).unwrap()];
            certificate.extend_from_slice(&algorithm);
            let mut whole = vec![0x30, u8::try_from(certificate.len()).unwrap()];
            whole.extend_from_slice(&certificate);
            end_point(&whole).map(|hash| hash.len())
        };
        assert_eq!(signed(b"\x2a\x86\x48\xce\x3d\x04\x03\x02"), Some(32));
        assert_eq!(signed(b"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0d"), Some(64));
        // Ed25519 has none.
        assert_eq!(signed(b"\x2b\x65\x70"), None);
    }
}
