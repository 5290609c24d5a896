//! Domains: projects that act as one, by their own name.

use stackup_core::{Ctx, ProjectId};
use stackup_flow::Event;
use stackup_policy::Target;
use stackup_store::Tx;

use super::may_delete;
use super::projects::ProjectFields;
use crate::Keystone;
use crate::error::Error;
use crate::model::assignment::ActorKind;
use crate::model::project::Project;
use crate::store::{Where, assignments, credentials, groups, projects, roles, users};

fn target(id: &str) -> Target {
    Target::new().with("target.domain.id", id)
}

impl Keystone {
    pub(crate) async fn domain_for(&self, cx: &Ctx, id: &str) -> Result<Project, Error> {
        self.allow(cx, "identity:get_domain", &target(id))?;
        self.find_domain(id).await
    }

    pub(crate) async fn find_domain(&self, id: &str) -> Result<Project, Error> {
        let wanted = id.to_owned();
        let found = self.read(move |r| Ok(projects::domain(r, &wanted)?)).await?;
        found.ok_or_else(|| Error::not_found("domain", id))
    }

    pub(crate) async fn list_domains(
        &self,
        cx: &Ctx,
        mut condition: Where,
    ) -> Result<Vec<Project>, Error> {
        let own = cx.caller.domain_id().map(ToString::to_string);
        let target = own.as_deref().map_or_else(Target::new, target);
        self.allow(cx, "identity:list_domains", &target)?;
        if let Some(domain) = own.filter(|_| !cx.is_admin()) {
            condition = condition.eq("id", domain);
        }
        let condition = condition.eq("is_domain", true);
        self.read(move |r| Ok(projects::list(r, &condition)?)).await
    }

    pub(crate) async fn create_domain(
        &self,
        cx: &Ctx,
        fields: ProjectFields,
        explicit_id: Option<String>,
    ) -> Result<Project, Error> {
        self.allow(cx, "identity:create_domain", &Target::new())?;
        let named = fields.name.clone().unwrap_or_default();
        let project = Project {
            id: explicit_id.map_or_else(ProjectId::random_hex, ProjectId::from),
            name: named.clone(),
            domain_id: None,
            parent_id: None,
            is_domain: true,
            enabled: fields.enabled.unwrap_or(true),
            description: fields.description.unwrap_or_else(|| Some(String::new())),
            options: fields.options.unwrap_or_default(),
            extra: fields.extra,
            revoked_before: None,
            tags: fields.tags.unwrap_or_default(),
        };
        self.write(move |tx| {
            let details = format!(
                "it is not permitted to have two projects acting as domains with the same name: \
                 {named}"
            );
            projects::insert(tx, &project).map_err(Error::duplicate("project", details))?;
            Ok(project.clone())
        })
        .await
    }

    pub(crate) async fn update_domain(
        &self,
        cx: &Ctx,
        id: &str,
        fields: ProjectFields,
    ) -> Result<Project, Error> {
        self.allow(cx, "identity:update_domain", &target(id))?;
        self.change_project(id, fields, true).await
    }

    /// Deletes a disabled domain with everything in it.
    pub(crate) async fn delete_domain(&self, cx: &Ctx, id: &str) -> Result<(), Error> {
        self.allow(cx, "identity:delete_domain", &target(id))?;
        let domain = self.find_domain(id).await?;
        let gone = self
            .write(move |tx| {
                may_delete("domain", &domain.id, &domain.options)?;
                if domain.enabled {
                    return Err(Error::Forbidden(
                        "Cannot delete a domain that is enabled, please disable it first."
                            .to_owned(),
                    ));
                }
                remove(tx, &domain)
            })
            .await?;
        for project in gone {
            self.bus.publish(Event::ProjectDeleted(project));
        }
        Ok(())
    }
}

/// Deletes a domain, its projects from the leaves up, its users, groups and roles. Answers the ids
/// of the projects.
pub(crate) fn remove(tx: &mut Tx<'_>, domain: &Project) -> Result<Vec<ProjectId>, Error> {
    let id = domain.id.as_str();
    let below = projects::below(tx, id)?;
    let mut gone = Vec::new();
    for project in below.into_iter().rev() {
        super::projects::remove(tx, &project.id)?;
        gone.push(project.id);
    }
    for user in users::list(tx, &Where::new().eq("u.domain_id", id))? {
        super::users::remove(tx, &user.id)?;
    }
    for group in groups::list(tx, &Where::new().eq("domain_id", id))? {
        assignments::delete_of_actor(tx, ActorKind::Group, &group.id)?;
        groups::delete(tx, &group.id)?;
    }
    for role in roles::list(tx, &Where::new().eq("domain_id", id))? {
        roles::delete(tx, &role.id)?;
    }
    assignments::delete_on_target(tx, id)?;
    credentials::delete_of_project(tx, id)?;
    projects::delete(tx, &domain.id)?;
    Ok(gone)
}
