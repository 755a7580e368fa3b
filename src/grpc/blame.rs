//! Blame: which columns an error of PostgreSQL's is about, where PostgreSQL names none. It compares the error with what
//! was asked: a value that PostgreSQL quotes is found among the values that were given, a violated CHECK constraint among
//! those of the catalog. It names nothing where it is not certain, and changes nothing of the error.

use crate::{
    catalog::{
        Catalog,
        descriptor::{Function, Relation, Type, TypeKind},
    },
    error::{Error, Origin, Report},
    request::{
        Action, Request,
        filter::{Filter, Logic, Operation},
        literal::Literal,
        payload::{Arguments, Payload},
    },
};
use serde_json::Value;
use std::{
    borrow::Cow,
    collections::{BTreeSet, HashSet},
};

/// SQLSTATE's class of values that cannot be what they are meant to be.
const DATA: &str = "22";
/// `string_data_right_truncation`.
const TOO_LONG: &str = "22001";
/// `check_violation`.
const CHECK: &str = "23514";
/// Types that take any text, by their names in `pg_catalog`.
const TEXTS: &[&str] = &["text", "varchar", "bpchar", "name"];

/// What of a request an error can be about.
#[derive(Debug)]
pub(super) struct Asked {
    schema: String,
    action: Action,
    filters: Vec<Filter>,
    logic: Vec<Logic>,
}

impl Asked {
    /// That of this request. Conditions on embeds are about other relations, and left out.
    pub(super) fn of(request: &Request) -> Self {
        let of_root = |path: &[String]| path.is_empty();
        let filters = request.query.filters.iter().filter(|(path, _)| of_root(path));
        let logic = request.query.logic.iter().filter(|(path, _)| of_root(path));
        Self {
            schema: request.schema.clone(),
            action: request.action.clone(),
            filters: filters.map(|(_, filter)| filter.clone()).collect(),
            logic: logic.map(|(_, tree)| tree.clone()).collect(),
        }
    }

    /// The columns, or arguments, that `error` is about; none if PostgreSQL names one itself.
    pub(super) fn blamed(&self, catalog: &Catalog, error: &Error) -> Vec<String> {
        let Origin::PostgreSql(report) = &error.origin else { return Vec::new() };
        if report.column.is_some() || report.raised.is_some() {
            return Vec::new();
        }
        let about = About::of(self, catalog);
        match report.sqlstate.as_str() {
            CHECK => about.checked(self, catalog, report, &error.message),
            TOO_LONG => about.too_long(&self.given(), &error.message),
            state if state.starts_with(DATA) => about.quoted(&self.given(), &error.message),
            _ => Vec::new(),
        }
    }

    /// The key in the conditions, for people: `id=5`.
    pub(super) fn key(&self) -> String {
        let text = |filter: &Filter| match &filter.operation {
            Operation::Compare { value, .. } => format!("{}={}", filter.field.name, as_text(value)),
            Operation::In(_) | Operation::Is(_) | Operation::IsDistinct(_) | Operation::FullText { .. } => {
                filter.field.name.clone()
            }
        };
        self.filters.iter().map(text).collect::<Vec<_>>().join(", ")
    }

    /// The relation that is asked for; of a call the function.
    pub(super) fn relation(&self) -> &str {
        match &self.action {
            Action::Read { relation }
            | Action::Insert { relation, .. }
            | Action::Upsert { relation, .. }
            | Action::Update { relation, .. }
            | Action::UpdateEach { relation, .. }
            | Action::Delete { relation } => relation,
            Action::Call { function, .. } => function,
        }
    }

    fn payload(&self) -> Option<&Payload> {
        match &self.action {
            Action::Insert { payload, .. }
            | Action::Upsert { payload, .. }
            | Action::Update { payload, .. }
            | Action::UpdateEach { payload, .. } => Some(payload),
            Action::Call { arguments: Arguments::Body { object, .. }, .. } => object.as_ref(),
            Action::Call { arguments: Arguments::Named(_), .. }
            | Action::Read { .. }
            | Action::Delete { .. } => None,
        }
    }

    /// Every value that was given, as text, with its column.
    fn given(&self) -> Vec<(String, String)> {
        let mut given = Vec::new();
        let json = self.payload().and_then(|payload| serde_json::from_slice(payload.json.given()?).ok());
        let rows = match &json {
            Some(Value::Array(rows)) => rows.as_slice(),
            Some(row) => std::slice::from_ref(row),
            None => &[],
        };
        for (column, value) in rows.iter().filter_map(Value::as_object).flatten() {
            texts(column, value, &mut given);
        }
        self.filters.iter().for_each(|filter| compared(filter, &mut given));
        self.logic.iter().for_each(|tree| compared_in(tree, &mut given));
        given
    }
}

