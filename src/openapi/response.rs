//! Answers: rows in every media type that there is, nothing at all, and each error with an example.

use super::{
    ETags, JSON,
    components::Components,
    embed,
    name::{self, ERROR, Kind},
    operation::{Link, Method, Used},
    schema::{anything, array, items, string},
};
use crate::catalog::descriptor::Relation;
use serde_json::{Value, json};
use utoipa::openapi::{
    ContentBuilder, Header, HeaderBuilder, Ref, RefOr, Response, ResponseBuilder,
    example::ExampleBuilder,
    schema::{AnyOfBuilder, ObjectBuilder, Schema, SchemaType, Type},
};

const CSV: &str = "text/csv";
/// The media types besides JSON itself that are JSON. They have no entries of their own: where a status has several of
/// them, oapi-codegen compares whole `Content-Type`s, `charset` included, and never finds JSON.
pub(super) const KINDS_OF_JSON: &str = "*/*";
/// An answer that is no success.
struct Row {
    status: &'static str,
    key: &'static str,
    /// The key of what answers HEAD, without a body.
    bare: &'static str,
    description: &'static str,
    headers: &'static [Told],
    example: fn() -> Value,
}

/// Headers of every error.
const OF_ERRORS: &[Told] = &[Told::ProxyStatus];

/// A status that an operation may answer with besides success.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Failure {
    BadRequest,
    Unauthorized,
    Forbidden,
    NotFound,
    NotAllowed,
    NotAcceptable,
    Conflict,
    TooLarge,
    RangeNotSatisfiable,
    Other,
}

impl Failure {
    const fn row(self) -> Row {
        match self {
            Failure::BadRequest => Row {
                status: "400",
                key: "400",
                bare: "h400",
                description: "The request is malformed, or a value does not fit its column.",
                headers: OF_ERRORS,
                example: || error("22P02", "invalid input syntax for type integer: \"one\"", None, None),
            },
            Failure::Unauthorized => Row {
                status: "401",
                key: "401",
                bare: "h401",
                description: "The token is not valid, or there is none and the anonymous role may not do this.",
                headers: &[Told::ProxyStatus, Told::WwwAuthenticate],
                example: || {
                    error(
                        "PGRST301",
                        "No suitable key or wrong key type",
                        Some("None of the keys was able to decode the JWT"),
                        None,
                    )
                },
            },
            Failure::Forbidden => Row {
                status: "403",
                key: "403",
                bare: "h403",
                description: "The role may not do this, or a row-level security policy forbids it.",
                headers: OF_ERRORS,
                example: || error("42501", "permission denied for table books", None, None),
            },
            Failure::NotFound => Row {
                status: "404",
                key: "404",
                bare: "h404",
                description: "There is no such relation or function.",
                headers: OF_ERRORS,
                example: || {
                    error(
                        "PGRST205",
                        "Could not find the table 'api.boks' in the schema cache",
                        None,
                        Some("Perhaps you meant the table 'api.books'"),
                    )
                },
            },
            Failure::NotAcceptable => Row {
                status: "406",
                key: "406",
                bare: "h406",
                description: "No media type asked for can be made, or one row was asked for and there is not exactly one.",
                headers: OF_ERRORS,
                example: || {
                    error(
                        "PGRST116",
                        "Cannot coerce the result to a single JSON object",
                        Some("The result contains 0 rows"),
                        None,
                    )
                },
            },
            Failure::Conflict => Row {
                status: "409",
                key: "409",
                bare: "h409",
                description: "A unique key or a foreign key is violated.",
                headers: OF_ERRORS,
                example: || {
                    error(
                        "23505",
                        "duplicate key value violates unique constraint \"books_pkey\"",
                        Some("Key (id)=(1) already exists."),
                        None,
                    )
                },
            },
            Failure::TooLarge => Row {
                status: "413",
                key: "413",
                bare: "h413",
                description: "The body is larger than the server takes.",
                headers: OF_ERRORS,
                example: || error("PGDUET01", "The body is larger than 1048576 bytes", None, None),
            },
            Failure::RangeNotSatisfiable => Row {
                status: "416",
                key: "416",
                bare: "h416",
                description: "There are fewer rows than the range begins at.",
                headers: &[
                    Told::ProxyStatus,
                    Told::ContentRange,
                    Told::ContentLocation,
                    Told::PreferenceApplied,
                ],
                example: || {
                    error(
                        "PGRST103",
                        "Requested range not satisfiable",
                        Some("An offset of 100 was requested, but there are only 16 rows."),
                        None,
                    )
                },
            },
            Failure::NotAllowed => Row {
                status: "405",
                key: "405",
                bare: "h405",
                description: "There are filters besides those by the key.",
                headers: &[Told::ProxyStatus, Told::Allow],
                example: || {
                    error(
                        "PGRST105",
                        "Filters must include all and only primary key columns with 'eq' operators",
                        None,
                        None,
                    )
                },
            },
            Failure::Other => Row {
                status: "default",
                key: "error.r",
                bare: "herror.r",
                description: "Another error: of the database, of its functions, or of the server. Its status is 300 where an embed or the \
                              arguments of a function could be meant in several ways.",
                headers: &[Told::ProxyStatus, Told::RetryAfter],
                example: || {
                    error("PGRST003", "Timed out acquiring connection from connection pool.", None, None)
                },
            },
        }
    }
}

