//! Projects: the tree, and what happens below when one is turned off or deleted.

use serde_json::Value;
use stackup_core::{Ctx, ProjectId, Time};
use stackup_flow::Event;
use stackup_policy::Target;
use stackup_store::{Reader, Tx};

use super::{home_domain, may_change, may_delete, merge, overlay};
use crate::Keystone;
use crate::error::Error;
use crate::model::Extra;
use crate::model::project::Project;
use crate::store::{Where, assignments, credentials, projects};

/// What a request says of a project; what it does not say is `None`.
#[derive(Debug, Clone, Default)]
pub(crate) struct ProjectFields {
    pub(crate) name: Option<String>,
    pub(crate) domain_id: Option<Option<String>>,
    pub(crate) parent_id: Option<Option<String>>,
    pub(crate) is_domain: Option<bool>,
    pub(crate) enabled: Option<bool>,
    pub(crate) description: Option<Option<String>>,
    pub(crate) tags: Option<Vec<String>>,
    pub(crate) options: Option<Extra>,
    pub(crate) extra: Extra,
}

/// What the rules ask of a project.
pub(crate) fn target(project: Option<&Project>) -> Target {
    match project {
        None => Target::new(),
        Some(project) => Target::new()
            .with("target.project.id", &*project.id)
            .with_opt("target.project.domain_id", project.domain_id.as_deref()),
    }
}

impl Keystone {
    /// A project that the caller may touch by `rule`.
    pub(crate) async fn project_for(
        &self,
        cx: &Ctx,
        rule: &str,
        id: &str,
    ) -> Result<Project, Error> {
        let wanted = id.to_owned();
        let found = self.read(move |r| Ok(projects::get(r, &wanted)?)).await?;
        self.allow(cx, rule, &target(found.as_ref()))?;
        found.ok_or_else(|| Error::not_found("project", id))
    }

    pub(crate) async fn list_projects(
        &self,
        cx: &Ctx,
        mut condition: Where,
    ) -> Result<Vec<Project>, Error> {
        let own = cx.caller.domain_id().map(ToString::to_string);
        let target = match &own {
            Some(domain) => Target::new().with("target.domain_id", domain),
            None => Target::new(),
        };
        self.allow(cx, "identity:list_projects", &target)?;
        if let Some(domain) = own {
            condition = condition.eq("domain_id", domain);
        }
        self.scan(move |r| Ok(projects::list(r, &condition)?)).await
    }

    pub(crate) async fn create_project(
        &self,
        cx: &Ctx,
        fields: ProjectFields,
    ) -> Result<Project, Error> {
        let is_domain = fields.is_domain.unwrap_or(false);
        let domain_id = match fields.domain_id.clone().flatten() {
            _ if is_domain => None,
            Some(id) => Some(id),
            None => Some(home_domain(cx)),
        };
        let target = Target::new().with_opt("target.project.domain_id", domain_id.as_deref());
        self.allow(cx, "identity:create_project", &target)?;
        if is_domain && fields.domain_id.clone().flatten().is_some() {
            return Err(Error::invalid("only root projects are allowed to act as domains."));
        }
        let project = new_project(fields, domain_id)?;
        let depth = self.config.max_project_depth;
        self.write(move |tx| {
            check_place(tx, &project, depth)?;
            projects::insert(tx, &project).map_err(conflict(&project))?;
            Ok(project.clone())
        })
        .await
    }

    pub(crate) async fn update_project(
        &self,
        cx: &Ctx,
        id: &str,
        fields: ProjectFields,
    ) -> Result<Project, Error> {
        self.project_for(cx, "identity:update_project", id).await?;
        self.change_project(id, fields, false).await
    }

    /// Changes a project or a domain.
    pub(crate) async fn change_project(
        &self,
        id: &str,
        fields: ProjectFields,
        domain: bool,
    ) -> Result<Project, Error> {
        let (id, now) = (id.to_owned(), self.now());
        self.write(move |tx| {
            let kind = if domain { "domain" } else { "project" };
            let found = projects::get(tx, &id)?.filter(|found| !domain || found.is_domain);
            let mut project = found.ok_or_else(|| Error::not_found(kind, &id))?;
            apply(tx, &mut project, fields.clone(), now)?;
            projects::update(tx, &project).map_err(conflict(&project))?;
            Ok(project)
        })
        .await
    }

