//! The select list, level by level: which fields are taken and which
//! relations embedded, each by the one relationship that its target and hint
//! leave over. Also finds the level that a path of names means.

mod relationship;

use super::{
    Context, contradiction, limits,
    read::Tree,
    resolve::SelectedField,
    targets::{Named, addressed, not_embedded},
    tree::{Arity, Embed, Form, Item, Link, Node, Source, Taken},
};
use crate::{
    catalog::{
        relationship::{Cardinality, Relationship},
        routine::Shape,
    },
    error::{Error, Report, Result},
    outcome::LegacyName,
    request::{
        range::Range,
        select::{self, EmbedForm, SelectItem},
    },
};
use std::collections::HashSet;

/// The uppermost level: every column if nothing is selected.
pub(super) fn root<'c>(
    shape: Shape<'c>,
    source: Source<'c>,
    alias: String,
    select: Vec<SelectItem>,
    context: &Context<'c>,
) -> Result<Node<'c>> {
    let mut node = empty(shape, source, alias, Taken::by_request(&select));
    node.items = match select.is_empty() {
        true => context.every_column(shape).into_iter().map(Item::Field).collect(),
        false => items(&node, select, 1, context)?,
    };
    Ok(node)
}

/// A level of which nothing is taken yet.
pub(super) fn empty<'c>(shape: Shape<'c>, source: Source<'c>, alias: String, taken: Taken) -> Node<'c> {
    Node {
        shape,
        source,
        alias,
        taken,
        items: Vec::new(),
        conditions: Vec::new(),
        order: Vec::new(),
        range: Range::default(),
    }
}

fn items<'c>(
    above: &Node<'c>,
    select: Vec<SelectItem>,
    depth: usize,
    context: &Context<'c>,
) -> Result<Vec<Item<'c>>> {
    let mut items = Vec::with_capacity(select.len());
    for item in select {
        match item {
            SelectItem::Every => {
                items.extend(context.every_column(above.shape).into_iter().map(Item::Field));
                limits::columns(items.len())?;
            }
            SelectItem::Field { field, cast, aggregate, alias } => {
                let selected = SelectedField { field, cast, aggregate, alias };
                items.push(Item::Field(context.output(above.shape, selected)));
            }
            SelectItem::Embed(selected) => {
                let embed = embed(above, &items, selected, depth, context)?;
                items.push(Item::Embed(embed));
            }
        }
    }
    if collide(&items) {
        // As with PostgREST the embed comes last: of several values of one key most readers take that.
        items.sort_by_key(|item| matches!(item, Item::Embed(_)));
    }
    Ok(items)
}

/// Whether an embed has a key that a field has too.
fn collide(items: &[Item<'_>]) -> bool {
    let fields: HashSet<_> = items
        .iter()
        .filter_map(|item| match item {
            Item::Field(output) => Some(output.key.as_str()),
            Item::Embed(_) => None,
        })
        .collect();
    items.iter().any(|item| match item {
        Item::Field(_) => false,
        Item::Embed(embed) => takes(embed, &fields),
    })
}

/// Whether an embed gives one of these keys to the level above.
fn takes(embed: &Embed<'_>, keys: &HashSet<&str>) -> bool {
    match embed.form {
        Form::Hidden => false,
        Form::Key | Form::Count => keys.contains(embed.name()),
        Form::Spread => embed.node.items.iter().any(|item| match item {
            Item::Field(output) => keys.contains(output.key.as_str()),
            Item::Embed(embed) => takes(embed, keys),
        }),
    }
}

fn embed<'c>(
    above: &Node<'c>,
    beside: &[Item<'c>],
    selected: select::Embed,
    depth: usize,
    context: &Context<'c>,
) -> Result<Embed<'c>> {
    let select::Embed { target, hint, join, form, select } = selected;
    let found = relationship::find(above, &target, hint.as_deref(), context)?;
    let relation = context.relation_of(found.target)?;
    let (link, source, arity) = context.joined(found, depth)?;
    let node_alias = match &link {
        // PostgREST has them go by their own name, which PostgreSQL's messages tell.
        Link::Junction { .. } if relation.name != above.alias => relation.name.clone(),
        Link::Junction { .. } | Link::Columns(_) | Link::Computed(_) => {
            sql_alias(&[&relation.name], depth, |name| name == above.alias)
        }
    };
    let mut node = empty(Shape::Relation(relation), source, node_alias, Taken::by(&select));
    node.items = items(&node, select, depth + 1, context)?;
    let alias = match &form {
        EmbedForm::Nested { alias } => alias.clone(),
        EmbedForm::Count { alias } => Some(alias.clone()),
        EmbedForm::Spread => None,
    };
    let name = alias.as_deref().unwrap_or(&target);
    let source_name = above.shape.relation().map_or("", |relation| &relation.name);
    let form = match form {
        EmbedForm::Count { .. } => Form::Count,
        _ if node.items.iter().all(hidden) => Form::Hidden,
        EmbedForm::Nested { .. } => Form::Key,
        EmbedForm::Spread => Form::Spread,
    };
    let join_alias = sql_alias(&[source_name, name], depth, |name| {
        name == above.alias || beside.iter().any(joined_as(name))
    });
    Ok(Embed { target, alias, form, arity, join: join.unwrap_or_default(), link, join_alias, node })
}

