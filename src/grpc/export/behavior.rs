//! Who says what a field's value is, as `google.api.field_behavior` has it
//! (<https://google.aip.dev/203>): the database, once and for all, or the client, and whether it has to. Decoders pass
//! over what is output only, so that a client can send back what it has read.

use crate::grpc::{
    method::FixedKind,
    surface::{Field, Package, Presence, Resource},
};
use std::collections::HashMap;

/// The behaviors of fields, by message and number, as the option writes them.
pub(super) type Behaviors = HashMap<(String, u32), Vec<&'static str>>;

/// Those of a package's fields.
pub(super) fn behaviors(package: &Package) -> Behaviors {
    let mut behaviors = Behaviors::new();
    for resource in package.all_resources() {
        let message = &resource.names.singular;
        for (at, field) in resource.fields.iter().enumerate() {
            let of_field = of_column(resource, at, field);
            if !of_field.is_empty() {
                behaviors.insert((message.clone(), field.number), of_field);
            }
        }
        for method in &resource.methods {
            let request = format!("{}Request", method.name(&resource.names));
            let fixed = method.row().request.iter().filter(|field| match field.kind {
                FixedKind::Resource | FixedKind::Requests(_) => true,
                FixedKind::Int32
                | FixedKind::Int64
                | FixedKind::Text
                | FixedKind::Bool
                | FixedKind::Mask
                | FixedKind::Count
                | FixedKind::Where
                | FixedKind::Embeds
                | FixedKind::OnConflict => false,
            });
            let required = method.key_fields(resource).map(|field| field.number);
            for number in required.chain(fixed.map(|field| field.number)) {
                behaviors.insert((request.clone(), number), vec!["REQUIRED"]);
            }
        }
    }
    for function in &package.functions {
        let required = function.arguments.iter().filter(|field| field.presence == Presence::Required);
        for field in required {
            behaviors.insert((format!("{}Request", function.messages), field.number), vec!["REQUIRED"]);
        }
    }
    behaviors
}

fn of_column(resource: &Resource, at: usize, field: &Field) -> Vec<&'static str> {
    let mut behaviors = Vec::new();
    match field.presence {
        Presence::Required => behaviors.push("REQUIRED"),
        Presence::Computed => behaviors.push("OUTPUT_ONLY"),
        Presence::Defaulted | Presence::Optional => {}
    }
    if resource.key.contains(&at) {
        behaviors.extend(["IDENTIFIER", "IMMUTABLE"]);
    }
    behaviors
}
