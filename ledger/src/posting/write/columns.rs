//! A decision as the columns of what is written.

use std::collections::HashSet;

use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::Act;
use crate::merkle::leaf_hash;
use crate::merkle::tiles::{Appender, TILE_WIDTH, Tile};
use crate::posting::decide::Decision;
use crate::posting::read::Places;

/// The columns of the new transactions.
#[derive(Default)]
pub(super) struct Transactions {
    pub(super) seqs: Vec<i64>,
    pub(super) ids: Vec<Uuid>,
    pub(super) recorded_at: Vec<DateTime<Utc>>,
    pub(super) reverses: Vec<Option<Uuid>>,
    pub(super) reverses_part: Vec<Option<Uuid>>,
    pub(super) resolves: Vec<Option<Uuid>>,
    pub(super) leaf_hashes: Vec<Vec<u8>>,
    pub(super) leaves: Vec<Vec<u8>>,
}

impl Transactions {
    /// Encodes each leaf, hashes it, and appends it to the tree.
    pub(super) fn of(decision: &Decision, appender: &mut Appender) -> Transactions {
        let mut columns = Transactions::default();
        for leaf in &decision.leaves {
            assert_eq!(leaf.seq as u64, appender.frontier().size(), "a leaf's index in the tree is its seq");
            let bytes = leaf.encode();
            let hash = leaf_hash(&bytes);
            appender.push(hash);
            columns.seqs.push(leaf.seq);
            columns.ids.push(leaf.id.0);
            columns.recorded_at.push(leaf.recorded_at);
            columns.reverses.push(leaf.act.reverses().map(|original| original.0));
            columns.reverses_part.push(leaf.act.reverses_part().map(|original| original.0));
            columns.resolves.push(leaf.act.resolves().map(|hold| hold.0));
            columns.leaf_hashes.push(hash.to_vec());
            columns.leaves.push(bytes);
        }
        assert!(columns.recorded_at.is_sorted_by(|one, next| one < next), "each is recorded later than the one before");
        columns
    }
}

/// The columns of the new entries.
#[derive(Default)]
pub(super) struct Entries {
    pub(super) accounts: Vec<Uuid>,
    pub(super) versions: Vec<i64>,
    pub(super) seqs: Vec<i64>,
    pub(super) amounts: Vec<i64>,
    pub(super) balances: Vec<i64>,
    pub(super) effective_at: Vec<Option<DateTime<Utc>>>,
}

impl Entries {
    pub(super) fn of(decision: &Decision) -> Entries {
        let mut columns = Entries::default();
        let mut sum: i128 = 0;
        // In the order of their index, so that neighbours in it are written one after the other.
        let mut sorted: Vec<_> = decision.entries.iter().collect();
        sorted.sort_unstable_by_key(|entry| (entry.account, entry.version));
        for entry in sorted {
            assert!(entry.version >= 1 && entry.amount != 0);
            sum += i128::from(entry.amount);
            columns.accounts.push(entry.account.0);
            columns.versions.push(entry.version);
            columns.seqs.push(entry.seq);
            columns.amounts.push(entry.amount);
            columns.balances.push(entry.balance);
            columns.effective_at.push(entry.effective_at);
        }
        assert_eq!(sum, 0, "what is credited was debited");
        columns
    }
}

/// The columns of the accounts that change, in the order of their index.
#[derive(Default)]
pub(super) struct Accounts {
    /// Where their rows lie.
    pub(super) places: Vec<String>,
    pub(super) ids: Vec<Uuid>,
    pub(super) balances: Vec<i64>,
    pub(super) versions: Vec<i64>,
    pub(super) held_out: Vec<i64>,
    pub(super) held_in: Vec<i64>,
    pub(super) closed_seqs: Vec<Option<i64>>,
}

impl Accounts {
    pub(super) fn of(decision: &Decision, places: &Places) -> Accounts {
        let mut sorted: Vec<_> = decision.accounts.iter().collect();
        sorted.sort_unstable_by_key(|(id, _)| *id);
        let mut columns = Accounts::default();
        for (id, account) in sorted {
            assert!(account.is_changed, "only what changes is written");
            account.assert_sound();
            columns.places.push(places[id].to_string());
            columns.ids.push(id.0);
            columns.balances.push(account.balance);
            columns.versions.push(account.version);
            columns.held_out.push(account.held_out);
            columns.held_in.push(account.held_in);
            columns.closed_seqs.push(account.closed_seq);
        }
        assert!(columns.ids.is_sorted_by(|one, next| one < next), "an account is written once");
        columns
    }
}

/// The columns of the holds that are open after the batch and were not before, and those that it ended.
#[derive(Default)]
pub(super) struct Holds {
    pub(super) ids: Vec<Uuid>,
    pub(super) seqs: Vec<i64>,
    pub(super) expires_at: Vec<Option<DateTime<Utc>>>,
    /// The accounts of each, as the text of an array.
    pub(super) accounts: Vec<String>,
    pub(super) ended: Vec<Uuid>,
}

impl Holds {
    pub(super) fn of(decision: &Decision) -> Holds {
        let mut columns = Holds::default();
        let ended: HashSet<Uuid> =
            decision.leaves.iter().filter_map(|leaf| leaf.act.resolves()).map(|hold| hold.0).collect();
        let mut begun = HashSet::new();
        for leaf in &decision.leaves {
            let Act::Hold { expires_at } = leaf.act else { continue };
            begun.insert(leaf.id.0);
            // One that begins and ends in one batch is never listed.
            if !ended.contains(&leaf.id.0) {
                let accounts: Vec<String> = leaf.legs.iter().map(|leg| leg.account.to_string()).collect();
                columns.ids.push(leaf.id.0);
                columns.seqs.push(leaf.seq);
                columns.expires_at.push(expires_at);
                columns.accounts.push(format!("{{{}}}", accounts.join(",")));
            }
        }
        columns.ended = ended.difference(&begun).copied().collect();
        assert!(columns.ids.len() <= begun.len() && columns.ended.len() <= ended.len());
        columns
    }
}

/// The columns of the ids that are used up.
#[derive(Default)]
pub(super) struct Refusals {
    pub(super) ids: Vec<Uuid>,
    pub(super) reasons: Vec<String>,
}

impl Refusals {
    pub(super) fn of(decision: &Decision) -> Refusals {
        let mut columns = Refusals::default();
        for (id, refusal) in &decision.refused {
            assert!(refusal.is_final(), "only what is refused for good is kept");
            columns.ids.push(id.0);
            columns.reasons.push(refusal.as_str().to_owned());
        }
        columns
    }
}

/// The columns of the tiles that became full.
#[derive(Default)]
pub(super) struct Tiles {
    pub(super) levels: Vec<i16>,
    pub(super) indexes: Vec<i64>,
    pub(super) roots: Vec<Vec<u8>>,
    pub(super) hashes: Vec<Vec<u8>>,
}

impl Tiles {
    pub(super) fn of(full: Vec<Tile>) -> Tiles {
        let mut columns = Tiles::default();
        for tile in full {
            assert_eq!(tile.hashes.len(), TILE_WIDTH * 32, "only full tiles are written");
            columns.levels.push(i16::from(tile.level));
            columns.indexes.push(tile.index as i64);
            columns.roots.push(tile.root.to_vec());
            columns.hashes.push(tile.hashes);
        }
        columns
    }
}