/// The related rows of `above` with nothing taken of them.
pub(super) fn unselected<'c>(
    above: &Node<'c>,
    target: String,
    hint: Option<String>,
    depth: usize,
    context: &Context<'c>,
) -> Result<Embed<'c>> {
    let form = EmbedForm::Nested { alias: None };
    let selected = select::Embed { target, hint, join: None, form, select: Vec::new() };
    embed(above, &[], selected, depth, context)
}

/// Two embeds of one name cannot be told apart, neither in a row nor by a path. Behind PostgREST it is
/// PostgreSQL that says so, of an alias in the statement, where rows are read: the answer is the same here.
pub(super) fn once_each(node: &Node<'_>, depth: usize) -> Result<()> {
    let source = node.shape.relation().map_or("", |relation| &relation.name);
    let mut names = HashSet::new();
    for item in &node.items {
        let Item::Embed(embed) = item else { continue };
        once_each(&embed.node, depth + 1)?;
        let name = embed.name();
        if !names.insert(name) {
            let report = Report { sqlstate: "42712".to_owned(), ..Report::default() };
            let alias = format!("{source}_{name}_{depth}");
            return Err(Error::reported(report, format!("table name \"{alias}\" specified more than once")));
        }
    }
    Ok(())
}

fn joined_as(name: &str) -> impl Fn(&Item<'_>) -> bool {
    move |item| matches!(item, Item::Embed(embed) if embed.join_alias == name)
}

fn hidden(item: &Item<'_>) -> bool {
    match item {
        Item::Field(_) => false,
        Item::Embed(embed) => embed.form == Form::Hidden,
    }
}

impl<'c> Context<'c> {
    /// How a relationship joins, where its rows come from, and how many there are.
    fn joined(&self, found: &'c Relationship, depth: usize) -> Result<(Link<'c>, Source<'c>, Arity)> {
        let target = self.relation_of(found.target)?;
        let relation = Source::Relation(target);
        Ok(match &found.cardinality {
            Cardinality::ManyToOne(link)
            | Cardinality::OneToOneChild(link)
            | Cardinality::OneToOneParent(link) => (Link::Columns(&link.columns), relation, Arity::ToOne),
            Cardinality::OneToMany(link) => (Link::Columns(&link.columns), relation, Arity::ToMany),
            Cardinality::ManyToMany(junction) => {
                let through = self.relation_of(junction.relation)?;
                let link = Link::Junction {
                    relation: through,
                    alias: sql_alias(&[&through.name, "junction"], depth, |name| name == target.name),
                    above: &junction.source.columns,
                    here: &junction.target.columns,
                };
                (link, relation, Arity::ToMany)
            }
            Cardinality::Computed { function_schema, function_name, to_one } => {
                let source = self.relation_of(found.source)?;
                let mut functions = self.catalog.computed(source.oid);
                let function = functions
                    .find(|function| function.schema == *function_schema && function.name == *function_name)
                    .ok_or_else(contradiction)?;
                let arity = if *to_one { Arity::ToOne } else { Arity::ToMany };
                (Link::Computed(source), Source::Computed(function), arity)
            }
        })
    }
}

/// A name for SQL that is not taken. PostgreSQL cuts names after 63 bytes; what
/// tells them apart stands at the end and has to stay.
fn sql_alias(names: &[&str], depth: usize, taken: impl Fn(&str) -> bool) -> String {
    const KEPT: usize = 50;
    let mut alias = names.join("_");
    while alias.len() > KEPT {
        alias.pop();
    }
    alias.push('_');
    alias.push_str(&depth.to_string());
    while taken(&alias) {
        alias.push('_');
    }
    alias
}

/// The level that a path of names means, counted from the root.
pub(super) fn level<'t, 'c>(
    tree: &'t mut Tree<'c>,
    path: &[String],
    context: &Context<'c>,
) -> Result<&'t mut Node<'c>> {
    let Tree { root, legacy_names, .. } = tree;
    let mut node = root;
    let mut replaced = Vec::new();
    for name in path {
        let embeds = node.items.iter().enumerate().filter_map(|(at, item)| match item {
            Item::Embed(embed) => {
                let alias = embed.alias.as_deref();
                Some(Named { embed: (at, alias), target: &embed.target, alias })
            }
            Item::Field(_) => None,
        });
        let (at, alias) = addressed(embeds, name, context)?;
        if let Some(alias) = alias.filter(|alias| alias != name) {
            replaced.push(LegacyName { target: name.clone(), alias: alias.to_owned() });
        }
        let Some(Item::Embed(embed)) = node.items.get_mut(at) else { return Err(not_embedded(name)) };
        node = &mut embed.node;
    }
    // What was typed last is addressed first.
    legacy_names.retain(|known| !replaced.contains(known));
    legacy_names.splice(0..0, replaced);
    Ok(node)
}
