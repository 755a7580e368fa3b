//! Aggregates, numbers of related rows, and what functions make of a row: all of them computed when they are asked for.

use super::{Served, said, served_with};
use crate::support::grpc::number;
use serde_json::{Value, json};
use tonic::Code;

const SHOP: &str = "
    CREATE SCHEMA api;
    CREATE TYPE api.mood AS ENUM ('sad', 'calm', 'glad');
    CREATE TYPE api.place AS (town text, zip int);
    CREATE TABLE api.customers (id int PRIMARY KEY, name text NOT NULL, country text);
    CREATE TABLE api.orders (
        id int PRIMARY KEY,
        customer_id int REFERENCES api.customers,
        mood api.mood,
        pieces int,
        volume bigint,
        weight real,
        price double precision,
        amount numeric,
        placed timestamptz,
        took interval,
        cost money,
        doc json,
        home api.place,
        sum text
    );
    CREATE TABLE api.items (id int PRIMARY KEY, order_id int NOT NULL REFERENCES api.orders, total int NOT NULL);
    CREATE FUNCTION api.label(api.orders) RETURNS text STABLE LANGUAGE sql AS $$ SELECT 'order ' || $1.id $$;
    CREATE FUNCTION api.best_mood(api.orders) RETURNS api.mood IMMUTABLE LANGUAGE sql AS $$ SELECT 'glad'::api.mood $$;
    CREATE FUNCTION api.hidden(api.orders) RETURNS int IMMUTABLE LANGUAGE sql AS 'SELECT 1';
    CREATE FUNCTION api.recent(\"limit\" int, \"where\" text DEFAULT 'x') RETURNS SETOF api.orders STABLE LANGUAGE sql
        AS 'SELECT * FROM api.orders ORDER BY id DESC LIMIT \"limit\"';
    INSERT INTO api.customers VALUES (1, 'Ada', 'UK'), (2, 'Grace', 'US'), (3, 'Alan', 'UK');
    INSERT INTO api.orders VALUES
        (1, 1, 'calm', 2, 10, 1.5, 0.25, 10.50, '2024-01-01 00:00+00', '1 hour', 1, '{}', ('Ely', 7), 'a'),
        (2, 1, 'glad', 3, 9223372036854775807, 2.5, 0.5, 0.25, '2024-03-01 00:00+00', '2 hours', 2, NULL, ('Ely', 7), 'b'),
        (3, 2, 'sad', 4, 1, NULL, 1, 3, '2024-02-01 00:00+00', NULL, NULL, NULL, NULL, 'b'),
        (4, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
    INSERT INTO api.items VALUES (1, 1, 5), (2, 1, 50), (3, 2, 500);
    GRANT USAGE ON SCHEMA api TO anonymous;
    GRANT SELECT, INSERT, UPDATE ON ALL TABLES IN SCHEMA api TO anonymous;
    REVOKE EXECUTE ON FUNCTION api.hidden FROM public;
";

const ENABLED: &[(&str, &str)] = &[("PGRST_DB_AGGREGATES_ENABLED", "true")];
const AGGREGATE: &str = "OrdersService/AggregateOrders";

fn groups(served: &Served, request: Value) -> Value {
    let mut answer = served.call(AGGREGATE, request).unwrap();
    answer["groups"].take()
}

#[test]
fn groups_have_typed_keys_and_typed_results() {
    let served = served_with(SHOP, ENABLED);
    let all = groups(
        &served,
        json!({ "aggregates": {
            "sum": "pieces,volume,weight,price,amount,took,cost",
            "avg": "pieces,volume,weight,price,amount,took",
            "min": "mood,placed,volume,sum",
            "max": "mood,placed,pieces,amount",
            "count": "weight,doc",
        } }),
    );
    assert_eq!(
        all,
        json!([{
            "rowCount": 4,
            "sum": { "pieces": 9, "volume": "9223372036854775818", "weight": 4.0, "price": 1.75, "amount": "13.75",
                     "took": "03:00:00", "cost": "$3.00" },
            "avg": { "pieces": "3.0000000000000000", "volume": "3074457345618258606", "weight": 2.0,
                     "price": 0.583_333_333_333_333_4, "amount": "4.5833333333333333", "took": "01:30:00" },
            "min": { "mood": "MOOD_SAD", "placed": "2024-01-01T00:00:00Z", "volume": 1, "sum": "a" },
            "max": { "mood": "MOOD_GLAD", "placed": "2024-03-01T00:00:00Z", "pieces": 4, "amount": "10.50" },
            "count": { "weight": 2, "doc": 1 },
        }])
    );
    let by_customer =
        json!({ "groupBy": "customerId", "aggregates": { "sum": "pieces" }, "orderBy": "customer_id" });
    assert_eq!(
        groups(&served, by_customer),
        json!([
            { "group": { "customer_id": 1 }, "rowCount": 2, "sum": { "pieces": 5 } },
            { "group": { "customer_id": 2 }, "rowCount": 1, "sum": { "pieces": 4 } },
            { "rowCount": 1 },
        ])
    );
}

#[test]
fn groups_are_made_by_columns_composites_computed_fields_and_rows_of_others() {
    let served = served_with(SHOP, ENABLED);
    assert_eq!(
        groups(
            &served,
            json!({ "groupBy": "home,mood", "where": { "home": { "isNull": false } }, "orderBy": "mood desc" })
        ),
        json!([
            { "group": { "home": { "town": "Ely", "zip": 7 }, "mood": "MOOD_GLAD" }, "rowCount": 1 },
            { "group": { "home": { "town": "Ely", "zip": 7 }, "mood": "MOOD_CALM" }, "rowCount": 1 },
        ])
    );
    assert_eq!(
        groups(
            &served,
            json!({ "groupBy": "customer.country", "orderBy": "row_count desc, sum.pieces", "aggregates": { "sum": "pieces" } })
        ),
        json!([
            { "group": { "customer": { "country": "UK" } }, "rowCount": 2, "sum": { "pieces": 5 } },
            { "group": { "customer": { "country": "US" } }, "rowCount": 1, "sum": { "pieces": 4 } },
            { "rowCount": 1 },
        ])
    );
    assert_eq!(
        groups(&served, json!({ "groupBy": "bestMood", "filter": "id=gt.1" })),
        json!([{ "group": { "best_mood": "MOOD_GLAD" }, "rowCount": 3 }])
    );
}

#[test]
fn groups_have_conditions_an_order_and_a_range() {
    let served = served_with(SHOP, ENABLED);
    let of = |more: Value| {
        let mut request = json!({ "groupBy": "sum", "where": { "id": { "lt": 4 } } });
        request.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let keys = groups(&served, request);
        keys.as_array()
            .unwrap()
            .iter()
            .map(|group| group["group"]["sum"].as_str().unwrap().to_owned())
            .collect::<String>()
    };
    assert_eq!(of(json!({ "orderBy": "row_count" })), "ab");
    assert_eq!(of(json!({ "orderBy": "row_count desc" })), "ba");
    // A column is called like a function, and what follows is a direction.
    assert_eq!(of(json!({ "orderBy": "sum.desc" })), "ba");
    assert_eq!(of(json!({ "orderBy": "group.sum" })), "ab");
    assert_eq!(of(json!({ "orderBy": "max.amount desc nulls last" })), "ab");
    // As numbers, not as text.
    assert_eq!(of(json!({ "orderBy": "sum.amount" })), "ba");
    assert_eq!(of(json!({ "orderBy": "sum", "limit": 1 })), "a");
    assert_eq!(of(json!({ "orderBy": "sum", "skip": 1 })), "b");
}

#[test]
fn what_cannot_be_aggregated_is_refused_by_its_field() {
    let served = served_with(SHOP, ENABLED);
    for (request, told) in [
        (json!({ "groupBy": "doc" }), "group_by: \"doc\" has no equality"),
        (json!({ "groupBy": "items.total" }), "group_by: \"items\" has several rows"),
        (json!({ "groupBy": "home.zip" }), "group_by: takes \"home\" as a whole"),
        (json!({ "groupBy": "itemsCount" }), "group_by: takes no numbers of related rows"),
        (json!({ "aggregates": { "sum": "mood" } }), "aggregates.sum: \"mood\" has no sum"),
        (json!({ "aggregates": { "avg": "cost" } }), "aggregates.avg: \"cost\" has no avg"),
        (json!({ "aggregates": { "max": "doc" } }), "aggregates.max: \"doc\" has no max"),
        (
            json!({ "groupBy": "mood", "orderBy": "pieces" }),
            "order_by: \"pieces\" is nothing that groups can be ordered by",
        ),
        (json!({ "orderBy": "sum.mood" }), "order_by: \"mood\" is nothing that groups can be ordered by"),
        (json!({ "limit": -1 }), "limit: cannot be negative"),
    ] {
        assert_eq!(said(served.call(AGGREGATE, request)), (Code::InvalidArgument, told.to_owned()));
    }
}

#[test]
fn more_groups_than_there_may_be_are_an_error_and_no_part_of_them() {
    let environment: Vec<_> = ENABLED.iter().copied().chain([("PGRST_DB_MAX_ROWS", "3")]).collect();
    let served = served_with(SHOP, &environment);
    let refused = served.call(AGGREGATE, json!({ "groupBy": "id" }));
    assert_eq!(said(refused).0, Code::ResourceExhausted);
    assert_eq!(groups(&served, json!({ "groupBy": "id", "limit": 3 })).as_array().unwrap().len(), 3);
    assert_eq!(groups(&served, json!({ "groupBy": "sum" })).as_array().unwrap().len(), 3);
}

#[test]
fn there_is_no_such_method_unless_the_option_is_on() {
    let served = served_with(SHOP, &[]);
    let service = served.client.method("OrdersService/ListOrders").parent_service().clone();
    assert!(service.methods().all(|method| method.name() != "AggregateOrders"));
    assert!(service.parent_file().messages().all(|message| !message.name().starts_with("Aggregate")));
    let refused = served.client.refused("/api.v1.OrdersService/AggregateOrders", Vec::new());
    assert_eq!(refused.code(), Code::Unimplemented);
}

#[test]
fn the_number_of_related_rows_is_a_field_and_heeds_the_conditions_of_the_embed() {
    let served = served_with(SHOP, &[]);
    let list = |mask: &str, items: Value| {
        let request = json!({ "readMask": mask, "orderBy": "id", "embeds": { "items": items } });
        served.call("OrdersService/ListOrders", request).map(|mut answer| answer["orders"].take())
    };
    assert_eq!(
        list("id,itemsCount", json!({})).unwrap(),
        json!([
            { "id": 1, "itemsCount": 2 },
            { "id": 2, "itemsCount": 1 },
            { "id": 3, "itemsCount": 0 },
            { "id": 4, "itemsCount": 0 },
        ])
    );
    let large = json!({ "where": { "total": { "gt": 5 } }, "limit": 1, "orderBy": "id" });
    assert_eq!(
        list("id,itemsCount,items.id", large.clone()).unwrap()[0],
        json!({ "id": 1, "itemsCount": 1, "items": [{ "id": 2 }] })
    );
    assert_eq!(list("id,itemsCount", json!({ "filter": "total=gt.500" })).unwrap()[1]["itemsCount"], 0);
    let required = json!({ "where": { "total": { "gt": 5 } }, "required": true });
    assert_eq!(
        list("id,itemsCount", required).unwrap(),
        json!([{ "id": 1, "itemsCount": 1 }, { "id": 2, "itemsCount": 1 }])
    );
    // Numbers of rows of rows, and of what was written.
    let nested = json!({ "readMask": "name,ordersCount,orders.itemsCount", "where": { "id": { "eq": 1 } },
                         "embeds": { "orders": { "where": { "id": { "eq": 1 } } } } });
    assert_eq!(
        served.call("CustomersService/ListCustomers", nested).unwrap()["customers"],
        json!([{ "name": "Ada", "ordersCount": 1, "orders": [{ "itemsCount": 2 }] }])
    );
    let update =
        json!({ "order": { "id": 1, "pieces": 5, "itemsCount": 9 }, "readMask": "pieces,itemsCount,label" });
    assert_eq!(
        served.call("OrdersService/UpdateOrder", update).unwrap()["order"],
        json!({ "pieces": 5, "itemsCount": 2, "label": "order 1" })
    );
    let embeds = served.call("OrdersService/ListOrders", json!({ "embeds": { "items": { "limit": 1 } } }));
    assert_eq!(said(embeds).0, Code::InvalidArgument);
}

#[test]
fn what_functions_make_of_a_row_comes_when_a_mask_names_it() {
    let served = served_with(SHOP, &[]);
    let get = |mask: Value| served.call("OrdersService/GetOrder", json!({ "id": 1, "readMask": mask }));
    let row = get(json!("id,label,bestMood")).unwrap();
    assert_eq!(row["order"], json!({ "id": 1, "label": "order 1", "best_mood": "MOOD_GLAD" }));
    for mask in [json!(null), json!("*")] {
        assert!(get(mask).unwrap()["order"].get("label").is_none());
    }
    assert_eq!(said(get(json!("hidden"))).0, Code::Unauthenticated);
    let message = served.client.method("OrdersService/GetOrder").output().get_field(1).unwrap();
    let prost_reflect::Kind::Message(message) = message.kind() else { panic!() };
    for name in ["label", "best_mood"] {
        assert_eq!(message.get_field_by_name(name).unwrap().number(), number(name));
    }
    let call = json!({ "limitArgument": 1, "limit": 5, "readMask": "id,label,itemsCount" });
    let rows = served.client.all("FunctionsService/Recent", call).unwrap();
    assert_eq!(rows, [json!({ "order": { "id": 4, "label": "order 4", "itemsCount": 0 } })]);
}

#[test]
fn a_field_that_is_there_whatever_the_arguments_has_its_name_whatever_they_are_called() {
    let served = served_with(SHOP, &[]);
    let request = served.client.method("FunctionsService/Recent").input();
    let named = |name: &str| request.get_field_by_name(name).unwrap().number();
    assert_eq!([named("where"), named("limit")], [2004, 2007]);
    assert_eq!([named("where_argument"), named("limit_argument")], [number("where"), number("limit")]);
    let said_of_rows = json!({ "limitArgument": 3, "limit": 1, "orderBy": "id", "where": { "id": { "gt": 2 } }, "readMask": "id" });
    let rows = served.client.all("FunctionsService/Recent", said_of_rows).unwrap();
    assert_eq!(rows, [json!({ "order": { "id": 3 } })]);
}
