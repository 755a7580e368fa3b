//! A request to PostgreSQL on its way. What is sent one after the other without
//! waiting leaves in one flush: a future of tokio-postgres stands in the
//! connection's queue from its first poll on, and the connection writes when
//! the unit has nothing more to say.

use futures_util::future::BoxFuture;

/// A request that is in the queue, and its answer.
pub(super) enum Sent<'a, T> {
    Waiting(BoxFuture<'a, T>),
    Answered(T),
}

impl<'a, T> Sent<'a, T> {
    /// Puts a request into the queue.
    pub(super) async fn new(request: impl Future<Output = T> + Send + 'a) -> Self {
        let mut request: BoxFuture<'a, T> = Box::pin(request);
        match futures_util::poll!(&mut request) {
            std::task::Poll::Ready(answer) => Self::Answered(answer),
            std::task::Poll::Pending => Self::Waiting(request),
        }
    }

    /// Waits for the answer.
    pub(super) async fn answer(self) -> T {
        match self {
            Self::Waiting(request) => request.await,
            Self::Answered(answer) => answer,
        }
    }
}
