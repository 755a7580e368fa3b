//! The signals that an operator sends, as values. What they lead to is decided elsewhere.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_util::Stream;
use tokio::signal::unix::{self, SignalKind};

/// What an operator asks for by a signal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// SIGTERM: finish what runs, then end.
    Terminate,
    /// SIGINT, as Ctrl-C sends: the same.
    Interrupt,
    /// SIGUSR1: read the catalog again.
    ReloadCatalog,
    /// SIGUSR2: read the configuration again.
    ReloadConfiguration,
    /// SIGHUP, as most servers have it: the same.
    HangUp,
}

impl Signal {
    /// Its name on the system, for the log.
    pub fn name(self) -> &'static str {
        match self {
            Signal::Terminate => "SIGTERM",
            Signal::Interrupt => "SIGINT",
            Signal::ReloadCatalog => "SIGUSR1",
            Signal::ReloadConfiguration => "SIGUSR2",
            Signal::HangUp => "SIGHUP",
        }
    }

    fn kind(self) -> SignalKind {
        match self {
            Signal::Terminate => SignalKind::terminate(),
            Signal::Interrupt => SignalKind::interrupt(),
            Signal::ReloadCatalog => SignalKind::user_defined1(),
            Signal::ReloadConfiguration => SignalKind::user_defined2(),
            Signal::HangUp => SignalKind::hangup(),
        }
    }
}

/// The signals as they come; those that come while one is handled are given once each.
#[derive(Debug)]
pub struct Signals([(Signal, unix::Signal); 5]);

impl Signals {
    /// From here on, none of these signals ends the process by itself. Needs a runtime.
    pub fn install() -> io::Result<Signals> {
        let install = |signal: Signal| Ok::<_, io::Error>((signal, unix::signal(signal.kind())?));
        Ok(Signals([
            // Ending comes before reloading.
            install(Signal::Terminate)?,
            install(Signal::Interrupt)?,
            install(Signal::ReloadCatalog)?,
            install(Signal::ReloadConfiguration)?,
            install(Signal::HangUp)?,
        ]))
    }
}

impl Stream for Signals {
    type Item = Signal;

    /// Never ends.
    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Signal>> {
        for (signal, received) in &mut self.0 {
            if let Poll::Ready(Some(())) = received.poll_recv(context) {
                return Poll::Ready(Some(*signal));
            }
        }
        Poll::Pending
    }
}

#[cfg(test)]
mod tests {
    use futures_util::StreamExt;
    use nix::sys::signal::{Signal as System, raise};

    use super::*;

    #[tokio::test]
    async fn each_signal_arrives_as_what_it_asks_for() -> Result<(), Box<dyn std::error::Error>> {
        let mut signals = Signals::install()?;
        for (sent, expected) in [
            (System::SIGUSR1, Signal::ReloadCatalog),
            (System::SIGTERM, Signal::Terminate),
            (System::SIGUSR2, Signal::ReloadConfiguration),
            (System::SIGHUP, Signal::HangUp),
            (System::SIGINT, Signal::Interrupt),
        ] {
            raise(sent)?;
            assert_eq!(signals.next().await, Some(expected));
            assert_eq!(sent.as_str(), expected.name());
        }
        Ok(())
    }
}
