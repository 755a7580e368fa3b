//! What the pool takes from the configuration.

use super::statement_cache::Preparation;
use crate::config::Config;
use std::{num::NonZeroUsize, time::Duration};

/// How many connections there are, and how long they last.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// At most so many.
    pub size: NonZeroUsize,
    /// A unit waits so long for one of them: PGRST003 then.
    pub acquisition_timeout: Duration,
    /// One that was unused for so long is closed.
    pub max_idle: Duration,
    /// One that was made so long ago is not used again.
    pub max_lifetime: Duration,
    /// A unit may run so long, if there is a limit at all.
    pub query_timeout: Option<Duration>,
    /// Whether they prepare statements, at first.
    pub preparation: Preparation,
}

impl From<&Config> for Options {
    fn from(config: &Config) -> Self {
        Self {
            size: config.db_pool,
            acquisition_timeout: config.db_pool_acquisition_timeout,
            max_idle: config.db_pool_max_idletime,
            max_lifetime: config.db_pool_max_lifetime,
            query_timeout: config.db_query_timeout.map(|limit| limit.0),
            preparation: config.into(),
        }
    }
}

impl From<&Config> for Preparation {
    fn from(config: &Config) -> Self {
        match config.db_prepared_statements {
            true => Self::Cached(config.db_statement_cache_size),
            false => Self::Never,
        }
    }
}
