//! Roles and what they imply.

use stackup_core::{Ctx, ids};
use stackup_policy::Target;
use stackup_store::Reader;

use super::{may_change, may_delete, merge, overlay};
use crate::Keystone;
use crate::error::Error;
use crate::model::Extra;
use crate::model::role::Role;
use crate::store::{Where, projects, roles};

/// The role that no other may imply: it would hand the cloud over by accident.
const PROHIBITED: &str = "admin";

/// What a request says of a role.
#[derive(Debug, Clone, Default)]
pub(crate) struct RoleFields {
    pub(crate) name: Option<String>,
    pub(crate) domain_id: Option<Option<String>>,
    pub(crate) description: Option<Option<String>>,
    pub(crate) options: Option<Extra>,
    pub(crate) extra: Extra,
}

/// What the rules ask of a role.
pub(crate) fn target(role: Option<&Role>) -> Target {
    match role {
        None => Target::new(),
        Some(role) => Target::new()
            .with("target.role.id", &role.id)
            .with("target.role.name", &role.name)
            .with_opt("target.role.domain_id", role.domain_id.as_deref()),
    }
}

impl Keystone {
    /// A role that the caller may touch by one rule when it is global, by another when it is a
    /// domain's.
    async fn role_for(&self, cx: &Ctx, rules: [&str; 2], id: &str) -> Result<Role, Error> {
        let found = self.find_role(id).await;
        let role = found.as_ref().ok();
        let of_domain = role.is_some_and(|role| role.domain_id.is_some());
        self.allow(cx, rules[usize::from(of_domain)], &target(role))?;
        found
    }

    pub(crate) async fn find_role(&self, id: &str) -> Result<Role, Error> {
        let wanted = id.to_owned();
        let found = self.read(move |r| Ok(roles::get(r, &wanted)?)).await?;
        found.ok_or_else(|| Error::not_found("role", id))
    }

    pub(crate) async fn show_role(&self, cx: &Ctx, id: &str) -> Result<Role, Error> {
        self.role_for(cx, ["identity:get_role", "identity:get_domain_role"], id).await
    }

    /// The global roles, or those of one domain.
    pub(crate) async fn list_roles(
        &self,
        cx: &Ctx,
        condition: Where,
        domain_id: Option<&str>,
    ) -> Result<Vec<Role>, Error> {
        let condition = if let Some(domain) = domain_id {
            self.allow(cx, "identity:list_domain_roles", &Target::new())?;
            condition.eq("domain_id", domain)
        } else {
            self.allow(cx, "identity:list_roles", &Target::new())?;
            condition.raw("domain_id IS NULL")
        };
        self.read(move |r| Ok(roles::list(r, &condition)?)).await
    }

    pub(crate) async fn create_role(&self, cx: &Ctx, fields: RoleFields) -> Result<Role, Error> {
        let domain_id = fields.domain_id.flatten();
        let rule = match &domain_id {
            None => "identity:create_role",
            Some(_) => "identity:create_domain_role",
        };
        self.allow(cx, rule, &Target::new())?;
        let mut options = Extra::new();
        merge(&mut options, fields.options.unwrap_or_default());
        let role = Role {
            id: ids::hex(),
            name: fields.name.unwrap_or_default(),
            domain_id: domain_id.map(Into::into),
            description: fields.description.flatten(),
            options,
            extra: fields.extra,
        };
        self.write(move |tx| {
            if let Some(domain) = &role.domain_id
                && projects::domain(tx, domain)?.is_none()
            {
                return Err(Error::not_found("domain", domain));
            }
            roles::insert(tx, &role).map_err(conflict(&role))?;
            Ok(role.clone())
        })
        .await
    }

