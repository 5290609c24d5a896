//! Server groups and their members.

use stackup_core::ServerId;
use stackup_store::{Reader, StoreError, Tx, params};

use crate::model::group::ServerGroup;

const NEXT_ROW: &str = "
SELECT COALESCE(MAX(row), 0) + 1
FROM server_groups";
const INSERT: &str = "
INSERT INTO server_groups (row, id, project_id, user_id, name, policy, rules, created_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
const GET: &str = "
SELECT row, id, project_id, user_id, name, policy, rules, created_at
FROM server_groups
WHERE id = $1
  AND (CAST($2 AS TEXT) IS NULL OR project_id = $2)";
const LIST: &str = "
SELECT row, id, project_id, user_id, name, policy, rules, created_at
FROM server_groups
WHERE (CAST($1 AS TEXT) IS NULL OR project_id = $1)
ORDER BY row
LIMIT $2
OFFSET $3";
const OF_SERVER: &str = "
SELECT row, id, project_id, user_id, name, policy, rules, created_at
FROM server_groups
WHERE id IN (
    SELECT group_id
    FROM server_group_members
    WHERE server_id = $1)";
const COUNT: &str = "
SELECT COUNT(*)
FROM server_groups
WHERE project_id = $1";
const DELETE: &str = "
DELETE FROM server_groups
WHERE id = $1";
const MEMBERS: &str = "
SELECT server_id
FROM server_group_members
JOIN servers ON servers.id = server_id
WHERE group_id = $1
  AND deleted_at IS NULL
ORDER BY row";
const ADD: &str = "
INSERT INTO server_group_members (group_id, server_id)
VALUES ($1, $2)";
const REMOVE: &str = "
DELETE FROM server_group_members
WHERE server_id = $1";

pub(crate) fn insert(tx: &mut Tx<'_>, group: &ServerGroup) -> Result<(), StoreError> {
    let row: i64 = tx.scalar(NEXT_ROW, &[])?;
    let values = params![
        row,
        group.id,
        group.project_id,
        group.user_id,
        group.name,
        group.policy,
        serde_json::json!(group.rules),
        group.created_at
    ];
    tx.execute(INSERT, &values).map(drop)
}

/// A group with its living members.
pub(crate) fn get(
    r: &Reader<'_>,
    project: Option<&str>,
    id: &str,
) -> Result<Option<ServerGroup>, StoreError> {
    let group: Option<ServerGroup> = r.first(GET, &params![id, project])?;
    group.map(|group| with_members(r, group)).transpose()
}

pub(crate) fn list(
    r: &Reader<'_>,
    project: Option<&str>,
    limit: usize,
    offset: usize,
) -> Result<Vec<ServerGroup>, StoreError> {
    let values = params![project, limit.min(1_000_000), offset.min(1_000_000_000)];
    let groups: Vec<ServerGroup> = r.query(LIST, &values)?;
    groups.into_iter().map(|group| with_members(r, group)).collect()
}

/// The group that a server is in.
pub(crate) fn of_server(r: &Reader<'_>, server: &str) -> Result<Option<ServerGroup>, StoreError> {
    let group: Option<ServerGroup> = r.first(OF_SERVER, &params![server])?;
    group.map(|group| with_members(r, group)).transpose()
}

pub(crate) fn count(r: &Reader<'_>, project: &str) -> Result<u64, StoreError> {
    r.scalar(COUNT, &params![project])
}

pub(crate) fn delete(tx: &mut Tx<'_>, id: &str) -> Result<usize, StoreError> {
    tx.execute(DELETE, &params![id])
}

pub(crate) fn add(tx: &mut Tx<'_>, group: &str, server: &ServerId) -> Result<(), StoreError> {
    tx.execute(ADD, &params![group, server]).map(drop)
}

/// Takes a server out of its group.
pub(crate) fn remove(tx: &mut Tx<'_>, server: &ServerId) -> Result<(), StoreError> {
    tx.execute(REMOVE, &params![server]).map(drop)
}

fn with_members(r: &Reader<'_>, mut group: ServerGroup) -> Result<ServerGroup, StoreError> {
    let rows: Vec<(ServerId,)> = r.query(MEMBERS, &params![group.id])?;
    group.members = rows.into_iter().map(|(id,)| id).collect();
    Ok(group)
}
