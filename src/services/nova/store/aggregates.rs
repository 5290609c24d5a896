//! Host aggregates.

use stackup_store::{Reader, StoreError, Tx, params};

use crate::model::aggregate::Aggregate;

const COLUMNS: &str = "row, uuid, name, metadata, hosts, created_at, updated_at";
const NEXT_ROW: &str = "
SELECT COALESCE(MAX(row), 0) + 1
FROM aggregates";
const SAVE: &str = "
UPDATE aggregates
SET name = $2, metadata = $3, hosts = $4, updated_at = $5
WHERE row = $1";
const DELETE: &str = "
DELETE FROM aggregates
WHERE row = $1";

/// Fails with [`StoreError::Unique`] when there is one of that name.
pub(crate) fn insert(tx: &mut Tx<'_>, aggregate: &Aggregate) -> Result<Aggregate, StoreError> {
    let mut aggregate = aggregate.clone();
    aggregate.row = tx.scalar(NEXT_ROW, &[])?;
    let a = &aggregate;
    let sql = format!("INSERT INTO aggregates ({COLUMNS})\nVALUES ($1, $2, $3, $4, $5, $6, $7)");
    let values = params![
        a.row,
        a.uuid,
        a.name,
        serde_json::json!(a.metadata),
        serde_json::json!(a.hosts),
        a.created_at,
        a.updated_at
    ];
    tx.execute(&sql, &values)?;
    Ok(aggregate)
}

pub(crate) fn get(r: &Reader<'_>, row: i64) -> Result<Option<Aggregate>, StoreError> {
    let sql = format!("SELECT {COLUMNS}\nFROM aggregates\nWHERE row = $1");
    r.first(&sql, &params![row])
}

pub(crate) fn list(r: &Reader<'_>) -> Result<Vec<Aggregate>, StoreError> {
    let sql = format!("SELECT {COLUMNS}\nFROM aggregates\nORDER BY row");
    r.query(&sql, &[])
}

pub(crate) fn save(tx: &mut Tx<'_>, aggregate: &Aggregate) -> Result<(), StoreError> {
    let a = aggregate;
    let (metadata, hosts) = (serde_json::json!(a.metadata), serde_json::json!(a.hosts));
    tx.execute(SAVE, &params![a.row, a.name, metadata, hosts, a.updated_at]).map(drop)
}

pub(crate) fn delete(tx: &mut Tx<'_>, row: i64) -> Result<usize, StoreError> {
    tx.execute(DELETE, &params![row])
}
