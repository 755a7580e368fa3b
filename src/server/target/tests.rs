//! What is repaired, what is never touched, and that hyper and [`RepairTarget`] agree on where requests begin.

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use proptest::prelude::*;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::RepairTarget;

type TestResult = Result<(), Box<dyn std::error::Error>>;

/// Everything that is read from a connection which brings `pieces`, through a buffer of `room` bytes.
fn repaired(pieces: &[&[u8]], room: usize) -> Vec<u8> {
    let mut connection = connection_of(pieces);
    let (mut output, mut buffer) = (Vec::new(), vec![0; room]);
    loop {
        let read = futures_util::FutureExt::now_or_never(connection.read(&mut buffer));
        match read {
            Some(Ok(0)) | None => return output,
            Some(Ok(length)) => output.extend_from_slice(&buffer[..length]),
            Some(Err(error)) => panic!("reading from memory failed: {error}"),
        }
    }
}

/// A connection that delivers one piece per read, the first of them already received.
fn connection_of(pieces: &[&[u8]]) -> RepairTarget<Pieces> {
    let (received, later) = pieces.split_first().unwrap_or((&NOTHING, &[]));
    let later = later.iter().filter(|piece| !piece.is_empty());
    RepairTarget::new(Pieces(later.map(|piece| Bytes::copy_from_slice(piece)).rev().collect()), received)
}

const NOTHING: &[u8] = &[];

/// Later pieces first.
struct Pieces(Vec<Bytes>);

impl tokio::io::AsyncRead for Pieces {
    fn poll_read(
        mut self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
        buffer: &mut tokio::io::ReadBuf<'_>,
    ) -> std::task::Poll<std::io::Result<()>> {
        if let Some(mut piece) = self.0.pop() {
            let now = piece.split_to(piece.len().min(buffer.remaining()));
            buffer.put_slice(&now);
            if !piece.is_empty() {
                self.0.push(piece);
            }
        }
        std::task::Poll::Ready(Ok(()))
    }
}

fn repaired_text(stream: &str) -> String {
    String::from_utf8_lossy(&repaired(&[b"", stream.as_bytes()], 4096)).into_owned()
}

#[test]
fn the_bytes_that_http_uri_refuses_are_percent_encoded_in_path_and_query() {
    let stream = "GET /a\"b`c?select=data->>key&x=lt.<\"é\"#1 HTTP/1.1\r\n\r\n";
    let expected = "GET /a%22b%60c?select=data-%3E%3Ekey&x=lt.%3C%22%C3%A9%22%231 HTTP/1.1\r\n\r\n";
    assert_eq!(repaired_text(stream), expected);
}

#[test]
fn every_byte_that_may_stand_in_a_request_line_gives_a_uri_that_decodes_to_it() {
    for byte in (0x21..=0x7e).chain(0x80..=0xff) {
        for prefix in ["/x", "/x?y="] {
            let stream = [b"GET ", prefix.as_bytes(), &[byte], b" HTTP/1.1\r\n\r\n"].concat();
            let output = repaired(&[&stream], 4096);
            let target = output.split(|&byte| byte == b' ').nth(1).unwrap_or_default();
            let uri = http::Uri::try_from(target).map(|uri| uri.to_string());
            let uri = uri.unwrap_or_else(|error| panic!("{byte:#x} after {prefix}: {error}"));
            let decoded: Vec<u8> = percent_encoding::percent_decode_str(&uri).collect();
            let expected = [prefix.as_bytes(), &[byte]].concat();
            assert_eq!(decoded, if byte == b'%' { [prefix, "%"].concat().into_bytes() } else { expected });
        }
    }
}

#[test]
fn keep_alive_and_pipelined_requests_are_repaired_and_their_headers_and_bodies_are_not() {
    let stream = "\r\nPOST /a?x=> HTTP/1.1\r\nReferer: /b?\"<>\r\nCONTENT-length: \t 30 \r\n\r\n\
                  GET /not?a=\"target\" HTTP/1.1\r\n\
                  GET /c?y=< HTTP/1.0\nX: >\n\n\
                  GET /d?z=\" HTTP/1.1\r\n\r\n";
    let expected = "\r\nPOST /a?x=%3E HTTP/1.1\r\nReferer: /b?\"<>\r\nCONTENT-length: \t 30 \r\n\r\n\
                  GET /not?a=\"target\" HTTP/1.1\r\n\
                  GET /c?y=%3C HTTP/1.0\nX: >\n\n\
                  GET /d?z=%22 HTTP/1.1\r\n\r\n";
    assert_eq!(repaired_text(stream), expected);
}

