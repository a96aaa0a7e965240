//! R10: the node's histories with ours, both ways.

use domain::reconciliation::runs::NewRun;
use jobs::mirror::Mirror;
use jobs::mirror::term::Term;
use jobs::reconcile::run_inline;
use ledger::Book;
use sqlx::Row as _;
use uuid::Uuid;

use super::kit::Kit;

/// The breaks of mirrors: sub-class, subject, state.
async fn breaks(kit: &Kit) -> Vec<(String, String, String)> {
    let statement = "select sub_class, subject, state from reconciliation.break where class = 'R10' order by sub_class";
    let rows = sqlx::query(statement).fetch_all(&kit.pool).await.unwrap();
    rows.iter().map(|row| (row.get(0), row.get(1), row.get(2))).collect()
}

async fn reconcile(kit: &Kit, is_full: bool) {
    let new = NewRun { id: Uuid::now_v7(), book: Book::MAIN, is_full, repair: false, asked_by: "a test".to_owned() };
    let mirror = Mirror::new(kit.erlang.address());
    run_inline(&kit.pool, &new, Some(&mirror), |_| ()).await.unwrap();
}

fn break_of(sub_class: &str, subject: impl Into<String>, state: &str) -> (String, String, String) {
    (sub_class.to_owned(), subject.into(), state.to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_differs_and_what_is_unknown_are_breaks_until_they_agree() {
    let Some(mut kit) = Kit::start(false).await else { return };
    kit.record(120).await;
    kit.round(kit.erlang.address()).await;
    reconcile(&kit, true).await;
    assert_eq!(breaks(&kit).await, []);
    let code = |code: i64| vec![Term::Integer(7), Term::map([("code", Term::Integer(code))])];
    kit.erlang.ask("change", code(9)).await;
    reconcile(&kit, true).await;
    let id: Uuid =
        sqlx::query_scalar("select id from ledger.transaction where seq = 7").fetch_one(&kit.pool).await.unwrap();
    assert_eq!(breaks(&kit).await, [break_of("mirror_differs", id.to_string(), "open")]);
    kit.erlang.ask("change", code(1)).await;
    reconcile(&kit, true).await;
    assert_eq!(breaks(&kit).await, [break_of("mirror_differs", id.to_string(), "resolved")]);

    let other = Uuid::now_v7().to_string();
    let renamed = vec![Term::Integer(7), Term::map([("id", Term::text(other.clone()))])];
    kit.erlang.ask("change", renamed).await;
    reconcile(&kit, true).await;
    let found = breaks(&kit).await;
    assert!(found.contains(&break_of("mirror_unknown", other, "open")), "{found:?}");
    assert!(found.contains(&break_of("mirror_missing", tests::erlang::NODE, "resolved")), "{found:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_it_lacks_is_told_again() {
    let Some(mut kit) = Kit::start(false).await else { return };
    kit.record(120).await;
    kit.round(kit.erlang.address()).await;
    kit.erlang.ask("forget", vec![Term::Integer(33)]).await;
    reconcile(&kit, true).await;
    let row = kit.row().await.unwrap();
    assert_eq!((row.position, row.refed_total, row.state.as_str()), (33, 1, "diverged"), "{row:?}");
    assert_eq!(breaks(&kit).await, [break_of("mirror_missing", tests::erlang::NODE, "resolved")]);
    let row = kit.round(kit.erlang.address()).await;
    assert_eq!((row.position, row.state.as_str()), (120, "connected"), "{row:?}");
    let expected: Vec<i64> = (0..120).chain([33]).collect();
    assert_eq!(kit.erlang.order().await, expected, "and nothing else");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_cannot_be_asked_is_a_break_until_it_can() {
    let Some(mut kit) = Kit::start(true).await else { return };
    kit.record(10).await;
    kit.round(kit.erlang.address()).await;
    kit.erlang.kill();
    reconcile(&kit, false).await;
    assert_eq!(breaks(&kit).await, [break_of("mirror_not_compared", tests::erlang::NODE, "open")]);
    kit.erlang.run().await;
    reconcile(&kit, false).await;
    assert_eq!(breaks(&kit).await, [break_of("mirror_not_compared", tests::erlang::NODE, "resolved")]);
}
