//! An issuer of tokens: it publishes keys over HTTP or HTTPS, and misbehaves as it is told. It speaks no HTTP that it was not
//! told to speak, so that it can lie.

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use std::{
    io::{self, Read, Write},
    net::{TcpListener, TcpStream},
    sync::{Arc, Mutex},
    thread,
};

/// A key that tokens are signed with.
pub(crate) struct Signer {
    id: String,
    pair: Ed25519KeyPair,
}

impl Signer {
    pub(crate) fn new(id: &str) -> Self {
        Self { id: id.to_owned(), pair: Ed25519KeyPair::generate().unwrap() }
    }

    /// A value of `Authorization` with these claims.
    pub(crate) fn bearer(&self, claims: &str) -> String {
        let header = format!(r#"{{"alg":"EdDSA","kid":"{}"}}"#, self.id);
        let signed = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims));
        let signature = URL_SAFE_NO_PAD.encode(self.pair.sign(signed.as_bytes()));
        format!("Bearer {signed}.{signature}")
    }

    fn jwk(&self) -> String {
        let x = URL_SAFE_NO_PAD.encode(self.pair.public_key());
        format!(r#"{{"kty":"OKP","crv":"Ed25519","kid":"{}","x":"{x}"}}"#, self.id)
    }
}

/// A set of the keys of these.
pub(crate) fn set(signers: &[&Signer]) -> String {
    let keys: Vec<_> = signers.iter().map(|signer| signer.jwk()).collect();
    format!(r#"{{"keys":[{}]}}"#, keys.join(","))
}

/// What is sent to whoever asks for a path.
#[derive(Clone)]
pub(crate) enum Reply {
    /// These bytes, and the end.
    Bytes(Vec<u8>),
    /// These bytes, and these over and over.
    Endless(Vec<u8>, Vec<u8>),
    /// Nothing, and no end.
    Silence,
}

/// An answer as a well-behaved server gives it.
pub(crate) fn answer(status: &str, headers: &str, body: &str) -> Reply {
    let length = body.len();
    Reply::Bytes(format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\n{headers}\r\n{body}").into_bytes())
}

/// A set of keys as a well-behaved issuer publishes it.
pub(crate) fn publishes(set: &str) -> Reply {
    answer("200 OK", "Content-Type: application/json\r\n", set)
}

type Behaviour = Arc<dyn Fn(&str) -> Reply + Send + Sync>;

/// A running issuer.
pub(crate) struct Issuer {
    address: String,
    behaviour: Arc<Mutex<Behaviour>>,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Issuer {
    /// One that speaks plain HTTP.
    pub(crate) fn start(reply: Reply) -> Self {
        Self::listen(None, reply)
    }

    /// One that speaks HTTPS, at `localhost`.
    pub(crate) fn secured(tls: ServerConfig, reply: Reply) -> Self {
        Self::listen(Some(Arc::new(tls)), reply)
    }

    fn listen(tls: Option<Arc<ServerConfig>>, reply: Reply) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let scheme = if tls.is_some() { "https" } else { "http" };
        let issuer = Self {
            address: format!("{scheme}://localhost:{port}"),
            behaviour: Arc::new(Mutex::new(Arc::new(move |_: &str| reply.clone()))),
            asked: Arc::default(),
        };
        let (behaviour, asked) = (issuer.behaviour.clone(), issuer.asked.clone());
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (tls, behaviour, asked) = (tls.clone(), behaviour.clone(), asked.clone());
                thread::spawn(move || {
                    // A client that hangs up, or trusts nobody, is none of the issuer's business.
                    let _ = match tls {
                        None => serve(stream, &behaviour, &asked),
                        Some(tls) => {
                            let connection = ServerConnection::new(tls).unwrap();
                            serve(StreamOwned::new(connection, stream), &behaviour, &asked)
                        }
                    };
                });
            }
        });
        issuer
    }

    /// The address of a path, which begins with a slash or is empty.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.address)
    }

    /// From now on every path is answered so.
    pub(crate) fn replies(&self, reply: Reply) {
        self.behaves(move |_| reply.clone());
    }

    /// From now on this decides.
    pub(crate) fn behaves(&self, behaviour: impl Fn(&str) -> Reply + Send + Sync + 'static) {
        *self.behaviour.lock().unwrap() = Arc::new(behaviour);
    }

    /// The paths that it was asked for so far.
    pub(crate) fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

trait Closing: Read + Write {
    fn close(&mut self);
}

impl Closing for TcpStream {
    fn close(&mut self) {}
}

impl Closing for StreamOwned<ServerConnection, TcpStream> {
    fn close(&mut self) {
        self.conn.send_close_notify();
        let _ = self.flush();
    }
}

fn serve(
    mut stream: impl Closing,
    behaviour: &Mutex<Behaviour>,
    asked: &Mutex<Vec<String>>,
) -> io::Result<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte)?;
        head.push(byte[0]);
    }
    let head = String::from_utf8(head).unwrap();
    let path = head.split(' ').nth(1).unwrap().to_owned();
    asked.lock().unwrap().push(path.clone());
    let behaviour = behaviour.lock().unwrap().clone();
    match behaviour(&path) {
        Reply::Bytes(bytes) => stream.write_all(&bytes)?,
        Reply::Endless(first, more) => {
            stream.write_all(&first)?;
            loop {
                stream.write_all(&more)?;
            }
        }
        // Until the client goes away.
        Reply::Silence => drop(stream.read(&mut [0])?),
    }
    stream.close();
    Ok(())
}
