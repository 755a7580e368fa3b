//! Fields, conditions and orders. A value is a parameter whose type PostgreSQL
//! infers from the field that it is compared with.

use super::{Fragment, read::exists, statement::Scope, types::is_one_of, value::aggregated};
use crate::{
    catalog::descriptor::Representation,
    plan::tree::{Condition, Field, Item, Node, OrderTerm, Origin},
    request::{
        filter::{Existence, Is, Junction, Operation, Quantifier},
        literal::Literal,
        operator::{Operand, Operator},
        order::{Direction, Nulls},
        select::{Arrow, Step},
    },
};

/// A field of the rows called `alias`.
pub(super) fn field(out: &mut Fragment, alias: &str, field: &Field<'_>, scope: Scope<'_>) {
    let is_json = is_one_of(scope.catalog, field.declared(), &["json", "jsonb"]);
    match (field.path.is_empty(), is_json) {
        (true, _) | (false, true) => column(out, alias, field),
        (false, false) => {
            out.sql("pg_catalog.to_jsonb(");
            column(out, alias, field);
            out.sql(")");
        }
    };
    for (arrow, step) in &field.path {
        out.sql(match arrow {
            Arrow::Json => " OPERATOR(pg_catalog.->) ",
            Arrow::Text => " OPERATOR(pg_catalog.->>) ",
        });
        match step {
            Step::Key(key) => out.text(key).sql("::pg_catalog.text"),
            Step::Index(index) => out.text(index.to_string()).sql("::pg_catalog.int4"),
        };
    }
}

/// The column of a field, without the path into it.
pub(super) fn column(out: &mut Fragment, alias: &str, field: &Field<'_>) {
    match field.origin {
        Origin::Column(_) | Origin::Computed(_) | Origin::Unknown => out.qualified(alias, &field.name),
        Origin::Dropped(Some(declared)) => out.sql("CAST(NULL AS ").type_of(declared).sql(")"),
        Origin::Dropped(None) => out.sql("NULL"),
    };
}

/// What must hold of the rows called `alias`, which are those of `node`.
pub(super) fn condition(
    out: &mut Fragment,
    condition: &Condition<'_>,
    alias: &str,
    node: &Node<'_>,
    scope: Scope<'_>,
) {
    match condition {
        Condition::Group { negated, junction, members } => {
            out.sql(if *negated { "NOT (" } else { "(" });
            let separator = match junction {
                Junction::And => " AND ",
                Junction::Or => " OR ",
            };
            out.separated(separator, members, |out, member| self::condition(out, member, alias, node, scope));
            out.sql(")");
        }
        Condition::Compare { negated, field, operation, representation } => {
            if *negated {
                out.sql("NOT ");
            }
            compare(out, alias, field, operation, *representation, scope);
        }
        Condition::Embed { item, existence } => {
            let Some(Item::Embed(embed)) = node.items.get(*item) else { return };
            out.sql(existing(*existence));
            exists(out, embed, node, scope);
            out.sql(")");
        }
        Condition::Related { embed, existence } => {
            out.sql(existing(*existence));
            exists(out, embed, node, scope);
            out.sql(")");
        }
    }
}

fn existing(existence: Existence) -> &'static str {
    match existence {
        Existence::Some => "EXISTS (",
        Existence::None => "NOT EXISTS (",
    }
}

fn compare(
    out: &mut Fragment,
    alias: &str,
    compared: &Field<'_>,
    operation: &Operation,
    representation: Option<&Representation>,
    scope: Scope<'_>,
) {
    if let Operation::FullText { operator, language, value } = operation {
        full_text(out, alias, compared, *operator, language.as_deref(), value, scope);
        return;
    }
    field(out, alias, compared, scope);
    match operation {
        Operation::Compare { operator, quantifier, value } => {
            out.sql(" ").sql(operator.row().sql).sql(match quantifier {
                None => " ",
                Some(Quantifier::Any) => " ANY (",
                Some(Quantifier::All) => " ALL (",
            });
            // What is matched with a pattern is a text already.
            let cast = representation.filter(|_| operator.row().operand != Operand::Pattern);
            represented(out, cast, |out| out.literal(value));
            if quantifier.is_some() {
                out.sql(")");
            }
        }
        Operation::In(values) => {
            out.sql(" = ANY (");
            match representation {
                None => out.literal(values),
                Some(cast) => {
                    out.sql("SELECT ").qualified(&cast.function_schema, &cast.function_name);
                    out.sql("(pg_catalog.unnest(").literal(values).sql("::pg_catalog.text[]))")
                }
            };
            out.sql(")");
        }
        Operation::Is(is) => {
            out.sql(match is {
                Is::Null => " IS NULL",
                Is::NotNull => " IS NOT NULL",
                Is::True => " IS TRUE",
                Is::False => " IS FALSE",
                Is::Unknown => " IS UNKNOWN",
            });
        }
        Operation::IsDistinct(value) => {
            out.sql(" IS DISTINCT FROM ");
            represented(out, representation, |out| out.literal(value));
        }
        Operation::FullText { .. } => {}
    }
}

/// What `write` writes, cast from text to a domain.
fn represented(
    out: &mut Fragment,
    representation: Option<&Representation>,
    write: impl FnOnce(&mut Fragment) -> &mut Fragment,
) {
    match representation {
        None => {
            write(out);
        }
        Some(cast) => {
            out.qualified(&cast.function_schema, &cast.function_name).sql("(");
            write(out).sql(")");
        }
    }
}

fn full_text(
    out: &mut Fragment,
    alias: &str,
    searched: &Field<'_>,
    operator: Operator,
    language: Option<&str>,
    value: &Literal,
    scope: Scope<'_>,
) {
    let configuration = |out: &mut Fragment| {
        if let Some(language) = language {
            out.text(language).sql("::pg_catalog.regconfig, ");
        }
    };
    if searched.path.is_empty() && is_one_of(scope.catalog, searched.declared(), &["tsvector"]) {
        field(out, alias, searched, scope);
    } else {
        // What is no type of PostgreSQL's own may come with a function of its own.
        let declared = searched.declared().filter(|_| searched.path.is_empty());
        let base = declared.and_then(|declared| scope.catalog.base_type(declared.oid));
        out.sql(match base.is_some_and(|base| base.schema == "pg_catalog") || !searched.path.is_empty() {
            true => "pg_catalog.to_tsvector(",
            false => "to_tsvector(",
        });
        configuration(out);
        field(out, alias, searched, scope);
        out.sql(")");
    }
    out.sql(" @@ pg_catalog.").sql(operator.row().sql).sql("(");
    configuration(out);
    out.literal(value).sql(")");
}

/// A term of the order of `node`.
pub(super) fn order_term(out: &mut Fragment, term: &OrderTerm<'_>, node: &Node<'_>, scope: Scope<'_>) {
    let embed = term.embed.and_then(|item| match node.items.get(item) {
        Some(Item::Embed(embed)) => Some(embed),
        Some(Item::Field(_)) | None => None,
    });
    let alias = embed.map_or(&node.alias, |embed| &embed.join_alias);
    match term.aggregate {
        None => field(out, alias, &term.field, scope),
        Some(function) => aggregated(out, function, |out| match term.field.name.is_empty() {
            true => {
                out.sql("*");
            }
            false => field(out, alias, &term.field, scope),
        }),
    }
    out.sql(match term.direction {
        None => "",
        Some(Direction::Asc) => " ASC",
        Some(Direction::Desc) => " DESC",
    });
    out.sql(match term.nulls {
        None => "",
        Some(Nulls::First) => " NULLS FIRST",
        Some(Nulls::Last) => " NULLS LAST",
    });
}
