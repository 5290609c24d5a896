//! Unified limits, in the flat model.

use stackup_core::{Ctx, Scope, ids};
use stackup_policy::Target;
use stackup_store::{Reader, StoreError, Tx};

use crate::Keystone;
use crate::error::Error;
use crate::model::limit::{Limit, RegisteredLimit};
use crate::store::{Where, catalog, limits, projects};

/// What a request says of a registered limit.
#[derive(Debug, Clone, Default)]
pub(crate) struct RegisteredFields {
    pub(crate) service_id: Option<String>,
    pub(crate) region_id: Option<Option<String>>,
    pub(crate) resource_name: Option<String>,
    pub(crate) default_limit: Option<i64>,
    pub(crate) description: Option<Option<String>>,
}

/// What a request says of a limit.
#[derive(Debug, Clone, Default)]
pub(crate) struct LimitFields {
    pub(crate) project_id: Option<String>,
    pub(crate) domain_id: Option<String>,
    pub(crate) service_id: Option<String>,
    pub(crate) region_id: Option<String>,
    pub(crate) resource_name: Option<String>,
    pub(crate) resource_limit: Option<i64>,
    pub(crate) description: Option<Option<String>>,
}

impl Keystone {
    pub(crate) async fn registered_limits(
        &self,
        condition: Where,
    ) -> Result<Vec<RegisteredLimit>, Error> {
        self.read(move |r| Ok(limits::list_registered(r, &condition)?)).await
    }

    pub(crate) async fn registered_limit(&self, id: &str) -> Result<RegisteredLimit, Error> {
        let id = id.to_owned();
        self.read(move |r| find_registered(r, &id)).await
    }

    /// Makes all of them or none.
    pub(crate) async fn create_registered_limits(
        &self,
        all: Vec<RegisteredFields>,
    ) -> Result<Vec<RegisteredLimit>, Error> {
        self.write(move |tx| {
            let mut made = Vec::new();
            for fields in all.clone() {
                let limit = RegisteredLimit {
                    id: ids::hex(),
                    service_id: fields.service_id.unwrap_or_default(),
                    region_id: fields.region_id.flatten(),
                    resource_name: fields.resource_name.unwrap_or_default(),
                    default_limit: fields.default_limit.unwrap_or_default(),
                    description: fields.description.flatten(),
                };
                check_references(tx, &limit)?;
                limits::insert_registered(tx, &limit).map_err(conflict())?;
                made.push(limit);
            }
            Ok(made)
        })
        .await
    }

    pub(crate) async fn update_registered_limit(
        &self,
        id: &str,
        fields: RegisteredFields,
    ) -> Result<RegisteredLimit, Error> {
        let id = id.to_owned();
        self.write(move |tx| {
            let fields = fields.clone();
            let mut limit = find_registered(tx, &id)?;
            let moves = fields.service_id.is_some()
                || fields.region_id.is_some()
                || fields.resource_name.is_some();
            if moves && is_used(tx, &id)? {
                return Err(in_use(&id));
            }
            limit.service_id = fields.service_id.unwrap_or(limit.service_id);
            limit.region_id = fields.region_id.unwrap_or(limit.region_id);
            limit.resource_name = fields.resource_name.unwrap_or(limit.resource_name);
            limit.default_limit = fields.default_limit.unwrap_or(limit.default_limit);
            limit.description = fields.description.unwrap_or(limit.description);
            check_references(tx, &limit)?;
            limits::update_registered(tx, &limit).map_err(conflict())?;
            Ok(limit)
        })
        .await
    }

    pub(crate) async fn delete_registered_limit(&self, id: &str) -> Result<(), Error> {
        let id = id.to_owned();
        self.write(move |tx| match limits::delete_registered(tx, &id) {
            Ok(true) => Ok(()),
            Ok(false) => Err(missing_registered(&id)),
            Err(StoreError::Reference(_)) => Err(in_use(&id)),
            Err(other) => Err(other.into()),
        })
        .await
    }

    /// Those that concern the caller; an administrator sees all.
    pub(crate) async fn list_limits(
        &self,
        cx: &Ctx,
        mut condition: Where,
    ) -> Result<Vec<Limit>, Error> {
        let system = cx.caller.scope == Scope::System;
        if !cx.is_admin() && !system {
            condition = match &cx.caller.scope {
                Scope::Project { id, .. } => condition.eq("l.project_id", id),
                Scope::Domain(domain) => condition.with(
                    "(l.domain_id = {} OR l.project_id IN (SELECT id FROM projects WHERE domain_id = {}))",
                    &domain.id,
                ),
                Scope::Unscoped | Scope::System => condition.raw("1 = 0"),
            };
        }
        self.read(move |r| Ok(limits::list(r, &condition)?)).await
    }

