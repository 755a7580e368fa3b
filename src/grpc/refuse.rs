//! Refusals: a field of a request that is not as it has to be.

use crate::error::{Error, Fault};
use serde_json::{Value, json};

/// `field` is refused because of `why`.
pub(crate) fn refuse(field: &str, why: impl AsRef<str>) -> Box<Error> {
    Error::new(Fault::InvalidMessage, format!("{field}: {}", why.as_ref())).details(json!({ "field": field }))
}

/// The same refusal, of a field that stands below `place`.
pub(crate) fn within(place: &str, mut error: Box<Error>) -> Box<Error> {
    let field = error.details.as_ref().and_then(|details| details.get("field")).and_then(Value::as_str);
    let Some(field) = field.map(|field| format!("{place}.{field}")) else { return error };
    error.message.insert_str(0, &format!("{place}."));
    error.details(json!({ "field": field }))
}
