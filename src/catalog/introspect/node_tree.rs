//! The node tree of a view's query (`pg_rewrite.ev_action`), as far as it says
//! which column of which relation a column passes on unchanged: `resorigtbl`
//! and `resorigcol` of the top query's target list, which PostgreSQL itself
//! keeps for the protocol's row descriptions. A column that is computed, or
//! comes from a UNION, has none.
//!
//! The format is that of PostgreSQL's `outfuncs.c`: `{NODE :field value …}`,
//! lists in parentheses, and a backslash before each character of a name that
//! could be taken for structure.

use std::collections::{HashMap, HashSet};

/// A column by its relation's OID and its number.
pub(super) type Place = (u32, i16);

/// Where the columns of views come from.
#[derive(Clone, Debug, Default)]
pub(super) struct Origins {
    direct: HashMap<Place, Place>,
    views: HashSet<u32>,
}

impl Origins {
    /// Adds the view of this OID with its query.
    pub(super) fn add(&mut self, view: u32, tree: &str) {
        self.views.insert(view);
        for entry in target_list(tree) {
            if entry.relation != 0 {
                self.direct.insert((view, entry.number), (entry.relation, entry.column));
            }
        }
    }

    /// Forgets the views of these OIDs.
    pub(super) fn forget(&mut self, views: &HashSet<u32>) {
        self.views.retain(|view| !views.contains(view));
        self.direct.retain(|(view, _), _| !views.contains(view));
    }

    /// The column that a view's column passes on: never a view's of those known.
    fn of(&self, column: Place) -> Option<Place> {
        let mut found = *self.direct.get(&column)?;
        // Views cannot be made in a circle, but a catalog can be damaged.
        for _ in 0..self.views.len() {
            match self.direct.get(&found) {
                Some(below) => found = *below,
                None => break,
            }
        }
        (!self.views.contains(&found.0)).then_some(found)
    }

    /// Every view's column that passes one on, and that one.
    pub(super) fn all(&self) -> impl Iterator<Item = (Place, Place)> {
        self.direct.keys().filter_map(|column| Some((*column, self.of(*column)?)))
    }

    /// The relations that columns come from.
    pub(super) fn tables(&self) -> Vec<u32> {
        let tables: HashSet<u32> = self.direct.values().map(|(relation, _)| *relation).collect();
        tables.difference(&self.views).copied().collect()
    }
}

/// An entry of a target list.
#[derive(Debug, Default, PartialEq, Eq)]
struct Entry {
    number: i16,
    relation: u32,
    column: i16,
}

/// The target list of the top query.
fn target_list(tree: &str) -> Vec<Entry> {
    let mut entries = Vec::new();
    let mut depth = 0_usize;
    let mut in_target_list = false;
    let mut words = Words { text: tree, at: 0 };
    while let Some(word) = words.next() {
        match (word, depth) {
            ("{", _) => {
                depth += 1;
                if in_target_list && depth == 2 {
                    entries.push(Entry::default());
                }
            }
            ("}", _) => depth = depth.saturating_sub(1),
            (field, 1) if field.starts_with(':') => in_target_list = field == ":targetList",
            (field, 2) if in_target_list => {
                if let Some(entry) = entries.last_mut() {
                    match field {
                        ":resno" => entry.number = words.number(),
                        ":resorigtbl" => entry.relation = words.number(),
                        ":resorigcol" => entry.column = words.number(),
                        _ => {}
                    }
                }
            }
            _ => {}
        }
    }
    entries
}

/// Splits a node tree into braces and what stands between spaces, parentheses
/// and braces.
struct Words<'t> {
    text: &'t str,
    at: usize,
}

impl<'t> Words<'t> {
    /// The number that stands next; 0, which is no OID, where there is none.
    fn number<N: std::str::FromStr + Default>(&mut self) -> N {
        self.next().and_then(|word| word.parse().ok()).unwrap_or_default()
    }
}

impl<'t> Iterator for Words<'t> {
    type Item = &'t str;

    fn next(&mut self) -> Option<&'t str> {
        let bytes = self.text.as_bytes();
        while matches!(bytes.get(self.at), Some(b' ' | b'\n' | b'\t' | b'(' | b')')) {
            self.at += 1;
        }
        let start = self.at;
        if matches!(bytes.get(start)?, b'{' | b'}') {
            self.at += 1;
        } else {
            while let Some(byte) = bytes.get(self.at) {
                match byte {
                    b' ' | b'\n' | b'\t' | b'(' | b')' | b'{' | b'}' => break,
                    b'\\' => self.at += 2,
                    _ => self.at += 1,
                }
            }
        }
        self.at = self.at.min(bytes.len());
        // After a backslash stands one byte of ASCII, or the tree is damaged.
        self.text.get(start..self.at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TREE: &str = "({QUERY :commandType 1 :cteList <> :rtable ({RANGETBLENTRY :eref {ALIAS :aliasname \
        t\\{\\ \\:targetList :colnames (\"a\\)\\}\" \"b\")} :relid 16384}) :jointree {FROMEXPR :quals <>} \
        :targetList ({TARGETENTRY :expr {VAR :varno 3 :location 61} :resno 1 :resname a\\ \\{b :ressortgroupref 0 \
        :resorigtbl 16384 :resorigcol 7 :resjunk false} {TARGETENTRY :expr {SUBLINK :subselect {QUERY :targetList \
        ({TARGETENTRY :expr <> :resno 9 :resorigtbl 99 :resorigcol 9 :resjunk false}) :override 0} :location 72} \
        :resno 2 :resname c :resorigtbl 0 :resorigcol 0 :resjunk false}) :override 0 :onConflict <> :havingQual \
        {OPEXPR :args ({SUBLINK :subselect {QUERY :targetList ({TARGETENTRY :resno 3 :resorigtbl 98}) }})} })";

    #[test]
    fn only_the_top_querys_target_list_is_read() {
        let expected =
            [Entry { number: 1, relation: 16384, column: 7 }, Entry { number: 2, relation: 0, column: 0 }];
        assert_eq!(target_list(TREE), expected);
    }

    #[test]
    fn a_damaged_tree_ends_early_and_does_not_fail() {
        for end in 0..TREE.len() {
            target_list(&TREE[..end]);
        }
        assert_eq!(target_list("({QUERY :targetList ({TARGETENTRY :resno \\é} }} \\"), [Entry::default()]);
    }

    #[test]
    fn views_of_views_are_followed_to_the_table() {
        let tree =
            |table| format!("({{QUERY :targetList ({{E :resno 1 :resorigtbl {table} :resorigcol 1}})}})");
        let mut origins = Origins::default();
        origins.add(3, &tree(2));
        origins.add(2, &tree(1));
        assert_eq!(
            (origins.of((3, 1)), origins.of((2, 1)), origins.of((3, 2))),
            (Some((1, 1)), Some((1, 1)), None)
        );
        assert_eq!(origins.tables(), [1]);
        // Damaged: in a circle.
        origins.add(1, &tree(3));
        assert_eq!(origins.of((3, 1)), None);
    }
}
