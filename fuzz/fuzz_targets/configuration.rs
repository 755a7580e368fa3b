//! A configuration file, each option's value included.
#![no_main]

use libfuzzer_sys::fuzz_target;
use pgduet::{
    auth::Authenticator,
    config::{Config, Sources},
};
use std::{collections::BTreeMap, fs};

fuzz_target!(|text: &[u8]| {
    // `@path` reads files, and some never end.
    if text.contains(&b'@') && text.windows(4).any(|four| four == b"/dev") {
        return;
    }
    let path = std::env::temp_dir().join(format!("pgduet-fuzz-{}.conf", std::process::id()));
    fs::write(&path, text).expect("the directory for temporary files can be written to");
    if let Ok((config, _)) = Config::load(&Sources::new(Some(path), BTreeMap::new(), BTreeMap::new())) {
        let _ = Authenticator::new(&config, None);
    }
});
