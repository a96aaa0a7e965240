//! Carries a plan out: products, people, deposits, sales, cancellations, each stage when the one before is final.

use std::collections::HashMap;

use anyhow::{Context, Result, bail, ensure};
use chrono::NaiveDateTime;
use futures::stream::{self, StreamExt, TryStreamExt};
use indicatif::ProgressBar;
use reqwest::StatusCode;
use serde_json::{Value, json};
use uuid::Uuid;

use super::client::Client;
use super::line::Line;
use super::orders::{Fate, Order, Pace, carry_out};
use super::people::{self, Wallets};
use super::plan::{Cancellation, Plan, Product};

/// Everything the plan came to.
#[derive(Debug, Default)]
pub struct Loaded {
    /// The opening deposits.
    pub deposits: Vec<Order>,
    /// One for each order line of the plan.
    pub orders: Vec<Order>,
}

/// One run of one plan against one API.
struct Load<'a> {
    client: &'a Client,
    pace: Pace,
    bar: &'a ProgressBar,
    /// What all references of this file begin with.
    prefix: String,
    wallets: Wallets,
    products: HashMap<String, Uuid>,
}

/// Carries out the `plan` of the file with this `hash`. Whatever is there already is found and not made again.
///
/// # Errors
/// When the API does not answer, answers something unknown, or the workers make no progress for too long.
pub async fn load(client: &Client, plan: &Plan<'_>, hash: &str, pace: Pace, bar: &ProgressBar) -> Result<Loaded> {
    bar.set_message("products");
    let products = products(client, &plan.products, pace.in_flight, bar).await?;
    bar.set_message("customers");
    let wallets = people::bring_in(client, &plan.customers, pace.in_flight, bar).await?;
    let load = Load { client, pace, bar, prefix: format!("online-retail:{hash}"), wallets, products };
    let deposits = load.carry_out("deposits", load.deposits(plan)).await?;
    if let Some(Fate::Refused(code)) =
        deposits.iter().map(|order| &order.fate).find(|fate| matches!(fate, Fate::Refused(_)))
    {
        bail!("the API refused an opening deposit: {code}");
    }
    let mut orders = load.carry_out("sales", plan.sales.iter().map(|line| load.sale(line)).collect()).await?;
    let by_line: HashMap<u64, usize> = orders.iter().enumerate().map(|(index, order)| (order.line, index)).collect();
    let cancellations = plan.cancellations.iter().map(|cancellation| {
        let sale = cancellation.reverses.map(|line| &orders[by_line[&line]]);
        load.cancellation(cancellation, sale)
    });
    let cancellations = load.carry_out("cancellations", cancellations.collect()).await?;
    orders.extend(cancellations);
    Ok(Loaded { deposits, orders })
}

impl Load<'_> {
    async fn carry_out(&self, stage: &'static str, mut orders: Vec<Order>) -> Result<Vec<Order>> {
        self.bar.set_message(stage);
        carry_out(self.client, &mut orders, self.pace, self.bar)
            .await
            .with_context(|| format!("bringing in {stage}"))?;
        Ok(orders)
    }

    fn deposits(&self, plan: &Plan<'_>) -> Vec<Order> {
        let customers = plan.customers.iter();
        let mut wanted: Vec<(&str, Uuid, i128)> =
            customers.map(|customer| (customer.id, self.wallets.customers[customer.id], customer.deposit)).collect();
        wanted.push(("shop", self.wallets.shop, plan.shop_deposit));
        wanted.retain(|(_, _, pence)| *pence > 0);
        let order = |(owner, wallet, pence): (&str, Uuid, i128)| {
            let reference = format!("{}:deposit:{owner}", self.prefix);
            let amount = pounds(pence);
            Order::new(0, json!({"type": "deposit", "to": wallet, "amount": amount, "reference": reference}))
        };
        wanted.into_iter().map(order).collect()
    }

    fn sale(&self, line: &Line) -> Order {
        let body = json!({
            "type": "purchase",
            "from": self.wallets.customers[&line.customer],
            "to": self.wallets.shop,
            "amount": pounds(line.amount()),
            "product_id": self.products[&line.stock_code],
            "quantity": line.quantity,
            "reference": self.reference(line),
            "effective_at": utc(line.ordered_at),
        });
        Order::new(line.number, body)
    }

    /// A reversal of `sale`, or a refund where there is none. What reverses a refused sale is refused with it.
    fn cancellation(&self, cancellation: &Cancellation<'_>, sale: Option<&Order>) -> Order {
        let line = cancellation.line;
        let mut body = json!({"reference": self.reference(line), "effective_at": utc(line.ordered_at)});
        let Some(sale) = sale else {
            body["type"] = json!("refund");
            body["from"] = json!(self.wallets.shop);
            body["to"] = json!(self.wallets.customers[&line.customer]);
            body["amount"] = pounds(line.amount());
            return Order::new(line.number, body);
        };
        body["type"] = json!("reversal");
        body["reverses"] = json!(sale.id());
        let mut order = Order::new(line.number, body);
        if sale.id().is_none() {
            order.fate = Fate::Refused("sale_refused".to_owned());
        }
        order
    }

    fn reference(&self, line: &Line) -> String {
        format!("{}:line:{}", self.prefix, line.number)
    }
}

async fn products(
    client: &Client,
    products: &[Product<'_>],
    in_flight: usize,
    bar: &ProgressBar,
) -> Result<HashMap<String, Uuid>> {
    let created = stream::iter(products).map(|product| async move {
        let id = create_product(client, product).await?;
        bar.inc(1);
        anyhow::Ok((product.sku.to_owned(), id))
    });
    created.buffer_unordered(in_flight).try_collect().await
}

/// Creates a product, or finds the one that has its stock code.
async fn create_product(client: &Client, product: &Product<'_>) -> Result<Uuid> {
    let body = json!({"sku": product.sku, "name": product.name, "price": pounds(product.price.into())});
    let answer = client.post("products", &body).await?;
    if let (StatusCode::CONFLICT, Some(existing)) = (answer.status, answer.problem().existing_id) {
        return Ok(existing);
    }
    ensure!(answer.status.is_success(), "the API refused product {}: {}", product.sku, answer.describe());
    Ok(answer.json::<super::wire::Created>()?.id)
}

/// Pence as the API writes money.
fn pounds(pence: i128) -> Value {
    json!({"amount": format!("{}.{:02}", pence / 100, pence % 100), "currency": "GBP"})
}

fn utc(time: NaiveDateTime) -> String {
    time.and_utc().to_rfc3339_opts(chrono::SecondsFormat::Secs, true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn money_is_written_exactly() {
        let amounts = [(1, "0.01"), (100, "1.00"), (1_050, "10.50"), (19_757_337, "197573.37")];
        for (pence, amount) in amounts {
            assert_eq!(pounds(pence)["amount"], amount);
        }
    }
}
