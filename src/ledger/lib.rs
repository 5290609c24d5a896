//! What was done to this machine: the journal of the host's flow, kept in SQLite.
//!
//! Synchronous and without a server, so that it works in a half-made installation and survives a
//! kill at any moment: `synchronous=FULL`, intent before and receipt after each change. The only
//! user of rusqlite beside the store.
//!
//! - [`Ledger`]: runs and steps, as a [`stackup_flow::Journal`] (`journal.rs`) and as rows to look
//!   at (`query.rs`).
//! - [`Lock`]: one install or reset at a time (`lock.rs`).

mod journal;
mod lock;
mod query;

use std::path::{Path, PathBuf};

use rusqlite::{Connection, OptionalExtension};
use stackup_core::SharedClock;

pub use lock::{Lock, LockError};
pub use query::{Run, StepRow};

/// The file's name inside the state directory.
pub const FILE: &str = "ledger.db";

const VERSION: i64 = 1;

/// Why the ledger could not be used.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    #[error("the ledger {path} could not be opened")]
    Open {
        path: PathBuf,
        #[source]
        source: rusqlite::Error,
    },
    #[error(
        "the ledger {path} was written by a newer stackup (format {found}, this one {VERSION})"
    )]
    Newer { path: PathBuf, found: i64 },
    #[error("the ledger could not be read or written")]
    Sql(#[from] rusqlite::Error),
    #[error("the ledger holds a line that makes no sense: {0}")]
    Corrupt(String),
}

/// The open ledger.
pub struct Ledger {
    connection: Connection,
    clock: SharedClock,
    run: Option<i64>,
}

impl Ledger {
    /// Opens the ledger, making an empty one where there is none.
    pub fn open(path: &Path, clock: SharedClock) -> Result<Self, LedgerError> {
        let fail = |source| LedgerError::Open { path: path.to_owned(), source };
        let connection = Connection::open(path).map_err(fail)?;
        let ledger = Self { connection, clock, run: None };
        ledger.prepare().map_err(fail)?;
        let found = ledger.connection.query_row("PRAGMA user_version", [], |row| row.get(0));
        match found.map_err(fail)? {
            0 => ledger.connection.pragma_update(None, "user_version", VERSION).map_err(fail)?,
            VERSION => {}
            found => return Err(LedgerError::Newer { path: path.to_owned(), found }),
        }
        Ok(ledger)
    }

    /// Opens the ledger if there is one.
    pub fn open_existing(path: &Path, clock: SharedClock) -> Result<Option<Self>, LedgerError> {
        if !path.exists() {
            return Ok(None);
        }
        Self::open(path, clock).map(Some)
    }

    /// A fact about the whole installation, such as the profile in force.
    pub fn meta(&self, name: &str) -> Result<Option<String>, LedgerError> {
        let query = "SELECT value FROM meta WHERE name = ?1";
        Ok(self.connection.query_row(query, [name], |row| row.get(0)).optional()?)
    }

    pub fn set_meta(&self, name: &str, value: &str) -> Result<(), LedgerError> {
        let insert = "INSERT INTO meta (name, value) VALUES (?1, ?2)
            ON CONFLICT (name) DO UPDATE SET value = excluded.value";
        self.connection.execute(insert, [name, value])?;
        Ok(())
    }

    /// Begins a run; every line written from here on belongs to it.
    pub fn begin(&mut self, verb: &str, profile_hash: &str) -> Result<i64, LedgerError> {
        let insert = "INSERT INTO run (verb, profile_hash, started_at) VALUES (?1, ?2, ?3)";
        self.connection.execute(insert, [verb, profile_hash, &self.now()])?;
        let id = self.connection.last_insert_rowid();
        self.run = Some(id);
        Ok(id)
    }

    /// Ends the run that was begun.
    pub fn end(&mut self, outcome: &str) -> Result<(), LedgerError> {
        let update = "UPDATE run SET ended_at = ?1, outcome = ?2 WHERE id = ?3";
        self.connection.execute(update, (self.now(), outcome, self.run.take()))?;
        Ok(())
    }

    fn now(&self) -> String {
        self.clock.now().seconds_z()
    }

    /// A rollback journal and not WAL: the ledger leaves no files beside it when it is closed, and
    /// nobody else reads while it is written.
    fn prepare(&self) -> Result<(), rusqlite::Error> {
        self.connection.busy_timeout(std::time::Duration::from_secs(5))?;
        self.connection.pragma_update(None, "journal_mode", "DELETE")?;
        self.connection.pragma_update(None, "synchronous", "FULL")?;
        self.connection.pragma_update(None, "foreign_keys", "ON")?;
        self.connection.execute_batch(include_str!("schema.sql"))
    }
}
