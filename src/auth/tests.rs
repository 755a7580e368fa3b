//! Which tokens are believed, and what is said about the others.

mod tokens;

use std::{collections::BTreeMap, time::Duration};

use futures_util::FutureExt;
use http::{HeaderValue, header::AUTHORIZATION};
use jsonwebtoken::{EncodingKey, Header};
use serde_json::json;

use super::*;
use crate::config::Sources;
use tokens::{CONFUSED, EDDSA, ES256, ES384, HS256, HS384, HS512, JWKS, PS256, RS256, SECRET};

const NOW: u64 = 1_800_000_000;

fn authenticator(options: &[(&str, &str)]) -> Authenticator {
    let flags: BTreeMap<_, _> = [("db-anon-role", "anon"), ("jwt-secret", SECRET)]
        .iter()
        .chain(options)
        .map(|(name, text)| ((*name).into(), (*text).into()))
        .collect();
    let (config, _) =
        Config::load(&Sources::new(None, BTreeMap::new(), flags)).unwrap_or_else(|error| panic!("{error}"));
    Authenticator::new(&config, None).unwrap_or_else(|error| panic!("{error}"))
}

/// Nothing is waited for where the keys stand in the configuration.
fn identify(
    authenticator: &Authenticator,
    authorization: Option<&str>,
    now: SystemTime,
) -> Result<Arc<Identity>> {
    let value = |text: &str| HeaderValue::from_str(text).unwrap_or_else(|error| panic!("{error}"));
    let headers = authorization.map(|text| (AUTHORIZATION, value(text)));
    let headers = HeaderMap::from_iter(headers);
    let identity = authenticator.authenticate(&headers, Effect::Change, now).now_or_never();
    identity.unwrap_or_else(|| panic!("it waits"))
}

/// The role, or code, message and details of the refusal.
type Answer = std::result::Result<String, (String, String, Value)>;

fn ask(authenticator: &Authenticator, authorization: Option<&str>) -> Answer {
    let now = UNIX_EPOCH + Duration::from_secs(NOW);
    match identify(authenticator, authorization, now) {
        Ok(identity) => Ok(identity.role.clone()),
        Err(error) => Err((
            error.code().to_owned(),
            error.message.clone(),
            error.details.clone().unwrap_or(Value::Null),
        )),
    }
}

fn refusal(code: &str, message: &str, details: Value) -> Answer {
    Err((code.into(), message.into(), details))
}

fn bearer_of(claims: &Value) -> String {
    let key = EncodingKey::from_secret(SECRET.as_bytes());
    let token =
        jsonwebtoken::encode(&Header::default(), claims, &key).unwrap_or_else(|error| panic!("{error}"));
    format!("Bearer {token}")
}

#[test]
fn a_token_made_elsewhere_gives_its_role_in_every_algorithm_of_its_key() {
    for (secret, token) in [
        (SECRET, HS256),
        (SECRET, HS384),
        (SECRET, HS512),
        (JWKS, RS256),
        (JWKS, ES256),
        (JWKS, ES384),
        (JWKS, EDDSA),
    ] {
        let authenticator = authenticator(&[("jwt-secret", secret)]);
        assert_eq!(ask(&authenticator, Some(&format!("Bearer {token}"))), Ok("author".into()), "{token}");
    }
    let base64 =
        [("jwt-secret", "cmVhbGx5cmVhbGx5cmVhbGx5cmVhbGx5dmVyeXNhZmU="), ("jwt-secret-is-base64", "true")];
    assert_eq!(ask(&authenticator(&base64), Some(&format!("bearer {HS256}"))), Ok("author".into()));
}

