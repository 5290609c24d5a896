//! Key pairs.

use stackup_store::{Reader, StoreError, Tx, params};

use crate::model::keypair::Keypair;

const NEXT_ROW: &str = "
SELECT COALESCE(MAX(row), 0) + 1
FROM keypairs";
const INSERT: &str = "
INSERT INTO keypairs (row, user_id, name, kind, public_key, fingerprint, created_at)
VALUES ($1, $2, $3, $4, $5, $6, $7)";
const GET: &str = "
SELECT row, user_id, name, kind, public_key, fingerprint, created_at
FROM keypairs
WHERE user_id = $1
  AND name = $2";
const LIST: &str = "
SELECT row, user_id, name, kind, public_key, fingerprint, created_at
FROM keypairs
WHERE user_id = $1
  AND name > $2
ORDER BY name
LIMIT $3";
const COUNT: &str = "
SELECT COUNT(*)
FROM keypairs
WHERE user_id = $1";
const DELETE: &str = "
DELETE FROM keypairs
WHERE user_id = $1
  AND name = $2";

/// Fails with [`StoreError::Unique`] when the user has one of that name.
pub(crate) fn insert(tx: &mut Tx<'_>, keypair: &Keypair) -> Result<Keypair, StoreError> {
    let mut keypair = keypair.clone();
    keypair.row = tx.scalar(NEXT_ROW, &[])?;
    let k = &keypair;
    let values =
        params![k.row, k.user_id, k.name, k.kind, k.public_key, k.fingerprint, k.created_at];
    tx.execute(INSERT, &values)?;
    Ok(keypair)
}

pub(crate) fn get(r: &Reader<'_>, user: &str, name: &str) -> Result<Option<Keypair>, StoreError> {
    r.first(GET, &params![user, name])
}

/// A user's keys after a name, by name.
pub(crate) fn list(
    r: &Reader<'_>,
    user: &str,
    after: &str,
    limit: usize,
) -> Result<Vec<Keypair>, StoreError> {
    r.query(LIST, &params![user, after, limit.min(1_000_000)])
}

pub(crate) fn count(r: &Reader<'_>, user: &str) -> Result<u64, StoreError> {
    r.scalar(COUNT, &params![user])
}

/// How many rows went.
pub(crate) fn delete(tx: &mut Tx<'_>, user: &str, name: &str) -> Result<usize, StoreError> {
    tx.execute(DELETE, &params![user, name])
}
