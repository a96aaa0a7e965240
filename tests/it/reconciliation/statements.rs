//! Statements of others: each kind of disagreement is planted in a file, and told by its name; a whole one matches whole.

use std::collections::BTreeSet;

use chrono::NaiveDate;
use domain::reconciliation::statements::{ImportError, Imported, NewStatement, import};
use ledger::{AccountId, Book, Currency, Money};
use uuid::Uuid;

use super::kit::Stage;

const HEADER: &str = "date,amount,currency,reference,id,description\n";

/// A line of ours as a statement would have it.
#[derive(Debug, Clone)]
struct Ours {
    day: NaiveDate,
    amount: i64,
    reference: Option<String>,
    id: Uuid,
}

/// The entries of an account, as its bank would list them.
async fn ours(stage: &Stage, account: AccountId) -> Vec<Ours> {
    let rows: Vec<(NaiveDate, i64, Option<String>, Uuid)> = sqlx::query_as(
        "select (r.effective_at at time zone 'UTC')::date, e.amount, r.reference, r.id
         from ledger.entry as e
         join ledger.transaction as t on t.seq = e.seq
         join app.transaction as r on r.id = t.id
         where e.account_id = $1
         order by e.version",
    )
    .bind(account.0)
    .fetch_all(&stage.pool)
    .await
    .unwrap();
    rows.into_iter().map(|(day, amount, reference, id)| Ours { day, amount, reference, id }).collect()
}

fn pounds(pence: i64) -> String {
    Money { minor: pence.into(), currency: Currency::GBP }.to_decimal_string()
}

fn line(day: NaiveDate, pence: i64, reference: &str, id: &str) -> String {
    format!("{day},{},GBP,{reference},{id},\n", pounds(pence))
}

/// Imports a file as the whole life of an account up to today.
async fn bring(stage: &Stage, account: AccountId, file: &str, closing: i64) -> Result<Imported, ImportError> {
    let mut conn = stage.pool.acquire().await.unwrap();
    let today: NaiveDate = stage.scalar("select (now() at time zone 'UTC')::date").await;
    let gbp = |pence: i64| Money { minor: pence.into(), currency: Currency::GBP };
    let new = NewStatement {
        name: "bank".to_owned(),
        account,
        period_from: today - chrono::Days::new(30),
        period_to: today + chrono::Days::new(4),
        opening: gbp(0),
        closing: gbp(closing),
        tolerance_days: 3,
        tolerance_amount: 0,
    };
    import(&mut conn, Book::MAIN, &new, file.as_bytes(), "test").await
}

#[tokio::test]
async fn a_whole_statement_matches_whole_by_id_by_reference_and_by_amount() {
    let stage = Stage::create_without_holds().await;
    let account = stage.people[1].wallet;
    let ours = ours(&stage, account).await;
    let closing: i64 = ours.iter().map(|one| one.amount).sum();
    let by_id: String = ours.iter().map(|one| line(one.day, one.amount, "", &one.id.to_string())).collect();
    let by_reference: String =
        ours.iter().map(|one| line(one.day, one.amount, one.reference.as_deref().unwrap_or(""), "")).collect();
    let by_amount: String = ours.iter().rev().map(|one| line(one.day, one.amount, "", "")).collect();
    for (file, by, shape) in
        [(by_id, "id", "1:1"), (by_reference, "reference", "1:1"), (by_amount, "amount_date", "1:1")]
    {
        sqlx::raw_sql("delete from reconciliation.statement; delete from reconciliation.match")
            .execute(&stage.pool)
            .await
            .unwrap();
        let imported = bring(&stage, account, &format!("{HEADER}{file}"), closing).await.unwrap();
        assert_eq!((imported.lines as usize, imported.is_repeated), (ours.len(), false));
        assert_eq!(stage.found(stage.incremental().await).await, BTreeSet::new(), "{by}");
        let matched: i32 = stage.scalar("select matched_lines from reconciliation.statement").await;
        assert_eq!(matched as usize, ours.len());
        let kinds: String = stage
            .scalar(
                "select matched_by || ' ' || shape from reconciliation.match group by 1 order by count(*) desc limit 1",
            )
            .await;
        assert_eq!(kinds, format!("{by} {shape}"));
        let again = bring(&stage, account, &format!("{HEADER}{file}"), closing).await.unwrap();
        assert_eq!((again.id, again.is_repeated), (imported.id, true), "the same file is imported once");
    }
}

