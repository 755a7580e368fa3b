//! The document of a small hand-made catalog.
