//! Inventories.

use std::collections::BTreeMap;

use stackup_contracts::Inventory;
use stackup_core::ProviderId;
use stackup_store::{Reader, Row, StoreError, Tx, params};

const LIST: &str = "
SELECT resource_class, total, reserved, min_unit, max_unit, step_size, allocation_ratio
FROM inventory
WHERE provider_id = $1
ORDER BY resource_class";
const PUT: &str = "
INSERT INTO inventory (provider_id, resource_class, total, reserved, min_unit, max_unit,
                       step_size, allocation_ratio)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
ON CONFLICT (provider_id, resource_class) DO UPDATE
SET total = excluded.total, reserved = excluded.reserved, min_unit = excluded.min_unit,
    max_unit = excluded.max_unit, step_size = excluded.step_size,
    allocation_ratio = excluded.allocation_ratio";
const DELETE: &str = "
DELETE FROM inventory
WHERE provider_id = $1
  AND resource_class = $2";
const CLEAR: &str = "DELETE FROM inventory WHERE provider_id = $1";
const OF_CLASS: &str = "SELECT COUNT(*) FROM inventory WHERE resource_class = $1";

pub(crate) fn list(
    r: &Reader<'_>,
    id: &ProviderId,
) -> Result<BTreeMap<String, Inventory>, StoreError> {
    let rows: Vec<Row> = r.query(LIST, &params![id])?;
    rows.iter().map(|row| Ok((row.get(0)?, inventory(row, 1)?))).collect()
}

/// An inventory from the seven columns that begin at `at`.
pub(super) fn inventory(row: &Row, at: usize) -> Result<Inventory, StoreError> {
    Ok(Inventory {
        total: row.get(at)?,
        reserved: row.get(at + 1)?,
        min_unit: row.get(at + 2)?,
        max_unit: row.get(at + 3)?,
        step_size: row.get(at + 4)?,
        allocation_ratio: row.get(at + 5)?,
    })
}

pub(crate) fn put(
    tx: &mut Tx<'_>,
    id: &ProviderId,
    class: &str,
    inventory: &Inventory,
) -> Result<(), StoreError> {
    let Inventory { total, reserved, min_unit, max_unit, step_size, allocation_ratio } = inventory;
    let params =
        params![id, class, total, reserved, min_unit, max_unit, step_size, allocation_ratio];
    tx.execute(PUT, &params).map(drop)
}

pub(crate) fn delete(tx: &mut Tx<'_>, id: &ProviderId, class: &str) -> Result<usize, StoreError> {
    tx.execute(DELETE, &params![id, class])
}

pub(crate) fn clear(tx: &mut Tx<'_>, id: &ProviderId) -> Result<(), StoreError> {
    tx.execute(CLEAR, &params![id]).map(drop)
}

pub(crate) fn has_class(r: &Reader<'_>, class: &str) -> Result<bool, StoreError> {
    Ok(r.scalar::<i64>(OF_CLASS, &params![class])? > 0)
}