#[tokio::test]
async fn every_kind_of_disagreement_is_told_by_its_name() {
    let stage = Stage::create_without_holds().await;
    let account = stage.people[1].wallet;
    let ours = ours(&stage, account).await;
    let mut lines: Vec<String> = Vec::new();
    let mut wanted: BTreeSet<&str> = BTreeSet::new();
    let mut total = 0;
    for (number, one) in ours.iter().enumerate() {
        let id = one.id.to_string();
        let mut say = |day: NaiveDate, pence: i64, id: &str| {
            total += pence;
            lines.push(line(day, pence, "", id));
        };
        match number {
            10 => wanted.insert("R10 late"),
            11 => {
                say(one.day, one.amount + 3, &id);
                wanted.insert("R10 amount")
            }
            12 => {
                say(one.day, one.amount, &id);
                say(one.day, one.amount, &id);
                wanted.insert("R10 duplicate")
            }
            13 => {
                lines.push(format!("{},{},EUR,,{id},\n", one.day, pounds(one.amount)));
                wanted.insert("R10 currency")
            }
            // In two parts, and on another day.
            14 => {
                say(one.day, one.amount - 1_000, &id);
                say(one.day, 1_000, &id);
                true
            }
            15 => {
                say(one.day - chrono::Days::new(5), one.amount, &id);
                true
            }
            _ => {
                say(one.day, one.amount, &id);
                true
            }
        };
    }
    let today = ours[0].day;
    lines.push(line(today, 98_765_432, "", "no-such-thing"));
    wanted.insert("R10 missing_here");
    wanted.insert("R10 closing");
    let file = format!("{HEADER}{}", lines.concat());
    bring(&stage, account, &file, total + 98_765_432 + 1).await.unwrap();
    // The entry that the statement lacks lies before the last three days of its period: missing, not late.
    wanted.insert("R10 missing_there");
    let found = stage.found(stage.incremental().await).await;
    assert_eq!(found, wanted.into_iter().map(str::to_owned).collect());
    let shapes: i64 = stage.scalar("select count(*) from reconciliation.match where shape = 'n:1'").await;
    assert_eq!(shapes, 2, "a transaction in two lines");
}

#[tokio::test]
async fn one_line_stands_for_a_batch_and_what_nobody_can_tell_apart_is_ambiguous() {
    let stage = Stage::create_without_holds().await;
    let account = stage.people[1].wallet;
    let ours = ours(&stage, account).await;
    let closing: i64 = ours.iter().map(|one| one.amount).sum();
    // All references are `order-<id of the batch>/<number>`: one line for each batch.
    stage.plant("update app.transaction set reference = 'batch/' || seq where reference is not null").await;
    let with_reference = ours.iter().filter(|one| one.reference.is_some());
    let batch: i64 = with_reference.map(|one| one.amount).sum();
    let rest: String = ours
        .iter()
        .filter(|one| one.reference.is_none())
        .map(|one| line(one.day, one.amount, "", &one.id.to_string()))
        .collect();
    let file = format!("{HEADER}{}{rest}", line(ours[0].day, batch, "batch", ""));
    bring(&stage, account, &file, closing).await.unwrap();
    let found = stage.found(stage.incremental().await).await;
    assert_eq!(found, BTreeSet::from(["R8 request_differs".to_owned()]), "the references were changed");
    let shapes: i64 = stage.scalar("select count(*) from reconciliation.match where shape = '1:n'").await;
    assert_eq!(shapes, 300);
    // The same amount two days on, twice: which is which, nobody knows.
    let (day, amount) = (ours[0].day, ours[5].amount);
    let unclear: String = (1..=2).map(|days| line(day + chrono::Days::new(days), amount, "", "")).collect();
    stage.plant("delete from reconciliation.match").await;
    bring(&stage, account, &format!("{HEADER}{unclear}"), amount * 2).await.unwrap();
    let found = stage.found(stage.incremental().await).await;
    assert!(found.contains("R10 ambiguous"), "{found:?}");
}

#[tokio::test]
async fn a_wrong_file_is_refused_whole_and_says_where() {
    let stage = Stage::create_without_holds().await;
    let account = stage.people[1].wallet;
    let good = "2026-01-31,1.00,GBP,,,\n";
    let error = bring(&stage, account, &format!("{HEADER}{good}2026-01-31,1.005,GBP,,,\n"), 0).await.unwrap_err();
    assert!(error.to_string().starts_with("line 3, column amount: "), "{error}");
    let lines: i64 = stage.scalar("select count(*) from reconciliation.statement_line").await;
    assert_eq!(lines, 0, "all or nothing");
    let error = bring(&stage, AccountId(Uuid::now_v7()), HEADER, 0).await.unwrap_err();
    assert!(error.to_string().starts_with("account: there is no account"), "{error}");
}
