//! What an Online Retail file asks for: products, customers with their opening deposits, sales, cancellations.
//!
//! A pure function of the file, so that a second run, or a run through any number of crashes, asks for the same.

use std::collections::{BTreeMap, HashMap};

use super::line::Line;

/// Everything to create, in the order of first appearance in the file.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Plan<'a> {
    /// One for each stock code.
    pub products: Vec<Product<'a>>,
    /// One for each customer.
    pub customers: Vec<Customer<'a>>,
    /// What the shop needs at the start to pay for more cancellations than sales, in pence; mostly 0.
    pub shop_deposit: i128,
    /// The order lines that sell.
    pub sales: Vec<&'a Line>,
    /// The order lines that take back.
    pub cancellations: Vec<Cancellation<'a>>,
}

/// A product: of its first line with a description, or of its first line when none has one.
#[derive(Debug, PartialEq, Eq)]
pub struct Product<'a> {
    /// The stock code, as spelled: two spellings are two products.
    pub sku: &'a str,
    /// The description, or else the stock code.
    pub name: &'a str,
    /// Price of one piece in pence.
    pub price: i64,
}

/// A customer.
#[derive(Debug, PartialEq, Eq)]
pub struct Customer<'a> {
    /// The number.
    pub id: &'a str,
    /// The country by name, of the customer's first line.
    pub country: &'a str,
    /// The sum of the customer's sales, in pence: what the opening deposit has to cover.
    pub deposit: i128,
}

/// A line that takes an order back.
#[derive(Debug, PartialEq, Eq)]
pub struct Cancellation<'a> {
    /// The line.
    pub line: &'a Line,
    /// The number of the sale it reverses; a refund if there is none.
    pub reverses: Option<u64>,
}

impl<'a> Plan<'a> {
    /// The plan of these lines, which stand in the order of the file.
    pub fn of(lines: &'a [Line]) -> Plan<'a> {
        let (cancelled, sales): (Vec<_>, Vec<_>) = lines.iter().partition(|line| line.is_cancellation());
        let sum = |lines: &[&Line]| lines.iter().map(|line| line.amount()).sum::<i128>();
        let shop_deposit = (sum(&cancelled) - sum(&sales)).max(0);
        let cancellations = match_cancellations(lines);
        Plan { products: products(lines), customers: customers(lines), shop_deposit, sales, cancellations }
    }
}

fn products(lines: &[Line]) -> Vec<Product<'_>> {
    let mut places: HashMap<&str, usize> = HashMap::new();
    let mut products: Vec<Product<'_>> = Vec::new();
    for line in lines {
        let sku = line.stock_code.as_str();
        let place = *places.entry(sku).or_insert(products.len());
        let described = Product { sku, name: &line.description, price: line.price };
        match products.get_mut(place) {
            None => products.push(described),
            Some(known) if known.name.is_empty() && !line.description.is_empty() => *known = described,
            Some(_described_already) => {}
        }
    }
    for product in products.iter_mut().filter(|product| product.name.is_empty()) {
        product.name = product.sku;
    }
    products
}

fn customers(lines: &[Line]) -> Vec<Customer<'_>> {
    let mut places: HashMap<&str, usize> = HashMap::new();
    let mut customers: Vec<Customer<'_>> = Vec::new();
    for line in lines {
        let place = *places.entry(&line.customer).or_insert_with(|| {
            customers.push(Customer { id: &line.customer, country: &line.country, deposit: 0 });
            customers.len() - 1
        });
        if !line.is_cancellation() {
            customers[place].deposit += line.amount();
        }
    }
    customers
}

/// Each cancellation with the sale it undoes: the nearest one above it of the same customer, stock code, price
/// and quantity that no cancellation above has taken. People take back what they ordered last.
fn match_cancellations(lines: &[Line]) -> Vec<Cancellation<'_>> {
    let mut open: BTreeMap<(&str, &str, i64, u64), Vec<u64>> = BTreeMap::new();
    let mut cancellations = Vec::new();
    for line in lines {
        let key = (line.customer.as_str(), line.stock_code.as_str(), line.price, line.quantity.unsigned_abs());
        if line.is_cancellation() {
            let reverses = open.get_mut(&key).and_then(Vec::pop);
            cancellations.push(Cancellation { line, reverses });
        } else {
            open.entry(key).or_default().push(line.number);
        }
    }
    cancellations
}

#[cfg(test)]
mod tests {
    use super::super::file::File;
    use super::*;

    /// Lines of stock code, description, quantity, price and customer.
    fn lines(rows: &[(&str, &str, i64, &str, &str)]) -> Vec<Line> {
        let mut text = super::super::line::COLUMNS.join(",");
        for (code, description, quantity, price, customer) in rows {
            let invoice = if *quantity < 0 { "C1" } else { "1" };
            text.push_str(&format!("\n{invoice},{code},{description},{quantity},12/1/10 8:26,{price},{customer},UK"));
        }
        let file = File::parse(text.as_bytes()).unwrap();
        assert_eq!(file.refused, []);
        file.lines
    }

    #[test]
    fn a_cancellation_takes_the_nearest_open_exact_inverse_above() {
        let rows = [
            ("A", "", -2, "1.00", "1"), // 2: nothing above it
            ("A", "", 2, "1.00", "1"),  // 3
            ("A", "", 2, "1.00", "1"),  // 4
            ("A", "", 2, "1.00", "2"),  // 5: another customer
            ("A", "", 2, "1.01", "1"),  // 6: another price
            ("a", "", 2, "1.00", "1"),  // 7: another code
            ("A", "", -1, "1.00", "1"), // 8: another quantity
            ("A", "", -2, "1.00", "1"), // 9: takes 4
            ("A", "", -2, "1.00", "1"), // 10: takes 3
            ("A", "", -2, "1.00", "1"), // 11: none left
        ];
        let lines = lines(&rows);
        let plan = Plan::of(&lines);
        let matched: Vec<_> = plan.cancellations.iter().map(|one| (one.line.number, one.reverses)).collect();
        assert_eq!(matched, [(2, None), (8, None), (9, Some(4)), (10, Some(3)), (11, None)]);
        assert_eq!(plan.sales.iter().map(|line| line.number).collect::<Vec<_>>(), [3, 4, 5, 6, 7]);
    }

    #[test]
    fn deposits_cover_the_sales_and_the_shop_pays_what_is_left() {
        let rows = [("A", "", 3, "1.00", "1"), ("A", "", -9, "1.00", "1"), ("A", "", -1, "1.00", "2")];
        let lines = lines(&rows);
        let plan = Plan::of(&lines);
        assert_eq!(plan.customers.iter().map(|one| (one.id, one.deposit)).collect::<Vec<_>>(), [("1", 300), ("2", 0)]);
        assert_eq!(plan.shop_deposit, 700);
    }

    #[test]
    fn a_product_is_of_its_first_line_with_a_description() {
        let rows = [
            ("A", "", 1, "1.00", "1"),
            ("B", "", 1, "5.00", "1"),
            ("A", "FIRST", 1, "2.00", "1"),
            ("A", "OTHER", 1, "3.00", "1"),
        ];
        let lines = lines(&rows);
        let products = Plan::of(&lines).products;
        let expected = [Product { sku: "A", name: "FIRST", price: 200 }, Product { sku: "B", name: "B", price: 500 }];
        assert_eq!(products, expected);
    }
}
