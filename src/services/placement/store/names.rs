//! Custom traits and resource classes.

use stackup_core::Time;
use stackup_store::{Reader, StoreError, Tx, params};

/// Which kind of name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Class,
    Trait,
}

impl Kind {
    fn table(self) -> &'static str {
        match self {
            Kind::Class => "custom_class",
            Kind::Trait => "custom_trait",
        }
    }
}

/// The custom names, oldest first, with the time each was made.
pub(crate) fn list(r: &Reader<'_>, kind: Kind) -> Result<Vec<(String, Time)>, StoreError> {
    let table = kind.table();
    r.query(&format!("SELECT name, created_at FROM {table} ORDER BY created_at, name"), &[])
}

pub(crate) fn has(r: &Reader<'_>, kind: Kind, name: &str) -> Result<bool, StoreError> {
    let sql = format!("SELECT COUNT(*) FROM {} WHERE name = $1", kind.table());
    Ok(r.scalar::<i64>(&sql, &params![name])? > 0)
}

/// Adds a name; false when it is there.
pub(crate) fn add(tx: &mut Tx<'_>, kind: Kind, name: &str, now: Time) -> Result<bool, StoreError> {
    let sql = format!(
        "INSERT INTO {} (name, created_at) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING",
        kind.table()
    );
    Ok(tx.execute(&sql, &params![name, now])? == 1)
}

/// Removes a name; false when it was not there.
pub(crate) fn remove(tx: &mut Tx<'_>, kind: Kind, name: &str) -> Result<bool, StoreError> {
    let sql = format!("DELETE FROM {} WHERE name = $1", kind.table());
    Ok(tx.execute(&sql, &params![name])? == 1)
}

const TRAIT_USED: &str = "SELECT COUNT(*) FROM provider_trait WHERE trait = $1";
const ASSOCIATED: &str = "SELECT DISTINCT trait FROM provider_trait";

pub(crate) fn trait_in_use(r: &Reader<'_>, name: &str) -> Result<bool, StoreError> {
    Ok(r.scalar::<i64>(TRAIT_USED, &params![name])? > 0)
}

/// Traits that some provider has.
pub(crate) fn associated(r: &Reader<'_>) -> Result<Vec<String>, StoreError> {
    let rows: Vec<(String,)> = r.query(ASSOCIATED, &[])?;
    Ok(rows.into_iter().map(|(name,)| name).collect())
}

const RENAME_CLASS: &[&str] = &[
    "UPDATE custom_class SET name = $2 WHERE name = $1",
    "UPDATE inventory SET resource_class = $2 WHERE resource_class = $1",
    "UPDATE allocation SET resource_class = $2 WHERE resource_class = $1",
];

/// Gives a custom class another name, wherever it is used.
pub(crate) fn rename_class(tx: &mut Tx<'_>, from: &str, to: &str) -> Result<(), StoreError> {
    for sql in RENAME_CLASS {
        tx.execute(sql, &params![from, to])?;
    }
    Ok(())
}
