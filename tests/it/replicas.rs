//! Read replicas: what goes where, what a client that has written reads, and what becomes of reads while servers are
//! killed, paused and promoted. Each test has a primary and replicas of its own.

mod failover;
mod routes;

use crate::support::{
    address::free,
    http::{self, Answer},
    replicas::Node,
    server::Server,
    until,
};

const FIXTURE: &str = r"
    CREATE ROLE anonymous NOLOGIN;
    CREATE ROLE careful NOLOGIN;
    CREATE ROLE authenticator LOGIN NOINHERIT;
    GRANT anonymous, careful TO authenticator;
    CREATE SCHEMA api;
    GRANT USAGE ON SCHEMA api TO anonymous, careful;
    CREATE TABLE api.counters (id int PRIMARY KEY, value bigint NOT NULL);
    INSERT INTO api.counters SELECT id, 0 FROM generate_series(1, 16) id;
    CREATE VIEW api.servers AS SELECT current_setting('cluster_name') AS name;
    CREATE VIEW api.primaries AS SELECT current_setting('cluster_name') AS name;
    COMMENT ON VIEW api.primaries IS E'Where writes go.\n@pgduet primary';
    CREATE UNLOGGED TABLE api.sessions (id int PRIMARY KEY);
    CREATE FUNCTION api.stable() RETURNS text STABLE LANGUAGE sql AS $$ SELECT current_setting('cluster_name') $$;
    CREATE FUNCTION api.changing() RETURNS text VOLATILE LANGUAGE sql AS $$ SELECT current_setting('cluster_name') $$;
    CREATE FUNCTION api.tagged() RETURNS text STABLE LANGUAGE sql AS $$ SELECT current_setting('cluster_name') $$;
    COMMENT ON FUNCTION api.tagged() IS '@pgduet primary';
    CREATE FUNCTION api.raise(code text) RETURNS int STABLE LANGUAGE plpgsql AS
        $$ BEGIN RAISE EXCEPTION 'no' USING ERRCODE = code; END $$;
    CREATE FUNCTION api.position() RETURNS int VOLATILE LANGUAGE plpgsql AS $$ BEGIN
        PERFORM set_config('response.headers', json_build_array(json_build_object('x-pgduet-lsn', '1-0/1'))::text, true);
        UPDATE api.counters SET value = value; RETURN 1; END $$;
    CREATE FUNCTION api.refused() RETURNS text STABLE LANGUAGE plpgsql AS
        $$ BEGIN PERFORM pg_notify('news', 'x'); RETURN current_setting('cluster_name'); END $$;
    CREATE FUNCTION api.wrong() RETURNS text STABLE LANGUAGE plpgsql AS
        $$ BEGIN RAISE EXCEPTION 'no' USING ERRCODE = '40001'; END $$;
    CREATE FUNCTION api.mine() RETURNS SETOF api.counters VOLATILE LANGUAGE sql AS
        $$ UPDATE api.counters SET value = value + 1 WHERE id = 16 RETURNING * $$;
    GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA api TO anonymous, careful;
";

const SECRET: &str = "reallyreallyreallyreallyverysafe";

/// pgduet before a primary and its replicas.
struct Served {
    server: Server,
    admin: String,
}

impl Served {
    fn new(primary: &str, replicas: &[String], options: &[(&str, &str)]) -> Self {
        let (replicas, admin) = (replicas.join(" "), free());
        let port = admin.port().to_string();
        let mut environment = vec![
            ("PGRST_DB_URI", primary),
            ("PGDUET_DB_REPLICA_URIS", &replicas),
            ("PGRST_DB_SCHEMAS", "api"),
            ("PGRST_DB_ANON_ROLE", "anonymous"),
            ("PGRST_DB_TX_END", "commit-allow-override"),
            ("PGRST_JWT_SECRET", SECRET),
            ("PGRST_ADMIN_SERVER_PORT", &port),
            ("PGRST_ADMIN_SERVER_HOST", "127.0.0.1"),
        ];
        environment.extend_from_slice(options);
        Self { server: Server::start(&environment), admin: admin.to_string() }
    }

    fn send(&self, method: &str, target: &str, headers: &[(&str, &str)], body: Option<&str>) -> Answer {
        let mut headers = headers.to_vec();
        headers.push(("Content-Type", "application/json"));
        http::send(self.server.address(), method, target, &headers, body)
    }

    fn get(&self, target: &str, headers: &[(&str, &str)]) -> String {
        let answer = self.send("GET", target, headers, None);
        assert_eq!(answer.status, 200, "{target}: {}", answer.text());
        answer.text()
    }

    /// Writes, and gives the position behind that.
    fn write(&self, id: u32, value: u32) -> String {
        let body = format!("{{\"value\":{value}}}");
        let answer = self.send("PATCH", &format!("/counters?id=eq.{id}"), &[], Some(&body));
        assert_eq!(answer.status, 204, "{}", answer.text());
        answer.header("x-pgduet-lsn").expect("a write tells where it is")
    }

    fn ready(&self) -> (u16, String) {
        let answer = http::send(&self.admin, "GET", "/ready", &[], None);
        (answer.status, answer.text())
    }

    fn metrics(&self) -> String {
        http::send(&self.admin, "GET", "/metrics", &[], None).text()
    }

    /// Waits until so many replicas, of those behind this place, work.
    fn works(&self, node: &Node, standing: &str) {
        let name = format!("{}:5432: ", node.directory().display());
        until(&format!("{name}{standing}"), || {
            let (_, text) = self.ready();
            text.lines()
                .any(|line| line.strip_prefix(&name).is_some_and(|rest| rest.starts_with(standing)))
                .then_some(())
        });
    }
}
