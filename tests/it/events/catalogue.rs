//! What is documented is what is published.

use domain::events::catalogue;

#[test]
fn the_documented_table_is_that_of_the_code() {
    let page = include_str!("../../../docs/EVENTS.md");
    let table = catalogue::table();
    assert!(page.contains(&table), "docs/EVENTS.md lacks this table:\n{table}");
}
