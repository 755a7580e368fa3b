//! Rows of every type, from PostgreSQL's binary format to messages that a decoder reads back.

use super::*;
use crate::{
    grpc::{descriptor, fixture::school, lock::Lock, options::Options, surface::surface},
    outcome::Sink as _,
};
use prost_reflect::{DescriptorPool, DynamicMessage, Value};

struct Columns(Vec<Option<Vec<u8>>>);

impl Row for Columns {
    fn len(&self) -> usize {
        self.0.len()
    }

    fn get(&self, column: usize) -> Option<&[u8]> {
        self.0.get(column)?.as_deref()
    }
}

fn record(fields: &[Option<&[u8]>]) -> Vec<u8> {
    let mut out = i32::try_from(fields.len()).unwrap().to_be_bytes().to_vec();
    for field in fields {
        out.extend(25_i32.to_be_bytes());
        out.extend(field.map_or(-1, |bytes| i32::try_from(bytes.len()).unwrap()).to_be_bytes());
        out.extend(field.unwrap_or_default());
    }
    out
}

/// An array of elements of the type with this OID.
fn array(element: i32, elements: &[Option<&[u8]>]) -> Vec<u8> {
    let mut out = Vec::new();
    for header in [1, 0, element, i32::try_from(elements.len()).unwrap(), 1] {
        out.extend(header.to_be_bytes());
    }
    for element in elements {
        out.extend(element.map_or(-1, |bytes| i32::try_from(bytes.len()).unwrap()).to_be_bytes());
        out.extend(element.unwrap_or_default());
    }
    out
}

/// Encodes a row of `students`; columns are by name, the others NULL.
fn student(columns: &[(&str, Vec<u8>)]) -> Result<DynamicMessage> {
    let surface = surface(&school().into(), &Options::default(), &Lock::default()).unwrap();
    let package = &surface.packages[0];
    let at = package.all_resources().position(|resource| resource.relation == "students").unwrap();
    let fields = &package.resource(at).unwrap().fields;
    let encoder = MessageEncoder::new(Encoders::new(package).of_resource(package, at).to_vec());
    let value =
        |name: &str| columns.iter().find(|(column, _)| *column == name).map(|(_, bytes)| bytes.clone());
    let row = Columns(fields.iter().map(|field| value(&field.column)).collect());
    let mut out = Vec::new();
    encoder.row(&row, &mut out)?;
    let pool = DescriptorPool::from_file_descriptor_set(descriptor::files(surface.packages.iter()).unwrap())
        .unwrap();
    let message = pool.get_message_by_name("api.v1.Student").unwrap();
    Ok(DynamicMessage::decode(message, out.as_slice()).unwrap())
}

fn get(message: &DynamicMessage, name: &str) -> Value {
    message.get_field_by_name(name).unwrap().into_owned()
}

#[test]
fn scalars_keep_their_values() {
    let row = student(&[
        ("id", (-7_i32).to_be_bytes().to_vec()),
        ("first_name", "Ada".into()),
        ("Shoe Size", "NaN".into()),
        ("score", 0.1_f64.to_be_bytes().to_vec()),
        ("active", vec![1]),
        ("points", i64::MIN.to_be_bytes().to_vec()),
        ("photo", vec![0, 255]),
        ("rank", "FAIL".into()),
    ])
    .unwrap();
    assert_eq!(get(&row, "id"), Value::I32(-7));
    assert_eq!(get(&row, "first_name"), Value::String("Ada".into()));
    assert_eq!(get(&row, "shoe_size"), Value::String("NaN".into()));
    assert_eq!(get(&row, "score"), Value::F64(0.1));
    assert_eq!(get(&row, "active"), Value::Bool(true));
    assert_eq!(get(&row, "points"), Value::I64(i64::MIN));
    assert_eq!(get(&row, "photo"), Value::Bytes(vec![0, 255].into()));
    assert_eq!(get(&row, "rank"), Value::EnumNumber(1_547_930_926));
}

#[test]
fn null_is_absent_and_zero_is_there() {
    let row = student(&[("id", vec![0; 4]), ("first_name", vec![])]).unwrap();
    assert!(row.has_field_by_name("id") && row.has_field_by_name("first_name"));
    assert!(!row.has_field_by_name("points"));
}

