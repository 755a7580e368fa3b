//! The grammar: what is understood, and how what is not is told.

use super::*;
use crate::error::{Error, Origin};
use crate::request::{
    filter::{Is, Junction, Quantifier},
    literal::Literal,
    operator::Operator,
    order::{Direction, Nulls},
    select::{Aggregate, AggregateFunction, Arrow, Embed, EmbedForm, Join, Step},
};

fn refused<T: std::fmt::Debug>(result: Result<T>) -> (String, String) {
    let error = result.unwrap_err();
    let details = error.details.clone().and_then(|details| details.as_str().map(str::to_owned));
    (error.message.clone(), details.unwrap_or_default())
}

/// What is refused, in the form of Parsec: position, then details.
fn position<T: std::fmt::Debug>(result: Result<T>) -> String {
    let (message, details) = refused(result);
    let at = message.rfind("(line").unwrap();
    format!("{} {details}", &message[at..])
}

fn column(name: &str) -> SelectItem {
    SelectItem::Field { field: Field::column(name), cast: None, aggregate: None, alias: None }
}

fn embed(target: &str, select: Vec<SelectItem>) -> Embed {
    Embed {
        target: target.to_owned(),
        hint: None,
        join: None,
        form: EmbedForm::Nested { alias: None },
        select,
    }
}

fn compare(operator: Operator, value: &str) -> Operation {
    Operation::Compare { operator, quantifier: None, value: value.to_owned().into() }
}

