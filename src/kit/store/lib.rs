//! State: one facade, one SQL text, two engines.
//!
//! A service opens a [`Db`] with its migrations and then
//!
//! - writes with `db.write(|tx| …)`: one synchronous closure in one transaction; nothing is held
//!   across an `.await`, and `Ok` means that it is committed and on the disk;
//! - reads with `db.read(|r| …)`: a consistent snapshot; short reads run where they are called.
//!
//! *SQLite* is the embedded default: WAL, `synchronous=FULL`, one writer thread that commits all
//! waiting jobs together, several read connections. *PostgreSQL* is for more than one machine's
//! worth of users: serializable transactions, retried on conflict.
//!
//! SQL is portable: `$1` placeholders; STRICT tables of TEXT, INTEGER, REAL and BLOB; times, ids and
//! JSON as TEXT, flags as 0/1; no AUTOINCREMENT, no FOR UPDATE. Capitals, one clause a line, each statement a `const`.

mod db;
mod keyset;
mod migrate;
mod postgres;
mod row;
mod sqlite;
pub mod testing;
#[cfg(test)]
mod tests;

pub use db::{Db, Reader, StoreConfig, Tx};
pub use keyset::{Keyset, Order};
pub use migrate::Migration;
pub use row::{FromRow, Row};
pub use stackup_core::{FromValue, ToValue, Value};

/// The parameters of a statement: `params![id, name, now]`.
#[macro_export]
macro_rules! params {
    ($($value:expr),* $(,)?) => {
        [$($crate::ToValue::to_value(&$value)),*]
    };
}

/// Why the store did not answer.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// A row with this key is there already.
    #[error("a row with the same key exists")]
    Unique(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// A row that others refer to, or that refers to one that is not there.
    #[error("a reference between rows would break")]
    Reference(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The disk is full.
    #[error("no space is left for the state")]
    NoSpace(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// Two transactions met; the facade retries before it says so.
    #[error("the transaction met another one")]
    Conflict(#[source] Box<dyn std::error::Error + Send + Sync>),
    #[error("a column does not hold what the reader expected")]
    Column(#[from] stackup_core::ValueError),
    #[error("the row has no column {0}")]
    MissingColumn(usize),
    #[error("migration {name} of {store} failed")]
    Migration {
        store: String,
        name: &'static str,
        #[source]
        source: Box<StoreError>,
    },
    #[error(
        "the state of {store} was written by a newer version: it has {found} migrations, this program knows {known}"
    )]
    Newer { store: String, found: usize, known: usize },
    #[error("the store failed")]
    Engine(#[source] Box<dyn std::error::Error + Send + Sync>),
    #[error("the store is closed")]
    Closed,
}

impl StoreError {
    pub fn is_unique(&self) -> bool {
        matches!(self, StoreError::Unique(_))
    }
}
