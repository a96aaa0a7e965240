//! Random histories on a real database against the simplest model there is: outcomes, balances, holds, and every question
//! about the past, after each batch. `LEDGER_CASES` sets how many histories (12).

use chrono::{DateTime, TimeDelta, Utc};
use ledger::accounts::{NewAccount, Overdraft, find, open};
use ledger::history::{
    Entry, Order, Query, balance_at_seq, balance_effective_at, balance_recorded_at, page, seq_at, versions_at,
};
use ledger::{AccountId, Book, LedgerClient, Outcome, Posting};
use proptest::prelude::*;
use uuid::Uuid;

use crate::ledger_invariants::assert_sound;
use crate::ledger_kit::Bench;
use crate::ledger_model::{ACCOUNTS, Model, Record, Script, Step, account_is, histories};

const BOOK: Book = Book::MAIN;

async fn setting() -> (Bench, Model, Script) {
    let mut bench = Bench::create(0).await;
    let mut model = Model::default();
    let ids: Vec<AccountId> = (0..ACCOUNTS).map(|n| AccountId(Uuid::from_u128(n as u128 + 1))).collect();
    for (n, id) in ids.iter().enumerate() {
        let (currency, allowed) = account_is(n);
        let overdraft = if allowed { Overdraft::Allowed } else { Overdraft::Forbidden };
        let account = NewAccount { id: *id, currency, overdraft, code: 0, group: None };
        open(&mut bench.conn, BOOK, &[account]).await.unwrap();
        model.accounts.insert(*id, (currency, allowed));
    }
    // Holds last up to half an hour from the beginning: some are over before they are asked for, and none ends meanwhile.
    let begin = bench.now().await - TimeDelta::seconds(15 * 60 + 30);
    (bench, model, Script::new(ids, begin))
}

async fn run(history: Vec<Vec<Step>>) {
    let (mut bench, mut model, mut script) = setting().await;
    for (n, steps) in history.iter().enumerate() {
        let batch: Vec<Posting> = steps.iter().map(|step| script.posting(step)).collect();
        let mut now = bench.now().await;
        let outcomes = bench.post(&batch).await;
        if let Some(Outcome::Created { recorded_at, .. }) =
            outcomes.iter().find(|o| matches!(o, Outcome::Created { .. }))
        {
            now = *recorded_at;
        }
        assert_eq!(outcomes, model.batch(&batch, now), "batch {n}: {batch:#?}");
        assert_sound(&mut bench).await;
        assert_accounts(&mut bench, &model, &script.accounts).await;
    }
    assert_past(&mut bench, &model, &script).await;
    assert_pages(&mut bench, &model, &script.accounts).await;
    assert_client(&mut bench, &model, &script.accounts).await;
}

async fn assert_accounts(bench: &mut Bench, model: &Model, accounts: &[AccountId]) {
    for account in find(&mut bench.conn, BOOK, accounts).await.unwrap() {
        assert_eq!(account.balance, model.balance(account.id));
        assert_eq!((account.held_out, account.held_in), model.held(account.id));
        assert_eq!(account.closed_seq.is_some(), model.is_closed(account.id));
        assert_eq!(account.available(), account.balance - account.held_out);
    }
}

/// Every balance at every place in the log, and at the times around each transaction.
async fn assert_past(bench: &mut Bench, model: &Model, script: &Script) {
    let conn = &mut bench.conn;
    let step = TimeDelta::microseconds(1);
    let recorded = model.log.iter().flat_map(|record| [record.at - step, record.at]);
    let dated = model.log.iter().filter_map(|record| record.asked.effective_at).flat_map(|at| [at - step, at]);
    let mut times: Vec<DateTime<Utc>> = recorded.chain(dated).collect();
    times.sort_unstable();
    times.dedup();
    for account in &script.accounts {
        for seq in 0..model.log.len() {
            let balance = balance_at_seq(conn, BOOK, *account, seq as i64).await.unwrap();
            assert_eq!(balance, model.balance_at(*account, seq + 1));
        }
        for time in times.iter().step_by(1 + times.len() / 40) {
            let size = model.log.iter().filter(|record| record.at <= *time).count();
            assert_eq!(seq_at(conn, BOOK, *time).await.unwrap(), (size as i64).checked_sub(1).filter(|seq| *seq >= 0));
            let balance = balance_recorded_at(conn, BOOK, *account, *time).await.unwrap();
            assert_eq!(balance, model.balance_at(*account, size));
            let balance = balance_effective_at(conn, BOOK, *account, *time).await.unwrap();
            assert_eq!(balance, model.balance_effective(*account, *time), "of {account} at {time}");
        }
    }
}

