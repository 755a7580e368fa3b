//! A school as a catalog, made by hand: what the tests of this folder look at.

use crate::catalog::{Catalog, descriptor::*};

const INT4: u32 = 23;
const INT8: u32 = 20;
const TEXT: u32 = 25;
const FLOAT8: u32 = 701;
const NUMERIC: u32 = 1700;
const BOOL: u32 = 16;
const BYTEA: u32 = 17;
const TIMESTAMPTZ: u32 = 1184;
const INT4_ARRAY: u32 = 1007;
const VOID: u32 = 2278;
const JSONB: u32 = 3802;
const GRADE: u32 = 9001;
const GRADE_ARRAY: u32 = 9002;
const ADDRESS: u32 = 9003;
const EMAIL: u32 = 9004;
const STUDENT_ROW: u32 = 9101;

fn base(oid: u32, name: &str, sql_name: &str) -> Type {
    Type {
        oid,
        schema: "pg_catalog".to_owned(),
        name: name.to_owned(),
        sql_name: sql_name.to_owned(),
        kind: TypeKind::Base.into(),
        ..Type::default()
    }
}

fn own(oid: u32, name: &str, kind: TypeKind) -> Type {
    Type {
        oid,
        schema: "api".to_owned(),
        name: name.to_owned(),
        sql_name: format!("api.{name}"),
        kind: kind.into(),
        ..Type::default()
    }
}

fn types() -> Vec<Type> {
    let scalars = [
        (BOOL, "bool", "boolean"),
        (INT4, "int4", "integer"),
        (INT8, "int8", "bigint"),
        (TEXT, "text", "text"),
        (FLOAT8, "float8", "double precision"),
        (NUMERIC, "numeric", "numeric"),
        (BYTEA, "bytea", "bytea"),
        (JSONB, "jsonb", "jsonb"),
        (TIMESTAMPTZ, "timestamptz", "timestamp with time zone"),
    ];
    let mut types: Vec<Type> = scalars.map(|(oid, name, sql)| base(oid, name, sql)).into();
    let kind = TypeKind::Array.into();
    types.push(Type { element: INT4, kind, ..base(INT4_ARRAY, "_int4", "integer[]") });
    types.push(Type { kind: TypeKind::Pseudo.into(), ..base(VOID, "void", "void") });
    types.push(Type {
        labels: ["first-class", "pass", "FAIL"].map(str::to_owned).into(),
        comment: Some("How well it went.".to_owned()),
        ..own(GRADE, "grade", TypeKind::Enum)
    });
    types.push(Type { element: GRADE, ..own(GRADE_ARRAY, "_grade", TypeKind::Array) });
    let attribute = |number, name: &str| Attribute {
        number,
        name: name.to_owned(),
        r#type: TEXT,
        sql_type: "text".to_owned(),
        comment: None,
    };
    types.push(Type {
        attributes: vec![attribute(1, "street"), attribute(3, "city")],
        ..own(ADDRESS, "address", TypeKind::Composite)
    });
    types.push(Type { base: TEXT, ..own(EMAIL, "email", TypeKind::Domain) });
    types.push(Type { relation: 100, ..own(STUDENT_ROW, "students", TypeKind::Composite) });
    types
}

