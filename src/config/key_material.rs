//! What the text of `jwt-secret` or `page-token-secret` is, by how it begins. Public keys, addresses and tokens are
//! public: taken for an HMAC secret, each of them would let everybody sign. So such a text is never a secret, however
//! broken it is; it is either read as keys or refused. It reads no keys.

use base64::{Engine, prelude::BASE64_STANDARD};

/// Bytes of a secret below which nobody has to guess for long (RFC 7518, section 3.2: as many as the hash has).
pub const SHORTEST_SECRET: usize = 32;

/// Key material, told apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyMaterial<'a> {
    /// A secret, as it stands.
    Text(&'a [u8]),
    /// A JSON object, without what may stand before it.
    Object(&'a [u8]),
    /// The address of keys: it begins with `https://` or `http://`.
    Address(&'a str),
}

/// How a text begins that is never a secret, in lower case, and what it is then.
const NEVER_SECRET: &[(&str, &str)] = &[
    ("[", "begins with `[`: keys have to stand in an object, as {\"keys\": […]}"),
    ("\"", "begins with `\"`: keys in JSON have to be an object, and a secret must not stand in quotes"),
    ("-----begin", "is in PEM: keys have to be JSON Web Keys"),
    ("---- begin", "is a key of SSH: keys have to be JSON Web Keys"),
    ("ssh-", "is a key of SSH: keys have to be JSON Web Keys"),
    ("ecdsa-sha2-", "is a key of SSH: keys have to be JSON Web Keys"),
    ("<?xml", "is XML: keys have to be JSON Web Keys"),
    ("<rsakeyvalue", "is XML: keys have to be JSON Web Keys"),
    ("<!doctype", "is HTML: keys have to be JSON Web Keys"),
    ("<html", "is HTML: keys have to be JSON Web Keys"),
    ("eyj", "is JSON in base64, such as a token or an encoded key"),
    ("ls0tls1crudjti", "is PEM in base64: keys have to be JSON Web Keys"),
];

/// So many characters tell text from random bytes.
const TELLING: usize = 16;

impl KeyMaterial<'_> {
    /// Tells what these bytes are. The error says why they are nothing that a key could be, as the end of a sentence.
    pub fn of(bytes: &[u8]) -> Result<KeyMaterial<'_>, &'static str> {
        if is_der(bytes) || unwrapped(bytes).is_some_and(|bytes| is_der(&bytes)) {
            return Err("is a key in DER: keys have to be JSON Web Keys");
        }
        // Text in UTF-16 begins like text in UTF-8 once its zeros are left out.
        let beginning: String =
            bytes.iter().filter(|&&byte| byte != 0).map(|&byte| char::from(byte)).take(64).collect();
        let beginning = beginning.trim_start_matches(is_blank).to_ascii_lowercase();
        if is_random(bytes, beginning.as_str()) {
            return Ok(KeyMaterial::Text(bytes));
        }
        if let Some((_, why)) = NEVER_SECRET.iter().find(|(prefix, _)| beginning.starts_with(prefix)) {
            return Err(why);
        }
        if is_address(&beginning) {
            let is_http = ["https://", "http://"].iter().any(|scheme| beginning.starts_with(scheme));
            let text = std::str::from_utf8(bytes).ok().filter(|_| is_http);
            let text = text.map(|text| {
                text.trim_start_matches(|c: char| c.is_whitespace() || c == '\u{feff}').trim_end()
            });
            return text
                .map(KeyMaterial::Address)
                .ok_or("is an address, and keys are fetched by https alone");
        }
        match beginning.starts_with('{') {
            true => Ok(KeyMaterial::Object(without_mark(bytes))),
            false => Ok(KeyMaterial::Text(bytes)),
        }
    }
}

/// Whether these are bytes and no text. One in eighty random secrets begins with the byte of a brace, a bracket or a
/// quote; hardly one of them is UTF-8, or goes on as JSON has to. What is text in some other encoding does.
fn is_random(bytes: &[u8], beginning: &str) -> bool {
    let mut tokens = beginning.chars().filter(|c| !c.is_whitespace());
    let is_json = match (tokens.next(), tokens.next()) {
        (Some('{'), Some(next)) => "\"}".contains(next),
        (Some('['), Some(next)) => "[{\"]".contains(next),
        (Some(_) | None, _) => false,
    };
    let is_ascii = |c: char| c.is_ascii_graphic() || c.is_ascii_whitespace();
    std::str::from_utf8(bytes).is_err() && !is_json && !beginning.chars().take(TELLING).all(is_ascii)
}

/// White space, and the bytes of a byte order mark in any encoding, each as a character.
fn is_blank(c: char) -> bool {
    c.is_whitespace() || matches!(c, '\u{ef}' | '\u{bb}' | '\u{bf}' | '\u{fe}' | '\u{ff}')
}

/// JSON readers do not take a byte order mark.
fn without_mark(bytes: &[u8]) -> &[u8] {
    let bytes = bytes.trim_ascii_start();
    bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes)
}

