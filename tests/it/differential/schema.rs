//! A generated schema: tables of columns of every kind, with foreign keys among them, junctions and a hierarchy.

use super::random::Random;
use std::fmt::Write;

const ROWS: usize = 12;

/// What a column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Int,
    Numeric,
    Text,
    Bool,
    Date,
    Json,
    Ints,
    Range,
}

const KINDS: [Kind; 8] =
    [Kind::Int, Kind::Numeric, Kind::Text, Kind::Bool, Kind::Date, Kind::Json, Kind::Ints, Kind::Range];

/// Words that have to be quoted in one place or another.
const WORDS: [&str; 12] = [
    "plain",
    "two words",
    "a,b",
    "(x)",
    "say \"hi\"",
    "back\\slash",
    "100%",
    "s*ar",
    "Größe",
    "O'Hara",
    "x.y",
    "",
];

impl Kind {
    /// PostgreSQL's name of it.
    pub(super) fn sql(self) -> &'static str {
        match self {
            Kind::Int => "int4",
            Kind::Numeric => "numeric",
            Kind::Text => "text",
            Kind::Bool => "bool",
            Kind::Date => "date",
            Kind::Json => "jsonb",
            Kind::Ints => "_int4",
            Kind::Range => "int4range",
        }
    }

    /// A value, in PostgreSQL's notation.
    pub(super) fn value(self, random: &mut Random) -> String {
        match self {
            Kind::Int => random.below(9).to_string(),
            Kind::Numeric => format!("{}.{}", random.below(20), random.below(4) * 25),
            Kind::Text => (*random.pick(&WORDS)).to_owned(),
            Kind::Bool => if random.chance(50) { "true" } else { "false" }.to_owned(),
            Kind::Date => format!("2024-0{}-1{}", 1 + random.below(3), random.below(3)),
            Kind::Json => json(random),
            Kind::Ints => format!("{{{}}}", numbers(random).join(",")),
            Kind::Range => {
                let lower = random.below(8);
                format!("[{lower},{})", lower + 1 + random.below(6))
            }
        }
    }
}

fn numbers(random: &mut Random) -> Vec<String> {
    (0..random.below(4)).map(|_| random.below(5).to_string()).collect()
}

/// An object some of whose keys may be missing; `n` is a number wherever it is.
fn json(random: &mut Random) -> String {
    let mut fields = Vec::new();
    fields.extend(random.maybe(70, |random| format!("\"n\": {}", random.below(5))));
    fields.extend(random.maybe(70, |random| format!("\"s\": {:?}", random.pick(&WORDS[..4]))));
    fields.extend(random.maybe(60, |random| format!("\"o\": {{\"k\": [{}]}}", numbers(random).join(", "))));
    format!("{{{}}}", fields.join(", "))
}

/// A column.
pub(super) struct Column {
    pub(super) name: String,
    pub(super) kind: Kind,
}

/// A table.
pub(super) struct Table {
    pub(super) name: String,
    pub(super) columns: Vec<Column>,
    /// Columns of the primary key, by position.
    pub(super) key: Vec<usize>,
    /// Column, table that it refers to, name of the constraint.
    references: Vec<(usize, usize, String)>,
}

/// Something that can be embedded.
pub(super) struct Relationship {
    pub(super) from: usize,
    pub(super) to: usize,
    /// What the select list can call it: alone, or with `!`; each means it and nothing else.
    pub(super) names: Vec<String>,
    pub(super) many: bool,
    pub(super) link: Link,
}

/// Which rows belong together.
pub(super) enum Link {
    /// Those with these columns equal: of the row above, and of the embedded one.
    Columns(String, String),
    /// Those that a row of this table connects: by its column for the row above, and by that for the embedded one.
    Junction(String, String, String),
}

/// All of it.
pub(super) struct Schema {
    pub(super) tables: Vec<Table>,
    pub(super) relationships: Vec<Relationship>,
    rows: Vec<String>,
}

impl Schema {
    pub(super) fn generate(random: &mut Random) -> Self {
        const NAMES: [&str; 5] = ["films", "people", "prizes", "two words", "Orte"];
        const COLUMNS: [&str; 6] = ["name", "Größe", "a-b", "with space", "dotted.name", "data"];
        let mut tables: Vec<Table> = Vec::new();
        for (at, name) in NAMES.into_iter().enumerate() {
            let mut columns = vec![Column { name: "id".to_owned(), kind: Kind::Int }];
            let kinds = COLUMNS.into_iter().enumerate();
            // Between them the tables have every kind.
            columns.extend(kinds.map(|(place, name)| {
                let kind =
                    if random.chance(60) { KINDS[(at + place) % KINDS.len()] } else { *random.pick(&KINDS) };
                Column { name: name.to_owned(), kind }
            }));
            let mut table = Table { name: name.to_owned(), columns, key: vec![0], references: Vec::new() };
            // Of two keys to one table neither can be meant by the table's name alone.
            for (number, other) in
                (0..at).filter(|_| random.chance(70)).collect::<Vec<_>>().into_iter().enumerate()
            {
                refer(&mut table, &format!("ref{number}"), other);
            }
            tables.push(table);
        }
        let people = 1;
        refer(&mut tables[people], "parent", people);
        for (number, (one, other)) in [(0, 1), (1, 3), (2, 4)].into_iter().enumerate() {
            let mut junction = Table {
                name: format!("link{number}"),
                columns: vec![],
                key: vec![0, 1],
                references: Vec::new(),
            };
            refer(&mut junction, "one", one);
            refer(&mut junction, "other", other);
            junction.columns.push(Column { name: "note".to_owned(), kind: Kind::Text });
            tables.push(junction);
        }
        let rows = tables.iter().map(|table| fill(table, random)).collect();
        let relationships = relationships(&tables);
        Self { tables, relationships, rows }
    }

