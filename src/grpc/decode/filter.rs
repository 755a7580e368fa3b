//! `filter`: conditions in the grammar of the REST side, joined by `&`. `%26` is
//! an `&` that is part of a value. The grammar itself is `request::parse`'s.

use crate::{
    error::{Error, Result},
    grpc::{refuse::refuse, surface::Resource},
    request::{
        Query,
        filter::{Filter, Logic},
        parse,
    },
};
use percent_encoding::percent_decode_str;

/// Adds the conditions of `text` to `query`.
pub(super) fn add(resource: &Resource, text: &str, query: &mut Query) -> Result<()> {
    let refused = |error: Box<Error>| refuse("filter", error.message);
    for part in text.split('&').map(str::trim).filter(|part| !part.is_empty()) {
        let (key, value) =
            part.split_once('=').ok_or_else(|| refuse("filter", format!("no \"=\" in \"{part}\"")))?;
        let decoded = |text: &str| percent_decode_str(text).decode_utf8().map(|text| text.into_owned());
        let (Ok(key), Ok(value)) = (decoded(key), decoded(value)) else {
            return Err(refuse("filter", "is no UTF-8 when decoded"));
        };
        let last = key.rsplit('.').next().unwrap_or_default();
        if matches!(last, "and" | "or") {
            let (path, mut tree) = parse::logic(&key, &value).map_err(refused)?;
            if path.is_empty() {
                rename_tree(resource, &mut tree);
            }
            query.logic.push((path, tree));
        } else {
            let (path, mut filter) = parse::filter(&key, &value).map_err(refused)?;
            if path.is_empty() {
                rename(resource, &mut filter);
            }
            query.filters.push((path, filter));
        }
    }
    Ok(())
}

/// Fields may be called by their names in protobuf too.
fn rename(resource: &Resource, filter: &mut Filter) {
    if let Some(column) = resource.column_called(&filter.field.name) {
        filter.field.name = column;
    }
}

fn rename_tree(resource: &Resource, tree: &mut Logic) {
    match tree {
        Logic::Filter(filter) => rename(resource, filter),
        Logic::Group { members, .. } => {
            for member in members {
                rename_tree(resource, member);
            }
        }
        // The grammar of texts has none.
        Logic::Related(_) => {}
    }
}

impl Resource {
    /// The column behind a field's name, where no column is called so itself.
    pub(super) fn column_called(&self, name: &str) -> Option<String> {
        if self.fields.iter().any(|field| field.column == name) {
            return None;
        }
        self.fields.iter().find(|field| field.name == name).map(|field| field.column.clone())
    }
}