/// `scheme://` (RFC 3986, section 3.1).
fn is_address(beginning: &str) -> bool {
    beginning.split_once("://").is_some_and(|(scheme, _)| {
        scheme.starts_with(|c: char| c.is_ascii_alphabetic())
            && scheme.chars().all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c))
    })
}

/// One ASN.1 sequence from the first byte to the last one: a key or a certificate without its armour.
fn is_der(bytes: &[u8]) -> bool {
    let long = |length: &[u8]| length.iter().fold(0_usize, |sum, byte| sum << 8 | usize::from(*byte));
    match bytes {
        [0x30, length @ 0..=0x7f, rest @ ..] => rest.len() == usize::from(*length),
        [0x30, 0x81, length, rest @ ..] => rest.len() == usize::from(*length),
        [0x30, 0x82, high, low, rest @ ..] => rest.len() == long(&[*high, *low]),
        _ => false,
    }
}

/// What the lines of a PEM file are the base64 of.
fn unwrapped(bytes: &[u8]) -> Option<Vec<u8>> {
    let text: Vec<u8> = bytes.iter().copied().filter(|byte| !byte.is_ascii_whitespace()).collect();
    BASE64_STANDARD.decode(text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "reallyreallyreallyreallyverysafe";

    #[test]
    fn what_begins_like_keys_or_an_address_is_never_a_secret() {
        let spki = [&[0x30, 0x2a][..], &[7; 0x2a]].concat();
        let padded = |text: &str| format!("{text:<64}").into_bytes();
        let utf16 = |text: &str| text.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<_>>();
        let public: Vec<Vec<u8>> = vec![
            padded("[{\"kty\":\"RSA\"}]"),
            padded("\"{\\\"keys\\\":[]}\""),
            padded("-----BEGIN PUBLIC KEY-----"),
            padded("  \n-----BEGIN RSA PUBLIC KEY-----"),
            padded("\u{feff}-----BEGIN CERTIFICATE-----"),
            padded("---- BEGIN SSH2 PUBLIC KEY ----"),
            padded("ssh-rsa AAAAB3NzaC1yc2E"),
            padded("file:///etc/keys.json"),
            utf16("file:///etc/keys.json"),
            padded("<!DOCTYPE html><html>"),
            padded(&BASE64_STANDARD.encode("{\"keys\":[]}")),
            padded(&BASE64_STANDARD.encode("-----BEGIN PUBLIC KEY-----")),
            utf16("-----BEGIN PUBLIC KEY-----"),
            [b"\xff\xfe".to_vec(), utf16("[\"keys\"] ")].concat(),
            BASE64_STANDARD.encode(&spki).into_bytes(),
            spki,
        ];
        for material in public {
            let shown = String::from_utf8_lossy(&material);
            assert!(KeyMaterial::of(&material).is_err(), "{shown}");
        }
        for object in [
            "{",
            " {\"keys\":[",
            "\u{feff}{\"kty\":\"RSA\",}",
            "{not JSON at all, but long enough to be a secret}",
        ] {
            assert!(matches!(KeyMaterial::of(object.as_bytes()), Ok(KeyMaterial::Object(_))), "{object}");
        }
        for address in ["http://issuer.example/jwks.json", "HTTPS://issuer.example/.well-known/jwks.json"] {
            for text in [address.to_owned(), format!(" \u{feff}{address}\n")] {
                assert_eq!(KeyMaterial::of(text.as_bytes()), Ok(KeyMaterial::Address(address)));
            }
        }
        let latin1 = [&b"{\"kid\":\"cl"[..], b"\xe9\",\"kty\":\"RSA\"}"].concat();
        for object in ["{\"kid\":\"cl\u{e9}\",\"kty\":\"RSA\"}".as_bytes(), &latin1] {
            assert!(matches!(KeyMaterial::of(object), Ok(KeyMaterial::Object(_))), "{object:?}");
        }
        assert!(KeyMaterial::of("\"\u{e9} in quotes, and longer than a secret\"".as_bytes()).is_err());
        let json = utf16("{\"keys\":[]}");
        assert!(
            matches!(KeyMaterial::of(&json), Ok(KeyMaterial::Object(_))),
            "UTF-16 is no JSON, and no secret either"
        );
    }

    #[test]
    fn every_other_text_is_a_secret_as_it_stands() {
        for secret in [
            SECRET,
            " a secret after a blank is a secret",
            "a-secret-with-{braces}-and-[brackets]",
            "://",
            "",
        ] {
            assert_eq!(
                KeyMaterial::of(secret.as_bytes()),
                Ok(KeyMaterial::Text(secret.as_bytes())),
                "{secret}"
            );
        }
        assert_eq!(KeyMaterial::of(&[0x30; 40]), Ok(KeyMaterial::Text(&[0x30; 40])));
        let random = [b"{[\"", &[0x9c, 0x03, 0xf1][..], &[0xa7; 26]].concat();
        assert_eq!(KeyMaterial::of(&random), Ok(KeyMaterial::Text(&random)));
    }
}
