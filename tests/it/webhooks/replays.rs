//! Deliveries that are made again, and those that are forgotten.

use std::time::Duration;

use domain::webhooks::endpoints::{self, Change};
use domain::webhooks::sweep;
use jobs::submitted::Submitted;
use jobs::{replay_webhooks, send_webhook};
use queue::Notifier;
use queue::testing::{Outcome, advance};
use serde_json::json;
use sqlx::types::chrono::{DateTime, Utc};
use tests::receiver::{Receiver, answer};

use super::kit::{Kit, loopback};

#[tokio::test]
async fn a_delivery_that_has_ended_is_made_again_under_the_same_id() {
    let kit = Kit::start().await;
    let (user, mut receiver) = (kit.user().await, Receiver::start().await);
    let endpoint = kit.endpoint(&user, &receiver, &[]).await.0;
    kit.happen("wallet.opened", &[user.user_id]).await;
    kit.dispatch().await;
    let (id, notifier) = (kit.deliveries(&user, &endpoint).await[0].id, Notifier::spawn(kit.pool.clone()));
    let again = async || send_webhook::again(&kit.pool, &notifier, &user, id, None).await;
    let code = |refused| match refused {
        Err(domain::Error::Conflict { code, .. }) => code,
        other => panic!("{other:?}"),
    };
    assert_eq!(code(again().await), "delivery_pending");
    kit.run().await;
    let Submitted::Done(pending) = again().await.unwrap() else { panic!("it has no key") };
    assert_eq!((pending.status.as_str(), pending.ended_at), ("pending", None));
    // Twice in a row is once, unless somebody took its job away.
    assert_eq!(code(again().await), "delivery_pending");
    kit.execute("delete from queue.job").await;
    again().await.unwrap();
    assert_eq!(code(again().await), "delivery_pending");
    assert_eq!(kit.run().await.len(), 1);
    let (first, second) = (receiver.next().await, receiver.next().await);
    assert_eq!((first.header("webhook-id"), &first.body), (second.header("webhook-id"), &second.body));
    let delivery = &kit.deliveries(&user, &endpoint).await[0];
    assert_eq!((delivery.status.as_str(), delivery.attempts), ("delivered", 2));
    let other = kit.user().await;
    let refused = send_webhook::again(&kit.pool, &notifier, &other, id, None).await;
    assert!(matches!(refused, Err(domain::Error::NotFound)), "{refused:?}");
    let disable = Change { is_enabled: Some(false), ..Change::default() };
    endpoints::change(&mut kit.pool.acquire().await.unwrap(), &user, &endpoint, &disable, &loopback()).await.unwrap();
    assert_eq!(code(again().await), "webhook_disabled");
}

#[tokio::test]
async fn all_that_failed_since_a_time_is_made_again_and_nothing_else() {
    let kit = Kit::start().await;
    let (user, mut receiver) = (kit.user().await, Receiver::start().await);
    let endpoint = kit.endpoint(&user, &receiver, &[]).await.0;
    receiver.says(answer(500, "", ""));
    for _ in 0..3 {
        kit.happen("wallet.opened", &[user.user_id]).await;
    }
    kit.dispatch().await;
    for _ in 0..10 {
        kit.run().await;
        advance(&kit.pool, Duration::from_secs(30 * 3_600)).await;
    }
    receiver.says(answer(204, "", ""));
    kit.happen("wallet.opened", &[user.user_id]).await;
    kit.deliver().await;
    let statuses = async || -> Vec<String> {
        kit.deliveries(&user, &endpoint).await.into_iter().map(|delivery| delivery.status).collect()
    };
    assert_eq!(statuses().await, ["failed", "failed", "failed", "delivered"]);
    // The first one is made older than the time that is asked for, attempts and all.
    let since: DateTime<Utc> = sqlx::query_scalar(
        "with old as (
             update app.webhook_delivery
             set id = overlay(id::text placing '00000000-0000' from 1 for 13)::uuid
             where id = (select id from app.webhook_delivery order by id limit 1)
         )
         select now() - interval '1 hour'",
    )
    .fetch_one(&kit.pool)
    .await
    .unwrap();
    receiver.unseen();
    let notifier = Notifier::spawn(kit.pool.clone());
    let range = (&endpoint, since, DateTime::<Utc>::MAX_UTC);
    replay_webhooks::submit(&kit.pool, &notifier, &user, range, None).await.unwrap();
    let ran = kit.run().await;
    assert_eq!(ran[0].outcome, Outcome::Succeeded(Some(json!({ "replayed": 2 }))), "{ran:?}");
    assert_eq!(receiver.unseen().len(), 2);
    assert_eq!(statuses().await, ["failed", "delivered", "delivered", "delivered"]);

    // That old one is also what is forgotten after a month.
    let mut conn = kit.pool.acquire().await.unwrap();
    assert_eq!(sweep::forget_old(&mut conn, 0, 100).await.unwrap(), 1);
    assert_eq!(sweep::forget_old(&mut conn, 0, 100).await.unwrap(), 0);
    assert_eq!(statuses().await, ["delivered", "delivered", "delivered"]);
}
