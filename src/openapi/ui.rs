//! Swagger UI under `/docs/`: the files that utoipa-swagger-ui carries, and
//! a configuration that points at the root document.

use std::{borrow::Cow, fmt, sync::Arc};
use utoipa_swagger_ui::Config;

/// Where the UI is served.
pub const PREFIX: &str = "/docs/";

/// A file of the UI.
#[derive(Debug)]
pub struct File {
    /// The file's bytes.
    pub bytes: Cow<'static, [u8]>,
    /// Its media type.
    pub content_type: String,
}

/// Serves the UI's files.
#[derive(Clone)]
pub struct Ui {
    config: Arc<Config<'static>>,
}

impl Ui {
    /// A UI that shows the document at `url`.
    pub fn new(url: String) -> Self {
        let config = Config::from(url)
            .try_it_out_enabled(true)
            .persist_authorization(true)
            .display_request_duration(true)
            .filter(true)
            .default_models_expand_depth(0);
        Self { config: Arc::new(config) }
    }

    /// The file at a path below [`PREFIX`]; `None` if there is no such file.
    pub fn file(&self, path: &str) -> Option<File> {
        let file = utoipa_swagger_ui::serve(path, self.config.clone()).ok()??;
        Some(File { bytes: file.bytes, content_type: file.content_type })
    }
}

impl fmt::Debug for Ui {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Ui").finish_non_exhaustive()
    }
}
