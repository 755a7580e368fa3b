//! The two syntaxes of a connection string, both taken apart into pairs of name and text.
//! Does not know the names.

use percent_encoding::percent_decode_str;

/// The pairs in their order; a later one counts. The error is a sentence.
pub(super) fn parameters(text: &str) -> Result<Vec<(String, String)>, String> {
    match text.strip_prefix("postgresql://").or_else(|| text.strip_prefix("postgres://")) {
        Some(rest) => uri(rest),
        None => key_values(text),
    }
}

/// `[user[:password]@][host[:port],…][/database][?name=text&…]`
fn uri(text: &str) -> Result<Vec<(String, String)>, String> {
    let mut pairs = Vec::new();
    let mut pair = |name: &str, text: &str| -> Result<(), String> {
        pairs.push((name.to_owned(), decode(text)?));
        Ok(())
    };
    // A password may hold `?`, and an `@` behind the first `/` belongs to something else.
    let credentials_end = text.find(['@', '/']).filter(|end| text[*end..].starts_with('@'));
    let rest = match credentials_end {
        None => text,
        Some(end) => {
            let (user, password) = text[..end].split_once(':').unwrap_or((&text[..end], ""));
            // What is empty leaves the environment's variable in force.
            for (name, text) in [("user", user), ("password", password)] {
                if !text.is_empty() {
                    pair(name, text)?;
                }
            }
            &text[end + 1..]
        }
    };
    let (authority, rest) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
    let (path, query) = rest.split_once('?').unwrap_or((rest, ""));

    let servers = authority.split(',').map(host_and_port).collect::<Result<Vec<_>, _>>()?;
    let hosts: Vec<_> = servers.iter().map(|(host, _)| *host).collect();
    let ports: Vec<_> = servers.iter().map(|(_, port)| *port).collect();
    if !authority.is_empty() {
        pair("host", &hosts.join(","))?;
    }
    if ports.iter().any(|port| !port.is_empty()) {
        pair("port", &ports.join(","))?;
    }
    if let Some(database) = path.strip_prefix('/').filter(|database| !database.is_empty()) {
        pair("dbname", database)?;
    }
    for parameter in query.split('&').filter(|parameter| !parameter.is_empty()) {
        match parameter.split_once('=') {
            // JDBC's spelling, which libpq reads too.
            Some(("ssl", "true")) => pair("sslmode", "require")?,
            Some((name, text)) => pair(&decode(name)?, text)?,
            None => return Err(format!("missing = after {parameter}")),
        }
    }
    Ok(pairs)
}

/// `name:port`, `[address]:port`, with the port or without.
fn host_and_port(server: &str) -> Result<(&str, &str), String> {
    match server.strip_prefix('[') {
        None => Ok(server.split_once(':').unwrap_or((server, ""))),
        Some(bracketed) => match bracketed.split_once(']') {
            Some((host, "")) => Ok((host, "")),
            Some((host, port)) if port.starts_with(':') => Ok((host, &port[1..])),
            Some(_) | None => Err(format!("{server} is no host")),
        },
    }
}

fn decode(text: &str) -> Result<String, String> {
    match percent_decode_str(text).decode_utf8() {
        Ok(decoded) => Ok(decoded.into_owned()),
        Err(_) => Err("what is percent-encoded is not UTF-8".to_owned()),
    }
}

/// `name = text …`: text with white space in single quotes, `\` before `'` and `\`.
fn key_values(text: &str) -> Result<Vec<(String, String)>, String> {
    let mut pairs = Vec::new();
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        let end = rest.find(|c: char| c == '=' || c.is_whitespace()).unwrap_or(rest.len());
        let (name, after) = rest.split_at(end);
        let after = after.trim_start().strip_prefix('=').ok_or_else(|| format!("missing = after {name}"))?;
        let (value, after) = key_value_text(after.trim_start())?;
        pairs.push((name.to_owned(), value));
        rest = after.trim_start();
    }
    Ok(pairs)
}

fn key_value_text(text: &str) -> Result<(String, &str), String> {
    let (quoted, body) = match text.strip_prefix('\'') {
        Some(body) => (Some('\''), body),
        None => (None, text),
    };
    let mut value = String::new();
    let mut chars = body.char_indices();
    while let Some((index, c)) = chars.next() {
        match c {
            '\\' => value.extend(chars.next().map(|(_, escaped)| escaped)),
            c if Some(c) == quoted => return Ok((value, &body[index + 1..])),
            c if quoted.is_none() && c.is_whitespace() => return Ok((value, &body[index..])),
            c => value.push(c),
        }
    }
    match quoted {
        None => Ok((value, "")),
        Some(_) => Err("a quoted text is not closed".to_owned()),
    }
}
