//! The export: descriptors as files that generators of client code take, with
//! `buf.yaml` and `buf.gen.yaml` beside them. It needs no database.

mod archive;
mod http;
mod listing;
mod print;

use super::{
    descriptor::{self, behavior},
    lock::{self, Lock},
    options::Options,
    surface::{SurfaceError, surface},
};
use crate::catalog::Catalog;
pub use archive::archive;
pub use listing::listing;
use std::{fmt, fs, io, path::Path, sync::Arc};

/// What `buf lint` is run with. What is Google's is not ours to style; a schema may be called
/// google, too.
const BUF_YAML: &str = "\
version: v2
lint:
  use:
    - STANDARD
    - COMMENTS
  ignore:
    - google/api
breaking:
  use:
    - WIRE_JSON
";

/// A start for `buf generate`. `google/api` is in Go's genproto and Python's
/// googleapis-common-protos, and generated for TypeScript.
const BUF_GEN_YAML: &str = "\
version: v2
inputs:
  - directory: .
    exclude_paths:
      - google/api
managed:
  enabled: true
  disable:
    - path: google/api
  override:
    # Your module, and where in it the code is.
    - file_option: go_package_prefix
      value: example.com/library/gen/go
plugins:
  - remote: buf.build/protocolbuffers/go
    out: gen/go
    opt: paths=source_relative
  - remote: buf.build/grpc/go
    out: gen/go
    opt: paths=source_relative
  - remote: buf.build/protocolbuffers/python
    out: gen/python
  - remote: buf.build/grpc/python
    out: gen/python
  - remote: buf.build/bufbuild/es
    out: gen/ts
    include_imports: true
";

/// What declares `google.api.http` and `google.api.field_behavior`.
const OPTION_PROTOS: [(&str, &str); 3] = [
    (ANNOTATIONS, include_str!("export/google/api/annotations.proto")),
    (behavior::FILE, include_str!("export/google/api/field_behavior.proto")),
    ("google/api/http.proto", include_str!("export/google/api/http.proto")),
];
const ANNOTATIONS: &str = "google/api/annotations.proto";

/// A file of the export.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExportedFile {
    /// Its path below the export's directory, with slashes.
    pub path: String,
    /// What is in it.
    pub contents: Vec<u8>,
}

/// An export.
#[derive(Debug)]
pub struct Export {
    /// Its files, without the lock.
    pub files: Vec<ExportedFile>,
    /// What the next export and the server have to be given.
    pub lock: Lock,
    /// What may have been renamed since the lock was written, a line each.
    pub renames: Vec<String>,
}

/// Why there is no export.
#[derive(Debug)]
pub enum ExportError {
    /// The lock or the template of packages cannot be used.
    Surface(SurfaceError),
    /// The bundled descriptors are broken.
    Descriptors(prost::DecodeError),
}

impl fmt::Display for ExportError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Surface(error) => error.fmt(out),
            Self::Descriptors(error) => write!(out, "the schema cannot be described: {error}"),
        }
    }
}

impl std::error::Error for ExportError {}

/// The export of a catalog.
pub fn export(catalog: &Arc<Catalog>, options: &Options, lock: &Lock) -> Result<Export, ExportError> {
    let former = lock;
    let surface = surface(catalog, options, former).map_err(ExportError::Surface)?;
    let lock = surface.lock();
    let set = descriptor::files(surface.packages.iter()).map_err(ExportError::Descriptors)?;
    let mut files = vec![
        file("buf.yaml", BUF_YAML),
        file("buf.gen.yaml", BUF_GEN_YAML),
        ExportedFile {
            path: "descriptors.binpb".to_owned(),
            contents: descriptor::encoded(set.clone(), surface.packages.iter()),
        },
    ];
    files.extend(OPTION_PROTOS.map(|(path, text)| file(path, text)));
    // The well-known types come with every compiler.
    let is_google = |package: &str| ["google.api", "google.protobuf"].contains(&package);
    for proto in set.file.iter().filter(|proto| !is_google(proto.package())) {
        let first = surface.packages.first().filter(|package| package.file == proto.name());
        let rules = first.map(|package| http::rules(package, proto)).unwrap_or_default();
        let own = surface.packages.iter().find(|package| package.file == proto.name());
        let behaviors = own.map(behavior::behaviors).unwrap_or_default();
        files.push(file(proto.name(), print::proto(proto, &rules, &behaviors)));
    }
    let renames = lock::renames(former, &lock);
    Ok(Export { files, lock, renames })
}

fn file(path: &str, contents: impl Into<String>) -> ExportedFile {
    ExportedFile { path: path.to_owned(), contents: contents.into().into_bytes() }
}

/// Writes the export below `directory`, over what is there.
pub fn write(files: &[ExportedFile], directory: &Path) -> io::Result<()> {
    for file in files {
        let path = directory.join(&file.path);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent)?;
        }
        fs::write(path, &file.contents)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::descriptor::FILE_DESCRIPTOR_SET;
    use prost::Message as _;
    use prost_types::FileDescriptorSet;

    #[test]
    fn the_printer_gives_back_what_the_compiler_read() {
        let bundled = FileDescriptorSet::decode(FILE_DESCRIPTOR_SET).unwrap();
        let predicate = bundled.file.iter().find(|file| file.name().ends_with("predicate.proto")).unwrap();
        let printed = print::proto(predicate, &http::Rules::new(), &behavior::Behaviors::new());
        assert_eq!(printed, include_str!("../../proto/pgduet/query/v1/predicate.proto"));
    }
}
