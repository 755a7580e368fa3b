//! Media types that REST takes and makes. A leaf: which of them can be made for
//! a request is decided by `plan`.

mod parse;

use std::fmt;

/// The list of the operations of a transaction, and the list of their answers. Nothing else is made or taken as this.
pub const TRANSACTION: &str = "application/vnd.pgduet.transaction+json";

/// What becomes of keys whose value is null.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Nulls {
    /// They stay.
    Kept,
    /// They go.
    Stripped,
}

/// The form of a plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "the names are EXPLAIN's")]
pub enum PlanFormat {
    Json,
    Text,
}

/// An option of EXPLAIN.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "the names are EXPLAIN's")]
pub enum PlanOption {
    Analyze,
    Verbose,
    Settings,
    Buffers,
    Wal,
}

/// A media type.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum MediaType {
    /// `application/json`.
    Json,
    /// `application/vnd.pgrst.array+json;nulls=stripped`.
    ArrayStripped,
    /// `application/vnd.pgrst.object+json`: exactly one row, not in an array.
    Object(Nulls),
    /// `text/csv`.
    Csv,
    /// `application/geo+json`.
    GeoJson,
    /// `application/openapi+json`.
    OpenApi,
    /// `application/x-www-form-urlencoded`.
    UrlEncoded,
    /// `application/octet-stream`.
    OctetStream,
    /// `text/plain`.
    Text,
    /// `text/xml`.
    Xml,
    /// `*/*`.
    Any,
    /// `application/vnd.pgrst.plan`: how PostgreSQL would answer in `target`.
    Plan {
        /// What would have been answered.
        target: Box<MediaType>,
        /// How the plan is written.
        format: PlanFormat,
        /// What is in it.
        options: Vec<PlanOption>,
    },
    /// Any other, as it was written.
    Other(String),
}

impl fmt::Display for MediaType {
    /// As in a `Content-Type`, without charset.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            MediaType::Json => "application/json",
            MediaType::ArrayStripped => "application/vnd.pgrst.array+json;nulls=stripped",
            MediaType::Object(Nulls::Kept) => "application/vnd.pgrst.object+json",
            MediaType::Object(Nulls::Stripped) => "application/vnd.pgrst.object+json;nulls=stripped",
            MediaType::Csv => "text/csv",
            MediaType::GeoJson => "application/geo+json",
            MediaType::OpenApi => "application/openapi+json",
            MediaType::UrlEncoded => "application/x-www-form-urlencoded",
            MediaType::OctetStream => "application/octet-stream",
            MediaType::Text => "text/plain",
            MediaType::Xml => "text/xml",
            MediaType::Any => "*/*",
            MediaType::Other(name) => name,
            MediaType::Plan { target, format, options } => {
                let format = match format {
                    PlanFormat::Json => "json",
                    PlanFormat::Text => "text",
                };
                write!(out, "application/vnd.pgrst.plan+{format}; for=\"{target}\"")?;
                for (at, option) in options.iter().enumerate() {
                    out.write_str(if at == 0 { "; options=" } else { "|" })?;
                    out.write_str(option.name())?;
                }
                return Ok(());
            }
        })
    }
}

impl PlanOption {
    /// The name in a media type.
    pub const fn name(self) -> &'static str {
        match self {
            PlanOption::Analyze => "analyze",
            PlanOption::Verbose => "verbose",
            PlanOption::Settings => "settings",
            PlanOption::Buffers => "buffers",
            PlanOption::Wal => "wal",
        }
    }
}

impl MediaType {
    /// As a `Content-Type`: with a charset where the type is text by definition.
    pub fn content_type(&self) -> String {
        match self {
            MediaType::OctetStream | MediaType::Other(_) => self.to_string(),
            MediaType::Json
            | MediaType::ArrayStripped
            | MediaType::Object(_)
            | MediaType::Csv
            | MediaType::GeoJson
            | MediaType::OpenApi
            | MediaType::UrlEncoded
            | MediaType::Text
            | MediaType::Xml
            | MediaType::Any
            | MediaType::Plan { .. } => format!("{self}; charset=utf-8"),
        }
    }
}
