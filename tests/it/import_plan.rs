//! What the importer reads out of an order file equals what an independent sum finds in it, to the penny.

use std::collections::BTreeMap;
use std::path::Path;

use cli::commands::import::file::File;
use cli::commands::import::plan::Plan;
use tests::retail::{self, Sum, balances_sha256};

/// The reasons that the script tells apart.
const TOLD_APART: [&str; 3] = ["no_customer", "truncated", "zero_price"];

#[test]
fn the_fixture_agrees_with_the_independent_sum() {
    compare(&retail::fixture());
}

#[test]
fn the_real_orders_agree_with_the_independent_sum() {
    retail::real().iter().for_each(|path| compare(path));
}

#[test]
fn the_fixture_has_every_kind_of_dirty_line() {
    let file = File::read(&retail::fixture()).unwrap();
    let mut reasons: BTreeMap<&str, Vec<u64>> = BTreeMap::new();
    for refused in &file.refused {
        reasons.entry(&refused.reason).or_default().push(refused.number);
    }
    let expected: [(&str, &[u64]); 14] = [
        ("amount_too_large", &[41]),
        ("bad_customer", &[28]),
        ("bad_date", &[37, 38]),
        ("bad_price", &[29, 30]),
        ("bad_quantity", &[32, 33]),
        ("bad_stock_code", &[40]),
        ("negative_price", &[31]),
        ("no_customer", &[16, 17, 18]),
        ("no_invoice", &[39]),
        ("not_utf8", &[27]),
        ("truncated", &[23, 24, 25, 26, 44]),
        ("wrong_sign", &[35, 36]),
        ("zero_price", &[19]),
        ("zero_quantity", &[34]),
    ];
    let expected: BTreeMap<&str, Vec<u64>> = expected.into_iter().map(|(name, lines)| (name, lines.to_vec())).collect();
    assert_eq!(reasons, expected);
}

fn compare(path: &Path) {
    let file = File::read(path).unwrap();
    let plan = Plan::of(&file.lines);
    if let Some(sum) = Sum::of(path) {
        assert_eq!(sum_of(&file, &plan), sum);
    }
}

/// The importer's plan in the words of the script.
fn sum_of(file: &File, plan: &Plan<'_>) -> Sum {
    let mut refused = BTreeMap::new();
    for line in &file.refused {
        let reason = if TOLD_APART.contains(&line.reason.as_str()) { line.reason.clone() } else { "other".to_owned() };
        *refused.entry(reason).or_default() += 1;
    }
    let (mut count, mut moved) = (BTreeMap::new(), BTreeMap::new());
    let mut balances: BTreeMap<String, i128> = BTreeMap::new();
    for customer in &plan.customers {
        balances.insert(customer.id.to_owned(), customer.deposit);
    }
    let sales = plan.sales.iter().map(|line| ("sales", *line));
    let cancellations = plan.cancellations.iter();
    let cancellations =
        cancellations.map(|one| (if one.reverses.is_some() { "reversals" } else { "refunds" }, one.line));
    for (kind, line) in sales.chain(cancellations) {
        *count.entry(kind.to_owned()).or_default() += 1;
        *moved.entry(kind.to_owned()).or_default() += line.amount();
        *balances.get_mut(&line.customer).unwrap() -= if kind == "sales" { line.amount() } else { -line.amount() };
    }
    let deposits = plan.shop_deposit + plan.customers.iter().map(|customer| customer.deposit).sum::<i128>();
    Sum {
        read: file.read,
        accepted: file.lines.len() as u64,
        refused,
        customers: plan.customers.len() as u64,
        count,
        moved,
        deposits,
        shop_balance: deposits - balances.values().sum::<i128>(),
        balances_sha256: balances_sha256(&balances),
    }
}
