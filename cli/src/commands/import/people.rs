//! The shop and its customers: users with a wallet in pounds, created or found, and waited for until it is open.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use futures::stream::{self, StreamExt, TryStreamExt};
use indicatif::ProgressBar;
use reqwest::StatusCode;
use serde_json::{Value, json};
use uuid::Uuid;

use super::client::Client;
use super::plan::Customer;
use super::wire::{Page, User};

/// The pause before the first look at a wallet that is not open; doubled each time.
const LOOK_AGAIN_MIN: Duration = Duration::from_millis(20);
/// The longest such pause.
const LOOK_AGAIN_MAX: Duration = Duration::from_secs(1);

/// The open wallets.
#[derive(Debug)]
pub struct Wallets {
    /// The shop's.
    pub shop: Uuid,
    /// The customers', by number.
    pub customers: HashMap<String, Uuid>,
}

/// Creates or finds the shop and `customers`, `in_flight` at a time; `bar` counts the customers.
///
/// # Errors
/// When the API does not answer, refuses one, or a wallet does not open.
pub async fn bring_in(
    client: &Client,
    customers: &[Customer<'_>],
    in_flight: usize,
    bar: &ProgressBar,
) -> Result<Wallets> {
    let shop = json!({"email": "shop@online-retail.example", "name": "Online Retail", "currencies": ["GBP"]});
    create(client, &shop).await?;
    let created = stream::iter(customers).map(|customer| async move {
        let body = user(customer);
        create(client, &body).await?;
        bar.inc(1);
        anyhow::Ok(())
    });
    created.buffer_unordered(in_flight).try_collect::<()>().await?;
    let opened = stream::iter(customers).map(|customer| async move {
        anyhow::Ok((customer.id.to_owned(), open_wallet(client, &email(customer.id)).await?))
    });
    let customers = opened.buffer_unordered(in_flight).try_collect().await?;
    Ok(Wallets { shop: open_wallet(client, "shop@online-retail.example").await?, customers })
}

/// The address that stands for a customer: `.example` reaches nobody.
pub fn email(customer: &str) -> String {
    format!("customer-{customer}@online-retail.example")
}

fn user(customer: &Customer<'_>) -> Value {
    let name = format!("Customer {}", customer.id);
    let mut body = json!({"email": email(customer.id), "name": name, "currencies": ["GBP"]});
    if !customer.country.is_empty() {
        body["country"] = json!(customer.country);
    }
    body
}

/// Creates a user unless the address is taken, which is how a second run finds it.
async fn create(client: &Client, body: &Value) -> Result<()> {
    let answer = client.post("users", body).await?;
    ensure!(answer.status != StatusCode::FORBIDDEN, "the key may not import: it has to be an administrator's");
    let exists = answer.status == StatusCode::CONFLICT && answer.problem().existing_id.is_some();
    ensure!(answer.status.is_success() || exists, "the API refused user {}: {}", body["email"], answer.describe());
    Ok(())
}

/// The account of the open wallet of the user with this address; waits for it.
async fn open_wallet(client: &Client, email: &str) -> Result<Uuid> {
    let (started, mut pause) = (Instant::now(), LOOK_AGAIN_MIN);
    loop {
        let page: Page<User> = client.get(&format!("users?email={email}")).await?;
        let user = page.items.first().with_context(|| format!("user {email} is gone"))?;
        let wallet = user.pounds().with_context(|| format!("user {email} has no wallet in pounds"))?;
        if wallet.state == "open" {
            return Ok(wallet.account_id);
        }
        if started.elapsed() > client.give_up_after() {
            bail!("the wallet of {email} stays {}: no worker seems to be running", wallet.state);
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(LOOK_AGAIN_MAX);
    }
}
