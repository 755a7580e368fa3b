//! What is measured, as a table: one request over REST, over gRPC and as SQL, which give the same answer.
//!
//! `{key}` in a request and `:key` in the SQL stand for a number that changes from request to request.

use super::caller::Caller;

/// One request in its three forms.
#[derive(Debug)]
pub(crate) struct Case {
    /// Its name on the command line.
    pub(crate) id: &'static str,
    /// Its name in the report.
    pub(crate) title: &'static str,
    /// Keys run from 1 to this.
    pub(crate) keys: u32,
    /// The statement; its rows are the answer.
    pub(crate) sql: &'static str,
    /// Whether it may write.
    pub(crate) access: Access,
    /// Who asks.
    pub(crate) caller: Caller,
    /// Over REST.
    pub(crate) rest: Rest,
    /// Over gRPC.
    pub(crate) grpc: Grpc,
}

/// Whether a case may write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    ReadOnly,
    ReadWrite,
}

/// A REST request.
#[derive(Debug)]
pub(crate) struct Rest {
    pub(crate) method: http::Method,
    /// Path and query.
    pub(crate) target: &'static str,
    /// JSON, or empty for none.
    pub(crate) body: &'static str,
    /// The header `Prefer`, or empty for none.
    pub(crate) prefer: &'static str,
    pub(crate) status: http::StatusCode,
    pub(crate) answer: RestAnswer,
}

/// What the body of a REST answer is.
#[derive(Debug, Clone, Copy)]
pub(crate) enum RestAnswer {
    /// An array of the rows.
    Rows,
    /// An array of the rows without their last column `total`, which is in the header `Content-Range`.
    Counted,
    /// The value in the one row's column `value`.
    Value,
}

/// A gRPC request.
#[derive(Debug)]
pub(crate) struct Grpc {
    /// In the package `bench.v1`.
    pub(crate) service: &'static str,
    pub(crate) method: &'static str,
    /// The request message in protobuf's JSON form.
    pub(crate) request: &'static str,
    pub(crate) answer: GrpcAnswer,
}

