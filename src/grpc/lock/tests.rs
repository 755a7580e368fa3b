//! What a lock keeps while the school's catalog changes under it.

use super::*;
use crate::{
    catalog::{Catalog, descriptor::Database},
    grpc::{
        export::export,
        options::{Aggregates, Options},
        surface::{Surface, surface},
    },
};
use std::sync::Arc;

fn changed(change: impl FnOnce(&mut Database)) -> Arc<Catalog> {
    let mut database = school().descriptor().clone();
    change(&mut database);
    Catalog::new(database).into()
}

fn school() -> Arc<Catalog> {
    crate::grpc::fixture::school().into()
}

fn locked(catalog: &Arc<Catalog>, lock: &Lock) -> (Surface, Lock) {
    let surface = surface(catalog, &Options::default(), lock).unwrap();
    let lock = surface.lock();
    (surface, lock)
}

fn first() -> Lock {
    locked(&school(), &Lock::default()).1
}

fn students(database: &mut Database) -> &mut crate::catalog::descriptor::Relation {
    database.relations.iter_mut().find(|relation| relation.name == "students").unwrap()
}

fn columns(lock: &Lock) -> &Ledger {
    &lock.schemas["api"].relations["students"].columns
}

fn text(declarations: &[Declaration]) -> Vec<String> {
    declarations.iter().map(ToString::to_string).collect()
}

#[test]
fn a_locked_schema_is_described_as_it_was_and_its_lock_stays_as_it_is() {
    let lock = first();
    assert_eq!(Lock::parse(&lock.to_json().unwrap()).unwrap(), lock);
    let again = export(&school(), &Options::default(), &lock).unwrap();
    let before = export(&school(), &Options::default(), &Lock::default()).unwrap();
    assert_eq!((again.files, again.lock), (before.files, lock));
}

#[test]
fn each_line_of_the_lock_stands_in_the_exported_file() {
    let export = export(&school(), &Options::default(), &Lock::default()).unwrap();
    let file = export.files.iter().find(|file| file.path == "api/v1/api.proto").unwrap();
    let proto = String::from_utf8(file.contents.clone()).unwrap();
    let package = &export.lock.schemas["api"];
    let ledgers = package
        .relations
        .values()
        .flat_map(|relation| {
            [&relation.columns, &relation.embeds, &relation.counts, &relation.computed, &relation.uniques]
        })
        .chain(package.enums.values().map(|found| &found.labels))
        .chain(package.composites.values().map(|composite| &composite.attributes))
        .chain(package.functions.values().flat_map(|function| [&function.arguments, &function.columns]));
    let lines: Vec<String> = ledgers.flat_map(Ledger::all).map(ToString::to_string).collect();
    assert!(lines.len() > 30);
    for line in lines {
        let is_there = ["", "optional "].iter().any(|label| {
            let declared = format!("\n  {label}{line}");
            [";", " ["].iter().any(|end| proto.contains(&(declared.clone() + end)))
        });
        assert!(is_there, "{line} is not in the file");
    }
}

#[test]
fn numbers_outlive_those_of_a_restored_database() {
    let restored = changed(|database| {
        for (number, column) in (1..).zip(&mut students(database).columns) {
            column.number = number;
        }
    });
    let (surface, lock) = locked(&restored, &first());
    assert_eq!(lock, first());
    let resource = surface.packages[0].all_resources().find(|found| found.relation == "students").unwrap();
    let shoe = resource.fields.iter().find(|field| field.column == "Shoe Size").unwrap();
    assert_eq!(shoe.number, 187_951);
}

#[test]
fn a_retyped_column_is_gone_and_new_under_another_name() {
    let retyped = changed(|database| {
        let points = students(database).columns.iter_mut().find(|column| column.name == "points").unwrap();
        points.r#type = 25;
    });
    let (_, lock) = locked(&retyped, &first());
    assert_eq!(columns(&lock).fields["points"].to_string(), "string points_2 = 90211");
    assert_eq!(text(&columns(&lock).reserved), ["int64 points = 89830"]);
    let back = locked(&school(), &lock).1;
    assert_eq!(columns(&back).fields["points"].to_string(), "int64 points_3 = 207788");
}

