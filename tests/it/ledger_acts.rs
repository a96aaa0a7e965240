//! What each act does to the accounts, and what its id is answered with afterwards.

use chrono::TimeDelta;
use ledger::accounts::{Overdraft, find};
use ledger::history::entries;
use ledger::{Act, Book, Currency, Field, Outcome, Posting, Refusal};

use crate::ledger_invariants::assert_sound;
use crate::ledger_kit::{
    Bench, capture, capture_part, chain, close, effective_at, expire, hold, posting, reversal, reverse_part, transfer,
    up_to, void,
};

/// Posts, and expects each to be recorded now.
async fn create(bench: &mut Bench, postings: &[Posting]) {
    let outcomes = bench.post(postings).await;
    assert!(outcomes.iter().all(|outcome| matches!(outcome, Outcome::Created { .. })), "{outcomes:?}");
}

/// A bench with two wallets, 100 in the first.
async fn with_100() -> Bench {
    let mut bench = Bench::create(2).await;
    let deposit = transfer(bench.cash, bench.wallets[0], 100);
    create(&mut bench, &[deposit]).await;
    bench
}

#[tokio::test]
async fn a_hold_sets_aside_and_a_capture_moves_what_is_asked_for() {
    let mut bench = with_100().await;
    let (a, b) = (bench.wallets[0], bench.wallets[1]);
    let (whole, part, voided) = (hold(a, b, 30, None), hold(a, b, 30, None), hold(a, b, 30, None));
    create(&mut bench, &[whole.clone(), part.clone(), voided.clone()]).await;
    assert_eq!((bench.stand(a).await, bench.stand(b).await), ((100, 90, 0), (0, 0, 90)));
    assert_eq!(bench.post_one(&transfer(a, b, 11)).await, Outcome::Refused(Refusal::InsufficientFunds));
    assert_sound(&mut bench).await;
    create(&mut bench, &[capture(&whole), capture_part(&part, 10), void(&voided), transfer(a, b, 60)]).await;
    assert_eq!((bench.stand(a).await, bench.stand(b).await), ((0, 0, 0), (100, 0, 0)));
    let history = entries(&mut bench.conn, Book::MAIN, b, None, 10).await.unwrap();
    assert_eq!(history.iter().map(|entry| entry.amount).collect::<Vec<_>>(), [60, 10, 30]);
    assert_sound(&mut bench).await;
}

#[tokio::test]
async fn holds_begin_and_end_in_one_batch_and_in_several_currencies() {
    let mut bench = with_100().await;
    let (cash, a) = (bench.cash, bench.wallets[0]);
    let euros = bench.open(Currency::EUR, Overdraft::Allowed).await;
    let purse = bench.open(Currency::EUR, Overdraft::Forbidden).await;
    let exchange = [(a, -100), (cash, 100), (euros, -117), (purse, 117)];
    let held = || Posting { act: Act::Hold { expires_at: None }, ..posting(&exchange) };
    let (voided, held) = (held(), held());
    create(&mut bench, &[voided.clone(), void(&voided), held.clone()]).await;
    assert_eq!((bench.stand(a).await, bench.stand(purse).await), ((100, 100, 0), (0, 0, 117)));
    // A part in pounds alone is a part of it.
    create(&mut bench, &[capture_part(&held, 40)]).await;
    assert_eq!((bench.stand(a).await, bench.stand(purse).await), ((60, 0, 0), (0, 0, 0)));
    assert_sound(&mut bench).await;
}

#[tokio::test]
async fn a_capture_is_reversed_like_any_other() {
    let mut bench = with_100().await;
    let (a, b) = (bench.wallets[0], bench.wallets[1]);
    let held = hold(a, b, 30, None);
    let captured = capture_part(&held, 20);
    create(&mut bench, &[held, captured.clone(), reverse_part(&captured, 5), reverse_part(&captured, 15)]).await;
    assert_eq!((bench.balance(a).await, bench.balance(b).await), (100, 0));
    let refused = Outcome::Refused(Refusal::ReversalExceedsOriginal);
    assert_eq!(bench.post_one(&reverse_part(&captured, 1)).await, refused);
    assert_sound(&mut bench).await;
}

