//! Limits that differ from the defaults.

use std::collections::BTreeMap;

use stackup_store::{Reader, StoreError, Tx, params};

const OF: &str = "
SELECT resource, amount
FROM quotas
WHERE project_id = $1";
const ALL: &str = "
SELECT project_id, resource, amount
FROM quotas
ORDER BY project_id, resource";
const SET: &str = "
INSERT INTO quotas (project_id, resource, amount)
VALUES ($1, $2, $3)
ON CONFLICT (project_id, resource) DO UPDATE SET amount = excluded.amount";
const RESET: &str = "
DELETE FROM quotas
WHERE project_id = $1";

pub(crate) type Limits = BTreeMap<String, i64>;

pub(crate) fn of(r: &Reader<'_>, project: &str) -> Result<Limits, StoreError> {
    let rows: Vec<(String, i64)> = r.query(OF, &params![project])?;
    Ok(rows.into_iter().collect())
}

/// By project.
pub(crate) fn all(r: &Reader<'_>) -> Result<BTreeMap<String, Limits>, StoreError> {
    let rows: Vec<(String, String, i64)> = r.query(ALL, &[])?;
    let mut all: BTreeMap<String, Limits> = BTreeMap::new();
    for (project, resource, amount) in rows {
        all.entry(project).or_default().insert(resource, amount);
    }
    Ok(all)
}

pub(crate) fn set(
    tx: &mut Tx<'_>,
    project: &str,
    resource: &str,
    amount: i64,
) -> Result<(), StoreError> {
    tx.execute(SET, &params![project, resource, amount]).map(drop)
}

/// Back to the defaults.
pub(crate) fn reset(tx: &mut Tx<'_>, project: &str) -> Result<(), StoreError> {
    tx.execute(RESET, &params![project]).map(drop)
}

const SEED: &str = "
INSERT INTO seeded (name)
VALUES ($1)
ON CONFLICT DO NOTHING";

/// Notes that something of day one is made. False when it was before.
pub(crate) fn seed(tx: &mut Tx<'_>, name: &str) -> Result<bool, StoreError> {
    tx.execute(SEED, &params![name]).map(|rows| rows > 0)
}