#[test]
fn a_composite_and_arrays_are_encoded_element_by_element() {
    let row = student(&[
        ("home", record(&[Some(b"Main St"), None])),
        ("lucky", array(23, &[Some(&7_i32.to_be_bytes()), Some(&(-1_i32).to_be_bytes())])),
        ("grades", array(25, &[Some(b"pass"), Some(b"first-class")])),
    ])
    .unwrap();
    let home = get(&row, "home").as_message().unwrap().clone();
    assert_eq!(get(&home, "street"), Value::String("Main St".into()));
    assert!(!home.has_field_by_name("city"));
    assert_eq!(get(&row, "lucky"), Value::List(vec![Value::I32(7), Value::I32(-1)]));
    assert_eq!(
        get(&row, "grades"),
        Value::List(vec![Value::EnumNumber(2_071_622_425), Value::EnumNumber(77_374_733)])
    );
}

#[test]
fn a_time_before_1970_has_positive_nanoseconds() {
    // 1969-12-31 23:59:59.5
    let micros = -(EPOCH_MICROS) - 500_000;
    let row = student(&[("created_at", micros.to_be_bytes().to_vec())]).unwrap();
    let time = get(&row, "created_at").as_message().unwrap().clone();
    assert_eq!((get(&time, "seconds"), get(&time, "nanos")), (Value::I64(-1), Value::I32(500_000_000)));
}

const EPOCH_MICROS: i64 = 946_684_800_000_000;

#[test]
fn what_protobuf_cannot_hold_is_an_error_that_names_the_column() {
    let cases = [
        ("created_at", i64::MAX.to_be_bytes().to_vec()),
        ("created_at", (i64::MAX - 1).to_be_bytes().to_vec()),
        ("lucky", array(23, &[None])),
        ("lucky", [2_i32, 0, 23, 1, 1, 1, 1].iter().flat_map(|number| number.to_be_bytes()).collect()),
        ("rank", b"new label".to_vec()),
    ];
    for (column, bytes) in cases {
        let error = student(&[(column, bytes)]).unwrap_err();
        assert_eq!(error.code(), Fault::ValueOutOfRange.row().code);
        assert!(error.message.contains(column), "{error}");
    }
}

#[test]
fn an_array_of_another_type_is_not_taken_for_one_of_the_same_width() {
    let floats = [Some(&7_f32.to_be_bytes()[..])];
    assert_eq!(student(&[("lucky", array(700, &floats))]).unwrap_err().code(), "PGRSTX00");
    // A domain of whatever OID.
    assert!(student(&[("lucky", array(16_400, &[Some(&7_i32.to_be_bytes())]))]).is_ok());
}

#[test]
fn a_truncated_value_is_an_error_and_no_panic() {
    for column in ["id", "points", "created_at", "lucky", "home", "score", "active"] {
        for bytes in [
            vec![],
            vec![0, 0, 0],
            vec![255; 5],
            vec![0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 23, 127, 0, 0, 0, 0, 0, 0, 1],
        ] {
            if column == "lucky" && bytes.len() == 4 {
                continue;
            }
            assert!(student(&[(column, bytes)]).is_err(), "{column}");
        }
    }
}

#[test]
fn a_row_longer_than_its_set_aside_length_moves_up() {
    let name = "x".repeat(3 << 20);
    let mut out = b"before".to_vec();
    let start = wire::open(1, &mut out);
    out.extend_from_slice(name.as_bytes());
    wire::close(start, &mut out);
    let length = prost::encoding::decode_varint(&mut &out[7..]).unwrap();
    assert_eq!((length, out.len()), (3 << 20, 6 + 1 + 4 + (3 << 20)));
}

#[test]
fn a_page_ends_before_the_row_that_is_too_much() {
    let encoders = Encoders::default();
    let column = encoders.column("name", 1, Shape::One(Scalar::Text));
    let encoder = Arc::new(MessageEncoder::new(vec![column]));
    let row = |name: &str| Columns(vec![Some(name.into()), Some(name.into())]);
    let taken = |page: Page| {
        let mut sink = PageSink::new(encoder.clone(), Envelope::Field(1), page);
        for name in ["aaaa", "bbbb", "cccc"] {
            sink.row(&row(name)).unwrap();
        }
        (sink.taken(), sink.left_off())
    };
    let place = |name: &str| Some(vec![Some(name.to_owned())]);
    assert_eq!(taken(Page { rows: 2, bytes: 1000, keys: 1 }), (2, place("bbbb")));
    assert_eq!(taken(Page { rows: 3, bytes: 1000, keys: 1 }), (3, None));
    assert_eq!(taken(Page { rows: 3, bytes: 12, keys: 1 }), (1, place("aaaa")));
}