#[test]
fn chunks_extensions_and_trailers_are_not_touched_and_the_request_behind_them_is_repaired() {
    let body = "1E ;a=\">\"\r\nGET /not?a=\"target\" HTTP/1.1\r\n\r\n00a\r\n\r\n\r\n\r\n\"\"<>\r\n\
                0\r\nX-Trailer: \">\r\n\r\n";
    let head = |target| format!("POST {target} HTTP/1.1\r\nTransfer-Encoding: Chunked\r\n\r\n");
    assert_eq!(
        repaired_text(&format!("{}{body}{}", head("/a?>"), head("/b?<"))),
        format!("{}{body}{}", head("/a?%3E"), head("/b?%3C"))
    );
}

#[test]
fn http_2_is_passed_through_from_its_preface_on() {
    let stream = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\nGET /a?> HTTP/1.1\r\n\r\n";
    assert_eq!(repaired_text(stream), stream);
}

#[test]
fn nothing_is_changed_any_more_once_a_message_can_be_read_in_two_ways() {
    let ambiguous = [
        "POST / HTTP/1.1\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
        "POST / HTTP/1.1\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nabcde",
        "POST / HTTP/1.1\r\nContent-Length: 5, 5\r\n\r\nabcde",
        "POST / HTTP/1.1\r\nContent-Length: +5\r\n\r\nabcde",
        "POST / HTTP/1.1\r\nContent-Length: \r\n\r\n",
        "POST / HTTP/1.1\r\nContent-Length: 18446744073709551616\r\n\r\n",
        "POST / HTTP/1.1\r\nContent-Length : 5\r\n\r\nabcde",
        "POST / HTTP/1.1\r\nX: a\r\n Content-Length: 5\r\n\r\nabcde",
        "POST / HTTP/1.1\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n10000000000000000\r\n",
        "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n\r\n",
        "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1;a\nb\r\n0\r\n\r\n",
        "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nab\r\n0\r\n\r\n",
        "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\na: b\n\r\n",
        "CONNECT a:1 HTTP/1.1\r\n\r\n",
        "GET /\r\n\r\n",
        "GET  / HTTP/1.1\r\n\r\n",
        "GET / HTTP/1.1 \r\n\r\n",
        "GET / HTTP/1.10\r\n\r\n",
        "GET /\t HTTP/1.1\r\n\r\n",
        "G\"T / HTTP/1.1\r\n\r\n",
        "\rGET / HTTP/1.1\r\n\r\n",
    ];
    for start in ambiguous {
        let stream = format!("{start}GET /a?> HTTP/1.1\r\n\r\n");
        assert_eq!(repaired_text(&stream), stream, "after {start:?}");
    }
    let padded =
        format!("POST / HTTP/1.1\r\nContent-Length:{}5\r\n\r\nabcdeGET /> HTTP/1.1\r\n\r\n", " ".repeat(60));
    assert_eq!(repaired_text(&padded), padded);
}

#[test]
fn a_header_of_any_length_that_says_nothing_about_the_body_is_skipped() {
    let long = "x".repeat(200_000);
    let head = |target| format!("GET {target} HTTP/1.1\r\n{}: {long}\r\nX: {long}\r\n\r\n", &long[..100]);
    assert_eq!(repaired_text(&format!("{0}{0}", head("/>"))), format!("{0}{0}", head("/%3E")));
}

/// A request as a client sends it.
#[derive(Debug, Clone)]
struct Sent {
    target: String,
    body: SentBody,
}

#[derive(Debug, Clone)]
enum SentBody {
    None,
    Sized(String),
    Chunked(Vec<String>),
}

impl Sent {
    fn bytes(&self, target: &str) -> Vec<u8> {
        let mut text = format!("POST {target} HTTP/1.1\r\nReferer: \"/a?<>\"\r\n");
        match &self.body {
            SentBody::None => text += "\r\n",
            SentBody::Sized(body) => text += &format!("Content-Length: {}\r\n\r\n{body}", body.len()),
            SentBody::Chunked(chunks) => {
                text += "Transfer-Encoding: chunked\r\n\r\n";
                for chunk in chunks.iter().filter(|chunk| !chunk.is_empty()) {
                    text += &format!("{:x};a=\">\"\r\n{chunk}\r\n", chunk.len());
                }
                text += "0\r\nx-trailer: <>\r\n\r\n";
            }
        }
        text.into_bytes()
    }

    fn body_bytes(&self) -> Vec<u8> {
        match &self.body {
            SentBody::None => Vec::new(),
            SentBody::Sized(body) => body.clone().into_bytes(),
            SentBody::Chunked(chunks) => chunks.concat().into_bytes(),
        }
    }
}

