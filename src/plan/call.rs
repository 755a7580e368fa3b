//! Calls: which of the functions of a name is meant, with which arguments, and
//! what of its result is read. The rules of resolution are PostgREST's: the
//! given names must be all that have no default and none that do not exist;
//! only then comes a function with one unnamed argument.

use super::{
    Context, Planned, contradiction,
    hint::{CLOSE, SIMILAR, closest},
    mutate::{Returned, returned},
    negotiate::Selected,
    read,
    transaction::Access,
    tree::{Condition, Field, Item, Node, Origin, Output, Source, Taken},
};
use crate::{
    catalog::{
        descriptor::{Argument, Function, Type, Volatility},
        routine::Shape,
    },
    error::{Error, Fault, Result},
    plan::Operation,
    request::{
        CallAccess, Query,
        literal::Literal,
        payload::{Arguments, BodyKind, Rows},
        select::Part,
    },
};
use bytes::Bytes;
use std::collections::BTreeSet;

/// What a scalar result is called.
pub const SCALAR: &str = "pgrst_scalar";

/// What PostgREST calls the rows of a function where it takes columns of them. PostgreSQL says so
/// when there is no such column.
const CALL: &str = "pgrst_call";

/// A call.
#[derive(Debug)]
pub struct Call<'c> {
    /// The function.
    pub function: &'c Function,
    /// What one row of its result is.
    pub shape: Shape<'c>,
    /// Its arguments.
    pub arguments: Given<'c>,
    /// What reading the result needs of it.
    pub returned: Returned,
}

/// The arguments of a call.
#[derive(Debug)]
pub enum Given<'c> {
    /// By name, as text.
    Texts(Vec<(Named<'c>, Text)>),
    /// By name, in a JSON object; of an array the first object counts.
    Json {
        /// The object, or an array of them.
        json: Literal,
        /// Which of the two.
        rows: Rows,
        /// The arguments that are in it.
        arguments: Vec<Named<'c>>,
    },
    /// The one unnamed argument: its type and the whole body.
    Body(&'c Type, Literal),
}

/// An argument and its type.
#[derive(Clone, Copy, Debug)]
pub struct Named<'c> {
    /// The argument.
    pub argument: &'c Argument,
    /// Its type.
    pub declared: &'c Type,
}

/// The text of an argument.
#[derive(Debug)]
pub enum Text {
    /// As it was given.
    One(Literal),
    /// All that was given for a variadic one.
    Several(Vec<Literal>),
}

/// The function that a GET with these arguments calls.
pub(super) fn resolve<'c>(name: &str, arguments: &Arguments, context: &Context<'c>) -> Result<&'c Function> {
    context.function(name, &Asked::of(arguments, CallAccess::ReadOnly))
}

/// Plans a call of the function of this name.
pub(super) fn plan<'c>(
    name: &str,
    arguments: Arguments,
    access: CallAccess,
    query: Query,
    context: &Context<'c>,
) -> Result<Planned<'c>> {
    let asked = Asked::of(&arguments, access);
    let function = context.function(name, &asked)?;
    let shape = function.shape(context.catalog).ok_or_else(contradiction)?;
    // As with PostgREST rows go by their type's name, and those of OUT arguments are records.
    let alias = match shape {
        Shape::Relation(relation) => relation.name.as_str(),
        Shape::Composite(_) | Shape::Columns(_) => {
            context.catalog.base_type(function.return_type).map_or(name, |base| &base.name)
        }
        Shape::Void | Shape::Scalar(_) | Shape::Record => name,
    };
    let alias = alias.to_owned();
    let tree = match shape {
        Shape::Relation(_) | Shape::Composite(_) | Shape::Columns(_) => {
            let taken = Taken::by_request(&query.select);
            let mut tree = read::tree(shape, Source::Result, alias, query, context)?;
            if taken == Taken::ByName && names_unknown(&tree.root) {
                CALL.clone_into(&mut tree.root.alias);
            }
            tree
        }
        Shape::Void | Shape::Scalar(_) | Shape::Record => {
            let is_whole = query.select.is_empty() || Selected::by(&query.select) == Selected::Everything;
            let as_text = query.texts.contains(&Part::Result { of: function.oid });
            let mut tree = read::tree(shape, Source::Result, alias, query, context)?;
            if is_whole {
                let cast = as_text.then(|| "text".to_owned());
                tree.root.items = vec![Item::Field(scalar(shape, cast))];
            }
            tree
        }
    };
    let call = Call {
        function,
        shape,
        arguments: context.given(function, arguments)?,
        returned: returned(&tree.root),
    };
    let access = match (access, function.volatility()) {
        (CallAccess::ReadOnly, _)
        | (CallAccess::ByVolatility, Volatility::Stable | Volatility::Immutable) => Access::ReadOnly,
        (CallAccess::ByVolatility, Volatility::Volatile | Volatility::Unspecified) => Access::ReadWrite,
    };
    Ok(Planned {
        operation: Operation::Call(call, tree.root),
        access,
        function: Some(function),
        legacy_names: tree.legacy_names,
    })
}

