//! One port for REST, gRPC and the documentation: listening, connections, steering, signals and the way down.
//!
//! What is here knows HTTP and nothing of what is served: branches are told apart by [`steer`], requests are answered by
//! whatever service is handed in.

mod activity;
pub mod base;
pub mod body;
pub mod coding;
pub mod connection;
pub mod cors;
pub mod descriptors;
pub mod forwarded;
pub mod head;
pub mod listen;
pub mod ready;
mod reason;
pub mod request_id;
pub mod shutdown;
pub mod signal;
pub mod steer;
pub mod stored;
pub mod target;
pub mod tls;
