//! From a row to a running guest.
//!
//! ```text
//!  scheduling   room: placement's candidates, filters, weighers, a claim
//!  networking   ports: made, or the user's own bound
//!  spawning     disks from the image, config drive; the guest; its ports wired
//!  active
//! ```
//!
//! Each step finds what an earlier try left. When a host fails, everything there is undone and the
//! next one is tried; when all fail, the server is in error and holds nothing.

use std::sync::Arc;

use stackup_contracts::PortInfo;
use stackup_core::Ctx;
use stackup_web::fault::chain;

use crate::drivers::{DriverError, GuestFiles};
use crate::logic::guest::{self, Glance};
use crate::logic::scheduler;
use crate::logic::work::{Begun, Ended};
use crate::logic::{hosts, metadata, networks};
use crate::model::metadata::config_drive;
use crate::model::power::PowerState;
use crate::model::server::{Server, ServerImage};
use crate::model::state::{TaskState, VmState};
use crate::{Error, Nova};

/// Builds the server. `admin_pass` goes into its config drive and nowhere else.
pub(crate) async fn run(
    nova: Arc<Nova>,
    begun: Begun,
    admin_pass: Option<String>,
) -> Result<Ended, Error> {
    let _turn = nova.builds.acquire().await;
    let cx = begun.cx.elevated("nova");
    let mut tried: Vec<String> = Vec::new();
    let mut last: Option<Error> = None;
    let mut server = begun.server;
    loop {
        server = match place(&nova, &cx, &server, &tried).await {
            Ok(server) => server,
            Err(error) => {
                abandon(&nova, &cx, &server).await;
                // Why the tried hosts failed says more than that no other is left.
                return Err(last.unwrap_or(error));
            }
        };
        let host = server.host.clone().unwrap_or_default();
        let error = match on_host(&nova, &cx, &server, &host, admin_pass.as_deref()).await {
            Ok((files, port_tags)) => {
                return Ok(Box::new(move |server| {
                    server.files = Some(files.clone());
                    server.boot.port_tags.clone_from(&port_tags);
                    server.fault = None;
                    server.launched_at = server.updated_at;
                    server.settle(VmState::Active, PowerState::Running);
                }));
            }
            Err(error) => error,
        };
        tried.push(host);
        let again = worth_another_host(&error)
            && tried.len() < nova.config.build_attempts
            && server.boot.forced_host.is_none();
        if matches!(error, Error::Overtaken(_)) {
            return Err(error);
        }
        server = abandon(&nova, &cx, &server).await;
        if !again {
            return Err(error);
        }
        tracing::warn!(server = %server.id, error = %chain(&error), "the build moves to another host");
        last = Some(error);
    }
}

/// Finds a host and writes it down.
async fn place(nova: &Nova, cx: &Ctx, server: &Server, tried: &[String]) -> Result<Server, Error> {
    // Members of a group look at one another's hosts, so they are placed one by one.
    let _alone = match server.boot.hints.contains_key("group") {
        true => Some(nova.placing.lock().await),
        false => None,
    };
    let host = scheduler::place(nova, cx, server, &server.id, tried).await?;
    let known = hosts::known(nova).await?;
    let zone = known.get(&host).map(|host| host.zone.clone());
    step(nova, server, move |server| {
        server.host = Some(host.clone());
        server.zone.clone_from(&zone);
        server.task_state = Some(TaskState::Networking);
    })
    .await
}

type Built = (GuestFiles, std::collections::BTreeMap<String, String>);

/// Ports, disks, guest.
async fn on_host(
    nova: &Nova,
    cx: &Ctx,
    server: &Server,
    host: &str,
    admin_pass: Option<&str>,
) -> Result<Built, Error> {
    let ports = networks::allocate(nova, cx, server, host).await?;
    let mut server = step(nova, server, |server| {
        server.task_state = Some(TaskState::Spawning);
    })
    .await?;
    server.boot.port_tags = tags(&server, &ports);
    let drive = (server.config_drive || nova.config.force_config_drive)
        .then(|| config_drive(&metadata::gather(nova, &server, &ports, admin_pass)));
    let plan = guest::disk_plan(&server, drive)?;
    let images = Glance { hub: &nova.hub, cx };
    let files = nova.driver.prepare(host, &server.id, &plan, &images).await?;
    nova.driver.spawn(host, &guest::spec_with(&server, &ports, &files)).await?;
    wire(nova, cx, &ports).await;
    Ok((files, server.boot.port_tags))
}