#[test]
fn a_dropped_columns_name_and_number_stay_reserved() {
    let dropped = changed(|database| students(database).columns.retain(|column| column.name != "score"));
    let (surface, lock) = locked(&dropped, &first());
    assert_eq!(text(&columns(&lock).reserved), ["double score = 39053"]);
    let resource = surface.packages[0].all_resources().find(|found| found.relation == "students").unwrap();
    assert!(resource.reserved.numbers.contains(&39_053) && resource.reserved.names.contains("score"));
    let (_, again) = locked(&school(), &lock);
    assert_eq!(columns(&again).fields["score"].to_string(), "double score_2 = 204942");
}

#[test]
fn a_new_label_in_the_middle_gets_a_number_of_its_own() {
    let grown = changed(|database| {
        let grade = database.types.iter_mut().find(|found| found.name == "grade").unwrap();
        grade.labels.insert(1, "merit".to_owned());
    });
    let (_, lock) = locked(&grown, &first());
    let labels = &lock.schemas["api"].enums["api.grade"].labels;
    assert_eq!(labels.fields["merit"].to_string(), "GRADE_ENUM_MERIT = 477207380");
    assert_eq!(labels.fields["pass"].to_string(), "GRADE_ENUM_PASS = 2071622425");
}

#[test]
fn a_function_with_one_more_argument_is_the_same_and_one_with_another_result_is_not() {
    let search = |change: fn(&mut crate::catalog::descriptor::Function)| {
        let catalog = changed(|database| {
            let found = database.functions.iter_mut().find(|found| found.name == "search_students");
            change(found.unwrap());
        });
        locked(&catalog, &first()).1.schemas.remove("api").unwrap().functions
    };
    let grown = search(|function| {
        let argument =
            crate::catalog::descriptor::Argument { name: "most".to_owned(), ..function.arguments[0].clone() };
        function.arguments.insert(0, argument);
    });
    let known = &grown["search_students(most,query)"];
    assert_eq!(
        (known.method.as_str(), grown.contains_key("search_students(query)")),
        ("SearchStudents", false)
    );
    assert_eq!(known.arguments.fields["query"].to_string(), "string query = 246651");
    assert_eq!(known.arguments.fields["most"].to_string(), "string most = 2946");
    let other = search(|function| function.returns_set = false);
    assert_eq!(other["search_students(query)"].method, "SearchStudentsByQuery");
}

#[test]
fn names_can_be_chosen_by_hand_and_new_ones_give_way() {
    let mut lock = first();
    let relation = lock.schemas.get_mut("api").unwrap().relations.get_mut("totals").unwrap();
    relation.message = "Sum".to_owned();
    relation.plural = "Sums".to_owned();
    let with_sums = changed(|database| {
        let mut sums = database.relations.iter().find(|relation| relation.name == "totals").unwrap().clone();
        (sums.oid, sums.name) = (999, "sums".to_owned());
        database.relations.push(sums);
    });
    let (surface, _) = locked(&with_sums, &lock);
    let names: Vec<_> = surface.packages[0]
        .all_resources()
        .map(|resource| (resource.relation.as_str(), resource.names.service()))
        .collect();
    assert!(names.contains(&("totals", "SumsService".to_owned())), "{names:?}");
    assert!(names.contains(&("sums", "SumsRowsService".to_owned())), "{names:?}");
}

#[test]
fn a_broken_lock_is_refused_with_the_place() {
    let good = first().to_json().unwrap();
    for (text, replaced, wanted) in [
        ("\"version\": 1", "\"version\": 7", "version 7 is of a newer pgduet"),
        ("int64 points = 89830", "int64 points = 35071", "\"int64 points = 35071\" have one number"),
        ("int64 points = 89830", "int64 points", "\"int64 points\" is not of the form"),
        ("int64 points = 89830", "int64 points = 19500", "19500 is no number for a field"),
        ("int64 points = 89830", "int64 po-ints = 89830", "\"po-ints\" is no name"),
        ("\"message\": \"Total\"", "\"message\": \"To tal\"", "relation \"totals\": \"To tal\" is no name"),
        ("\"relations\"", "\"tables\"", "unknown field `tables`"),
        ("\n}", "", "EOF while parsing"),
    ] {
        assert!(good.contains(text), "{text}");
        let error = Lock::parse(&good.replacen(text, replaced, 1)).unwrap_err().to_string();
        assert!(error.contains(wanted), "{error}");
    }
    let twice = Lock::parse(&good.replace("\"message\": \"Total\"", "\"message\": \"Student\"")).unwrap();
    let error = surface(&school(), &Options::default(), &twice).unwrap_err().to_string();
    assert!(error.contains("relation \"totals\": another one has the name"), "{error}");
}

