//! What a page of transactions costs: rows that are read by an index, as many as the page needs and never a table.

use domain::transactions::{AmountRange, Filter, Kind, Order, State, list};
use domain::{Page, Principal, ProductId};
use ledger::{AccountId, Currency};
use sqlx::{Connection, PgConnection, PgPool};
use tests::database::Database;
use tests::people;
use uuid::Uuid;

const ROWS: i32 = 100_000;

/// One busy account that pays all of them, a thousand that are paid, one product in a hundred, a void here and there.
const FILL: &str = "
    insert into app.transaction (
        id, kind, from_account, to_account, amount, currency, product_id, quantity, effective_at, metadata_salt, created_by, status,
        seq, recorded_at
    )
    select ('01900000-0000-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid, 'purchase', $1,
           ('00000000-0000-0000-0000-' || lpad((n % 1000)::text, 12, '0'))::uuid, n, 'GBP',
           ('00000000-0000-0000-0001-' || lpad((n % 100)::text, 12, '0'))::uuid, 1, now(), '\\x00112233445566778899aabbccddeeff', $2,
           'recorded', n, now()
    from generate_series(1, $3) as n";

/// Rows of the requests' tables that this session has read and not told of: by an index, and otherwise.
async fn read(conn: &mut PgConnection) -> (i64, i64) {
    let read = "select sum(coalesce(idx_tup_fetch, 0))::bigint, sum(seq_tup_read)::bigint
                from pg_stat_xact_user_tables
                where schemaname = 'app' and relname in ('transaction', 'transaction_leg')";
    sqlx::query_as(read).fetch_one(conn).await.unwrap()
}

/// What a page with this filter finds and reads.
async fn cost(pool: &PgPool, principal: &Principal, filter: &Filter) -> (usize, bool, i64) {
    let mut conn = pool.acquire().await.unwrap();
    let mut tx = conn.begin().await.unwrap();
    let before = read(&mut tx).await;
    let found = list(&mut tx, principal, filter).await.unwrap();
    let after = read(&mut tx).await;
    assert_eq!(after.1 - before.1, 0, "no table is read: {filter:?}");
    (found.items.len(), found.has_more, after.0 - before.0)
}

#[tokio::test]
async fn a_page_reads_what_it_shows_whatever_the_statistics_say() {
    let pool = Database::create().await.pool(2).await;
    let admin = people::admin(&pool).await;
    let ada = people::customer(&pool, &admin, Currency::GBP).await;
    let fill = sqlx::query(FILL).bind(ada.wallet.0).bind(ada.principal.user_id.0).bind(ROWS);
    fill.execute(&pool).await.unwrap();
    let paid = AccountId("00000000-0000-0000-0000-000000000007".parse::<Uuid>().unwrap());
    let product = ProductId("00000000-0000-0000-0001-000000000007".parse::<Uuid>().unwrap());
    let middle = Some("01900000-0000-7000-8000-00000000c350".parse::<Uuid>().unwrap());
    let rare = AmountRange { currency: Currency::GBP, min: 49_000, max: 49_000 };
    for statistics in ["none", "fresh"] {
        if statistics == "fresh" {
            sqlx::query("analyze app.transaction, app.transaction_leg").execute(&pool).await.unwrap();
        }
        for order in [Order::NewestFirst, Order::OldestFirst] {
            for after in [None, middle] {
                let plain = Filter { order, page: Page { after, limit: 50 }, ..Filter::default() };
                let of_account = Filter { account: Some(ada.wallet), ..plain.clone() };
                for (who, filter) in [
                    (&ada.principal, plain.clone()),
                    (&ada.principal, of_account.clone()),
                    (&admin, plain.clone()),
                    (&admin, of_account.clone()),
                ] {
                    let (found, has_more, cost) = cost(&pool, who, &filter).await;
                    assert_eq!((found, has_more), (50, true), "{filter:?}");
                    assert!(cost <= 3 * 51, "{cost} rows for a page, with statistics {statistics}: {filter:?}");
                }
                let short = Page { after, limit: 40 };
                for (who, filter) in [
                    (&admin, Filter { product: Some(product), ..plain.clone() }),
                    (&admin, Filter { counterparty: Some(paid), ..plain.clone() }),
                    (&ada.principal, Filter { kind: Some(Kind::Purchase), ..of_account.clone() }),
                ] {
                    let filter = Filter { page: short, ..filter };
                    let (found, has_more, cost) = cost(&pool, who, &filter).await;
                    assert_eq!((found, has_more), (40, true), "{filter:?}");
                    assert!(
                        cost <= 3 * 1_000,
                        "{cost} rows for a narrow page, with statistics {statistics}: {filter:?}"
                    );
                }
                for filter in [
                    Filter { status: Some(State::Rejected), ..of_account.clone() },
                    Filter { amount: Some(rare), ..of_account.clone() },
                    Filter { counterparty: Some(paid), ..of_account },
                ] {
                    let (found, has_more, cost) = cost(&pool, &ada.principal, &filter).await;
                    assert!(found < 51 && has_more, "what is rare goes on on the next page: {filter:?}");
                    assert!(cost <= 3 * 20_000, "{cost} rows at most, with statistics {statistics}: {filter:?}");
                }
            }
        }
    }
}