/// Text in which line ends, repaired bytes and whole request lines are frequent.
fn tricky(pieces: usize) -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        "[ -~é]{0,6}",
        Just("\r\n".to_owned()),
        Just("\r\n\r\n".to_owned()),
        Just("0\r\n\r\n".to_owned()),
        Just("GET /x?\"<>\" HTTP/1.1\r\n\r\n".to_owned()),
    ];
    proptest::collection::vec(piece, 0..pieces).prop_map(|pieces| pieces.concat())
}

fn sent() -> impl Strategy<Value = Sent> {
    let body = prop_oneof![
        Just(SentBody::None),
        tricky(6).prop_map(SentBody::Sized),
        proptest::collection::vec(tricky(3), 0..4).prop_map(SentBody::Chunked),
    ];
    ("/[a-z<>\"é`(){}|.,?=&-]{0,12}", body).prop_map(|(target, body)| Sent { target, body })
}

/// The target with the bytes encoded that this module is for: the plain reading of its promise.
fn encoded(target: &str) -> String {
    const REFUSED: &percent_encoding::AsciiSet =
        &percent_encoding::CONTROLS.add(b'"').add(b'<').add(b'>').add(b'`').add(b'#');
    percent_encoding::utf8_percent_encode(target, REFUSED).to_string()
}

/// Cuts `stream` at the given places, taken modulo its length.
fn cut<'a>(stream: &'a [u8], cuts: &[usize]) -> Vec<&'a [u8]> {
    let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut % (stream.len() + 1)).collect();
    cuts.sort_unstable();
    let ends = cuts.iter().copied().chain([stream.len()]);
    ends.scan(0, |start, end| Some(&stream[std::mem::replace(start, end)..end])).collect()
}

proptest! {
    #[test]
    fn targets_are_encoded_and_the_rest_is_byte_equal_for_any_split(
        requests in proptest::collection::vec(sent(), 1..5),
        cuts in proptest::collection::vec(any::<usize>(), 0..20),
        room in 1_usize..64,
    ) {
        let stream: Vec<u8> = requests.iter().flat_map(|sent| sent.bytes(&sent.target)).collect();
        let expected: Vec<u8> = requests.iter().flat_map(|sent| sent.bytes(&encoded(&sent.target))).collect();
        let output = repaired(&cut(&stream, &cuts), room);
        prop_assert_eq!(String::from_utf8_lossy(&output), String::from_utf8_lossy(&expected));
    }

    #[test]
    fn a_stream_with_nothing_to_repair_comes_through_unchanged(
        requests in proptest::collection::vec(sent(), 1..5),
        cuts in proptest::collection::vec(any::<usize>(), 0..20),
    ) {
        let stream: Vec<u8> = requests.iter().flat_map(|sent| sent.bytes(&encoded(&sent.target))).collect();
        prop_assert_eq!(repaired(&cut(&stream, &cuts), 64), stream);
    }

    #[test]
    fn any_bytes_give_the_same_output_for_any_split(
        noise in tricky(30),
        request in sent(),
        cuts in proptest::collection::vec(any::<usize>(), 0..20),
        room in 1_usize..64,
    ) {
        let stream = [request.bytes(&request.target), noise.into_bytes()].concat();
        prop_assert_eq!(repaired(&cut(&stream, &cuts), room), repaired(&[&stream], 4096));
    }

    #[test]
    fn hyper_sees_the_same_requests_and_bodies_with_and_without_the_repair(
        requests in proptest::collection::vec(sent(), 1..4),
        edits in proptest::collection::vec((any::<usize>(), edit()), 0..4),
    ) {
        let mut stream: Vec<u8> = requests.iter().flat_map(|sent| sent.bytes(&encoded(&sent.target))).collect();
        for (place, edit) in edits {
            let place = place % (stream.len() + 1);
            stream.splice(place..place, edit.bytes());
        }
        let (plain, with_repair) = (seen(Repair::Off, &stream)?, seen(Repair::On, &stream)?);
        // A target broken by an edit ends the plain connection, and only there may the other one go on.
        let same = plain.len().min(with_repair.len());
        prop_assert!(with_repair.len() >= plain.len(), "{plain:?}\n{with_repair:?}");
        prop_assert_eq!(&plain[..same], &with_repair[..same]);
    }
}

