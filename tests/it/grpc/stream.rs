//! Streams: as many rows as there are, in memory that does not grow with them, no faster than they are read.

use super::{FIXTURE, Served, served_with};
use crate::support::{grpc::Options, http::Connection, until};
use futures_util::StreamExt;
use serde_json::json;
use std::{fs, time::Duration};
use tonic::Code;
use tonic_types::StatusExt;

/// Enough that the rows together are ten times what the server may grow by.
const ROWS: i32 = 300_000;

/// The most memory that the server has had, in KiB.
fn peak(served: &Served) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", served.server.id())).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

fn numbered() -> Served {
    numbered_with(&[])
}

fn numbered_with(environment: &[(&str, &str)]) -> Served {
    let rows = "CREATE TABLE api.lines (id int PRIMARY KEY, body text);
        INSERT INTO api.lines SELECT n, repeat('x', 200) FROM generate_series(1, 300000) n;
        GRANT SELECT ON api.lines TO anonymous;";
    served_with(&format!("{FIXTURE};{rows}"), environment)
}

/// As many unread streams as there are connections keep others out for so long only.
#[test]
fn a_stream_that_nobody_reads_ends_and_gives_its_connection_back() {
    let served = numbered_with(&[("PGRST_DB_POOL", "2"), ("PGDUET_STREAM_IDLE_TIMEOUT", "1")]);
    let running =
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND query LIKE '%lines%'
         AND state <> 'idle' AND pid <> pg_backend_pid()";
    let outer = async |mut first: tonic::Streaming<bytes::Bytes>| {
        assert!(first.next().await.unwrap().is_ok());
        let client = served.database.client().await;
        let comes_to = async |count: i64| {
            let found = async {
                while client.query_one(running, &[]).await.unwrap().get::<_, i64>(0) != count {
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
            };
            tokio::time::timeout(Duration::from_secs(30), found).await.expect("the query begins and ends");
        };
        // It ends though its client is there and has not gone away, and what came before the end can be read.
        comes_to(0).await;
        let mut count = 1;
        let status = loop {
            match first.next().await.expect("an error is no end") {
                Ok(_) => count += 1,
                Err(status) => break status,
            }
        };
        assert!(count < ROWS);
        let reason = status.get_error_details().error_info().map(|info| info.reason.clone());
        assert_eq!((status.code(), reason.as_deref()), (Code::DeadlineExceeded, Some("STREAM_IDLE")));
    };
    served.client.streaming("LinesService/StreamLines", json!({}), &Options::default(), outer).unwrap();
    // As many as streams may have of the pool.
    let unread = unread(&served);
    until("it runs", || (served.sql(running) == "1").then_some(()));
    let other = served.call("StudentsService/GetStudent", json!({"id": 1, "readMask": "id"}));
    assert_eq!(other.unwrap(), json!({"student": {"id": 1}}));
    drop(unread);
    // One that is read without haste, but read, does not.
    let slowly = async |mut rows: tonic::Streaming<bytes::Bytes>| {
        let mut count = 0;
        while let Some(row) = rows.next().await {
            row.unwrap();
            count += 1;
            if count % 20_000 == 0 {
                tokio::time::sleep(Duration::from_millis(400)).await;
            }
        }
        count
    };
    let all = served.client.streaming("LinesService/StreamLines", json!({}), &Options::default(), slowly);
    assert_eq!(all.unwrap(), ROWS);
}

#[test]
fn streams_that_nobody_reads_leave_half_of_the_pool_to_others() {
    let served = numbered_with(&[("PGRST_DB_POOL", "4"), ("PGRST_DB_POOL_ACQUISITION_TIMEOUT", "3")]);
    let running =
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND query LIKE '%lines%'
         AND state <> 'idle' AND pid <> pg_backend_pid()";
    let unread = [(); 4].map(|()| unread(&served));
    until("two of them run", || (served.sql(running) == "2").then_some(()));
    for _ in 0..3 {
        let other = served.call("StudentsService/GetStudent", json!({"id": 1, "readMask": "id"}));
        assert_eq!(other.unwrap(), json!({"student": {"id": 1}}));
    }
    assert_eq!(served.sql(running), "2");
    drop(unread);
}

/// A call of a stream whose client reads nothing, and does not go away.
fn unread(served: &Served) -> Connection {
    let mut connection = Connection::open(served.server.address());
    let head = "POST /api.v1.LinesService/StreamLines HTTP/1.1\r\nHost: localhost\r\n\
                Content-Type: application/connect+json\r\nContent-Length: 7\r\n\r\n";
    connection.write(&[head.as_bytes(), b"\0\0\0\0\x02{}"].concat()).unwrap();
    connection
}

#[test]
fn a_long_stream_takes_no_more_memory_than_a_short_one() {
    let served = numbered();
    let count = |request| {
        let read = async |mut rows: tonic::Streaming<bytes::Bytes>| {
            let mut count = 0;
            while let Some(row) = rows.next().await {
                row.unwrap();
                count += 1;
            }
            count
        };
        served.client.streaming("LinesService/StreamLines", request, &Options::default(), read).unwrap()
    };
    assert_eq!(count(json!({"where": {"id": {"lte": 10_000}}})), 10_000);
    let before = peak(&served);
    assert_eq!(count(json!({"orderBy": "id"})), ROWS);
    let grown = peak(&served) - before;
    assert!(grown < 8 * 1024, "{ROWS} rows took {grown} KiB more than 10000");
}

#[test]
fn a_reader_that_waits_makes_the_server_and_its_query_wait() {
    let served = numbered();
    let waiting = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'ClientWrite'";
    let before = peak(&served);
    let read = async |mut rows: tonic::Streaming<bytes::Bytes>| {
        assert!(rows.next().await.unwrap().is_ok());
        let client = served.database.client().await;
        // PostgreSQL says by itself that nobody takes its rows.
        let blocked = async {
            while client.query_one(waiting, &[]).await.unwrap().get::<_, i64>(0) == 0 {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(30), blocked).await.expect("the query waits");
        let mut count = 1;
        while let Some(row) = rows.next().await {
            row.unwrap();
            count += 1;
        }
        count
    };
    let all =
        served.client.streaming("LinesService/StreamLines", json!({}), &Options::default(), read).unwrap();
    assert_eq!(all, ROWS);
    let grown = peak(&served) - before;
    assert!(grown < 8 * 1024, "a slow reader took {grown} KiB");
}

#[test]
fn a_reader_that_waits_and_then_goes_away_ends_the_query() {
    let served = numbered();
    let of_query =
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND query LIKE '%lines%'
         AND state <> 'idle' AND pid <> pg_backend_pid()";
    let blocked = format!("{of_query} AND wait_event = 'ClientWrite'");
    let read = async |mut rows: tonic::Streaming<bytes::Bytes>| {
        assert!(rows.next().await.unwrap().is_ok());
        let client = served.database.client().await;
        let until = async |query: &str, count: i64| {
            let found = async {
                while client.query_one(query, &[]).await.unwrap().get::<_, i64>(0) != count {
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
            };
            tokio::time::timeout(Duration::from_secs(30), found).await.expect(query);
        };
        until(&blocked, 1).await;
        drop(rows);
        until(of_query, 0).await;
    };
    served.client.streaming("LinesService/StreamLines", json!({}), &Options::default(), read).unwrap();
}

#[test]
fn a_stream_that_meets_db_max_rows_says_so_after_the_rows_that_it_allows() {
    let served = served_with(FIXTURE, &[("PGRST_DB_MAX_ROWS", "3")]);
    let read = |method: &str, request| {
        let read = async |mut rows: tonic::Streaming<bytes::Bytes>| {
            let mut count = 0;
            while let Some(row) = rows.next().await {
                match row {
                    Ok(_) => count += 1,
                    Err(status) => return (count, Some(status)),
                }
            }
            (count, None)
        };
        let (count, status) = served.client.streaming(method, request, &Options::default(), read).unwrap();
        let info = status.as_ref().map(|status| (status.code(), status.get_error_details()));
        let info = info.map(|(code, details)| (code, details.error_info().unwrap().reason.clone()));
        (count, info)
    };
    let over = Some((Code::ResourceExhausted, "TOO_MANY_ROWS".to_owned()));
    for (upto, expected) in
        [(2, (2, None)), (3, (3, None)), (4, (3, over.clone())), (5000, (3, over.clone()))]
    {
        assert_eq!(read("FunctionsService/Numbers", json!({"upto": upto})), expected, "{upto}");
    }
    let students: i64 = served.sql("SELECT count(*) FROM api.students").parse().unwrap();
    assert!(students > 3);
    assert_eq!(read("StudentsService/StreamStudents", json!({})), (3, over));
    let some = json!({"skip": students - 2});
    assert_eq!(read("StudentsService/StreamStudents", some), (2, None));
}

#[test]
fn a_stream_is_of_one_snapshot() {
    let served = numbered();
    let read = async |mut rows: tonic::Streaming<bytes::Bytes>| {
        assert!(rows.next().await.unwrap().is_ok());
        let client = served.database.client().await;
        client
            .batch_execute("DELETE FROM api.lines; INSERT INTO api.lines VALUES (999999, 'late')")
            .await
            .unwrap();
        let mut count = 1;
        while let Some(row) = rows.next().await {
            row.unwrap();
            count += 1;
        }
        count
    };
    let all = served.client.streaming(
        "LinesService/StreamLines",
        json!({"readMask": "id"}),
        &Options::default(),
        read,
    );
    assert_eq!(all.unwrap(), ROWS);
}

/// It would lock everybody else out.
#[test]
fn a_pool_of_one_has_no_connection_for_a_stream() {
    let served = numbered_with(&[("PGRST_DB_POOL", "1")]);
    let outer = async |mut rows: tonic::Streaming<bytes::Bytes>| rows.next().await.unwrap().unwrap_err();
    let ended = served.client.streaming("LinesService/StreamLines", json!({}), &Options::default(), outer);
    let status = ended.unwrap_or_else(|status| status);
    let reason = status.get_error_details().error_info().map(|info| info.reason.clone());
    assert_eq!((status.code(), reason.as_deref()), (Code::FailedPrecondition, Some("STREAMS_IMPOSSIBLE")));
    assert!(status.message().contains("db-pool"), "{status:?}");
    let other = served.call("StudentsService/GetStudent", json!({"id": 1, "readMask": "id"}));
    assert_eq!(other.unwrap(), json!({"student": {"id": 1}}));
}
