//! Requests made of pieces that fit and pieces that do not: whatever a client sends, the statement that is made of it is
//! SQL, so PostgreSQL never has a syntax error to tell of. What else it says does not matter here.

use super::random::Random;

/// A request.
pub(super) struct Sent {
    pub(super) method: &'static str,
    pub(super) target: String,
    pub(super) headers: Vec<(&'static str, &'static str)>,
    pub(super) body: Option<&'static str>,
}

/// What is asked, the columns it has, and what can be embedded in it.
const RELATIONS: &[(&str, &[&str], &[&str])] = &[
    ("directors", &["id", "name", "country"], &["films", "awards!won", "biographies", "recent"]),
    (
        "films",
        &["id", "title", "year", "data", "tags", "runs", "genre", "plot", "label"],
        &["directors", "reviews", "actors", "best", "sequels", "director_id"],
    ),
    ("reviews", &["film_id", "author", "stars"], &["films", "film_id"]),
    ("counters", &["id", "label", "count"], &[]),
    ("notes", &["body", "\"odd, name\""], &[]),
    ("titles", &["title"], &[]),
    ("recent", &["film", "title", "director_id"], &["directors", "reviews"]),
    ("posters", &["id", "size", "prices"], &[]),
    ("runs", &["id", "lasts"], &[]),
    ("places", &["id", "name", "within"], &["places", "within"]),
    ("awards", &["id", "winner", "presenter"], &["won", "presenter", "directors!presented"]),
    ("actors", &["id", "name"], &["films"]),
    ("biographies", &["director_id", "pages"], &["directors"]),
    ("rpc/films_of?year=1961", &["id", "title", "year"], &["directors", "reviews", "best"]),
    ("rpc/films_of", &["id", "title", "year"], &["directors"]),
    ("rpc/add?a=1", &["pgrst_scalar"], &[]),
    ("rpc/joined?parts=a&parts=b", &["pgrst_scalar"], &[]),
    ("rpc/nothing", &[], &[]),
    ("rpc/anything", &[], &[]),
    ("rpc/echo", &[], &[]),
];
const NAMES: &[&str] = &[
    "id",
    "id",
    "film_id",
    "director_id",
    "title",
    "name",
    "label",
    "data",
    "tags",
    "runs",
    "size",
    "lasts",
    "count",
    "films",
    "directors",
    "reviews",
    "actors",
    "biographies",
    "best",
    "sequels",
    "awards!won",
    "won",
    "within",
    "*",
    "nope",
    "select",
    "order",
    "user",
    "\"odd, name\"",
    "\"a\\\"b\"",
    "\"\"",
    "\" \"",
    " ",
    " id ",
    "a-b",
    "\"$1\"",
    "\"a;b--\"",
    "Größe",
    "",
];
const PATHS: &[&str] =
    &["->a", "->>a", "->0", "->>-1", "->a->>b", "->%00", "->\"\"", "->\"a'b\"->>0", "->", "->>99999999999"];
