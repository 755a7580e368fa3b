//! Cookies, as `request.cookies` tells them. It takes them as they come and decodes nothing.

use std::borrow::Cow;

/// The names and values in one `Cookie` header.
pub(super) fn pairs(header: &[u8]) -> Vec<(Cow<'_, str>, Cow<'_, str>)> {
    match String::from_utf8_lossy(header) {
        Cow::Borrowed(text) => split(text).map(|(name, value)| (name.into(), value.into())).collect(),
        Cow::Owned(text) => {
            split(&text).map(|(name, value)| (name.to_owned().into(), value.to_owned().into())).collect()
        }
    }
}

fn split(text: &str) -> impl Iterator<Item = (&str, &str)> {
    let cookies = text.split(';').map(str::trim).filter(|cookie| !cookie.is_empty());
    cookies.map(|cookie| cookie.split_once('=').unwrap_or((cookie, "")))
}