fn error(code: &str, message: &str, details: Option<&str>, hint: Option<&str>) -> Value {
    json!({"code": code, "message": message, "details": details, "hint": hint})
}

/// The answers that are no successes, by their statuses.
pub(super) fn failures(components: &mut Components<'_>, of: Content, failures: &[Failure]) -> Answers {
    let answers = failures.iter().chain([&Failure::Other]).map(|failure| {
        let row = failure.row();
        let link = match of {
            Content::Full => components.response(row.key, |components| of_error(components, &row)),
            Content::None => components.response(row.bare, |components| {
                with_headers(components, ResponseBuilder::new().description(row.description), row.headers)
                    .build()
            }),
        };
        (row.status, link.into())
    });
    answers.collect()
}

/// Answers by their statuses.
pub(super) type Answers = Vec<(&'static str, Used<Response>)>;

/// What answers of a method hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Content {
    /// Bodies.
    Full,
    /// None, as of HEAD.
    None,
}

/// 304, where the client may have the answer.
pub(super) fn not_modified(components: &mut Components<'_>) -> (&'static str, Used<Response>) {
    let link = components.response("304", |components| {
        let response = ResponseBuilder::new().description("The client has this answer already.");
        let headers = [Told::ETag, Told::ContentLocation, Told::PreferenceApplied, Told::Warning];
        with_headers(components, response, &headers).build()
    });
    ("304", link.into())
}

fn of_error(components: &mut Components<'_>, row: &Row) -> Response {
    if components.claim(ERROR) {
        components.schema_named(ERROR, error_schema());
    }
    let example = ExampleBuilder::new().value(Some((row.example)())).build();
    let content = ContentBuilder::new()
        .schema(Some(Ref::from_schema_name(ERROR)))
        .examples_from_iter([("error", RefOr::T(example))])
        .build();
    let response = ResponseBuilder::new().description(row.description).content(JSON, content);
    with_headers(components, response, row.headers).build()
}

fn error_schema() -> Schema {
    let text = |description: &str| string().description(Some(description));
    let or_null = |description: &str| {
        ObjectBuilder::new()
            .schema_type(SchemaType::from_iter([Type::String, Type::Null]))
            .description(Some(description))
    };
    let details = ObjectBuilder::new()
        .schema_type(SchemaType::AnyValue)
        .description(Some("Particulars: a text or null; a structure where the code documents one."));
    let operation = ObjectBuilder::new()
        .schema_type(Type::Integer)
        .description(Some("Of a transaction, the place of the operation that failed, from 0 on."));
    ObjectBuilder::new()
        .description(Some("What went wrong."))
        .property("code", text("`PGRST` or `PGDUET` and a number, or the SQLSTATE that PostgreSQL reported."))
        .property("message", text("One sentence."))
        .property("details", details)
        .property("hint", or_null("What to try."))
        .property("operation", operation)
        .required("code")
        .required("message")
        .build()
        .into()
}

/// A header of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Told {
    ContentRange,
    ContentLocation,
    Location,
    ContentProfile,
    PreferenceApplied,
    Warning,
    ProxyStatus,
    WwwAuthenticate,
    Allow,
    RetryAfter,
    ETag,
}

impl Told {
    const fn name(self) -> &'static str {
        match self {
            Told::ContentRange => "Content-Range",
            Told::ContentLocation => "Content-Location",
            Told::Location => "Location",
            Told::ContentProfile => "Content-Profile",
            Told::PreferenceApplied => "Preference-Applied",
            Told::Warning => "Warning",
            Told::ProxyStatus => "Proxy-Status",
            Told::WwwAuthenticate => "WWW-Authenticate",
            Told::Allow => "Allow",
            Told::RetryAfter => "Retry-After",
            Told::ETag => "ETag",
        }
    }

    fn header(self) -> Header {
        let (description, example) = match self {
            Told::ContentRange => {
                ("The positions of the rows, and how many there are where that was asked for.", "0-24/3573")
            }
            Told::ContentLocation => ("The address of these rows in its canonical form.", "/books?id=eq.1"),
            Told::Location => {
                ("The address of a created row, where `return=headers-only` asked for it.", "/books?id=eq.1")
            }
            Told::ContentProfile => ("The schema, where a profile asked for it.", "api"),
            Told::Warning => (
                "An embed with an alias was called by its relation's name.",
                "299 PostgRESTv16.2 \"Embedded resource was referenced by relation name\"",
            ),
            Told::ProxyStatus => ("The error's code.", "PostgREST; error=PGRST100"),
            Told::WwwAuthenticate => ("How to authenticate.", "Bearer"),
            Told::Allow => ("The methods that there are.", "OPTIONS,GET,HEAD"),
            Told::RetryAfter => ("In how many seconds to try again.", "1"),
            Told::PreferenceApplied => ("The preferences that had an effect.", "count=exact"),
            Told::ETag => ("The version of the answer, for `If-None-Match`.", "\"1f8a3c\""),
        };
        HeaderBuilder::new()
            .description(Some(description))
            .schema(Some(string().build()))
            .example(Some(example.into()))
            .build()
    }
}