fn column(number: i32, name: &str, r#type: u32, sql_type: &str) -> Column {
    Column { number, name: name.to_owned(), r#type, sql_type: sql_type.to_owned(), ..Default::default() }
}

fn table(oid: u32, name: &str, columns: Vec<Column>) -> Relation {
    Relation {
        oid,
        schema: "api".to_owned(),
        name: name.to_owned(),
        kind: RelationKind::Table.into(),
        columns,
        primary_key: vec!["id".to_owned()],
        insertable: true,
        updatable: true,
        deletable: true,
        ..Relation::default()
    }
}

fn relations() -> Vec<Relation> {
    let id = || Column { not_null: true, ..column(1, "id", INT4, "integer") };
    let students = Relation {
        comment: Some("People who learn.\nOne row each.".to_owned()),
        row_type: STUDENT_ROW,
        ..table(
            100,
            "students",
            vec![
                id(),
                Column {
                    comment: Some("As in the passport.".to_owned()),
                    ..column(2, "first_name", TEXT, "text")
                },
                column(4, "Shoe Size", NUMERIC, "numeric(3,1)"),
                column(5, "created_at", TIMESTAMPTZ, "timestamp with time zone"),
                column(6, "grades", GRADE_ARRAY, "api.grade[]"),
                column(7, "home", ADDRESS, "api.address"),
                column(8, "email", EMAIL, "api.email"),
                column(9, "photo", BYTEA, "bytea"),
                column(10, "score", FLOAT8, "double precision"),
                column(11, "active", BOOL, "boolean"),
                column(12, "points", INT8, "bigint"),
                column(13, "lucky", INT4_ARRAY, "integer[]"),
                column(14, "rank", GRADE, "api.grade"),
                Column { generated: true, ..column(15, "search", TEXT, "text") },
            ],
        )
    };
    let enrollments = Relation {
        primary_key: vec!["student_id".to_owned(), "course".to_owned()],
        ..table(
            101,
            "enrollments",
            vec![
                Column { not_null: true, ..column(1, "student_id", INT4, "integer") },
                Column { not_null: true, ..column(2, "course", TEXT, "text") },
                column(3, "grade", GRADE, "api.grade"),
            ],
        )
    };
    let totals = Relation {
        kind: RelationKind::View.into(),
        primary_key: vec![],
        insertable: false,
        updatable: false,
        deletable: false,
        ..table(102, "totals", vec![column(1, "total", INT8, "bigint")])
    };
    // Its message would be called as the enum is.
    let grade = table(103, "grades", vec![id(), column(2, "not", TEXT, "text")]);
    vec![students, enrollments, totals, grade]
}

fn function(oid: u32, name: &str, arguments: &[(&str, u32, &str, bool)], return_type: u32) -> Function {
    let argument = |(name, r#type, sql_type, has_default): &(&str, u32, &str, bool)| Argument {
        name: (*name).to_owned(),
        r#type: *r#type,
        sql_type: (*sql_type).to_owned(),
        has_default: *has_default,
        variadic: false,
    };
    Function {
        oid,
        schema: "api".to_owned(),
        name: name.to_owned(),
        arguments: arguments.iter().map(argument).collect(),
        return_type,
        volatility: Volatility::Stable.into(),
        ..Function::default()
    }
}

/// The school.
pub(crate) fn school() -> Catalog {
    let columns = ["name", "best"].map(|name| ResultColumn {
        name: name.to_owned(),
        r#type: TEXT,
        sql_type: "text".to_owned(),
    });
    let integer = ("a", INT4, "integer", false);
    Catalog::new(Database {
        server_version: 150018,
        schemas: vec![Schema { name: "api".to_owned(), comment: Some("The school.".to_owned()) }],
        relations: relations(),
        foreign_keys: vec![ForeignKey {
            name: "enrollments_student_id_fkey".to_owned(),
            relation: 101,
            columns: vec!["student_id".to_owned()],
            referenced: 100,
            referenced_columns: vec!["id".to_owned()],
        }],
        functions: vec![
            Function {
                comment: Some("Finds students by name.".to_owned()),
                returns_set: true,
                ..function(200, "search_students", &[("query", TEXT, "text", false)], STUDENT_ROW)
            },
            function(201, "add", &[integer], INT4),
            function(202, "add", &[integer, ("b", INT4, "integer", true)], INT4),
            Function { volatility: Volatility::Volatile.into(), ..function(203, "reset", &[], VOID) },
            Function {
                result_columns: columns.into(),
                returns_set: true,
                ..function(204, "report", &[], 2249)
            },
            function(205, "take", &[("", JSONB, "jsonb", false)], JSONB),
            // Its messages would be called as those of a table's method are.
            function(206, "create_student", &[], STUDENT_ROW),
        ],
        types: types(),
        ..Database::default()
    })
}
