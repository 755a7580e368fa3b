//! The descriptors of a small hand-made catalog, and their text as it is committed.

use super::*;
use crate::catalog::{
    Catalog,
    descriptor::{Column, Database, Relation, Schema, Type, TypeKind},
};
use crate::grpc::{export, fixture::school, lock::Lock, options::Options, surface};
use prost_reflect::{Cardinality, DescriptorPool};

const SNAPSHOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/snapshots/grpc/school.proto");

fn surface(catalog: Catalog) -> surface::Surface {
    surface::surface(&catalog.into(), &Options::default(), &Lock::default()).unwrap()
}

fn pool() -> DescriptorPool {
    let set = files(surface(school()).packages.iter()).unwrap();
    DescriptorPool::from_file_descriptor_set(set).unwrap()
}

#[test]
fn the_school_is_described_as_in_the_snapshot() {
    let files = export::export(&school().into(), &Options::default(), &Lock::default()).unwrap().files;
    let file = files.iter().find(|file| file.path == "api/v1/api.proto").unwrap();
    let text = String::from_utf8(file.contents.clone()).unwrap();
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(SNAPSHOT, &text).unwrap();
    }
    assert!(
        text == std::fs::read_to_string(SNAPSHOT).unwrap(),
        "run with UPDATE=1 and look at the difference"
    );
}

#[test]
fn every_scalar_column_has_presence_and_the_columns_number_and_name() {
    let student = pool().get_message_by_name("api.v1.Student").unwrap();
    let shoe = student.get_field_by_name("shoe_size").unwrap();
    assert_eq!((shoe.number(), shoe.json_name(), shoe.supports_presence()), (187_951, "Shoe Size", true));
    let lucky = student.get_field_by_name("lucky").unwrap();
    assert_eq!(lucky.cardinality(), Cardinality::Repeated);
    assert_eq!(student.reserved_ranges().count(), 0, "what was dropped before is not known");
}

#[test]
fn a_relation_has_the_methods_that_it_can_take() {
    let methods = |service: &str| -> Vec<String> {
        let service = pool().get_service_by_name(service).unwrap();
        service.methods().map(|method| method.name().to_owned()).collect()
    };
    assert_eq!(
        methods("api.v1.EnrollmentsService"),
        [
            "GetEnrollment",
            "ListEnrollments",
            "StreamEnrollments",
            "CreateEnrollment",
            "UpdateEnrollment",
            "DeleteEnrollment",
            "BatchGetEnrollments",
            "BatchCreateEnrollments",
            "BatchUpdateEnrollments",
            "BatchDeleteEnrollments",
            "PatchEnrollments",
            "PurgeEnrollments"
        ]
    );
    assert_eq!(methods("api.v1.TotalsService"), ["ListTotals", "StreamTotals"]);
}

#[test]
fn an_enum_that_shares_its_name_with_a_relation_is_told_apart() {
    let pool = pool();
    assert!(pool.get_message_by_name("api.v1.Grade").is_some());
    let values = pool.get_enum_by_name("api.v1.GradeEnum").unwrap();
    let values = values.enum_descriptor_proto().value.iter();
    let names: Vec<&str> = values.map(|value| value.name()).collect();
    assert_eq!(
        names,
        ["GRADE_ENUM_UNSPECIFIED", "GRADE_ENUM_FIRST_CLASS", "GRADE_ENUM_PASS", "GRADE_ENUM_FAIL"]
    );
}

#[test]
fn functions_stream_sets_and_overloads_are_named_by_their_arguments() {
    let service = pool().get_service_by_name("api.v1.FunctionsService").unwrap();
    let methods: Vec<(String, bool)> =
        service.methods().map(|method| (method.name().to_owned(), method.is_server_streaming())).collect();
    assert_eq!(
        methods,
        [
            ("AddByA", false),
            ("AddByAB", false),
            ("CreateStudent", false),
            ("Report", true),
            ("Reset", false),
            ("SearchStudents", true),
            ("Take", false),
        ]
        .map(|(name, streams)| (name.to_owned(), streams))
    );
}

#[test]
fn sql_comments_travel_with_the_descriptor() {
    let set = files(surface(school()).packages.iter()).unwrap();
    let file = set.file.iter().find(|file| file.name() == "api/v1/api.proto").unwrap();
    let at = file.message_type.iter().position(|message| message.name() == "Student").unwrap();
    let comment = file.source_code_info.iter().flat_map(|info| &info.location).find_map(|location| {
        (location.path == [4, i32::try_from(at).unwrap()]).then(|| location.leading_comments().to_owned())
    });
    assert_eq!(comment.unwrap(), " People who learn.\n One row each.\n");
}

#[test]
fn whatever_things_are_called_the_descriptors_are_valid() {
    let names = [
        "a_1",
        "a1",
        "aB",
        "AB",
        "__x__",
        "%",
        "größe",
        "1st",
        "class",
        "[a]",
        "q\"\\",
        "read_mask",
        "not",
        "column_not",
        "Full Name",
        "full_name",
        "fullName",
        "full__name",
    ];
    let column = |(number, name): (i32, &&str)| Column {
        number,
        name: (*name).to_owned(),
        r#type: 1000 + u32::try_from(number).unwrap(),
        ..Default::default()
    };
    let columns: Vec<Column> = (1..).zip(&names).map(column).collect();
    let relation = |(oid, name): (u32, &&str)| Relation {
        oid,
        schema: "public".to_owned(),
        name: (*name).to_owned(),
        columns: columns.clone(),
        primary_key: vec!["read_mask".to_owned()],
        updatable: true,
        deletable: true,
        ..Relation::default()
    };
    let found = |(number, name): (u32, &&str)| Type {
        oid: 1000 + number,
        name: (*name).to_owned(),
        kind: TypeKind::Enum.into(),
        labels: ["a-b", "É", "1"].map(str::to_owned).into(),
        ..Type::default()
    };
    let catalog = Catalog::new(Database {
        schemas: vec![Schema { name: "public".to_owned(), comment: None }],
        relations: (1..).zip(&names).map(relation).collect(),
        types: (1..).zip(&names).map(found).collect(),
        ..Database::default()
    });
    let set = files(surface(catalog).packages.iter()).unwrap();
    let pool = DescriptorPool::from_file_descriptor_set(set).unwrap();
    // That of transactions besides.
    assert_eq!(pool.services().len(), names.len() + 1);
    for message in pool.all_messages() {
        let mut known = std::collections::HashSet::new();
        for field in message.fields() {
            assert!(known.insert(field.name().to_owned()), "{} in {message:?}", field.name());
            let json = field.json_name().to_owned();
            assert!(known.insert(format!("_{}", field.name())), "{} in {message:?}", field.name());
            assert!(json == field.name() || known.insert(json), "{} in {message:?}", field.json_name());
        }
    }
}
