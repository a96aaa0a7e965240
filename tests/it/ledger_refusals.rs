//! Each refusal by name, in the order in which they are tried, and whether it uses its id up.

use chrono::{DateTime, TimeDelta};
use ledger::accounts::Overdraft;
use ledger::{AccountId, Act, Currency, Outcome, Posting, Refusal, TransactionId};
use uuid::Uuid;

use crate::ledger_invariants::assert_sound;
use crate::ledger_kit::{
    Bench, capture, capture_part, close, expire, hold, posting, reversal, reverse_part, transfer, up_to, void,
};

/// The largest amount of a leg.
const MAX: i128 = 1_000_000_000_000_000_000;

/// A ledger in which every refusal has its cause.
struct Scene {
    bench: Bench,
    a: AccountId,
    b: AccountId,
    euros: AccountId,
    closed: AccountId,
    /// Its balance cannot rise.
    full: AccountId,
    /// Has a hold, and no balance.
    held: AccountId,
    reversed: Posting,
    /// Reversed in part.
    parted: Posting,
    /// Open, 20 from `a` to `b`.
    open_hold: Posting,
    voided: Posting,
    /// Its time is over, and nothing has ended it.
    overdue: Posting,
}

impl Scene {
    async fn set() -> Scene {
        let mut bench = Bench::create(3).await;
        let (cash, a, b, closed) = (bench.cash, bench.wallets[0], bench.wallets[1], bench.wallets[2]);
        let euros = bench.open(Currency::EUR, Overdraft::Allowed).await;
        let full = bench.open(Currency::GBP, Overdraft::Allowed).await;
        let held = bench.open(Currency::GBP, Overdraft::Allowed).await;
        let (reversed, parted) = (transfer(cash, b, 10), transfer(cash, b, 10));
        let due = bench.now().await + TimeDelta::milliseconds(300);
        let (open_hold, voided) = (hold(a, b, 20, None), hold(a, b, 20, None));
        let overdue = hold(a, b, 20, Some(due));
        let mut batch = vec![transfer(cash, a, 100), reversed.clone(), reversal(&reversed)];
        batch.extend([parted.clone(), reverse_part(&parted, 4), close(closed)]);
        batch.extend([open_hold.clone(), voided.clone(), void(&voided), overdue.clone(), hold(held, a, 1, None)]);
        batch.extend((0..9).map(|_| transfer(cash, full, MAX)));
        let outcomes = bench.post(&batch).await;
        assert!(outcomes.iter().all(|outcome| matches!(outcome, Outcome::Created { .. })), "{outcomes:?}");
        bench.until(due).await;
        Scene { bench, a, b, euros, closed, full, held, reversed, parted, open_hold, voided, overdue }
    }
}

