//! Projects and domains.

use std::collections::BTreeMap;

use stackup_core::{ProjectId, Time};
use stackup_store::{FromRow, Reader, Row, StoreError, Tx, params};

use super::{Result, Where, extra, json};
use crate::model::project::Project;

const SELECT: &str = "
SELECT id, name, domain_id, parent_id, is_domain, enabled, description, options, extra, revoked_before
FROM projects";
const INSERT: &str = "
INSERT INTO projects
    (id, name, domain_id, parent_id, is_domain, enabled, description, options, extra)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)";
const UPDATE: &str = "
UPDATE projects
SET name = $2, enabled = $3, description = $4, options = $5, extra = $6, revoked_before = $7
WHERE id = $1";
const DELETE: &str = "
DELETE FROM projects
WHERE id = $1";
const TAGS: &str = "
SELECT name
FROM project_tags
WHERE project_id = $1
ORDER BY name";
const ALL_TAGS: &str = "
SELECT project_id, name
FROM project_tags
ORDER BY project_id, name";
const INSERT_TAG: &str = "
INSERT INTO project_tags (project_id, name)
VALUES ($1, $2)";
const DELETE_TAGS: &str = "
DELETE FROM project_tags
WHERE project_id = $1";
/// Projects whose tags are read one by one rather than all at once.
const FEW: usize = 20;
const FORGET_DEFAULT: &str = "
UPDATE users
SET default_project_id = NULL
WHERE default_project_id = $1";

impl FromRow for Project {
    fn from_row(row: &Row) -> std::result::Result<Self, StoreError> {
        Ok(Self {
            id: row.get(0)?,
            name: row.get(1)?,
            domain_id: row.get(2)?,
            parent_id: row.get(3)?,
            is_domain: row.get(4)?,
            enabled: row.get(5)?,
            description: row.get(6)?,
            options: extra(row.get(7)?),
            extra: extra(row.get(8)?),
            revoked_before: row.get(9)?,
            tags: Vec::new(),
        })
    }
}

/// A project or a domain, with its tags.
pub(crate) fn get(r: &Reader<'_>, id: &str) -> Result<Option<Project>> {
    one(r, &Where::new().eq("id", id))
}

/// A domain.
pub(crate) fn domain(r: &Reader<'_>, id: &str) -> Result<Option<Project>> {
    one(r, &Where::new().eq("id", id).eq("is_domain", true))
}

pub(crate) fn domain_named(r: &Reader<'_>, name: &str) -> Result<Option<Project>> {
    one(r, &Where::new().eq("COALESCE(domain_id, '')", "").eq("name", name))
}

pub(crate) fn named(r: &Reader<'_>, domain_id: &str, name: &str) -> Result<Option<Project>> {
    let named = Where::new().eq("COALESCE(domain_id, '')", domain_id).eq("name", name);
    one(r, &named)
}

fn one(r: &Reader<'_>, condition: &Where) -> Result<Option<Project>> {
    let mut found: Option<Project> = r.first(&condition.sql(SELECT, "id"), condition.params())?;
    if let Some(project) = &mut found {
        project.tags = tags(r, &project.id)?;
    }
    Ok(found)
}

fn tags(r: &Reader<'_>, id: &str) -> Result<Vec<String>> {
    let names: Vec<(String,)> = r.query(TAGS, &params![id])?;
    Ok(names.into_iter().map(|(name,)| name).collect())
}

/// Projects by id, with their tags.
pub(crate) fn list(r: &Reader<'_>, condition: &Where) -> Result<Vec<Project>> {
    let mut projects: Vec<Project> = r.query(&condition.sql(SELECT, "id"), condition.params())?;
    if projects.len() <= FEW {
        for project in &mut projects {
            project.tags = tags(r, &project.id)?;
        }
        return Ok(projects);
    }
    let mut tags: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (project, name) in r.query::<(String, String)>(ALL_TAGS, &[])? {
        tags.entry(project).or_default().push(name);
    }
    for project in &mut projects {
        project.tags = tags.remove(project.id.as_str()).unwrap_or_default();
    }
    Ok(projects)
}

/// The projects above, nearest first; the domain is not among them.
pub(crate) fn above(r: &Reader<'_>, project: &Project) -> Result<Vec<Project>> {
    let mut above: Vec<Project> = Vec::new();
    let mut next = project.parent_id.clone();
    while let Some(id) = next {
        match get(r, &id)? {
            Some(parent) if !parent.is_domain => {
                next = parent.parent_id.clone();
                above.push(parent);
            }
            _ => break,
        }
    }
    Ok(above)
}

pub(crate) fn children(r: &Reader<'_>, id: &str) -> Result<Vec<Project>> {
    list(r, &Where::new().eq("parent_id", id))
}

/// The projects below, each after its parent.
pub(crate) fn below(r: &Reader<'_>, id: &str) -> Result<Vec<Project>> {
    let mut below = children(r, id)?;
    let mut at = 0;
    while let Some(project) = below.get(at) {
        let more = children(r, &project.id)?;
        below.extend(more);
        at += 1;
    }
    Ok(below)
}

pub(crate) fn insert(tx: &mut Tx<'_>, project: &Project) -> Result<()> {
    tx.execute(
        INSERT,
        &params![
            project.id,
            project.name,
            project.domain_id,
            project.parent_id,
            project.is_domain,
            project.enabled,
            project.description,
            json(&project.options),
            json(&project.extra)
        ],
    )?;
    set_tags(tx, project)
}

/// Writes what can change of a project, its tags included.
pub(crate) fn update(tx: &mut Tx<'_>, project: &Project) -> Result<()> {
    tx.execute(
        UPDATE,
        &params![
            project.id,
            project.name,
            project.enabled,
            project.description,
            json(&project.options),
            json(&project.extra),
            project.revoked_before
        ],
    )?;
    set_tags(tx, project)
}

fn set_tags(tx: &mut Tx<'_>, project: &Project) -> Result<()> {
    tx.execute(DELETE_TAGS, &params![project.id])?;
    for tag in &project.tags {
        tx.execute(INSERT_TAG, &params![project.id, tag])?;
    }
    Ok(())
}

/// Deletes a project without children. Users who had it as their default have none then.
pub(crate) fn delete(tx: &mut Tx<'_>, id: &ProjectId) -> Result<bool> {
    tx.execute(FORGET_DEFAULT, &params![id])?;
    tx.execute(DELETE, &params![id]).map(|rows| rows > 0)
}

/// Marks everything issued up to `now` as revoked.
pub(crate) fn revoke(project: &mut Project, now: Time) {
    project.revoked_before = Some(now);
}
