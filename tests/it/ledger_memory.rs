//! What a process remembers of a book between its postings is never what the book is not: whoever else writes, whatever is
//! rolled back, and wherever rows are moved to.

use ledger::accounts::groups::{NewGroup, create, move_into};
use ledger::posting::{Memory, PostError, Posted, post_all};
use ledger::reconcile::repair;
use ledger::{AccountId, Book, GroupId, Outcome, Posting};
use sqlx::{Connection, PgConnection};
use uuid::Uuid;

use crate::ledger_invariants::assert_sound;
use crate::ledger_kit::{Bench, capture, hold, transfer, void};

const BOOK: Book = Book::MAIN;

async fn post(conn: &mut PgConnection, memory: &Memory, posting: &Posting) -> Result<Posted, PostError> {
    let mut tx = conn.begin().await?;
    let posted = post_all(&mut tx, BOOK, std::slice::from_ref(posting), memory).await?;
    tx.commit().await?;
    Ok(posted)
}

/// Moves a pound, and compares what the account is said to hold with what it does.
async fn assert_up_to_date(bench: &mut Bench, memory: &Memory, (from, to): (AccountId, AccountId)) {
    let before = bench.balance(to).await;
    let posted = post(&mut bench.conn, memory, &transfer(from, to, 1)).await.unwrap();
    assert!(matches!(posted.outcomes[0], Outcome::Created { .. }), "{posted:?}");
    let now = posted.accounts.iter().find(|now| now.account == to).unwrap();
    assert_eq!(now.balance.minor, before + 1);
    assert_eq!(bench.stand(to).await, (before + 1, i128::from(now.held_out), i128::from(now.held_in)));
}

#[tokio::test]
async fn two_processes_that_post_in_turns_never_remember_what_the_other_changed() {
    let mut bench = Bench::create(2).await;
    let (cash, a) = (bench.cash, bench.wallets[0]);
    let memories = [Memory::default(), Memory::default()];
    for turn in [0, 0, 1, 0, 1, 1, 1, 0, 0] {
        assert_up_to_date(&mut bench, &memories[turn], (cash, a)).await;
        let held = hold(a, bench.wallets[1], 1, None);
        assert!(matches!(
            post(&mut bench.conn, &memories[turn], &held).await.unwrap().outcomes[0],
            Outcome::Created { .. }
        ));
        let end = if turn == 0 { void(&held) } else { capture(&held) };
        assert!(matches!(
            post(&mut bench.conn, &memories[1], &end).await.unwrap().outcomes[0],
            Outcome::Created { .. }
        ));
    }
    assert_sound(&mut bench).await;
}

#[tokio::test]
async fn what_was_rolled_back_is_not_remembered() {
    let mut bench = Bench::create(1).await;
    let (cash, a, memory) = (bench.cash, bench.wallets[0], Memory::default());
    assert_up_to_date(&mut bench, &memory, (cash, a)).await;
    let mut tx = bench.conn.begin().await.unwrap();
    post_all(&mut tx, BOOK, &[transfer(cash, a, 500)], &memory).await.unwrap();
    // Within the transaction it is true.
    let posted = post_all(&mut tx, BOOK, &[transfer(cash, a, 1)], &memory).await.unwrap();
    assert!(posted.accounts.iter().any(|now| now.balance.minor == 502));
    tx.rollback().await.unwrap();
    assert_up_to_date(&mut bench, &memory, (cash, a)).await;
    let mut tx = bench.conn.begin().await.unwrap();
    let mut part = tx.begin().await.unwrap();
    post_all(&mut part, BOOK, &[transfer(cash, a, 500)], &memory).await.unwrap();
    part.rollback().await.unwrap();
    let posted = post_all(&mut tx, BOOK, &[transfer(cash, a, 1)], &memory).await.unwrap();
    assert!(posted.accounts.iter().any(|now| now.balance.minor == 3), "{posted:?}");
    tx.commit().await.unwrap();
    assert_up_to_date(&mut bench, &memory, (cash, a)).await;
    assert_sound(&mut bench).await;
}

#[tokio::test]
async fn whoever_else_writes_an_account_makes_the_memory_out_of_date() {
    let mut bench = Bench::create(1).await;
    let (cash, a, memory) = (bench.cash, bench.wallets[0], Memory::default());
    let group = NewGroup { id: GroupId(Uuid::now_v7()), name: "wallets".to_owned(), parent: None };
    create(&mut bench.conn, BOOK, &group).await.unwrap();
    assert_up_to_date(&mut bench, &memory, (cash, a)).await;
    move_into(&mut bench.conn, BOOK, a, Some(group.id)).await.unwrap();
    assert_up_to_date(&mut bench, &memory, (cash, a)).await;
    // A repair of what somebody else did to the row.
    bench.execute(format!("update ledger.account set balance = balance + 5 where id = '{a}'")).await;
    let mut tx = bench.conn.begin().await.unwrap();
    repair::lock(&mut tx, BOOK).await.unwrap();
    assert!(repair::balance(&mut tx, BOOK, a).await.unwrap());
    tx.commit().await.unwrap();
    assert_up_to_date(&mut bench, &memory, (cash, a)).await;
    assert_sound(&mut bench).await;
}

#[tokio::test]
async fn rows_that_were_moved_behind_its_back_are_found_the_next_time() {
    let mut bench = Bench::create(2).await;
    let (cash, a, memory) = (bench.cash, bench.wallets[0], Memory::default());
    // The rows of the accounts are not in the order of the table's beginning any more.
    for _ in 0..3 {
        assert_up_to_date(&mut bench, &memory, (cash, a)).await;
    }
    bench.execute("vacuum full ledger.account".to_owned()).await;
    let lost = transfer(cash, a, 10);
    let moved = post(&mut bench.conn, &memory, &lost).await;
    assert!(matches!(moved, Err(PostError::Moved(book)) if book == BOOK), "{moved:?}");
    assert_eq!(bench.balance(a).await, 3);
    assert!(matches!(post(&mut bench.conn, &memory, &lost).await.unwrap().outcomes[0], Outcome::Created { .. }));
    assert_up_to_date(&mut bench, &memory, (cash, a)).await;
    assert_sound(&mut bench).await;
}
