//! What ends the sending: an endpoint that is gone, that fails for days, that is disabled or deleted, and an owner who is erased.

use domain::Role;
use domain::accounts;
use domain::webhooks::endpoints::{self, Change};
use ledger::Book;
use queue::testing::Outcome;
use serde_json::json;
use tests::receiver::{Receiver, answer};

use super::kit::{Kit, loopback};

#[tokio::test]
async fn an_endpoint_that_says_it_is_gone_is_disabled_and_its_owner_told() {
    let kit = Kit::start().await;
    let (user, mut receiver, mut other) = (kit.user().await, Receiver::start().await, Receiver::start().await);
    let (endpoint, _) = kit.endpoint(&user, &receiver, &["wallet.*"]).await;
    let (_watching, _) = kit.endpoint(&user, &other, &["webhook.disabled"]).await;
    receiver.says(answer(410, "", ""));
    kit.happen("wallet.opened", &[user.user_id]).await;
    kit.dispatch().await;
    let ran = kit.run().await;
    assert_eq!(ran[0].outcome, Outcome::Discarded("the endpoint is gone (410)".to_owned()));
    assert_eq!(kit.now(&user, &endpoint).await.disabled_reason.as_deref(), Some("gone"));
    kit.deliver().await;
    let told: serde_json::Value = serde_json::from_str(&other.next().await.body).unwrap();
    assert_eq!(told["data"], json!({ "v": 1, "webhook_id": endpoint.id, "reason": "gone" }));
    receiver.next().await;
    kit.happen("wallet.opened", &[user.user_id]).await;
    assert_eq!((kit.dispatch().await, receiver.unseen().len()), (0, 0));
}

#[tokio::test]
async fn an_endpoint_that_fails_for_five_days_is_disabled_and_one_that_works_again_is_not() {
    let kit = Kit::start().await;
    let (user, receiver) = (kit.user().await, Receiver::start().await);
    let (endpoint, _) = kit.endpoint(&user, &receiver, &[]).await;
    let fail = async || {
        receiver.says(answer(500, "", ""));
        kit.happen("wallet.opened", &[user.user_id]).await;
        kit.deliver().await;
        kit.now(&user, &endpoint).await
    };
    let since = fail().await.failing_since.unwrap();
    assert_eq!(fail().await.failing_since, Some(since), "since the first of them");
    kit.execute("update app.webhook_endpoint set failing_since = now() - interval '4 days 23 hours'").await;
    assert_eq!(fail().await.disabled_reason, None);
    receiver.says(answer(204, "", ""));
    kit.happen("wallet.opened", &[user.user_id]).await;
    kit.deliver().await;
    assert_eq!(kit.now(&user, &endpoint).await.failing_since, None);
    fail().await;
    kit.execute("update app.webhook_endpoint set failing_since = now() - interval '5 days 1 hour'").await;
    assert_eq!(fail().await.disabled_reason.as_deref(), Some("failing"));
}

#[tokio::test]
async fn what_is_on_its_way_to_an_endpoint_that_is_disabled_or_deleted_is_not_sent() {
    let kit = Kit::start().await;
    let (user, mut receiver) = (kit.user().await, Receiver::start().await);
    let (one, _) = kit.endpoint(&user, &receiver, &[]).await;
    let (two, _) = kit.endpoint(&user, &receiver, &[]).await;
    kit.happen("wallet.opened", &[user.user_id]).await;
    assert_eq!(kit.dispatch().await, 2);
    let mut conn = kit.pool.acquire().await.unwrap();
    let disable = Change { is_enabled: Some(false), ..Change::default() };
    endpoints::change(&mut conn, &user, &one, &disable, &loopback()).await.unwrap();
    endpoints::remove(&mut conn, &user, &two).await.unwrap();
    let mut outcomes: Vec<Outcome> = kit.run().await.into_iter().map(|ran| ran.outcome).collect();
    outcomes.sort_by_key(|outcome| matches!(outcome, Outcome::Discarded(_)));
    let gone = Outcome::Discarded("the delivery, or its endpoint, has gone".to_owned());
    assert_eq!(outcomes, [Outcome::Succeeded(Some(json!({ "cancelled": true }))), gone]);
    assert!(receiver.unseen().is_empty());
    assert_eq!(kit.deliveries(&user, &one).await[0].status, "cancelled");
}

#[tokio::test]
async fn who_is_suspended_erased_or_no_longer_staff_is_told_nothing() {
    let kit = Kit::start().await;
    let (user, staff, mut receiver) = (kit.user().await, kit.user().await, Receiver::start().await);
    kit.endpoint(&user, &receiver, &[]).await;
    let role = sqlx::query("update app.account_user set role = 'operator' where id = $1").bind(staff.user_id.0);
    role.execute(&kit.pool).await.unwrap();
    let operator = domain::Principal::of(staff.user_id, Role::Operator, Book::MAIN);
    kit.endpoint_of(&operator, &receiver, &[], true).await;
    kit.happen("wallet.opened", &[user.user_id]).await;
    // Both between the dispatch and the delivery, and before the dispatch.
    assert_eq!(kit.dispatch().await, 2);
    kit.execute("update app.account_user set role = 'user', status = 'suspended' where role <> 'admin'").await;
    kit.run().await;
    kit.happen("wallet.opened", &[user.user_id]).await;
    assert_eq!((kit.dispatch().await, receiver.unseen().len()), (0, 0));

    let mut tx = kit.pool.begin().await.unwrap();
    accounts::erase(&mut tx, Book::MAIN, user.user_id).await.unwrap();
    tx.commit().await.unwrap();
    let left = "select (select count(*) from app.webhook_endpoint where owner_id = $1)
              + (select count(*) from app.webhook_delivery as d
                 where not exists (select from app.webhook_endpoint as e where e.id = d.endpoint_id))";
    let left: i64 = sqlx::query_scalar(left).bind(user.user_id.0).fetch_one(&kit.pool).await.unwrap();
    assert_eq!(left, 0);
}
