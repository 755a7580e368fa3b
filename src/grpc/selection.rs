//! Selections: what a read mask names. The select list of the request and the
//! encoder of its rows are made from the same selection, in the same order.

use super::{
    encode::{ColumnEncoder, Encoders, MessageEncoder},
    extent::Extent,
    refuse::refuse,
    surface::{self, Compared, Multiplicity, Package, Resource, Scalar, Shape},
};
use crate::{
    error::Result,
    request::select::{Embed, EmbedForm, Field, SelectItem},
};
use std::sync::Arc;

/// Columns, or parts of them, computed fields and embeds of one resource: indexes into its fields, computed fields and
/// embeds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Selection {
    fields: Vec<(usize, Extent)>,
    computed: Vec<usize>,
    embeds: Vec<(usize, Selection)>,
    /// Embeds of which the number of rows is taken.
    counts: Vec<usize>,
}

/// How deep a mask may nest embeds.
const MAX_DEPTH: usize = 16;

impl Selection {
    /// Every column and no embed.
    pub(crate) fn all(resource: &Resource) -> Self {
        Self { fields: whole(resource), ..Self::default() }
    }

    /// What `paths` name. `mask` is the field that they come from.
    pub(crate) fn of_mask<'a>(
        package: &Package,
        resource: &Resource,
        mask: &str,
        paths: impl Iterator<Item = &'a str>,
    ) -> Result<Self> {
        let mut selection = Selection::default();
        for path in paths {
            let parts: Vec<&str> = path.split('.').collect();
            selection.add(package, resource, &parts).ok_or_else(|| {
                refuse(mask, format!("\"{path}\" is no path of \"{}\"", resource.names.singular))
            })?;
        }
        Ok(selection)
    }

    /// Whether it names nothing at all.
    pub(crate) fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Whether it names the column at this place.
    pub(crate) fn has_field(&self, at: usize) -> bool {
        self.fields.iter().any(|(known, _)| *known == at)
    }

    /// What is taken of the embed at this place.
    pub(crate) fn embed(&self, at: usize) -> Option<&Self> {
        self.embeds.iter().find(|(known, _)| *known == at).map(|(_, inner)| inner)
    }

    /// Takes this of the embed at this place, and nothing else.
    pub(crate) fn set_embed(&mut self, at: usize, selection: Self) {
        match self.embeds.iter_mut().find(|(known, _)| *known == at) {
            Some((_, inner)) => *inner = selection,
            None => self.embeds.push((at, selection)),
        }
    }

    /// Refuses what rows cannot be grouped by.
    pub(crate) fn check_groups(
        &self,
        package: &Package,
        resource: &Resource,
    ) -> std::result::Result<(), String> {
        let fields = self.fields.iter().filter_map(|(at, extent)| Some((resource.fields.get(*at)?, extent)));
        for (field, extent) in fields {
            match (extent, field.compared) {
                (Extent::Whole, Compared::WithValues) => {}
                (Extent::Parts(_), _) => return Err(format!("takes \"{}\" as a whole", field.name)),
                (_, Compared::WithNull) => return Err(format!("\"{}\" has no equality", field.name)),
            }
        }
        let mut computed = self.computed.iter().filter_map(|at| resource.computed.get(*at));
        if let Some(field) = computed.find(|field| field.compared == Compared::WithNull) {
            return Err(format!("\"{}\" has no equality", field.name));
        }
        for (embed, inner) in
            self.embeds.iter().filter_map(|(at, inner)| Some((resource.embeds.get(*at)?, inner)))
        {
            match embed.multiplicity {
                Multiplicity::Many => return Err(format!("\"{}\" has several rows", embed.name)),
                Multiplicity::One => {
                    package
                        .resource(embed.resource)
                        .map_or(Ok(()), |target| inner.check_groups(package, target))?;
                }
            }
        }
        match self.counts.first() {
            None => Ok(()),
            Some(_) => Err("takes no numbers of related rows".to_owned()),
        }
    }

    /// Adds one path; none if it leads nowhere.
    fn add(&mut self, package: &Package, resource: &Resource, path: &[&str]) -> Option<()> {
        if path.len() > MAX_DEPTH {
            return None;
        }
        let (first, rest) = path.split_first()?;
        if *first == "*" && rest.is_empty() {
            self.fields = whole(resource);
            return Some(());
        }
        if let Some(at) = resource.field(first) {
            let known = self.fields.iter().position(|(known, _)| *known == at);
            let known = known.unwrap_or_else(|| {
                self.fields.push((at, Extent::nothing()));
                self.fields.len() - 1
            });
            let (_, extent) = self.fields.get_mut(known)?;
            return extent.add(package, resource.fields.get(at)?.shape, rest);
        }
        if let Some(at) = resource.computed_field(first) {
            insert(&mut self.computed, at);
            return rest.is_empty().then_some(());
        }
        if let Some(at) = resource.counted(first) {
            insert(&mut self.counts, at);
            return rest.is_empty().then_some(());
        }
        let at = resource.embeds.iter().position(|embed| embed.name == **first)?;
        let target = package.resource(resource.embeds.get(at)?.resource)?;
        let inner = match self.embeds.iter().position(|(known, _)| *known == at) {
            Some(known) => known,
            None => {
                self.embeds.push((at, Selection::default()));
                self.embeds.len() - 1
            }
        };
        let (_, inner) = self.embeds.get_mut(inner)?;
        if rest.is_empty() { inner.add(package, target, &["*"]) } else { inner.add(package, target, rest) }
    }

    /// The select list.
    pub(crate) fn select(&self, package: &Package, resource: &Resource) -> Vec<SelectItem> {
        let fields = self.fields.iter().filter_map(|(at, _)| resource.fields.get(*at));
        let computed = self.computed.iter().filter_map(|at| resource.computed.get(*at));
        let fields = fields.chain(computed).map(|field| column(field, None));
        let embeds = self.embeds.iter().filter_map(|(at, inner)| {
            let embed = resource.embeds.get(*at)?;
            let target = package.resource(embed.resource)?;
            Some(SelectItem::Embed(selected(embed, inner.select(package, target))))
        });
        let counts = self.counts.iter().filter_map(|at| {
            let embed = resource.embeds.get(*at)?;
            let form = EmbedForm::Count { alias: embed.count.as_ref()?.name.clone() };
            Some(SelectItem::Embed(Embed { form, ..selected(embed, Vec::new()) }))
        });
        fields.chain(embeds).chain(counts).collect()
    }

    /// The encoder of the rows that the select list gives.
    pub(crate) fn encoder(&self, package: &Package, encoders: &Encoders, resource: usize) -> MessageEncoder {
        let found = package.resource(resource);
        let columns = encoders.of_resource(package, resource);
        let fields = self.fields.iter().filter_map(|(at, extent)| {
            let column = columns.get(*at)?;
            Some(match extent {
                Extent::Whole => column.clone(),
                Extent::Parts(parts) => Arc::new(column.of_parts(parts)),
            })
        });
        let computed = self.computed.iter().filter_map(|at| {
            let field = found?.computed.get(*at)?;
            Some(encoders.column(&field.column, field.number, field.shape))
        });
        let counts = self.counts.iter().filter_map(|at| {
            let count = found?.embeds.get(*at)?.count.as_ref()?;
            Some(encoders.column(&count.name, count.number, Shape::One(Scalar::Int8)))
        });
        let embeds = self.embeds.iter().filter_map(|(at, inner)| {
            let embed = found?.embeds.get(*at)?;
            let rows = inner.encoder(package, encoders, embed.resource);
            Some(Arc::new(ColumnEncoder::embed(&embed.name, embed.number, embed.multiplicity, rows)))
        });
        let key = found.map(|found| found.key.as_slice()).unwrap_or_default();
        // Without all of it, it tells nothing.
        let key: Option<Vec<usize>> =
            key.iter().map(|key| self.fields.iter().position(|(field, _)| field == key)).collect();
        MessageEncoder::new(fields.chain(computed).chain(embeds).chain(counts).collect())
            .keyed(key.unwrap_or_default())
    }
}

