//! How PostgreSQL is: dead rows, held snapshots, the queue of notifications, partitions, sessions.

use queue::metrics::{self as define, Metric};
use sqlx::PgConnection;

use super::set;

const LIVE: Metric = define::gauge("postgres_live_tuples", &["table"], "Rows, as statistics estimate them.");
const DEAD: Metric = define::gauge("postgres_dead_tuples", &["table"], "Row versions that vacuum has not removed yet.");
const TABLE_BYTES: Metric = define::gauge("postgres_table_bytes", &["table"], "Size of the table with its indexes.");
const VACUUMED_AT: Metric = define::gauge_seconds(
    "postgres_last_vacuum_timestamp_seconds",
    &["table"],
    "When it was last vacuumed, in seconds since 1970; 0 if never.",
);
const DATABASE_BYTES: Metric = define::gauge("postgres_database_bytes", &[], "Size of the database.");
const OLDEST_SNAPSHOT: Metric = define::gauge_seconds(
    "postgres_oldest_snapshot_seconds",
    &[],
    "For how long the oldest transaction has kept vacuum from removing rows.",
);
const PREPARED: Metric =
    define::gauge("postgres_prepared_transactions", &[], "Transactions that were prepared and not ended.");
const FROZEN_AGE: Metric =
    define::gauge("postgres_frozen_age_transactions", &[], "Transactions since the oldest row that is not frozen.");
const NOTIFY_QUEUE: Metric =
    define::gauge("postgres_notify_queue_ratio", &[], "How full the queue of notifications is, 0 to 1.");
const PARTITIONS_AHEAD: Metric =
    define::gauge("postgres_partitions_ahead", &["table"], "Days after today that have a partition.");
const DEFAULT_USED: Metric = define::gauge(
    "postgres_default_partition_used",
    &["table"],
    "Whether rows fell into the default partition, because a day had none.",
);
const CONNECTIONS: Metric = define::gauge(
    "postgres_connections",
    &["state"],
    "Sessions of the database: active, idle, idle_in_transaction or other.",
);
const CONNECTIONS_MAX: Metric = define::gauge(
    "postgres_connections_max",
    &[],
    "How many sessions the server allows, without those that it reserves.",
);
const LOCK_WAITS: Metric = define::gauge("postgres_lock_waits", &[], "Sessions that wait for a lock.");
const TRANSACTIONS: Metric =
    define::counter("postgres_transactions_total", &["outcome"], "Transactions of the database: commit or rollback.");
const DEADLOCKS: Metric = define::counter("postgres_deadlocks_total", &[], "Deadlocks.");
const BLOCKS: Metric =
    define::counter("postgres_blocks_total", &["source"], "Pages that were read, from cache or disk.");
const TEMP_BYTES: Metric = define::counter("postgres_temp_bytes_total", &[], "What queries wrote to temporary files.");
const WAL_BYTES: Metric = define::counter("postgres_wal_bytes_total", &[], "Write-ahead log written.");

pub(super) const METRICS: [Metric; 19] = [
    LIVE,
    DEAD,
    TABLE_BYTES,
    VACUUMED_AT,
    DATABASE_BYTES,
    OLDEST_SNAPSHOT,
    PREPARED,
    FROZEN_AGE,
    NOTIFY_QUEUE,
    PARTITIONS_AHEAD,
    DEFAULT_USED,
    CONNECTIONS,
    CONNECTIONS_MAX,
    LOCK_WAITS,
    TRANSACTIONS,
    DEADLOCKS,
    BLOCKS,
    TEMP_BYTES,
    WAL_BYTES,
];

/// The tables that are told of: those that change fast, and those that grow.
const TABLES: [&str; 15] = [
    "queue.job",
    "queue.job_history",
    "queue.dead_job",
    "queue.counter_change",
    "queue.limit_key",
    "queue.limit_free",
    "queue.process",
    "ledger.account",
    "ledger.transaction",
    "ledger.entry",
    "ledger.tile",
    "app.transaction",
    "app.event",
    "app.idempotency",
    "app.session",
];

/// The table that has a partition for each day.
const BY_DAY: &str = "queue.job_history";

const STATES: [&str; 4] = ["active", "idle", "idle_in_transaction", "other"];

pub(super) fn register() {
    for metric in [LIVE, DEAD, TABLE_BYTES, VACUUMED_AT] {
        metric.register(&[&TABLES]);
    }
    for metric in [PARTITIONS_AHEAD, DEFAULT_USED] {
        metric.register(&[&[BY_DAY]]);
    }
    CONNECTIONS.register(&[&STATES]);
    TRANSACTIONS.register(&[&["commit", "rollback"]]);
    BLOCKS.register(&[&["cache", "disk"]]);
    for metric in METRICS.iter().filter(|metric| metric.labels.is_empty()) {
        metric.register(&[]);
    }
}

pub(super) async fn read(conn: &mut PgConnection) -> sqlx::Result<()> {
    tables(conn).await?;
    partitions(conn).await?;
    sessions(conn).await?;
    server(conn).await?;
    totals(conn).await
}

