//! Flavors and who may use them.

use std::collections::BTreeMap;

use stackup_core::Time;
use stackup_store::{Reader, StoreError, Tx, params};

use crate::model::flavor::Flavor;

const COLUMNS: &str = "row, id, name, memory_mb, vcpus, root_gb, ephemeral_gb, swap_mb,
    extra_specs, rxtx_factor, public, description, created_at, updated_at";
const NEXT_ROW: &str = "
SELECT COALESCE(MAX(row), 0) + 1
FROM flavors";
const DESCRIBE: &str = "
UPDATE flavors
SET description = $2, updated_at = $3
WHERE id = $1";
const SET_SPECS: &str = "
UPDATE flavors
SET extra_specs = $2, updated_at = $3
WHERE id = $1";
const DELETE: &str = "
DELETE FROM flavors
WHERE id = $1";
const GRANT: &str = "
INSERT INTO flavor_access (flavor_id, project_id)
VALUES ($1, $2)";
const REVOKE: &str = "
DELETE FROM flavor_access
WHERE flavor_id = $1
  AND project_id = $2";
const ACCESS: &str = "
SELECT project_id
FROM flavor_access
WHERE flavor_id = $1
ORDER BY project_id";

/// Whose flavors: everybody's, or the public ones and those a project was given.
#[derive(Debug, Clone, Default)]
pub(crate) struct Filter {
    pub public: Option<bool>,
    /// A project whose own access counts as public does.
    pub usable_by: Option<String>,
}

pub(crate) fn insert(tx: &mut Tx<'_>, flavor: &Flavor) -> Result<Flavor, StoreError> {
    let mut flavor = flavor.clone();
    flavor.row = tx.scalar(NEXT_ROW, &[])?;
    let sql = format!(
        "INSERT INTO flavors ({COLUMNS})
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)"
    );
    let size = &flavor.size;
    let values = params![
        flavor.row,
        size.id,
        size.name,
        size.memory_mb,
        size.vcpus,
        size.root_gb,
        size.ephemeral_gb,
        size.swap_mb,
        specs(&size.extra_specs),
        flavor.rxtx_factor,
        flavor.public,
        flavor.description,
        flavor.created_at,
        flavor.updated_at,
    ];
    tx.execute(&sql, &values)?;
    Ok(flavor)
}

pub(crate) fn get(r: &Reader<'_>, id: &str) -> Result<Option<Flavor>, StoreError> {
    let sql = format!("SELECT {COLUMNS}\nFROM flavors\nWHERE id = $1");
    r.first(&sql, &params![id])
}

pub(crate) fn by_name(r: &Reader<'_>, name: &str) -> Result<Option<Flavor>, StoreError> {
    let sql = format!("SELECT {COLUMNS}\nFROM flavors\nWHERE name = $1");
    r.first(&sql, &params![name])
}

/// All that the filter lets through, in the order they were made.
pub(crate) fn list(r: &Reader<'_>, filter: &Filter) -> Result<Vec<Flavor>, StoreError> {
    let sql = format!(
        "SELECT {COLUMNS}
FROM flavors
WHERE (CAST($1 AS BIGINT) IS NULL OR public = $1)
  AND (CAST($2 AS TEXT) IS NULL OR public = 1 OR EXISTS (
      SELECT 1
      FROM flavor_access
      WHERE flavor_id = flavors.id
        AND project_id = $2))
ORDER BY row"
    );
    r.query(&sql, &params![filter.public, filter.usable_by])
}

pub(crate) fn describe(
    tx: &mut Tx<'_>,
    id: &str,
    description: Option<&str>,
    now: Time,
) -> Result<(), StoreError> {
    tx.execute(DESCRIBE, &params![id, description, now]).map(drop)
}

pub(crate) fn set_specs(
    tx: &mut Tx<'_>,
    id: &str,
    extra_specs: &BTreeMap<String, String>,
    now: Time,
) -> Result<(), StoreError> {
    tx.execute(SET_SPECS, &params![id, specs(extra_specs), now]).map(drop)
}

pub(crate) fn delete(tx: &mut Tx<'_>, id: &str) -> Result<usize, StoreError> {
    tx.execute(DELETE, &params![id])
}

/// Fails with [`StoreError::Unique`] when the project has access already.
pub(crate) fn grant(tx: &mut Tx<'_>, id: &str, project: &str) -> Result<(), StoreError> {
    tx.execute(GRANT, &params![id, project]).map(drop)
}

/// How many rows went: none when the project had no access.
pub(crate) fn revoke(tx: &mut Tx<'_>, id: &str, project: &str) -> Result<usize, StoreError> {
    tx.execute(REVOKE, &params![id, project])
}

/// The projects that were given access.
pub(crate) fn access(r: &Reader<'_>, id: &str) -> Result<Vec<String>, StoreError> {
    let rows: Vec<(String,)> = r.query(ACCESS, &params![id])?;
    Ok(rows.into_iter().map(|(project,)| project).collect())
}

fn specs(extra_specs: &BTreeMap<String, String>) -> serde_json::Value {
    serde_json::json!(extra_specs)
}
