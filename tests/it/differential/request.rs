//! Generated requests: what is asked at each level, before it is written down as a URL or as SQL.

use super::{
    random::Random,
    schema::{Column, Kind, Schema, literal},
};
use std::collections::HashSet;

/// How deep embeds are nested.
const DEPTH: usize = 3;

/// What is asked of one table.
pub(super) struct Level {
    pub(super) table: usize,
    pub(super) items: Vec<Item>,
    pub(super) conditions: Vec<Condition>,
    pub(super) order: Vec<Term>,
    pub(super) limit: Option<u64>,
    pub(super) offset: Option<u64>,
}

/// An item of the select list.
pub(super) enum Item {
    Field { key: String, alias: bool, field: Field, cast: Option<&'static str> },
    Embed(Embed),
}

/// A column, and a path into it.
#[derive(Clone)]
pub(super) struct Field {
    pub(super) column: String,
    pub(super) kind: Kind,
    pub(super) path: &'static [&'static str],
}

/// An embedded table.
pub(super) struct Embed {
    /// Its position among the schema's relationships.
    pub(super) relationship: usize,
    /// What the select list calls it.
    pub(super) target: String,
    pub(super) alias: Option<String>,
    pub(super) inner: bool,
    pub(super) form: Form,
    pub(super) level: Level,
}

/// What an embed becomes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    Key,
    Spread,
    Hidden,
}

/// A condition.
pub(super) enum Condition {
    Compare {
        negated: bool,
        field: Field,
        operation: Operation,
    },
    /// Whether an embed, by its position among the items, has rows.
    Embed {
        item: usize,
        exists: bool,
    },
    Group {
        negated: bool,
        or: bool,
        members: Vec<Condition>,
    },
}

/// An operator with its right side.
pub(super) struct Operation {
    /// `eq`, `fts(simple)`, `gt(all)`
    pub(super) name: String,
    pub(super) operand: Operand,
    /// The same in SQL; `§` stands for the left side.
    pub(super) sql: String,
}

/// The right side.
pub(super) enum Operand {
    Value(String),
    List(Vec<String>),
    Keyword(&'static str),
}

/// A term of an order.
pub(super) struct Term {
    /// The position among the items of the embed whose field it is.
    pub(super) embed: Option<usize>,
    pub(super) field: Field,
    pub(super) direction: Option<&'static str>,
    pub(super) nulls: Option<&'static str>,
}

impl Embed {
    /// The name by which it is addressed.
    pub(super) fn name(&self) -> &str {
        self.alias.as_deref().unwrap_or_else(|| self.target.split('!').next().unwrap_or_default())
    }
}

impl Level {
    /// A request for one of the tables.
    pub(super) fn generate(schema: &Schema, random: &mut Random) -> Self {
        let table = random.below(schema.tables.len());
        let mut keys = HashSet::new();
        Self::of(schema, table, DEPTH, &mut keys, random)
    }

    /// `keys` are those that the object already has.
    fn of(
        schema: &Schema,
        table: usize,
        depth: usize,
        keys: &mut HashSet<String>,
        random: &mut Random,
    ) -> Self {
        let columns = &schema.tables[table].columns;
        let mut items = Vec::new();
        if random.chance(30) && columns.iter().all(|column| !keys.contains(&column.name)) {
            items.extend(columns.iter().map(|column| every(column, keys)));
        } else {
            for _ in 0..=random.below(3) {
                items.push(field(columns, keys, random));
            }
        }
        if depth > 0 {
            for _ in 0..random.below(3) {
                let beside: Vec<_> = embeds(&items).map(|(_, embed)| embed.name().to_owned()).collect();
                items.extend(embed(schema, table, depth, &beside, keys, random).map(Item::Embed));
            }
        }
        let mut conditions = Vec::new();
        for _ in 0..random.below(3) {
            conditions.push(condition(columns, &items, 2, random));
        }
        let mut order = Vec::new();
        for _ in 0..random.below(3) {
            order.push(term(schema, columns, &items, random));
        }
        // What comes last tells all rows apart.
        let key = schema.tables[table].key.iter().map(|at| Field::whole(&columns[*at]));
        order.extend(key.map(|field| Term { embed: None, field, direction: None, nulls: None }));
        let offset = random.maybe(15, |random| random.below(5) as u64);
        // With an offset nobody may ask for nothing (416, as PostgREST has it).
        let least = offset.map_or(0, |offset| offset.min(1));
        let limit = random.maybe(25, |random| least + random.below(5) as u64);
        Self { table, items, conditions, order, limit, offset }
    }
}

impl Field {
    fn whole(column: &Column) -> Self {
        Self { column: column.name.clone(), kind: column.kind, path: &[] }
    }

