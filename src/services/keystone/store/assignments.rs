//! Assignments, and the roles that follow for one user in one place.

use std::collections::BTreeSet;

use stackup_store::{FromRow, Reader, Row, StoreError, Tx, params};

use super::{Result, Where, projects, roles};
use crate::model::assignment::{ActorKind, Assignment, Place};
use crate::model::project::Project;
use crate::model::role::RoleRef;

const SELECT: &str = "
SELECT actor_kind, actor_id, target_kind, target_id, role_id, inherited
FROM assignments";
const ORDER: &str = "target_kind, target_id, actor_kind, actor_id, role_id, inherited";
const INSERT: &str = "
INSERT INTO assignments (actor_kind, actor_id, target_kind, target_id, role_id, inherited)
VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT DO NOTHING";
const DELETE: &str = "
DELETE FROM assignments
WHERE actor_kind = $1 AND actor_id = $2 AND target_kind = $3 AND target_id = $4
  AND role_id = $5 AND inherited = $6";
const DELETE_ACTOR: &str = "
DELETE FROM assignments
WHERE actor_kind = $1 AND actor_id = $2";
const DELETE_TARGET: &str = "
DELETE FROM assignments
WHERE target_id = $1";
/// What a user has directly or through groups.
const OF_USER: &str = "
(actor_kind = 'user' AND actor_id = {}
   OR actor_kind = 'group' AND actor_id IN (SELECT group_id FROM memberships WHERE user_id = {}))";

impl FromRow for Assignment {
    fn from_row(row: &Row) -> std::result::Result<Self, StoreError> {
        Ok(Self {
            actor_kind: row.get(0)?,
            actor_id: row.get(1)?,
            target_kind: row.get(2)?,
            target_id: row.get(3)?,
            role_id: row.get(4)?,
            inherited: row.get(5)?,
        })
    }
}

pub(crate) fn list(r: &Reader<'_>, condition: &Where) -> Result<Vec<Assignment>> {
    r.query(&condition.sql(SELECT, ORDER), condition.params())
}

/// What a user has directly or through groups, everywhere.
pub(crate) fn of_user(r: &Reader<'_>, user_id: &str) -> Result<Vec<Assignment>> {
    list(r, &Where::new().with(OF_USER, user_id))
}

/// Adds an assignment; one that is there is fine.
pub(crate) fn insert(tx: &mut Tx<'_>, assignment: &Assignment) -> Result<()> {
    tx.execute(INSERT, &key(assignment)).map(drop)
}

pub(crate) fn delete(tx: &mut Tx<'_>, assignment: &Assignment) -> Result<bool> {
    tx.execute(DELETE, &key(assignment)).map(|rows| rows > 0)
}

pub(crate) fn delete_of_actor(tx: &mut Tx<'_>, kind: ActorKind, id: &str) -> Result<()> {
    tx.execute(DELETE_ACTOR, &params![kind, id]).map(drop)
}

pub(crate) fn delete_on_target(tx: &mut Tx<'_>, id: &str) -> Result<()> {
    tx.execute(DELETE_TARGET, &params![id]).map(drop)
}

fn key(assignment: &Assignment) -> [stackup_store::Value; 6] {
    params![
        assignment.actor_kind,
        assignment.actor_id,
        assignment.target_kind,
        assignment.target_id,
        assignment.role_id,
        assignment.inherited
    ]
}

/// A project as a place where roles are had.
pub(crate) fn place(r: &Reader<'_>, project: &Project) -> Result<Place> {
    let Some(domain_id) = &project.domain_id else {
        return Ok(Place::Domain(project.id.as_str().into()));
    };
    let above = projects::above(r, project)?;
    Ok(Place::Project {
        id: project.id.clone(),
        domain_id: domain_id.clone(),
        above: above.into_iter().map(|project| project.id).collect(),
    })
}

/// The roles of a user in a place, implied ones included, those of domains left out: what a token
/// says.
pub(crate) fn roles_in(r: &Reader<'_>, user_id: &str, place: &Place) -> Result<Vec<RoleRef>> {
    let held = of_user(r, user_id)?;
    let here = held.into_iter().filter(|assignment| place.is_reached_by(assignment));
    expand(r, here.map(|assignment| assignment.role_id).collect())
}

/// The global ones among the roles and what they imply.
pub(crate) fn expand(r: &Reader<'_>, ids: BTreeSet<String>) -> Result<Vec<RoleRef>> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let all = roles::implications(r)?.expand(ids);
    let global = roles::list(r, &Where::new().raw("domain_id IS NULL"))?;
    let mut found: Vec<RoleRef> = global
        .into_iter()
        .filter(|role| all.contains(&role.id))
        .map(|role| RoleRef { id: role.id, name: role.name })
        .collect();
    found.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(found)
}
