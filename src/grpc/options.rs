//! Options that decide what is offered over gRPC, and in which packages.

use crate::config::{Config, GrpcTimestamps, PackageTemplate};

/// What services are made by, besides the catalog and the lock.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// The option `grpc-package`.
    pub package: PackageTemplate,
    /// The option `db-aggregates-enabled`.
    pub aggregates: Aggregates,
    /// The option `grpc-timestamps`.
    pub timestamps: GrpcTimestamps,
}

/// Whether relations have a method for aggregates.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Aggregates {
    /// They have none.
    #[default]
    Disabled,
    /// Each has one.
    Enabled,
}

impl Options {
    /// Those of this configuration.
    pub fn of(config: &Config) -> Self {
        let aggregates = match config.db_aggregates_enabled {
            true => Aggregates::Enabled,
            false => Aggregates::Disabled,
        };
        Self { package: config.grpc_package.clone(), aggregates, timestamps: config.grpc_timestamps }
    }
}
