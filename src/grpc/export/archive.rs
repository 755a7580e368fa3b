//! The export as one ZIP archive: the same bytes for the same files.

use super::ExportedFile;
use std::io::{self, Cursor, Write};
use zip::{CompressionMethod, ZipWriter, write::SimpleFileOptions};

/// An archive with these files.
///
/// # Errors
/// A path or a file is longer than an archive can have.
pub fn archive(files: &[ExportedFile]) -> io::Result<Vec<u8>> {
    let options = SimpleFileOptions::default().compression_method(CompressionMethod::Deflated);
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    for file in files {
        writer.start_file(&*file.path, options).map_err(io::Error::other)?;
        writer.write_all(&file.contents)?;
    }
    Ok(writer.finish().map_err(io::Error::other)?.into_inner())
}
