//! `where`: typed predicates as a logic tree. Operators are found by their
//! names in the operator table, so that a new one needs a field in
//! `pgduet.query.v1` and nothing here.

use super::{
    all_known,
    text::{Refused, plain, text},
};
use crate::{
    error::Result,
    grpc::{
        method::number,
        refuse::refuse,
        surface::{self, Compared, Package, Resource, Scalar},
    },
    request::{
        filter::{Existence, Filter, Is, Junction, Logic, Operation, Related},
        literal::Literal,
        operator::{Operand, Operator},
        select::Field,
    },
};
use prost_reflect::{DynamicMessage, Value};

/// What must hold for a row to meet `predicates`; `at` is their place, for errors.
pub(super) fn conditions(
    package: &Package,
    resource: &Resource,
    predicates: &DynamicMessage,
    at: &str,
) -> Result<Vec<Logic>> {
    all_known(predicates, at)?;
    let mut found = Vec::new();
    for (descriptor, value) in predicates.fields() {
        let place = format!("{at}.{}", descriptor.name());
        match descriptor.number() {
            number::AND => {
                for inner in value.as_list().unwrap_or_default() {
                    found.push(group(package, resource, inner, &place)?);
                }
            }
            number::OR => {
                let members = value.as_list().unwrap_or_default();
                let members = members.iter().map(|inner| group(package, resource, inner, &place));
                found.push(Logic::Group {
                    negated: false,
                    junction: Junction::Or,
                    members: members.collect::<Result<_>>()?,
                });
            }
            number::NOT => found.push(negate(group(package, resource, value, &place)?)),
            number => {
                let Some(predicate) = value.as_message() else { continue };
                if let Some(field) = resource.fields.iter().find(|field| field.number == number) {
                    column(package, field, predicate, &place, &mut found)?;
                } else if let Some(embed) = embed(resource, number) {
                    related(package, embed, predicate, &place, &mut found)?;
                }
            }
        }
    }
    Ok(found)
}

/// The embed that the predicate of this number is about.
fn embed(resource: &Resource, number: u32) -> Option<&surface::Embed> {
    resource.embeds.iter().find(|embed| number::of_predicate(embed.number) == number)
}

/// Predicates as one tree.
fn group(package: &Package, resource: &Resource, value: &Value, at: &str) -> Result<Logic> {
    let empty = || refuse(at, "no condition is set");
    let members = conditions(package, resource, value.as_message().ok_or_else(empty)?, at)?;
    if members.is_empty() {
        return Err(empty());
    }
    Ok(Logic::Group { negated: false, junction: Junction::And, members })
}

fn negate(tree: Logic) -> Logic {
    Logic::Group { negated: true, junction: Junction::And, members: vec![tree] }
}

/// The operators that are set in a predicate on one column. If none is, it is a list of no values: no row has one of them.
fn column(
    package: &Package,
    field: &surface::Field,
    predicate: &DynamicMessage,
    at: &str,
    out: &mut Vec<Logic>,
) -> Result<()> {
    all_known(predicate, at)?;
    let before = out.len();
    let as_text = |value: &Value| match field.shape.scalar() {
        scalar @ Scalar::Enum(_) if matches!(value, Value::EnumNumber(_)) => text(package, scalar, value),
        _ => plain(value),
    };
    for (descriptor, value) in predicate.fields() {
        let place = format!("{at}.{}", descriptor.name());
        let operation = operation(descriptor.name(), value, &as_text).map_err(|why| refuse(&place, why))?;
        out.push(leaf(Field::column(&field.column), operation));
    }
    if out.len() == before {
        out.push(match field.compared {
            Compared::WithValues => {
                leaf(Field::column(&field.column), Operation::In(Literal::array::<&str>([])))
            }
            Compared::WithNull => return Err(refuse(at, "no operator is set")),
        });
    }
    Ok(())
}

/// What must hold of the rows of an embed.
fn related(
    package: &Package,
    embed: &surface::Embed,
    predicate: &DynamicMessage,
    at: &str,
    out: &mut Vec<Logic>,
) -> Result<()> {
    all_known(predicate, at)?;
    let Some(target) = package.resource(embed.resource) else { return Ok(()) };
    let before = out.len();
    for (descriptor, value) in predicate.fields() {
        let existence = match descriptor.number() {
            number::EXISTS => Existence::Some,
            number::NONE => Existence::None,
            _ => continue,
        };
        let Some(predicates) = value.as_message() else { continue };
        let members = conditions(package, target, predicates, &format!("{at}.{}", descriptor.name()))?;
        let (target, hint) = (embed.target.clone(), embed.hint.clone());
        out.push(Logic::Related(Related { existence, target, hint, members }));
    }
    if out.len() == before {
        return Err(refuse(at, "neither exists nor none is set"));
    }
    Ok(())
}

/// A condition as a tree.
pub(super) fn leaf(field: Field, operation: Operation) -> Logic {
    Logic::Filter(Filter { field, negated: false, operation })
}

fn operation(
    name: &str,
    value: &Value,
    as_text: &dyn Fn(&Value) -> std::result::Result<String, Refused>,
) -> std::result::Result<Operation, Refused> {
    match name {
        "is_null" => {
            return Ok(Operation::Is(if *value == Value::Bool(true) { Is::Null } else { Is::NotNull }));
        }
        "is_distinct" => return Ok(Operation::IsDistinct(as_text(value)?.into())),
        _ => {}
    }
    let operator = Operator::named(name).ok_or_else(|| "is no operator".to_owned())?;
    match operator.row().operand {
        Operand::Value | Operand::Quantifiable | Operand::Pattern => {
            Ok(Operation::Compare { operator, quantifier: None, value: as_text(value)?.into() })
        }
        Operand::List => {
            let values = value.as_list().unwrap_or_default();
            let values = values.iter().map(as_text).collect::<std::result::Result<Vec<_>, _>>()?;
            Ok(Operation::In(Literal::array(values)))
        }
        Operand::FullText => {
            Ok(Operation::FullText { operator, language: None, value: as_text(value)?.into() })
        }
        Operand::Is | Operand::Distinct => Err("is no operator".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::descriptor::FILE_DESCRIPTOR_SET;

    #[test]
    fn every_field_of_every_predicate_is_an_operator() {
        let pool = prost_reflect::DescriptorPool::decode(FILE_DESCRIPTOR_SET).unwrap();
        let predicates = pool.all_messages().filter(|message| message.name().ends_with("Predicate"));
        let mut seen = 0;
        for field in predicates.flat_map(|message| message.fields().collect::<Vec<_>>()) {
            let value = if field.is_list() { Value::List(vec![]) } else { Value::String(String::new()) };
            operation(field.name(), &value, &plain).unwrap();
            seen += 1;
        }
        assert!(seen > 50);
    }

    #[test]
    fn every_operator_of_the_table_has_a_field() {
        let pool = prost_reflect::DescriptorPool::decode(FILE_DESCRIPTOR_SET).unwrap();
        let text = pool.get_message_by_name("pgduet.query.v1.TextPredicate").unwrap();
        for operator in Operator::ALL {
            let name = match operator {
                Operator::Is => "is_null",
                Operator::IsDistinct => "is_distinct",
                other => other.row().name,
            };
            assert!(text.get_field_by_name(name).is_some(), "{name}");
        }
    }
}
