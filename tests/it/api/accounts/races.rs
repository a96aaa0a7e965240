//! Two at once: one wins, and the other gets its named refusal.

use domain::transactions::{Decision, accept};
use ledger::Book;
use reqwest::Method;
use serde_json::json;
use tests::database::until_blocked;
use tests::people::transfer;

use super::{path_of, tag};
use crate::api::harness::Api;

#[tokio::test]
async fn of_two_changes_with_one_tag_one_is_made() {
    let api = Api::start().await;
    let (ada, caller) = api.customer().await;
    let path = path_of(&ada);
    for round in 0..5 {
        let tag = tag(&caller, &path).await;
        let names = [format!("One {round}"), format!("Two {round}")].map(|name| json!({ "name": name }));
        let (one, other) = tokio::join!(caller.patch(&path, &tag, &names[0]), caller.patch(&path, &tag, &names[1]));
        let mut statuses = [one.status.as_u16(), other.status.as_u16()];
        statuses.sort_unstable();
        assert_eq!(statuses, [200, 412]);
    }
}

#[tokio::test]
async fn of_two_registrations_of_one_address_one_is_made() {
    let api = Api::start().await;
    for round in 0..5 {
        let new = |email: String| json!({ "email": email, "name": "Ada" });
        let (lower, upper) = (new(format!("ada{round}@example.org")), new(format!("ADA{round}@EXAMPLE.ORG")));
        let (one, other) =
            tokio::join!(api.admin.post("/api/v1/users", &lower), api.admin.post("/api/v1/users", &upper));
        let (won, lost) = if one.status == 201 { (one, other) } else { (other, one) };
        assert_eq!((won.status.as_u16(), lost.refusal().1.as_str()), (201, "email_taken"));
        assert_eq!(lost.json()["existing_id"], won.json()["id"]);
    }
}

#[tokio::test]
async fn of_two_changes_to_one_address_one_is_made() {
    let api = Api::start().await;
    let ((ada, _), (bob, _)) = (api.customer().await, api.customer().await);
    let (paths, bodies) =
        ([path_of(&ada), path_of(&bob)], ["x@example.org", "X@example.org"].map(|email| json!({ "email": email })));
    let (one, other) =
        tokio::join!(api.admin.patch(&paths[0], "*", &bodies[0]), api.admin.patch(&paths[1], "*", &bodies[1]));
    let lost = if one.status == 200 { other } else { one };
    assert_eq!((lost.refusal().0, lost.refusal().1.as_str()), (409, "email_taken"));
}

#[tokio::test]
async fn a_deletion_waits_for_a_transfer_that_is_being_accepted_and_is_refused() {
    let api = Api::start().await;
    let ((ada, _), (bob, _)) = (api.customer().await, api.customer().await);
    let asked = transfer(ada.wallet, bob.wallet, 100);
    let mut accepting = api.pool.begin().await.unwrap();
    let decided = accept(&mut accepting, Book::MAIN, &[(ada.principal, &asked)]).await.unwrap();
    assert!(matches!(decided[0], Decision::Accepted(_)), "{decided:?}");
    let path = path_of(&bob);
    let deleting = api.admin.send(Method::DELETE, &path, &[("if-match", "*")], Vec::new());
    let committing = async {
        until_blocked(&api.pool).await;
        accepting.commit().await.unwrap();
    };
    let (deleted, ()) = tokio::join!(deleting, committing);
    assert_eq!((deleted.refusal().0, deleted.refusal().1.as_str()), (409, "transactions_pending"));
}

#[tokio::test]
async fn a_transfer_waits_for_a_deletion_and_finds_the_account_closed() {
    let api = Api::start().await;
    let ((ada, caller), (bob, _)) = (api.customer().await, api.customer().await);
    let mut deleting = api.pool.begin().await.unwrap();
    domain::accounts::delete(&mut deleting, &api.principal, bob.principal.user_id, |_| true).await.unwrap();
    let amount = json!({ "amount": "1.00", "currency": "GBP" });
    let body = json!({ "type": "transfer", "from": ada.wallet.0, "to": bob.wallet.0, "amount": amount });
    let committing = async {
        until_blocked(&api.pool).await;
        deleting.commit().await.unwrap();
    };
    let (refused, ()) = tokio::join!(caller.post("/api/v1/transactions", &body), committing);
    assert_eq!((refused.refusal().0, refused.refusal().1.as_str()), (409, "account_closed"));
}

#[tokio::test]
async fn a_deletion_gives_way_when_transfers_do_not_pause() {
    let api = Api::start().await;
    let ((ada, _), (bob, _)) = (api.customer().await, api.customer().await);
    let (eve, _) = api.customer().await;
    let asked = transfer(ada.wallet, eve.wallet, 100);
    let mut accepting = api.pool.begin().await.unwrap();
    accept(&mut accepting, Book::MAIN, &[(ada.principal, &asked)]).await.unwrap();
    let answer = api.admin.send(Method::DELETE, &path_of(&bob), &[("if-match", "*")], Vec::new()).await;
    assert_eq!((answer.refusal().0, answer.refusal().1.as_str()), (503, "unavailable"));
    accepting.rollback().await.unwrap();
}
