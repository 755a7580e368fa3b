//! How many round trips a unit takes: one as soon as its statement is known,
//! and never more than is written here.

use super::{
    proxy::{Pace, Proxy},
    *,
};
use pgduet::sql::Count;

const TYPES: &str = "
    CREATE TYPE mood AS ENUM ('sad', 'ok');
    CREATE DOMAIN positive AS int CHECK (VALUE > 0);
    CREATE TYPE pair AS (mood mood, number positive);
    CREATE TABLE item (id int PRIMARY KEY, mood mood, number positive, pairs pair[]);
    INSERT INTO item VALUES (1, 'ok', 7, ARRAY[ROW('sad', 3)::pair]);
    GRANT ALL ON item TO anonymous;
    CREATE FUNCTION nothing() RETURNS void LANGUAGE sql AS ''";

/// Runs the unit again and again and counts its turns, those that nobody waits for
/// included.
async fn turns(preparation: Preparation, make: impl Fn() -> Unit<'static>) -> [u32; 4] {
    let database = Database::fresh(TYPES);
    let proxy = Proxy::before(&database, Pace::Full);
    let pool = pool_of(&proxy.uri(&database), Options { preparation, ..options() });
    // The connection, and settings that another unit has prepared.
    for _ in 0..3 {
        run(&pool, Unit { deadline: make().deadline, ..show("SELECT 'x'") }).await.unwrap();
        settled(&pool).await;
    }
    proxy.turns();
    let mut found = [0; 4];
    for turns in &mut found {
        run(&pool, make()).await.unwrap();
        settled(&pool).await;
        *turns = proxy.turns();
    }
    found
}

/// The connection is there for the next unit when the session was put back.
async fn settled(pool: &Pool) {
    while pool.status().available == 0 {
        tokio::task::yield_now().await;
    }
}

const ALWAYS: Preparation = Preparation::Cached(NonZeroUsize::MAX);

fn by_mood(layout: Layout, sql: [&'static str; 2]) -> Unit<'static> {
    let mut fragment = fragment(sql[0]);
    fragment.text("ok").sql(sql[1]).text("1");
    unit(fragment, layout)
}

#[tokio::test]
async fn text_takes_one_turn_from_the_first_time_on() {
    assert_eq!(turns(ALWAYS, || show("SELECT id::text FROM item")).await, [1; 4]);
}

#[tokio::test]
async fn all_that_a_unit_can_say_takes_one_turn() {
    let full = || Unit {
        pre_request: Some(Cow::Owned(fragment("SELECT FROM nothing()"))),
        count: Some(Cow::Owned(Count::Planned(fragment("EXPLAIN (FORMAT JSON) SELECT FROM item")))),
        response_settings: ResponseSettings::Read,
        deadline: Some(Duration::from_secs(60)),
        isolation: Isolation::Serializable,
        ..show("SELECT id::text FROM item")
    };
    assert_eq!(turns(ALWAYS, full).await, [1; 4]);
    assert_eq!(turns(ALWAYS, || Unit { end: End::Rollback, ..full() }).await, [1; 4]);
    assert_eq!(turns(Preparation::Never, full).await, [1; 4]);
}

#[tokio::test]
async fn a_result_that_decides_the_end_takes_another_turn_where_something_could_be_undone() {
    let expecting = |access| move || Unit { expectation: Expectation::One, access, ..show("SELECT 'x'") };
    assert_eq!(turns(ALWAYS, expecting(Access::ReadWrite)).await, [2; 4]);
    assert_eq!(turns(ALWAYS, expecting(Access::ReadOnly)).await, [1; 4]);
}

#[tokio::test]
async fn parameters_of_types_that_are_not_built_in_take_one_turn() {
    let sql = ["SELECT id::text FROM item WHERE mood = ", " AND number = 6 + "];
    assert_eq!(turns(ALWAYS, || by_mood(Layout::Lines, sql)).await, [1; 4]);
    let sql = ["SELECT id::text FROM item WHERE mood = ", " AND number > 0 AND number <> (1 + "];
    let cast = || {
        let mut unit = by_mood(Layout::Lines, sql);
        unit.statement.to_mut().fragment.sql("::positive)");
        unit
    };
    assert_eq!(turns(ALWAYS, cast).await, [1; 4]);
}

/// What a sink has to see the types of is described before it runs.
#[tokio::test]
async fn binary_columns_take_one_turn_when_they_are_known() {
    let all = || unit(fragment("SELECT id, number FROM item"), Layout::Columns);
    assert_eq!(turns(ALWAYS, all).await, [2, 1, 1, 1]);
    assert_eq!(turns(ALWAYS, || unit(fragment("SELECT id FROM item"), Layout::Body)).await, [1; 4]);
    let sql = ["SELECT id, pairs FROM item WHERE mood = ", " AND id = "];
    assert_eq!(turns(ALWAYS, || by_mood(Layout::Columns, sql)).await, [2, 1, 1, 1]);
    // Nothing is known from one time to the next.
    assert_eq!(turns(Preparation::Never, all).await, [2; 4]);
}