    /// A column, and where there is a way into it perhaps a path.
    fn any(columns: &[Column], random: &mut Random) -> Self {
        const JSON: [&[&str]; 6] =
            [&["->n"], &["->>n"], &["->>s"], &["->o", "->k"], &["->o", "->k", "->-1"], &["->o", "->>k"]];
        const ARRAY: [&[&str]; 2] = [&["->0"], &["->>-1"]];
        let column = random.pick(columns);
        let path = match column.kind {
            Kind::Json if random.chance(70) => *random.pick(&JSON),
            Kind::Ints if random.chance(30) => *random.pick(&ARRAY),
            _ => &[][..],
        };
        Self { path, ..Self::whole(column) }
    }

    /// What it holds in the end.
    fn holds(&self) -> Kind {
        match self.path.last() {
            None => self.kind,
            Some(step) if step.starts_with("->>") => Kind::Text,
            Some(_) => Kind::Json,
        }
    }

    /// The key that it has without an alias.
    fn key(&self) -> String {
        let steps = self.path.iter().rev().map(|step| step.trim_start_matches("->").trim_start_matches('>'));
        let mut names = steps.filter(|step| step.parse::<i32>().is_err());
        names.next().unwrap_or(&self.column).to_owned()
    }
}

/// The embeds among items, with their positions.
pub(super) fn embeds(items: &[Item]) -> impl Iterator<Item = (usize, &Embed)> {
    items.iter().enumerate().filter_map(|(at, item)| match item {
        Item::Embed(embed) => Some((at, embed)),
        Item::Field { .. } => None,
    })
}

fn every(column: &Column, keys: &mut HashSet<String>) -> Item {
    keys.insert(column.name.clone());
    Item::Field { key: column.name.clone(), alias: false, field: Field::whole(column), cast: None }
}

fn field(columns: &[Column], keys: &mut HashSet<String>, random: &mut Random) -> Item {
    let field = Field::any(columns, random);
    let cast = match (field.holds(), field.path.last()) {
        (Kind::Text, Some(&"->>n")) => random.maybe(50, |_| "int8"),
        // Nothing else can follow a position where an embed's list ends: the grammar takes it for a key.
        (_, Some(&("->0" | "->-1"))) => Some("jsonb"),
        (_, Some(&"->>-1")) => Some("text"),
        (Kind::Int, _) => random.maybe(20, |random| *random.pick(&["text", "numeric", "float8"])),
        (Kind::Text | Kind::Json, _) => None,
        _ => random.maybe(20, |_| "text"),
    };
    let mut key = field.key();
    let alias = random.chance(20) || keys.contains(&key);
    if alias {
        key = format!("key {}", keys.len());
    }
    keys.insert(key.clone());
    Item::Field { key, alias, field, cast }
}

fn embed(
    schema: &Schema,
    table: usize,
    depth: usize,
    beside: &[String],
    keys: &mut HashSet<String>,
    random: &mut Random,
) -> Option<Embed> {
    let choices = schema.embeddable(table);
    if choices.is_empty() {
        return None;
    }
    let relationship = *random.pick(&choices);
    let target = random.pick(&relationship.names).clone();
    let form = *random.pick(&[Form::Key, Form::Key, Form::Key, Form::Spread, Form::Hidden]);
    let name = target.split('!').next().unwrap_or_default();
    let taken = beside.iter().any(|other| other == name) || keys.contains(name);
    let is_column = schema.tables[table].columns.iter().any(|column| column.name == name);
    let alias = match form {
        // A spread cannot have one, so no other name may be in its way.
        Form::Spread if taken || is_column => return None,
        Form::Spread => None,
        Form::Key | Form::Hidden if taken || is_column || random.chance(30) => {
            Some(format!("embed {}", keys.len() + beside.len()))
        }
        Form::Key | Form::Hidden => None,
    };
    let mut own = HashSet::new();
    let inside = if form == Form::Spread { &mut *keys } else { &mut own };
    let mut level = Level::of(schema, relationship.to, depth - 1, inside, random);
    if form == Form::Hidden {
        level.items.clear();
        level.conditions.retain(|condition| !asks_for_embeds(condition));
        level.order.retain(|term| term.embed.is_none());
    } else if form == Form::Key {
        keys.insert(alias.clone().unwrap_or_else(|| name.to_owned()));
    }
    let relationship = schema.relationships.iter().position(|other| std::ptr::eq(other, relationship))?;
    Some(Embed { relationship, target, alias, inner: random.chance(25), form, level })
}

fn asks_for_embeds(condition: &Condition) -> bool {
    match condition {
        Condition::Compare { .. } => false,
        Condition::Embed { .. } => true,
        Condition::Group { members, .. } => members.iter().any(asks_for_embeds),
    }
}

fn condition(columns: &[Column], items: &[Item], depth: usize, random: &mut Random) -> Condition {
    let embedded: Vec<_> = embeds(items).map(|(at, _)| at).collect();
    if depth > 0 && random.chance(35) {
        let members = (0..=random.below(3)).map(|_| condition(columns, items, depth - 1, random)).collect();
        return Condition::Group { negated: random.chance(25), or: random.chance(60), members };
    }
    if !embedded.is_empty() && random.chance(25) {
        return Condition::Embed { item: *random.pick(&embedded), exists: random.chance(60) };
    }
    let field = Field::any(columns, random);
    let operation = Operation::any(field.holds(), random);
    Condition::Compare { negated: random.chance(20), field, operation }
}

fn term(schema: &Schema, columns: &[Column], items: &[Item], random: &mut Random) -> Term {
    let direction = random.maybe(60, |random| *random.pick(&["asc", "desc"]));
    let nulls = random.maybe(40, |random| *random.pick(&["nullsfirst", "nullslast"]));
    let related: Vec<_> = embeds(items)
        .filter(|(_, embed)| !schema.relationships[embed.relationship].many)
        .flat_map(|(at, embed)| orderable(schema, embed).into_iter().map(move |field| (Some(at), field)))
        .collect();
    let (embed, field) = match related.is_empty() || random.chance(60) {
        true => (None, Field::any(columns, random)),
        false => random.pick(&related).clone(),
    };
    Term { embed, field, direction, nulls }
}

/// What a level can be ordered by of an embed: the columns that are taken from it as they are.
fn orderable(schema: &Schema, embed: &Embed) -> Vec<Field> {
    let taken = embed.level.items.iter().filter_map(|item| match item {
        Item::Field { alias: false, field, cast: None, .. } if field.path.is_empty() => Some(field.clone()),
        Item::Field { .. } | Item::Embed(_) => None,
    });
    match embed.form {
        Form::Hidden => schema.tables[embed.level.table].columns.iter().map(Field::whole).collect(),
        Form::Key | Form::Spread => taken.collect(),
    }
}

impl Operation {
    /// An operator that this kind has.
    fn any(kind: Kind, random: &mut Random) -> Self {
        if random.chance(15) {
            return Self::is(kind, random);
        }
        if random.chance(15) {
            return Self::list(kind, random);
        }
        let value = kind.value(random);
        let typed = format!("{}::{}", literal(&value), kind.sql());
        let plain = |name: &str, sql: &str| Self {
            name: name.to_owned(),
            operand: Operand::Value(value.clone()),
            sql: format!("§ {sql} {typed}"),
        };
        const COMPARISONS: [(&str, &str); 7] = [
            ("eq", "="),
            ("neq", "<>"),
            ("gt", ">"),
            ("gte", ">="),
            ("lt", "<"),
            ("lte", "<="),
            ("isdistinct", "IS DISTINCT FROM"),
        ];
        const ARRAYS: [(&str, &str); 3] = [("cs", "@>"), ("cd", "<@"), ("ov", "&&")];
        const RANGES: [(&str, &str); 5] =
            [("sl", "<<"), ("sr", ">>"), ("nxr", "&<"), ("nxl", "&>"), ("adj", "-|-")];
        match kind {
            Kind::Text if random.chance(50) => Self::pattern_or_search(random),
            Kind::Ints if random.chance(60) => {
                let (name, sql) = random.pick(&ARRAYS);
                plain(name, sql)
            }
            Kind::Range if random.chance(70) => {
                let (name, sql) = if random.chance(40) { random.pick(&ARRAYS) } else { random.pick(&RANGES) };
                plain(name, sql)
            }
            Kind::Json if random.chance(40) => {
                let (name, sql) = random.pick(&ARRAYS[..2]);
                plain(name, sql)
            }
            Kind::Int if random.chance(30) => Self::quantified(random),
            _ => {
                let (name, sql) = random.pick(&COMPARISONS);
                plain(name, sql)
            }
        }
    }

