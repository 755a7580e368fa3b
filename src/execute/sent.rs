//! A request to PostgreSQL on its way. What is sent one after the other without
//! waiting leaves in one flush: a future of tokio-postgres stands in the
//! connection's queue from its first poll on, and the connection writes when
//! the unit has nothing more to say.

use futures_util::future::{self, BoxFuture};
use std::task::Poll;
use tokio_postgres::Error;

/// A request that is in the queue, and its answer.
pub(super) struct Sent<'a, T>(BoxFuture<'a, Result<T, Error>>);

impl<'a, T: Send + 'a> Sent<'a, T> {
    /// Puts a request into the queue. Where this fails, PostgreSQL will never see
    /// it: it cannot be encoded, or the connection is gone.
    pub(super) async fn new(
        request: impl Future<Output = Result<T, Error>> + Send + 'a,
    ) -> Result<Self, Error> {
        let mut request: BoxFuture<'a, _> = Box::pin(request);
        Ok(Self(match futures_util::poll!(&mut request) {
            Poll::Pending => request,
            Poll::Ready(answer) => Box::pin(future::ok(answer?)),
        }))
    }

    /// Waits for the answer.
    pub(super) async fn answer(self) -> Result<T, Error> {
        self.0.await
    }
}

impl<'a> Sent<'a, ()> {
    /// Both as one, of whose errors the first counts.
    pub(super) fn and(self, next: Self) -> Self {
        Self(Box::pin(async move {
            let first = self.0.await;
            let second = next.0.await;
            first.and(second)
        }))
    }
}
