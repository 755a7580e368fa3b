//! Addresses for programs that have to be told one. The kernel chooses other ports for whoever asks it for any, so that
//! nobody else takes an address between the look and the program's start.

use std::{
    net::{Ipv4Addr, SocketAddr, TcpListener},
    process,
    sync::atomic::{AtomicU16, Ordering},
};

/// Below the ports that Linux chooses from (`ip_local_port_range`).
const FIRST: u16 = 12_000;
const COUNT: u16 = 20_000;

/// An address of this machine on which nobody listens.
pub(crate) fn free() -> SocketAddr {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    // Other test processes begin elsewhere.
    let begin = process::id().wrapping_mul(101);
    for _ in 0..COUNT {
        let step = u32::from(NEXT.fetch_add(1, Ordering::Relaxed));
        let place = u16::try_from(begin.wrapping_add(step) % u32::from(COUNT)).unwrap();
        if let Ok(listener) = TcpListener::bind((Ipv4Addr::LOCALHOST, FIRST + place)) {
            return listener.local_addr().unwrap();
        }
    }
    panic!("no port is free");
}
