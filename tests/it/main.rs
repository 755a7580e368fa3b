//! One integration test binary, so that the library is linked once.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test stops where it fails")]

mod bench;
mod bulk;
mod catalog;
mod check;
mod citus;
mod clients;
mod conditional;
mod connect;
mod crash;
mod demo;
mod deploy;
mod design;
mod differential;
mod embedded;
mod execute;
mod growth;
mod grpc;
mod hostile;
mod isolation;
mod lock;
mod many;
mod openapi;
mod planning;
mod pooler;
mod process;
mod readme;
mod reload;
mod replicas;
mod security;
mod shared;
mod spec;
mod sql;
mod support;
mod transaction;
mod tutorial;