#[tokio::test]
async fn a_hold_expires_by_the_clock_of_the_database() {
    let mut bench = with_100().await;
    let (a, b) = (bench.wallets[0], bench.wallets[1]);
    let due = bench.now().await + TimeDelta::milliseconds(300);
    let held = hold(a, b, 100, Some(due));
    let expiry = expire(&held);
    create(&mut bench, std::slice::from_ref(&held)).await;
    assert_eq!(bench.post_one(&expiry).await, Outcome::Refused(Refusal::HoldNotExpired));
    bench.until(due).await;
    assert_eq!(bench.post_one(&void(&held)).await, Outcome::Refused(Refusal::HoldExpired));
    create(&mut bench, &[expiry, transfer(a, b, 100)]).await;
    assert_eq!(bench.post_one(&expire(&held)).await, Outcome::Refused(Refusal::HoldEnded));
    assert_sound(&mut bench).await;
}

#[tokio::test]
async fn as_much_moves_as_there_is() {
    let mut bench = with_100().await;
    let (cash, a, b) = (bench.cash, bench.wallets[0], bench.wallets[1]);
    let all = up_to(a, b, 500);
    create(&mut bench, &[hold(a, b, 30, None), up_to(a, b, 50), all.clone(), up_to(cash, b, 1_000)]).await;
    assert_eq!((bench.stand(a).await, bench.balance(b).await), ((30, 30, 0), 1_070));
    assert!(matches!(bench.post_one(&all).await, Outcome::Exists { .. }));
    let less = Posting { id: all.id, ..up_to(a, b, 20) };
    assert_eq!(bench.post_one(&less).await, Outcome::ExistsWithDifferent(Field::Legs));
    assert_eq!(bench.post_one(&up_to(a, b, 1)).await, Outcome::Refused(Refusal::InsufficientFunds));
    assert_sound(&mut bench).await;
}

#[tokio::test]
async fn partial_reversals_never_come_to_more_than_the_original() {
    let mut bench = with_100().await;
    let (a, b) = (bench.wallets[0], bench.wallets[1]);
    let (sent, other) = (transfer(a, b, 50), transfer(a, b, 50));
    let batch = [sent.clone(), other.clone(), reverse_part(&sent, 20), reverse_part(&sent, 20)];
    create(&mut bench, &batch).await;
    let too_much = [reverse_part(&sent, 11), reversal(&sent), reversal(&other), reverse_part(&other, 1)];
    let outcomes = bench.post(&too_much).await;
    let refused = |refusal| Outcome::Refused(refusal);
    assert_eq!(outcomes[0], refused(Refusal::ReversalExceedsOriginal));
    assert_eq!(outcomes[1], refused(Refusal::PartlyReversed));
    assert_eq!(outcomes[3], refused(Refusal::AlreadyReversed));
    create(&mut bench, &[reverse_part(&sent, 10)]).await;
    assert_eq!((bench.balance(a).await, bench.balance(b).await), (100, 0));
    assert_sound(&mut bench).await;
}

#[tokio::test]
async fn a_closed_account_stays_as_it_was() {
    let mut bench = with_100().await;
    let (cash, a, b) = (bench.cash, bench.wallets[0], bench.wallets[1]);
    let sent = transfer(a, b, 100);
    let closing = close(a);
    create(&mut bench, &[sent.clone(), closing.clone()]).await;
    let found = find(&mut bench.conn, Book::MAIN, &[a]).await.unwrap()[0];
    assert_eq!((found.closed_seq, found.balance, found.version), (Some(2), 0, 2));
    let batch = [transfer(cash, a, 1), reversal(&sent), hold(b, a, 1, None), up_to(b, a, 1), close(a)];
    let outcomes = bench.post(&batch).await;
    assert_eq!(outcomes, [Outcome::Refused(Refusal::AccountClosed); 5]);
    assert!(matches!(bench.post_one(&closing).await, Outcome::Exists { seq: 2, .. }));
    assert_sound(&mut bench).await;
}

