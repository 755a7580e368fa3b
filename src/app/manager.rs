//! What a service manager that asks for it is told (`sd_notify(3)`): that clients can connect, and that the end has begun.
//! Without `NOTIFY_SOCKET` nobody is told, and nobody who cannot be told keeps the server from serving.

use sd_notify::NotifyState;

/// Clients can connect.
pub(super) fn ready() {
    tell(&NotifyState::Ready);
}

/// The end has begun.
pub(super) fn stopping() {
    tell(&NotifyState::Stopping);
}

fn tell(state: &NotifyState<'_>) {
    if let Err(error) = sd_notify::notify(std::slice::from_ref(state)) {
        tracing::warn!("The service manager cannot be told: {error}");
    }
}