#[test]
fn names_are_letters_digits_blanks_dollars_and_inner_dashes_or_quoted() {
    let names = [
        ("identifier", "identifier"),
        ("with spaces", "with spaces"),
        (" outer blanks ", "outer blanks"),
        ("with-dashes", "with-dashes"),
        ("123", "123"),
        ("_$", "_$"),
        ("größe", "größe"),
        ("\":.,\"", ":.,"),
        (r#""a\"b\\c""#, r#"a"b\c"#),
        ("\" kept \"", " kept "),
    ];
    for (text, name) in names {
        assert_eq!(tree_path(text).unwrap(), (vec![], Field::column(name)), "{text}");
    }
}

#[test]
fn a_key_is_a_path_of_embeds_and_a_field_with_a_json_path() {
    let (path, field) = tree_path("a.\"b.c\".data->k-1->>-2").unwrap();
    assert_eq!(path, ["a", "b.c"]);
    assert_eq!(field.name, "data");
    assert_eq!(field.path, [(Arrow::Json, Step::Key("k-1".to_owned())), (Arrow::Text, Step::Index(-2))]);
}

#[test]
fn json_keys_take_everything_that_is_not_reserved() {
    let (_, field) = tree_path("d->!@#$%^&*_a->>\"b.c\"->0").unwrap();
    let keys = [Step::Key("!@#$%^&*_a".to_owned()), Step::Key("b.c".to_owned()), Step::Index(0)];
    assert_eq!(field.path.into_iter().map(|(_, step)| step).collect::<Vec<_>>(), keys);
}

#[test]
fn an_index_beyond_every_array_stays_beyond() {
    assert_eq!(tree_path("d->99999999999").unwrap().1.path, [(Arrow::Json, Step::Index(i32::MAX))]);
}

#[test]
fn every_operator_is_understood_under_its_own_name() {
    for operator in Operator::ALL {
        let name = operator.row().name;
        let text = match operator {
            Operator::In => format!("{name}.(1,2)"),
            Operator::Is => format!("{name}.null"),
            _ => format!("{name}.v"),
        };
        let found = match condition(&text).unwrap().1 {
            Operation::Compare { operator, .. } | Operation::FullText { operator, .. } => operator,
            Operation::In(_) => Operator::In,
            Operation::Is(_) => Operator::Is,
            Operation::IsDistinct(_) => Operator::IsDistinct,
        };
        assert_eq!(found, *operator, "{text}");
    }
}

#[test]
fn conditions_negate_quantify_and_configure() {
    assert_eq!(condition("not.eq.a.b,c").unwrap(), (true, compare(Operator::Eq, "a.b,c")));
    assert_eq!(
        condition("like(any).{a*,b*}").unwrap().1,
        Operation::Compare {
            operator: Operator::Like,
            quantifier: Some(Quantifier::Any),
            value: "{a%,b%}".into()
        }
    );
    assert_eq!(
        condition("fts(german).a&b").unwrap().1,
        Operation::FullText {
            operator: Operator::Fts,
            language: Some("german".to_owned()),
            value: "a&b".into()
        }
    );
    assert_eq!(condition("isdistinct.x").unwrap().1, Operation::IsDistinct("x".into()));
    assert_eq!(condition("is.NOT_null").unwrap().1, Operation::Is(Is::NotNull));
    assert_eq!(condition("match.a*").unwrap().1, compare(Operator::Match, "a*"));
}

#[test]
fn lists_quote_and_may_be_empty() {
    let list = |text| match condition(text).unwrap().1 {
        Operation::In(list) => list,
        other => panic!("{other:?}"),
    };
    assert_eq!(list(r#"in.(a,"b,c",d e)"#), Literal::array(["a", "b,c", "d e"]));
    assert_eq!(list(r#"in.( "x\"y" ,z)"#), Literal::array([r#""x\"y" "#, "z"]));
    assert_eq!(list("in.()"), Literal::from("{}"));
    assert_eq!(list("in.(1,2)rest"), Literal::array(["1", "2"]));
}

#[test]
fn logic_trees_nest_and_values_in_them_end_at_comma_or_parenthesis() {
    let (path, tree) =
        logic("a.not.or", r#"(id.eq.1,and(b.gt.2,not.or(c.in.(1,2),d.eq."x,)")),e.cs.{1,2})"#).unwrap();
    assert_eq!(path, ["a"]);
    let Logic::Group { negated: true, junction: Junction::Or, members } = tree else { panic!("{tree:?}") };
    let Logic::Group { negated: false, junction: Junction::And, members: inner } = &members[1] else {
        panic!()
    };
    let Logic::Group { negated: true, junction: Junction::Or, members: innermost } = &inner[1] else {
        panic!()
    };
    let filter = |name: &str, operation| {
        Logic::Filter(Filter { field: Field::column(name), negated: false, operation })
    };
    assert_eq!(innermost[1], filter("d", compare(Operator::Eq, "x,)")));
    assert_eq!(members[2], filter("e", compare(Operator::Cs, "{1,2}")));
    assert_eq!(innermost[0], filter("c", Operation::In(Literal::array(["1", "2"]))));
}

#[test]
fn logic_trees_may_have_blanks() {
    let (_, tree) = logic("and", "( and ( id.in.( 1, 2 ) , id.eq.3 ) , or ( id.eq.2 , id.eq.3 ) )").unwrap();
    let Logic::Group { members, .. } = tree else { panic!() };
    assert_eq!(members.len(), 2);
}

#[test]
fn orders_have_direction_nulls_paths_and_relations() {
    let terms = order("a.desc.nullslast, rel(b->>c).asc,d.nullsfirst,e").unwrap();
    let term = |relation: Option<&str>, name: &str, direction, nulls| OrderTerm {
        relation: relation.map(str::to_owned),
        field: Field::column(name),
        aggregate: None,
        direction,
        nulls,
    };
    assert_eq!(terms[0], term(None, "a", Some(Direction::Desc), Some(Nulls::Last)));
    assert_eq!(terms[1].relation.as_deref(), Some("rel"));
    assert_eq!(terms[1].field.path, [(Arrow::Text, Step::Key("c".to_owned()))]);
    assert_eq!(terms[1].direction, Some(Direction::Asc));
    assert_eq!(terms[2], term(None, "d", None, Some(Nulls::First)));
    assert_eq!(terms[3], term(None, "e", None, None));
}

#[test]
fn select_lists_keep_their_order_and_nest() {
    let items = select("*,client:clients!fk!inner(id,tasks(*)),...other(a),name").unwrap();
    let client = Embed {
        hint: Some("fk".to_owned()),
        join: Some(Join::Inner),
        form: EmbedForm::Nested { alias: Some("client".to_owned()) },
        ..embed("clients", vec![column("id"), SelectItem::Embed(embed("tasks", vec![SelectItem::Every]))])
    };
    let other = Embed { form: EmbedForm::Spread, ..embed("other", vec![column("a")]) };
    let expected = [SelectItem::Every, SelectItem::Embed(client), SelectItem::Embed(other), column("name")];
    assert_eq!(items, expected);
    assert_eq!(select("").unwrap(), []);
    assert_eq!(select("rel()").unwrap(), [SelectItem::Embed(embed("rel", vec![]))]);
}

#[test]
fn fields_have_aliases_casts_and_aggregates() {
    let item = |text: &str| select(text).unwrap().remove(0);
    assert_eq!(
        item("total:data->n::int.sum()::text"),
        SelectItem::Field {
            field: Field { name: "data".to_owned(), path: vec![(Arrow::Json, Step::Key("n".to_owned()))] },
            cast: Some("int".to_owned()),
            aggregate: Some(Aggregate { function: AggregateFunction::Sum, cast: Some("text".to_owned()) }),
            alias: Some("total".to_owned()),
        }
    );
    assert_eq!(
        item("n:count()::text"),
        SelectItem::Field {
            field: Field::column(""),
            cast: None,
            aggregate: Some(Aggregate { function: AggregateFunction::Count, cast: Some("text".to_owned()) }),
            alias: Some("n".to_owned()),
        }
    );
    for (name, function) in [
        ("min", AggregateFunction::Min),
        ("max", AggregateFunction::Max),
        ("avg", AggregateFunction::Avg),
        ("count", AggregateFunction::Count),
    ] {
        let SelectItem::Field { aggregate, .. } = item(&format!("a.{name}()")) else { panic!() };
        assert_eq!(aggregate, Some(Aggregate { function, cast: None }));
    }
    assert_eq!(item("a::double precision"), item("a::double precision "));
}

#[test]
fn what_follows_a_closed_embed_is_dropped() {
    assert_eq!(select("rel(a)xyz,b").unwrap(), [SelectItem::Embed(embed("rel", vec![column("a")]))]);
}

#[test]
fn refusals_say_what_was_expected_at_the_furthest_position() {
    let filters = [
        ("0", "(line 1, column 1) unexpected \"0\" expecting \"not\" or operator (eq, gt, ...)"),
        ("noop.0", "(line 1, column 1) unexpected \"o\" expecting \"not\" or operator (eq, gt, ...)"),
        ("fts().value", "(line 1, column 5) unexpected \")\" expecting operator (eq, gt, ...)"),
        ("eq().value", "(line 1, column 4) unexpected \")\" expecting operator (eq, gt, ...)"),
        ("is().value", "(line 1, column 3) unexpected \"(\" expecting operator (eq, gt, ...)"),
        ("in().value", "(line 1, column 3) unexpected \"(\" expecting operator (eq, gt, ...)"),
        (
            "is.nothing",
            "(line 1, column 7) unexpected \"h\" expecting isVal: (null, not_null, true, false, unknown)",
        ),
        ("", "(line 1, column 1) unexpected end of input expecting \"not\" or operator (eq, gt, ...)"),
    ];
    for (text, told) in filters {
        assert_eq!(position(condition(text)), told, "{text}");
    }
    let orders = [
        (
            "clients(name,id)",
            "(line 1, column 8) unexpected '(' expecting letter, digit, \"-\", \"->>\", \"->\", delimiter (.), \",\" or end of input",
        ),
        (
            "id.ac",
            "(line 1, column 4) unexpected \"c\" expecting \"asc\", \"desc\", \"nullsfirst\" or \"nullslast\"",
        ),
        ("id.descc", "(line 1, column 8) unexpected 'c' expecting delimiter (.), \",\" or end of input"),
        (
            "id.nulsfist",
            "(line 1, column 4) unexpected \"n\" expecting \"asc\", \"desc\", \"nullsfirst\" or \"nullslast\"",
        ),
        ("id.nullslasttt", "(line 1, column 13) unexpected 't' expecting \",\" or end of input"),
        (
            "id.smth34",
            "(line 1, column 4) unexpected \"s\" expecting \"asc\", \"desc\", \"nullsfirst\" or \"nullslast\"",
        ),
        ("id.asc.nlsfst", "(line 1, column 8) unexpected \"l\" expecting \"nullsfirst\" or \"nullslast\""),
        ("id.asc.nullslasttt", "(line 1, column 17) unexpected 't' expecting \",\" or end of input"),
    ];
    for (text, told) in orders {
        assert_eq!(position(order(text)), told, "{text}");
    }
    let selects = [
        (
            "id,clients(name[])",
            "(line 1, column 16) unexpected '[' expecting letter, digit, \"-\", \"->>\", \"->\", \"::\", \".\", \")\", \",\" or end of input",
        ),
        (
            "data->>-78xy",
            "(line 1, column 11) unexpected 'x' expecting digit, \"->\", \"::\", \".\", \",\" or end of input",
        ),
        ("data->>--34", "(line 1, column 9) unexpected \"-\" expecting digit"),
        (
            "data->(x->>y::integer",
            "(line 1, column 7) unexpected \"(\" expecting \"-\", digit or any non reserved character different from: .,>()",
        ),
        (
            "rel->path(*)",
            "(line 1, column 10) unexpected '(' expecting \"->>\", \"->\", \"::\", \".\", \")\", \",\" or end of input",
        ),
        ("name::", "(line 1, column 7) unexpected end of input expecting letter or digit"),
    ];
    for (text, told) in selects {
        assert_eq!(position(select(text)), told, "{text}");
    }
}

#[test]
fn a_logic_tree_is_refused_with_its_operator_in_the_position_and_without_in_the_text() {
    let told = [
        (
            "or",
            "()",
            "(line 1, column 4)",
            "unexpected \")\" expecting field name (* or [a..z0..9_$]), negation operator (not) or logic operator (and, or)",
        ),
        ("or", "(id.in.1,2,id.eq.3)", "(line 1, column 10)", "unexpected \"1\" expecting \"(\""),
        ("or", ")(", "(line 1, column 3)", "unexpected \")\" expecting \"(\""),
        ("and", "(ord(id.eq.1,id.eq.1),id.eq.2)", "(line 1, column 7)", "unexpected \"d\" expecting \"(\""),
        (
            "or",
            "(id.eq.1,not.xor(id.eq.2,id.eq.3))",
            "(line 1, column 16)",
            "unexpected \"x\" expecting logic operator (and, or)",
        ),
    ];
    for (key, value, position, details) in told {
        let message = format!("\"failed to parse logic tree ({value})\" {position}");
        assert_eq!(refused(logic(key, value)), (message, details.to_owned()));
    }
}

#[test]
fn blank_columns_are_refused() {
    assert_eq!(
        refused(columns("")),
        (
            "\"failed to parse columns parameter ()\" (line 1, column 1)".to_owned(),
            "unexpected end of input expecting field name (* or [a..z0..9_$])".to_owned()
        )
    );
    assert_eq!(columns("a, \"b,c\"").unwrap(), ["a", "b,c"]);
}

#[test]
fn unprintable_characters_are_told_by_their_numbers() {
    assert_eq!(
        position(order("id.asc.é")),
        "(line 1, column 8) unexpected \"\\233\" expecting \"nullsfirst\" or \"nullslast\""
    );
}

#[test]
fn nesting_without_end_is_refused_before_the_stack_is_full() {
    let fault = |error: Box<Error>| match error.origin {
        Origin::Pgduet(fault) => fault.row().code,
        Origin::PostgreSql(_) => "",
    };
    let deep = format!("{}id{}", "a(".repeat(100_000), ")".repeat(100_000));
    assert_eq!(fault(select(&deep).unwrap_err()), "PGDUET09");
    let deep = format!("({}id.eq.1{}", "or(".repeat(100_000), ")".repeat(100_000));
    assert_eq!(fault(logic("and", &deep).unwrap_err()), "PGDUET09");
    let fine = format!("{}id{}", "a(".repeat(MAX_DEPTH), ")".repeat(MAX_DEPTH));
    assert!(select(&fine).is_ok());
}

proptest::proptest! {
    #[test]
    fn any_text_is_either_understood_or_refused_with_a_position(text in "\\PC{0,40}|[a-z.,:()!\"'{}>\\\\ \\-*]{0,40}") {
        let errors = [
            tree_path(&text).err(),
            condition(&text).err(),
            logic("or", &text).err(),
            order(&text).err(),
            select(&text).err(),
            columns(&text).err(),
        ];
        for error in errors.into_iter().flatten() {
            proptest::prop_assert!(error.message.contains("(line 1, column "), "{}", error.message);
            proptest::prop_assert!(error.details.is_some());
        }
    }
}
