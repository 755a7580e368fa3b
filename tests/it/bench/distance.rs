//! The distance that is put before PostgreSQL, before a server that says what it hears.

use std::{
    env, fs,
    io::{Read, Write},
    os::unix::net::{UnixListener, UnixStream},
    process, thread,
    time::{Duration, Instant},
};

use super::compare::distance::{Distance, SOCKET};

const ROUND_TRIP: Duration = Duration::from_millis(40);

#[test]
fn a_round_trip_takes_longer_and_pieces_travel_at_the_same_time() {
    let server = env::temp_dir().join(format!("pgduet-echo-{}", process::id()));
    let listener = UnixListener::bind(&server).unwrap();
    let echo = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut byte = [0];
        while stream.read(&mut byte).unwrap() == 1 {
            stream.write_all(&byte).unwrap();
        }
    });
    let distance = Distance::before(server.clone(), ROUND_TRIP).unwrap();
    let mut client = UnixStream::connect(distance.directory().join(SOCKET)).unwrap();
    let begin = Instant::now();
    for byte in b"twelve bytes" {
        client.write_all(&[*byte]).unwrap();
        // So that each is a piece of its own.
        thread::yield_now();
    }
    let mut heard = [0; 12];
    client.read_exact(&mut heard).unwrap();
    let took = begin.elapsed();
    assert_eq!(&heard, b"twelve bytes");
    assert!(took >= ROUND_TRIP && took < 6 * ROUND_TRIP, "{took:?}");
    drop(client);
    echo.join().unwrap();
    fs::remove_file(server).unwrap();
}