const CASTS: &[&str] = &[
    "::int",
    "::text",
    "::TEXT",
    "::national character varying",
    "::interval year to month",
    "::int array",
    "::double precision",
    "::bit varying",
    "::select",
    "::setof int",
    "::array",
    "::array array",
    "::any",
    "::char",
    "::with time zone",
    "::timestamp with time zone",
    "::genre",
    "::record",
    "::null",
    ":: ",
    "::\"x\"",
];
const AGGREGATES: &[&str] = &[".sum()", ".count()", ".max()::text", ".avg()", ".min()::int array"];
const CONDITIONS: &[&str] = &[
    "eq.1",
    "neq.x",
    "gt.",
    "not.lte.2",
    "like.*a*",
    "ilike(any).{a,b}",
    "eq(any).{}",
    "gt(all).{1,2}",
    "match.^a",
    "in.(1,2)",
    "in.()",
    "in.(\"\")",
    "in.(\"a,b\",c)",
    "is.null",
    "is.not_null",
    "not.is.true",
    "is.unknown",
    "isdistinct.1",
    "isdistinct.",
    "fts.cat",
    "fts(english).cat",
    "fts( ).cat",
    "plfts.a b",
    "phfts.a",
    "wfts.a -b",
    "cs.{a}",
    "cd.{1}",
    "ov.[1,2)",
    "sl.(1,2)",
    "sr.(1,2)",
    "nxr.(1,2)",
    "nxl.(1,2)",
    "adj.(1,2)",
    "eq",
    "eq.",
    "1",
    "",
    "not.null",
    "eq.'; drop table",
    "eq.$1",
];
const ORDERS: &[&str] = &["", "", ".asc", ".desc", ".nullsfirst", ".desc.nullslast", ".asc.x", "."];
const NUMBERS: &[&str] = &["0", "1", "2", "-1", "", "x", "9223372036854775807", "99999999999999999999"];
const PREFERENCES: &[&str] = &[
    "return=representation",
    "return=representation",
    "return=minimal",
    "return=headers-only",
    "resolution=merge-duplicates",
    "resolution=ignore-duplicates",
    "missing=default",
    "count=exact",
    "count=planned",
    "count=estimated",
    "handling=strict",
    "max-affected=1",
    "timezone=UTC",
];
const MEDIA: &[&str] = &[
    "application/json",
    "application/json",
    "text/csv",
    "application/vnd.pgrst.object+json",
    "application/vnd.pgrst.array+json;nulls=stripped",
    "text/x-titles",
    "image/png",
    "application/geo+json",
    "application/vnd.pgrst.plan+json",
    "application/vnd.pgrst.plan; options=verbose",
];
const BODIES: &[&str] = &[
    "{}",
    "[]",
    "[{}]",
    "[{},{}]",
    r#"{"id": 1}"#,
    r#"{"id": 7, "name": "x"}"#,
    r#"[{"id": 1, "title": "x"}, {"id": 8, "title": "y"}]"#,
    r#"{"": 1}"#,
    r#"{"id": 1, "": 2}"#,
    r#"{"label": "z"}"#,
    r#"{"body": null}"#,
    r#"{"film_id": 1, "author": "ann", "stars": 2}"#,
    r#"{"a": 1, "b": 2}"#,
    r#"{"year": 1961}"#,
    r#"{"odd, name": 1}"#,
    r#"{"nope": 1}"#,
    "1",
    "null",
    "",
    "{",
];

/// Where names are looked for; what is embedded under a name that is no relation's is searched like the films.
#[derive(Clone, Copy)]
struct Within(usize);

impl Within {
    fn of(target: &str) -> Self {
        Within(RELATIONS.iter().position(|(name, ..)| target.split('!').next() == Some(name)).unwrap_or(1))
    }

    fn column(self, random: &mut Random) -> &'static str {
        Self::most(random, RELATIONS[self.0].1)
    }

    fn embed(self, random: &mut Random) -> &'static str {
        Self::most(random, RELATIONS[self.0].2)
    }

    fn most(random: &mut Random, fitting: &'static [&'static str]) -> &'static str {
        let names = if fitting.is_empty() || random.chance(6) { NAMES } else { fitting };
        random.pick::<&str>(names)
    }
}

