//! Media types from text (RFC 9110, section 8.3.1). Unknown ones are kept as
//! they were written.

use super::{MediaType, Nulls, PlanFormat, PlanOption};

impl MediaType {
    /// The media type that this text names; parameters that mean nothing here,
    /// and a semicolon at the end, are ignored.
    pub fn parse(text: &str) -> MediaType {
        let mut parts = Parts(text);
        let essence = parts.next().unwrap_or_default();
        let parameters: Vec<_> = parts.map(parameter).collect();
        let value = |name: &str| {
            let found = parameters.iter().find(|(found, _)| found.eq_ignore_ascii_case(name));
            found.map(|(_, value)| *value)
        };
        let nulls = match value("nulls") {
            Some("stripped") => Nulls::Stripped,
            Some(_) | None => Nulls::Kept,
        };
        let plan = |format| MediaType::Plan {
            target: Box::new(value("for").map_or(MediaType::Json, MediaType::parse)),
            format,
            options: plan_options(value("options").unwrap_or_default()),
        };
        match essence.to_ascii_lowercase().as_str() {
            "application/json" => MediaType::Json,
            "application/geo+json" => MediaType::GeoJson,
            "text/csv" => MediaType::Csv,
            "text/plain" => MediaType::Text,
            "text/xml" => MediaType::Xml,
            "application/openapi+json" => MediaType::OpenApi,
            "application/x-www-form-urlencoded" => MediaType::UrlEncoded,
            "application/octet-stream" => MediaType::OctetStream,
            "application/vnd.pgrst.plan" | "application/vnd.pgrst.plan+text" => plan(PlanFormat::Text),
            "application/vnd.pgrst.plan+json" => plan(PlanFormat::Json),
            "application/vnd.pgrst.object" | "application/vnd.pgrst.object+json" => MediaType::Object(nulls),
            "application/vnd.pgrst.array" | "application/vnd.pgrst.array+json" => match nulls {
                Nulls::Stripped => MediaType::ArrayStripped,
                Nulls::Kept => MediaType::Json,
            },
            "*/*" => MediaType::Any,
            _ => MediaType::Other(text.to_owned()),
        }
    }
}

/// The options named between `|`, in EXPLAIN's order.
fn plan_options(names: &str) -> Vec<PlanOption> {
    use PlanOption::{Analyze, Buffers, Settings, Verbose, Wal};
    let named = |option: &PlanOption| names.split('|').any(|name| name == option.name());
    [Analyze, Verbose, Settings, Buffers, Wal].into_iter().filter(named).collect()
}

fn parameter(text: &str) -> (&str, &str) {
    let (name, value) = text.split_once('=').unwrap_or((text, ""));
    let value = value.trim();
    let unquoted = value.strip_prefix('"').and_then(|value| value.strip_suffix('"'));
    (name.trim(), unquoted.unwrap_or(value))
}

/// What stands between semicolons that are not inside of quotes.
struct Parts<'a>(&'a str);

impl<'a> Iterator for Parts<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        if self.0.is_empty() {
            return None;
        }
        let mut quoted = false;
        let end = self.0.find(|c| {
            quoted ^= c == '"';
            c == ';' && !quoted
        });
        let (part, rest) = match end {
            Some(at) => (self.0.get(..at)?, self.0.get(at + 1..)?),
            None => (self.0, ""),
        };
        self.0 = rest;
        Some(part.trim())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(target: MediaType, format: PlanFormat, options: &[PlanOption]) -> MediaType {
        MediaType::Plan { target: Box::new(target), format, options: options.to_vec() }
    }

    #[test]
    fn names_are_compared_without_case_and_parameters_do_not_matter() {
        assert_eq!(MediaType::parse("ApplicatIon/JSON; charset=utf-8"), MediaType::Json);
        assert_eq!(MediaType::parse("ApplicatIon/vnd.PgRsT.object+json"), MediaType::Object(Nulls::Kept));
        assert_eq!(MediaType::parse("*/*"), MediaType::Any);
    }

    #[test]
    fn other_types_are_kept_as_written() {
        assert_eq!(
            MediaType::parse("application/vnd.twkb"),
            MediaType::Other("application/vnd.twkb".to_owned())
        );
        assert_eq!(MediaType::parse("nonsense"), MediaType::Other("nonsense".to_owned()));
    }

    #[test]
    fn null_stripping_is_a_parameter() {
        let stripped = [
            "application/vnd.pgrst.object+json;nulls=stripped",
            "application/vnd.pgrst.array; nulls=stripped",
        ];
        assert_eq!(
            stripped.map(MediaType::parse),
            [MediaType::Object(Nulls::Stripped), MediaType::ArrayStripped]
        );
        assert_eq!(MediaType::parse("application/vnd.pgrst.array+json"), MediaType::Json);
    }

    #[test]
    fn plans_name_their_target_and_options_and_may_end_in_a_semicolon() {
        use PlanOption::{Analyze, Settings, Verbose};
        let cases = [
            ("application/vnd.pgrst.plan;", plan(MediaType::Json, PlanFormat::Text, &[])),
            ("application/vnd.pgrst.plan+json;for=\"text/csv\"", plan(MediaType::Csv, PlanFormat::Json, &[])),
            (
                "application/vnd.pgrst.plan ; for=\"text/xml\" ; options=analyze",
                plan(MediaType::Xml, PlanFormat::Text, &[Analyze]),
            ),
            (
                "application/vnd.pgrst.plan+json; for=\"application/json\"; options=settings|verbose;",
                plan(MediaType::Json, PlanFormat::Json, &[Verbose, Settings]),
            ),
            (
                "application/vnd.pgrst.plan; for=\"application/vnd.pgrst.object;nulls=stripped\"",
                plan(MediaType::Object(Nulls::Stripped), PlanFormat::Text, &[]),
            ),
        ];
        for (text, media) in cases {
            assert_eq!(MediaType::parse(text), media, "{text}");
        }
    }
}