/// Where the rows are in a gRPC answer.
#[derive(Debug, Clone, Copy)]
pub(crate) enum GrpcAnswer {
    /// The one row is in this field.
    Row(&'static str),
    /// The rows are in this repeated field.
    Rows(&'static str),
    /// The rows are in this repeated field, and their column `total` is in the field `total_size`.
    Counted(&'static str),
    /// The message itself is the one row.
    Itself,
}

const ITEMS: u32 = 100_000;
const CATEGORIES: u32 = 1_000;
const CUSTOMERS: u32 = 10_000;
const ORDERS: u32 = 50_000;
/// So that a whole page follows every key.
const PAGED: u32 = ITEMS - 1000;
/// So that 20 messages of each of 100 recipients follow every key.
const MESSAGES: u32 = 100_000 - 2_000;

/// The cases, in the order of the report.
pub(crate) static CASES: [Case; 9] = [
    Case {
        id: "key",
        title: "row by key",
        keys: ITEMS,
        sql: "SELECT * FROM bench.items WHERE id = :key",
        access: Access::ReadOnly,
        caller: Caller::Anonymous,
        rest: Rest::get("/items?id=eq.{key}", RestAnswer::Rows),
        grpc: Grpc {
            service: "ItemsService",
            method: "GetItem",
            request: r#"{"id": {key}}"#,
            answer: GrpcAnswer::Row("item"),
        },
    },
    Case {
        id: "page",
        title: "page of 100",
        keys: PAGED,
        sql: "SELECT * FROM bench.items WHERE id > :key ORDER BY id LIMIT 100",
        access: Access::ReadOnly,
        caller: Caller::Anonymous,
        rest: Rest::get("/items?id=gt.{key}&order=id&limit=100", RestAnswer::Rows),
        grpc: Grpc {
            service: "ItemsService",
            method: "ListItems",
            request: r#"{"filter": "id=gt.{key}", "order_by": "id", "page_size": 100}"#,
            answer: GrpcAnswer::Rows("items"),
        },
    },
    Case {
        id: "filter",
        title: "filter and order, 25 rows",
        keys: CATEGORIES,
        sql: "SELECT * FROM bench.items WHERE category_id = :key AND available IS TRUE \
              ORDER BY created_at DESC LIMIT 25",
        access: Access::ReadOnly,
        caller: Caller::Anonymous,
        rest: Rest::get(
            "/items?category_id=eq.{key}&available=is.true&order=created_at.desc&limit=25",
            RestAnswer::Rows,
        ),
        grpc: Grpc {
            service: "ItemsService",
            method: "ListItems",
            request: r#"{"filter": "category_id=eq.{key}&available=is.true", "order_by": "created_at desc",
                         "page_size": 25}"#,
            answer: GrpcAnswer::Rows("items"),
        },
    },
    Case {
        id: "page1000",
        title: "page of 1000",
        keys: PAGED,
        sql: "SELECT * FROM bench.items WHERE id > :key ORDER BY id LIMIT 1000",
        access: Access::ReadOnly,
        caller: Caller::Anonymous,
        rest: Rest::get("/items?id=gt.{key}&order=id&limit=1000", RestAnswer::Rows),
        grpc: Grpc {
            service: "ItemsService",
            method: "ListItems",
            request: r#"{"filter": "id=gt.{key}", "order_by": "id", "page_size": 1000}"#,
            answer: GrpcAnswer::Rows("items"),
        },
    },
    Case {
        id: "insert",
        title: "insert, row returned",
        keys: ITEMS,
        sql: "INSERT INTO bench.entries (item_id, amount, note) VALUES (:key, 7, 'A note of some length') \
              RETURNING item_id, amount, note",
        access: Access::ReadWrite,
        caller: Caller::Anonymous,
        rest: Rest {
            method: http::Method::POST,
            target: "/entries?select=item_id,amount,note",
            body: r#"{"item_id": {key}, "amount": 7, "note": "A note of some length"}"#,
            prefer: "return=representation",
            status: http::StatusCode::CREATED,
            answer: RestAnswer::Rows,
        },
        grpc: Grpc {
            service: "EntriesService",
            method: "CreateEntry",
            request: r#"{"entry": {"item_id": {key}, "amount": 7, "note": "A note of some length"},
                         "read_mask": "itemId,amount,note"}"#,
            answer: GrpcAnswer::Row("entry"),
        },
    },
    Case {
        id: "embed",
        title: "embed, two levels",
        keys: CUSTOMERS,
        sql: "SELECT customer.id, customer.name, orders.orders FROM bench.customers AS customer \
              CROSS JOIN LATERAL (\
              SELECT coalesce(json_agg(orders), '[]') AS orders FROM (\
              SELECT orders.id, orders.placed_on, lines.order_lines FROM bench.orders AS orders \
              CROSS JOIN LATERAL (\
              SELECT coalesce(json_agg(lines), '[]') AS order_lines FROM (\
              SELECT item_id, quantity FROM bench.order_lines AS line WHERE line.order_id = orders.id ORDER BY id\
              ) AS lines) AS lines \
              WHERE orders.customer_id = customer.id ORDER BY orders.id) AS orders) AS orders \
              WHERE customer.id = :key",
        access: Access::ReadOnly,
        caller: Caller::Anonymous,
        rest: Rest::get(
            "/customers?id=eq.{key}&select=id,name,orders(id,placed_on,order_lines(item_id,quantity))\
             &orders.order=id&orders.order_lines.order=id",
            RestAnswer::Rows,
        ),
        grpc: Grpc {
            service: "CustomersService",
            method: "GetCustomer",
            request: r#"{"id": {key}, "read_mask":
                         "id,name,orders.id,orders.placedOn,orders.orderLines.itemId,orders.orderLines.quantity"}"#,
            answer: GrpcAnswer::Row("customer"),
        },
    },
    Case {
        id: "call",
        title: "function",
        keys: ORDERS,
        sql: "SELECT bench.order_total(:key) AS value",
        access: Access::ReadOnly,
        caller: Caller::Anonymous,
        rest: Rest::get("/rpc/order_total?order_id={key}", RestAnswer::Value),
        grpc: Grpc {
            service: "FunctionsService",
            method: "OrderTotal",
            request: r#"{"order_id": {key}}"#,
            answer: GrpcAnswer::Itself,
        },
    },
    Case {
        id: "rls",
        title: "RLS list of 20 with a token",
        keys: MESSAGES,
        sql: "SELECT * FROM bench.messages WHERE id > :key ORDER BY id LIMIT 20",
        access: Access::ReadOnly,
        caller: Caller::User,
        rest: Rest::get("/messages?id=gt.{key}&order=id&limit=20", RestAnswer::Rows),
        grpc: Grpc {
            service: "MessagesService",
            method: "ListMessages",
            request: r#"{"filter": "id=gt.{key}", "order_by": "id", "page_size": 20}"#,
            answer: GrpcAnswer::Rows("messages"),
        },
    },
    Case {
        id: "count",
        title: "exact count",
        keys: CATEGORIES,
        sql: "SELECT id, name, (SELECT count(*) FROM bench.items WHERE category_id = :key) AS total \
              FROM bench.items WHERE category_id = :key ORDER BY id LIMIT 20",
        access: Access::ReadOnly,
        caller: Caller::Anonymous,
        rest: Rest {
            method: http::Method::GET,
            target: "/items?category_id=eq.{key}&select=id,name&order=id&limit=20",
            body: "",
            prefer: "count=exact",
            status: http::StatusCode::PARTIAL_CONTENT,
            answer: RestAnswer::Counted,
        },
        grpc: Grpc {
            service: "ItemsService",
            method: "ListItems",
            request: r#"{"filter": "category_id=eq.{key}", "order_by": "id", "page_size": 20,
                         "read_mask": "id,name", "count": "COUNT_MODE_EXACT"}"#,
            answer: GrpcAnswer::Counted("items"),
        },
    },
];

impl Rest {
    const fn get(target: &'static str, answer: RestAnswer) -> Self {
        Self { method: http::Method::GET, target, body: "", prefer: "", status: http::StatusCode::OK, answer }
    }
}

impl Case {
    /// `count` keys, spread over the whole range; the same in every run.
    pub(crate) fn sample_keys(&self, count: u32) -> impl Iterator<Item = u32> {
        // Multiples of a large odd number visit the range in no order that PostgreSQL's caches could like.
        (1..=count).map(|n| 1 + n.wrapping_mul(2_654_435_761) % self.keys)
    }

    /// The statement with a key in it.
    pub(crate) fn sql_for(&self, key: u32) -> String {
        self.sql.replace(":key", &key.to_string())
    }
}

/// A request's text with a key in it.
pub(crate) fn fill(template: &str, key: u32) -> String {
    template.replace("{key}", &key.to_string())
}