/// Whether something of a row is selected or compared that the catalog does not know.
fn names_unknown(root: &Node<'_>) -> bool {
    let selected = root.items.iter().any(|item| match item {
        Item::Field(output) => matches!(output.field.origin, Origin::Unknown),
        Item::Embed(_) => false,
    });
    selected || root.conditions.iter().any(compares_unknown)
}

fn compares_unknown(condition: &Condition<'_>) -> bool {
    match condition {
        Condition::Group { members, .. } => members.iter().any(compares_unknown),
        Condition::Compare { field, .. } => matches!(field.origin, Origin::Unknown),
        Condition::Embed { .. } | Condition::Related { .. } => false,
    }
}

impl Call<'_> {
    /// Whether a row of the result is one value rather than columns.
    pub fn is_scalar(&self) -> bool {
        match self.shape {
            Shape::Scalar(_) | Shape::Record | Shape::Void => true,
            Shape::Relation(_) | Shape::Composite(_) | Shape::Columns(_) => false,
        }
    }
}

fn scalar(shape: Shape<'_>, cast: Option<String>) -> Output<'_> {
    let declared = match shape {
        Shape::Scalar(declared) => Some(declared),
        Shape::Void | Shape::Record | Shape::Relation(_) | Shape::Composite(_) | Shape::Columns(_) => None,
    };
    Output {
        key: SCALAR.to_owned(),
        field: Field { name: SCALAR.to_owned(), path: Vec::new(), origin: Origin::Column(declared) },
        representation: None,
        cast,
        aggregate: None,
    }
}

/// What a request says of the function, besides its name.
struct Asked<'r> {
    names: BTreeSet<&'r str>,
    /// The body of a POST, which the one unnamed argument could take.
    body: Option<BodyKind>,
}

impl<'r> Asked<'r> {
    fn of(arguments: &'r Arguments, access: CallAccess) -> Self {
        let (names, body) = match arguments {
            Arguments::Named(pairs) => (pairs.iter().map(|(name, _)| name.as_str()).collect(), None),
            Arguments::Body { kind, object, .. } => {
                let keys = object.iter().flat_map(|object| &object.keys).map(String::as_str).collect();
                (keys, Some(*kind))
            }
        };
        let body = match access {
            CallAccess::ReadOnly => None,
            CallAccess::ByVolatility => body,
        };
        Self { names, body }
    }

    /// Whether the names are those of the function's arguments.
    fn fits(&self, function: &Function) -> bool {
        if function.arguments.is_empty() {
            let is_whole = matches!(self.body, Some(BodyKind::Text | BodyKind::Xml | BodyKind::OctetStream));
            return self.names.is_empty() && !is_whole;
        }
        let required = function.arguments.iter().filter(|argument| !argument.has_default);
        let exists = |name: &&str| function.arguments.iter().any(|argument| argument.name == **name);
        required.clone().all(|argument| self.names.contains(argument.name.as_str()))
            && self.names.iter().all(exists)
    }

    /// Whether the function's one unnamed argument takes the body.
    fn takes(&self, function: &Function, context: &Context<'_>) -> bool {
        let Some(declared) = function.takes_body(context.catalog) else { return false };
        match self.body {
            None | Some(BodyKind::Csv) => false,
            Some(BodyKind::Json) => matches!(declared.name.as_str(), "json" | "jsonb"),
            Some(BodyKind::Text) => declared.name == "text",
            Some(BodyKind::Xml) => declared.name == "xml",
            Some(BodyKind::OctetStream) => declared.name == "bytea",
        }
    }
}

