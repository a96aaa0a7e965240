//! The log by itself: numbers, pages, topics, retention, a log that was restored elsewhere.

use domain::events::log::{self, Bounds, LoggedEvent, Most, Which};
use domain::events::{Position, cursor, publish};
use ledger::Book;
use sqlx::PgPool;
use tests::database::{Database, until_blocked};
use tokio::task::JoinHandle;

use super::kit::{MUCH, event, names, read_on, write};

async fn numbered(pool: &PgPool) -> i64 {
    log::number(pool, 0).await.unwrap()
}

#[tokio::test]
async fn a_transaction_that_stays_open_holds_up_nobody_and_comes_when_it_commits() {
    let pool = Database::create().await.pool(4).await;
    let mut open = pool.begin().await.unwrap();
    publish(&mut open, Book::MAIN, &[event("early", &["ledger"])]).await.unwrap();
    write(&pool, &["a"], &["ledger"]).await;
    assert_eq!(numbered(&pool).await, 1);
    write(&pool, &["b"], &["ledger"]).await;
    assert_eq!(numbered(&pool).await, 2);
    let (events, at) = read_on(&pool, Position::START, MUCH).await;
    assert_eq!(names(&events), ["a", "b"]);
    open.commit().await.unwrap();
    let (events, at) = read_on(&pool, at, MUCH).await;
    assert_eq!(names(&events), ["early"]);
    let (events, _) = read_on(&pool, at, MUCH).await;
    assert!(events.is_empty());
    let mut undone = pool.begin().await.unwrap();
    publish(&mut undone, Book::MAIN, &[event("never", &["ledger"])]).await.unwrap();
    undone.rollback().await.unwrap();
    assert_eq!(numbered(&pool).await, 3);
}

/// Two numberers at once: the second waits, and numbers what came meanwhile and nothing else.
#[tokio::test]
async fn two_number_one_after_the_other() {
    let pool = Database::create().await.pool(4).await;
    write(&pool, &["a"], &["ledger"]).await;
    let mut first = pool.begin().await.unwrap();
    let last: i64 = sqlx::query_scalar("select app.number_events(0::smallint)").fetch_one(&mut *first).await.unwrap();
    assert_eq!(last, 1);
    write(&pool, &["b"], &["ledger"]).await;
    let second = tokio::spawn({
        let pool = pool.clone();
        async move { numbered(&pool).await }
    });
    until_blocked(&pool).await;
    first.commit().await.unwrap();
    assert_eq!(second.await.unwrap(), 2);
    assert_eq!(names(&read_on(&pool, Position::START, MUCH).await.0), ["a", "b"]);
}

/// Everything from the start, by looks alone, which number what has no number; and the last number.
async fn look_on(pool: &PgPool, most: Most) -> (Vec<LoggedEvent>, i64) {
    let (mut events, mut position) = (Vec::new(), Position::START);
    loop {
        let (last, page) = log::look(pool, 0, position, most).await.unwrap();
        let Some(through) = page.through else { return (events, last) };
        assert!(through > position, "a look gets on");
        events.extend(page.events);
        position = through;
    }
}

#[tokio::test]
async fn a_look_numbers_what_is_new_and_answers_it() {
    let pool = Database::create().await.pool(2).await;
    let (last, page) = log::look(&pool, 0, Position::START, MUCH).await.unwrap();
    assert_eq!((last, page.events.len(), page.through), (0, 0, None));
    write(&pool, &["a", "b"], &["ledger"]).await;
    let (last, page) = log::look(&pool, 0, Position::START, MUCH).await.unwrap();
    assert_eq!((last, names(&page.events), page.through), (1, vec!["a".into(), "b".into()], Some(Position::end_of(1))));
    // Who is at the end, or says that he is beyond it, hears of nothing.
    for position in [Position::end_of(1), Position::end_of(7), Position::end_of(i64::MAX)] {
        let (last, page) = log::look(&pool, 0, position, MUCH).await.unwrap();
        assert_eq!((last, page.events.len(), page.through), (1, 0, None), "after {position}");
    }
}

