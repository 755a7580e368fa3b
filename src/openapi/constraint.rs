//! What constrains a value besides its type: length, precision, CHECK constraints on one column and domains, as the
//! keywords of JSON Schema. What cannot be said exactly is not said.

mod expression;
mod pattern;

use crate::catalog::{
    Catalog,
    descriptor::{Type as PgType, TypeKind},
};
use expression::{Comparison, Expression};
use serde_json::Value;
use utoipa::{
    Number as Limit,
    openapi::{
        RefOr,
        schema::{Object, Schema, SchemaType, Type},
    },
};

/// The largest integers that JavaScript keeps apart; beyond them a bound would be another one.
const EXACT: f64 = 9_007_199_254_740_991.0;

/// The bounds of a value.
#[derive(Clone, Debug, Default)]
pub(super) struct Bounds {
    minimum: Option<f64>,
    exclusive_minimum: Option<f64>,
    maximum: Option<f64>,
    exclusive_maximum: Option<f64>,
    min_length: Option<u32>,
    max_length: Option<u32>,
    pattern: Option<String>,
    values: Option<Vec<Value>>,
}

impl Bounds {
    /// Those of a type below all domains, with the modifiers that SQL writes behind its name.
    pub(super) fn of_base(base: &PgType, sql_type: &str) -> Self {
        let mut bounds = Bounds::default();
        let modifiers = modifiers(sql_type);
        match (base.name.as_str(), modifiers.as_slice()) {
            ("int2", _) => (bounds.minimum, bounds.maximum) = (Some(-32_768.0), Some(32_767.0)),
            // What `int4` holds says its format.
            ("oid", _) => (bounds.minimum, bounds.maximum) = (Some(0.0), Some(4_294_967_295.0)),
            ("varchar" | "bpchar" | "bit" | "varbit", [length]) => {
                bounds.max_length = u32::try_from(*length).ok()
            }
            ("numeric", [precision, scale @ ..]) => {
                let digits = precision - scale.first().unwrap_or(&0);
                if (1..=15).contains(&digits) {
                    let limit = (0..digits).fold(1.0, |limit, _| limit * 10.0);
                    (bounds.exclusive_minimum, bounds.exclusive_maximum) = (Some(-limit), Some(limit));
                }
            }
            _ => {}
        }
        bounds
    }

    /// Adds the constraints of a domain, and of those below it.
    pub(super) fn add_domains(&mut self, catalog: &Catalog, declared: &PgType) {
        for domain in domains(catalog, declared) {
            for check in &domain.checks {
                self.add_check(check, "VALUE");
            }
        }
    }

    /// Adds a condition on the column of this name.
    pub(super) fn add_check(&mut self, check: &str, column: &str) {
        if let Some(found) = expression::parse(check) {
            self.add(&found, column);
        }
    }

    fn add(&mut self, found: &Expression, column: &str) {
        let (left, comparison, right) = match found {
            Expression::And(all) => return all.iter().for_each(|each| self.add(each, column)),
            Expression::Compare(left, comparison, right) => (left.as_ref(), *comparison, right.as_ref()),
            _ => return,
        };
        match (left, right) {
            (Expression::Name(name), right) if name == column => self.compare(comparison, right),
            (left, Expression::Name(name)) if name == column => {
                if let Some(comparison) = comparison.turned() {
                    self.compare(comparison, left);
                }
            }
            (Expression::Call(function, arguments), Expression::Number(length)) => {
                let of_column = matches!(arguments.as_slice(), [Expression::Name(name)] if name == column);
                if of_column && ["char_length", "character_length", "length"].contains(&function.as_str()) {
                    self.compare_length(comparison, *length);
                }
            }
            _ => {}
        }
    }

    fn compare(&mut self, comparison: Comparison, right: &Expression) {
        match (comparison, right) {
            (Comparison::Ge, right) => larger(&mut self.minimum, right.number()),
            (Comparison::Gt, right) => larger(&mut self.exclusive_minimum, right.number()),
            (Comparison::Le, right) => smaller(&mut self.maximum, right.number()),
            (Comparison::Lt, right) => smaller(&mut self.exclusive_maximum, right.number()),
            (Comparison::Ne, Expression::Text(text)) if text.is_empty() => self.min_length = Some(1),
            (Comparison::Match, Expression::Text(text)) if self.pattern.is_none() => {
                self.pattern = pattern::portable(text);
            }
            (Comparison::Eq, Expression::Any(items)) => {
                let values = items.iter().map(Expression::value).collect::<Option<Vec<_>>>();
                if let Some(values) = values.filter(|values| !values.is_empty()) {
                    self.values.get_or_insert(values);
                }
            }
            (Comparison::Ne | Comparison::Match | Comparison::Eq, _) => {}
        }
    }

    fn compare_length(&mut self, comparison: Comparison, length: f64) {
        let length = match comparison {
            Comparison::Gt => length + 1.0,
            Comparison::Lt => length - 1.0,
            Comparison::Ge | Comparison::Le | Comparison::Eq | Comparison::Ne | Comparison::Match => length,
        };
        if !(0.0..=f64::from(u32::MAX)).contains(&length) || length.fract() != 0.0 {
            return;
        }
        #[allow(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "it is in range, and whole"
        )]
        let length = length as u32;
        match comparison {
            Comparison::Ge | Comparison::Gt => self.min_length = self.min_length.max(Some(length)),
            Comparison::Le | Comparison::Lt => self.limit_length(length),
            Comparison::Eq => {
                self.min_length = self.min_length.max(Some(length));
                self.limit_length(length);
            }
            Comparison::Ne | Comparison::Match => {}
        }
    }

    /// Adds a length that the value cannot exceed.
    pub(super) fn limit_length(&mut self, length: u32) {
        self.max_length = Some(self.max_length.map_or(length, |known| known.min(length)));
    }
}