    fn is(kind: Kind, random: &mut Random) -> Self {
        const ANY: [(&str, &str); 2] = [("null", "NULL"), ("not_null", "NOT NULL")];
        const TRUTH: [(&str, &str); 3] = [("true", "TRUE"), ("false", "FALSE"), ("unknown", "UNKNOWN")];
        let (word, sql) = if kind == Kind::Bool { random.pick(&TRUTH) } else { random.pick(&ANY) };
        Self { name: "is".to_owned(), operand: Operand::Keyword(word), sql: format!("§ IS {sql}") }
    }

    fn list(kind: Kind, random: &mut Random) -> Self {
        let values: Vec<_> = (0..=random.below(3)).map(|_| kind.value(random)).collect();
        // A lone empty text cannot be told from an empty list, which has no rows.
        let sql: Vec<_> = match values.as_slice() {
            [only] if only.is_empty() => Vec::new(),
            values => values.iter().map(|value| literal(value)).collect(),
        };
        let sql = format!("§ = ANY (ARRAY[{}]::{}[])", sql.join(", "), kind.sql().trim_start_matches('_'));
        // Arrays of arrays are not.
        match kind {
            Kind::Ints => Self::is(kind, random),
            _ => Self { name: "in".to_owned(), operand: Operand::List(values), sql },
        }
    }

