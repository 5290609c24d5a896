//! Consumers and their allocations.

use std::collections::BTreeMap;

use stackup_contracts::Resources;
use stackup_core::{ProviderId, Time};
use stackup_store::{Reader, StoreError, Tx, params};

use crate::model::allocation::{Claim, Consumer};

const CONSUMER: &str = "
SELECT id, project_id, user_id, kind, generation
FROM consumer
WHERE id = $1";
const PUT_CONSUMER: &str = "
INSERT INTO consumer (id, project_id, user_id, kind, generation, created_at, updated_at)
VALUES ($1, $2, $3, $4, $5, $6, $6)
ON CONFLICT (id) DO UPDATE
SET project_id = excluded.project_id, user_id = excluded.user_id,
    kind = COALESCE(excluded.kind, consumer.kind), generation = excluded.generation,
    updated_at = excluded.updated_at";
const DELETE_CONSUMER: &str = "DELETE FROM consumer WHERE id = $1";
const OF_CONSUMER: &str = "
SELECT provider_id, resource_class, used
FROM allocation
WHERE consumer_id = $1";
const OF_PROVIDER: &str = "
SELECT consumer_id, resource_class, used
FROM allocation
WHERE provider_id = $1";
const CLEAR: &str = "DELETE FROM allocation WHERE consumer_id = $1";
const INSERT: &str = "
INSERT INTO allocation (consumer_id, provider_id, resource_class, used)
VALUES ($1, $2, $3, $4)";
const USED: &str = "
SELECT resource_class, CAST(SUM(used) AS INTEGER)
FROM allocation
WHERE provider_id = $1
GROUP BY resource_class";
const OF_PROJECT: &str = "
SELECT consumer.kind, consumer.id, allocation.resource_class, allocation.used
FROM allocation
JOIN consumer ON consumer.id = allocation.consumer_id
WHERE consumer.project_id = $1
  AND (consumer.user_id = $2 OR $2 IS NULL)";

/// Amounts of a provider or a consumer, by whoever is on the other side.
pub(crate) type BySide = BTreeMap<String, Resources>;

pub(crate) fn consumer(r: &Reader<'_>, id: &str) -> Result<Option<Consumer>, StoreError> {
    r.first(CONSUMER, &params![id])
}

/// By provider.
pub(crate) fn of_consumer(r: &Reader<'_>, id: &str) -> Result<BySide, StoreError> {
    grouped(r, OF_CONSUMER, id)
}

/// By consumer.
pub(crate) fn of_provider(r: &Reader<'_>, id: &ProviderId) -> Result<BySide, StoreError> {
    grouped(r, OF_PROVIDER, id)
}

fn grouped(r: &Reader<'_>, sql: &str, id: &str) -> Result<BySide, StoreError> {
    let rows: Vec<(String, String, u64)> = r.query(sql, &params![id])?;
    let mut sides = BySide::new();
    for (side, class, used) in rows {
        sides.entry(side).or_default().insert(class, used);
    }
    Ok(sides)
}

/// What of a provider is used, by class.
pub(crate) fn used(r: &Reader<'_>, id: &ProviderId) -> Result<Resources, StoreError> {
    let rows: Vec<(String, u64)> = r.query(USED, &params![id])?;
    Ok(rows.into_iter().collect())
}

/// Kind, consumer, class, amount.
pub(crate) type Usage = (Option<String>, String, String, u64);

/// Kind, consumer, class, amount of everything a project (and user) uses.
pub(crate) fn of_project(
    r: &Reader<'_>,
    project: &str,
    user: Option<&str>,
) -> Result<Vec<Usage>, StoreError> {
    r.query(OF_PROJECT, &params![project, user])
}

/// Replaces what the consumer has; whether it fits is the caller's to check.
pub(crate) fn replace(
    tx: &mut Tx<'_>,
    claim: &Claim,
    generation: u64,
    now: Time,
) -> Result<(), StoreError> {
    tx.execute(CLEAR, &params![claim.consumer])?;
    if claim.allocations.is_empty() {
        return tx.execute(DELETE_CONSUMER, &params![claim.consumer]).map(drop);
    }
    let Claim { consumer, project_id, user_id, kind, .. } = claim;
    let params = params![consumer, project_id, user_id, kind, generation, now];
    tx.execute(PUT_CONSUMER, &params)?;
    for (provider, resources) in &claim.allocations {
        for (class, amount) in resources {
            tx.execute(INSERT, &params![consumer, provider, class, amount])?;
        }
    }
    Ok(())
}

/// Takes all that a consumer has, and leaves the consumer: a claim follows in the same write.
pub(crate) fn clear(tx: &mut Tx<'_>, consumer: &str) -> Result<(), StoreError> {
    tx.execute(CLEAR, &params![consumer]).map(drop)
}

/// Removes a consumer with all it has; how many rows that were.
pub(crate) fn release(tx: &mut Tx<'_>, consumer: &str) -> Result<usize, StoreError> {
    let rows = tx.execute(CLEAR, &params![consumer])?;
    tx.execute(DELETE_CONSUMER, &params![consumer])?;
    Ok(rows)
}