fn larger(known: &mut Option<f64>, found: Option<f64>) {
    if let Some(found) = found {
        *known = Some(known.map_or(found, |known| known.max(found)));
    }
}

fn smaller(known: &mut Option<f64>, found: Option<f64>) {
    if let Some(found) = found {
        *known = Some(known.map_or(found, |known| known.min(found)));
    }
}

/// The schema of a value with these bounds, as far as they are about values of its type.
pub(super) fn bounded(schema: RefOr<Schema>, bounds: &Bounds) -> RefOr<Schema> {
    match schema {
        RefOr::T(Schema::Object(mut object)) => {
            match kind(&object) {
                Some(Type::Integer | Type::Number) => bound_number(&mut object, bounds),
                Some(Type::String) => bound_text(&mut object, bounds),
                Some(Type::Boolean | Type::Object | Type::Array | Type::Null) | None => {}
            }
            RefOr::T(Schema::Object(object))
        }
        other => other,
    }
}

fn bound_number(object: &mut Object, bounds: &Bounds) {
    let (minimum, maximum) = (lowest(object, bounds), highest(object, bounds));
    (object.minimum, object.exclusive_minimum) = minimum;
    (object.maximum, object.exclusive_maximum) = maximum;
    let values = bounds.values.clone().filter(|values| values.iter().all(Value::is_number));
    object.enum_values = object.enum_values.take().or(values);
}

/// Of a bound that is excluded and one that is not, the narrower one.
fn lowest(object: &Object, bounds: &Bounds) -> (Option<Limit>, Option<Limit>) {
    let known = value_of(object.minimum.as_ref());
    let minimum = bounds.minimum.into_iter().chain(known).reduce(f64::max);
    let known = value_of(object.exclusive_minimum.as_ref());
    match (minimum, bounds.exclusive_minimum.into_iter().chain(known).reduce(f64::max)) {
        (Some(minimum), Some(excluded)) if minimum > excluded => (limit(minimum), None),
        (_, Some(excluded)) => (None, limit(excluded)),
        (minimum, None) => (minimum.and_then(limit), None),
    }
}

fn highest(object: &Object, bounds: &Bounds) -> (Option<Limit>, Option<Limit>) {
    let known = value_of(object.maximum.as_ref());
    let maximum = bounds.maximum.into_iter().chain(known).reduce(f64::min);
    let known = value_of(object.exclusive_maximum.as_ref());
    match (maximum, bounds.exclusive_maximum.into_iter().chain(known).reduce(f64::min)) {
        (Some(maximum), Some(excluded)) if maximum < excluded => (limit(maximum), None),
        (_, Some(excluded)) => (None, limit(excluded)),
        (maximum, None) => (maximum.and_then(limit), None),
    }
}

fn value_of(limit: Option<&Limit>) -> Option<f64> {
    serde_json::to_value(limit?).ok()?.as_f64()
}

fn limit(value: f64) -> Option<Limit> {
    #[allow(clippy::cast_possible_truncation, reason = "it is whole, and in range")]
    match value.fract() == 0.0 && value.abs() <= EXACT {
        true => Some(Limit::Int(value as isize)),
        false => value.is_finite().then_some(Limit::Float(value)),
    }
}

fn bound_text(object: &mut Object, bounds: &Bounds) {
    let size = |length: Option<u32>| length.and_then(|length| usize::try_from(length).ok());
    if let Some(length) = size(bounds.max_length) {
        object.max_length = Some(object.max_length.map_or(length, |known| known.min(length)));
    }
    // What has a format of its own may be written otherwise than it is compared.
    if object.format.is_some() || object.enum_values.is_some() {
        return;
    }
    object.min_length = object.min_length.max(size(bounds.min_length));
    object.pattern = object.pattern.take().or_else(|| bounds.pattern.clone());
    object.enum_values = bounds.values.clone().filter(|values| values.iter().all(Value::is_string));
}

fn kind(object: &Object) -> Option<Type> {
    match &object.schema_type {
        SchemaType::Type(kind) => Some(kind.clone()),
        SchemaType::Array(kinds) => kinds.iter().find(|kind| **kind != Type::Null).cloned(),
        SchemaType::AnyValue => None,
    }
}

/// A domain and those below it; none of another type.
fn domains<'c>(catalog: &'c Catalog, declared: &'c PgType) -> impl Iterator<Item = &'c PgType> {
    let below = |domain: &&'c PgType| catalog.type_of(domain.base);
    std::iter::successors(Some(declared), below)
        .take_while(|found| found.kind() == TypeKind::Domain)
        // A descriptor from a file may have a domain below itself.
        .take(64)
}

/// The type below all domains as SQL writes it, with its modifiers: those of `sql_type` where there is no domain.
pub(super) fn sql_type_of<'c>(catalog: &'c Catalog, declared: &'c PgType, sql_type: &'c str) -> &'c str {
    domains(catalog, declared).last().map_or(sql_type, |lowest| &lowest.base_sql_type)
}

/// The numbers behind a type's name: 10 and 2 of `numeric(10,2)`.
fn modifiers(sql_type: &str) -> Vec<i32> {
    let inside = sql_type.split_once('(').and_then(|(_, rest)| rest.strip_suffix(')'));
    let numbers = inside.unwrap_or_default().split(',').map(|number| number.trim().parse().ok());
    numbers.collect::<Option<_>>().unwrap_or_default()
}

#[cfg(test)]
mod tests;
