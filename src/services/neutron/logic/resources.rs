//! The road that every resource takes: seen, allowed, counted, done.

use serde_json::Value as Json;
use stackup_core::Ctx;

use super::access::{Touched, authorise};
use super::work::not_found;
use super::{
    Work, address_scopes, floating_ips, metering, networks, ports, quotas, rbac_policies, routers,
    security_groups, subnet_pools, subnets,
};
use crate::Neutron;
use crate::error::{Error, Result};
use crate::model::body::{self, Batch};
use crate::model::{Fields, Kind, METERING_LABEL, NETWORK, Record, Resource, SECURITY_GROUP};
use crate::store::{Listing, Scope, records};

/// What a create made.
pub(crate) enum Made {
    One(Box<Record>),
    Many(Vec<Record>),
}

impl Neutron {
    pub(crate) async fn list(
        &self,
        cx: &Ctx,
        resource: &'static Resource,
        listing: Listing,
    ) -> Result<Vec<Record>> {
        if resource.kind == Kind::SecurityGroup {
            self.ensure_default_group(cx).await?;
        }
        let scope = Scope::of(cx, resource);
        self.db
            .scan(move |r| {
                // A marker that is not there is an error, not an empty page.
                if let Some(marker) = &listing.page.marker
                    && records::find(r, resource, &scope, marker)?.is_none()
                {
                    return Err(not_found(resource, marker));
                }
                records::list(r, resource, &scope, &listing)
            })
            .await
    }

    pub(crate) async fn show(
        &self,
        cx: &Ctx,
        resource: &'static Resource,
        id: &str,
    ) -> Result<Record> {
        let (scope, id) = (Scope::of(cx, resource), id.to_owned());
        self.db
            .read(move |r| {
                let found = records::find(r, resource, &scope, &id)?;
                found.ok_or_else(|| not_found(resource, &id))
            })
            .await
    }

    /// One, or all of several.
    pub(crate) async fn create(
        &self,
        cx: &Ctx,
        resource: &'static Resource,
        body: Json,
    ) -> Result<Made> {
        let batch = body::read_create(resource, body)?;
        self.work(cx, move |w| {
            Ok(match &batch {
                Batch::One(fields) => Made::One(Box::new(create(w, resource, fields.clone())?)),
                Batch::Many(many) => {
                    let made = many.iter().map(|fields| create(w, resource, fields.clone()));
                    Made::Many(made.collect::<Result<_>>()?)
                }
            })
        })
        .await
    }

    /// `revision` is what the client wants the row to be at: `If-Match`.
    pub(crate) async fn update(
        &self,
        cx: &Ctx,
        resource: &'static Resource,
        id: &str,
        body: Json,
        revision: Option<i64>,
    ) -> Result<Record> {
        let fields = body::read_update(resource, body)?;
        let id = id.to_owned();
        self.work(cx, move |w| update(w, resource, &id, fields.clone(), revision)).await
    }

    pub(crate) async fn delete(
        &self,
        cx: &Ctx,
        resource: &'static Resource,
        id: &str,
        revision: Option<i64>,
    ) -> Result<()> {
        let id = id.to_owned();
        self.work(cx, move |w| {
            let record = w.find(resource, &id)?;
            authorise(w, "delete", resource, &Touched::existing(&record, None), None)?;
            at_revision(&record, revision)?;
            delete(w, &record)
        })
        .await
    }
}

