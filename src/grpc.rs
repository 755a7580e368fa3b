//! The gRPC side: services made from the catalog at run time. It turns messages
//! into the neutral request and rows into messages; it plans nothing, writes no
//! SQL and talks to no database.

mod descriptor;
pub mod export;
#[cfg(test)]
mod fixture;
mod method;
mod names;
mod surface;
