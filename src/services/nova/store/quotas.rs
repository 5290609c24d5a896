//! Limits that differ from the configuration.

use std::collections::BTreeMap;

use stackup_store::{Reader, StoreError, Tx, params};

const OF_PROJECT: &str = "
SELECT resource, ceiling
FROM quotas
WHERE project_id = $1";
const OF_CLASS: &str = "
SELECT resource, ceiling
FROM quota_classes
WHERE class = $1";
const SET: &str = "
INSERT INTO quotas (project_id, resource, ceiling)
VALUES ($1, $2, $3)
ON CONFLICT (project_id, resource) DO UPDATE SET ceiling = excluded.ceiling";
const SET_CLASS: &str = "
INSERT INTO quota_classes (class, resource, ceiling)
VALUES ($1, $2, $3)
ON CONFLICT (class, resource) DO UPDATE SET ceiling = excluded.ceiling";
const CLEAR: &str = "
DELETE FROM quotas
WHERE project_id = $1";

pub(crate) fn of_project(
    r: &Reader<'_>,
    project: &str,
) -> Result<BTreeMap<String, i64>, StoreError> {
    let rows: Vec<(String, i64)> = r.query(OF_PROJECT, &params![project])?;
    Ok(rows.into_iter().collect())
}

pub(crate) fn of_class(r: &Reader<'_>, class: &str) -> Result<BTreeMap<String, i64>, StoreError> {
    let rows: Vec<(String, i64)> = r.query(OF_CLASS, &params![class])?;
    Ok(rows.into_iter().collect())
}

pub(crate) fn set(
    tx: &mut Tx<'_>,
    project: &str,
    resource: &str,
    limit: i64,
) -> Result<(), StoreError> {
    tx.execute(SET, &params![project, resource, limit]).map(drop)
}

pub(crate) fn set_class(
    tx: &mut Tx<'_>,
    class: &str,
    resource: &str,
    limit: i64,
) -> Result<(), StoreError> {
    tx.execute(SET_CLASS, &params![class, resource, limit]).map(drop)
}

/// Back to what the class says.
pub(crate) fn clear(tx: &mut Tx<'_>, project: &str) -> Result<(), StoreError> {
    tx.execute(CLEAR, &params![project]).map(drop)
}
