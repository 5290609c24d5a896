//! Grants: one role of one user or group on one project, domain, or the system.

use stackup_core::Ctx;
use stackup_policy::Target;
use stackup_store::Reader;

use super::roles::target as role_target;
use crate::Keystone;
use crate::error::Error;
use crate::model::assignment::{ActorKind, Assignment, SYSTEM, TargetKind};
use crate::model::role::Role;
use crate::store::{Where, application_credentials, assignments, groups, projects, roles, users};

/// Who has, or shall have, roles on what.
#[derive(Debug, Clone)]
pub(crate) struct Pair {
    pub(crate) actor_kind: ActorKind,
    pub(crate) actor_id: String,
    pub(crate) target_kind: TargetKind,
    pub(crate) target_id: String,
    pub(crate) inherited: bool,
}

/// What is done with a grant; each has its rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Deed {
    List,
    Check,
    Create,
    Revoke,
}

impl Pair {
    fn with(&self, role_id: &str) -> Assignment {
        Assignment {
            actor_kind: self.actor_kind,
            actor_id: self.actor_id.clone(),
            target_kind: self.target_kind,
            target_id: self.target_id.clone(),
            role_id: role_id.to_owned(),
            inherited: self.inherited,
        }
    }

    fn not_found(&self, role_id: &str) -> Error {
        Error::Missing(format!(
            "Could not find role assignment with role: {role_id}, user or group: {}, project, \
             domain, or system: {}.",
            self.actor_id, self.target_id
        ))
    }
}

fn rule(pair: &Pair, deed: Deed) -> &'static str {
    match (pair.target_kind, pair.actor_kind, deed) {
        (TargetKind::System, ActorKind::User, Deed::List) => "identity:list_system_grants_for_user",
        (TargetKind::System, ActorKind::User, Deed::Check) => {
            "identity:check_system_grant_for_user"
        }
        (TargetKind::System, ActorKind::User, Deed::Create) => {
            "identity:create_system_grant_for_user"
        }
        (TargetKind::System, ActorKind::User, Deed::Revoke) => {
            "identity:revoke_system_grant_for_user"
        }
        (TargetKind::System, ActorKind::Group, Deed::List) => {
            "identity:list_system_grants_for_group"
        }
        (TargetKind::System, ActorKind::Group, Deed::Check) => {
            "identity:check_system_grant_for_group"
        }
        (TargetKind::System, ActorKind::Group, Deed::Create) => {
            "identity:create_system_grant_for_group"
        }
        (TargetKind::System, ActorKind::Group, Deed::Revoke) => {
            "identity:revoke_system_grant_for_group"
        }
        (_, _, Deed::List) => "identity:list_grants",
        (_, _, Deed::Check) => "identity:check_grant",
        (_, _, Deed::Create) => "identity:create_grant",
        (_, _, Deed::Revoke) => "identity:revoke_grant",
    }
}

impl Keystone {
    /// Checks the rule, then that everybody concerned is there. A revocation may concern somebody
    /// who is gone already.
    async fn grant_for(
        &self,
        cx: &Ctx,
        pair: &Pair,
        deed: Deed,
        role_id: Option<&str>,
    ) -> Result<Option<Role>, Error> {
        let (asked, wanted) = (pair.clone(), role_id.map(str::to_owned));
        let (target, missing, role) = self
            .read(move |r| {
                let role = match &wanted {
                    Some(id) => roles::get(r, id)?,
                    None => None,
                };
                let (target, missing) = look(r, &asked, role_target(role.as_ref()))?;
                Ok((target, missing, role))
            })
            .await?;
        self.allow(cx, rule(pair, deed), &target)?;
        if let Some(id) = role_id
            && role.is_none()
        {
            return Err(Error::not_found("role", id));
        }
        match missing {
            Some(error) if deed != Deed::Revoke => Err(error),
            _ => Ok(role),
        }
    }

    /// The roles that were granted; not what follows from them.
    pub(crate) async fn list_grants(&self, cx: &Ctx, pair: Pair) -> Result<Vec<Role>, Error> {
        self.grant_for(cx, &pair, Deed::List, None).await?;
        self.read(move |r| {
            let condition = Where::new()
                .eq("actor_kind", pair.actor_kind)
                .eq("actor_id", &pair.actor_id)
                .eq("target_kind", pair.target_kind)
                .eq("target_id", &pair.target_id)
                .eq("inherited", pair.inherited);
            let mut found = Vec::new();
            for assignment in assignments::list(r, &condition)? {
                found.extend(roles::get(r, &assignment.role_id)?);
            }
            Ok(found)
        })
        .await
    }