async fn tables(conn: &mut PgConnection) -> sqlx::Result<()> {
    let tables = sqlx::query!(
        r#"
        select given.name as "name!",
               coalesce(sum(stat.n_live_tup), 0)::float8 as "live!",
               coalesce(sum(stat.n_dead_tup), 0)::float8 as "dead!",
               coalesce(sum(pg_total_relation_size(part.oid)), 0)::float8 as "bytes!",
               coalesce(extract(epoch from max(greatest(stat.last_vacuum, stat.last_autovacuum))), 0)::float8 as "vacuumed!"
          from unnest($1::text[]) as given (name)
          -- A table, or its partitions: the parent of these holds nothing.
         cross join lateral (
               select to_regclass(given.name)::oid as oid
                union
               select relid::oid from pg_partition_tree(to_regclass(given.name))
               ) as part
          left join pg_stat_all_tables as stat on stat.relid = part.oid
         group by given.name
        "#,
        &TABLES as &[&str],
    );
    for table in tables.fetch_all(conn).await? {
        let name = Some(table.name.as_str());
        set(&LIVE, name, table.live);
        set(&DEAD, name, table.dead);
        set(&TABLE_BYTES, name, table.bytes);
        set(&VACUUMED_AT, name, table.vacuumed);
    }
    Ok(())
}

async fn partitions(conn: &mut PgConnection) -> sqlx::Result<()> {
    let days = sqlx::query!(
        r#"
        select count(*) filter (
                   where class.relname > 'job_history_' || to_char(now() at time zone 'utc', 'YYYYMMDD')
                     and class.relname ~ '^job_history_[0-9]{8}$'
               ) as "ahead!",
               exists (select from queue.job_history_default)::integer as "is_default_used!"
          from pg_inherits
          join pg_class as class on class.oid = inhrelid
         where inhparent = 'queue.job_history'::regclass
        "#,
    );
    let days = days.fetch_one(conn).await?;
    set(&PARTITIONS_AHEAD, Some(BY_DAY), days.ahead as f64);
    set(&DEFAULT_USED, Some(BY_DAY), f64::from(days.is_default_used));
    Ok(())
}

async fn sessions(conn: &mut PgConnection) -> sqlx::Result<()> {
    let sessions = sqlx::query!(
        r#"select state as "state!", sessions as "sessions!", lock_waits as "lock_waits!" from queue.sessions()"#
    );
    let sessions = sessions.fetch_all(conn).await?;
    for state in STATES {
        let of_state = sessions.iter().filter(|one| one.state == state);
        set(&CONNECTIONS, Some(state), of_state.map(|one| one.sessions).sum::<i64>() as f64);
    }
    set(&LOCK_WAITS, None, sessions.iter().map(|one| one.lock_waits).sum::<i64>() as f64);
    Ok(())
}

async fn server(conn: &mut PgConnection) -> sqlx::Result<()> {
    let server = sqlx::query!(
        r#"
        select pg_database_size(current_database())::float8 as "bytes!",
               queue.oldest_snapshot_seconds() as "snapshot_s!",
               (select count(*) from pg_prepared_xacts) as "prepared!",
               (select age(datfrozenxid)::float8 from pg_database where datname = current_database()) as "frozen_age!",
               pg_notification_queue_usage() as "notify!",
               (select sum(case name when 'max_connections' then setting::integer else -setting::integer end)
                  from pg_settings
                 where name in ('max_connections', 'superuser_reserved_connections', 'reserved_connections')
               )::float8 as "connections_max!"
        "#,
    );
    let server = server.fetch_one(conn).await?;
    set(&DATABASE_BYTES, None, server.bytes);
    set(&OLDEST_SNAPSHOT, None, server.snapshot_s);
    set(&PREPARED, None, server.prepared as f64);
    set(&FROZEN_AGE, None, server.frozen_age);
    set(&NOTIFY_QUEUE, None, server.notify);
    set(&CONNECTIONS_MAX, None, server.connections_max);
    Ok(())
}

async fn totals(conn: &mut PgConnection) -> sqlx::Result<()> {
    let totals = sqlx::query!(
        r#"
        select xact_commit::float8 as "commits!", xact_rollback::float8 as "rollbacks!", deadlocks::float8 as "deadlocks!",
               blks_hit::float8 as "cached!", blks_read::float8 as "from_disk!", temp_bytes::float8 as "temp!",
               -- A standby writes none.
               case when pg_is_in_recovery() then 0 else pg_current_wal_lsn() - '0/0' end::float8 as "wal!"
          from pg_stat_database
         where datname = current_database()
        "#,
    );
    let totals = totals.fetch_one(conn).await?;
    set(&TRANSACTIONS, Some("commit"), totals.commits);
    set(&TRANSACTIONS, Some("rollback"), totals.rollbacks);
    set(&DEADLOCKS, None, totals.deadlocks);
    set(&BLOCKS, Some("cache"), totals.cached);
    set(&BLOCKS, Some("disk"), totals.from_disk);
    set(&TEMP_BYTES, None, totals.temp);
    set(&WAL_BYTES, None, totals.wal);
    Ok(())
}
