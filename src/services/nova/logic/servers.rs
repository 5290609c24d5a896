//! What is changed of a server without work on its guest.

use std::collections::BTreeMap;

use stackup_contracts::PortInfo;
use stackup_core::Ctx;

use super::{networks, quotas};
use crate::model::server::{DiskConfig, Lock, Server};
use crate::model::state::{Action, VmState};
use crate::store::actions;
use crate::{Error, Nova};

/// What an update says; the inner `Option` is the value, the outer whether it was said.
#[derive(Debug, Clone, Default)]
pub(crate) struct Update {
    pub name: Option<String>,
    pub hostname: Option<String>,
    pub description: Option<Option<String>>,
    pub access_ipv4: Option<Option<String>>,
    pub access_ipv6: Option<Option<String>>,
    pub disk_config: Option<DiskConfig>,
    pub pinned_zone: Option<Option<String>>,
}

pub(crate) async fn update(
    nova: &Nova,
    cx: &Ctx,
    id: &str,
    update: Update,
) -> Result<Server, Error> {
    nova.change(cx, id, move |_, server| {
        let update = update.clone();
        if update.pinned_zone.is_some() && server.vm_state != VmState::ShelvedOffloaded {
            check_zone(server, update.pinned_zone.as_ref().and_then(Option::as_ref))?;
        }
        server.name = update.name.unwrap_or_else(|| server.name.clone());
        server.hostname = update.hostname.unwrap_or_else(|| server.hostname.clone());
        server.description = update.description.unwrap_or_else(|| server.description.clone());
        server.access_ipv4 = update.access_ipv4.unwrap_or_else(|| server.access_ipv4.clone());
        server.access_ipv6 = update.access_ipv6.unwrap_or_else(|| server.access_ipv6.clone());
        server.disk_config = update.disk_config.unwrap_or(server.disk_config);
        server.pinned_zone = update.pinned_zone.unwrap_or_else(|| server.pinned_zone.clone());
        Ok(())
    })
    .await
}

/// A server can be pinned to the zone it is in.
fn check_zone(server: &Server, zone: Option<&String>) -> Result<(), Error> {
    match zone {
        Some(zone) if server.zone.as_ref() != Some(zone) => Err(Error::Conflict(format!(
            "Instance {} is not in availability zone {zone}",
            server.id
        ))),
        _ => Ok(()),
    }
}

/// Changes the metadata by `change`, within the quota.
pub(crate) async fn change_metadata<F>(
    nova: &Nova,
    cx: &Ctx,
    id: &str,
    change: F,
) -> Result<Server, Error>
where
    F: Fn(&mut BTreeMap<String, String>) -> Result<(), Error> + Send + 'static,
{
    let (configured, passes_lock) = (nova.config.quota.clone(), cx.is_admin());
    nova.change(cx, id, move |tx, server| {
        server.allows(Action::SetMetadata, passes_lock)?;
        change(&mut server.metadata)?;
        let limits = quotas::limits(tx, &configured, &server.project_id)?;
        quotas::check_metadata(&limits, server.metadata.len())
    })
    .await
}

/// A server has at most so many tags.
const MOST_TAGS: usize = 50;

/// Changes the tags by `change`.
pub(crate) async fn change_tags<F>(
    nova: &Nova,
    cx: &Ctx,
    id: &str,
    change: F,
) -> Result<Server, Error>
where
    F: Fn(&mut Vec<String>) -> Result<(), Error> + Send + 'static,
{
    nova.change(cx, id, move |_, server| {
        server.allows(Action::SetTags, true)?;
        change(&mut server.tags)?;
        if server.tags.len() > MOST_TAGS {
            return Err(Error::invalid(format!(
                "The number of tags exceeded the per-server limit {MOST_TAGS}"
            )));
        }
        Ok(())
    })
    .await
}

pub(crate) async fn lock(
    nova: &Nova,
    cx: &Ctx,
    id: &str,
    reason: Option<String>,
) -> Result<(), Error> {
    let server = nova.server(cx, id).await?;
    let by_admin = cx.project_id() != Some(&server.project_id);
    let server = nova
        .change(cx, id, move |_, server| {
            let reason = reason.clone();
            server.lock = Some(Lock { by_admin, reason });
            Ok(())
        })
        .await?;
    nova.log(cx, &server.id, "lock").await
}

/// Fails with 403 when an administrator locked it and none asks.
pub(crate) async fn unlock(nova: &Nova, cx: &Ctx, id: &str) -> Result<(), Error> {
    let rule = "os_compute_api:os-lock-server:unlock:unlock_override";
    let over = nova.policy.check_own(cx, rule);
    let server = nova
        .change(cx, id, move |_, server| {
            if server.lock.as_ref().is_some_and(|lock| lock.by_admin) {
                over.clone()?;
            }
            server.lock = None;
            Ok(())
        })
        .await?;
    nova.log(cx, &server.id, "unlock").await
}

/// Sets the state by hand, and forgets what was being done.
pub(crate) async fn reset_state(
    nova: &Nova,
    cx: &Ctx,
    id: &str,
    state: VmState,
) -> Result<(), Error> {
    let server = nova
        .change(cx, id, move |_, server| {
            server.vm_state = state;
            server.task_state = None;
            if state == VmState::Active {
                server.fault = None;
            }
            Ok(())
        })
        .await?;
    nova.log(cx, &server.id, "reset state").await
}

/// Adds a security group to every port, or takes it away.
pub(crate) async fn set_group(
    nova: &Nova,
    cx: &Ctx,
    id: &str,
    name: &str,
    add: bool,
) -> Result<(), Error> {
    let server = nova.server(cx, id).await?;
    server.allows(Action::Delete, cx.is_admin())?;
    let networks = nova.hub.networks()?;
    let group =
        networks.security_group(cx, name).await.map_err(|error| match error.is_not_found() {
            true => Error::NotFound(format!("Security group {name} not found.")),
            false => error.into(),
        })?;
    let ports = networks::ports(nova, cx, &server.id).await?;
    if ports.is_empty() {
        return Err(Error::invalid(format!(
            "instance_id {id} could not be found as device id on any ports"
        )));
    }
    let has = |port: &PortInfo| port.security_groups.iter().any(|g| g.id == group.id);
    if !add && !ports.iter().any(has) {
        return Err(Error::NotFound(format!(
            "Security group {} not associated with the instance {id}",
            group.id
        )));
    }
    for port in ports.iter().filter(|port| has(port) != add) {
        let mut groups: Vec<_> = port.security_groups.iter().map(|g| g.id.clone()).collect();
        match add {
            true => groups.push(group.id.clone()),
            false => groups.retain(|id| *id != group.id),
        }
        networks.set_security_groups(&cx.elevated("nova"), &port.id, &groups).await?;
    }
    Ok(())
}

/// What was done to a server, newest first.
pub(crate) async fn log(
    nova: &Nova,
    id: &str,
    filter: actions::Filter,
) -> Result<Vec<crate::model::action::ActionRecord>, Error> {
    let id = id.to_owned();
    nova.db.read(move |r| actions::list(r, &id, &filter).map_err(Error::from)).await
}
