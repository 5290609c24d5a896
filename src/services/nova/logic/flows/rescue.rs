//! A server that is started from another disk, with its own beside it.

use std::sync::Arc;
use std::time::Duration;

use stackup_core::{Ctx, ImageId};

use super::create::wire;
use crate::drivers::{DiskPlan, RootPlan};
use crate::logic::guest::{self, Glance};
use crate::logic::work::{Begun, Ended, Job, settled};
use crate::logic::{create, networks, power};
use crate::model::power::PowerState;
use crate::model::server::ServerImage;
use crate::model::state::{Action, TaskState, VmState};
use crate::{Error, Nova};

const RESCUE: Job = Job {
    action: Action::Rescue,
    task: TaskState::Rescuing,
    log: "rescue",
    event: "compute_rescue_instance",
    fatal: true,
};
const UNRESCUE: Job = Job {
    action: Action::Unrescue,
    task: TaskState::Unrescuing,
    log: "unrescue",
    event: "compute_unrescue_instance",
    fatal: true,
};

/// Begins a rescue; gives the password that the answer shows.
pub(crate) async fn begin(
    nova: &Arc<Nova>,
    cx: &Ctx,
    id: &str,
    image: Option<ImageId>,
    admin_pass: Option<String>,
) -> Result<String, Error> {
    let server = nova.server(cx, id).await?;
    let image = match image {
        Some(image) => create::image(nova, cx, &image).await?,
        None => server.image.ok_or_else(|| {
            Error::invalid(format!("Instance {id} cannot be rescued: it has no image"))
        })?,
    };
    let begun = nova.begin(cx, id, RESCUE, |_, _| Ok(())).await?;
    nova.run(begun, move |nova, begun| rescue(nova, begun, image));
    Ok(admin_pass.unwrap_or_else(create::password))
}

/// Begins the way back.
pub(crate) async fn begin_back(nova: &Arc<Nova>, cx: &Ctx, id: &str) -> Result<(), Error> {
    let begun = nova.begin(cx, id, UNRESCUE, |_, _| Ok(())).await?;
    nova.run(begun, unrescue);
    Ok(())
}

async fn rescue(nova: Arc<Nova>, begun: Begun, image: ServerImage) -> Result<Ended, Error> {
    let cx = begun.cx.elevated("nova");
    let server = &begun.server;
    let host = server.host.clone().unwrap_or_default();
    nova.driver.power_off(&host, &server.id, power::grace(&nova, server)).await?;
    let plan = DiskPlan {
        root: Some(RootPlan { image: guest::image_ref(&image)?, size_gb: server.flavor.root_gb }),
        rescue: true,
        ..guest::disk_plan(server, None)?
    };
    let images = Glance { hub: &nova.hub, cx: &cx };
    let mut files = nova.driver.prepare(&host, &server.id, &plan, &images).await?;
    // The server's own root disk comes second, and is not booted from.
    if let Some(mut own) = server.files.as_ref().and_then(|files| files.disks.first().cloned()) {
        own.device = format!("{}{}", own.bus.prefix(), letter(files.disks.len()));
        own.boot_index = None;
        files.disks.push(own);
    }
    let ports = networks::ports(&nova, &cx, &server.id).await?;
    nova.driver.power_on(&host, &guest::spec_with(server, &ports, &files)).await?;
    wire(&nova, &cx, &ports).await;
    Ok(settled(VmState::Rescued, PowerState::Running))
}

async fn unrescue(nova: Arc<Nova>, begun: Begun) -> Result<Ended, Error> {
    let cx = begun.cx.elevated("nova");
    let server = &begun.server;
    let host = server.host.clone().unwrap_or_default();
    nova.driver.power_off(&host, &server.id, Duration::ZERO).await?;
    nova.driver.discard_root(&host, &server.id, true).await?;
    let ports = networks::ports(&nova, &cx, &server.id).await?;
    nova.driver.power_on(&host, &guest::spec(server, &ports)).await?;
    wire(&nova, &cx, &ports).await;
    Ok(settled(VmState::Active, PowerState::Running))
}

fn letter(index: usize) -> char {
    u8::try_from(index).map_or('z', |index| char::from(b'a'.saturating_add(index).min(b'z')))
}
