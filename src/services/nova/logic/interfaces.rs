//! Cards that come and go while a server lives.

use std::sync::Arc;

use stackup_contracts::PortInfo;
use stackup_core::{Ctx, PortId};

use super::flows::create::wire;
use super::networks::{self, Wanted};
use super::work::{Begun, Ended, Job};
use crate::drivers::DriverError;
use crate::logic::guest::nic;
use crate::model::server::{RequestedNetwork, Server};
use crate::model::state::Action;
use crate::store::actions;
use crate::{Error, Nova};

/// Attaches a card and answers when it is there, as upstream does.
///
/// Fails like a create for what is asked; a failure of the driver takes the port away again.
pub(crate) async fn attach(
    nova: &Arc<Nova>,
    cx: &Ctx,
    id: &str,
    wanted: Option<RequestedNetwork>,
) -> Result<PortInfo, Error> {
    let server = nova.server(cx, id).await?;
    server.allows(Action::AttachInterface, cx.is_admin())?;
    let host = server.host.clone().unwrap_or_default();
    let wanted = match wanted {
        Some(wanted) => Wanted::These(vec![wanted]),
        None => Wanted::Auto,
    };
    let resolved = networks::resolve(nova, cx, wanted).await?;
    let Some(wanted) = resolved.into_iter().next() else {
        return Err(Error::invalid("No network was found to attach."));
    };
    let row = begin(nova, cx, &server, "attach_interface").await?;
    let port = networks::one(nova, cx, &server, &host, &wanted).await?;
    remember(nova, &server, &wanted, &port.id).await?;
    let own = cx.elevated("nova");
    let attached = match server.has_guest() {
        true => nova.driver.attach_interface(&host, &server.id, &nic(&server, &port)).await,
        false => Ok(()),
    };
    if let Err(error) = attached {
        drop_port(nova, &own, &server, &wanted, &port.id).await?;
        finish(nova, cx, row, "compute_attach_interface", Some(&error)).await?;
        return Err(Error::from(error));
    }
    wire(nova, &own, std::slice::from_ref(&port)).await;
    finish(nova, cx, row, "compute_attach_interface", None).await?;
    Ok(nova.hub.networks()?.port(&own, &port.id).await?)
}

/// Detaches in the background; answers that it began.
pub(crate) async fn detach(
    nova: &Arc<Nova>,
    cx: &Ctx,
    id: &str,
    port: &PortId,
) -> Result<(), Error> {
    let server = nova.server(cx, id).await?;
    server.allows(Action::DetachInterface, cx.is_admin())?;
    let ports = networks::ports(nova, cx, &server.id).await?;
    let port = ports
        .into_iter()
        .find(|held| held.id == *port)
        .ok_or_else(|| Error::NotFound(format!("Port {port} is not attached to {id}")))?;
    let row = begin(nova, cx, &server, "detach_interface").await?;
    let job = Job {
        action: Action::DetachInterface,
        task: crate::model::state::TaskState::Networking,
        log: "detach_interface",
        event: "compute_detach_interface",
        fatal: false,
    };
    let begun = Begun { cx: cx.clone(), server, row, job };
    nova.run(begun, move |nova, begun| run_detach(nova, begun, port));
    Ok(())
}

async fn run_detach(nova: Arc<Nova>, begun: Begun, port: PortInfo) -> Result<Ended, Error> {
    let server = nova.server(&nova.task_cx(), &begun.server.id).await?;
    let host = server.host.clone().unwrap_or_default();
    if server.has_guest() {
        match nova.driver.detach_interface(&host, &server.id, &nic(&server, &port)).await {
            Ok(())
            | Err(DriverError::DeviceNotFound { .. } | DriverError::GuestNotFound { .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
    let (networks, own) = (nova.hub.networks()?, begun.cx.elevated("nova"));
    match server.keeps_port(&port.id) {
        true => networks.unbind_port(&own, &port.id).await?,
        false => networks.delete_port(&own, &port.id).await?,
    }
    Ok(Box::new(move |server| {
        let boot = &mut server.boot;
        boot.networks.retain(|wanted| wanted.port_id.as_ref() != Some(&port.id));
        boot.port_tags.remove(port.id.as_str());
    }))
}

/// A port that its user gave is remembered, so that it is never deleted with the server.
async fn remember(
    nova: &Nova,
    server: &Server,
    wanted: &RequestedNetwork,
    port: &PortId,
) -> Result<(), Error> {
    let (wanted, port) = (wanted.clone(), port.clone());
    nova.change_own(&server.id, move |_, server| {
        if wanted.port_id.is_some() {
            server.boot.networks.push(wanted.clone());
        }
        if let Some(tag) = &wanted.tag {
            server.boot.port_tags.insert(port.to_string(), tag.clone());
        }
        Ok(())
    })
    .await
    .map(drop)
}

async fn drop_port(
    nova: &Nova,
    own: &Ctx,
    server: &Server,
    wanted: &RequestedNetwork,
    port: &PortId,
) -> Result<(), Error> {
    let networks = nova.hub.networks()?;
    match wanted.port_id.is_some() {
        true => networks.unbind_port(own, port).await?,
        false => networks.delete_port(own, port).await?,
    }
    let port = port.clone();
    nova.change_own(&server.id, move |_, server| {
        server.boot.networks.retain(|held| held.port_id.as_ref() != Some(&port));
        server.boot.port_tags.remove(port.as_str());
        Ok(())
    })
    .await
    .map(drop)
}

async fn begin(nova: &Nova, cx: &Ctx, server: &Server, log: &'static str) -> Result<i64, Error> {
    let (cx, id, now) = (cx.clone(), server.id.clone(), nova.now());
    nova.db.write(move |tx| actions::begin(tx, &cx, &id, log, now).map_err(Error::from)).await
}

async fn finish(
    nova: &Nova,
    cx: &Ctx,
    row: i64,
    event: &'static str,
    error: Option<&DriverError>,
) -> Result<(), Error> {
    let now = nova.now();
    let event = crate::model::action::ActionEvent {
        event: event.to_owned(),
        started_at: now.micros_z(),
        finished_at: Some(now.micros_z()),
        result: Some(if error.is_some() { "Error" } else { "Success" }.to_owned()),
        traceback: error.map(|error| stackup_web::fault::chain(error)),
        details: error.map(ToString::to_string),
        host: None,
    };
    tracing::debug!(request_id = %cx.request_id, row, "interface logged");
    nova.db.write(move |tx| actions::add_event(tx, row, &event, now).map_err(Error::from)).await
}