impl Sent {
    pub(super) fn generate(random: &mut Random) -> Self {
        let method = *random.pick(&["GET", "GET", "GET", "HEAD", "POST", "PATCH", "PUT", "DELETE"]);
        let within = Within(random.below(RELATIONS.len()));
        let mut pairs = Vec::new();
        pairs.extend(random.maybe(75, |random| format!("select={}", select(random, within, 0))));
        for _ in 0..random.below(3) {
            pairs.push(pair(random, within));
        }
        let name = RELATIONS[within.0].0;
        let mark = if name.contains('?') { '&' } else { '?' };
        let target = format!("/{name}{mark}{}", pairs.join("&").replace(' ', "+"));
        let mut headers = Vec::new();
        headers.extend(random.maybe(30, |random| ("Accept", *random.pick(MEDIA))));
        for _ in 0..random.below(4) {
            headers.push(("Prefer", *random.pick(PREFERENCES)));
        }
        let body = matches!(method, "POST" | "PATCH" | "PUT").then(|| *random.pick(BODIES));
        headers.extend(body.map(|_| ("Content-Type", "application/json")));
        Self { method, target, headers, body }
    }
}

fn pair(random: &mut Random, within: Within) -> String {
    let path = random.maybe(15, |random| format!("{}.", within.embed(random))).unwrap_or_default();
    let within = if path.is_empty() { within } else { Within::of(path.trim_end_matches('.')) };
    match random.below(10) {
        0 | 1 => format!("{path}order={}", order(random, within)),
        2 => format!("{path}limit={}", random.pick(NUMBERS)),
        3 => format!("{path}offset={}", random.pick(NUMBERS)),
        4 => {
            format!("{path}{}={}", random.pick(&["or", "and", "not.or", "not.and"]), tree(random, within, 0))
        }
        5 => format!("columns={}", names(random, within)),
        6 => format!("on_conflict={}", names(random, within)),
        _ => format!("{path}{}={}", field(random, within), random.pick(CONDITIONS)),
    }
}

fn names(random: &mut Random, within: Within) -> String {
    let names: Vec<_> = (0..random.below(3) + 1).map(|_| within.column(random)).collect();
    names.join(",")
}

fn field(random: &mut Random, within: Within) -> String {
    let path = random.maybe(25, |random| *random.pick(PATHS)).unwrap_or_default();
    format!("{}{path}", within.column(random))
}

fn order(random: &mut Random, within: Within) -> String {
    let term = |random: &mut Random| {
        let field = match random.chance(20) {
            true => {
                let embed = within.embed(random);
                format!("{embed}({})", field(random, Within::of(embed)))
            }
            false => field(random, within),
        };
        format!("{field}{}", random.pick(ORDERS))
    };
    let terms: Vec<_> = (0..random.below(2) + 1).map(|_| term(random)).collect();
    terms.join(",")
}

fn tree(random: &mut Random, within: Within, depth: usize) -> String {
    let member = |random: &mut Random| match random.chance(25) && depth < 2 {
        true => {
            format!("{}{}", random.pick(&["and", "or", "not.or", "not.and"]), tree(random, within, depth + 1))
        }
        false => format!("{}.{}", field(random, within), random.pick(CONDITIONS)),
    };
    let members: Vec<_> = (0..random.below(3) + 1).map(|_| member(random)).collect();
    format!("({})", members.join(","))
}

fn select(random: &mut Random, within: Within, depth: usize) -> String {
    let item = |random: &mut Random| {
        let alias = random.maybe(20, |random| format!("{}:", within.column(random))).unwrap_or_default();
        match random.below(10) {
            0..=2 if depth < 3 => {
                let spread = *random.pick(&["", "", "", "..."]);
                let alias = if spread.is_empty() { alias } else { String::new() };
                let join = *random.pick(&["", "", "", "!inner", "!left", "!\"\""]);
                let target = within.embed(random);
                format!("{spread}{alias}{target}{join}({})", select(random, Within::of(target), depth + 1))
            }
            3 => format!("{alias}count()"),
            _ => {
                let cast = random.maybe(25, |random| *random.pick(CASTS)).unwrap_or_default();
                let aggregate = random.maybe(15, |random| *random.pick(AGGREGATES)).unwrap_or_default();
                format!("{alias}{}{cast}{aggregate}", field(random, within))
            }
        }
    };
    let items: Vec<_> = (0..random.below(4)).map(|_| item(random)).collect();
    items.join(",")
}
