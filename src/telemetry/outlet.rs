//! Where lines go that must not be waited for: a bounded buffer, and a thread that writes it out. A pipe that nobody reads
//! blocks the thread and nobody else; what does not fit meanwhile is dropped and counted.

use std::{
    fmt,
    io::{self, Write},
    mem,
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::Duration,
};

/// Bytes that wait for a reader. A second of a busy server's lines, and nothing to speak of in memory.
const ROOM: usize = 4 << 20;

/// Takes lines. Cheap to clone.
#[derive(Clone)]
pub(super) struct Outlet(Arc<Shared>);

#[derive(Default)]
struct Shared {
    buffer: Mutex<Buffer>,
    /// There is something to write.
    filled: Condvar,
    /// Everything is written.
    emptied: Condvar,
    dropped: AtomicU64,
}

#[derive(Default)]
struct Buffer {
    lines: Vec<u8>,
    /// Whether lines that were taken are not written yet.
    is_writing: bool,
}

impl Outlet {
    /// Starts the thread that writes.
    pub(super) fn start(name: &str, mut out: impl Write + Send + 'static) -> io::Result<Self> {
        let shared = Arc::<Shared>::default();
        let outlet = Self(shared.clone());
        thread::Builder::new().name(name.to_owned()).spawn(move || {
            let mut lines = Vec::new();
            loop {
                shared.take(&mut lines);
                // A log that cannot be written fails nobody.
                let _ = out.write_all(&lines).and_then(|()| out.flush());
                lines.clear();
            }
        })?;
        Ok(outlet)
    }

    /// Takes a whole line, with its line break, or counts it.
    pub(super) fn write(&self, line: &str) {
        let mut buffer = self.0.lock();
        if buffer.lines.len() + line.len() > ROOM {
            self.0.dropped.fetch_add(1, Ordering::Relaxed);
            return;
        }
        let was_empty = buffer.lines.is_empty();
        buffer.lines.extend_from_slice(line.as_bytes());
        drop(buffer);
        if was_empty {
            self.0.filled.notify_one();
        }
    }

    /// How many lines were dropped, since the start.
    pub(super) fn dropped(&self) -> u64 {
        self.0.dropped.load(Ordering::Relaxed)
    }

    /// Waits until everything is written, or this time is over.
    pub(super) fn flush(&self, patience: Duration) {
        let is_left = |buffer: &mut Buffer| buffer.is_writing || !buffer.lines.is_empty();
        // Whether it was written in time makes no difference.
        let _ = self.0.emptied.wait_timeout_while(self.0.lock(), patience, is_left);
    }
}

impl fmt::Debug for Outlet {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Outlet").field("dropped", &self.dropped()).finish_non_exhaustive()
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Buffer> {
        self.buffer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for lines, and takes all that there are. Those of the last time are written.
    fn take(&self, lines: &mut Vec<u8>) {
        let mut buffer = self.lock();
        buffer.is_writing = false;
        while buffer.lines.is_empty() {
            self.emptied.notify_all();
            buffer = self.filled.wait(buffer).unwrap_or_else(PoisonError::into_inner);
        }
        mem::swap(&mut buffer.lines, lines);
        buffer.is_writing = true;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;

    /// A reader who reads when asked to.
    struct Slow(mpsc::Receiver<()>, Arc<Mutex<Vec<u8>>>);

    impl Write for Slow {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let _over = self.0.recv();
            self.1.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn what_nobody_reads_is_dropped_and_counted_and_the_rest_comes_whole() {
        let (read, asked) = mpsc::channel();
        let written = Arc::<Mutex<Vec<u8>>>::default();
        let outlet = Outlet::start("test", Slow(asked, written.clone())).unwrap();
        let line = format!("{}\n", "x".repeat(1023));
        outlet.write(&line);
        // The thread takes it, and waits.
        while !outlet.0.lock().lines.is_empty() {
            thread::yield_now();
        }
        for _ in 0..ROOM / line.len() + 10 {
            outlet.write(&line);
        }
        assert_eq!(outlet.dropped(), 10);
        outlet.flush(Duration::ZERO);
        drop(read);
        outlet.flush(Duration::from_secs(60));
        assert_eq!(written.lock().unwrap().len(), ROOM + line.len());
        outlet.write(&line);
        outlet.flush(Duration::from_secs(60));
        assert_eq!((outlet.dropped(), written.lock().unwrap().len()), (10, ROOM + 2 * line.len()));
    }
}
