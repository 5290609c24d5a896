//! Tags, of anything that has an id.

use stackup_store::{Reader, StoreError, Tx, params};

const LIST: &str = "
SELECT tag, resource_id
FROM tags
WHERE resource_id = $1
ORDER BY tag";
const ADD: &str = "
INSERT INTO tags (resource_id, tag)
VALUES ($1, $2)
ON CONFLICT DO NOTHING";
const REMOVE: &str = "
DELETE FROM tags
WHERE resource_id = $1 AND tag = $2";
const CLEAR: &str = "
DELETE FROM tags
WHERE resource_id = $1";

pub(crate) fn list(r: &Reader<'_>, id: &str) -> Result<Vec<String>, StoreError> {
    let rows: Vec<(String,)> = r.query(LIST, &params![id])?;
    Ok(rows.into_iter().map(|(tag,)| tag).collect())
}

pub(crate) fn add(tx: &mut Tx<'_>, id: &str, tag: &str) -> Result<(), StoreError> {
    tx.execute(ADD, &params![id, tag]).map(drop)
}

/// Says whether it was there.
pub(crate) fn remove(tx: &mut Tx<'_>, id: &str, tag: &str) -> Result<bool, StoreError> {
    tx.execute(REMOVE, &params![id, tag]).map(|rows| rows > 0)
}

pub(crate) fn clear(tx: &mut Tx<'_>, id: &str) -> Result<(), StoreError> {
    tx.execute(CLEAR, &params![id]).map(drop)
}
