//! Grafana's own library knows every key of the dashboards: nothing in them is misspelt or out of date.

use super::outside::grafana;
use super::source::root;

#[test]
fn grafanas_library_reads_every_key() {
    let Some(mut python) = grafana() else { return };
    let output = python.args(["tests/outside/dashboards.py"]).current_dir(root()).output().unwrap();
    let printed = [output.stdout, output.stderr].concat();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&printed));
}
