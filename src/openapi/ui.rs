//! The page under `/docs/`: Swagger UI, whose files utoipa-swagger-ui carries, in a page of our own that loads the root
//! document and lists the services of gRPC.

use std::{borrow::Cow, sync::Arc};
use utoipa_swagger_ui::Config;

/// Where the UI is served.
pub const PREFIX: &str = "/docs/";
/// Where the `.proto` files can be downloaded.
pub const PROTOS: &str = "/docs/proto.zip";

/// Where the services of gRPC are listed, for the page.
pub const LISTING: &str = "/docs/grpc.json";

/// Files of our own, in place of those of the same name.
const OWN: [(&str, &str, &str); 4] = [
    ("", include_str!("ui/index.html"), "text/html; charset=utf-8"),
    ("index.html", include_str!("ui/index.html"), "text/html; charset=utf-8"),
    ("page.css", include_str!("ui/page.css"), "text/css; charset=utf-8"),
    ("page.js", include_str!("ui/page.js"), "text/javascript; charset=utf-8"),
];

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
    if let Some((_, text, content_type)) = OWN.iter().find(|(name, ..)| *name == path) {
        return Some(File { bytes: text.as_bytes().into(), content_type: (*content_type).to_owned() });
    }
    let file = utoipa_swagger_ui::serve(path, Arc::new(Config::default())).ok()??;
    Some(File { bytes: file.bytes, content_type: file.content_type })
}