/// The records that an account has entries of, in order, and their amounts there.
fn entries_of(model: &Model, account: AccountId) -> Vec<(i64, i128, &Record)> {
    let moved = |record: &&Record| record.asked.act.moves();
    let amount = |record: &Record| record.legs.iter().find(|leg| leg.0 == account).map(|leg| leg.1);
    let all = model.log.iter().enumerate().filter(|(_, record)| moved(record));
    all.filter_map(|(seq, record)| amount(record).map(|amount| (seq as i64, amount, record))).collect()
}

/// All pages one after the other.
async fn all_pages(bench: &mut Bench, account: AccountId, mut query: Query) -> Vec<Entry> {
    let mut entries = Vec::new();
    loop {
        let page = page(&mut bench.conn, BOOK, account, &query).await.unwrap();
        assert!(page.entries.len() as i64 <= query.limit);
        entries.extend(page.entries);
        match page.next {
            Some(next) => query.after = Some(next),
            None => return entries,
        }
    }
}

async fn assert_pages(bench: &mut Bench, model: &Model, accounts: &[AccountId]) {
    let Some(middle) = model.log.get(model.log.len() / 2).map(|record| record.at) else { return };
    let all = Query { limit: 3, ..Query::default() };
    for account in accounts {
        let other = accounts.iter().find(|other| *other != account).copied();
        let queries = [
            all,
            Query { order: Order::OldestFirst, ..all },
            Query { from: Some(middle), order: Order::OldestFirst, ..all },
            Query { before: Some(middle), ..all },
            Query { code: Some(2), ..all },
            Query { code: Some(1), counterparty: other, before: Some(middle), order: Order::OldestFirst, ..all },
            Query { counterparty: other, from: Some(middle), ..all },
        ];
        for query in queries {
            let is_wanted = |record: &Record| {
                query.from.is_none_or(|from| record.at >= from)
                    && query.before.is_none_or(|before| record.at < before)
                    && query.code.is_none_or(|code| record.asked.code == code)
                    && query.counterparty.is_none_or(|other| record.legs.iter().any(|leg| leg.0 == other))
            };
            let entries = entries_of(model, *account).into_iter().filter(|(_, _, record)| is_wanted(record));
            let mut wanted: Vec<(i64, i128)> = entries.map(|(seq, amount, _)| (seq, amount)).collect();
            if query.order == Order::NewestFirst {
                wanted.reverse();
            }
            let found = all_pages(bench, *account, query).await;
            let found: Vec<(i64, i128)> = found.iter().map(|entry| (entry.seq, entry.amount)).collect();
            assert_eq!(found, wanted, "{query:?}");
        }
    }
}

/// A user has the first three accounts.
async fn assert_client(bench: &mut Bench, model: &Model, accounts: &[AccountId]) {
    let (client, mine) = (LedgerClient::new(BOOK), &accounts[..3]);
    let (mut found, mut before) = (Vec::new(), None);
    loop {
        let page = client.get_transaction_history(&mut bench.conn, mine, before, 2).await.unwrap();
        found.extend(page.transactions.iter().map(|leaf| leaf.seq));
        before = page.next;
        if before.is_none() {
            break;
        }
    }
    let is_mine = |record: &Record| record.legs.iter().any(|leg| mine.contains(&leg.0));
    let records = model.log.iter().enumerate().rev();
    let wanted = records.filter(|(_, record)| record.asked.act.moves() && is_mine(record)).map(|(seq, _)| seq as i64);
    assert_eq!(found, wanted.collect::<Vec<_>>());
    let nobody = AccountId(Uuid::now_v7());
    assert_eq!(versions_at(&mut bench.conn, BOOK, &[nobody], 1_000).await.unwrap(), [0]);
    assert!(client.get_transaction_history(&mut bench.conn, &[nobody], None, 9).await.unwrap().transactions.is_empty());
}

#[test]
fn random_histories_come_to_what_the_model_says() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let cases = std::env::var("LEDGER_CASES").map_or(12, |cases| cases.parse().expect("LEDGER_CASES is a number"));
    proptest!(ProptestConfig::with_cases(cases), |(history in histories(8))| {
        runtime.block_on(run(history));
    });
}

#[tokio::test]
async fn a_client_records_once() {
    let mut bench = Bench::create(1).await;
    let (client, deposit) = (LedgerClient::new(BOOK), crate::ledger_kit::transfer(bench.cash, bench.wallets[0], 5));
    let first = client.record_transaction(&mut bench.conn, &deposit).await.unwrap();
    let Outcome::Created { seq, recorded_at } = first else { panic!("it is new") };
    let again = client.record_transaction(&mut bench.conn, &deposit).await.unwrap();
    assert_eq!(again, Outcome::Exists { seq, recorded_at });
}