/// An embed in a select list, under the name of its field.
pub(crate) fn selected(embed: &surface::Embed, select: Vec<SelectItem>) -> Embed {
    Embed {
        target: embed.target.clone(),
        hint: embed.hint.clone(),
        join: None,
        form: EmbedForm::Nested { alias: (embed.name != embed.target).then(|| embed.name.clone()) },
        select,
    }
}

fn insert(places: &mut Vec<usize>, at: usize) {
    if !places.contains(&at) {
        places.push(at);
    }
}

/// Every column, whole.
fn whole(resource: &Resource) -> Vec<(usize, Extent)> {
    (0..resource.fields.len()).map(|at| (at, Extent::Whole)).collect()
}

/// A column in its form, under this name if not its own.
pub(crate) fn column(field: &surface::Field, alias: Option<String>) -> SelectItem {
    let cast = (field.shape == Shape::One(Scalar::OwnText)).then(|| "text".to_owned());
    SelectItem::Field { field: Field::column(&field.column), cast, aggregate: None, alias }
}

impl Resource {
    /// The computed field of this name, be it protobuf's or the database's.
    pub(crate) fn computed_field(&self, name: &str) -> Option<usize> {
        let of_function = self.computed.iter().position(|field| field.column == name);
        self.computed.iter().position(|field| field.name == name).or(of_function)
    }

    /// The embed whose number of rows is in the field of this name.
    pub(crate) fn counted(&self, name: &str) -> Option<usize> {
        self.embeds.iter().position(|embed| embed.count.as_ref().is_some_and(|count| count.name == name))
    }

    /// The field of this name, be it protobuf's or the database's.
    pub(crate) fn field(&self, name: &str) -> Option<usize> {
        let of_column = self.fields.iter().position(|field| field.column == name);
        self.fields.iter().position(|field| field.name == name).or(of_column)
    }
}