    /// What can be embedded in a table.
    pub(super) fn embeddable(&self, table: usize) -> Vec<&Relationship> {
        self.relationships.iter().filter(|relationship| relationship.from == table).collect()
    }

    /// The statements that make it.
    pub(super) fn definition(&self) -> String {
        let mut sql = "CREATE SCHEMA api; SET search_path = api;".to_owned();
        for table in &self.tables {
            let mut parts: Vec<_> = table
                .columns
                .iter()
                .map(|column| format!("{} {}", quoted(&column.name), column.kind.sql()))
                .collect();
            let key: Vec<_> = table.key.iter().map(|at| quoted(&table.columns[*at].name)).collect();
            parts.push(format!("PRIMARY KEY ({})", key.join(", ")));
            write!(sql, "CREATE TABLE {} ({});", quoted(&table.name), parts.join(", ")).unwrap();
        }
        sql.extend(self.rows.iter().map(String::as_str));
        for table in &self.tables {
            for (column, other, constraint) in &table.references {
                let (name, column) = (quoted(&table.name), quoted(&table.columns[*column].name));
                let other = quoted(&self.tables[*other].name);
                write!(
                    sql,
                    "ALTER TABLE {name} ADD CONSTRAINT {constraint} FOREIGN KEY ({column}) REFERENCES {other} (id);"
                )
                .unwrap();
            }
        }
        sql + "GRANT USAGE ON SCHEMA api TO anonymous; GRANT SELECT ON ALL TABLES IN SCHEMA api TO anonymous; ANALYZE;"
    }
}

fn refer(table: &mut Table, column: &str, other: usize) {
    let constraint = format!("{}_{column}", table.name.replace(' ', "_").to_lowercase());
    table.references.push((table.columns.len(), other, constraint));
    table.columns.push(Column { name: column.to_owned(), kind: Kind::Int });
}

/// Rows whose numbers are keys of other tables, too.
fn fill(table: &Table, random: &mut Random) -> String {
    let mut rows = Vec::new();
    for id in 1..=ROWS {
        let value = |(at, column): (usize, &Column), random: &mut Random| match table.key.as_slice() {
            [only] if *only == at => id.to_string(),
            // Each row of a junction is another pair.
            [first, second] if *first == at || *second == at => {
                (1 + if *first == at { id / 4 } else { id % 4 }).to_string()
            }
            _ if random.chance(20) => "NULL".to_owned(),
            _ if table.references.iter().any(|(of, ..)| *of == at) => (1 + random.below(ROWS)).to_string(),
            _ => literal(&column.kind.value(random)),
        };
        let values: Vec<_> = table.columns.iter().enumerate().map(|column| value(column, random)).collect();
        rows.push(format!("({})", values.join(", ")));
    }
    format!("INSERT INTO {} VALUES {};", quoted(&table.name), rows.join(", "))
}

fn relationships(tables: &[Table]) -> Vec<Relationship> {
    let mut found = Vec::new();
    for (at, table) in tables.iter().enumerate() {
        for (column, other, constraint) in &table.references {
            let (column, other_name) = (&table.columns[*column].name, &tables[*other].name);
            let (there, back) = match at == *other {
                // The many by the table, the one by the column.
                true => (vec![column.clone()], vec![table.name.clone()]),
                false => (
                    vec![
                        constraint.clone(),
                        format!("{other_name}!{constraint}"),
                        format!("{other_name}!{column}"),
                    ],
                    vec![constraint.clone(), format!("{}!{constraint}", table.name)],
                ),
            };
            let columns = |one: &str, other: &str| Link::Columns(one.to_owned(), other.to_owned());
            let link = columns(column, "id");
            found.push(Relationship { from: at, to: *other, names: there, many: false, link });
            let link = columns("id", column);
            found.push(Relationship { from: *other, to: at, names: back, many: true, link });
        }
        if let ([_, _], [(one, first, _), (other, second, _)]) =
            (table.key.as_slice(), table.references.as_slice())
        {
            for ((here, from), (there, to)) in
                [((one, first), (other, second)), ((other, second), (one, first))]
            {
                let names = vec![format!("{}!{}", tables[*to].name, table.name)];
                let [here, there] = [here, there].map(|column| table.columns[*column].name.clone());
                let link = Link::Junction(table.name.clone(), here, there);
                found.push(Relationship { from: *from, to: *to, names, many: true, link });
            }
        }
    }
    // Where it is the only one between both, the table's name is enough.
    let only = |relationship: &Relationship| {
        relationship.from != relationship.to
            && found
                .iter()
                .filter(|other| (other.from, other.to) == (relationship.from, relationship.to))
                .count()
                == 1
    };
    let only: Vec<_> = found.iter().map(only).collect();
    for (relationship, only) in found.iter_mut().zip(only) {
        if only {
            relationship.names.push(tables[relationship.to].name.clone());
        }
    }
    found
}

/// A name in SQL.
pub(super) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// A text in SQL.
pub(super) fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}
