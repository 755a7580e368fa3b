//! pgduet: one PostgreSQL database, served as REST and as gRPC.

pub mod server;