/// The response with these headers.
pub(super) fn with_headers(
    components: &mut Components<'_>,
    response: ResponseBuilder,
    headers: &[Told],
) -> ResponseBuilder {
    headers.iter().fold(response, |response, told| {
        let reference = components.header(told.name(), || told.header());
        response.header_ref(told.name(), reference)
    })
}

/// A reference to the answer with rows of the relation: to all methods, for a document has one for each relation. Headers
/// that are not of each method say themselves when they come.
pub(super) fn rows(components: &mut Components<'_>, relation: &Relation, row: &Ref) -> Link {
    components.response(name::key(&relation.name, Kind::Rows), |components| {
        let response = ResponseBuilder::new().description("Rows.");
        let location = (relation.insertable && !relation.primary_key.is_empty()).then_some(Told::Location);
        let own: Vec<_> = [Told::ContentRange, Told::ContentLocation].into_iter().chain(location).collect();
        let has_embeds = !embed::embeds(components.source(), relation).is_empty();
        let more: Vec<_> = has_embeds.then_some(Told::Warning).into_iter().chain(etag(components)).collect();
        let headers = of_content(components, &own, &more);
        let response = with_headers(components, response, &headers);
        media_of_rows(components, response, RefOr::Ref(row.clone()), Some(relation)).build()
    })
}

/// Whether answers to the method carry an `ETag`, and 304 is one of them.
pub(super) fn is_conditional(components: &Components<'_>, method: Method) -> bool {
    method == Method::Get && components.source().etags == ETags::Sent
}

/// The version of what a GET answers.
pub(super) fn etag(components: &Components<'_>) -> Option<Told> {
    match components.source().etags {
        ETags::Sent => Some(Told::ETag),
        ETags::Omitted => None,
    }
}

/// The headers of an answer with rows, or that would have some.
pub(super) fn of_content(components: &Components<'_>, own: &[Told], more: &[Told]) -> Vec<Told> {
    let profile = components.has_profiles().then_some(Told::ContentProfile);
    own.iter().copied().chain(profile).chain([Told::PreferenceApplied]).chain(more.iter().copied()).collect()
}

/// The response with rows of this schema in every media type that they can have.
pub(super) fn media_of_rows(
    components: &Components<'_>,
    response: ResponseBuilder,
    row: RefOr<Schema>,
    relation: Option<&Relation>,
) -> ResponseBuilder {
    let rows = array(row);
    let mut response = response
        .content(JSON, content(rows.clone()))
        .content(KINDS_OF_JSON, content(kinds(rows)))
        .content(CSV, content(string()));
    let own = components.catalog().descriptor().media_handlers.iter();
    let own = own.filter(|handler| {
        handler.relation == 0 || relation.is_some_and(|found| found.oid == handler.relation)
    });
    for handler in own {
        let media = match handler.media_type.as_str() {
            "*/*" => "application/octet-stream",
            media => media,
        };
        response = response.content(media, content(of_media(media)));
    }
    response
}

/// What a function makes under a media type of its own.
pub(super) fn of_media(media: &str) -> RefOr<Schema> {
    match media.ends_with("json") {
        true => anything(),
        false => RefOr::T(string().build().into()),
    }
}

/// What is answered where `Accept` asks for another kind of JSON than the usual: of rows, one may stand alone. Generators
/// make types of alternatives, which have to have names.
pub(super) fn kinds(usual: RefOr<Schema>) -> RefOr<Schema> {
    if !matches!(usual, RefOr::T(Schema::Array(_))) {
        return usual;
    }
    match items(usual.clone()) {
        RefOr::Ref(row) => RefOr::T(Schema::AnyOf(AnyOfBuilder::new().item(row).item(usual).build())),
        RefOr::T(_) => anything(),
    }
}

/// What stands under a media type.
pub(super) fn content(schema: impl Into<RefOr<Schema>>) -> utoipa::openapi::Content {
    ContentBuilder::new().schema(Some(schema)).build()
}

/// A reference to an answer that holds nothing: to HEAD, or to a write whose rows nobody wants.
pub(super) fn nothing(components: &mut Components<'_>, which: Nothing) -> Link {
    let (key, description) = match which {
        Nothing::Head => ("head.r", "What GET would answer, without the rows."),
        Nothing::Done => ("done.r", "Done."),
    };
    components.response(key, |components| {
        let headers = match which {
            Nothing::Head => {
                of_content(components, &[Told::ContentRange, Told::ContentLocation], &[Told::Warning])
            }
            Nothing::Done => vec![Told::ContentRange, Told::PreferenceApplied],
        };
        with_headers(components, ResponseBuilder::new().description(description), &headers).build()
    })
}

/// An answer that holds nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Nothing {
    /// To HEAD.
    Head,
    /// To what is done without an answer.
    Done,
}
