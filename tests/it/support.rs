//! What the tests stand on. Nothing in here asserts anything about pgduet.

pub(crate) mod database;
pub(crate) mod grpc;
pub(crate) mod http;
pub(crate) mod server;
pub(crate) mod snapshot;
pub(crate) mod tools;
