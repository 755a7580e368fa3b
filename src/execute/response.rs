//! `response.headers` and `response.status`, which functions, triggers and
//! policies set to change the answer. Only their form is checked here; which
//! headers they replace is the front door's business.

use crate::error::{Error, Fault, Result};
use serde_json::{Map, Value};

/// More headers than this, or longer ones, no client takes, and a map of them has an end.
const MOST: usize = 1000;
const LONGEST: usize = 64 * 1024;

/// Reads `response.headers`: a JSON array of objects with one key and a string
/// each, such as `[{"Cache-Control": "no-cache"}]`. The same key may come twice.
pub fn headers(setting: Option<&str>) -> Result<Vec<(String, String)>> {
    let Some(setting) = given(setting) else { return Ok(Vec::new()) };
    let malformed = || {
        Error::new(
            Fault::ResponseHeaders,
            "response.headers guc must be a JSON array composed of objects with a single key and a string value",
        )
    };
    let objects: Vec<Map<String, Value>> = serde_json::from_str(setting).map_err(|_| malformed())?;
    let pair = |object: Map<String, Value>| {
        let mut entries = object.into_iter();
        match (entries.next(), entries.next()) {
            (Some((name, Value::String(value))), None) => Ok((name, value)),
            (_, _) => Err(malformed()),
        }
    };
    let pairs: Vec<_> = objects.into_iter().map(pair).collect::<Result<_>>()?;
    let length: usize = pairs.iter().map(|(name, value)| name.len() + value.len()).sum();
    if pairs.len() > MOST || length > LONGEST {
        let most = format!("response.headers can have {MOST} headers and {LONGEST} bytes at most");
        return Err(Error::new(Fault::ResponseHeaders, most));
    }
    Ok(pairs)
}

/// Reads `response.status`: three digits, and perhaps words behind them.
pub fn status(setting: Option<&str>) -> Result<Option<u16>> {
    let Some(setting) = given(setting) else { return Ok(None) };
    let setting = setting.trim();
    let digits = setting.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(setting.len());
    match setting[..digits].parse() {
        Ok(status @ 200..=999) => Ok(Some(status)),
        Ok(_) | Err(_) => {
            Err(Error::new(Fault::ResponseStatus, "response.status guc must be a valid status code"))
        }
    }
}

/// A setting that was local to an earlier transaction of the connection is not
/// gone but empty.
fn given(setting: Option<&str>) -> Option<&str> {
    setting.filter(|setting| !setting.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_no_more_headers_than_a_client_can_take() {
        let listed = |count: usize, value: &str| {
            let listed: Vec<_> =
                (0..count).map(|number| serde_json::json!({format!("x-{number}"): value})).collect();
            headers(Some(&serde_json::Value::from(listed).to_string())).map(|headers| headers.len())
        };
        assert_eq!(listed(MOST, "").unwrap(), MOST);
        assert_eq!(listed(MOST + 1, "").unwrap_err().code(), "PGRST111");
        assert_eq!(listed(1, &"x".repeat(LONGEST)).unwrap_err().code(), "PGRST111");
    }

    #[test]
    fn headers_keep_their_order_and_may_repeat() {
        let pairs =
            headers(Some(r#"[{"Set-Cookie": "a=1"}, {"X-Test": "x"}, {"Set-Cookie": "b=2"}]"#)).unwrap();
        let names: Vec<_> = pairs.iter().map(|(name, value)| format!("{name}: {value}")).collect();
        assert_eq!(names, ["Set-Cookie: a=1", "X-Test: x", "Set-Cookie: b=2"]);
    }

    #[test]
    fn malformed_headers_are_pgrst111() {
        for setting in ["{", "{}", r#"{"a":"b"}"#, r#"[{"a":1}]"#, r#"[{"a":"b","c":"d"}]"#, "[{}]", "[1]"] {
            assert_eq!(headers(Some(setting)).unwrap_err().code(), "PGRST111", "{setting}");
        }
    }

    #[test]
    fn a_malformed_status_is_pgrst112() {
        for setting in ["abc", "20 x", "-1", "100", "99999"] {
            assert_eq!(status(Some(setting)).unwrap_err().code(), "PGRST112", "{setting}");
        }
        assert_eq!(status(Some("418")).unwrap(), Some(418));
        assert_eq!(status(Some("404 Not here")).unwrap(), Some(404));
    }

    #[test]
    fn an_empty_setting_is_none() {
        assert_eq!((headers(Some("")).unwrap(), status(Some("")).unwrap()), (Vec::new(), None));
        assert_eq!((headers(None).unwrap(), status(None).unwrap()), (Vec::new(), None));
    }
}
