//! Refusals: a field of a request that is not as it has to be.

use crate::error::{Error, Fault};
use serde_json::json;

/// `field` is refused because of `why`.
pub(crate) fn refuse(field: &str, why: impl AsRef<str>) -> Box<Error> {
    Error::new(Fault::InvalidMessage, format!("{field}: {}", why.as_ref())).details(json!({ "field": field }))
}
