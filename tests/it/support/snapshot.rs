//! Texts that are committed and made anew to compare them; `UPDATE=1` writes them.

use std::{env, fs, path::Path};

/// Compares with a file in `tests/snapshots`.
pub(crate) fn matches_snapshot(name: &str, found: &str) {
    matches_file(&format!("tests/snapshots/{name}"), found);
}

/// Compares with a file of the repository, line by line, so that what differs is what is shown.
pub(crate) fn matches_file(name: &str, found: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
    if env::var_os("UPDATE").is_some() {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, found).unwrap();
    }
    let expected = fs::read_to_string(&path).unwrap_or_default();
    for (line, (found, expected)) in found.lines().zip(expected.lines()).enumerate() {
        assert_eq!(found, expected, "{name}, line {}; UPDATE=1 accepts it", line + 1);
    }
    assert_eq!(found.lines().count(), expected.lines().count(), "{name}; UPDATE=1 accepts it");
}