/// What makes framings differ between careless parsers.
fn edit() -> impl Strategy<Value = &'static str> {
    proptest::sample::select(vec![
        "\n",
        "\r",
        "\r\n",
        "\r\n\r\n",
        " ",
        "\t",
        ":",
        "0",
        "5",
        ";",
        ">",
        "\"",
        "\0",
        "\n\n",
        "Content-Length: 3\r\n",
        "content-length:\t3 \n",
        "Content-Length: 03\r\nContent-Length: 3\r\n",
        "Transfer-Encoding: chunked\r\n",
        "Transfer-Encoding: identity\r\n",
        "Transfer-Encoding:\r\n chunked\r\n",
        "transfer-encoding: x,chunked\r\n",
        "0\r\n\r\n",
        "Connection: close\r\n",
        "Expect: 100-continue\r\n",
        "Upgrade: h2c\r\nConnection: Upgrade\r\n",
        "GET /y?\">\" HTTP/1.1\r\n\r\n",
    ])
}

#[derive(Clone, Copy)]
enum Repair {
    On,
    Off,
}

/// A request as hyper reads it.
#[derive(Debug, PartialEq)]
struct Seen {
    method: http::Method,
    /// Percent-decoded.
    target: Vec<u8>,
    /// `None` if it was broken or cut off.
    body: Option<Bytes>,
}

/// The requests that hyper reads from a connection which brings `stream` and then ends.
fn seen(repair: Repair, stream: &[u8]) -> std::io::Result<Vec<Seen>> {
    let (log, seen) = std::sync::mpsc::channel();
    let service = service_fn(move |request: hyper::Request<Incoming>| {
        let log = log.clone();
        async move {
            let target = percent_encoding::percent_decode_str(&request.uri().to_string()).collect();
            let method = request.method().clone();
            let body = request.into_body().collect().await.ok().map(|body| body.to_bytes());
            log.send(Seen { method, target, body }).map_err(std::io::Error::other)?;
            Ok::<_, std::io::Error>(hyper::Response::new(Full::new(Bytes::new())))
        }
    });
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    runtime.block_on(async {
        let (mut client, server) = tokio::io::duplex(1 << 20);
        client.write_all(stream).await?;
        client.shutdown().await?;
        let mut http = http1::Builder::new();
        http.half_close(true);
        // Half of these streams are refused: what counts is what was seen before.
        let _end = match repair {
            Repair::On => http.serve_connection(TokioIo::new(RepairTarget::new(server, &[])), service).await,
            Repair::Off => http.serve_connection(TokioIo::new(server), service).await,
        };
        Ok(seen.try_iter().collect())
    })
}

#[tokio::test]
async fn a_real_hyper_on_a_real_socket_gets_raw_targets_pipelined_with_bodies_that_look_like_requests()
-> TestResult {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let server = tokio::spawn(async move {
        let (socket, _) = listener.accept().await?;
        let echo = service_fn(|request: hyper::Request<Incoming>| async move {
            let target = request.uri().to_string();
            let body = request.into_body().collect().await?.to_bytes();
            let answer = format!("<{target}|{}>", String::from_utf8_lossy(&body));
            Ok::<_, hyper::Error>(hyper::Response::new(Full::new(Bytes::from(answer))))
        });
        let connection = TokioIo::new(RepairTarget::new(socket, &[]));
        http1::Builder::new().serve_connection(connection, echo).await.map_err(std::io::Error::other)
    });
    let requests = [
        Sent { target: "/t?select=data->>key".into(), body: SentBody::None },
        Sent { target: "/t?a=\"b\"".into(), body: SentBody::Sized("GET /x?> HTTP/1.1\r\n\r\n".into()) },
        Sent {
            target: "/t?c=<".into(),
            body: SentBody::Chunked(vec!["0\r\n\r\nGET /".into(), "y?\" HTTP/1.1\r\n\r\n".into()]),
        },
        Sent { target: "/last?>".into(), body: SentBody::None },
    ];
    let mut client = TcpStream::connect(address).await?;
    let stream: Vec<u8> = requests.iter().flat_map(|sent| sent.bytes(&sent.target)).collect();
    for piece in stream.chunks(7) {
        client.write_all(piece).await?;
    }
    let mut answers = Vec::new();
    let expected: Vec<Vec<u8>> = requests
        .iter()
        .map(|sent| [b"<", encoded(&sent.target).as_bytes(), b"|", &sent.body_bytes(), b">"].concat())
        .collect();
    let last = expected.last().cloned().unwrap_or_default();
    while !answers.ends_with(&last) {
        assert_ne!(client.read_buf(&mut answers).await?, 0, "{}", String::from_utf8_lossy(&answers));
    }
    let mut rest = &answers[..];
    for answer in expected {
        let place = memchr::memmem::find(rest, &answer);
        let place = place.ok_or_else(|| format!("no {}", String::from_utf8_lossy(&answer)))?;
        rest = &rest[place + answer.len()..];
    }
    drop(client);
    server.await??;
    Ok(())
}
