//! The rows of `compute service list`.

use stackup_core::{Time, ids};
use stackup_store::{Reader, StoreError, Tx, params};

use crate::model::compute_service::ComputeService;

const COLUMNS: &str = "row, id, binary_name, host, disabled, disabled_reason, forced_down, seen_at";
const NEXT_ROW: &str = "
SELECT COALESCE(MAX(row), 0) + 1
FROM services";
const SEEN: &str = "
UPDATE services
SET seen_at = $3
WHERE binary_name = $1
  AND host = $2";
const INSERT: &str = "
INSERT INTO services (row, id, binary_name, host, disabled, disabled_reason, forced_down, seen_at)
VALUES ($1, $2, $3, $4, 0, NULL, 0, $5)";
const SAVE: &str = "
UPDATE services
SET disabled = $2, disabled_reason = $3, forced_down = $4
WHERE id = $1";
const DELETE: &str = "
DELETE FROM services
WHERE id = $1";

/// The service lives: makes its row, or notes that it was seen.
pub(crate) fn seen(tx: &mut Tx<'_>, binary: &str, host: &str, now: Time) -> Result<(), StoreError> {
    if tx.execute(SEEN, &params![binary, host, now])? > 0 {
        return Ok(());
    }
    let row: i64 = tx.scalar(NEXT_ROW, &[])?;
    // The same install names its services alike, so that two lists can be compared.
    let id = ids::named(&format!("{host}.{binary}"));
    tx.execute(INSERT, &params![row, id, binary, host, now]).map(drop)
}

pub(crate) fn list(r: &Reader<'_>) -> Result<Vec<ComputeService>, StoreError> {
    let sql = format!("SELECT {COLUMNS}\nFROM services\nORDER BY row");
    r.query(&sql, &[])
}

pub(crate) fn save(tx: &mut Tx<'_>, service: &ComputeService) -> Result<(), StoreError> {
    let values =
        params![service.id, service.disabled, service.disabled_reason, service.forced_down];
    tx.execute(SAVE, &values).map(drop)
}

pub(crate) fn delete(tx: &mut Tx<'_>, id: &str) -> Result<usize, StoreError> {
    tx.execute(DELETE, &params![id])
}
