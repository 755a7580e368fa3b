//! Outcomes and errors, and the responses they become.

use super::*;
use crate::{
    error::{Caller, Raised, Report},
    outcome::Facts,
    request::prefer::{Handling, Identities, Missing, TransactionEnd},
};
use http_body_util::BodyExt;
use hyper::ext::ReasonPhrase;

fn asked(what: What) -> Asked {
    Asked {
        what,
        content: Content::Full,
        range: Range::default(),
        preferences: Preferences::default(),
        profile: Profile { schema: "api".to_owned(), negotiated: Negotiated::No },
        plan: Plan::Impossible,
        verbosity: Verbosity::Verbose,
        conditional: Conditional::No,
    }
}

fn relation(verb: Verb) -> What {
    What::Relation { name: "items".to_owned(), verb, canonical: String::new() }
}

fn outcome(rows: u64) -> Outcome {
    Outcome {
        body: Bytes::from_static(b"[]"),
        content_type: "application/json; charset=utf-8".into(),
        rows,
        ..Outcome::default()
    }
}

fn with(representation: Option<Return>, count: Option<Count>) -> Preferences {
    Preferences { representation, count, ..Preferences::default() }
}

async fn body_of(response: Response<impl Into<Body>>) -> String {
    let bytes = response.into_body().into().collect().await.unwrap().to_bytes();
    String::from_utf8(bytes.to_vec()).unwrap()
}

fn header<'r, B>(response: &'r Response<B>, name: &str) -> Option<&'r str> {
    response.headers().get(name).map(|value| value.to_str().unwrap())
}

/// Status, Content-Range and whether there is a Content-Type.
fn seen(what: What, outcome: Outcome, preferences: Preferences) -> (u16, Option<String>, bool) {
    let response = success(outcome, &Asked { preferences, ..asked(what) }).unwrap();
    let range = header(&response, "content-range").map(str::to_owned);
    (response.status().as_u16(), range, response.headers().contains_key("content-type"))
}

#[test]
fn mutations_have_rows_only_where_they_are_wanted() {
    let rows = Some(Return::Representation);
    let range = |text: &str| Some(text.to_owned());
    let cases = [
        (Verb::Insert, None, (201, range("*/*"), false)),
        (Verb::Insert, rows, (201, range("*/*"), true)),
        (Verb::Update, None, (204, range("0-2/*"), false)),
        (Verb::Update, rows, (200, range("0-2/*"), true)),
        (Verb::Delete, Some(Return::Minimal), (204, range("*/*"), false)),
        (Verb::Delete, rows, (200, range("*/*"), true)),
        (Verb::Upsert, None, (204, None, false)),
        (Verb::Upsert, rows, (200, None, true)),
    ];
    for (verb, representation, expected) in cases {
        assert_eq!(seen(relation(verb), outcome(3), with(representation, None)), expected, "{verb:?}");
    }
}

#[test]
fn mutations_count_what_they_did() {
    let counted = |verb, rows| seen(relation(verb), outcome(rows), with(None, Some(Count::Exact))).1.unwrap();
    assert_eq!(counted(Verb::Insert, 3), "*/3");
    assert_eq!(counted(Verb::Update, 3), "0-2/3");
    assert_eq!(counted(Verb::Update, 0), "*/0");
    assert_eq!(counted(Verb::Delete, 3), "*/3");
}

#[test]
fn an_upsert_says_whether_it_inserted() {
    let rows = with(Some(Return::Representation), None);
    let inserted = |rows| Outcome { inserted: Some(rows), ..outcome(1) };
    assert_eq!(seen(relation(Verb::Upsert), inserted(1), rows.clone()).0, 201);
    assert_eq!(seen(relation(Verb::Upsert), inserted(0), rows).0, 200);
    let merge = Preferences { resolution: Some(Resolution::MergeDuplicates), ..Preferences::default() };
    assert_eq!(seen(relation(Verb::Insert), inserted(0), merge.clone()).0, 200);
    assert_eq!(seen(relation(Verb::Insert), inserted(1), merge).0, 201);
}

#[test]
fn a_created_row_has_a_location() {
    let key = vec![("a b".to_owned(), Some("x,y".to_owned())), ("c".to_owned(), None)];
    let response =
        success(Outcome { location: Some(key), ..outcome(1) }, &asked(relation(Verb::Insert))).unwrap();
    assert_eq!(header(&response, "location"), Some("/items?a%20b=eq.x%2Cy&c=is.null"));
}