    pub(crate) async fn limit_for(&self, cx: &Ctx, id: &str) -> Result<Limit, Error> {
        let wanted = id.to_owned();
        let found = self
            .read(move |r| {
                let Some(limit) = limits::get(r, &wanted)? else {
                    return Ok(None);
                };
                let project = match &limit.project_id {
                    Some(id) => projects::get(r, id)?,
                    None => None,
                };
                Ok(Some((limit, project)))
            })
            .await?;
        let mut target = Target::new();
        if let Some((limit, project)) = &found {
            target = target.with_opt("target.limit.project_id", limit.project_id.as_deref());
            if let Some(domain) = &limit.domain_id {
                target = target.with("target.limit.domain.id", &**domain);
            }
            if let Some(domain) = project.as_ref().and_then(|p| p.domain_id.as_ref()) {
                target = target.with("target.limit.project.domain_id", &**domain);
            }
        }
        self.allow(cx, "identity:get_limit", &target)?;
        found.map(|(limit, _)| limit).ok_or_else(|| missing(id))
    }

    /// Makes all of them or none. Each needs a registered limit to be an exception to.
    pub(crate) async fn create_limits(&self, all: Vec<LimitFields>) -> Result<Vec<Limit>, Error> {
        self.write(move |tx| all.iter().map(|fields| create(tx, fields.clone())).collect()).await
    }

    pub(crate) async fn update_limit(&self, id: &str, fields: LimitFields) -> Result<Limit, Error> {
        let id = id.to_owned();
        self.write(move |tx| {
            let mut limit = limits::get(tx, &id)?.ok_or_else(|| missing(&id))?;
            limit.resource_limit = fields.resource_limit.unwrap_or(limit.resource_limit);
            if let Some(description) = fields.description.clone() {
                limit.description = description;
            }
            limits::update(tx, &limit)?;
            Ok(limit)
        })
        .await
    }

    pub(crate) async fn delete_limit(&self, id: &str) -> Result<(), Error> {
        let id = id.to_owned();
        self.write(move |tx| {
            if limits::delete(tx, &id)? {
                return Ok(());
            }
            Err(missing(&id))
        })
        .await
    }
}

fn create(tx: &mut Tx<'_>, fields: LimitFields) -> Result<Limit, Error> {
    let condition = Where::new()
        .eq("service_id", fields.service_id.unwrap_or_default())
        .eq("COALESCE(region_id, '')", fields.region_id.unwrap_or_default())
        .eq("resource_name", fields.resource_name.unwrap_or_default());
    let message = "Unable to create a limit that has no corresponding registered limit.";
    let registered = limits::list_registered(tx, &condition)?.pop();
    let limit = Limit {
        id: ids::hex(),
        registered: registered.ok_or_else(|| Error::Forbidden(message.to_owned()))?,
        project_id: fields.project_id.map(Into::into),
        domain_id: fields.domain_id.map(Into::into),
        resource_limit: fields.resource_limit.unwrap_or_default(),
        description: fields.description.flatten(),
    };
    if let Some(id) = &limit.project_id
        && projects::get(tx, id)?.is_none()
    {
        return Err(Error::invalid(Error::not_found("project", id).to_string()));
    }
    if let Some(id) = &limit.domain_id
        && projects::domain(tx, id)?.is_none()
    {
        return Err(Error::invalid(Error::not_found("domain", id).to_string()));
    }
    let details = "Duplicate entry".to_owned();
    limits::insert(tx, &limit).map_err(Error::duplicate("limit", details))?;
    Ok(limit)
}

fn find_registered(r: &Reader<'_>, id: &str) -> Result<RegisteredLimit, Error> {
    limits::registered(r, id)?.ok_or_else(|| missing_registered(id))
}

fn is_used(r: &Reader<'_>, id: &str) -> Result<bool, Error> {
    let condition = Where::new().eq("l.registered_limit_id", id);
    Ok(!limits::list(r, &condition)?.is_empty())
}

fn check_references(r: &Reader<'_>, limit: &RegisteredLimit) -> Result<(), Error> {
    let wrong = |kind, id: &str| Error::invalid(Error::not_found(kind, id).to_string());
    if catalog::service(r, &limit.service_id)?.is_none() {
        return Err(wrong("service", &limit.service_id));
    }
    if let Some(id) = &limit.region_id
        && catalog::region(r, id)?.is_none()
    {
        return Err(wrong("region", id));
    }
    Ok(())
}

fn missing(id: &str) -> Error {
    Error::Missing(format!("Could not find limit for {id}."))
}

fn missing_registered(id: &str) -> Error {
    Error::Missing(format!("Could not find registered limit for {id}."))
}

fn in_use(id: &str) -> Error {
    Error::Forbidden(format!(
        "Unable to update or delete registered limit {id} because there are project limits \
         associated with it."
    ))
}

fn conflict() -> impl FnOnce(StoreError) -> Error {
    Error::duplicate("registered_limit", "Duplicate entry".to_owned())
}