#[tokio::test]
async fn pages_may_end_anywhere_and_topics_are_found() {
    let pool = Database::create().await.pool(4).await;
    let many: Vec<String> = (0..25).map(|n| format!("n{n}")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    write(&pool, &many, &["user:1", "ledger"]).await;
    write(&pool, &["other"], &["user:2"]).await;
    write(&pool, &["mine"], &["user:1"]).await;
    let all: Vec<&str> = many.iter().copied().chain(["other", "mine"]).collect();
    for events in [1, 7, 25, 26, 100] {
        for commits in [1, 2, 10] {
            let (found, _) = read_on(&pool, Position::START, Most { commits, events }).await;
            assert_eq!(names(&found), all, "{events} events of {commits} commits at once");
            let (found, last) = look_on(&pool, Most { commits, events }).await;
            assert_eq!((names(&found), last), (all.iter().map(ToString::to_string).collect(), 3), "by looks");
        }
    }
    let mut conn = pool.acquire().await.unwrap();
    let topics = ["user:2".to_owned(), "user:3".to_owned()];
    let which = Which { topics: Some(&topics), book: Some(1), until: None };
    let page = log::read(&mut conn, 0, Position::START, which, MUCH).await.unwrap();
    assert_eq!((names(&page.events), page.through), (vec!["other".to_owned()], Some(Position::end_of(3))));
    let elsewhere = Which { book: Some(2), ..which };
    assert!(log::read(&mut conn, 0, Position::START, elsewhere, MUCH).await.unwrap().events.is_empty());
    let page =
        log::read(&mut conn, 0, Position { seq: 1, event: 24 }, Which { until: Some(1), ..Which::default() }, MUCH)
            .await;
    assert_eq!(names(&page.unwrap().events), ["n24"]);
}

#[tokio::test]
async fn old_days_are_dropped_and_the_numbers_go_on() {
    let pool = Database::create().await.pool(4).await;
    // A day that is over: made by hand, and filled as if it were written then.
    sqlx::raw_sql(
        "create table app.event_batch_20200101 partition of app.event_batch for values from ('2020-01-01 00:00+00') to ('2020-01-02 00:00+00');
         create table app.event_number_20200101 partition of app.event_number for values from ('2020-01-01 00:00+00') to ('2020-01-02 00:00+00');
         insert into app.event_batch (xid, at, book_id, kinds, topics, payloads, filter)
         values ('3', '2020-01-01 12:00+00', 1, array['test.written'], array['ledger'], array['{}'], '');
         insert into app.event_number (seq, numbered_at, xid, at, book_id, seen)
         values (1, '2020-01-01 12:00+00', '3', '2020-01-01 12:00+00', 1, pg_current_snapshot())",
    )
    .execute(&pool)
    .await
    .unwrap();
    let mut conn = pool.acquire().await.unwrap();
    assert_eq!(log::bounds(&mut conn, 0).await.unwrap(), Bounds { first: 1, last: 1 });
    assert_eq!(log::keep_days(&mut conn, 7).await.unwrap(), 2);
    assert_eq!(log::keep_days(&mut conn, 7).await.unwrap(), 0);
    let bounds = log::bounds(&mut conn, 0).await.unwrap();
    assert_eq!(bounds, Bounds { first: 2, last: 1 });
    assert!(bounds.has_all_after(Position::end_of(1)) && !bounds.has_all_after(Position::START));
    write(&pool, &["next"], &["ledger"]).await;
    assert_eq!(numbered(&pool).await, 2);
    assert_eq!(names(&read_on(&pool, Position::end_of(1), MUCH).await.0), ["next"]);
    // Days are there for what is to come, and what lay in no day's partition moves to its own.
    let ahead: i64 = sqlx::query_scalar(
        "select count(*) from pg_inherits where inhparent = 'app.event_batch'::regclass and inhrelid::regclass::text ~ '_[0-9]{8}$'
            and right(inhrelid::regclass::text, 8) >= to_char(now() at time zone 'utc', 'YYYYMMDD')",
    )
    .fetch_one(&pool)
    .await
    .unwrap();
    assert_eq!(ahead, 8);
}

/// The events of one commit are much alike; also on a day that was made later.
#[tokio::test]
async fn events_take_less_room_than_their_text_where_the_server_has_lz4() {
    let pool = Database::create().await.pool(4).await;
    if sqlx::raw_sql("create table has_lz4 (one text compression lz4)").execute(&pool).await.is_err() {
        eprintln!("skipped: this PostgreSQL was built without lz4");
        return;
    }
    let made_anew = "do $$ begin
        execute 'drop table ' || string_agg(inhrelid::regclass::text, ', ') from pg_inherits
         where inhparent in ('app.event_batch'::regclass, 'app.event_number'::regclass)
           and inhrelid::regclass::text ~ '_[0-9]{8}$'; end $$";
    let names: Vec<String> = (0..1_000).map(|number| format!("the event of number {number}")).collect();
    let written: Vec<&str> = names.iter().map(String::as_str).collect();
    for days in ["of the migrations", "made anew"] {
        if days == "made anew" {
            sqlx::raw_sql(made_anew).execute(&pool).await.unwrap();
            log::keep_days(&mut pool.acquire().await.unwrap(), 7).await.unwrap();
        }
        write(&pool, &written, &["ledger"]).await;
        let stored = "select pg_column_compression(payloads), pg_column_size(payloads), length(payloads::text)
                        from app.event_batch order by at desc limit 1";
        let (method, stored, text): (Option<String>, i32, i32) = sqlx::query_as(stored).fetch_one(&pool).await.unwrap();
        assert!(method.as_deref() == Some("lz4") && stored < text / 2, "{days}: {method:?}, {stored} of {text}");
    }
    assert_eq!(look_on(&pool, MUCH).await.0.len(), 1_000, "those of days that are gone are gone");
}

/// Makes and drops days. It gives up after a second, and is repeated, as the job is.
fn keep(pool: &PgPool) -> JoinHandle<()> {
    let pool = pool.clone();
    tokio::spawn(async move {
        let mut conn = pool.acquire().await.unwrap();
        while let Err(error) = log::keep_days(&mut conn, 7).await {
            assert!(error.to_string().contains("lock timeout"), "{error}");
        }
    })
}

#[tokio::test]
async fn a_day_is_made_when_nobody_publishes_events_of_it_elsewhere() {
    let pool = Database::create().await.pool(4).await;
    let today: String =
        sqlx::query_scalar("select to_char(now() at time zone 'utc', 'YYYYMMDD')").fetch_one(&pool).await.unwrap();
    let drop_today = format!("drop table app.event_batch_{today}, app.event_number_{today}");
    sqlx::raw_sql(sqlx::AssertSqlSafe(drop_today)).execute(&pool).await.unwrap();
    let mut publishing = pool.begin().await.unwrap();
    publish(&mut publishing, Book::MAIN, &[event("while a day is made", &["ledger"])]).await.unwrap();
    let keeper = keep(&pool);
    until_blocked(&pool).await;
    publishing.commit().await.unwrap();
    keeper.await.unwrap();
    assert_eq!(names(&look_on(&pool, MUCH).await.0), ["while a day is made"]);
    let strays = "select count(*) from only app.event_batch_default";
    assert_eq!(sqlx::query_scalar::<_, i64>(strays).fetch_one(&pool).await.unwrap(), 0);
}

#[tokio::test]
async fn days_are_made_and_dropped_when_nobody_is_between_the_numbers_and_the_events() {
    let pool = Database::create().await.pool(4).await;
    let last_days = "select format('drop table app.%s', string_agg(relname, ', app.'))
                       from (select max(relname) as relname from pg_class where relname ~ '^event_(batch|number)_[0-9]{8}$'
                              group by relname ~ 'batch') as last";
    let drop_last_days: String = sqlx::query_scalar(last_days).fetch_one(&pool).await.unwrap();
    sqlx::raw_sql(sqlx::AssertSqlSafe(drop_last_days)).execute(&pool).await.unwrap();
    let mut reader = pool.begin().await.unwrap();
    sqlx::query("select from app.event_number").execute(&mut *reader).await.unwrap();
    let keeper = keep(&pool);
    until_blocked(&pool).await;
    let read = sqlx::query("lock table app.event_batch in access share mode nowait").execute(&mut *reader).await;
    read.expect("it holds nothing that the reader needs next");
    reader.commit().await.unwrap();
    keeper.await.unwrap();
}

/// A dump has the snapshots of the server that it was taken from; those of the new one count from less.
#[tokio::test]
async fn a_log_that_was_restored_into_a_younger_server_goes_on() {
    let pool = Database::create().await.pool(4).await;
    write(&pool, &["old"], &["ledger"]).await;
    assert_eq!(numbered(&pool).await, 1);
    write(&pool, &["unseen"], &["ledger"]).await;
    sqlx::raw_sql(
        "update app.event_batch set xid = (xid::text::bigint + 1000000)::text::xid8;
         update app.event_number
            set xid = (xid::text::bigint + 1000000)::text::xid8,
                seen = '9000000:9000000:'",
    )
    .execute(&pool)
    .await
    .unwrap();
    write(&pool, &["new"], &["ledger"]).await;
    assert_eq!(numbered(&pool).await, 3);
    write(&pool, &["newer"], &["ledger"]).await;
    assert_eq!(numbered(&pool).await, 4);
    let bounds = log::bounds(&mut pool.acquire().await.unwrap(), 0).await.unwrap();
    assert_eq!(bounds, Bounds { first: 2, last: 4 });
    assert_eq!(names(&read_on(&pool, Position::end_of(1), MUCH).await.0), ["unseen", "new", "newer"]);
}

#[tokio::test]
async fn a_durable_follower_goes_on_where_its_commit_left_it() {
    let pool = Database::create().await.pool(4).await;
    let mut tx = pool.begin().await.unwrap();
    assert_eq!(cursor::lock(&mut tx, 0, "test", Position::end_of(4)).await.unwrap(), Position::end_of(4));
    let to = Position { seq: 5, event: 2 };
    cursor::advance(&mut tx, 0, "test", to).await.unwrap();
    tx.rollback().await.unwrap();
    let mut tx = pool.begin().await.unwrap();
    assert_eq!(cursor::lock(&mut tx, 0, "test", Position::START).await.unwrap(), Position::START);
    cursor::advance(&mut tx, 0, "test", to).await.unwrap();
    let other = tokio::spawn({
        let pool = pool.clone();
        async move { cursor::lock(&mut pool.begin().await.unwrap(), 0, "test", Position::START).await.unwrap() }
    });
    until_blocked(&pool).await;
    tx.commit().await.unwrap();
    assert_eq!(other.await.unwrap(), to);
}

/// However long a transaction is open and however stale the statistics are, a look reads no more than is new.
#[tokio::test]
async fn a_look_costs_what_is_new_and_not_what_is_there() {
    let pool = Database::create().await.pool(4).await;
    let mut open = pool.begin().await.unwrap();
    publish(&mut open, Book::MAIN, &[event("open", &["ledger"])]).await.unwrap();
    for round in 0..20 {
        let names: Vec<String> = (0..10).map(|n| format!("{round}.{n}")).collect();
        for name in &names {
            write(&pool, &[name], &["ledger"]).await;
        }
        numbered(&pool).await;
    }
    let mut conn = pool.acquire().await.unwrap();
    let read = "select coalesce(sum(seq_tup_read), 0)::bigint + coalesce(sum(idx_tup_fetch), 0)::bigint
                  from pg_stat_xact_user_tables where schemaname = 'app' and relname like 'event_batch%'";
    sqlx::raw_sql("begin").execute(&mut *conn).await.unwrap();
    publish(&mut conn, Book::MAIN, &[event("own", &["ledger"])]).await.unwrap();
    let before: i64 = sqlx::query_scalar(read).fetch_one(&mut *conn).await.unwrap();
    sqlx::query("select app.number_events(0::smallint)").execute(&mut *conn).await.unwrap();
    let after: i64 = sqlx::query_scalar(read).fetch_one(&mut *conn).await.unwrap();
    assert!(after - before <= 10, "{} rows were read", after - before);
}
