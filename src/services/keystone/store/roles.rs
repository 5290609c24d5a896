//! Roles and what they imply.

use stackup_store::{FromRow, Reader, Row, StoreError, Tx, params};

use super::{Result, Where, extra, json};
use crate::model::role::{Implications, Role};

const SELECT: &str = "
SELECT id, name, domain_id, description, options, extra
FROM roles";
const INSERT: &str = "
INSERT INTO roles (id, name, domain_id, description, options, extra)
VALUES ($1, $2, $3, $4, $5, $6)";
const UPDATE: &str = "
UPDATE roles
SET name = $2, description = $3, options = $4, extra = $5
WHERE id = $1";
const DELETE: &str = "
DELETE FROM roles
WHERE id = $1";
const IMPLIED: &str = "
SELECT prior_id, implied_id
FROM implied_roles
ORDER BY prior_id, implied_id";
const INSERT_IMPLIED: &str = "
INSERT INTO implied_roles (prior_id, implied_id)
VALUES ($1, $2)
ON CONFLICT DO NOTHING";
const DELETE_IMPLIED: &str = "
DELETE FROM implied_roles
WHERE prior_id = $1 AND implied_id = $2";

impl FromRow for Role {
    fn from_row(row: &Row) -> std::result::Result<Self, StoreError> {
        Ok(Self {
            id: row.get(0)?,
            name: row.get(1)?,
            domain_id: row.get(2)?,
            description: row.get(3)?,
            options: extra(row.get(4)?),
            extra: extra(row.get(5)?),
        })
    }
}

pub(crate) fn get(r: &Reader<'_>, id: &str) -> Result<Option<Role>> {
    let condition = Where::new().eq("id", id);
    r.first(&condition.sql(SELECT, "id"), condition.params())
}

/// A global role.
pub(crate) fn named(r: &Reader<'_>, name: &str) -> Result<Option<Role>> {
    let condition = Where::new().eq("COALESCE(domain_id, '')", "").eq("name", name);
    r.first(&condition.sql(SELECT, "id"), condition.params())
}

pub(crate) fn list(r: &Reader<'_>, condition: &Where) -> Result<Vec<Role>> {
    r.query(&condition.sql(SELECT, "id"), condition.params())
}

pub(crate) fn insert(tx: &mut Tx<'_>, role: &Role) -> Result<()> {
    let Role { id, name, domain_id, description, options, extra } = role;
    let row = params![id, name, domain_id, description, json(options), json(extra)];
    tx.execute(INSERT, &row).map(drop)
}

pub(crate) fn update(tx: &mut Tx<'_>, role: &Role) -> Result<()> {
    let (options, extra) = (json(&role.options), json(&role.extra));
    let row = params![role.id, role.name, role.description, options, extra];
    tx.execute(UPDATE, &row).map(drop)
}

pub(crate) fn delete(tx: &mut Tx<'_>, id: &str) -> Result<bool> {
    tx.execute(DELETE, &params![id]).map(|rows| rows > 0)
}

/// Every pair of prior and implied role.
pub(crate) fn implied(r: &Reader<'_>) -> Result<Vec<(String, String)>> {
    r.query(IMPLIED, &[])
}

pub(crate) fn implications(r: &Reader<'_>) -> Result<Implications> {
    implied(r).map(Implications::new)
}

pub(crate) fn imply(tx: &mut Tx<'_>, prior: &str, implied: &str) -> Result<()> {
    tx.execute(INSERT_IMPLIED, &params![prior, implied]).map(drop)
}

pub(crate) fn unimply(tx: &mut Tx<'_>, prior: &str, implied: &str) -> Result<bool> {
    tx.execute(DELETE_IMPLIED, &params![prior, implied]).map(|rows| rows > 0)
}
