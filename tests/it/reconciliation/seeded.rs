//! The seeded-fault suite: each class R1 to R12 planted in a sound book, found, and told by its right name; a sound book has
//! no break.

use std::collections::BTreeSet;

use super::kit::Stage;

/// A fault, and what the two kinds of run have to make of it, as `class sub_class` by commas.
struct Fault {
    name: &'static str,
    /// Planted after a run has verified everything before, and new transfers have come; `$new` is one of their leaves.
    plant: &'static str,
    incremental: &'static str,
    full: &'static str,
}

const FAULTS: &[Fault] = &[
    Fault {
        name: "R1: money out of nothing, carried through to the balance",
        plant: "update ledger.entry as e set amount = e.amount + 5, balance = e.balance + 5
                from (select account_id, max(version) as version from ledger.entry where account_id = $bob group by 1) as last
                where e.account_id = last.account_id and e.version = last.version;
                update ledger.account set balance = balance + 5 where id = $bob",
        incremental: "R1 balances, R1 entries, R11 entry",
        full: "R1 balances, R1 entries, R2 balance, R11 entry",
    },
    Fault {
        name: "R2: a balance that its entries do not have",
        plant: "update ledger.account set balance = balance + 700 where id = $bob",
        incremental: "R1 balances, R2 balance",
        full: "R1 balances, R2 balance",
    },
    Fault {
        name: "R2: a version that its entries do not have",
        plant: "update ledger.account set version = version + 1 where id = $bob",
        incremental: "R2 version",
        full: "R2 version",
    },
    Fault {
        name: "R3: a running balance that does not follow",
        plant: "update ledger.entry set balance = balance + 9 where account_id = $bob and seq = $new",
        incremental: "R3 running_balance",
        full: "R3 running_balance, R11 entry",
    },
    Fault {
        name: "R3: entries in another order than the log",
        plant: "update ledger.entry set seq = seq + 2 where account_id = $bob and seq = $new",
        incremental: "R1 entries, R3 order, R11 entry, R11 entry_missing",
        full: "R1 entries, R3 order, R11 entry",
    },
    Fault {
        name: "R3: an entry that is gone",
        plant: "delete from ledger.entry where account_id = $bob and seq = $new",
        incremental: "R1 entries, R3 gap, R3 running_balance, R11 entry_missing",
        full: "R1 entries, R2 sum, R3 gap, R3 running_balance, R11 entry_missing",
    },
    Fault {
        name: "R4: an account that holds more than its holds",
        plant: "update ledger.account set held_out = held_out + 40 where id = $ada",
        incremental: "R1 holds, R4 held",
        full: "R1 holds, R4 held",
    },
    Fault {
        name: "R4: an open hold that is not listed",
        plant: "delete from ledger.open_hold where seq = (select max(seq) from ledger.open_hold)",
        incremental: "R4 held, R4 not_listed",
        full: "R4 held, R4 log, R4 not_listed",
    },
    Fault {
        name: "R4: an ended hold that is listed",
        plant: "insert into ledger.open_hold (book, id, seq, accounts)
                select 1, resolves, (select seq from ledger.transaction as h where h.id = t.resolves), '{}'
                from ledger.transaction as t where resolves is not null",
        incremental: "R4 accounts, R4 ended",
        full: "R4 accounts, R4 ended, R4 log",
    },
    Fault {
        name: "R4: a hold that is no hold",
        plant: "insert into ledger.open_hold (book, id, seq, accounts) values (1, gen_random_uuid(), 3, '{}')",
        incremental: "R4 no_hold",
        full: "R4 log, R4 no_hold",
    },
    Fault {
        name: "R4: a hold whose time is over, and whose end is another than its leaf's",
        plant: "update ledger.open_hold set expires_at = now() - interval '1 hour'
                where seq = (select max(seq) from ledger.open_hold)",
        incremental: "R4 expiry, R4 overdue",
        full: "R4 expiry, R4 log, R4 overdue",
    },
    Fault {
        name: "R4: a hold that is listed without its accounts",
        plant: "update ledger.open_hold set accounts = '{}' where seq = (select max(seq) from ledger.open_hold)",
        incremental: "R4 accounts",
        full: "R4 accounts, R4 log",
    },
    Fault {
        name: "R5: an account that may not be overdrawn, and is",
        plant: "alter table ledger.account drop constraint if exists account_bound;
                update ledger.account set overdraft = false where id = $cash",
        incremental: "",
        full: "R5 available, R5 entry, R5 leaf",
    },
    Fault {
        name: "R6: a leaf that was changed",
        plant: "update ledger.transaction set leaf = set_byte(leaf, length(leaf) - 1, get_byte(leaf, length(leaf) - 1) # 1)
                where seq = $new",
        incremental: "R1 leaf, R6 hash, R6 root, R8 request_differs, R11 entry",
        full: "R1 leaf, R2 balance, R6 hash, R6 root, R8 request_differs, R11 entry",
    },
    Fault {
        name: "R6: a leaf that is gone",
        plant: "delete from ledger.transaction where seq = $new",
        incremental: "R6 gap, R6 tile, R7 not_recorded, R11 entry_extra",
        full: "R2 balance, R2 version, R6 gap, R6 head, R6 log, R6 tile, R7 not_recorded, R11 entry, R11 entry_extra",
    },
    Fault {
        name: "R6: a log that does not go on from what was signed",
        plant: "update ledger.checkpoint set root = sha256('x') where size = (select max(size) from ledger.checkpoint)",
        incremental: "R6 consistency",
        full: "R6 consistency, R6 log",
    },
    Fault {
        name: "R6: a signature that was changed",
        plant: "update ledger.checkpoint set note = regexp_replace(note, '[A-Za-z0-9]={0,2}\\n$', E'+\\n')
                where size = (select max(size) from ledger.checkpoint)",
        incremental: "",
        full: "R6 signature",
    },
    Fault {
        name: "R6: a root that does not follow from the leaves",
        plant: "update ledger.book set root = sha256('x')",
        incremental: "R6 consistency, R6 root",
        full: "R6 consistency, R6 head, R6 root",
    },
    Fault {
        name: "R6: a tile that was changed",
        plant: "update ledger.tile set hashes = set_byte(hashes, 77, get_byte(hashes, 77) # 1) where index = 1",
        incremental: "R6 tile",
        full: "R6 tile",
    },
    Fault {
        name: "R7: a request that is told to be recorded, and is not",
        plant: "insert into app.transaction (id, kind, from_account, to_account, amount, currency, effective_at, metadata_salt,
                    created_by, status, seq, recorded_at)
                select $fresh, kind, from_account, to_account, 77, currency, effective_at, metadata_salt, created_by,
                    'recorded', 9999, now()
                from app.transaction where kind = 'transfer' limit 1",
        incremental: "R7 not_recorded",
        full: "R7 not_recorded",
    },
    Fault {
        name: "R7: a recorded transaction that nobody asked for",
        plant: "delete from app.transaction where seq = $new",
        incremental: "R7 request_missing",
        full: "R7 request_missing",
    },
    Fault {
        name: "R7: a pending request whose job is lost",
        plant: "insert into app.transaction (id, kind, from_account, to_account, amount, currency, effective_at, metadata_salt,
                    created_by)
                select $fresh, kind, from_account, to_account, 77, currency, effective_at, metadata_salt, created_by
                from app.transaction where kind = 'transfer' limit 1",
        incremental: "R7 job_lost",
        full: "R7 job_lost",
    },
    Fault {
        name: "R7: a recorded transaction whose request is told to be pending, elsewhere, or rejected",
        plant: "update app.transaction set status = 'pending', seq = null, recorded_at = null where seq = $new;
                update app.transaction set seq = 0 where seq = $new + 1;
                update app.transaction set status = 'rejected', seq = null, recorded_at = null, reason = 'insufficient_funds'
                where seq = $new + 2",
        incremental: "R7 elsewhere, R7 recorded_though_rejected, R7 verdict_missing",
        full: "R7 elsewhere, R7 recorded_though_rejected, R7 verdict_missing",
    },
    Fault {
        name: "R7: a refusal that is gone",
        plant: "delete from ledger.refusal",
        incremental: "R7 refusal_missing",
        full: "R7 refusal_missing",
    },
    Fault {
        name: "R8: an id that is recorded and refused",
        plant: "insert into ledger.refusal (book, id, reason, refused_at)
                select 1, id, 'amount_zero', now() from ledger.transaction where seq = $new",
        incremental: "R8 refused_too",
        full: "R8 refused_too",
    },
    Fault {
        name: "R8: a request that says something else than what was recorded under its id",
        plant: "update app.transaction set amount = amount + 1, description = 'another parcel' where seq = $new",
        incremental: "R8 request_differs",
        full: "R8 request_differs",
    },
    Fault {
        name: "R9: a clearing account that keeps money of a correlation id",
        plant: "insert into reconciliation.clearing_account (book, account_id, settles_within)
                values (1, $bob, interval '1 microsecond')",
        incremental: "R9 not_cleared",
        full: "R9 not_cleared",
    },
    Fault {
        name: "R11: a column that says something else than its leaf",
        plant: "update ledger.transaction set recorded_at = recorded_at + interval '1 us' where seq = $new",
        incremental: "R11 column",
        full: "R6 log, R11 column",
    },
    Fault {
        name: "R11: a wallet whose account is in another currency",
        plant: "update app.wallet set currency = 'EUR' where account_id = $ada",
        incremental: "",
        full: "R11 wallet",
    },
    Fault {
        name: "R11: entries of an account that is not there",
        plant: "insert into ledger.entry (book, account_id, version, seq, amount, balance)
                values (1, $fresh, 1, 3, 5, 5)",
        incremental: "",
        full: "R1 entries, R11 account_missing, R11 entry_extra",
    },
];

