//! Where a relation or a function is: its name as a path, as it is, for every client encodes what it has to.
//!
//! What would be taken for something else in a path cannot stand there, and not percent-encoded either: many readers decode
//! the path that they look something up by. Each such character is a parameter of the path with that one value.

use super::{operation::Path, schema::string};
use utoipa::openapi::{
    Required,
    path::{Parameter, ParameterBuilder, ParameterIn},
};

/// Characters that mean something in a path, and what the parameter that has one of them is called.
const PARAMETERS: [(char, &str); 9] = [
    ('%', "percent"),
    ('/', "slash"),
    ('?', "question_mark"),
    ('#', "hash"),
    ('{', "left_brace"),
    ('}', "right_brace"),
    ('\\', "backslash"),
    // Generators of Go write paths as literals.
    ('"', "quote"),
    ('`', "backtick"),
];

/// The address of these segments, and `path` with the parameters that are in it.
pub(super) fn placed<'a>(segments: &[&str], mut path: Path<'a>) -> (String, Path<'a>) {
    let mut address = String::new();
    let mut parameters: Vec<Parameter> = Vec::new();
    for segment in segments {
        address.push('/');
        for c in segment.chars() {
            let Some((_, name)) = PARAMETERS.iter().find(|(special, _)| *special == c) else {
                address.push(c);
                continue;
            };
            // A template has each name once.
            let name = match parameters.len() {
                0 => (*name).to_owned(),
                known => format!("{name}_{}", known + 1),
            };
            address.push_str(&format!("{{{name}}}"));
            parameters.push(parameter(&name, c));
        }
    }
    path.parameters.splice(0..0, parameters.into_iter().map(Into::into));
    (address, path)
}

fn parameter(name: &str, value: char) -> Parameter {
    ParameterBuilder::new()
        .name(name)
        .parameter_in(ParameterIn::Path)
        .required(Required::True)
        .description(Some(format!("The `{value}` in the name.")))
        .schema(Some(string().enum_values(Some([value.to_string()])).build()))
        .build()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_means_something_in_a_path_is_a_parameter_of_it() {
        for (name, expected, parameters) in [
            ("odd name", "/odd name", 0),
            ("$ref", "/$ref", 0),
            ("100%", "/100{percent}", 1),
            ("a/b%", "/a{slash}b{percent_2}", 2),
            ("größe", "/größe", 0),
        ] {
            let (address, path) = placed(&[name], Path::default());
            assert_eq!((address.as_str(), path.parameters.len()), (expected, parameters));
        }
    }
}