/// The texts in a value: of an array or a composite those of its parts.
fn texts(column: &str, value: &Value, given: &mut Vec<(String, String)>) {
    match value {
        Value::Null | Value::Bool(_) => {}
        Value::Number(number) => given.push((column.to_owned(), number.to_string())),
        Value::String(text) => given.push((column.to_owned(), text.clone())),
        Value::Array(parts) => parts.iter().for_each(|part| texts(column, part, given)),
        Value::Object(parts) => parts.values().for_each(|part| texts(column, part, given)),
    }
}

fn compared(filter: &Filter, given: &mut Vec<(String, String)>) {
    let values = match &filter.operation {
        Operation::Compare { value, .. }
        | Operation::IsDistinct(value)
        | Operation::FullText { value, .. } => vec![as_text(value).into_owned()],
        Operation::In(values) => elements(&as_text(values)),
        Operation::Is(_) => Vec::new(),
    };
    given.extend(values.into_iter().map(|value| (filter.field.name.clone(), value)));
}

fn as_text(literal: &Literal) -> Cow<'_, str> {
    literal.given().map(|value| String::from_utf8_lossy(value)).unwrap_or_default()
}

/// The elements of an array, each of them quoted, as requests have it.
fn elements(array: &str) -> Vec<String> {
    let mut elements = Vec::new();
    let mut element: Option<String> = None;
    let mut letters = array.chars();
    while let Some(letter) = letters.next() {
        match (letter, &mut element) {
            ('"', None) => element = Some(String::new()),
            ('"', Some(_)) => elements.extend(element.take()),
            ('\\', Some(text)) => text.extend(letters.next()),
            (letter, Some(text)) => text.push(letter),
            (_, None) => {}
        }
    }
    elements
}

fn compared_in(tree: &Logic, given: &mut Vec<(String, String)>) {
    match tree {
        Logic::Filter(filter) => compared(filter, given),
        Logic::Group { members, .. } => members.iter().for_each(|member| compared_in(member, given)),
        // These conditions are about columns of another relation.
        Logic::Related(_) => {}
    }
}

/// What a request is about: where the types of its columns are known from.
enum About<'c> {
    Relation(&'c Catalog, &'c Relation),
    Functions(&'c Catalog, Vec<&'c Function>),
    Nothing,
}

impl<'c> About<'c> {
    fn of(asked: &Asked, catalog: &'c Catalog) -> Self {
        match &asked.action {
            Action::Read { relation }
            | Action::Insert { relation, .. }
            | Action::Upsert { relation, .. }
            | Action::Update { relation, .. }
            | Action::UpdateEach { relation, .. }
            | Action::Delete { relation } => match catalog.relation(&asked.schema, relation) {
                Some(relation) => Self::Relation(catalog, relation),
                None => Self::Nothing,
            },
            Action::Call { function, .. } => {
                Self::Functions(catalog, catalog.functions(&asked.schema, function).collect())
            }
        }
    }

