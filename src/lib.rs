//! pgduet: one PostgreSQL database, served as REST and as gRPC.
//!
//! ```text
//!     bytes ─ server ─┬─ rest ─┐                                            ┌─ rest  ─ bytes
//!                     │        ├─ Request ─ plan ─ sql ─ execute ─ Outcome ─┤
//!                     └─ grpc ─┘      │                 │                   └─ grpc  ─ bytes
//!                               auth: Identity    pool: one transaction
//! ```
//!
//! The modules in reading order: `request` is what was asked, `catalog` what
//! the database has, `plan` brings both together, `sql` writes it down,
//! `execute` runs it and `outcome` is what came back.

pub mod admin;
pub mod admission;
pub mod app;
pub mod auth;
pub mod catalog;
pub mod check;
pub mod cli;
pub mod config;
pub mod demo;
pub mod embedded;
pub mod engine;
pub mod error;
pub mod execute;
pub mod grpc;
pub mod media;
pub mod memory;
pub mod metrics;
mod name;
pub mod notes;
pub mod openapi;
pub mod outcome;
pub mod plan;
pub mod request;
pub mod rest;
pub mod server;
pub mod sql;
pub mod telemetry;
pub mod typescript;
