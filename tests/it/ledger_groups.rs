//! Codes and groups of accounts.

use ledger::accounts::groups::{GroupBalance, GroupError, GroupOutcome, NewGroup, balances, create, move_into};
use ledger::accounts::{AccountOutcome, NewAccount, Overdraft, find, open};
use ledger::{AccountId, Book, Currency, GroupId};
use uuid::Uuid;

use crate::ledger_kit::{Bench, hold, transfer};

fn group(name: &str, parent: Option<GroupId>) -> NewGroup {
    NewGroup { id: GroupId(Uuid::now_v7()), name: name.to_owned(), parent }
}

#[tokio::test]
async fn a_group_comes_to_what_its_accounts_and_groups_come_to() {
    let mut bench = Bench::create(3).await;
    let (cash, wallets) = (bench.cash, bench.wallets.clone());
    let euros = bench.open(Currency::EUR, Overdraft::Allowed).await;
    let assets = group("assets", None);
    let (wallet_group, vault) = (group("wallets", Some(assets.id)), group("vault", Some(assets.id)));
    let deep = group("deep", Some(wallet_group.id));
    let conn = &mut bench.conn;
    for group in [&assets, &wallet_group, &vault, &deep] {
        assert_eq!(create(conn, Book::MAIN, group).await.unwrap(), GroupOutcome::Created);
        assert_eq!(create(conn, Book::MAIN, group).await.unwrap(), GroupOutcome::Exists);
    }
    for (account, group) in [(wallets[0], &wallet_group), (wallets[1], &deep), (wallets[2], &vault), (euros, &assets)] {
        move_into(conn, Book::MAIN, account, Some(group.id)).await.unwrap();
    }
    let batch: Vec<_> = wallets.iter().map(|wallet| transfer(cash, *wallet, 10)).collect();
    bench.post(&batch).await;
    bench.post(&[hold(wallets[1], wallets[2], 4, None)]).await;
    let conn = &mut bench.conn;
    let pounds = |accounts, balance, held_out, held_in| GroupBalance {
        currency: Currency::GBP,
        accounts,
        balance,
        held_out,
        held_in,
    };
    let none = GroupBalance { currency: Currency::EUR, accounts: 1, balance: 0, held_out: 0, held_in: 0 };
    assert_eq!(balances(conn, Book::MAIN, assets.id).await.unwrap(), [none, pounds(3, 30, 4, 4)]);
    assert_eq!(balances(conn, Book::MAIN, wallet_group.id).await.unwrap(), [pounds(2, 20, 4, 0)]);
    move_into(conn, Book::MAIN, wallets[1], None).await.unwrap();
    assert_eq!(balances(conn, Book::MAIN, wallet_group.id).await.unwrap(), [pounds(1, 10, 0, 0)]);
    assert!(balances(conn, Book::MAIN, deep.id).await.unwrap().is_empty());
}

#[tokio::test]
async fn what_is_wrong_with_a_group_is_named() {
    let mut bench = Bench::create(1).await;
    let (wallet, nobody) = (bench.wallets[0], AccountId(Uuid::now_v7()));
    let (first, nowhere) = (group("first", None), GroupId(Uuid::now_v7()));
    let conn = &mut bench.conn;
    create(conn, Book::MAIN, &first).await.unwrap();
    let different = [group("first", None), NewGroup { id: first.id, ..group("other", None) }];
    for other in different {
        assert_eq!(create(conn, Book::MAIN, &other).await.unwrap(), GroupOutcome::ExistsWithDifferent);
    }
    let no_parent = create(conn, Book::MAIN, &group("orphan", Some(nowhere))).await;
    assert!(matches!(no_parent, Err(GroupError::NoSuchGroup(id)) if id == nowhere));
    assert!(matches!(balances(conn, Book::MAIN, nowhere).await, Err(GroupError::NoSuchGroup(_))));
    let no_group = move_into(conn, Book::MAIN, wallet, Some(nowhere)).await;
    assert!(matches!(no_group, Err(GroupError::NoSuchGroup(_))));
    let no_account = move_into(conn, Book::MAIN, nobody, Some(first.id)).await;
    assert!(matches!(no_account, Err(GroupError::NoSuchAccount(id)) if id == nobody));
}

#[tokio::test]
async fn a_code_is_fixed_and_a_group_is_not() {
    let mut bench = Bench::create(0).await;
    let (first, second) = (group("first", None), group("second", None));
    let conn = &mut bench.conn;
    for group in [&first, &second] {
        create(conn, Book::MAIN, group).await.unwrap();
    }
    let id = AccountId(Uuid::now_v7());
    let overdraft = Overdraft::Forbidden;
    let account = NewAccount { id, currency: Currency::GBP, overdraft, code: 65_535, group: Some(first.id) };
    let elsewhere = NewAccount { group: Some(second.id), ..account };
    let outcomes = open(conn, Book::MAIN, &[account, elsewhere, NewAccount { code: 1, ..account }]).await.unwrap();
    use AccountOutcome::{Created, Exists, ExistsWithDifferent};
    assert_eq!(outcomes, [Created, Exists, ExistsWithDifferent]);
    let found = find(conn, Book::MAIN, &[id]).await.unwrap()[0];
    assert_eq!((found.code, found.group), (65_535, Some(first.id)));
}
