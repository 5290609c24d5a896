//! RBAC policies.

use super::Work;
use crate::error::{Error, Result};
use crate::model::rbac_policy::{ANYONE, AS_EXTERNAL, AS_SHARED};
use crate::model::{
    ADDRESS_SCOPE, Fields, NETWORK, RBAC_POLICY, Record, Resource, SECURITY_GROUP, SUBNET_POOL,
};
use crate::store::links;

pub(crate) fn create(w: &mut Work<'_, '_>, mut fields: Fields) -> Result<String> {
    let object_type = fields.text("object_type").unwrap_or_default().to_owned();
    let action = fields.text("action").unwrap_or_default().to_owned();
    let object = fields.text("object_id").unwrap_or_default().to_owned();
    let record = w.find(resource(&object_type), &object)?;
    if record.project_id() != fields.text("project_id").unwrap_or_default() && !w.cx.is_admin() {
        return Err(super::work::not_found(record.resource, &object));
    }
    if action == AS_EXTERNAL {
        if object_type != "network" {
            return Err(Error::InvalidRbacAction { action, object_type });
        }
        if !w.cx.is_admin() {
            return Err(Error::PolicyNotAuthorized("create_rbac_policy".to_owned()));
        }
        w.set(&NETWORK, &object, &serde_json::json!({"router:external": true}))?;
    }
    match w.insert(&RBAC_POLICY, &mut fields) {
        Err(Error::Store(error)) if error.is_unique() => Err(Error::RbacPolicyDuplicate),
        other => other,
    }
}

pub(crate) fn update(w: &mut Work<'_, '_>, before: &Record, fields: &Fields) -> Result<()> {
    if fields.text("target_tenant") != before.some_text("target_tenant") {
        unused(w, before)?;
    }
    match w.update(&RBAC_POLICY, before.id(), fields) {
        Err(Error::Store(error)) if error.is_unique() => Err(Error::RbacPolicyDuplicate),
        other => other,
    }
}

pub(crate) fn delete(w: &mut Work<'_, '_>, policy: &Record) -> Result<()> {
    unused(w, policy)?;
    w.delete(&RBAC_POLICY, policy.id())?;
    let object = policy.text("object_id");
    if policy.text("action") == AS_EXTERNAL && links::shares(w.reader(), object, AS_EXTERNAL)? == 0
    {
        w.set(&NETWORK, object, &serde_json::json!({"router:external": false}))?;
    }
    Ok(())
}

/// A network that others have ports on stays open to them.
fn unused(w: &Work<'_, '_>, policy: &Record) -> Result<()> {
    if policy.text("object_type") != "network" {
        return Ok(());
    }
    let object = policy.text("object_id");
    let network = w.any(&NETWORK, object)?;
    let in_use = |details: &str| {
        Err(Error::RbacPolicyInUse { object: object.to_owned(), details: details.to_owned() })
    };
    let last = |action| Ok::<_, Error>(links::shares(w.reader(), object, action)? <= 1);
    match policy.text("action") {
        AS_EXTERNAL if last(AS_EXTERNAL)? && links::outside_ports(w.reader(), object)? > 0 => {
            in_use("The network has gateways or floating IPs.")
        }
        AS_SHARED if policy.text("target_tenant") == ANYONE => {
            match last(AS_SHARED)?
                && links::foreign_ports(w.reader(), object, network.project_id())? > 0
            {
                true => in_use("Other projects have ports on the network."),
                false => Ok(()),
            }
        }
        AS_SHARED => {
            let target = policy.text("target_tenant");
            match links::ports_of_project(w.reader(), object, target)? > 0 {
                true => in_use("The project has ports on the network."),
                false => Ok(()),
            }
        }
        _ => Ok(()),
    }
}

fn resource(object_type: &str) -> &'static Resource {
    match object_type {
        "security_group" => &SECURITY_GROUP,
        "subnetpool" => &SUBNET_POOL,
        "address_scope" => &ADDRESS_SCOPE,
        _ => &NETWORK,
    }
}
