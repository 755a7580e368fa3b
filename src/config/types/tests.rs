//! What each type takes and refuses.

use super::*;

fn render<T: Value>(text: &str) -> Option<String> {
    T::parse(text).ok().map(|value| value.render().text().to_owned())
}

#[test]
fn every_word_of_a_closed_set_is_read_back_as_written() {
    for word in ["crit", "error", "warn", "info", "debug"] {
        assert_eq!(render::<LogLevel>(word).as_deref(), Some(word));
    }
    assert_eq!(LogLevel::parse("never"), Err(Problem::Form));
    assert!(LogLevel::Crit < LogLevel::Debug);
}

#[test]
fn a_file_mode_lies_between_600_and_777() {
    for (text, expected) in
        [("660", Some(0o660)), ("777", Some(0o777)), ("599", None), ("778", None), ("800", None)]
    {
        assert_eq!(FileMode::parse(text).ok().map(|mode| mode.0), expected, "{text}");
    }
}

#[test]
fn system_schemas_and_an_empty_list_are_refused() {
    assert_eq!(render::<Schemas>("multi,   tenant,setup").as_deref(), Some("multi,tenant,setup"));
    assert_eq!(
        Schemas::parse("public, pg_catalog"),
        Err(Problem::Because("db-schemas does not allow schema: 'pg_catalog'".into()))
    );
    assert_eq!(Schemas::parse(" , "), Err(Problem::Form));
}

#[test]
fn an_audience_with_a_colon_is_a_uri() {
    for text in ["youraudience", "spec tests", "https://postgrest.org", "urn:example:a%20b", "foo:bar"] {
        assert!(Audience::parse(text).is_ok(), "{text}");
    }
    for text in ["foo://%%$$^^.com", "http://%%localhorst.invalid", "1a:b", "a b:c", "a:%4"] {
        assert!(Audience::parse(text).is_err(), "{text}");
    }
}

#[test]
fn a_proxy_uri_is_http_without_user_and_query() {
    for text in [
        "https://postgrest.org",
        "http://postgrest.com/openapi.json",
        "https://postgrest.com:8080/openapi.json",
    ] {
        assert_eq!(render::<ProxyUri>(text).as_deref(), Some(text));
    }
    for text in [
        "htp:/@@localhorst.invalid",
        "ftp://example.com",
        "https://me@example.com",
        "https://example.com/?a=b",
        "https://example.com:0/",
        "/path",
        "example.com",
    ] {
        assert!(ProxyUri::parse(text).is_err(), "{text}");
    }
}

#[test]
fn a_secret_is_decoded_from_either_base64_alphabet_with_or_without_padding() {
    for text in ["_-8=", "/+8=", "/+8", "/+8.", " /+8=\n"] {
        assert_eq!(Secret(text.into()).decode_base64(), Ok(vec![0xff, 0xef]), "{text}");
    }
    assert!(Secret(b"no base-64!".to_vec()).decode_base64().is_err());
}

#[test]
fn secrets_do_not_show_themselves() {
    let shown = format!("{:?} {:?}", Secret(b"hidden".to_vec()), DbUri("postgresql://u:hidden@h".into()));
    assert!(!shown.contains("hidden"), "{shown}");
}

#[test]
fn a_function_name_is_split_at_the_first_dot() {
    assert_eq!(
        FunctionName::parse("postgrest.pre_config").map(|name| name.schema),
        Ok(Some("postgrest".into()))
    );
    assert_eq!(FunctionName::parse("check").map(|name| (name.schema, name.name)), Ok((None, "check".into())));
}