/// The refusals in their order, each with a batch whose last posting is refused so. Where two could be given, the posting has
/// the cause of both.
fn table(scene: &Scene) -> Vec<(Refusal, Vec<Posting>)> {
    let &Scene { a, b, euros, closed, full, held, .. } = scene;
    let Scene { reversed, parted, open_hold, voided, overdue, .. } = scene;
    let cash = scene.bench.cash;
    let (nobody, nothing) = (AccountId(Uuid::now_v7()), TransactionId(Uuid::now_v7()));
    let many: Vec<_> = (0..1_001).map(|_| (AccountId(Uuid::now_v7()), 0)).collect();
    let linked = |posting: Posting| Posting { linked: true, ..posting };
    let of = |act: Act, posting: Posting| Posting { act, ..posting };
    let at = |seconds| DateTime::from_timestamp(seconds, 0);
    let year_0 = at(-62_167_219_200);
    vec![
        (Refusal::LinkedChainOpen, vec![linked(posting(&[]))]),
        (Refusal::LinkedFailed, vec![linked(posting(&[])), posting(&[])]),
        (Refusal::TooFewLegs, vec![posting(&[])]),
        (Refusal::TooFewLegs, vec![posting(&[(a, 0)])]),
        (Refusal::TooFewLegs, vec![of(Act::Capture(nothing), posting(&[(a, 0)]))]),
        (Refusal::TooFewLegs, vec![of(Act::Close, posting(&[]))]),
        (Refusal::TooManyLegs, vec![posting(&many)]),
        (Refusal::TooManyLegs, vec![of(Act::PostUpTo { asked: 2 }, posting(&[(a, -2), (b, 1), (cash, 1)]))]),
        (Refusal::TooManyLegs, vec![of(Act::Void(nothing), posting(&[(a, 0)]))]),
        (Refusal::TooManyLegs, vec![of(Act::Close, posting(&[(a, 1), (a, 1)]))]),
        (Refusal::AmountZero, vec![posting(&[(a, 0), (a, 0)])]),
        (Refusal::AmountNotZero, vec![of(Act::Close, posting(&[(nobody, 1)]))]),
        (Refusal::AmountOutOfRange, vec![posting(&[(a, -MAX - 1), (a, MAX + 1)])]),
        (Refusal::AskedMismatch, vec![of(Act::PostUpTo { asked: 2 }, transfer(a, a, 1))]),
        (Refusal::AskedMismatch, vec![of(Act::PostUpTo { asked: 2 }, posting(&[(a, 2), (b, 2)]))]),
        (Refusal::AskedMismatch, vec![of(Act::PostUpTo { asked: -2 }, transfer(a, b, 2))]),
        (Refusal::SameAccount, vec![Posting { effective_at: year_0, ..posting(&[(nobody, -1), (nobody, 2)]) }]),
        (Refusal::TimeOutOfRange, vec![Posting { effective_at: year_0, ..transfer(a, nobody, 1) }]),
        (Refusal::TimeOutOfRange, vec![hold(a, nobody, 1, at(253_402_300_800))]),
        (Refusal::AccountNotFound, vec![posting(&[(closed, -1), (nobody, 2)])]),
        (Refusal::AccountClosed, vec![posting(&[(closed, -1), (a, 2)])]),
        (Refusal::AccountClosed, vec![close(closed)]),
        (Refusal::Unbalanced, vec![posting(&[(a, -1), (euros, 2)])]),
        (Refusal::CurrencyMismatch, vec![transfer(a, euros, 1_000)]),
        (Refusal::CurrencyMismatch, vec![up_to(a, euros, 1_000)]),
        (Refusal::OriginalNotFound, vec![of(Act::Reverse(nothing), transfer(a, b, 1_000))]),
        (Refusal::OriginalNotFound, vec![of(Act::ReversePart(nothing), transfer(a, b, 1_000))]),
        (Refusal::NotReversible, vec![of(Act::Reverse(open_hold.id), transfer(a, b, 1_000))]),
        (Refusal::NotReversible, vec![of(Act::ReversePart(open_hold.id), transfer(b, a, 1))]),
        (Refusal::ReversalMismatch, vec![of(Act::Reverse(reversed.id), transfer(b, cash, 9))]),
        (Refusal::AlreadyReversed, vec![reversal(reversed)]),
        (Refusal::AlreadyReversed, vec![reverse_part(reversed, 1_000)]),
        (Refusal::PartlyReversed, vec![reversal(parted)]),
        (Refusal::ReversalExceedsOriginal, vec![reverse_part(parted, 7)]),
        (Refusal::ReversalExceedsOriginal, vec![reverse_part(parted, -1)]),
        (Refusal::ReversalExceedsOriginal, vec![of(Act::ReversePart(parted.id), transfer(b, a, 1))]),
        (Refusal::HoldNotFound, vec![of(Act::Capture(nothing), transfer(a, b, 1_000))]),
        (Refusal::HoldNotFound, vec![of(Act::Void(nothing), posting(&[]))]),
        (Refusal::NotAHold, vec![capture(reversed)]),
        (Refusal::HoldEnded, vec![capture_part(voided, 1_000)]),
        (Refusal::HoldEnded, vec![void(voided)]),
        (Refusal::HoldEnded, vec![expire(voided)]),
        (Refusal::HoldExpired, vec![capture_part(overdue, 1_000)]),
        (Refusal::HoldExpired, vec![void(overdue)]),
        (Refusal::HoldNotExpired, vec![expire(open_hold)]),
        (Refusal::CaptureExceedsHold, vec![capture_part(open_hold, 21)]),
        (Refusal::CaptureExceedsHold, vec![capture_part(open_hold, -1)]),
        (Refusal::CaptureExceedsHold, vec![of(Act::Capture(open_hold.id), transfer(a, cash, 1))]),
        (Refusal::TimeoutInPast, vec![hold(a, b, 1_000, at(1_000_000_000))]),
        (Refusal::AccountNotEmpty, vec![close(a)]),
        (Refusal::AccountHasHolds, vec![close(held)]),
        (Refusal::InsufficientFunds, vec![transfer(a, full, 61)]),
        (Refusal::InsufficientFunds, vec![hold(a, full, 61, None)]),
        (Refusal::InsufficientFunds, vec![transfer(cash, a, 60), transfer(a, b, 120), up_to(a, b, 1)]),
        (Refusal::BalanceOverflow, vec![transfer(held, full, MAX)]),
        (Refusal::BalanceOverflow, vec![hold(held, full, MAX, None)]),
    ]
}

#[tokio::test]
async fn each_refusal_has_its_posting() {
    let mut scene = Scene::set().await;
    let table = table(&scene);
    let (cash, b, bench) = (scene.bench.cash, scene.b, &mut scene.bench);
    for (refusal, batch) in &table {
        let refused = batch.last().unwrap();
        assert_eq!(bench.post(batch).await.last(), Some(&Outcome::Refused(*refusal)));
        // A final one is kept, and another posting under its id gets the same answer.
        let other = Posting { id: refused.id, ..transfer(cash, b, 1) };
        assert_eq!(bench.post_one(&other).await == Outcome::Refused(*refusal), refusal.is_final(), "{refusal}");
    }
    let tested: Vec<Refusal> = table.iter().map(|(refusal, _)| *refusal).collect();
    assert!(Refusal::ALL.iter().all(|refusal| tested.contains(refusal)), "each refusal has its row");
    assert!(tested.is_sorted_by_key(|refusal| Refusal::ALL.iter().position(|other| other == refusal)));
    assert_sound(bench).await;
}

#[test]
fn each_refusal_is_documented_in_its_order() {
    let document = include_str!("../../docs/LEDGER.md");
    let row = |line: &str| line.strip_prefix("| `").and_then(|rest| Refusal::parse(rest.split('`').next()?));
    let said = |line: &str| row(line).map(|refusal| (refusal, line.ends_with("| yes |")));
    let documented: Vec<_> = document.lines().filter_map(said).collect();
    let wanted: Vec<_> = Refusal::ALL.iter().map(|refusal| (*refusal, refusal.is_final())).collect();
    assert_eq!(documented, wanted);
}
