//! The role that the service runs as: all that it does goes through, and nothing that is recorded can be changed by it.

use ledger::Book;
use ledger::checkpoint::sign_head;
use ledger::keys::SigningKey;
use sqlx::PgConnection;

use crate::ledger_kit::{Bench, capture, close, hold, reversal, transfer};

/// Tables that are only ever added to.
const RECORDED: [&str; 6] = ["transaction", "entry", "refusal", "tile", "checkpoint", "cosignature"];

async fn is_denied(conn: &mut PgConnection, statement: &str) {
    let result = sqlx::raw_sql(sqlx::AssertSqlSafe(statement.to_owned())).execute(conn).await;
    let code = result.err().and_then(|error| Some(error.as_database_error()?.code()?.into_owned()));
    assert_eq!(code.as_deref(), Some("42501"), "{statement}");
}

#[tokio::test]
async fn the_services_role_cannot_change_what_is_recorded() {
    let mut bench = Bench::create(1).await;
    let (cash, wallet) = (bench.cash, bench.wallets[0]);
    bench.post_one(&transfer(cash, wallet, 5)).await;
    bench.execute("set role bitnexus_service".to_owned()).await;
    for table in RECORDED {
        for change in ["update ledger.{} set shard = 0", "delete from ledger.{}", "truncate ledger.{}"] {
            is_denied(&mut bench.conn, &change.replace("{}", table)).await;
        }
    }
    for table in RECORDED.into_iter().chain(["book", "account", "log_key"]) {
        for change in [
            "alter table ledger.{} disable trigger all",
            "alter table ledger.{} add column more integer",
            "alter table ledger.{} owner to bitnexus_service",
            "drop table ledger.{} cascade",
            "delete from ledger.{}",
            "create trigger mine before insert on ledger.{} execute function ledger.refuse_change()",
        ] {
            is_denied(&mut bench.conn, &change.replace("{}", table)).await;
        }
    }
    for change in [
        "update ledger.book set book = 2",
        "update ledger.book set name = 'mine'",
        "update ledger.account set overdraft = true",
        "update ledger.account set currency = 'EUR'",
        "update ledger.log_key set vkey = 'mine'",
        "drop trigger append_only on ledger.entry",
        "create or replace function ledger.refuse_change() returns trigger language sql as 'select null'",
        "drop schema ledger cascade",
        "set session_replication_role = replica",
        "create role mine superuser",
    ] {
        is_denied(&mut bench.conn, change).await;
    }
}

#[tokio::test]
async fn the_services_role_can_do_all_that_the_service_does() {
    let mut bench = Bench::create(0).await;
    bench.execute("set role bitnexus_service".to_owned()).await;
    let wallet = bench.open(ledger::Currency::GBP, ledger::accounts::Overdraft::Forbidden).await;
    let cash = bench.cash;
    let (paid, held) = (transfer(cash, wallet, 5), hold(wallet, cash, 3, None));
    bench.post(&[paid, held.clone(), transfer(wallet, cash, 1_000)]).await;
    bench.post(&[capture(&held)]).await;
    let back = transfer(wallet, cash, 2);
    bench.post(&[back.clone(), reversal(&back), transfer(wallet, cash, 2), close(wallet)]).await;
    let key = SigningKey::generate("bitnexus.example/main").unwrap();
    assert!(sign_head(&mut bench.conn, Book::MAIN, &key).await.unwrap().is_some());
    let report = bench.verify().await;
    assert!(report.is_clean(), "{:#?}", report.findings);
    assert_eq!((report.leaves, report.refusals, report.checkpoints), (7, 1, 1));
    // The queue's own tables, and a day of its history made and dropped.
    for statement in [
        "insert into queue.job (kind) select null where false",
        "create table queue.job_history_of_a_day (like queue.job_history including all)",
        "alter table queue.job_history attach partition queue.job_history_of_a_day
             for values from ('2001-01-01') to ('2001-01-02')",
        "drop table queue.job_history_of_a_day",
        "select * from app.api_key, public._sqlx_migrations where false",
    ] {
        bench.execute(statement.to_owned()).await;
    }
}
