//! Groups and who is in them.

use stackup_store::{FromRow, Reader, Row, StoreError, Tx, params};

use super::{Result, Where, extra, json};
use crate::model::group::Group;

const SELECT: &str = "
SELECT id, name, domain_id, description, extra
FROM user_groups";
const INSERT: &str = "
INSERT INTO user_groups (id, name, domain_id, description, extra)
VALUES ($1, $2, $3, $4, $5)";
const UPDATE: &str = "
UPDATE user_groups
SET name = $2, description = $3, extra = $4
WHERE id = $1";
const DELETE: &str = "
DELETE FROM user_groups
WHERE id = $1";
const IS_MEMBER: &str = "
SELECT COUNT(*)
FROM memberships
WHERE group_id = $1 AND user_id = $2";
const INSERT_MEMBER: &str = "
INSERT INTO memberships (group_id, user_id)
VALUES ($1, $2)
ON CONFLICT DO NOTHING";
const DELETE_MEMBER: &str = "
DELETE FROM memberships
WHERE group_id = $1 AND user_id = $2";
const MEMBERS: &str = "
SELECT user_id
FROM memberships
WHERE group_id = $1
ORDER BY user_id";

impl FromRow for Group {
    fn from_row(row: &Row) -> std::result::Result<Self, StoreError> {
        Ok(Self {
            id: row.get(0)?,
            name: row.get(1)?,
            domain_id: row.get(2)?,
            description: row.get(3)?,
            extra: extra(row.get(4)?),
        })
    }
}

pub(crate) fn get(r: &Reader<'_>, id: &str) -> Result<Option<Group>> {
    let condition = Where::new().eq("id", id);
    r.first(&condition.sql(SELECT, "id"), condition.params())
}

pub(crate) fn list(r: &Reader<'_>, condition: &Where) -> Result<Vec<Group>> {
    r.query(&condition.sql(SELECT, "id"), condition.params())
}

pub(crate) fn insert(tx: &mut Tx<'_>, group: &Group) -> Result<()> {
    let Group { id, name, domain_id, description, extra } = group;
    tx.execute(INSERT, &params![id, name, domain_id, description, json(extra)]).map(drop)
}

pub(crate) fn update(tx: &mut Tx<'_>, group: &Group) -> Result<()> {
    let row = params![group.id, group.name, group.description, json(&group.extra)];
    tx.execute(UPDATE, &row).map(drop)
}

pub(crate) fn delete(tx: &mut Tx<'_>, id: &str) -> Result<bool> {
    tx.execute(DELETE, &params![id]).map(|rows| rows > 0)
}

pub(crate) fn is_member(r: &Reader<'_>, id: &str, user_id: &str) -> Result<bool> {
    let count: i64 = r.scalar(IS_MEMBER, &params![id, user_id])?;
    Ok(count > 0)
}

/// Adds a user; one who is in it already is fine.
pub(crate) fn add_member(tx: &mut Tx<'_>, id: &str, user_id: &str) -> Result<()> {
    tx.execute(INSERT_MEMBER, &params![id, user_id]).map(drop)
}

pub(crate) fn remove_member(tx: &mut Tx<'_>, id: &str, user_id: &str) -> Result<bool> {
    tx.execute(DELETE_MEMBER, &params![id, user_id]).map(|rows| rows > 0)
}

/// The ids of the users in a group.
pub(crate) fn members(r: &Reader<'_>, id: &str) -> Result<Vec<String>> {
    let rows: Vec<(String,)> = r.query(MEMBERS, &params![id])?;
    Ok(rows.into_iter().map(|(id,)| id).collect())
}
