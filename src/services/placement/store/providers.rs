//! Providers, their traits and aggregates.

use stackup_core::{ProviderId, Time};
use stackup_store::{Reader, StoreError, Tx, params};

use crate::model::provider::Provider;

const COLUMNS: &str = "id, name, generation, parent_id, root_id, updated_at";
const INSERT: &str = "
INSERT INTO provider (id, name, generation, parent_id, root_id, created_at, updated_at)
VALUES ($1, $2, 0, $3, $4, $5, $5)";
const UPDATE: &str = "
UPDATE provider
SET name = $2, parent_id = $3, updated_at = $4
WHERE id = $1";
const MOVE_TREE: &str = "
UPDATE provider
SET root_id = $2
WHERE id = $1";
const BUMP: &str = "
UPDATE provider
SET generation = generation + 1, updated_at = $3
WHERE id = $1
  AND generation = $2";
const DELETE: &str = "DELETE FROM provider WHERE id = $1";
const CHILDREN: &str = "SELECT COUNT(*) FROM provider WHERE parent_id = $1";
const TRAITS: &str = "SELECT trait FROM provider_trait WHERE provider_id = $1 ORDER BY trait";
const CLEAR_TRAITS: &str = "DELETE FROM provider_trait WHERE provider_id = $1";
const ADD_TRAIT: &str = "INSERT INTO provider_trait (provider_id, trait) VALUES ($1, $2)";
const AGGREGATES: &str =
    "SELECT aggregate FROM provider_aggregate WHERE provider_id = $1 ORDER BY aggregate";
const CLEAR_AGGREGATES: &str = "DELETE FROM provider_aggregate WHERE provider_id = $1";
const ADD_AGGREGATE: &str =
    "INSERT INTO provider_aggregate (provider_id, aggregate) VALUES ($1, $2)";

pub(crate) fn insert(
    tx: &mut Tx<'_>,
    id: &ProviderId,
    name: &str,
    parent: Option<&Provider>,
    now: Time,
) -> Result<(), StoreError> {
    let root = parent.map_or(id, |parent| &parent.root_id);
    let parent = parent.map(|parent| &parent.id);
    tx.execute(INSERT, &params![id, name, parent, root, now]).map(drop)
}

pub(crate) fn get(r: &Reader<'_>, id: &str) -> Result<Option<Provider>, StoreError> {
    r.first(&format!("SELECT {COLUMNS} FROM provider WHERE id = $1"), &params![id])
}

pub(crate) fn by_name(r: &Reader<'_>, name: &str) -> Result<Option<Provider>, StoreError> {
    r.first(&format!("SELECT {COLUMNS} FROM provider WHERE name = $1"), &params![name])
}

/// All of them, oldest first.
pub(crate) fn all(r: &Reader<'_>) -> Result<Vec<Provider>, StoreError> {
    r.query(&format!("SELECT {COLUMNS} FROM provider ORDER BY created_at, id"), &[])
}

pub(crate) fn update(
    tx: &mut Tx<'_>,
    id: &ProviderId,
    name: &str,
    parent: Option<&ProviderId>,
    now: Time,
) -> Result<(), StoreError> {
    tx.execute(UPDATE, &params![id, name, parent, now]).map(drop)
}

/// Gives a provider another root: after its tree was moved.
pub(crate) fn set_root(
    tx: &mut Tx<'_>,
    id: &ProviderId,
    root: &ProviderId,
) -> Result<(), StoreError> {
    tx.execute(MOVE_TREE, &params![id, root]).map(drop)
}

/// Moves the generation on, if it still is what the writer read; false when it is not.
pub(crate) fn bump(tx: &mut Tx<'_>, provider: &Provider, now: Time) -> Result<bool, StoreError> {
    Ok(tx.execute(BUMP, &params![provider.id, provider.generation, now])? == 1)
}

/// Deletes the provider with what hangs on it; allocations are the caller's to check.
pub(crate) fn delete(tx: &mut Tx<'_>, id: &ProviderId) -> Result<(), StoreError> {
    tx.execute(CLEAR_TRAITS, &params![id])?;
    tx.execute(CLEAR_AGGREGATES, &params![id])?;
    super::inventories::clear(tx, id)?;
    tx.execute(DELETE, &params![id]).map(drop)
}

pub(crate) fn has_children(r: &Reader<'_>, id: &ProviderId) -> Result<bool, StoreError> {
    Ok(r.scalar::<i64>(CHILDREN, &params![id])? > 0)
}

pub(crate) fn traits(r: &Reader<'_>, id: &ProviderId) -> Result<Vec<String>, StoreError> {
    texts(r, TRAITS, id)
}

pub(crate) fn set_traits(
    tx: &mut Tx<'_>,
    id: &ProviderId,
    names: &[String],
) -> Result<(), StoreError> {
    replace(tx, CLEAR_TRAITS, ADD_TRAIT, id, names)
}

pub(crate) fn aggregates(r: &Reader<'_>, id: &ProviderId) -> Result<Vec<String>, StoreError> {
    texts(r, AGGREGATES, id)
}

pub(crate) fn set_aggregates(
    tx: &mut Tx<'_>,
    id: &ProviderId,
    aggregates: &[String],
) -> Result<(), StoreError> {
    replace(tx, CLEAR_AGGREGATES, ADD_AGGREGATE, id, aggregates)
}

fn texts(r: &Reader<'_>, sql: &str, id: &ProviderId) -> Result<Vec<String>, StoreError> {
    let rows: Vec<(String,)> = r.query(sql, &params![id])?;
    Ok(rows.into_iter().map(|(text,)| text).collect())
}

fn replace(
    tx: &mut Tx<'_>,
    clear: &str,
    add: &str,
    id: &ProviderId,
    texts: &[String],
) -> Result<(), StoreError> {
    tx.execute(clear, &params![id])?;
    for text in texts {
        tx.execute(add, &params![id, text])?;
    }
    Ok(())
}