    pub(crate) async fn set_tags(
        &self,
        cx: &Ctx,
        rule: &str,
        id: &str,
        change: impl Fn(&mut Vec<String>) -> Result<(), Error> + Send + 'static,
    ) -> Result<Project, Error> {
        let found = self.project_for(cx, rule, id).await?;
        self.write(move |tx| {
            let gone = || Error::not_found("project", &found.id);
            let mut project = projects::get(tx, &found.id)?.ok_or_else(gone)?;
            change(&mut project.tags)?;
            check_tags(&project.tags)?;
            projects::update(tx, &project)?;
            Ok(project)
        })
        .await
    }

    /// The projects above (nearest first) or below a project, and which of them the caller has a
    /// role on: lists show only those.
    pub(crate) async fn relatives(
        &self,
        cx: &Ctx,
        project: &Project,
        above: bool,
    ) -> Result<(Vec<Project>, Vec<ProjectId>), Error> {
        let (project, user) = (project.clone(), cx.caller.user_id.clone());
        self.read(move |r| {
            let relatives = if above {
                projects::above(r, &project)?
            } else {
                projects::below(r, &project.id)?
            };
            let held = assignments::of_user(r, &user)?;
            let mut visible = Vec::new();
            for relative in &relatives {
                let place = assignments::place(r, relative)?;
                if held.iter().any(|assignment| place.is_reached_by(assignment)) {
                    visible.push(relative.id.clone());
                }
            }
            Ok((relatives, visible))
        })
        .await
    }

    pub(crate) async fn delete_project(&self, cx: &Ctx, id: &str) -> Result<(), Error> {
        let project = self.project_for(cx, "identity:delete_project", id).await?;
        let project_id = project.id.clone();
        self.write(move |tx| {
            may_delete("project", &project.id, &project.options)?;
            if project.is_domain && project.enabled {
                return Err(Error::invalid(format!(
                    "cannot delete an enabled project acting as a domain. Please disable the \
                     project {} first.",
                    project.id
                )));
            }
            if !projects::children(tx, &project.id)?.is_empty() {
                return Err(Error::Forbidden(format!(
                    "Cannot delete the project {} since it is not a leaf in the hierarchy. Use the \
                     cascade option if you want to delete a whole subtree.",
                    project.id
                )));
            }
            if project.is_domain {
                return super::domains::remove(tx, &project).map(drop);
            }
            remove(tx, &project.id)
        })
        .await?;
        self.bus.publish(Event::ProjectDeleted(project_id));
        Ok(())
    }
}

/// Deletes a project and what is only there because of it.
pub(crate) fn remove(tx: &mut Tx<'_>, id: &ProjectId) -> Result<(), Error> {
    assignments::delete_on_target(tx, id)?;
    credentials::delete_of_project(tx, id)?;
    if projects::delete(tx, id)? { Ok(()) } else { Err(Error::not_found("project", id)) }
}

fn new_project(fields: ProjectFields, domain_id: Option<String>) -> Result<Project, Error> {
    let is_domain = domain_id.is_none();
    let parent = fields.parent_id.flatten();
    if is_domain && parent.is_some() {
        return Err(Error::invalid("only root projects are allowed to act as domains."));
    }
    let tags = fields.tags.unwrap_or_default();
    check_tags(&tags)?;
    let mut options = Extra::new();
    merge(&mut options, fields.options.unwrap_or_default());
    Ok(Project {
        id: ProjectId::random_hex(),
        name: fields.name.unwrap_or_default(),
        parent_id: parent.or_else(|| domain_id.clone()).map(ProjectId::from),
        domain_id: domain_id.map(Into::into),
        is_domain,
        enabled: fields.enabled.unwrap_or(true),
        description: fields.description.unwrap_or_else(|| Some(String::new())),
        options,
        extra: fields.extra,
        revoked_before: None,
        tags,
    })
}

