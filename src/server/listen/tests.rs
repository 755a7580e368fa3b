//! Every form of host, both kinds of socket, and what a second listener meets.

use std::io::ErrorKind;
use std::net::{IpAddr, Ipv4Addr};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UnixStream};

use super::*;

type TestResult = Result<(), Box<dyn std::error::Error>>;

fn tcp(host: &str, port: u16, sharing: Sharing) -> ListenOptions {
    let host = match host {
        "*" => ListenHost::Any,
        "*4" => ListenHost::PreferIpv4,
        "!4" => ListenHost::OnlyIpv4,
        "*6" => ListenHost::PreferIpv6,
        "!6" => ListenHost::OnlyIpv6,
        name => ListenHost::Named(name.to_owned()),
    };
    ListenOptions { endpoint: Endpoint::Tcp { host, port }, sharing }
}

fn unix(path: &Path, sharing: Sharing) -> ListenOptions {
    ListenOptions { endpoint: Endpoint::Unix { path: path.to_owned(), mode: 0o640 }, sharing }
}

/// A directory of the test's own, gone with the value.
struct Directory(PathBuf);

impl Directory {
    fn new(name: &str) -> std::io::Result<Self> {
        let path = std::env::temp_dir().join(format!("pgduet-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).map(|()| Directory(path))
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _left = std::fs::remove_dir_all(&self.0);
    }
}

fn port(address: &Address) -> u16 {
    match address {
        Address::Tcp(address) => address.port(),
        Address::Unix(path) => panic!("{} is no port", path.display()),
    }
}

#[tokio::test]
async fn every_form_of_host_can_be_bound_on_a_free_port_and_reached() -> TestResult {
    for host in ["*", "*4", "!4", "*6", "!6", "127.0.0.1", "localhost"] {
        if host == "!6" && std::net::UdpSocket::bind("[::]:0").is_err() {
            // This machine has no IPv6.
            continue;
        }
        let listener = Listener::bind(&tcp(host, 0, Sharing::Exclusive)).await?;
        assert_ne!(port(&listener.address()), 0, "{host}");
        assert!(listener.address().is_reachable().await, "{host} at {}", listener.address());
        assert!(!matches!(listener.accept().await?.1, Peer::Local), "{host}");
    }
    Ok(())
}

#[tokio::test]
async fn an_ipv4_client_of_an_ipv6_socket_is_known_by_its_ipv4_address() -> TestResult {
    let listener = Listener::bind(&tcp("*", 0, Sharing::Exclusive)).await?;
    let _client = TcpStream::connect((Ipv4Addr::LOCALHOST, port(&listener.address()))).await?;
    let (_stream, peer) = listener.accept().await?;
    assert_eq!(peer, Peer::Ip(IpAddr::V4(Ipv4Addr::LOCALHOST)));
    assert_eq!(peer.to_string(), "127.0.0.1");
    Ok(())
}

#[tokio::test]
async fn clients_are_refused_between_binding_and_listening() -> TestResult {
    let bound = Bound::bind(&tcp("127.0.0.1", 0, Sharing::Exclusive)).await?;
    let address = bound.address();
    let refused = TcpStream::connect((Ipv4Addr::LOCALHOST, port(&address))).await;
    assert_eq!(refused.map(|_| ()).map_err(|error| error.kind()), Err(ErrorKind::ConnectionRefused));
    let _listener = bound.listen()?;
    assert!(address.is_reachable().await);
    Ok(())
}

#[tokio::test]
async fn a_connection_that_was_not_accepted_yet_survives_the_closing_of_its_listener() -> TestResult {
    let directory = Directory::new("closing")?;
    let path = directory.0.join("socket");
    for options in [tcp("127.0.0.1", 0, Sharing::Exclusive), unix(&path, Sharing::Exclusive)] {
        let listener = Listener::bind(&options).await?;
        let mut client = match listener.address() {
            Address::Tcp(address) => Stream::Tcp(TcpStream::connect(address).await?),
            Address::Unix(path) => Stream::Unix(UnixStream::connect(path).await?),
        };
        let (mut accepted, _peer) = listener.close()?.pop().ok_or("nothing waited")?;
        client.write_all(b"hello").await?;
        drop(client);
        let mut received = String::new();
        accepted.read_to_string(&mut received).await?;
        assert_eq!(received, "hello");
    }
    Ok(())
}

#[tokio::test]
async fn a_taken_port_is_an_error_unless_both_share_it() -> TestResult {
    let first = Listener::bind(&tcp("127.0.0.1", 0, Sharing::Exclusive)).await?;
    let second = Listener::bind(&tcp("127.0.0.1", port(&first.address()), Sharing::Exclusive)).await;
    assert_eq!(second.map(|_| ()).map_err(|error| error.kind()), Err(ErrorKind::AddrInUse));

    let first = Listener::bind(&tcp("127.0.0.1", 0, Sharing::Shared)).await?;
    let address = first.address();
    let _second = Listener::bind(&tcp("127.0.0.1", port(&address), Sharing::Shared)).await?;
    drop(first);
    assert!(address.is_reachable().await, "the second one has taken over");
    Ok(())
}

#[tokio::test]
async fn a_socket_file_has_its_mode_replaces_a_stale_one_and_is_unreachable_once_removed() -> TestResult {
    let directory = Directory::new("socket-file")?;
    let path = directory.0.join("socket");
    let options = unix(&path, Sharing::Exclusive);
    drop(Listener::bind(&options).await?);
    assert!(path.exists(), "a socket file outlives its process");

    let listener = Listener::bind(&options).await?;
    assert_eq!(std::fs::metadata(&path)?.permissions().mode() & 0o777, 0o640);
    assert_eq!(listener.address().to_string(), path.display().to_string());
    let _client = UnixStream::connect(&path).await?;
    assert_eq!(listener.accept().await?.1.to_string(), "-");
    assert!(listener.address().is_reachable().await);

    std::fs::remove_file(&path)?;
    assert!(!listener.address().is_reachable().await);
    Ok(())
}

#[tokio::test]
async fn a_socket_file_in_use_and_a_file_of_another_kind_are_left_alone() -> TestResult {
    let directory = Directory::new("socket-in-use")?;
    let path = directory.0.join("socket");
    let first = Listener::bind(&unix(&path, Sharing::Exclusive)).await?;
    let second = Listener::bind(&unix(&path, Sharing::Exclusive)).await;
    assert_eq!(second.map(|_| ()).map_err(|error| error.kind()), Err(ErrorKind::AddrInUse));
    assert!(first.address().is_reachable().await);
    let _successor = Listener::bind(&unix(&path, Sharing::Shared)).await?;

    let file = directory.0.join("file");
    std::fs::write(&file, "kept")?;
    let refused = Listener::bind(&unix(&file, Sharing::Shared)).await;
    assert_eq!(refused.map(|_| ()).map_err(|error| error.kind()), Err(ErrorKind::AddrInUse));
    assert_eq!(std::fs::read_to_string(&file)?, "kept");
    Ok(())
}