    /// The type of a column or an argument.
    fn declared(&self, name: &str) -> Option<&'c Type> {
        match self {
            Self::Relation(catalog, relation) => {
                let column = relation.columns.iter().find(|column| column.name == name)?;
                catalog.type_of(column.r#type)
            }
            Self::Functions(catalog, functions) => {
                let mut arguments = functions.iter().flat_map(|function| &function.arguments);
                catalog.type_of(arguments.find(|argument| argument.name == name)?.r#type)
            }
            Self::Nothing => None,
        }
    }

    /// The names that PostgreSQL may give the type of a value: the type below domains and arrays.
    fn type_names(&self, name: &str) -> Option<[&'c str; 2]> {
        let (Self::Relation(catalog, _) | Self::Functions(catalog, _)) = self else { return None };
        let mut base = catalog.base_type(self.declared(name)?.oid)?;
        if base.kind() == TypeKind::Array {
            base = catalog.base_type(base.element)?;
        }
        let takes_anything = base.schema == "pg_catalog" && TEXTS.contains(&base.name.as_str());
        (!takes_anything).then_some([base.name.as_str(), base.sql_name.as_str()])
    }

    /// The columns with a value that `message` quotes: of those of the type that it names, if it names one.
    fn quoted(&self, given: &[(String, String)], message: &str) -> Vec<String> {
        let quoted = Quoted::of(message);
        let suspects: BTreeSet<&str> = given
            .iter()
            .filter(|(_, value)| quoted.has(value))
            .map(|(column, _)| column.as_str())
            .filter(|column| self.type_names(column).is_some())
            .collect();
        let head = message.split_once(':').map_or(message, |(head, _)| head);
        let of_type = |column: &&&str| {
            self.type_names(column).is_some_and(|names| names.iter().any(|name| head.contains(name)))
        };
        let named: Vec<&&str> = suspects.iter().filter(of_type).collect();
        match (named.as_slice(), suspects.len()) {
            ([], 1) => suspects.into_iter().map(str::to_owned).collect(),
            // More than one, and nothing tells them apart.
            ([], _) => Vec::new(),
            (named, _) => named.iter().map(|column| (**column).to_owned()).collect(),
        }
    }

    /// The columns of the type that `message` ends with that were given more characters than they hold.
    fn too_long(&self, given: &[(String, String)], message: &str) -> Vec<String> {
        let Self::Relation(_, relation) = self else { return Vec::new() };
        let is_too_long = |name: &str, value: &str| {
            let column = relation.columns.iter().find(|column| column.name == name);
            column.is_some_and(|column| {
                let most = column.max_length.and_then(|most| usize::try_from(most).ok());
                message.contains(&column.sql_type) && most.is_some_and(|most| value.chars().count() > most)
            })
        };
        let found: BTreeSet<&str> = given
            .iter()
            .filter(|(column, value)| is_too_long(column, value))
            .map(|(column, _)| column.as_str())
            .collect();
        found.into_iter().map(str::to_owned).collect()
    }

    /// The columns that a violated CHECK constraint is about.
    fn checked(&self, asked: &Asked, catalog: &Catalog, report: &Report, message: &str) -> Vec<String> {
        let Some(constraint) = &report.constraint else { return Vec::new() };
        match (&report.table, self) {
            (Some(table), Self::Relation(_, relation)) => of_table(catalog, relation, table, constraint),
            (Some(_), Self::Functions(..) | Self::Nothing) => Vec::new(),
            // Of a domain's constraint PostgreSQL tells no column: it can be meant where one column is of that domain.
            (None, _) => {
                let quoted = Quoted::of(message);
                let names = asked.payload().map(|payload| payload.keys.as_slice()).unwrap_or_default();
                let is_meant = |name: &&String| {
                    self.declared(name).is_some_and(|declared| {
                        declared.kind() == TypeKind::Domain
                            && (quoted.mentions(&declared.name) || quoted.mentions(&declared.sql_name))
                    })
                };
                let found: BTreeSet<&String> = names.iter().filter(is_meant).collect();
                if found.len() == 1 { found.into_iter().cloned().collect() } else { Vec::new() }
            }
        }
    }
}

/// The columns of a CHECK constraint of `table`: as `relation` has them, which may be a view of it.
fn of_table(catalog: &Catalog, relation: &Relation, table: &str, constraint: &str) -> Vec<String> {
    let find = |relation: &Relation| {
        relation.checks.iter().find(|check| check.name == constraint).map(|check| check.columns.clone())
    };
    // A partition has its parent's constraints.
    if let Some(columns) = find(relation) {
        return columns;
    }
    let passed_on = relation.columns.iter().filter_map(|column| {
        let origin = column.origin.as_ref()?;
        let base = catalog.relation_by_oid(origin.relation).filter(|base| base.name == table)?;
        find(base)?.contains(&origin.column).then(|| column.name.clone())
    });
    passed_on.collect()
}

/// What a message of PostgreSQL's quotes, in whatever language.
struct Quoted<'m> {
    message: &'m str,
    parts: HashSet<&'m str>,
    /// What stands in front of the last quotation mark.
    end: &'m str,
}

/// Quotation marks of the languages that PostgreSQL speaks.
const MARKS: &[char] = &['"', '«', '»', '“', '”', '„', '\'', '‘', '’', '「', '」'];

impl<'m> Quoted<'m> {
    fn of(message: &'m str) -> Self {
        let end = message.trim_end();
        let end = end.strip_suffix(MARKS).unwrap_or_default();
        Self { message, parts: message.split(MARKS).map(str::trim).collect(), end }
    }

    /// Whether the message quotes this value: with marks around it, also where the value has some itself.
    fn has(&self, value: &str) -> bool {
        if self.parts.contains(value.trim()) && !value.trim().is_empty() {
            return true;
        }
        let before = self.end.strip_suffix(value);
        before.is_some_and(|before| before.trim_end().ends_with(MARKS))
    }

    /// Whether the message has this as a word.
    fn mentions(&self, name: &str) -> bool {
        self.message.split_whitespace().any(|word| word.trim_matches(MARKS) == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_array_is_taken_apart_as_it_was_put_together() {
        let texts = ["a", "", "b \"c\"", "d\\e,f"];
        let array = Literal::array(texts);
        assert_eq!(elements(&as_text(&array)), texts);
    }

    #[test]
    fn a_value_is_found_between_the_marks_of_any_language() {
        for (message, value) in [
            ("invalid input syntax for type uuid: \"nope\"", "nope"),
            ("invalid input syntax for type uuid: \"a \"b\" c\"", "a \"b\" c"),
            ("invalid input syntax for type integer: \"\"", ""),
            ("ungültige Eingabesyntax für Typ uuid: »nope«", "nope"),
            ("syntaxe en entrée invalide pour le type uuid : « nope »", "nope"),
            ("value \"99999999999\" is out of range for type integer", "99999999999"),
        ] {
            assert!(Quoted::of(message).has(value), "{message}");
            assert!(!Quoted::of(message).has("other"), "{message}");
        }
        assert!(!Quoted::of("invalid input syntax for type uuid: \"nope\"").has(""));
    }
}