#[tokio::test]
async fn reads_are_partial_full_or_beyond_the_end() {
    let read = |offset, rows, total| {
        let asked = Asked { range: Range { offset, limit: None }, ..asked(relation(Verb::Read)) };
        success(Outcome { total, ..outcome(rows) }, &asked).unwrap()
    };
    assert_eq!(read(0, 3, None).status(), 200);
    assert_eq!(read(0, 3, Some(9)).status(), 206);
    let beyond = read(10, 0, Some(9));
    assert_eq!((beyond.status().as_u16(), header(&beyond, "content-range")), (416, Some("*/9")));
    assert_eq!(
        body_of(beyond).await,
        r#"{"code":"PGRST103","details":"An offset of 10 was requested, but there are only 9 rows.","hint":null,"message":"Requested range not satisfiable"}"#
    );
}

#[tokio::test]
async fn head_is_get_without_content() {
    let head = Asked { content: Content::HeadersOnly, ..asked(relation(Verb::Read)) };
    let response = success(outcome(3), &head).unwrap();
    assert_eq!(header(&response, "content-range"), Some("0-2/*"));
    assert_eq!(header(&response, "content-type"), Some("application/json; charset=utf-8"));
    assert_eq!(body_of(response).await, "");
}

#[test]
fn reads_say_where_they_come_from() {
    let what = |canonical: &str| What::Relation {
        name: "items".to_owned(),
        verb: Verb::Read,
        canonical: canonical.to_owned(),
    };
    let location = |canonical| {
        let response = success(outcome(0), &asked(what(canonical))).unwrap();
        header(&response, "content-location").map(str::to_owned)
    };
    assert_eq!(location("").as_deref(), Some("/items"));
    assert_eq!(location("id=eq.1").as_deref(), Some("/items?id=eq.1"));
}

#[test]
fn void_functions_have_no_content() {
    let void = Facts { returns_void: true, ..Facts::default() };
    assert_eq!(
        seen(What::Call, Outcome { facts: void, ..outcome(1) }, Preferences::default()),
        (204, Some("0-0/*".to_owned()), false)
    );
}

#[test]
fn preferences_are_echoed_where_they_had_a_say() {
    let all = Preferences {
        resolution: Some(Resolution::MergeDuplicates),
        representation: Some(Return::Minimal),
        count: Some(Count::Exact),
        transaction_end: Some(TransactionEnd::Rollback),
        missing: Some(Missing::Default),
        handling: Some(Handling::Strict),
        timezone: Some("UTC".to_owned()),
        max_affected: Some(7),
        identities: Identities::Generated,
        unknown: vec![],
    };
    let echo = |what, resolution_applied| {
        let facts = Facts { resolution_applied, ..Facts::default() };
        let asked = Asked { preferences: all.clone(), ..asked(what) };
        let response = success(Outcome { facts, ..outcome(1) }, &asked).unwrap();
        header(&response, "preference-applied").unwrap().to_owned()
    };
    let common = "count=exact, tx=rollback, handling=strict, timezone=UTC";
    assert_eq!(echo(relation(Verb::Read), false), common);
    assert_eq!(
        echo(relation(Verb::Insert), true),
        format!("resolution=merge-duplicates, missing=default, return=minimal, {common}")
    );
    assert_eq!(echo(relation(Verb::Insert), false), format!("missing=default, return=minimal, {common}"));
    assert_eq!(
        echo(relation(Verb::Update), true),
        format!("missing=default, return=minimal, {common}, max-affected=7")
    );
    assert_eq!(echo(relation(Verb::Delete), false), format!("return=minimal, {common}, max-affected=7"));
    assert_eq!(echo(What::Call, false), format!("{common}, max-affected=7"));
}

#[test]
fn the_database_has_the_last_word_on_status_and_headers() {
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let headers = vec![
        pair("content-TYPE", "text/html"),
        pair("Set-Cookie", "a=1"),
        pair("Set-Cookie", "b=2"),
        pair("Vary", "X"),
    ];
    let said = Outcome { headers, status: Some(418), ..outcome(1) };
    let response = success(said, &asked(relation(Verb::Read))).unwrap();
    assert_eq!(response.status(), 418);
    assert_eq!(header(&response, "content-type"), Some("text/html"));
    assert_eq!(header(&response, "vary"), Some("X"));
    assert_eq!(response.headers().get_all("set-cookie").iter().count(), 2);
}