#[test]
fn a_lock_that_gave_away_the_names_of_messages_that_came_later_is_still_good() {
    let mut lock = first();
    let relations = &mut lock.schemas.get_mut("api").unwrap().relations;
    relations.get_mut("totals").unwrap().message = "StudentEmbeds".to_owned();
    relations.get_mut("grades").unwrap().message = "StudentUnique".to_owned();
    relations.values_mut().for_each(|relation| relation.uniques = Ledger::default());
    let (surface, next) = locked(&school(), &lock);
    let names = |relation: &str| {
        let mut resources = surface.packages[0].all_resources();
        resources.find(|resource| resource.relation == relation).unwrap().names.clone()
    };
    assert_eq!([names("totals").singular, names("grades").singular], ["StudentEmbeds", "StudentUnique"]);
    let students = names("students");
    assert_eq!((students.singular.as_str(), students.plural.as_str()), ("Student", "Students"));
    assert!(students.embeds().starts_with("Student") && students.embeds() != "StudentEmbeds");
    assert_eq!(names("enrollments").embeds(), "EnrollmentEmbeds", "the others have theirs");
    let (again, _) = locked(&school(), &next);
    let same = again.packages[0].all_resources().find(|resource| resource.relation == "students").unwrap();
    assert_eq!(same.names.embeds(), students.embeds());
    export(&school(), &Options::default(), &next).unwrap();
}

#[test]
fn a_unique_key_keeps_its_value_and_one_that_is_gone_is_reserved() {
    use crate::catalog::descriptor::UniqueKey;
    let key = |columns: &[&str]| UniqueKey {
        name: "any".to_owned(),
        columns: columns.iter().map(|column| (*column).to_owned()).collect(),
        constraint: true,
    };
    let before = changed(|database| {
        students(database).unique_keys = vec![key(&["email"]), key(&["first_name", "rank"])]
    });
    let (_, lock) = locked(&before, &Lock::default());
    let uniques = |lock: &Lock| lock.schemas["api"].relations["students"].uniques.clone();
    assert_eq!(uniques(&lock).fields["first_name,rank"].name, "STUDENT_UNIQUE_FIRST_NAME_RANK");
    let after = changed(|database| students(database).unique_keys = vec![key(&["email"])]);
    let (surface, next) = locked(&after, &lock);
    assert_eq!(uniques(&next).fields["email"], uniques(&lock).fields["email"]);
    let resource = surface.packages[0].all_resources().find(|resource| resource.relation == "students");
    let reserved = &resource.unwrap().uniques.as_ref().unwrap().found.reserved;
    assert!(reserved.names.contains("STUDENT_UNIQUE_FIRST_NAME_RANK"));
}

