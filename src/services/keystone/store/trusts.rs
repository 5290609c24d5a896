//! Trusts.

use stackup_store::{FromRow, Reader, Row, StoreError, Tx, params};

use super::{Result, Where, extra, json};
use crate::model::trust::Trust;

const SELECT: &str = "
SELECT id, trustor_user_id, trustee_user_id, project_id, impersonation, expires_at,
       remaining_uses, redelegated_trust_id, redelegation_count, extra
FROM trusts";
const INSERT: &str = "
INSERT INTO trusts
    (id, trustor_user_id, trustee_user_id, project_id, impersonation, expires_at,
     remaining_uses, redelegated_trust_id, redelegation_count, extra)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)";
const DELETE: &str = "
DELETE FROM trusts
WHERE id = $1";
const CONSUME: &str = "
UPDATE trusts
SET remaining_uses = remaining_uses - 1
WHERE id = $1 AND remaining_uses > 0";
const ROLES: &str = "
SELECT role_id
FROM trust_roles
WHERE trust_id = $1
ORDER BY role_id";
const INSERT_ROLE: &str = "
INSERT INTO trust_roles (trust_id, role_id)
VALUES ($1, $2)
ON CONFLICT DO NOTHING";

impl FromRow for Trust {
    fn from_row(row: &Row) -> std::result::Result<Self, StoreError> {
        Ok(Self {
            id: row.get(0)?,
            trustor_user_id: row.get(1)?,
            trustee_user_id: row.get(2)?,
            project_id: row.get(3)?,
            impersonation: row.get(4)?,
            expires_at: row.get(5)?,
            remaining_uses: row.get(6)?,
            redelegated_trust_id: row.get(7)?,
            redelegation_count: row.get(8)?,
            extra: extra(row.get(9)?),
            role_ids: Vec::new(),
        })
    }
}

pub(crate) fn get(r: &Reader<'_>, id: &str) -> Result<Option<Trust>> {
    Ok(list(r, &Where::new().eq("id", id))?.pop())
}

/// Trusts with their roles, by id.
pub(crate) fn list(r: &Reader<'_>, condition: &Where) -> Result<Vec<Trust>> {
    let mut found: Vec<Trust> = r.query(&condition.sql(SELECT, "id"), condition.params())?;
    for trust in &mut found {
        let roles: Vec<(String,)> = r.query(ROLES, &params![trust.id])?;
        trust.role_ids = roles.into_iter().map(|(id,)| id).collect();
    }
    Ok(found)
}

pub(crate) fn insert(tx: &mut Tx<'_>, trust: &Trust) -> Result<()> {
    tx.execute(
        INSERT,
        &params![
            trust.id,
            trust.trustor_user_id,
            trust.trustee_user_id,
            trust.project_id,
            trust.impersonation,
            trust.expires_at,
            trust.remaining_uses,
            trust.redelegated_trust_id,
            trust.redelegation_count,
            json(&trust.extra)
        ],
    )?;
    for role in &trust.role_ids {
        tx.execute(INSERT_ROLE, &params![trust.id, role])?;
    }
    Ok(())
}

/// Deletes a trust with those made by it.
pub(crate) fn delete(tx: &mut Tx<'_>, id: &str) -> Result<bool> {
    tx.execute(DELETE, &params![id]).map(|rows| rows > 0)
}

/// Takes one use. False when none was left.
pub(crate) fn consume(tx: &mut Tx<'_>, id: &str) -> Result<bool> {
    tx.execute(CONSUME, &params![id]).map(|rows| rows > 0)
}
