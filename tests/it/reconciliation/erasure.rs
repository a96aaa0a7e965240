//! Erasing a person leaves the log whole: ids, leaves, root and proofs stay, names and words are gone.

use jobs::ACCOUNTS_QUEUE;
use jobs::erase_user;
use ledger::Book;
use ledger::verify::verify;
use queue::Notifier;
use queue::testing::{Outcome, drain};
use tests::people::transfer;

use super::kit::Stage;

#[tokio::test]
async fn an_erased_person_is_gone_and_the_ledger_is_sound() {
    let stage = Stage::create_without_holds().await;
    let (ada, bob) = (stage.people[0], stage.people[1]);
    let root: Vec<u8> = stage.scalar("select root from ledger.book").await;
    sqlx::query(
        "insert into app.session (token_hash, user_id, expires_at) values (sha256('x'), $1, now() + interval '1 h')",
    )
    .bind(ada.principal.user_id.0)
    .execute(&stage.pool)
    .await
    .unwrap();
    let notifier = Notifier::spawn(stage.pool.clone());
    for _ in 0..2 {
        erase_user::submit(&stage.pool, &notifier, &stage.admin, ada.principal.user_id, None).await.unwrap();
        let ran = drain(&stage.pool, &stage.registry, ACCOUNTS_QUEUE).await;
        assert_eq!(ran.iter().map(|ran| &ran.outcome).collect::<Vec<_>>(), [&Outcome::Succeeded(None)]);
    }
    let words: i64 = stage.scalar("select count(*) from app.transaction where description is not null").await;
    assert_eq!(words, 0, "every transfer of these tests is Ada's");
    let keys: i64 = stage.scalar("select count(*) from app.session").await;
    assert_eq!(keys, 0);
    let (email, name): (String, String) = sqlx::query_as("select email, name from app.account_user where id = $1")
        .bind(ada.principal.user_id.0)
        .fetch_one(&stage.pool)
        .await
        .unwrap();
    assert_eq!((email, name.as_str()), (format!("{}@erased.invalid", ada.principal.user_id), "erased"));
    let mut conn = stage.pool.acquire().await.unwrap();
    let report = verify(&mut conn, Book::MAIN, &[], |_| ()).await.unwrap();
    assert!(report.is_clean(), "{:?}", report.findings);
    assert_eq!(report.root.to_vec(), root, "the log did not change");
    let run = stage.full().await;
    assert!(stage.found(run).await.is_empty(), "an erased person is no break");
    // Life goes on for the others.
    stage.record(bob.principal, vec![transfer(bob.wallet, ada.wallet, 5)]).await;
}

#[tokio::test]
async fn what_is_still_to_be_recorded_is_waited_for() {
    let stage = Stage::create_without_holds().await;
    let (ada, bob) = (stage.people[0], stage.people[1]);
    stage.accept(ada.principal, vec![transfer(ada.wallet, bob.wallet, 7)]).await;
    let notifier = Notifier::spawn(stage.pool.clone());
    erase_user::submit(&stage.pool, &notifier, &stage.admin, ada.principal.user_id, None).await.unwrap();
    let ran = drain(&stage.pool, &stage.registry, ACCOUNTS_QUEUE).await;
    assert!(matches!(ran[0].outcome, Outcome::Snoozed { .. }), "{ran:?}");
    let name: String = stage.scalar("select name from app.account_user where role = 'user' order by id limit 1").await;
    assert_ne!(name, "erased");
}