impl<'c> Context<'c> {
    fn function(&self, name: &str, asked: &Asked<'_>) -> Result<&'c Function> {
        let named: Vec<_> = self.catalog.functions(&self.schema, name).collect();
        let by_names: Vec<_> = named.iter().copied().filter(|function| asked.fits(function)).collect();
        let by_body = || named.iter().copied().filter(|function| asked.takes(function, self)).collect();
        let fitting: Vec<&Function> = if by_names.is_empty() { by_body() } else { by_names };
        match fitting.as_slice() {
            [one] => Ok(one),
            [] => Err(self.function_missing(name, asked, &named)),
            several => Err(ambiguous(several)),
        }
    }

    fn given(&self, function: &'c Function, arguments: Arguments) -> Result<Given<'c>> {
        if let Some(declared) = function.takes_body(self.catalog) {
            let raw = match arguments {
                Arguments::Body { raw, .. } => raw,
                Arguments::Named(_) => Bytes::new().into(),
            };
            return Ok(Given::Body(declared, raw));
        }
        let named = |argument: &'c Argument| {
            let declared = self.catalog.type_of(argument.r#type).ok_or_else(contradiction)?;
            Ok(Named { argument, declared })
        };
        match arguments {
            Arguments::Named(mut pairs) => {
                let mut texts = Vec::new();
                for argument in &function.arguments {
                    let mut values =
                        pairs.extract_if(.., |(name, _)| *name == argument.name).map(|(_, value)| value);
                    let text = match argument.variadic {
                        true => {
                            Some(values.collect()).filter(|all: &Vec<_>| !all.is_empty()).map(Text::Several)
                        }
                        false => values.by_ref().last().map(Text::One),
                    };
                    if let Some(text) = text {
                        texts.push((named(argument)?, text));
                    }
                }
                Ok(Given::Texts(texts))
            }
            Arguments::Body { object: None, .. } => Ok(Given::Texts(Vec::new())),
            Arguments::Body { object: Some(object), .. } => {
                let given = function.arguments.iter().filter(|argument| object.keys.contains(&argument.name));
                let arguments = given.map(named).collect::<Result<_>>()?;
                Ok(Given::Json { json: object.json, rows: object.rows, arguments })
            }
        }
    }

    /// PGRST202, and what was perhaps meant.
    fn function_missing(&self, name: &str, asked: &Asked<'_>, named: &[&Function]) -> Box<Error> {
        let schema = &self.schema;
        let names: Vec<_> = asked.names.iter().copied().collect();
        let listed = names.join(", ");
        let whole = match asked.body {
            Some(BodyKind::Text) => Some("text"),
            Some(BodyKind::Xml) => Some("xml"),
            Some(BodyKind::OctetStream) => Some("bytea"),
            Some(BodyKind::Json | BodyKind::Csv) | None => None,
        };
        let (brief, long) = match names.as_slice() {
            [] => (" without parameters".to_owned(), " without parameters".to_owned()),
            [_] => (format!("({listed})"), format!(" with parameter {listed}")),
            _ => (format!("({listed})"), format!(" with parameters {listed}")),
        };
        let (brief, long) = match (whole, asked.body) {
            (Some(whole), _) => (String::new(), format!(" with a single unnamed {whole} parameter")),
            (None, Some(BodyKind::Json)) => {
                (brief, format!("{long} or with a single unnamed json/jsonb parameter"))
            }
            (None, _) => (brief, long),
        };
        let error = Error::new(
            Fault::FunctionMissing,
            format!("Could not find the function {schema}.{name}{brief} in the schema cache"),
        )
        .details(format!(
            "Searched for the function {schema}.{name}{long}, but no matches were found in the schema cache."
        ));
        let meant = match whole {
            Some(_) => None,
            None => self.meant(name, &names, named),
        };
        match meant {
            Some(meant) => error.hint(format!("Perhaps you meant to call the function {schema}.{meant}")),
            None => error,
        }
    }

    fn meant(&self, name: &str, names: &[&str], named: &[&Function]) -> Option<String> {
        if named.is_empty() {
            return self.catalog.function_like(&self.schema, name, CLOSE).map(str::to_owned);
        }
        let signature = |mut names: Vec<&str>| {
            names.sort_unstable();
            format!("({})", names.join(", "))
        };
        let signatures: Vec<_> = named
            .iter()
            .map(|function| signature(function.arguments.iter().map(|a| a.name.as_str()).collect()))
            .collect();
        let wanted = signature(names.to_vec());
        let meant = closest(&wanted, signatures.iter().map(String::as_str), SIMILAR)?;
        Some(format!("{name}{meant}"))
    }
}

/// PGRST203.
fn ambiguous(several: &[&Function]) -> Box<Error> {
    let described = several.iter().map(|function| {
        let arguments: Vec<_> =
            function.arguments.iter().map(|a| format!("{} => {}", a.name, a.sql_type)).collect();
        format!("{}.{}({})", function.schema, function.name, arguments.join(", "))
    });
    let described: Vec<_> = described.collect();
    Error::new(
        Fault::FunctionAmbiguous,
        format!("Could not choose the best candidate function between: {}", described.join(", ")),
    )
    .hint(
        "Try renaming the parameters or the function itself in the database so function overloading can be \
         resolved",
    )
}
