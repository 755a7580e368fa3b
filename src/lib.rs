//! pgduet: one PostgreSQL database, served as REST and as gRPC.
