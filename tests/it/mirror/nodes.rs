//! One round at a time: what is told, and how nodes that are not able are called.

use jobs::mirror::node::Address;
use jobs::mirror::term::Term;
use tests::erlang::{COOKIE, NODE};

use super::kit::Kit;

#[tokio::test(flavor = "multi_thread")]
async fn all_is_told_once_and_in_order() {
    let Some(mut kit) = Kit::start(false).await else { return };
    kit.record(1_300).await;
    let row = kit.round(kit.erlang.address()).await;
    assert_eq!((row.state.as_str(), row.position, row.confirmed_total), ("connected", 1_300, 1_300), "{row:?}");
    assert_eq!(kit.erlang.order().await, (0..1_300).collect::<Vec<_>>());
    assert_eq!(kit.erlang.ask("repeated", Vec::new()).await, Term::Integer(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_cookie_is_called_so() {
    let Some(mut kit) = Kit::start(false).await else { return };
    kit.record(1).await;
    let wrong = Address::new(NODE, "another").unwrap().with_epmd_port(kit.erlang.epmd_port);
    let row = kit.round(wrong).await;
    assert_eq!((row.state.as_str(), row.position), ("refused", 0));
    assert_eq!(row.last_error.as_deref(), Some("the cookie is not the node's"));
    assert!(kit.erlang.order().await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_is_not_there_is_down() {
    let Some(mut kit) = Kit::start(false).await else { return };
    kit.record(1).await;
    let absent = Address::new("nobody@127.0.0.1", COOKIE).unwrap().with_epmd_port(kit.erlang.epmd_port);
    let row = kit.round(absent).await;
    assert_eq!((row.state.as_str(), row.position), ("down", 0));
    assert_eq!(row.last_error.as_deref(), Some("the port mapper knows no such node"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_node_refuses_is_where_it_stops() {
    let Some(mut kit) = Kit::start(false).await else { return };
    kit.record(200).await;
    kit.erlang.ask("refuse", vec![Term::Integer(150)]).await;
    let row = kit.round(kit.erlang.address()).await;
    assert_eq!((row.state.as_str(), row.position), ("diverged", 150));
    let why = row.last_error.unwrap();
    assert!(why.contains("of leaf 150: {error,frozen}"), "{why}");
    kit.erlang.ask("refuse", vec![Term::Integer(-1)]).await;
    let row = kit.round(kit.erlang.address()).await;
    assert_eq!((row.state.as_str(), row.position), ("connected", 200));
}