#[test]
fn what_the_database_says_is_checked() {
    let code = |said: Outcome| success(said, &asked(What::Call)).unwrap_err().code().to_owned();
    assert_eq!(code(Outcome { status: Some(42), ..outcome(0) }), "PGRST112");
    let headers = vec![("a b".to_owned(), "c".to_owned())];
    assert_eq!(code(Outcome { headers, ..outcome(0) }), "PGRST111");
}

#[test]
fn answers_in_one_of_several_schemas_name_it() {
    let profile = Profile { schema: "v2".to_owned(), negotiated: Negotiated::Yes };
    let response = success(outcome(0), &Asked { profile, ..asked(relation(Verb::Read)) }).unwrap();
    assert_eq!(header(&response, "content-profile"), Some("v2"));
}

#[test]
fn a_plan_is_told_as_it_is() {
    let explained = Outcome {
        content_type: "application/vnd.pgrst.plan+json; for=\"x\"".into(),
        status: Some(418),
        ..outcome(0)
    };
    let mut asked = Asked { plan: Plan::Possible, ..asked(relation(Verb::Insert)) };
    asked.preferences.representation = Some(Return::Minimal);
    let response = success(explained, &asked).unwrap();
    assert_eq!((response.status().as_u16(), header(&response, "content-range")), (200, None));
    assert_eq!(header(&response, "preference-applied"), None);
    assert_eq!(header(&response, "vary"), Some("Accept, Prefer, Range"));
}

#[tokio::test]
async fn errors_are_json_with_sorted_keys_and_a_proxy_status() {
    let error = Error::new(Fault::QueryParse, "m").details("d").hint("h").cause("secret");
    let response = failure(&error, Caller::Anonymous, Verbosity::Verbose);
    assert_eq!(response.status(), 400);
    assert_eq!(header(&response, "content-type"), Some("application/json; charset=utf-8"));
    assert_eq!(header(&response, "proxy-status"), Some("PostgREST; error=PGRST100"));
    assert_eq!(body_of(response).await, r#"{"code":"PGRST100","details":"d","hint":"h","message":"m"}"#);
    let response = failure(&error, Caller::Anonymous, Verbosity::Minimal);
    assert_eq!(body_of(response).await, r#"{"code":"PGRST100","message":"m"}"#);
}

#[test]
fn who_is_not_let_in_is_told_how() {
    let challenge = |error: Box<Error>, caller| {
        let response = failure(&error, caller, Verbosity::Verbose);
        header(&response, "www-authenticate").map(str::to_owned)
    };
    let denied = || {
        let report = Report { sqlstate: "42501".to_owned(), ..Report::default() };
        Error::reported(report, "permission denied")
    };
    assert_eq!(
        challenge(Error::new(Fault::AnonymousDisabled, ""), Caller::Anonymous).as_deref(),
        Some("Bearer")
    );
    assert_eq!(
        challenge(Error::new(Fault::JwtClaims, "JWT expired"), Caller::Anonymous).as_deref(),
        Some("Bearer error=\"invalid_token\", error_description=\"JWT expired\"")
    );
    assert_eq!(challenge(denied(), Caller::Anonymous).as_deref(), Some("Bearer"));
    assert_eq!(challenge(denied(), Caller::Authenticated), None);
}

#[test]
fn functions_choose_the_whole_answer_when_they_raise() {
    let raised = Raised {
        code: Some("X1".to_owned()),
        status: 419,
        status_text: Some("I'm alive".to_owned()),
        headers: vec![("X-Why".to_owned(), "because".to_owned())],
    };
    let report = Report { sqlstate: "PGRST".to_owned(), raised: Some(raised), ..Report::default() };
    let response = failure(&Error::reported(report, "m"), Caller::Anonymous, Verbosity::Verbose);
    assert_eq!(response.status(), 419);
    assert_eq!(header(&response, "x-why"), Some("because"));
    assert_eq!(response.extensions().get::<ReasonPhrase>().unwrap().as_bytes(), b"I'm alive");
}

#[test]
fn who_comes_when_nobody_is_there_may_come_again() {
    let response = failure(&Error::new(Fault::CatalogUnavailable, ""), Caller::Anonymous, Verbosity::Verbose);
    assert_eq!((response.status().as_u16(), header(&response, "retry-after")), (503, Some("1")));
}
