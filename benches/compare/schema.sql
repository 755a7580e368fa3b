-- The database of `make bench`: a shop. Run as its owner, in one transaction, on a database of the benchmark's own.

DROP SCHEMA IF EXISTS bench CASCADE;

-- Roles belong to the server, not to this database: they may be there already.
DO $$
BEGIN
    IF to_regrole('bench_anonymous') IS NULL THEN
        CREATE ROLE bench_anonymous NOLOGIN;
    END IF;
    IF to_regrole('bench_user') IS NULL THEN
        CREATE ROLE bench_user NOLOGIN;
    END IF;
    IF to_regrole('bench_authenticator') IS NULL THEN
        CREATE ROLE bench_authenticator LOGIN NOINHERIT;
    END IF;
END
$$;
GRANT bench_anonymous, bench_user TO bench_authenticator;

CREATE SCHEMA bench;

CREATE TABLE bench.items (
    id          integer PRIMARY KEY,
    category_id integer NOT NULL,
    name        text NOT NULL,
    price       numeric(10, 2) NOT NULL,
    weight      double precision,
    available   boolean NOT NULL,
    details     jsonb NOT NULL,
    created_at  timestamptz NOT NULL
);

CREATE TABLE bench.customers (
    id    integer PRIMARY KEY,
    name  text NOT NULL,
    email text NOT NULL
);

CREATE TABLE bench.orders (
    id          integer PRIMARY KEY,
    customer_id integer NOT NULL,
    placed_on   date NOT NULL
);

CREATE TABLE bench.order_lines (
    id       integer PRIMARY KEY,
    order_id integer NOT NULL,
    item_id  integer NOT NULL,
    quantity integer NOT NULL
);

-- What the insert goes into: emptied before each measurement.
CREATE TABLE bench.entries (
    id      bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    item_id integer NOT NULL,
    amount  integer NOT NULL,
    note    text NOT NULL
);

-- Each user sees the messages to itself.
CREATE TABLE bench.messages (
    id        integer PRIMARY KEY,
    recipient text NOT NULL,
    sent_at   timestamptz NOT NULL,
    body      text NOT NULL
);
ALTER TABLE bench.messages ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON bench.messages
    USING (recipient = current_setting('request.jwt.claims', true)::json ->> 'sub');

-- No randomness: two databases that are measured against each other hold the same rows.
INSERT INTO bench.items
SELECT id,
       1 + id % 1000,
       'Item number ' || id,
       (id * 7919 % 100000) / 100.0,
       CASE WHEN id % 10 <> 0 THEN id * 0.125 END,
       (id + id / 1000) % 4 <> 0,
       jsonb_build_object('color', (ARRAY['red', 'green', 'blue'])[1 + id % 3], 'sizes', jsonb_build_array(id % 7, id % 11)),
       timestamptz '2024-01-01 00:00:00+00' + id * interval '97.5 seconds'
FROM generate_series(1, 100000) AS id;

INSERT INTO bench.customers
SELECT id, 'Customer ' || id, 'customer' || id || '@example.org' FROM generate_series(1, 10000) AS id;

-- Five orders for each customer, three lines for each order.
INSERT INTO bench.orders
SELECT id, 1 + (id - 1) / 5, date '2024-01-01' + id % 365 FROM generate_series(1, 50000) AS id;

INSERT INTO bench.order_lines
SELECT id, 1 + (id - 1) / 3, 1 + id * 31 % 100000, 1 + id % 9 FROM generate_series(1, 150000) AS id;

INSERT INTO bench.messages
SELECT id, 'user' || id % 100, timestamptz '2024-01-01 00:00:00+00' + id * interval '61.25 seconds', 'Message number ' || id
FROM generate_series(1, 100000) AS id;

-- Faster than checking each row as it comes.
ALTER TABLE bench.orders ADD FOREIGN KEY (customer_id) REFERENCES bench.customers;
ALTER TABLE bench.order_lines ADD FOREIGN KEY (order_id) REFERENCES bench.orders;
ALTER TABLE bench.order_lines ADD FOREIGN KEY (item_id) REFERENCES bench.items;
CREATE INDEX ON bench.items (category_id, created_at DESC);
CREATE INDEX ON bench.orders (customer_id);
CREATE INDEX ON bench.order_lines (order_id);
CREATE INDEX ON bench.messages (recipient, id);

-- In PL/pgSQL, which keeps its plans: most of the time of a small SQL function would go into planning it.
CREATE FUNCTION bench.order_total(order_id integer) RETURNS numeric
    LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN (
        SELECT sum(line.quantity * item.price)
        FROM bench.order_lines AS line
        JOIN bench.items AS item ON item.id = line.item_id
        WHERE line.order_id = order_total.order_id
    );
END
$$;

-- pgbench prepares statements before it becomes the other role.
GRANT USAGE ON SCHEMA bench TO bench_anonymous, bench_user, bench_authenticator;
GRANT SELECT ON ALL TABLES IN SCHEMA bench TO bench_anonymous;
GRANT SELECT ON bench.messages TO bench_user;
GRANT INSERT ON bench.entries TO bench_anonymous;
