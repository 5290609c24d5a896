//! Tokens revoked one by one.

use stackup_core::Time;
use stackup_store::{Reader, Tx, params};

use super::Result;

const INSERT: &str = "
INSERT INTO revoked_tokens (audit_id, expires_at)
VALUES ($1, $2)
ON CONFLICT DO NOTHING";
const COUNT: &str = "
SELECT COUNT(*)
FROM revoked_tokens
WHERE audit_id = $1";
const PURGE: &str = "
DELETE FROM revoked_tokens
WHERE expires_at < $1";

pub(crate) fn revoke(tx: &mut Tx<'_>, audit_id: &str, expires_at: Time) -> Result<()> {
    tx.execute(INSERT, &params![audit_id, expires_at]).map(drop)
}

pub(crate) fn is_revoked(r: &Reader<'_>, audit_id: &str) -> Result<bool> {
    let count: i64 = r.scalar(COUNT, &params![audit_id])?;
    Ok(count > 0)
}

/// Forgets those that have expired.
pub(crate) fn purge(tx: &mut Tx<'_>, now: Time) -> Result<usize> {
    tx.execute(PURGE, &params![now])
}