    pub(crate) async fn check_grant(&self, cx: &Ctx, pair: Pair, role: &str) -> Result<(), Error> {
        self.grant_for(cx, &pair, Deed::Check, Some(role)).await?;
        let assignment = pair.with(role);
        let held = self
            .read(move |r| {
                let condition = Where::new()
                    .eq("actor_id", &assignment.actor_id)
                    .eq("target_id", &assignment.target_id);
                Ok(assignments::list(r, &condition)?.contains(&assignment))
            })
            .await?;
        if held { Ok(()) } else { Err(pair.not_found(role)) }
    }

    pub(crate) async fn create_grant(
        &self,
        cx: &Ctx,
        pair: Pair,
        role_id: &str,
    ) -> Result<(), Error> {
        let role = self.grant_for(cx, &pair, Deed::Create, Some(role_id)).await?;
        let own_domain = role.and_then(|role| role.domain_id);
        let assignment = pair.with(role_id);
        self.write(move |tx| {
            if let Some(domain) = &own_domain {
                check_role_domain(tx, &assignment, domain)?;
            }
            Ok(assignments::insert(tx, &assignment)?)
        })
        .await
    }

    /// Takes a grant back, and the application credentials that were made of it.
    pub(crate) async fn revoke_grant(
        &self,
        cx: &Ctx,
        pair: Pair,
        role_id: &str,
    ) -> Result<(), Error> {
        self.grant_for(cx, &pair, Deed::Revoke, Some(role_id)).await?;
        let assignment = pair.with(role_id);
        let missing = pair.not_found(role_id).to_string();
        self.write(move |tx| {
            if !assignments::delete(tx, &assignment)? {
                return Err(Error::Missing(missing.clone()));
            }
            if assignment.actor_kind == ActorKind::User {
                let (user, project) = (&assignment.actor_id, &assignment.target_id);
                application_credentials::delete_of(tx, user, project)?;
            }
            Ok(())
        })
        .await
    }
}

/// What the rules ask of both sides, and who of them is missing.
fn look(r: &Reader<'_>, pair: &Pair, mut target: Target) -> Result<(Target, Option<Error>), Error> {
    let mut missing = None;
    match pair.actor_kind {
        ActorKind::User => match users::get(r, &pair.actor_id)? {
            Some(user) => target = target.with("target.user.domain_id", &*user.domain_id),
            None => missing = Some(Error::not_found("user", &pair.actor_id)),
        },
        ActorKind::Group => match groups::get(r, &pair.actor_id)? {
            Some(group) => target = target.with("target.group.domain_id", &*group.domain_id),
            None => missing = Some(Error::not_found("group", &pair.actor_id)),
        },
    }
    match pair.target_kind {
        TargetKind::System => {}
        TargetKind::Project => match projects::get(r, &pair.target_id)? {
            Some(project) => {
                let domain = project.domain_id.as_deref();
                target = target.with_opt("target.project.domain_id", domain);
            }
            None => missing = Some(Error::not_found("project", &pair.target_id)),
        },
        TargetKind::Domain => match projects::domain(r, &pair.target_id)? {
            Some(domain) => target = target.with("target.domain.id", &*domain.id),
            None => missing = Some(Error::not_found("domain", &pair.target_id)),
        },
    }
    Ok((target, missing))
}

/// A domain's role can be granted in the domain only.
fn check_role_domain(r: &Reader<'_>, assignment: &Assignment, domain: &str) -> Result<(), Error> {
    let (role, target) = (&assignment.role_id, &assignment.target_id);
    let home = match assignment.target_kind {
        TargetKind::System => {
            return Err(Error::invalid(format!(
                "Role {role} is a domain-specific role. Unable to use a domain-specific role in a \
                 system assignment."
            )));
        }
        TargetKind::Domain => Some(target.clone()),
        TargetKind::Project => {
            projects::get(r, target)?.and_then(|project| project.domain_id).map(Into::into)
        }
    };
    if home.as_deref() == Some(domain) {
        return Ok(());
    }
    Err(Error::Forbidden(format!(
        "Project {target} must be in the same domain as the role {role} being assigned."
    )))
}

/// The id of the one system, as the target of a pair.
pub(crate) fn system() -> String {
    SYSTEM.to_owned()
}