fn names(list: &str) -> BTreeSet<String> {
    list.split(", ").filter(|name| !name.is_empty()).map(str::to_owned).collect()
}

/// A book that was verified once, with a hundred transfers, a hold and an unsigned leaf after that.
async fn prepared() -> (Stage, i64) {
    let stage = Stage::create().await;
    let clean = stage.full().await;
    assert_eq!(stage.found(clean).await, BTreeSet::new(), "a sound book has no break");
    stage.transfers(250).await;
    stage.sign().await;
    stage.transfers(20).await;
    stage.hold(50).await;
    let new: i64 = stage.scalar("select max(seq) - 100 from ledger.transaction").await;
    (stage, new)
}

/// Puts the names of things into a fault.
fn filled(fault: &str, stage: &Stage, new: i64) -> String {
    let cash = "(select account_id from app.wallet where purpose = 'cash' and currency = 'GBP')";
    fault
        .replace("$ada", &format!("'{}'", stage.people[0].wallet))
        .replace("$bob", &format!("'{}'", stage.people[1].wallet))
        .replace("$cash", cash)
        .replace("$fresh", &format!("'{}'", uuid::Uuid::now_v7()))
        .replace("$new", &new.to_string())
}

#[tokio::test]
async fn every_class_is_planted_found_and_told_by_its_name() {
    let mut classes = BTreeSet::new();
    let mut wrong = Vec::new();
    let (stage, new) = prepared().await;
    stage.keep().await;
    for fault in FAULTS {
        for (is_full, wanted) in [(false, names(fault.incremental)), (true, names(fault.full))] {
            stage.restore().await;
            stage.plant(&filled(fault.plant, &stage, new)).await;
            let run = stage.run(is_full, false).await;
            let found = stage.found(run).await;
            if found != wanted {
                let kind = if is_full { "full" } else { "incremental" };
                wrong.push(format!("{} ({kind}): found {found:?}, wanted {wanted:?}", fault.name));
            }
            classes.extend(found.iter().map(|name| name.split(' ').next().unwrap().to_owned()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let planted: BTreeSet<String> =
        FAULTS.iter().map(|fault| fault.name.split(':').next().unwrap().to_owned()).collect();
    assert!(planted.is_subset(&classes), "{planted:?} are planted, {classes:?} are found");
    // R10 is planted in `statements`, R12 below.
    assert_eq!(planted.len(), 10, "{planted:?}");
}

#[tokio::test]
async fn a_sound_book_has_no_break_whatever_runs_over_it() {
    let stage = Stage::create().await;
    for is_full in [false, true, false, true] {
        let run = stage.run(is_full, true).await;
        assert_eq!(stage.found(run).await, BTreeSet::new());
        stage.transfers(100).await;
    }
    let (verified, size): (i64, i64) =
        sqlx::query_as("select verified_size, size from reconciliation.run order by ended_at desc limit 1")
            .fetch_one(&stage.pool)
            .await
            .unwrap();
    assert_eq!(verified, size, "what was verified is not looked at again");
    let healed: i64 = stage.scalar("select sum(healed) from reconciliation.run").await;
    assert_eq!(healed, 0);
}

#[tokio::test]
async fn a_break_that_is_dropped_or_closed_without_a_word_is_found() {
    let (stage, _) = prepared().await;
    let fault = "update app.wallet set currency = 'EUR' where account_id in ($ada, $bob)";
    stage.plant(&filled(fault, &stage, 0)).await;
    stage.full().await;
    stage.plant("delete from reconciliation.break where ctid = (select min(ctid) from reconciliation.break)").await;
    stage.plant("update reconciliation.break set state = 'resolved', resolution = 'hush'").await;
    let run = stage.incremental().await;
    assert_eq!(stage.found(run).await, names("R12 dropped, R12 unexplained"));
}
