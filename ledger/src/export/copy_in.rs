//! Writes many rows fast: `copy … from stdin (format binary)`.

use sqlx::PgConnection;
use uuid::Uuid;

/// What a binary copy starts with: the signature, four bytes of flags and four of the length of an extension.
const HEADER: &[u8] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";
/// What it ends with, in the place of a count of columns.
const TRAILER: [u8; 2] = (-1i16).to_be_bytes();
/// From the epoch of Unix to that of PostgreSQL, in microseconds.
const EPOCH_MICROS: i64 = 946_684_800_000_000;
/// The type of an id, by its number in every PostgreSQL.
const UUID_OID: u32 = 2_950;
/// How much is gathered before it is sent.
pub(super) const CHUNK: usize = 1 << 20;

/// Rows on their way into a table.
pub(super) struct Rows {
    statement: String,
    columns: i16,
    bytes: Vec<u8>,
    count: u64,
}

impl Rows {
    /// Rows of these columns, as a list in SQL.
    pub(super) fn new(table: &str, columns: &str) -> Rows {
        let count = columns.split(',').count() as i16;
        let statement = format!("copy ledger.{table} ({columns}) from stdin (format binary)");
        Rows { statement, columns: count, bytes: HEADER.to_vec(), count: 0 }
    }

    /// Begins the next row; as many columns as there are have to follow.
    pub(super) fn row(&mut self) -> &mut Rows {
        self.bytes.extend_from_slice(&self.columns.to_be_bytes());
        self.count += 1;
        self
    }

    pub(super) fn bytes(&mut self, bytes: &[u8]) -> &mut Rows {
        let length = i32::try_from(bytes.len()).expect("a column of ours is shorter than 2 GB");
        self.bytes.extend_from_slice(&length.to_be_bytes());
        self.bytes.extend_from_slice(bytes);
        self
    }

    pub(super) fn null(&mut self) -> &mut Rows {
        self.bytes.extend_from_slice(&(-1i32).to_be_bytes());
        self
    }

    pub(super) fn smallint(&mut self, number: i16) -> &mut Rows {
        self.bytes(&number.to_be_bytes())
    }

    pub(super) fn integer(&mut self, number: i32) -> &mut Rows {
        self.bytes(&number.to_be_bytes())
    }

    pub(super) fn bigint(&mut self, number: i64) -> &mut Rows {
        self.bytes(&number.to_be_bytes())
    }

    pub(super) fn boolean(&mut self, value: bool) -> &mut Rows {
        self.bytes(&[u8::from(value)])
    }

    pub(super) fn uuid(&mut self, id: Uuid) -> &mut Rows {
        self.bytes(id.as_bytes())
    }

    pub(super) fn micros(&mut self, micros: i64) -> &mut Rows {
        self.bigint(micros.saturating_sub(EPOCH_MICROS))
    }

    /// An array of ids, whose first has the index 1.
    pub(super) fn uuids(&mut self, ids: &[Uuid]) -> &mut Rows {
        let dimensions = u32::from(!ids.is_empty());
        let mut array = [dimensions, 0, UUID_OID].map(u32::to_be_bytes).concat();
        if !ids.is_empty() {
            array.extend_from_slice(&(ids.len() as u32).to_be_bytes());
            array.extend_from_slice(&1u32.to_be_bytes());
        }
        for id in ids {
            array.extend_from_slice(&16u32.to_be_bytes());
            array.extend_from_slice(id.as_bytes());
        }
        self.bytes(&array)
    }

    /// What `put` appends, or null.
    pub(super) fn or_null<T>(&mut self, value: Option<T>, put: impl FnOnce(&mut Rows, T) -> &mut Rows) -> &mut Rows {
        match value {
            Some(value) => put(self, value),
            None => self.null(),
        }
    }

    /// How many bytes are gathered.
    pub(super) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Sends what was gathered; each call is a copy of its own. Returns how many rows that were.
    pub(super) async fn send(&mut self, conn: &mut PgConnection) -> Result<u64, sqlx::Error> {
        let count = std::mem::take(&mut self.count);
        if count == 0 {
            return Ok(0);
        }
        self.bytes.extend_from_slice(&TRAILER);
        let mut copy = conn.copy_in_raw(&self.statement).await?;
        copy.send(self.bytes.as_slice()).await?;
        let written = copy.finish().await?;
        assert_eq!(written, count, "a copy writes each row");
        self.bytes.truncate(HEADER.len());
        Ok(count)
    }
}
