//! From rows of a file to rows of the database: a batch in one transaction, set by set.

use sqlx::PgConnection;

use super::fields::{Fault, Fields};
use super::{Finding, Kind, Source, Tally, products, users};
use crate::ids::UserId;

/// A row of the file, as it was read.
#[derive(Debug)]
pub struct Row {
    /// Its number, from 1 behind the header.
    row: i64,
    /// The line that it begins on.
    line: i64,
    fields: Result<Fields, Vec<Fault>>,
}

/// What a batch came to.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Applied {
    /// How many rows came to what.
    pub tally: Tally,
    /// Why some became nothing.
    pub findings: Vec<Finding>,
    /// Users that were created; their wallets are to be opened.
    pub users: Vec<UserId>,
}

/// What became of one row that could be read.
pub(super) enum Outcome {
    Created,
    Exists(Fault),
    Refused(Vec<Fault>),
}

/// Reads and writes the rows of one import.
#[derive(Debug)]
pub struct Importer<'a> {
    source: &'a Source,
    rows: Vec<Row>,
}

impl<'a> Importer<'a> {
    /// An empty batch.
    pub fn of(source: &'a Source) -> Importer<'a> {
        Importer { source, rows: Vec::new() }
    }

    /// How many rows wait to be written.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether no row waits to be written.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Reads a row; none: it is too long.
    pub fn add(&mut self, row: i64, line: i64, bytes: Option<&[u8]>) {
        let Source { kind, format, columns, .. } = self.source;
        let fields = Fields::read(*kind, *format, columns, bytes);
        self.rows.push(Row { row, line, fields });
    }

    /// Writes the batch, in the caller's transaction, and empties it.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn apply(&mut self, conn: &mut PgConnection) -> sqlx::Result<Applied> {
        let rows = std::mem::take(&mut self.rows);
        let (mut places, mut fields, mut outcomes) = (Vec::new(), Vec::new(), Vec::new());
        for row in rows {
            match row.fields {
                Ok(read) => {
                    places.push((row.row, row.line));
                    fields.push(read);
                }
                Err(faults) => outcomes.push(((row.row, row.line), Outcome::Refused(faults))),
            }
        }
        let mut users = Vec::new();
        let written = match self.source.kind {
            Kind::Products => products::write(conn, self.source, fields).await?,
            Kind::Users => users::write(conn, self.source, fields, &mut users).await?,
        };
        outcomes.extend(places.into_iter().zip(written));
        outcomes.sort_by_key(|(place, _)| *place);
        Ok(summed(outcomes, users))
    }
}

fn summed(outcomes: Vec<((i64, i64), Outcome)>, users: Vec<UserId>) -> Applied {
    let mut applied = Applied { users, ..Applied::default() };
    for (place, outcome) in outcomes {
        applied.tally.rows += 1;
        match outcome {
            Outcome::Created => applied.tally.created += 1,
            Outcome::Exists(fault) => {
                applied.tally.existing += 1;
                applied.findings.push(finding(place, fault));
            }
            Outcome::Refused(faults) => {
                applied.tally.refused += 1;
                applied.findings.extend(faults.into_iter().map(|fault| finding(place, fault)));
            }
        }
    }
    applied
}

fn finding((row, line): (i64, i64), fault: Fault) -> Finding {
    let Fault { field, code, detail } = fault;
    Finding { number: 0, row, line, field: field.map(str::to_owned), code: code.to_owned(), detail }
}
