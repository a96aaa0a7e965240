//! What a service holds in the end, read through its API: what two runs have to agree on.

use std::collections::BTreeMap;

use reqwest::Client;
use serde_json::Value;

use crate::service::Service;

/// Final balances, counts and reasons.
#[derive(Debug, PartialEq, Eq)]
pub struct State {
    /// Pence by e-mail address.
    pub balances: BTreeMap<String, i128>,
    /// Transactions by kind, status and reason, such as `purchase recorded -`.
    pub transactions: BTreeMap<String, u64>,
    /// Products.
    pub products: u64,
}

impl State {
    /// Reads all of it, as the administrator.
    pub async fn of(service: &Service) -> State {
        let reader = Reader { http: Client::new(), service };
        let mut balances = BTreeMap::new();
        for user in reader.all("users").await {
            for wallet in user["wallets"].as_array().expect("a user has wallets") {
                let account = reader.get(&format!("accounts/{}", text(&wallet["account_id"]))).await;
                balances.insert(text(&user["email"]).to_owned(), pence(&account["balance"]));
            }
        }
        let mut transactions = BTreeMap::new();
        for transaction in reader.all("transactions").await {
            let reason = transaction["reason"].as_str().unwrap_or("-");
            let name = format!("{} {} {reason}", text(&transaction["type"]), text(&transaction["status"]));
            *transactions.entry(name).or_default() += 1;
        }
        State { balances, transactions, products: reader.all("products").await.len() as u64 }
    }

    /// How many transactions have a name that begins like this.
    pub fn count(&self, prefix: &str) -> u64 {
        self.transactions.iter().filter(|(name, _)| name.starts_with(prefix)).map(|(_, count)| count).sum()
    }

    /// The customers' balances in pence, by their number.
    pub fn customers(&self) -> BTreeMap<String, i128> {
        let number =
            |email: &str| Some(email.strip_prefix("customer-")?.strip_suffix("@online-retail.example")?.to_owned());
        self.balances.iter().filter_map(|(email, pence)| Some((number(email)?, *pence))).collect()
    }
}

struct Reader<'a> {
    http: Client,
    service: &'a Service,
}

impl Reader<'_> {
    async fn get(&self, path: &str) -> Value {
        let url = format!("{}/api/v1/{path}", self.service.url);
        let answer = self.http.get(url).bearer_auth(&self.service.key).send().await.expect("the API answers");
        let status = answer.status();
        let body = answer.text().await.expect("an answer is read to its end");
        assert!(status.is_success(), "GET {path}: {status} {body}");
        serde_json::from_str(&body).expect("an answer is JSON")
    }

    /// Every item of a list, page after page.
    async fn all(&self, list: &str) -> Vec<Value> {
        let (mut items, mut after) = (Vec::new(), String::new());
        loop {
            let mut page = self.get(&format!("{list}?limit=200{after}")).await;
            items.append(page["items"].as_array_mut().expect("a page has items"));
            match page["next_cursor"].as_str() {
                Some(cursor) => after = format!("&after={cursor}"),
                None => return items,
            }
        }
    }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("{value} should be a text"))
}

/// Money of the API in pence.
fn pence(money: &Value) -> i128 {
    let amount = text(&money["amount"]);
    assert_eq!(money["currency"], "GBP");
    assert_eq!(amount.rsplit_once('.').map(|(_, decimals)| decimals.len()), Some(2), "{amount} has two decimals");
    amount.replace('.', "").parse().expect("money is digits")
}