#[test]
fn of_two_unique_keys_of_one_name_each_keeps_its_own_whichever_is_asked_for_first() {
    use crate::catalog::descriptor::UniqueKey;
    let key = |column: &str| {
        vec![UniqueKey { name: "any".to_owned(), columns: vec![column.to_owned()], constraint: true }]
    };
    let catalog = changed(|database| {
        let mut other = students(database).clone();
        (other.oid, other.name, other.unique_keys) = (999, "student_unique_x".to_owned(), key("y"));
        students(database).unique_keys = key("x_unique_y");
        database.relations.push(other);
    });
    let value = |surface: &Surface, relation: &str, label: &str| {
        let package = &surface.packages[0];
        let at = (0..package.resource_count()).find(|at| package.relation(*at).unwrap().name == relation);
        let uniques = package.resource(at.unwrap()).unwrap().uniques.as_ref().unwrap();
        uniques.found.values.iter().find(|value| value.label == label).unwrap().name.clone()
    };
    let first = |surface: &Surface| value(surface, "student_unique_x", "y");
    let second = |surface: &Surface| value(surface, "students", "x_unique_y");
    let make = |lock: &Lock| surface(&catalog, &Options::default(), lock).unwrap();
    let (one, other) = (make(&Lock::default()), make(&Lock::default()));
    let (names, turned) = ((first(&one), second(&one)), (second(&other), first(&other)));
    assert_eq!(names, (turned.1, turned.0));
    assert_eq!(names.0, "STUDENT_UNIQUE_X_UNIQUE_Y");
    assert_ne!(names.0, names.1);
    let lock = one.lock();
    let again = make(&lock);
    assert_eq!((names, lock), ((first(&again), second(&again)), again.lock()));
    export(&catalog, &Options::default(), &Lock::default()).unwrap();
}

#[test]
fn what_is_computed_keeps_its_field_and_is_reserved_when_it_is_gone() {
    use crate::catalog::descriptor::{Argument, Function};
    const STUDENT_ROW: u32 = 9101;
    const TEXT: u32 = 25;
    let initials = || Function {
        oid: 300,
        schema: "api".to_owned(),
        name: "initials".to_owned(),
        arguments: vec![Argument { r#type: STUDENT_ROW, ..Argument::default() }],
        return_type: TEXT,
        ..Function::default()
    };
    let with = changed(|database| database.functions.push(initials()));
    let (_, lock) = locked(&with, &Lock::default());
    let students = |lock: &Lock| lock.schemas["api"].relations["students"].clone();
    let count = "count(enrollments!enrollments_student_id_fkey)";
    assert_eq!(students(&lock).computed.fields["initials"].to_string(), "string initials = 84056");
    assert_eq!(students(&lock).counts.fields[count].to_string(), "int64 enrollments_count = 121508");
    let without = changed(|database| database.foreign_keys.clear());
    let (surface, next) = locked(&without, &lock);
    let resource = surface.packages[0].all_resources().find(|resource| resource.relation == "students");
    let reserved = &resource.unwrap().reserved_computed.names;
    assert!(["initials", "enrollments_count"].iter().all(|name| reserved.contains(*name)), "{reserved:?}");
    let (_, again) = locked(&with, &next);
    assert_eq!(students(&again).computed.fields["initials"].name, "initials_2");
    // A column that comes later gets neither.
    let (_, other) = locked(
        &changed(|database| {
            let column = self::students(database).columns[0].clone();
            let column =
                crate::catalog::descriptor::Column { name: "enrollments_count".to_owned(), ..column };
            self::students(database).columns.push(column);
        }),
        &lock,
    );
    assert_eq!(students(&other).counts, students(&lock).counts);
    assert_ne!(students(&other).columns.fields["enrollments_count"].name, "enrollments_count");
}

#[test]
fn a_lock_that_has_given_away_the_names_of_aggregates_keeps_its_own() {
    let mut lock = first();
    let functions = &mut lock.schemas.get_mut("api").unwrap().functions;
    functions.get_mut("reset()").unwrap().method = "AggregateStudents".to_owned();
    let options = Options { aggregates: Aggregates::Enabled, ..Options::default() };
    let exported = export(&school(), &options, &lock).unwrap();
    let file = exported.files.iter().find(|file| file.path == "descriptors.binpb").unwrap();
    let pool = prost_reflect::DescriptorPool::decode(file.contents.as_slice()).unwrap();
    let method = |service: &str| {
        let service = pool.get_service_by_name(&format!("api.v1.{service}")).unwrap();
        service.methods().find(|method| method.name() == "AggregateStudents").unwrap()
    };
    assert_eq!(method("FunctionsService").input().name(), "AggregateStudentsRequest");
    let name = method("StudentsService").input().name().to_owned();
    assert!(name.starts_with("AggregateStudent") && name != "AggregateStudentsRequest", "{name}");
    assert_eq!(exported.lock.schemas["api"].functions["reset()"], lock.schemas["api"].functions["reset()"]);
}
