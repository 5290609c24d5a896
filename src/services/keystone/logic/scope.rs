//! What a token is asked for, and whether its user has it.

use serde_json::Value;
use stackup_core::{DomainRef, Scope, Time};
use stackup_store::Reader;

use crate::error::Error;
use crate::model::assignment::Place;
use crate::model::project::Project;
use crate::model::role::RoleRef;
use crate::model::token::ScopeIds;
use crate::store::{assignments, projects};

/// A domain, by id or name.
#[derive(Debug, Clone, Default, serde::Deserialize)]
#[serde(default)]
pub(crate) struct DomainName {
    pub(crate) id: Option<String>,
    pub(crate) name: Option<String>,
}

/// A project, by id, or by name and domain.
#[derive(Debug, Clone, Default, serde::Deserialize)]
#[serde(default)]
pub(crate) struct ProjectName {
    pub(crate) id: Option<String>,
    pub(crate) name: Option<String>,
    pub(crate) domain: Option<DomainName>,
}

/// The scope of a request for a token.
#[derive(Debug, Clone)]
pub(crate) enum ScopeRequest {
    Unscoped,
    Project(ProjectName),
    Domain(DomainName),
    System,
    /// A trust, by its id.
    Trust(String),
}

impl ScopeRequest {
    /// Reads `auth.scope`. Fails when it names none, or several.
    pub(crate) fn read(value: &Value) -> Result<Self, Error> {
        if value == "unscoped" {
            return Ok(Self::Unscoped);
        }
        let wrong = Error::Expecting {
            attribute: "system, project, domain, OS-TRUST:trust or unscoped",
            target: "scope",
        };
        let keys = ["unscoped", "project", "domain", "system", "OS-TRUST:trust"];
        let mut given = keys.iter().filter(|key| value.get(**key).is_some());
        let (Some(key), None) = (given.next(), given.next()) else {
            return Err(wrong);
        };
        let inner = value.get(*key).cloned().unwrap_or_default();
        let bad = |error: serde_json::Error| Error::invalid(format!("Invalid input: {error}"));
        Ok(match *key {
            "project" => Self::Project(serde_json::from_value(inner).map_err(bad)?),
            "domain" => Self::Domain(serde_json::from_value(inner).map_err(bad)?),
            "system" => Self::System,
            "OS-TRUST:trust" => Self::Trust(
                inner["id"]
                    .as_str()
                    .map(str::to_owned)
                    .ok_or(Error::Expecting { attribute: "trust_id", target: "trust" })?,
            ),
            _ => Self::Unscoped,
        })
    }
}

/// An enabled domain. Anything else is a refusal that does not say why.
pub(crate) fn domain(r: &Reader<'_>, name: &DomainName) -> Result<Project, Error> {
    let found = match (&name.name, &name.id) {
        (Some(name), _) => projects::domain_named(r, name)?,
        (None, Some(id)) => projects::domain(r, id)?,
        (None, None) => {
            return Err(Error::Expecting { attribute: "id or name", target: "domain" });
        }
    };
    let found = found.ok_or(Error::Unauthorized("no such domain"))?;
    if found.enabled { Ok(found) } else { Err(Error::Unauthorized("the domain is disabled")) }
}

/// An enabled project of an enabled domain.
fn project(r: &Reader<'_>, name: &ProjectName) -> Result<Project, Error> {
    let found = match (&name.name, &name.id) {
        (Some(text), _) => {
            let missing = Error::Expecting { attribute: "domain", target: "project" };
            let domain = domain(r, name.domain.as_ref().ok_or(missing)?)?;
            projects::named(r, &domain.id, text)?
        }
        (None, Some(id)) => projects::get(r, id)?,
        (None, None) => {
            return Err(Error::Expecting { attribute: "id or name", target: "project" });
        }
    };
    let found = found.ok_or(Error::Unauthorized("no such project"))?;
    let domain_id = found.domain_id.as_ref().map(ToString::to_string);
    // A domain cannot be used as a project.
    let id = domain_id.ok_or(Error::Unauthorized("no such project"))?;
    domain(r, &DomainName { id: Some(id), name: None })?;
    if found.enabled { Ok(found) } else { Err(Error::Unauthorized("the project is disabled")) }
}

/// The ids of what is asked for. Says nothing about roles.
pub(crate) fn resolve(r: &Reader<'_>, request: &ScopeRequest) -> Result<ScopeIds, Error> {
    Ok(match request {
        ScopeRequest::Unscoped => ScopeIds::Unscoped,
        ScopeRequest::System => ScopeIds::System,
        ScopeRequest::Project(name) => ScopeIds::Project(project(r, name)?.id),
        ScopeRequest::Domain(name) => ScopeIds::Domain(domain(r, name)?.id.to_string()),
        ScopeRequest::Trust(_) => return Err(Error::Unauthorized("a trust is no scope here")),
    })
}

/// A scope as it stands, with the roles that a user has in it. None when the scope is gone, off, or
/// without roles.
pub(crate) fn open(
    r: &Reader<'_>,
    user_id: &str,
    ids: &ScopeIds,
    issued_at: Time,
) -> Result<Option<(Scope, Vec<RoleRef>)>, Error> {
    let Some((scope, place)) = look(r, ids, issued_at)? else {
        return Ok(None);
    };
    let Some(place) = place else {
        return Ok(Some((scope, Vec::new())));
    };
    let roles = assignments::roles_in(r, user_id, &place)?;
    Ok((!roles.is_empty()).then_some((scope, roles)))
}

/// A scope as it stands. `issued_at` is the age of the token: what was disabled since does not come
/// back. None when the scope is gone or off.
pub(crate) fn look(
    r: &Reader<'_>,
    ids: &ScopeIds,
    issued_at: Time,
) -> Result<Option<(Scope, Option<Place>)>, Error> {
    let usable = |p: &Project| p.enabled && p.revoked_before.is_none_or(|at| issued_at > at);
    Ok(match ids {
        ScopeIds::Unscoped => Some((Scope::Unscoped, None)),
        ScopeIds::System => Some((Scope::System, Some(Place::System))),
        ScopeIds::Domain(id) => projects::domain(r, id)?.filter(usable).map(|domain| {
            let domain = domain.as_domain();
            (Scope::Domain(domain.clone()), Some(Place::Domain(domain.id)))
        }),
        ScopeIds::Project(id) => {
            let Some(project) = projects::get(r, id)?.filter(usable) else {
                return Ok(None);
            };
            let domain = project.domain_id.as_deref().map(|id| projects::domain(r, id));
            let Some(domain) = domain.transpose()?.flatten().filter(usable) else {
                return Ok(None);
            };
            let place = assignments::place(r, &project)?;
            Some((project_scope(project, domain.as_domain()), Some(place)))
        }
    })
}

fn project_scope(project: Project, domain: DomainRef) -> Scope {
    Scope::Project { id: project.id, name: project.name, domain }
}
