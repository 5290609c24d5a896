//! Lists of assignments: as they are stored, or as they take effect.

use std::collections::{BTreeMap, BTreeSet};

use stackup_core::Ctx;
use stackup_policy::Target;
use stackup_store::Reader;

use crate::Keystone;
use crate::error::Error;
use crate::model::assignment::{
    ActorKind, Assignment, AssignmentQuery, Effective, SYSTEM, TargetKind,
};
use crate::model::project::Project;
use crate::model::role::{Implications, Role};
use crate::store::{Where, assignments, groups, projects, roles, users};

/// Names for the ids in a list: of users, groups, projects, domains; and roles.
#[derive(Debug, Clone, Default)]
pub(crate) struct Names {
    /// Name and domain's id, by id.
    pub(crate) of: BTreeMap<String, (String, Option<String>)>,
}

impl Keystone {
    pub(crate) async fn list_assignments(
        &self,
        cx: &Ctx,
        query: AssignmentQuery,
        with_names: bool,
    ) -> Result<(Vec<Effective>, Names), Error> {
        let own = cx.caller.domain_id().map(ToString::to_string);
        if query.subtree {
            self.allow_tree(cx, &query).await?;
        } else {
            let target = own
                .as_ref()
                .map_or_else(Target::new, |domain| Target::new().with("target.domain_id", domain));
            self.allow(cx, "identity:list_role_assignments", &target)?;
        }
        self.scan(move |r| {
            let mut found = list(r, &query)?;
            if let Some(domain) = own {
                found = only_in(r, found, &domain)?;
            }
            let names = if with_names { names(r, &found)? } else { Names::default() };
            Ok((found, names))
        })
        .await
    }

    async fn allow_tree(&self, cx: &Ctx, query: &AssignmentQuery) -> Result<(), Error> {
        let mut target = Target::new();
        if let Some(id) = query.project_id.clone() {
            let wanted = id.clone();
            let project = self.read(move |r| Ok(projects::get(r, &wanted)?)).await?;
            let project = project.ok_or_else(|| Error::not_found("project", &id))?;
            target = target.with_opt("target.domain_id", project.domain_id.as_deref());
        }
        self.allow(cx, "identity:list_role_assignments_for_tree", &target)?;
        if query.project_id.is_some() {
            return Ok(());
        }
        Err(Error::invalid(
            "scope.project.id must be specified if include_subtree is also specified",
        ))
    }

    /// The projects on which a user has a role, enabled or not.
    pub(crate) async fn reachable_projects(
        &self,
        user_id: stackup_core::UserId,
        condition: Where,
    ) -> Result<Vec<Project>, Error> {
        self.read(move |r| {
            let mut reached = BTreeSet::new();
            for held in assignments::of_user(r, &user_id)? {
                let places = places(r, &held)?;
                let projects = places.into_iter().filter(|(kind, _)| *kind == TargetKind::Project);
                reached.extend(projects.map(|(_, id)| id));
            }
            let condition = condition.among("id", reached).eq("is_domain", false);
            Ok(projects::list(r, &condition)?)
        })
        .await
    }

    /// The domains on which a user has a role.
    pub(crate) async fn reachable_domains(
        &self,
        user_id: stackup_core::UserId,
    ) -> Result<Vec<Project>, Error> {
        self.read(move |r| {
            let held = assignments::of_user(r, &user_id)?;
            let direct = held
                .into_iter()
                .filter(|a| a.target_kind == TargetKind::Domain && !a.inherited)
                .map(|a| a.target_id)
                .collect::<BTreeSet<_>>();
            let mut found = Vec::new();
            for id in direct {
                found.extend(projects::domain(r, &id)?);
            }
            Ok(found)
        })
        .await
    }

    /// Whether a user has a role on the system.
    pub(crate) async fn reaches_system(
        &self,
        user_id: stackup_core::UserId,
    ) -> Result<bool, Error> {
        self.read(move |r| {
            let held = assignments::of_user(r, &user_id)?;
            Ok(held.iter().any(|a| a.target_kind == TargetKind::System))
        })
        .await
    }
}

fn list(r: &Reader<'_>, query: &AssignmentQuery) -> Result<Vec<Effective>, Error> {
    let wanted = targets(r, query)?;
    let mut found = BTreeSet::new();
    for stored in candidates(r, query)? {
        if query.inherited.is_some_and(|inherited| inherited != stored.inherited) {
            continue;
        }
        if query.effective {
            found.extend(effects(r, &stored)?);
        } else {
            let source = stored.clone();
            found.insert(Effective { holds: stored, source, implied_by: None });
        }
    }
    let matches = |effect: &Effective| {
        let holds = &effect.holds;
        let actor = |kind, id: Option<&str>| {
            id.is_none_or(|id| holds.actor_kind == kind && holds.actor_id == id)
        };
        actor(ActorKind::User, query.user_id.as_deref())
            && actor(ActorKind::Group, query.group_id.as_deref())
            && query.role_id.as_ref().is_none_or(|role| *role == holds.role_id)
            && wanted.as_ref().is_none_or(|ids| ids.contains(&holds.target_id))
    };
    Ok(found.into_iter().filter(matches).collect())
}

