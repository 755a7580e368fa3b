//! Cookies, as `request.cookies` tells them. It takes them as they come and decodes nothing.

/// The names and values of `Cookie` headers: HTTP/2 may send one for each (RFC 9113, section 8.2.3).
pub fn of<'h>(headers: impl Iterator<Item = &'h [u8]>) -> Vec<(String, String)> {
    headers.flat_map(pairs).collect()
}

fn pairs(header: &[u8]) -> Vec<(String, String)> {
    let text = String::from_utf8_lossy(header);
    let cookies = text.split(';').map(str::trim).filter(|cookie| !cookie.is_empty());
    cookies
        .map(|cookie| cookie.split_once('=').unwrap_or((cookie, "")))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}