#[test]
fn no_key_takes_an_algorithm_that_is_not_its_own() {
    let no_suitable = || {
        refusal(
            "PGRST301",
            "No suitable key or wrong key type",
            json!("No suitable key was found to decode the JWT"),
        )
    };
    for (secret, token) in [(SECRET, RS256), (JWKS, HS256), (JWKS, CONFUSED), (JWKS, PS256), (SECRET, EDDSA)]
    {
        let authenticator = authenticator(&[("jwt-secret", secret)]);
        assert_eq!(ask(&authenticator, Some(&format!("Bearer {token}"))), no_suitable(), "{token}");
    }
    let pinned = r#"{"kty":"oct","alg":"HS256","k":"cmVhbGx5cmVhbGx5cmVhbGx5cmVhbGx5dmVyeXNhZmU"}"#;
    let authenticator = authenticator(&[("jwt-secret", pinned)]);
    assert_eq!(ask(&authenticator, Some(&format!("Bearer {HS256}"))), Ok("author".into()));
    assert_eq!(ask(&authenticator, Some(&format!("Bearer {HS512}"))), no_suitable());
}

#[test]
fn what_is_no_token_is_refused_in_the_words_of_postgrest() {
    let header = |header: &str| base64::Engine::encode(&base64::prelude::BASE64_URL_SAFE_NO_PAD, header);
    let cases = [
        ("Bearer".to_owned(), "Empty JWT is sent in Authorization header", Value::Null),
        ("Bearer ".to_owned(), "Empty JWT is sent in Authorization header", Value::Null),
        ("Bearer a.b".to_owned(), "Expected 3 parts in JWT; got 2", Value::Null),
        ("Bearer abc".to_owned(), "Expected 3 parts in JWT; got 1", Value::Null),
        ("Bearer a.b.c.d.e".to_owned(), "Expected 3 parts in JWT; got 5", Value::Null),
        (
            "Bearer quifquirndsjagnrgniur.fonvo.iuq".to_owned(),
            "JWT cryptographic operation failed",
            Value::Null,
        ),
        (
            format!("Bearer {}.no-base64!.e30", header(r#"{"alg":"HS256"}"#)),
            "JWT cryptographic operation failed",
            Value::Null,
        ),
        (
            format!("Bearer {}.e30.no-base64!", header(r#"{"alg":"HS256","kid":"unknown"}"#)),
            "JWT cryptographic operation failed",
            Value::Null,
        ),
        (format!("Bearer {}.e30.", header("{}")), "JWT couldn't be decoded", Value::Null),
        (
            format!("Bearer {}.e30.", header(r#"{"alg":"none"}"#)),
            "Wrong or unsupported encoding algorithm",
            json!("JWT is unsecured but expected 'alg' was not 'none'"),
        ),
        (
            format!("Bearer {}.e30.", header(r#"{"alg":"NONE"}"#)),
            "Wrong or unsupported encoding algorithm",
            json!("Unsupported algorithm NONE"),
        ),
        (
            format!("Bearer {}.e30.", header(r#"{"alg":"HS256","enc":"A128GCM"}"#)),
            "Unsupported token type",
            Value::Null,
        ),
        (
            format!("Bearer {}.e30.", header(r#"{"alg":"HS256","crit":["b64"],"b64":false}"#)),
            "Unsupported token type",
            Value::Null,
        ),
        (
            format!("Bearer {HS256}x"),
            "No suitable key or wrong key type",
            json!("None of the keys was able to decode the JWT"),
        ),
        (
            format!("Bearer {}", HS256.replace("eyJyb2xl", "eyJyb2xm")),
            "No suitable key or wrong key type",
            json!("None of the keys was able to decode the JWT"),
        ),
    ];
    let authenticator = authenticator(&[]);
    for (authorization, message, details) in cases {
        assert_eq!(
            ask(&authenticator, Some(&authorization)),
            refusal("PGRST301", message, details),
            "{authorization}"
        );
    }
}

#[test]
fn claims_are_checked_with_thirty_seconds_of_skew() {
    let authenticator = authenticator(&[("jwt-aud", "me")]);
    let accepted = [
        json!({}),
        json!({"exp": NOW - 30, "nbf": NOW + 30, "iat": NOW + 30, "aud": "me"}),
        json!({"exp": null, "nbf": null, "iat": null, "aud": null}),
        json!({"exp": 1.9e9, "nbf": 1e9, "aud": ["you", "me"]}),
        json!({"exp": 9_999_999_999_u64, "aud": []}),
    ];
    for claims in accepted {
        assert_eq!(ask(&authenticator, Some(&bearer_of(&claims))), Ok("anon".into()), "{claims}");
    }
    for (claims, message) in [
        (json!({"exp": NOW - 31}), "JWT expired"),
        (json!({"exp": 1.7e9}), "JWT expired"),
        (json!({"nbf": NOW + 31}), "JWT not yet valid"),
        (json!({"iat": NOW + 31}), "JWT issued at future"),
        (json!({"aud": "you"}), "JWT not in audience"),
        (json!({"aud": ""}), "JWT not in audience"),
        (json!({"aud": ["you"]}), "JWT not in audience"),
        (json!({"exp": "soon"}), "The JWT 'exp' claim must be a number"),
        (json!({"nbf": true}), "The JWT 'nbf' claim must be a number"),
        (json!({"iat": [1]}), "The JWT 'iat' claim must be a number"),
        (json!({"aud": {"a": 1}}), "The JWT 'aud' claim must be a string or an array of strings"),
        (json!({"aud": ["me", 1]}), "The JWT 'aud' claim must be a string or an array of strings"),
        (json!({"exp": NOW - 31, "aud": 1}), "JWT expired"),
        (json!("no object"), "Parsing claims failed"),
    ] {
        assert_eq!(
            ask(&authenticator, Some(&bearer_of(&claims))),
            refusal("PGRST303", message, Value::Null),
            "{claims}"
        );
    }
}

#[test]
fn any_audience_will_do_where_none_is_configured_but_its_form_counts() {
    let authenticator = authenticator(&[]);
    assert_eq!(ask(&authenticator, Some(&bearer_of(&json!({"aud": "you"})))), Ok("anon".into()));
    assert!(ask(&authenticator, Some(&bearer_of(&json!({"aud": 1})))).is_err());
}

#[test]
fn without_a_token_the_anonymous_role_counts_if_there_is_one() {
    let disabled = || refusal("PGRST302", "Anonymous access is disabled", Value::Null);
    assert_eq!(ask(&authenticator(&[]), None), Ok("anon".into()));
    assert_eq!(ask(&authenticator(&[]), Some("Basic dXNlcjpwYXNz")), Ok("anon".into()));
    assert_eq!(ask(&authenticator(&[("db-anon-role", "")]), None), disabled());
    assert_eq!(
        ask(&authenticator(&[("db-anon-role", "")]), Some(&bearer_of(&json!({"sub": "x"})))),
        disabled()
    );
    assert_eq!(
        ask(&authenticator(&[("db-anon-role", "")]), Some(&bearer_of(&json!({"role": "r"})))),
        Ok("r".into())
    );
}

#[test]
fn a_token_without_a_secret_to_check_it_is_the_servers_fault() {
    let without_secret = authenticator(&[("jwt-secret", "")]);
    assert_eq!(
        ask(&without_secret, Some("Bearer x")),
        refusal("PGRST300", "Server lacks JWT secret", Value::Null)
    );
    assert_eq!(ask(&without_secret, None), Ok("anon".into()));
}

#[test]
fn the_claims_keep_everything_and_carry_the_role() {
    let authenticator = authenticator(&[("jwt-role-claim-key", "$.roles[0]")]);
    let authorization = bearer_of(&json!({"sub": "ada", "role": "ignored", "roles": ["author"], "n": 1}));
    let now = UNIX_EPOCH + Duration::from_secs(NOW);
    let identity =
        identify(&authenticator, Some(&authorization), now).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!((identity.role.as_str(), identity.caller), ("author", Caller::Authenticated));
    assert_eq!(identity.claims_json().as_ref(), br#"{"sub":"ada","role":"author","roles":["author"],"n":1}"#);
    let anonymous = identify(&authenticator, None, now).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(
        (anonymous.claims_json().as_ref(), anonymous.caller),
        (&br#"{"role":"anon"}"#[..], Caller::Anonymous)
    );
    let nobody =
        identify(&authenticator, Some(&bearer_of(&json!({}))), now).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(nobody.caller, Caller::Anonymous);
}

#[test]
fn a_remembered_token_still_expires() {
    let authenticator = authenticator(&[]);
    let authorization = bearer_of(&json!({"role": "author", "exp": NOW}));
    let at = |seconds| {
        let now = UNIX_EPOCH + Duration::from_secs(seconds);
        identify(&authenticator, Some(&authorization), now).map(|identity| identity.role.clone())
    };
    assert_eq!(at(NOW).ok().as_deref(), Some("author"));
    assert_eq!(at(NOW + 30).ok().as_deref(), Some("author"));
    assert_eq!(at(NOW + 31).err().map(|error| error.message.clone()).as_deref(), Some("JWT expired"));
    assert_eq!(authenticator.cache_counters(), CacheCounters { requests: 3, hits: 2, evictions: 0 });
}

#[test]
fn the_cache_is_bounded_and_can_be_off_and_remembers_no_refusal() {
    let small = authenticator(&[("jwt-cache-max-entries", "2")]);
    for subject in 0..5 {
        assert_eq!(ask(&small, Some(&bearer_of(&json!({"sub": subject, "role": "r"})))), Ok("r".into()));
    }
    assert!(ask(&small, Some(&bearer_of(&json!({"exp": 1})))).is_err());
    assert_eq!(small.cache_counters(), CacheCounters { requests: 6, hits: 0, evictions: 3 });
    let off = authenticator(&[("jwt-cache-max-entries", "0")]);
    assert_eq!(ask(&off, Some(&bearer_of(&json!({"role": "r"})))), Ok("r".into()));
    assert_eq!(off.cache_counters(), CacheCounters::default());
}

/// What is said against this secret.
fn objection(options: &[(&str, &str)]) -> Option<String> {
    let flags = options.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect();
    let config = Config::load(&Sources::new(None, BTreeMap::new(), flags)).map(|(config, _)| config);
    let outcome = config.and_then(|config| Authenticator::new(&config, None).map(|_| ()));
    outcome.err().map(|error| error.to_string())
}

const OKP: &str = r#"{"kty":"OKP","crv":"Ed25519","x":"NURoJTlSNWDcMGWi2XTWytMTfie1LA03kRuFU4Wr64Y"}"#;

#[test]
fn what_looks_like_keys_and_cannot_be_read_is_refused_and_never_a_secret() {
    let rsa = r#"{"kty":"RSA","kid":"a public key that is longer than a secret","n":"AQAB","e":"AQAB"}"#;
    let cases = [
        (r#"{"keys":[]}"#.to_owned(), "no JSON Web Key"),
        (r#"{"kty":"oct","k":""}"#.to_owned(), "`k` of 0 bytes"),
        (r#"{"kty":"oct","k":"cmVhbGx5cmVhbGx5cmVhbGx5cmVhbGx5dmVyeXNhZg"}"#.to_owned(), "`k` of 31 bytes"),
        (format!(r#"{{"keys":[{OKP},{{"kty":"oct","k":"c2hvcnQ"}}]}}"#), "keys[1] has a `k` of 5 bytes"),
        (
            r#"{"kty":"oct","k":"not base64url, but long enough for a secret"}"#.to_owned(),
            "`k` that is no base64url",
        ),
        (r#"{"keys":[{"kty":"RSA","use":"enc","n":"AQAB","e":"AQAB"}]}"#.to_owned(), "no JSON Web Key"),
        (
            r#"{"kty":"oct","k":"cmVhbGx5cmVhbGx5cmVhbGx5cmVhbGx5dmVyeXNhZmU","alg":"RS256"}"#.to_owned(),
            "no JSON Web Key",
        ),
        (
            format!(r#"{{"keys":[{OKP},{{"kty":"RSA","e":"AQAB"}}]}}"#),
            "keys[1] is malformed: missing field `n`",
        ),
        (format!(r#"{{"keys":[{OKP},{{"kid":"no kind"}}]}}"#), "keys[1] has no `kty`"),
        (format!(r#"{{"keys":[{OKP},"a text"]}}"#), "keys[1] is no object"),
        (format!(r#"{{"keys":[{OKP},{{"kty":1}}]}}"#), "keys[1] has a `kty` that is no text"),
        (
            format!(r#"{{"keys":[{}]}}"#, OKP.replace("{", r#"{"kid":7,"#)),
            "keys[0] is malformed: invalid type: integer `7`",
        ),
        (OKP.replace("{", r#"{"kid":7,"#), "the key is malformed"),
        (OKP.replace("Ed25519", "Ed448"), "no JSON Web Key"),
        (OKP.replace("OKP", "AKP"), "no JSON Web Key"),
        (rsa.to_owned(), "no JSON Web Key"),
        (
            r#"{"issuer":"https://issuer.example","jwks_uri":"https://issuer.example/jwks"}"#.to_owned(),
            "no `kty`",
        ),
        (r#"{"keys":{"kty":"RSA","n":"AQAB","e":"AQAB"}}"#.to_owned(), "`keys` that is no array"),
        (format!(r#"{{"keys":[{OKP}"#), "no valid JSON: EOF"),
        (format!(r#"{{"keys":[{OKP},]}}"#), "no valid JSON: trailing comma"),
        (format!("{OKP} and more"), "no valid JSON: trailing characters"),
        (format!("[{OKP}]"), "begins with `[`"),
        (format!("{:?}", OKP), "begins with `\"`"),
        (format!("  \n[{OKP}]"), "begins with `[`"),
        (format!("\u{feff}[{OKP}]"), "begins with `[`"),
        ("-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEANURoJTlSNWDcMGWi2XTW".to_owned(), "is in PEM"),
        ("http://issuer.example/.well-known/jwks.json".to_owned(), "needs jwt-secret-allow-http"),
        ("https://".to_owned(), "is no valid address"),
        ("https://me:secret@issuer.example/keys".to_owned(), "a user name"),
        ("file:///run/secrets/a/set/of/keys.json".to_owned(), "is an address"),
    ];
    for (secret, says) in cases {
        let objection = objection(&[("jwt-secret", &secret)]).unwrap_or_else(|| panic!("taken: {secret}"));
        assert!(objection.contains("jwt-secret") && objection.contains(says), "{secret}: {objection}");
        let encoded = base64::Engine::encode(&base64::prelude::BASE64_STANDARD, &secret);
        let decoded = self::objection(&[("jwt-secret", &encoded), ("jwt-secret-is-base64", "true")]);
        assert!(decoded.is_some_and(|objection| objection.contains(says)), "as base64: {secret}");
    }
}

#[test]
fn of_a_set_what_is_not_known_is_left_out_and_marks_before_it_do_not_count() {
    let others = r#"{"kty":"AKP","alg":"ML-DSA-44","pub":"x"},{"kty":"EC","crv":"secp256k1","x":"a","y":"a"},
                    {"kty":"RSA","use":"enc","n":"AQAB","e":"AQAB"}"#;
    for set in [
        format!(r#"{{"keys":[{others},{OKP}]}}"#),
        format!("\u{feff}{{\"keys\":[{OKP}]}}\n"),
        format!(" \r\n{OKP}"),
    ] {
        let authenticator = authenticator(&[("jwt-secret", &set)]);
        assert_eq!(ask(&authenticator, Some(&format!("Bearer {EDDSA}"))), Ok("author".into()), "{set}");
        assert_eq!(authenticator.secret(), None);
    }
}

#[test]
fn keys_of_an_issuer_that_were_not_fetched_yet_refuse_every_token_and_no_request_without_one() {
    for address in
        ["https://issuer.example/.well-known/jwks.json", "http://localhost:8080/keys", "http://[::1]/"]
    {
        let authenticator = authenticator(&[("jwt-secret", address)]);
        for token in [EDDSA, HS256, "", "x"] {
            let refused = refusal(
                "PGDUET21",
                "The keys that tokens are verified with could not be fetched",
                Value::Null,
            );
            assert_eq!(ask(&authenticator, Some(&format!("Bearer {token}"))), refused, "{token}");
        }
        assert_eq!(ask(&authenticator, None), Ok("anon".into()));
        assert_eq!(authenticator.secret(), None);
    }
}

#[test]
fn what_an_issuer_publishes_is_no_secret_and_broken_members_are_left_out() {
    let secret = r#"{"kty":"oct","kid":"s","k":"cmVhbGx5cmVhbGx5cmVhbGx5cmVhbGx5dmVyeXNhZmU"}"#;
    let taken = |members: &str| {
        let set = format!(r#"{{"keys":[{members}]}}"#);
        Keys::published(set.as_bytes())
            .map(|(keys, skipped)| (keys.len(), skipped.len(), keys.secret().is_some()))
    };
    assert_eq!(taken(OKP), Ok((1, 0, false)));
    assert_eq!(taken(&format!("{secret},{OKP}")), Ok((1, 1, false)));
    assert_eq!(taken(&format!(r#"{{"kty":"RSA","e":"AQAB"}},1,{{"kty":"AKP"}},{OKP}"#)), Ok((1, 2, false)));
    for members in ["", secret, r#"{"kty":"RSA","e":"AQAB"}"#, &vec![OKP; 101].join(",")] {
        assert!(taken(members).is_err(), "{members}");
    }
    for document in ["", "{}", "[]", OKP, r#"{"keys":{}}"#, "<!doctype html>"] {
        assert!(Keys::published(document.as_bytes()).is_err(), "{document}");
    }
}

#[test]
fn the_issuer_has_to_be_named_where_one_is_expected() {
    let issuer = "https://issuer.example";
    let authenticator = authenticator(&[("jwt-issuer", issuer)]);
    let refused = || refusal("PGRST303", "JWT not from the expected issuer", Value::Null);
    for (claims, expected) in [
        (json!({"role": "r", "iss": issuer}), Ok("r".to_owned())),
        (json!({"role": "r", "iss": "https://issuer.example/"}), refused()),
        (json!({"role": "r", "iss": "https://other.example"}), refused()),
        (json!({"role": "r", "iss": [issuer]}), refused()),
        (json!({"role": "r", "iss": null}), refused()),
        (json!({"role": "r"}), refused()),
    ] {
        // The second time from the cache, if it was taken.
        for _ in 0..2 {
            assert_eq!(ask(&authenticator, Some(&bearer_of(&claims))), expected, "{claims}");
        }
    }
    assert_eq!(ask(&authenticator, None), Ok("anon".into()));
}

#[test]
fn a_secret_for_page_tokens_is_as_strong_and_as_secret() {
    for (secret, says) in
        [("short", "32 bytes"), (OKP, "is JSON"), ("https://issuer.example/a/secret/of/pages", "address")]
    {
        let objection = objection(&[("page-token-secret", secret)]);
        assert!(
            objection.is_some_and(|text| text.contains("page-token-secret") && text.contains(says)),
            "{secret}"
        );
    }
}

#[test]
fn no_token_leaves_the_login_role_in_force() {
    let login = ("db-uri", "postgresql://authenticator@localhost/x");
    let refused = || refusal("PGRST303", "The JWT role claim names no role to run as", Value::Null);
    let ask_as = |options: &[(&str, &str)], role: &str| {
        ask(&authenticator(options), Some(&bearer_of(&json!({"role": role}))))
    };
    assert_eq!(ask_as(&[login], "none"), refused());
    assert_eq!(ask_as(&[login], "authenticator"), refused());
    // These are names of roles to PostgreSQL, which has none of them.
    for role in ["NONE", " none", "", "default", "\"none\"", "session_user"] {
        assert_eq!(ask_as(&[login], role), Ok(role.to_owned()), "{role}");
    }
    // PostgreSQL would cut it off, and what is left may be the login role.
    let long = "l".repeat(63);
    let cut = (
        "db-uri",
        "postgresql://localhost/x?user=lllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllll",
    );
    assert_eq!(ask_as(&[cut], &long), refused());
    assert_eq!(ask_as(&[cut], &format!("{long}x")), refused());
    assert_eq!(ask_as(&[login], &long), Ok(long));
    // An operator may let everybody be the login role; then a token says nothing new.
    assert_eq!(
        ask_as(&[login, ("db-anon-role", "authenticator")], "authenticator"),
        Ok("authenticator".into())
    );
    assert_eq!(ask_as(&[login, ("db-anon-role", "authenticator")], "none"), refused());
    assert!(objection(&[("db-anon-role", "none")]).is_some_and(|text| text.contains("db-anon-role")));
}
