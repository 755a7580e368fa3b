//! Constraints and defaults as PostgreSQL writes them, and what becomes of them.

use super::*;
use serde_json::json;
use utoipa::openapi::schema::ObjectBuilder;

fn checked(kind: Type, checks: &[&str]) -> Value {
    let mut bounds = Bounds::default();
    for check in checks {
        bounds.add_check(check, "c d");
    }
    let schema = RefOr::T(Schema::Object(ObjectBuilder::new().schema_type(kind).build()));
    let mut found = serde_json::to_value(bounded(schema, &bounds)).unwrap_or_default();
    if let Some(members) = found.as_object_mut() {
        members.remove("type");
    }
    found
}

#[test]
fn comparisons_with_literals_are_bounds() {
    for (check, expected) in [
        (r#"("c d" > 0)"#, json!({"exclusiveMinimum": 0})),
        (r#"("c d" >= '-5'::integer)"#, json!({"minimum": -5})),
        (r#"(("c d" >= (0)::numeric) AND ("c d" < 99.5))"#, json!({"minimum": 0, "exclusiveMaximum": 99.5})),
        (r#"(3 < "c d")"#, json!({"exclusiveMinimum": 3})),
        (r#"("c d" = ANY (ARRAY[1, 2]))"#, json!({"enum": [1, 2]})),
        (r#"(("c d" > 0) OR ("c d" < '-9'::integer))"#, json!({})),
        (r#"(("c d" + 1) > 0)"#, json!({})),
        (r#"("c d" > other)"#, json!({})),
        (r#"(("c d" % 2) = 0)"#, json!({})),
        (r#"("c d" IS NOT NULL)"#, json!({})),
        ("(NOT (\"c d\" > 0))", json!({})),
    ] {
        assert_eq!(checked(Type::Integer, &[check]), expected, "{check}");
    }
    assert_eq!(checked(Type::Integer, &[r#"("c d" > 0)"#, r#"("c d" >= 2)"#]), json!({"minimum": 2}));
}

#[test]
fn lengths_lists_and_expressions_are_bounds_of_texts() {
    for (check, expected) in [
        (r#"("c d" <> ''::text)"#, json!({"minLength": 1})),
        (r#"(char_length("c d") <= 10)"#, json!({"maxLength": 10})),
        (
            r#"((length(("c d")::text) > 2) AND (length(("c d")::text) < 5))"#,
            json!({"minLength": 3, "maxLength": 4}),
        ),
        (
            r#"(("c d")::text = ANY ((ARRAY['a'::character varying, 'b''s'::character varying])::text[]))"#,
            json!({"enum": ["a", "b's"]}),
        ),
        (r#"("c d" ~ '^[A-Z]{2}\d+$'::text)"#, json!({"pattern": "^[A-Z]{2}\\d+$"})),
        (r#"("c d" ~* '^a$'::text)"#, json!({})),
        (r#"("c d" ~ '^\w+$'::text)"#, json!({})),
        (r#"("c d" ~ '[[:alpha:]]'::text)"#, json!({})),
        (r#"("c d" ~ '(?i)a'::text)"#, json!({})),
        (r#"("c d" ~ 'a{2'::text)"#, json!({})),
        (r#"("c d" ~ E'a\\d'::text)"#, json!({})),
    ] {
        assert_eq!(checked(Type::String, &[check]), expected, "{check}");
    }
}

#[test]
fn a_column_has_the_bounds_of_its_type_and_its_own() {
    let exact = PgType { name: "numeric".into(), ..PgType::default() };
    let schema = RefOr::T(Schema::Object(ObjectBuilder::new().schema_type(Type::Number).build()));
    let schema = bounded(schema, &Bounds::of_base(&exact, "numeric(5,2)"));
    for (check, expected) in [
        ("(a IS NOT NULL)", json!({"type": "number", "exclusiveMinimum": -1000, "exclusiveMaximum": 1000})),
        ("(a >= 0)", json!({"type": "number", "minimum": 0, "exclusiveMaximum": 1000})),
        ("(a > 0)", json!({"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1000})),
    ] {
        let mut bounds = Bounds::default();
        bounds.add_check(check, "a");
        assert_eq!(serde_json::to_value(bounded(schema.clone(), &bounds)).unwrap(), expected, "{check}");
    }
}

#[test]
fn what_nests_without_end_says_nothing() {
    let deep = format!("{}\"c d\" > 0{}", "(".repeat(10_000), ")".repeat(10_000));
    assert_eq!(checked(Type::Integer, &[&deep]), json!({}));
}