/// Tells neutron that the taps are there. What cannot be wired now, neutron wires later.
pub(crate) async fn wire(nova: &Nova, cx: &Ctx, ports: &[PortInfo]) {
    let Ok(networks) = nova.hub.networks() else { return };
    for port in ports {
        if let Err(error) = networks.plugged(cx, &port.id).await {
            tracing::warn!(port = %port.id, %error, "the port is not wired yet");
        }
    }
}

fn tags(server: &Server, ports: &[PortInfo]) -> std::collections::BTreeMap<String, String> {
    let both = server.boot.networks.iter().zip(ports);
    both.filter_map(|(wanted, port)| Some((port.id.to_string(), wanted.tag.clone()?))).collect()
}

/// Builds a shelved server again, from the image it was put away as; its ports are still there.
pub(crate) async fn unshelve(
    nova: &Nova,
    cx: &Ctx,
    server: &Server,
    shelf: ServerImage,
) -> Result<(GuestFiles, String, Option<String>), Error> {
    let host = scheduler::place(nova, cx, server, &server.id, &[]).await?;
    let zone = hosts::known(nova).await?.get(&host).map(|host| host.zone.clone());
    let ports = super::shelve::rebind(nova, cx, server, &host).await?;
    let drive =
        server.config_drive.then(|| config_drive(&metadata::gather(nova, server, &ports, None)));
    let shelved = Server { image: Some(shelf), ..server.clone() };
    let plan = guest::disk_plan(&shelved, drive)?;
    let images = Glance { hub: &nova.hub, cx };
    let files = nova.driver.prepare(&host, &server.id, &plan, &images).await?;
    nova.driver.spawn(&host, &guest::spec_with(server, &ports, &files)).await?;
    wire(nova, cx, &ports).await;
    Ok((files, host, zone))
}

/// Writes down how far the build is, unless somebody else took the server.
async fn step<F>(nova: &Nova, server: &Server, change: F) -> Result<Server, Error>
where
    F: Fn(&mut Server) + Send + 'static,
{
    nova.change_own(&server.id, move |_, server| {
        let building = server.vm_state == VmState::Building;
        if !building || server.task_state == Some(TaskState::Deleting) {
            return Err(Error::Overtaken(server.id.clone()));
        }
        change(server);
        Ok(())
    })
    .await
}

/// Gives everything back that the build took; what cannot be given back now is found by
/// `nova.orphans`.
async fn abandon(nova: &Nova, cx: &Ctx, server: &Server) -> Server {
    if let Err(error) = release(nova, cx, server).await {
        tracing::error!(server = %server.id, error = %chain(&error), "a failed build left something behind");
    }
    let cleared = step(nova, server, |server| {
        server.host = None;
        server.zone = None;
        server.task_state = Some(TaskState::Scheduling);
    });
    cleared.await.unwrap_or_else(|_| server.clone())
}

/// Takes away the guest, the ports and the room of a server. Repeatable.
pub(crate) async fn release(nova: &Nova, cx: &Ctx, server: &Server) -> Result<(), Error> {
    if let Some(host) = &server.host {
        match nova.driver.destroy(host, &server.id, true).await {
            Ok(()) | Err(DriverError::HostNotFound { .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
    networks::release(nova, cx, server).await?;
    nova.hub.placement()?.release(cx, &server.id).await?;
    Ok(())
}

/// Whether the same server could be built elsewhere.
fn worth_another_host(error: &Error) -> bool {
    matches!(
        error,
        Error::Driver(
            DriverError::Failed { .. }
                | DriverError::Timeout { .. }
                | DriverError::HostNotFound { .. }
        )
    )
}