#[tokio::test]
async fn a_chain_is_recorded_whole_or_not_at_all() {
    let mut bench = with_100().await;
    let (cash, a, b) = (bench.cash, bench.wallets[0], bench.wallets[1]);
    let before = transfer(a, b, 10);
    create(&mut bench, std::slice::from_ref(&before)).await;
    let held = hold(a, b, 40, None);
    let poor = transfer(a, b, 100);
    let broken = chain(vec![
        transfer(cash, a, 5),
        held.clone(),
        Posting { linked: true, ..before.clone() },
        capture_part(&held, 30),
        reverse_part(&before, 3),
        poor.clone(),
        close(b),
        transfer(cash, b, 1),
    ]);
    let failed = Outcome::Refused(Refusal::LinkedFailed);
    let outcomes = bench.post(&broken).await;
    assert!(matches!(outcomes[2], Outcome::Exists { seq: 1, .. }));
    assert_eq!([outcomes[0], outcomes[1], outcomes[3], outcomes[4], outcomes[6], outcomes[7]], [failed; 6]);
    assert_eq!(outcomes[5], Outcome::Refused(Refusal::InsufficientFunds));
    assert_eq!((bench.stand(a).await, bench.stand(b).await), ((90, 0, 0), (10, 0, 0)));
    assert_eq!(bench.post(&broken).await, outcomes, "the chain stays refused");
    // The others may come in another chain; within it, each sees those before it.
    let mut mended = broken;
    mended.retain(|posting| posting.id != poor.id && posting.act != Act::Close);
    let outcomes = bench.post(&mended).await;
    assert!(matches!(outcomes[1], Outcome::Exists { .. } | Outcome::Created { .. }), "{outcomes:?}");
    let created = outcomes.iter().filter(|outcome| matches!(outcome, Outcome::Created { .. })).count();
    assert_eq!(created, 5);
    let again = bench.post(&mended).await;
    assert!(again.iter().all(|outcome| matches!(outcome, Outcome::Exists { .. })), "{again:?}");
    assert_sound(&mut bench).await;
}

#[tokio::test]
async fn a_chain_that_does_not_end_is_refused() {
    let mut bench = with_100().await;
    let (a, b) = (bench.wallets[0], bench.wallets[1]);
    let mut open = chain(vec![transfer(a, b, 1), transfer(a, b, 1)]);
    open[1].linked = true;
    let outcomes = bench.post(&open).await;
    assert_eq!(outcomes, [Refusal::LinkedFailed, Refusal::LinkedChainOpen].map(Outcome::Refused));
    open[1].linked = false;
    create(&mut bench, &open).await;
    assert_eq!(bench.balance(b).await, 2);
}

#[tokio::test]
async fn each_difference_of_each_act_is_named() {
    let mut bench = with_100().await;
    let (a, b) = (bench.wallets[0], bench.wallets[1]);
    let far = Some(bench.now().await + TimeDelta::days(1));
    let later = Some(bench.now().await + TimeDelta::days(2));
    let (held, other, third) = (hold(a, b, 10, far), hold(a, b, 10, None), hold(a, b, 10, None));
    let (captured, voided, sent) = (capture(&held), void(&other), transfer(a, b, 10));
    let (part, undated) = (reverse_part(&sent, 4), Posting { effective_at: None, ..transfer(a, b, 1) });
    let batch = [&held, &other, &third, &captured, &voided, &sent, &part, &undated].map(Posting::clone);
    create(&mut bench, &batch).await;
    let same = |outcome: &Outcome| matches!(outcome, Outcome::Exists { .. });
    assert!(bench.post(&batch).await.iter().all(same), "each is there as it was");
    let named = Posting { id: captured.id, ..capture_part(&held, 10) };
    assert!(same(&bench.post_one(&named).await), "the whole hold may be spelled out");
    let table = [
        (Field::Act, Posting { act: Act::Hold { expires_at: later }, ..held.clone() }),
        (Field::Act, Posting { act: Act::Post, ..held.clone() }),
        (Field::Legs, Posting { id: captured.id, ..capture_part(&held, 9) }),
        (Field::Act, Posting { id: captured.id, ..capture(&third) }),
        (Field::Legs, Posting { id: captured.id, ..void(&held) }),
        (Field::Act, Posting { id: voided.id, ..expire(&other) }),
        (Field::Act, Posting { id: voided.id, ..void(&third) }),
        (Field::Legs, Posting { id: part.id, ..reverse_part(&sent, 5) }),
        (Field::Act, Posting { act: Act::Reverse(sent.id), ..part.clone() }),
        (Field::EffectiveAt, Posting { effective_at: Some(effective_at()), ..undated.clone() }),
        (Field::EffectiveAt, Posting { effective_at: None, ..sent.clone() }),
    ];
    for (n, (field, posting)) in table.into_iter().enumerate() {
        assert_eq!(bench.post_one(&posting).await, Outcome::ExistsWithDifferent(field), "row {n}");
    }
    assert_sound(&mut bench).await;
}