/// What is stored, narrowed where that loses nothing.
fn candidates(r: &Reader<'_>, query: &AssignmentQuery) -> Result<Vec<Assignment>, Error> {
    Ok(match (&query.user_id, &query.group_id) {
        (Some(user), _) if query.effective => assignments::of_user(r, user)?,
        (Some(id), _) => assignments::list(
            r,
            &Where::new().eq("actor_kind", ActorKind::User).eq("actor_id", id),
        )?,
        (None, Some(id)) => assignments::list(
            r,
            &Where::new().eq("actor_kind", ActorKind::Group).eq("actor_id", id),
        )?,
        (None, None) => assignments::list(r, &Where::new())?,
    })
}

/// The ids of the targets asked for; `None` is all.
fn targets(r: &Reader<'_>, query: &AssignmentQuery) -> Result<Option<BTreeSet<String>>, Error> {
    let mut ids = BTreeSet::new();
    if query.system {
        ids.insert(SYSTEM.to_owned());
    }
    if let Some(id) = &query.domain_id {
        ids.insert(id.to_string());
    }
    if let Some(id) = &query.project_id {
        ids.insert(id.to_string());
        if query.subtree {
            let below = projects::below(r, id)?;
            ids.extend(below.into_iter().map(|project| project.id.to_string()));
        }
    }
    Ok((!ids.is_empty()).then_some(ids))
}

/// What follows from a stored assignment: for each member, each project below, each implied role.
fn effects(r: &Reader<'_>, source: &Assignment) -> Result<Vec<Effective>, Error> {
    let actors = match source.actor_kind {
        ActorKind::User => vec![source.actor_id.clone()],
        ActorKind::Group => groups::members(r, &source.actor_id)?,
    };
    let places = places(r, source)?;
    let mut given = vec![(None, source.role_id.clone())];
    let implied: Implications = roles::implications(r)?;
    given.extend(implied.of(&source.role_id).into_iter().map(|(prior, role)| (Some(prior), role)));
    // A domain's role never reaches a token; what it implies does.
    let global = roles::list(r, &Where::new().raw("domain_id IS NULL"))?;
    given.retain(|(_, id)| global.iter().any(|role| role.id == *id));
    let mut all = Vec::new();
    for actor_id in &actors {
        for (target_kind, target_id) in &places {
            for (implied_by, role_id) in &given {
                all.push(Effective {
                    holds: Assignment {
                        actor_kind: ActorKind::User,
                        actor_id: actor_id.clone(),
                        target_kind: *target_kind,
                        target_id: target_id.clone(),
                        role_id: role_id.clone(),
                        inherited: source.inherited,
                    },
                    source: source.clone(),
                    implied_by: implied_by.clone(),
                });
            }
        }
    }
    Ok(all)
}

/// Where an assignment has its effect.
fn places(r: &Reader<'_>, source: &Assignment) -> Result<Vec<(TargetKind, String)>, Error> {
    Ok(match (source.target_kind, source.inherited) {
        (TargetKind::Domain, true) => {
            let inside = Where::new().eq("domain_id", &source.target_id);
            ids(projects::list(r, &inside)?)
        }
        (TargetKind::Project, true) => ids(projects::below(r, &source.target_id)?),
        (kind, _) => vec![(kind, source.target_id.clone())],
    })
}

fn ids(projects: Vec<Project>) -> Vec<(TargetKind, String)> {
    let id = |project: Project| (TargetKind::Project, project.id.to_string());
    projects.into_iter().map(id).collect()
}

/// What a domain's caller may see: what is on the domain and on its projects.
fn only_in(r: &Reader<'_>, found: Vec<Effective>, domain: &str) -> Result<Vec<Effective>, Error> {
    let inside = projects::list(r, &Where::new().eq("domain_id", domain))?;
    let mut ids: BTreeSet<String> = inside.into_iter().map(|project| project.id.into()).collect();
    ids.insert(domain.to_owned());
    Ok(found.into_iter().filter(|effect| ids.contains(&effect.holds.target_id)).collect())
}

fn names(r: &Reader<'_>, found: &[Effective]) -> Result<Names, Error> {
    let mut names = Names::default();
    for Effective { holds, .. } in found {
        if !names.of.contains_key(&holds.role_id)
            && let Some(Role { id, name, domain_id, .. }) = roles::get(r, &holds.role_id)?
        {
            names.add(r, id, name, domain_id.map(Into::into))?;
        }
        if !names.of.contains_key(&holds.actor_id) {
            match holds.actor_kind {
                ActorKind::User => {
                    if let Some(user) = users::get(r, &holds.actor_id)? {
                        let domain = Some(user.domain_id.into());
                        names.add(r, user.id.into(), user.name, domain)?;
                    }
                }
                ActorKind::Group => {
                    if let Some(group) = groups::get(r, &holds.actor_id)? {
                        let domain = Some(group.domain_id.into());
                        names.add(r, group.id, group.name, domain)?;
                    }
                }
            }
        }
        if !names.of.contains_key(&holds.target_id)
            && let Some(project) = projects::get(r, &holds.target_id)?
        {
            let domain = project.domain_id.map(Into::into);
            names.add(r, project.id.into(), project.name, domain)?;
        }
    }
    Ok(names)
}

impl Names {
    fn add(
        &mut self,
        r: &Reader<'_>,
        id: String,
        name: String,
        domain_id: Option<String>,
    ) -> Result<(), Error> {
        if let Some(domain_id) = &domain_id
            && !self.of.contains_key(domain_id)
            && let Some(domain) = projects::domain(r, domain_id)?
        {
            self.of.insert(domain_id.clone(), (domain.name, None));
        }
        self.of.insert(id, (name, domain_id));
        Ok(())
    }
}