/// A project must lie below an enabled parent of its own domain, not too deep.
fn check_place(tx: &Tx<'_>, project: &Project, depth: usize) -> Result<(), Error> {
    let (Some(domain_id), Some(parent_id)) = (&project.domain_id, &project.parent_id) else {
        return Ok(());
    };
    // upstream: a missing domain or parent in the body is 400, not 404.
    let missing = |kind, id: &str| Error::invalid(Error::not_found(kind, id).to_string());
    if projects::domain(tx, domain_id)?.is_none() {
        return Err(missing("domain", domain_id));
    }
    let parent = projects::get(tx, parent_id)?.ok_or_else(|| missing("project", parent_id))?;
    let parent_domain = parent.domain_id.as_deref().unwrap_or(&parent.id);
    if *domain_id != *parent_domain {
        return Err(Error::invalid(format!(
            "Cannot create project, since it specifies its domain_id {domain_id}, but specifies a \
             parent in a different domain ({parent_domain})."
        )));
    }
    let mut branch = projects::above(tx, project)?;
    // The domain and the project itself count too.
    if branch.len() + 2 > depth {
        return Err(Error::Forbidden(format!(
            "Max hierarchy depth reached for {parent_id} branch."
        )));
    }
    branch.push(parent);
    match branch.iter().find(|project| !project.enabled) {
        None => Ok(()),
        Some(off) => Err(Error::invalid(format!(
            "cannot create a project in a branch containing a disabled project: {}",
            off.id
        ))),
    }
}

fn apply(
    r: &Reader<'_>,
    project: &mut Project,
    fields: ProjectFields,
    now: Time,
) -> Result<(), Error> {
    let kind = if project.is_domain { "domain" } else { "project" };
    may_change(kind, &project.id, &project.options, fields.options.as_ref())?;
    check_fixed(project, &fields)?;
    if let Some(enabled) = fields.enabled
        && enabled != project.enabled
    {
        check_switch(r, project, enabled)?;
        project.enabled = enabled;
        if !enabled {
            projects::revoke(project, now);
        }
    }
    if let Some(name) = fields.name {
        project.name = name;
    }
    if let Some(description) = fields.description {
        project.description = description;
    }
    if let Some(tags) = fields.tags {
        check_tags(&tags)?;
        project.tags = tags;
    }
    merge(&mut project.options, fields.options.unwrap_or_default());
    overlay(&mut project.extra, fields.extra);
    Ok(())
}

/// What a project keeps for life.
fn check_fixed(project: &Project, fields: &ProjectFields) -> Result<(), Error> {
    if let Some(parent) = &fields.parent_id
        && parent.as_deref() != project.parent_id.as_deref()
    {
        return Err(Error::Forbidden("Update of `parent_id` is not allowed.".to_owned()));
    }
    if let Some(domain) = &fields.domain_id
        && domain.as_deref() != project.domain_id.as_deref()
    {
        return Err(Error::invalid("Update of `domain_id` is not allowed."));
    }
    if fields.is_domain.is_some_and(|is_domain| is_domain != project.is_domain) {
        return Err(Error::invalid("Update of `is_domain` is not allowed."));
    }
    Ok(())
}

fn check_switch(r: &Reader<'_>, project: &Project, on: bool) -> Result<(), Error> {
    // Turning a domain off turns its projects off with it: nothing in it can be used.
    if project.is_domain {
        return Ok(());
    }
    let id = &project.id;
    if on && projects::above(r, project)?.iter().any(|above| !above.enabled) {
        return Err(Error::Forbidden(format!(
            "Cannot enable project {id} since it has disabled parents"
        )));
    }
    if !on && projects::below(r, id)?.iter().any(|below| below.enabled) {
        return Err(Error::Forbidden(format!(
            "Cannot disable project {id} since its subtree contains enabled projects."
        )));
    }
    Ok(())
}

fn check_tags(tags: &[String]) -> Result<(), Error> {
    if tags.len() > 80 {
        return Err(Error::invalid(format!(
            "Invalid input for field 'tags': {} is too long",
            Value::from(tags.to_vec())
        )));
    }
    for (index, tag) in tags.iter().enumerate() {
        let length = tag.chars().count();
        if length == 0 || length > 255 || tag.contains(['/', ',']) {
            return Err(Error::invalid(format!(
                "Invalid input for field 'tags/{index}': '{tag}' does not match '^[^,/]*$'"
            )));
        }
        if tags.get(..index).is_some_and(|before| before.contains(tag)) {
            return Err(Error::invalid(format!(
                "Invalid input for field 'tags': {} has non-unique elements",
                Value::from(tags.to_vec())
            )));
        }
    }
    Ok(())
}

fn conflict(project: &Project) -> impl FnOnce(stackup_store::StoreError) -> Error + use<> {
    let details = if project.is_domain {
        format!(
            "it is not permitted to have two projects acting as domains with the same name: {}",
            project.name
        )
    } else {
        format!(
            "it is not permitted to have two projects with either the same name or same id in the \
             same domain: name is {}, project id {}",
            project.name, project.id
        )
    };
    Error::duplicate("project", details)
}