    fn quantified(random: &mut Random) -> Self {
        const OPERATORS: [(&str, &str); 5] =
            [("eq", "="), ("gt", ">"), ("gte", ">="), ("lt", "<"), ("lte", "<=")];
        let (name, sql) = random.pick(&OPERATORS);
        let quantifier = random.pick(&["any", "all"]);
        let values = Kind::Ints.value(random);
        let sql = format!("§ {sql} {quantifier} ({}::int4[])", literal(&values));
        Self { name: format!("{name}({quantifier})"), operand: Operand::Value(values), sql }
    }

    fn pattern_or_search(random: &mut Random) -> Self {
        const OPERATORS: [(&str, &str); 4] =
            [("like", "LIKE"), ("ilike", "ILIKE"), ("match", "~"), ("imatch", "~*")];
        const SEARCHES: [(&str, &str); 4] = [
            ("fts", "to_tsquery"),
            ("plfts", "plainto_tsquery"),
            ("phfts", "phraseto_tsquery"),
            ("wfts", "websearch_to_tsquery"),
        ];
        let word = *random.pick(&["plain", "two", "O", "x", "words"]);
        if random.chance(40) {
            let (name, function) = random.pick(&SEARCHES);
            let (name, language) = match random.chance(50) {
                true => (format!("{name}(simple)"), "'simple', "),
                false => ((*name).to_owned(), ""),
            };
            let sql = format!("to_tsvector({language}§) @@ {function}({language}{})", literal(word));
            return Self { name, operand: Operand::Value(word.to_owned()), sql };
        }
        let (name, sql) = random.pick(&OPERATORS);
        let value = if name.contains("like") { format!("*{word}*") } else { format!("^{word}.*$") };
        let pattern = if name.contains("like") { value.replace('*', "%") } else { value.clone() };
        let sql = format!("§ {sql} {}", literal(&pattern));
        Self { name: (*name).to_owned(), operand: Operand::Value(value), sql }
    }
}
