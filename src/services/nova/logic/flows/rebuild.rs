//! The same server with a fresh root disk.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use stackup_core::{Ctx, ImageId};

use super::create::wire;
use crate::logic::guest::{self, Glance};
use crate::logic::work::{Begun, Ended, Job};
use crate::logic::{create, metadata, networks};
use crate::model::metadata::{Key, config_drive};
use crate::model::power::PowerState;
use crate::model::server::{DiskConfig, Server, sanitize_hostname};
use crate::model::state::{Action, TaskState, VmState};
use crate::{Error, Nova};

/// What changes with a rebuild. The inner `Option` of a field is the value, the outer whether it
/// was said.
#[derive(Debug, Clone, Default)]
pub(crate) struct Rebuild {
    pub image: Option<ImageId>,
    pub name: Option<String>,
    pub hostname: Option<String>,
    pub description: Option<Option<String>>,
    pub metadata: Option<BTreeMap<String, String>>,
    pub key_name: Option<Option<String>>,
    pub user_data: Option<Option<String>>,
    pub personality: Option<Vec<(String, String)>>,
    pub access_ipv4: Option<Option<String>>,
    pub access_ipv6: Option<Option<String>>,
    pub disk_config: Option<DiskConfig>,
    pub admin_pass: Option<String>,
}

pub(crate) const JOB: Job = Job {
    action: Action::Rebuild,
    task: TaskState::Rebuilding,
    log: "rebuild",
    event: "compute_rebuild_instance",
    fatal: true,
};

/// Begins to rebuild; gives the server as it will be, and its new password.
pub(crate) async fn begin(
    nova: &Arc<Nova>,
    cx: &Ctx,
    id: &str,
    rebuild: Rebuild,
) -> Result<(Server, String), Error> {
    let server = nova.server(cx, id).await?;
    let image = match &rebuild.image {
        Some(image) => create::image(nova, cx, image).await?,
        None => return Err(Error::invalid("imageRef is needed")),
    };
    create::fits(nova, cx, &server.flavor, Some(&image))?;
    let key: Option<Option<Key>> = match &rebuild.key_name {
        Some(Some(name)) => Some(Some(create::key(nova, cx, name).await?)),
        Some(None) => Some(None),
        None => None,
    };
    let admin_pass = rebuild.admin_pass.clone().unwrap_or_else(create::password);
    let was_stopped = server.vm_state == VmState::Stopped;
    let begun = nova
        .begin(cx, id, JOB, move |_, server| {
            server.image = Some(image.clone());
            if let Some(key) = &key {
                server.key.clone_from(key);
            }
            apply(server, &rebuild);
            Ok(())
        })
        .await?;
    let server = begun.server.clone();
    let pass = Some(admin_pass.clone());
    nova.run(begun, move |nova, begun| run(nova, begun, pass, was_stopped));
    Ok((server, admin_pass))
}

fn apply(server: &mut Server, rebuild: &Rebuild) {
    let rebuild = rebuild.clone();
    if let Some(name) = rebuild.name {
        server.hostname = sanitize_hostname(&name, &server.hostname);
        server.name = name;
    }
    server.hostname = rebuild.hostname.unwrap_or_else(|| server.hostname.clone());
    server.description = rebuild.description.unwrap_or_else(|| server.description.clone());
    server.metadata = rebuild.metadata.unwrap_or_else(|| server.metadata.clone());
    server.user_data = rebuild.user_data.unwrap_or_else(|| server.user_data.clone());
    server.access_ipv4 = rebuild.access_ipv4.unwrap_or_else(|| server.access_ipv4.clone());
    server.access_ipv6 = rebuild.access_ipv6.unwrap_or_else(|| server.access_ipv6.clone());
    server.disk_config = rebuild.disk_config.unwrap_or(server.disk_config);
    if let Some(personality) = rebuild.personality {
        server.boot.personality = personality;
    }
    server.password = String::new();
}

/// Rebuilds; a server that was stopped is stopped again.
pub(crate) async fn run(
    nova: Arc<Nova>,
    begun: Begun,
    admin_pass: Option<String>,
    was_stopped: bool,
) -> Result<Ended, Error> {
    let cx = begun.cx.elevated("nova");
    let server = &begun.server;
    let host = server
        .host
        .clone()
        .ok_or_else(|| Error::Conflict(format!("Instance {} has no host", server.id)))?;
    nova.driver.destroy(&host, &server.id, true).await?;
    let ports = networks::ports(&nova, &cx, &server.id).await?;
    let drive = (server.config_drive || nova.config.force_config_drive)
        .then(|| config_drive(&metadata::gather(&nova, server, &ports, admin_pass.as_deref())));
    let plan = guest::disk_plan(server, drive)?;
    let images = Glance { hub: &nova.hub, cx: &cx };
    let files = nova.driver.prepare(&host, &server.id, &plan, &images).await?;
    nova.driver.spawn(&host, &guest::spec_with(server, &ports, &files)).await?;
    wire(&nova, &cx, &ports).await;
    if was_stopped {
        nova.driver.power_off(&host, &server.id, Duration::ZERO).await?;
    }
    Ok(Box::new(move |server| {
        server.files = Some(files.clone());
        server.fault = None;
        server.launched_at = server.updated_at;
        match was_stopped {
            true => server.settle(VmState::Stopped, PowerState::Shutdown),
            false => server.settle(VmState::Active, PowerState::Running),
        }
    }))
}
