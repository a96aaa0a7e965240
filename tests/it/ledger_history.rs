//! A small ledger with all that a ledger can have, for tests that damage it or take it elsewhere.

use chrono::{DateTime, TimeDelta, Utc};
use ledger::accounts::Overdraft;
use ledger::checkpoint::sign_head;
use ledger::keys::SigningKey;
use ledger::verify::Tables;
use ledger::{AccountId, Book, Currency, Outcome, Posting, Refusal};

use crate::ledger_kit::{
    Bench, capture, capture_part, close, expire, hold, posting, reversal, reverse_part, transfer, up_to, void,
};

/// About this many leaves: a few tiles, the last one open.
const ROUNDS: usize = 60;

/// Records every act many times over, with refusals in between, in two currencies, signed in the middle and at the end.
/// Gives the bench, and the tables as they were in the middle.
pub(crate) async fn recorded(key: &SigningKey) -> (Bench, Tables) {
    let mut bench = Bench::create(4).await;
    let (cash, wallets) = (bench.cash, bench.wallets.clone());
    let euros =
        [bench.open(Currency::EUR, Overdraft::Allowed).await, bench.open(Currency::EUR, Overdraft::Forbidden).await];
    bench.post(&wallets.iter().map(|wallet| transfer(cash, *wallet, 1_000_000)).collect::<Vec<_>>()).await;
    let mut middle = None;
    for n in 0..ROUNDS {
        let (from, to) = (wallets[n % 4], wallets[(n + 1) % 4]);
        let (over, soon) = short_hold(&mut bench, from, to).await;
        let (whole, part) = (transfer(from, to, 9), transfer(from, to, 12));
        let (taken, freed) = (hold(from, to, 100, None), hold(from, cash, 70, None));
        let open = hold(to, cash, 3, (n % 2 == 0).then_some(soon + TimeDelta::days(1)));
        let both = posting(&[(from, -4), (to, 4), (euros[0], -6), (euros[1], 6)]);
        post_all(&mut bench, vec![whole.clone(), part.clone(), taken.clone(), freed.clone(), open, both]).await;
        let captured = if n % 3 == 0 { capture(&taken) } else { capture_part(&taken, 60) };
        let ends = vec![
            reversal(&whole),
            reverse_part(&part, 5),
            reverse_part(&part, 7),
            captured,
            void(&freed),
            up_to(to, from, 50),
        ];
        post_all(&mut bench, ends).await;
        bench.until(soon).await;
        let spent = bench.open(Currency::GBP, Overdraft::Forbidden).await;
        let once = Posting { effective_at: None, ..transfer(from, spent, 1) };
        post_all(&mut bench, vec![expire(&over), once, transfer(spent, from, 1), close(spent)]).await;
        let refused = bench.post_one(&transfer(from, cash, 10_000_000)).await;
        assert_eq!(refused, Outcome::Refused(Refusal::InsufficientFunds));
        if n == ROUNDS / 2 {
            sign_head(&mut bench.conn, Book::MAIN, key).await.expect("the head is signed");
            middle = Some(Tables::read(&mut bench.conn, Book::MAIN).await.expect("the tables are read"));
        }
    }
    sign_head(&mut bench.conn, Book::MAIN, key).await.expect("the head is signed");
    (bench, middle.expect("the middle was passed"))
}

/// A hold that expires within milliseconds, and when: on a busy machine that may be before it is recorded, so it tries again.
async fn short_hold(bench: &mut Bench, from: AccountId, to: AccountId) -> (Posting, DateTime<Utc>) {
    loop {
        let soon = bench.now().await + TimeDelta::milliseconds(20);
        let over = hold(from, to, 5, Some(soon));
        if let Outcome::Created { .. } = bench.post_one(&over).await {
            return (over, soon);
        }
    }
}

async fn post_all(bench: &mut Bench, postings: Vec<Posting>) {
    for (n, outcome) in bench.post(&postings).await.into_iter().enumerate() {
        assert!(matches!(outcome, Outcome::Created { .. }), "posting {n}: {outcome:?}");
    }
}
