//! From events to deliveries: to whom, and exactly once.

use domain::webhooks::endpoints;
use futures::future::join_all;
use tests::receiver::Receiver;

use super::kit::{Kit, loopback};

#[tokio::test]
async fn an_endpoint_gets_what_concerns_its_owner_and_what_it_asks_for() {
    let kit = Kit::start().await;
    let (one, two, receiver) = (kit.user().await, kit.user().await, Receiver::start().await);
    kit.happen("user.updated", &[one.user_id]).await;
    let all = kit.endpoint(&one, &receiver, &[]).await.0;
    let some = kit.endpoint(&one, &receiver, &["wallet.*", "user.erased"]).await.0;
    let others = kit.endpoint(&two, &receiver, &[]).await.0;
    let book = kit.endpoint_of(&kit.admin, &receiver, &[], true).await.0;
    let own_of_admin = kit.endpoint(&kit.admin, &receiver, &[]).await.0;
    kit.happen("user.updated", &[one.user_id]).await;
    kit.happen("wallet.opened", &[one.user_id, two.user_id]).await;
    kit.happen("user.erased", &[two.user_id]).await;
    kit.happen_on("ledger.checkpoint", vec!["ledger".to_owned()]).await;
    kit.happen_on("password_reset.requested", vec!["mail".to_owned(), format!("user:{}", one.user_id)]).await;
    kit.dispatch().await;
    let kinds = async |owner, endpoint| -> Vec<String> {
        kit.deliveries(owner, endpoint).await.into_iter().map(|delivery| delivery.kind).collect()
    };
    // What happened before, and what is mailed, is for nobody.
    assert_eq!(kinds(&one, &all).await, ["user.updated", "wallet.opened"]);
    assert_eq!(kinds(&one, &some).await, ["wallet.opened"]);
    assert_eq!(kinds(&two, &others).await, ["wallet.opened", "user.erased"]);
    assert_eq!(kinds(&kit.admin, &book).await, ["user.updated", "wallet.opened", "user.erased", "ledger.checkpoint"]);
    assert_eq!(kinds(&kit.admin, &own_of_admin).await, [""; 0]);
    // What is somebody else's is not there.
    let mut conn = kit.pool.acquire().await.unwrap();
    assert!(endpoints::find(&mut conn, &two, all.id).await.is_err());
    let new = endpoints::NewEndpoint { url: receiver.url(), description: None, kinds: vec![], takes_book: true };
    let refused = endpoints::create(&mut conn, &two, &new, &loopback()).await;
    assert!(matches!(refused, Err(domain::Error::Forbidden(_))), "{refused:?}");
}

#[tokio::test]
async fn each_event_becomes_one_delivery_whoever_looks_and_whatever_is_cut() {
    let kit = Kit::start().await;
    let (user, receiver) = (kit.user().await, Receiver::start().await);
    let endpoint = kit.endpoint(&user, &receiver, &[]).await.0;
    let mut made = 0;
    for round in 0..5 {
        join_all((0..20).map(async |_| kit.happen("wallet.opened", &[user.user_id]).await)).await;
        made += join_all((0..4).map(|_| kit.dispatch())).await.into_iter().sum::<usize>();
        if round % 2 == 0 {
            // Somebody restores an older cursor, as a failover to a late replica would: the ids tell what is there.
            kit.execute("update app.event_cursor set seq = 0, event = 0 where follower = 'webhooks'").await;
        }
        // One that is dropped in the middle has done all of a step or nothing.
        tokio::select! {
            biased;
            more = kit.dispatch() => made += more,
            () = tokio::task::yield_now() => {}
        }
    }
    made += kit.dispatch().await;
    let counts = "select count(*), count(distinct event_id),
                      (select count(*) from queue.job where kind = 'webhooks.deliver')
                  from app.webhook_delivery where endpoint_id = $1";
    let counts: (i64, i64, i64) = sqlx::query_as(counts).bind(endpoint.id).fetch_one(&kit.pool).await.unwrap();
    assert_eq!(counts, (100, 100, 100));
    assert!(made <= 100, "{made} were told of");
}