/// Creates one, as the caller may.
pub(crate) fn create(
    w: &mut Work<'_, '_>,
    resource: &'static Resource,
    mut fields: Fields,
) -> Result<Record> {
    let owned = resource.attr("project_id").is_some();
    let project = if owned { owner(w, &mut fields)? } else { String::new() };
    // What is not the caller's to see is not there, whatever the rules say.
    if let (Some(network), Some(_)) = (fields.text("network_id"), resource.attr("network_id")) {
        w.find(&NETWORK, network)?;
    }
    if let Some(group) = fields.text("security_group_id") {
        w.find(&SECURITY_GROUP, group)?;
    }
    if let Some(label) = fields.text("metering_label_id") {
        w.find(&METERING_LABEL, label)?;
    }
    let touched = Touched::by(&project, &fields);
    authorise(w, "create", resource, &touched, Some(&fields))?;
    quotas::check(w, resource, &project, 1)?;
    let id = match resource.kind {
        Kind::AddressScope => address_scopes::create(w, fields),
        Kind::DefaultRule => security_groups::create_default_rule(w, fields),
        Kind::FloatingIp => floating_ips::create(w, fields),
        Kind::MeteringLabel => metering::create_label(w, fields),
        Kind::MeteringLabelRule => metering::create_rule(w, fields),
        Kind::Network => networks::create(w, fields),
        Kind::Port => ports::create(w, fields),
        Kind::RbacPolicy => rbac_policies::create(w, fields),
        Kind::Router => routers::create(w, fields),
        Kind::SecurityGroup => security_groups::create(w, fields),
        Kind::SecurityGroupRule => security_groups::create_rule(w, fields),
        Kind::Subnet => subnets::create(w, fields),
        Kind::SubnetPool => subnet_pools::create(w, fields),
    }?;
    w.any(resource, &id)
}

fn update(
    w: &mut Work<'_, '_>,
    resource: &'static Resource,
    id: &str,
    fields: Fields,
    revision: Option<i64>,
) -> Result<Record> {
    let before = w.find(resource, id)?;
    let touched = Touched::existing(&before, Some(&fields));
    authorise(w, "update", resource, &touched, Some(&fields))?;
    at_revision(&before, revision)?;
    match resource.kind {
        Kind::AddressScope => address_scopes::update(w, &before, &fields),
        Kind::DefaultRule
        | Kind::MeteringLabel
        | Kind::MeteringLabelRule
        | Kind::SecurityGroupRule => Ok(()),
        Kind::FloatingIp => floating_ips::update(w, &before, fields),
        Kind::Network => networks::update(w, &before, fields),
        Kind::Port => ports::update(w, &before, fields),
        Kind::RbacPolicy => rbac_policies::update(w, &before, &fields),
        Kind::Router => routers::update(w, &before, fields),
        Kind::SecurityGroup => security_groups::update(w, &before, &fields),
        Kind::Subnet => subnets::update(w, &before, fields),
        Kind::SubnetPool => subnet_pools::update(w, &before, fields),
    }?;
    w.any(resource, id)
}

/// Deletes, without asking.
pub(crate) fn delete(w: &mut Work<'_, '_>, record: &Record) -> Result<()> {
    match record.resource.kind {
        Kind::AddressScope => address_scopes::delete(w, record),
        Kind::DefaultRule
        | Kind::MeteringLabel
        | Kind::MeteringLabelRule
        | Kind::SecurityGroupRule => w.delete(record.resource, record.id()),
        Kind::FloatingIp => floating_ips::delete(w, record),
        Kind::Network => networks::delete(w, record),
        Kind::Port => ports::delete(w, record),
        Kind::RbacPolicy => rbac_policies::delete(w, record),
        Kind::Router => routers::delete(w, record),
        Kind::SecurityGroup => security_groups::delete(w, record),
        Kind::Subnet => subnets::delete(w, record),
        Kind::SubnetPool => subnet_pools::delete(w, record),
    }
}

/// Whose the new thing will be: the caller's, or whose an administrator says.
fn owner(w: &Work<'_, '_>, fields: &mut Fields) -> Result<String> {
    let own = w.cx.project_id().map(ToString::to_string).unwrap_or_default();
    let named = fields.text("project_id").map(str::to_owned);
    let project = match named {
        Some(named) if named != own && !w.cx.is_admin() && !w.cx.caller.has_role("service") => {
            return Err(Error::ForeignProject);
        }
        Some(named) => named,
        None => own,
    };
    fields.set("project_id", project.clone());
    Ok(project)
}

fn at_revision(record: &Record, wanted: Option<i64>) -> Result<()> {
    let Some(wanted) = wanted.filter(|_| record.resource.is_standard()) else {
        return Ok(());
    };
    let found = record.int("revision_number");
    if found == wanted {
        Ok(())
    } else {
        Err(Error::RevisionNumberConstraintFailed { wanted, found })
    }
}
