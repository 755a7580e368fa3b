//! Swagger UI under `/docs/`: the files that utoipa-swagger-ui carries, started
//! by a script of our own that loads the root document.

use std::{borrow::Cow, sync::Arc};
use utoipa_swagger_ui::Config;

/// Where the UI is served.
pub const PREFIX: &str = "/docs/";
/// Where the `.proto` files can be downloaded.
pub const PROTOS: &str = "/docs/proto.zip";

const INITIALIZER: &str = include_str!("swagger-initializer.js");

/// A file of the UI.
#[derive(Debug)]
pub struct File {
    /// The file's bytes.
    pub bytes: Cow<'static, [u8]>,
    /// Its media type.
    pub content_type: String,
}

/// The file at a path below [`PREFIX`]; `None` if there is no such file.
pub fn file(path: &str) -> Option<File> {
    if path == "swagger-initializer.js" {
        return Some(File {
            bytes: INITIALIZER.as_bytes().into(),
            content_type: "text/javascript; charset=utf-8".to_owned(),
        });
    }
    let file = utoipa_swagger_ui::serve(path, Arc::new(Config::default())).ok()??;
    Some(File { bytes: file.bytes, content_type: file.content_type })
}
