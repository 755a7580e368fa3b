//! What surrounds the statement: settings, access, how the transaction ends.

use super::{Bench, call, mutate, read};
use pgduet::{
    auth::{Claims, Identity},
    error::Caller,
    plan::transaction::{Access, End, Expectation, Isolation, ResponseSettings},
    request::{
        CallAccess, Context, Request,
        payload::Arguments,
        prefer::{Handling, TransactionEnd},
    },
    sql::{self, Encoder, Layout, Settings},
};

#[test]
fn settings_come_in_postgrest_s_order() {
    let options = [
        ("DB_EXTRA_SEARCH_PATH", "public, odd \"one"),
        ("APP_SETTINGS_COLOUR", "red"),
        ("DB_PRE_REQUEST", "api.check"),
    ];
    let bench = Bench::with(&options);
    let mut request = call::get("some_clients", &[], "");
    let headers = [("accept", &b"a"[..]), ("x", b"\"1\""), ("cookie", b"c=d")];
    request.context = Context::new("GET", "/rpc/some_clients", headers.into_iter());
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    request.preferences.timezone = Some("UTC".to_owned());
    let role = [pair("statement_timeout", "9s")];
    let (_, _, told) = request.clone().split();
    let identity = Identity::new("someone", Claims::default(), Caller::Anonymous);
    bench.plan_as(request, &role, |plan| {
        let settings = Settings::of(plan).of_transaction(&identity, &told);
        let settings: Vec<_> =
            settings.iter().map(|(name, value)| (&**name, std::str::from_utf8(value).unwrap())).collect();
        let expected = [
            ("search_path", r#""api", "public", "odd ""one""#),
            ("statement_timeout", "9s"),
            ("role", "someone"),
            ("request.jwt.claims", r#"{"role":"someone"}"#),
            ("request.method", "GET"),
            ("request.path", "/rpc/some_clients"),
            ("request.headers", r#"{"accept":"a","x":"\"1\""}"#),
            ("request.cookies", r#"{"c":"d"}"#),
            ("timezone", "UTC"),
            ("statement_timeout", "5s"),
            ("app.settings.COLOUR", "red"),
            ("plan_cache_mode", "force_custom_plan"),
        ];
        assert_eq!(settings, expected);
        assert_eq!(sql::pre_request(plan.config).unwrap().as_str(), r#"SELECT FROM "api"."check"()"#);
    });
}

#[test]
fn only_what_may_write_can_write() {
    let bench = Bench::new();
    let none = || Arguments::Named(Vec::new());
    let volatile = |access| call::call("counted_calls", none(), access, "");
    for (request, access) in [
        (read("clients", ""), Access::ReadOnly),
        (mutate::request(mutate::insert("notes", "{}"), ""), Access::ReadWrite),
        (volatile(CallAccess::ReadOnly), Access::ReadOnly),
        (volatile(CallAccess::ByVolatility), Access::ReadWrite),
        (call::call("some_clients", none(), CallAccess::ByVolatility, ""), Access::ReadOnly),
    ] {
        bench.plan(request, |plan| assert_eq!(plan.transaction.access, access));
    }
}

#[test]
fn response_settings_are_read_where_code_may_have_set_them() {
    let bench = Bench::new();
    for (request, expected) in [
        (read("clients", "select=id,projects(*)"), ResponseSettings::Unset),
        (read("clients", "select=loud"), ResponseSettings::Read),
        (read("clients", "loud=eq.x"), ResponseSettings::Read),
        (read("clients", "select=id,first_project(id)"), ResponseSettings::Read),
        (read("types", "select=col"), ResponseSettings::Read),
        (call::get("add", &[("a", "1")], ""), ResponseSettings::Read),
        (mutate::request(mutate::insert("pairs", "{}"), "select=a"), ResponseSettings::Read),
    ] {
        bench.plan(request, |plan| assert_eq!(plan.transaction.response_settings, expected));
    }
    let bench = Bench::with(&[("DB_PRE_REQUEST", "check")]);
    bench.plan(read("clients", ""), |plan| {
        assert_eq!(plan.transaction.response_settings, ResponseSettings::Read);
    });
}

#[test]
fn the_configuration_decides_whether_a_commit_can_be_chosen_and_undoing_always_can() {
    use TransactionEnd::{Commit, Rollback};
    for (configured, preferred, expected) in [
        ("commit", Some(Rollback), End::Rollback),
        ("commit", None, End::Commit),
        ("commit-allow-override", Some(Rollback), End::Rollback),
        ("commit-allow-override", None, End::Commit),
        ("rollback", Some(Commit), End::Rollback),
        ("rollback-allow-override", Some(Commit), End::Commit),
        ("rollback-allow-override", None, End::Rollback),
    ] {
        let mut request = read("clients", "");
        request.preferences.transaction_end = preferred;
        let bench = Bench::with(&[("DB_TX_END", configured)]);
        bench.plan(request, |plan| assert_eq!(plan.transaction.end, expected, "{configured}"));
    }
}

#[test]
fn a_limit_on_what_is_affected_holds_under_strict_handling() {
    let bench = Bench::new();
    let limited = |mut request: Request, handling| {
        request.preferences.max_affected = Some(2);
        request.preferences.handling = handling;
        request
    };
    let update = || mutate::request(mutate::update("pairs", r#"{"note":"n"}"#), "");
    for (request, expected) in [
        (limited(update(), Some(Handling::Strict)), Expectation::AtMost(2)),
        (limited(update(), None), Expectation::Any),
        (limited(read("pairs", ""), Some(Handling::Strict)), Expectation::Any),
        (limited(call::get("numbers", &[("n", "1")], ""), Some(Handling::Strict)), Expectation::AtMost(2)),
        (super::accepting(update(), super::STRIPPED), Expectation::One),
    ] {
        bench.plan(request, |plan| assert_eq!(plan.transaction.expectation, expected));
    }
}

#[test]
fn unknown_preferences_are_refused_under_strict_handling() {
    let bench = Bench::new();
    let mut request = read("clients", "");
    request.preferences.unknown = vec!["a=b".to_owned(), "c".to_owned()];
    assert!(bench.run(request.clone()).is_ok());
    request.preferences.handling = Some(Handling::Strict);
    let error = bench.run(request).unwrap_err();
    assert_eq!(error.code(), "PGRST122");
    assert_eq!(error.details.unwrap(), "Invalid preferences: a=b, c");
}

#[test]
fn a_role_chooses_its_isolation_and_not_how_dates_are_written() {
    let bench = Bench::new();
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let role = [pair("default_transaction_isolation", "repeatable read"), pair("datestyle", "German")];
    bench.plan_as(read("types", "select=ts,t"), &role, |plan| {
        assert_eq!(plan.transaction.isolation, Isolation::RepeatableRead);
        let Layout::Array(columns) = sql::statement(plan).layout else { panic!() };
        let encoders: Vec<_> = columns.iter().map(|column| column.encoder).collect();
        assert_eq!(encoders, [Encoder::Verbatim, Encoder::Text]);
    });
    bench.plan(read("types", "select=ts"), |plan| {
        assert_eq!(plan.transaction.isolation, Isolation::ReadCommitted);
        let Layout::Array(columns) = sql::statement(plan).layout else { panic!() };
        assert_eq!(columns[0].encoder, Encoder::Verbatim, "PostgreSQL's JSON");
    });
}

#[test]
fn what_is_too_complex_is_refused_before_it_is_planned() {
    let bench = Bench::new();
    let deep = format!("select={}id{}", "people(".repeat(25), ")".repeat(25));
    let long = format!("select=data{}", "->a".repeat(150));
    let many = (0..1100).map(|at| format!("id=neq.{at}")).collect::<Vec<_>>().join("&");
    let wide = format!("select={}", vec!["id"; 3100].join(","));
    for (relation, query) in [("people", deep), ("projects", long), ("clients", many), ("clients", wide)] {
        let error = bench.run(read(relation, &query)).unwrap_err();
        assert_eq!((error.code(), error.message.as_str()), ("PGDUET09", "The request is too complex"));
    }
    let fine = format!("select={}name{}", "people(".repeat(20), ")".repeat(20));
    assert_eq!(bench.get("people", &fine).rows, 3);
}
