//! The template of proto packages: which package each schema gets. It knows protobuf's grammar
//! of names and how a schema tells its version; it makes no names out of what SQL allows.

use super::value::{Problem, Rendered, Value};

/// What stands for the schema, and for its version.
const SCHEMA: &str = "{schema}";
const VERSION: &str = "{version}";

/// The option `grpc-package`: whatever it is given, it makes a package's name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PackageTemplate(String);

/// `api.v1`, as the option has it where it is not set.
impl Default for PackageTemplate {
    fn default() -> Self {
        PackageTemplate(format!("{SCHEMA}.v{VERSION}"))
    }
}

impl PackageTemplate {
    /// The package of a schema called `stem`, an identifier, in this version.
    pub fn package(&self, stem: &str, version: &str) -> String {
        self.0.replace(SCHEMA, stem).replace(VERSION, version)
    }

    /// Two of these schemas that would share a package, whatever they are called.
    pub fn mixed_up<'s>(&self, schemas: &'s [String]) -> Option<(&'s str, &'s str)> {
        if self.0.contains(SCHEMA) {
            return None;
        }
        let package = |schema: &str| self.package("", version(schema).1);
        schemas.iter().enumerate().find_map(|(at, schema)| {
            let before = schemas.iter().take(at);
            let other = before.into_iter().find(|other| package(other) == package(schema))?;
            Some((other.as_str(), schema.as_str()))
        })
    }
}

/// `shop_v2` is version 2 of `shop`; a schema without a version is version 1.
pub fn version(schema: &str) -> (&str, &str) {
    match schema.rsplit_once("_v") {
        Some((stem, version))
            if !stem.is_empty()
                && !version.is_empty()
                && !version.starts_with('0')
                && version.bytes().all(|byte| byte.is_ascii_digit()) =>
        {
            (stem, version)
        }
        _ => (schema, "1"),
    }
}

impl Value for PackageTemplate {
    const FORM: &'static str = "identifiers separated by dots, in which `{schema}` and `{version}` may stand, such as acme.{schema}.v{version}";

    fn parse(text: &str) -> Result<Self, Problem> {
        let template = PackageTemplate(text.to_owned());
        // Any other brace is left over.
        match template.package("s", "1").split('.').all(is_identifier) {
            true => Ok(template),
            false => Err(Problem::Form),
        }
    }

    fn render(&self) -> Rendered {
        Rendered::Quoted(self.0.clone())
    }
}

/// <https://protobuf.dev/reference/protobuf/proto3-spec/#identifiers>
fn is_identifier(part: &str) -> bool {
    part.starts_with(|first: char| first.is_ascii_alphabetic())
        && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn template(text: &str) -> PackageTemplate {
        PackageTemplate::parse(text).unwrap_or_else(|problem| panic!("{text}: {problem:?}"))
    }

    fn schemas(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn a_template_makes_names_of_protobuf_or_none() {
        for text in
            ["{schema}.v{version}", "{schema}", "acme.{schema}_{version}", "acme.v1", "A.b_c.{schema}"]
        {
            template(text);
        }
        for text in [
            "",
            "9.{schema}",
            "acme..x",
            ".{schema}",
            "{schema}.",
            "{schema}.{version}",
            "{table}",
            "a b",
            "ä",
            "a-b",
        ] {
            assert_eq!(PackageTemplate::parse(text), Err(Problem::Form), "{text}");
        }
    }

    #[test]
    fn the_default_is_that_of_the_option() {
        let row = crate::config::OPTIONS.iter().find(|row| row.name == "grpc-package");
        assert_eq!(row.map(|row| template(row.default)), Some(PackageTemplate::default()));
    }

    #[test]
    fn schemas_are_told_apart_by_what_the_template_has() {
        let mixed_up = |text: &str, names: &[&str]| template(text).mixed_up(&schemas(names)).is_some();
        assert!(!mixed_up("{schema}", &["a", "b_v2"]));
        assert!(!mixed_up("acme.v1", &["a"]));
        assert!(mixed_up("acme.v1", &["a", "b_v2"]));
        assert!(mixed_up("acme.v{version}", &["a", "b"]));
        assert!(!mixed_up("acme.v{version}", &["a_v1", "a_v2"]));
    }

    #[test]
    fn a_schema_may_name_its_version() {
        assert_eq!(version("shop_v2"), ("shop", "2"));
        assert_eq!(version("shop"), ("shop", "1"));
        assert_eq!(version("_v2"), ("_v2", "1"));
        assert_eq!(version("shop_vegan"), ("shop_vegan", "1"));
    }
}
