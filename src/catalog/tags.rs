//! Tags in SQL comments: lines that begin with `@pgduet`, with which the database's authors say what no catalog of
//! PostgreSQL's has. They are for pgduet: what readers of the API see of a comment has none of them.
//!
//! ```sql
//! COMMENT ON TABLE api.balances IS E'What accounts hold.\n@pgduet primary';
//! ```

use super::descriptor::Database;

/// What a tag's line begins with.
const MARK: &str = "@pgduet ";

/// Reads of the relation, or calls of the function, go to the primary.
const PRIMARY: &str = "primary";

/// Takes the tags out of the comments of relations and functions, and says in the descriptor what they say.
pub(super) fn take(database: &mut Database) {
    for relation in &mut database.relations {
        relation.primary_only |= has_primary(&mut relation.comment, &relation.name);
    }
    for function in &mut database.functions {
        function.primary_only |= has_primary(&mut function.comment, &function.name);
    }
}

/// Whether a comment has the tag, which it loses.
fn has_primary(comment: &mut Option<String>, of: &str) -> bool {
    let Some(text) = comment.as_deref().filter(|text| text.contains(MARK)) else { return false };
    let is_tag = |line: &&str| line.trim().strip_prefix(MARK).is_some_and(|tag| tag.trim() == PRIMARY);
    for line in text.lines().filter(|line| line.trim().starts_with(MARK) && !is_tag(line)) {
        tracing::warn!("The comment of {of} has a tag that pgduet does not know: {}", line.trim());
    }
    let is_tagged = text.lines().any(|line| is_tag(&line));
    if is_tagged {
        let rest: Vec<_> = text.lines().filter(|line| !is_tag(line)).collect();
        *comment = Some(rest.join("\n").trim_end().to_owned()).filter(|rest| !rest.is_empty());
    }
    is_tagged
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_is_a_line_of_its_own_and_readers_do_not_see_it() {
        for (comment, tagged, rest) in [
            ("@pgduet primary", true, None),
            ("Balances.\n  @pgduet  primary \nOf accounts.", true, Some("Balances.\nOf accounts.")),
            ("See @pgduet primary", false, Some("See @pgduet primary")),
            ("@pgduet secondary", false, Some("@pgduet secondary")),
            ("@pgduetprimary", false, Some("@pgduetprimary")),
        ] {
            let mut text = Some(comment.to_owned());
            assert_eq!((has_primary(&mut text, "t"), text.as_deref()), (tagged, rest), "{comment}");
        }
        assert!(!has_primary(&mut None, "t"));
    }
}
