//! Registered limits and limits.

use stackup_store::{FromRow, Reader, Row, StoreError, Tx, params};

use super::{Result, Where};
use crate::model::limit::{Limit, RegisteredLimit};

const SELECT_REGISTERED: &str = "
SELECT id, service_id, region_id, resource_name, default_limit, description
FROM registered_limits";
const INSERT_REGISTERED: &str = "
INSERT INTO registered_limits
    (id, service_id, region_id, resource_name, default_limit, description)
VALUES ($1, $2, $3, $4, $5, $6)";
const UPDATE_REGISTERED: &str = "
UPDATE registered_limits
SET service_id = $2, region_id = $3, resource_name = $4, default_limit = $5, description = $6
WHERE id = $1";
const DELETE_REGISTERED: &str = "
DELETE FROM registered_limits
WHERE id = $1";
const SELECT: &str = "
SELECT g.id, g.service_id, g.region_id, g.resource_name, g.default_limit, g.description,
       l.id, l.project_id, l.domain_id, l.resource_limit, l.description
FROM limits AS l
JOIN registered_limits AS g ON g.id = l.registered_limit_id";
const INSERT: &str = "
INSERT INTO limits (id, registered_limit_id, project_id, domain_id, resource_limit, description)
VALUES ($1, $2, $3, $4, $5, $6)";
const UPDATE: &str = "
UPDATE limits
SET resource_limit = $2, description = $3
WHERE id = $1";
const DELETE: &str = "
DELETE FROM limits
WHERE id = $1";

impl FromRow for RegisteredLimit {
    fn from_row(row: &Row) -> std::result::Result<Self, StoreError> {
        Ok(Self {
            id: row.get(0)?,
            service_id: row.get(1)?,
            region_id: row.get(2)?,
            resource_name: row.get(3)?,
            default_limit: row.get(4)?,
            description: row.get(5)?,
        })
    }
}

impl FromRow for Limit {
    fn from_row(row: &Row) -> std::result::Result<Self, StoreError> {
        Ok(Self {
            registered: RegisteredLimit::from_row(row)?,
            id: row.get(6)?,
            project_id: row.get(7)?,
            domain_id: row.get(8)?,
            resource_limit: row.get(9)?,
            description: row.get(10)?,
        })
    }
}

pub(crate) fn registered(r: &Reader<'_>, id: &str) -> Result<Option<RegisteredLimit>> {
    Ok(list_registered(r, &Where::new().eq("id", id))?.pop())
}

pub(crate) fn list_registered(r: &Reader<'_>, condition: &Where) -> Result<Vec<RegisteredLimit>> {
    r.query(&condition.sql(SELECT_REGISTERED, "id"), condition.params())
}

pub(crate) fn insert_registered(tx: &mut Tx<'_>, limit: &RegisteredLimit) -> Result<()> {
    tx.execute(INSERT_REGISTERED, &registered_row(limit)).map(drop)
}

pub(crate) fn update_registered(tx: &mut Tx<'_>, limit: &RegisteredLimit) -> Result<()> {
    tx.execute(UPDATE_REGISTERED, &registered_row(limit)).map(drop)
}

fn registered_row(limit: &RegisteredLimit) -> [stackup_store::Value; 6] {
    params![
        limit.id,
        limit.service_id,
        limit.region_id,
        limit.resource_name,
        limit.default_limit,
        limit.description
    ]
}

pub(crate) fn delete_registered(tx: &mut Tx<'_>, id: &str) -> Result<bool> {
    tx.execute(DELETE_REGISTERED, &params![id]).map(|rows| rows > 0)
}

pub(crate) fn get(r: &Reader<'_>, id: &str) -> Result<Option<Limit>> {
    Ok(list(r, &Where::new().eq("l.id", id))?.pop())
}

/// Limits by id; columns are those of `l`, and of `g` for what is registered.
pub(crate) fn list(r: &Reader<'_>, condition: &Where) -> Result<Vec<Limit>> {
    r.query(&condition.sql(SELECT, "l.id"), condition.params())
}

pub(crate) fn insert(tx: &mut Tx<'_>, limit: &Limit) -> Result<()> {
    let row = params![
        limit.id,
        limit.registered.id,
        limit.project_id,
        limit.domain_id,
        limit.resource_limit,
        limit.description
    ];
    tx.execute(INSERT, &row).map(drop)
}

pub(crate) fn update(tx: &mut Tx<'_>, limit: &Limit) -> Result<()> {
    let row = params![limit.id, limit.resource_limit, limit.description];
    tx.execute(UPDATE, &row).map(drop)
}

pub(crate) fn delete(tx: &mut Tx<'_>, id: &str) -> Result<bool> {
    tx.execute(DELETE, &params![id]).map(|rows| rows > 0)
}