    pub(crate) async fn update_role(
        &self,
        cx: &Ctx,
        id: &str,
        fields: RoleFields,
    ) -> Result<Role, Error> {
        let rules = ["identity:update_role", "identity:update_domain_role"];
        let mut role = self.role_for(cx, rules, id).await?;
        may_change("role", id, &role.options, fields.options.as_ref())?;
        if let Some(domain) = &fields.domain_id
            && domain.as_deref() != role.domain_id.as_deref()
        {
            return Err(Error::invalid("Update of `domain_id` is not allowed."));
        }
        if let Some(name) = fields.name {
            role.name = name;
        }
        if let Some(description) = fields.description {
            role.description = description;
        }
        merge(&mut role.options, fields.options.unwrap_or_default());
        overlay(&mut role.extra, fields.extra);
        self.write(move |tx| {
            roles::update(tx, &role).map_err(conflict(&role))?;
            Ok(role.clone())
        })
        .await
    }

    /// Deletes a role; its assignments go with it.
    pub(crate) async fn delete_role(&self, cx: &Ctx, id: &str) -> Result<(), Error> {
        let rules = ["identity:delete_role", "identity:delete_domain_role"];
        let role = self.role_for(cx, rules, id).await?;
        may_delete("role", id, &role.options)?;
        self.write(move |tx| Ok(roles::delete(tx, &role.id).map(drop)?)).await
    }

    /// A role and those that it directly implies.
    pub(crate) async fn implied_by(&self, id: &str) -> Result<(Role, Vec<Role>), Error> {
        let prior = self.find_role(id).await?;
        let wanted = prior.id.clone();
        let implied = self.read(move |r| directly_implied(r, &wanted)).await?;
        Ok((prior, implied))
    }

    /// A prior role and one that it directly implies.
    pub(crate) async fn inference(&self, id: &str, implied: &str) -> Result<(Role, Role), Error> {
        let (prior, all) = self.implied_by(id).await?;
        match all.into_iter().find(|role| role.id == implied) {
            Some(role) => Ok((prior, role)),
            None => Err(not_implied(id, implied)),
        }
    }

    /// Every prior role with those that it implies.
    pub(crate) async fn inferences(&self) -> Result<Vec<(Role, Vec<Role>)>, Error> {
        self.read(|r| {
            let mut all: Vec<(Role, Vec<Role>)> = Vec::new();
            for (prior, implied) in roles::implied(r)? {
                let (Some(prior), Some(implied)) =
                    (roles::get(r, &prior)?, roles::get(r, &implied)?)
                else {
                    continue;
                };
                match all.last_mut() {
                    Some((last, list)) if last.id == prior.id => list.push(implied),
                    _ => all.push((prior, vec![implied])),
                }
            }
            Ok(all)
        })
        .await
    }

    pub(crate) async fn imply(&self, id: &str, implied: &str) -> Result<(Role, Role), Error> {
        let (prior, implied) = (self.find_role(id).await?, self.find_role(implied).await?);
        if implied.name == PROHIBITED {
            return Err(Error::Forbidden(format!("{} cannot be an implied roles.", implied.id)));
        }
        if prior.domain_id.is_none() && implied.domain_id.is_some() {
            let message = "Global role cannot imply a domain-specific role";
            return Err(Error::Forbidden(message.to_owned()));
        }
        self.write(move |tx| {
            roles::imply(tx, &prior.id, &implied.id)?;
            Ok((prior.clone(), implied.clone()))
        })
        .await
    }

    pub(crate) async fn unimply(&self, id: &str, implied: &str) -> Result<(), Error> {
        let (id, implied) = (id.to_owned(), implied.to_owned());
        self.write(move |tx| {
            if roles::unimply(tx, &id, &implied)? {
                return Ok(());
            }
            Err(not_implied(&id, &implied))
        })
        .await
    }
}

fn directly_implied(r: &Reader<'_>, id: &str) -> Result<Vec<Role>, Error> {
    let condition =
        Where::new().with("id IN (SELECT implied_id FROM implied_roles WHERE prior_id = {})", id);
    Ok(roles::list(r, &condition)?)
}

fn not_implied(id: &str, implied: &str) -> Error {
    Error::Missing(format!("{id} does not imply {implied}."))
}

fn conflict(role: &Role) -> impl FnOnce(stackup_store::StoreError) -> Error + use<> {
    let details = match &role.domain_id {
        None => format!("Duplicate entry found with name {}", role.name),
        Some(domain) => {
            format!("Duplicate entry found with name {} at domain ID {domain}", role.name)
        }
    };
    Error::duplicate("role", details)
}
