//! A server that is put away: its disk becomes an image, its host is free for others.

use std::sync::Arc;

use stackup_core::{Ctx, ImageId};

use super::{create, snapshot};
use crate::logic::work::{Begun, Ended, Job};
use crate::logic::{networks, power};
use crate::model::power::PowerState;
use crate::model::server::Server;
use crate::model::state::{Action, TaskState, VmState};
use crate::{Error, Nova};

const SHELVE: Job = Job {
    action: Action::Shelve,
    task: TaskState::Shelving,
    log: "shelve",
    event: "compute_shelve_instance",
    fatal: false,
};
const OFFLOAD: Job = Job {
    action: Action::ShelveOffload,
    task: TaskState::ShelvingOffloading,
    log: "shelveOffload",
    event: "compute_shelve_offload_instance",
    fatal: false,
};
const UNSHELVE: Job = Job {
    action: Action::Unshelve,
    task: TaskState::Unshelving,
    log: "unshelve",
    event: "compute_unshelve_instance",
    fatal: false,
};

/// Begins to shelve, and to offload at once, as upstream's default has it.
pub(crate) async fn begin(nova: &Arc<Nova>, cx: &Ctx, id: &str) -> Result<(), Error> {
    let server = nova.server(cx, id).await?;
    server.allows(Action::Shelve, cx.is_admin())?;
    let image = snapshot::shelf(nova, cx, &server).await?;
    let kept = image.clone();
    let begun = nova
        .begin(cx, id, SHELVE, move |_, server| {
            server.boot.shelf = Some(kept.clone());
            Ok(())
        })
        .await;
    match begun {
        Ok(begun) => {
            nova.run(begun, move |nova, begun| shelve(nova, begun, image));
            Ok(())
        }
        Err(error) => {
            nova.hub.images()?.delete(cx, &image).await?;
            Err(error)
        }
    }
}

async fn shelve(nova: Arc<Nova>, begun: Begun, image: ImageId) -> Result<Ended, Error> {
    let server = &begun.server;
    let host = server.host.clone().unwrap_or_default();
    nova.driver.power_off(&host, &server.id, power::grace(&nova, server)).await?;
    snapshot::fill(&nova, &begun, &image).await?;
    offloaded(&nova, &begun).await
}

/// Begins to free the host of a shelved server.
pub(crate) async fn begin_offload(nova: &Arc<Nova>, cx: &Ctx, id: &str) -> Result<(), Error> {
    let begun = nova.begin(cx, id, OFFLOAD, |_, _| Ok(())).await?;
    nova.run(begun, |nova, begun| async move { offloaded(&nova, &begun).await });
    Ok(())
}

async fn offloaded(nova: &Nova, begun: &Begun) -> Result<Ended, Error> {
    let server = &begun.server;
    if let Some(host) = &server.host {
        nova.driver.destroy(host, &server.id, true).await?;
    }
    nova.hub.placement()?.release(&begun.cx.elevated("nova"), &server.id).await?;
    Ok(Box::new(|server| {
        server.host = None;
        server.files = None;
        server.settle(VmState::ShelvedOffloaded, PowerState::Shutdown);
    }))
}

/// Begins the way back, on whatever host has room.
pub(crate) async fn begin_back(
    nova: &Arc<Nova>,
    cx: &Ctx,
    id: &str,
    zone: Option<Option<String>>,
    host: Option<String>,
) -> Result<(), Error> {
    let begun = nova
        .begin(cx, id, UNSHELVE, move |_, server| {
            if zone.is_some() && server.vm_state != VmState::ShelvedOffloaded {
                return Err(Error::Conflict(format!(
                    "The server to be unshelved with specifying an availability zone must be \
                     SHELVED_OFFLOADED, instance {} is {}",
                    server.id, server.vm_state
                )));
            }
            if let Some(zone) = &zone {
                server.pinned_zone.clone_from(zone);
            }
            server.boot.forced_host.clone_from(&host);
            Ok(())
        })
        .await?;
    nova.run(begun, unshelve);
    Ok(())
}

async fn unshelve(nova: Arc<Nova>, begun: Begun) -> Result<Ended, Error> {
    let cx = begun.cx.elevated("nova");
    let image = begun.server.boot.shelf.clone().ok_or_else(|| {
        Error::Conflict(format!("Unshelve of {} is not possible: no image", begun.server.id))
    })?;
    let server = begun.server.clone();
    let shelf = crate::logic::create::image(&nova, &cx, &image).await?;
    let built = create::unshelve(&nova, &cx, &server, shelf).await;
    let (files, host, zone) = match built {
        Ok(built) => built,
        Err(error) => {
            nova.hub.placement()?.release(&cx, &server.id).await?;
            return Err(error);
        }
    };
    if let Err(error) = nova.hub.images()?.delete(&cx, &image).await {
        tracing::warn!(%image, %error, "the image of a shelved server stays behind");
    }
    Ok(Box::new(move |server: &mut Server| {
        server.files = Some(files.clone());
        server.host = Some(host.clone());
        server.zone = zone.clone();
        server.boot.shelf = None;
        server.boot.forced_host = None;
        server.fault = None;
        server.launched_at = server.updated_at;
        server.settle(VmState::Active, PowerState::Running);
    }))
}

/// The ports of a server that comes back to another host are bound there.
pub(crate) async fn rebind(
    nova: &Nova,
    cx: &Ctx,
    server: &Server,
    host: &str,
) -> Result<Vec<stackup_contracts::PortInfo>, Error> {
    let mut ports = Vec::new();
    for port in networks::ports(nova, cx, &server.id).await? {
        ports.push(networks::rebind(nova, cx, server, host, &port.id).await?);
    }
    Ok(ports)
}
