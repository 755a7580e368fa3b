//! Work that nobody waits for within a request: it has a thread of its own, of low priority where the system gives
//! threads one, so that requests go before it on a busy machine. Memory that it no longer needs goes back to the system when it ends. It
//! knows nothing of what it does.

use super::heap;
use std::{future::Future, io, panic::resume_unwind, thread};
use tokio::{runtime::Handle, select, sync::oneshot};

/// Runs a future on a thread of its own. If nobody waits for its result any more, it ends where it waits next.
///
/// # Errors
/// The system has no thread to give.
pub(super) async fn run<T: Send + 'static>(
    name: &str,
    work: impl Future<Output = T> + Send + 'static,
) -> io::Result<T> {
    let (mut result, results) = oneshot::channel();
    let runtime = Handle::current();
    let thread = thread::Builder::new().name(name.to_owned()).spawn(move || {
        yield_to_others();
        runtime.block_on(async move {
            let done = select! {
                done = work => done,
                () = result.closed() => return,
            };
            // Whoever no longer waits has no use for it.
            drop(result.send(done));
        });
        heap::give_back();
    })?;
    match results.await {
        Ok(done) => Ok(done),
        // It has ended without a result, so it has panicked.
        Err(_) => match thread.join() {
            Err(panic) => resume_unwind(panic),
            Ok(()) => Err(io::Error::other("a thread has ended early")),
        },
    }
}

/// Drops something large.
pub(super) fn discard<T: Send + 'static>(name: &str, what: T) {
    // Without a thread of its own it is dropped here.
    let dropping = thread::Builder::new().name(name.to_owned()).spawn(move || {
        yield_to_others();
        drop(what);
        heap::give_back();
    });
    if let Err(error) = dropping {
        tracing::debug!("There is no thread to clean up: {error}");
    }
}

/// Lowers the priority of this thread. Not as far as it goes: that would leave it a hundredth of a busy processor.
fn yield_to_others() {
    #[cfg(target_os = "linux")]
    {
        use rustix::{
            process::{getpriority_process, setpriority_process},
            thread::gettid,
        };
        // Linux gives priorities to threads, by their own ids.
        let thread = Some(gettid());
        let lowered = getpriority_process(thread).and_then(|nice| setpriority_process(thread, nice + NICER));
        if let Err(error) = lowered {
            tracing::debug!("The priority of a thread stays as it is: {error}");
        }
    }
}

/// Than requests, as `nice` counts. What is beyond the lowest priority is the lowest.
#[cfg(target_os = "linux")]
const NICER: i32 = 10;
