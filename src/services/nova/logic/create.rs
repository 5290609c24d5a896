//! Servers are asked for: everything that can be refused is refused here, before the 202.

use std::collections::BTreeMap;
use std::sync::Arc;

use rand::Rng;
use stackup_core::{Ctx, ErrorKind, FlavorId, ImageId, ServerId, ids};
use stackup_web::Fault;

use super::flows::create;
use super::networks::{self, Wanted};
use super::quotas::{self, Ask};
use super::work::{Begun, Job};
use super::{flavors, keypairs};
use crate::model::flavor::FlavorSize;
use crate::model::group::Policy as GroupPolicy;
use crate::model::metadata::Key;
use crate::model::power::PowerState;
use crate::model::server::{Boot, DiskConfig, Server, ServerImage, sanitize_hostname};
use crate::model::state::{Action, TaskState, VmState};
use crate::store::{actions, groups, servers};
use crate::{Error, Nova};

/// What a user asks for.
#[derive(Debug, Clone)]
pub(crate) struct NewServer {
    pub name: String,
    pub hostname: Option<String>,
    pub description: Option<String>,
    pub flavor: FlavorId,
    pub image: Option<ImageId>,
    pub networks: Wanted,
    pub security_groups: Vec<String>,
    pub key_name: Option<String>,
    pub user_data: Option<String>,
    pub config_drive: bool,
    pub metadata: BTreeMap<String, String>,
    pub tags: Vec<String>,
    pub personality: Vec<(String, String)>,
    pub access_ipv4: Option<String>,
    pub access_ipv6: Option<String>,
    pub disk_config: DiskConfig,
    /// `zone`, `zone:host` or `zone:host:node`.
    pub zone: Option<String>,
    /// `host` and `hypervisor_hostname` of 2.74.
    pub host: Option<String>,
    pub hints: BTreeMap<String, Vec<String>>,
    pub raw_hints: serde_json::Map<String, serde_json::Value>,
    pub min_count: u32,
    pub max_count: u32,
    pub admin_pass: Option<String>,
}

/// What the answer shows.
#[derive(Debug)]
pub(crate) struct Created {
    pub servers: Vec<Server>,
    pub admin_pass: String,
}

const JOB: Job = Job {
    action: Action::Rebuild,
    task: TaskState::Scheduling,
    log: "create",
    event: "compute__do_build_and_run_instance",
    fatal: true,
};

/// Makes the rows and starts to build.
pub(crate) async fn create(nova: &Arc<Nova>, cx: &Ctx, new: NewServer) -> Result<Created, Error> {
    let project =
        cx.project_id().cloned().ok_or_else(|| Error::invalid("a server needs a project"))?;
    let flavor = flavor(nova, cx, &new).await?;
    let image = match &new.image {
        Some(id) => Some(image(nova, cx, id).await?),
        None => None,
    };
    fits(nova, cx, &flavor, image.as_ref())?;
    let key = match &new.key_name {
        Some(name) => Some(key(nova, cx, name).await?),
        None => None,
    };
    let placement = target(nova, cx, &new).await?;
    let boot = Boot {
        networks: networks::resolve(nova, cx, new.networks.clone()).await?,
        security_groups: networks::groups(nova, cx, &new.security_groups).await?,
        hints: new.hints.clone(),
        raw_hints: new.raw_hints.clone(),
        forced_host: placement.host,
        unfiltered: placement.unfiltered,
        personality: new.personality.clone(),
        seed: format!("{}{}", ids::hex(), ids::hex()),
        shelf: None,
        port_tags: BTreeMap::new(),
    };
    check_count(&new, &boot)?;
    let admin_pass = new.admin_pass.clone().unwrap_or_else(password);
    let template = Server {
        row: 0,
        id: ServerId::random(),
        project_id: project,
        user_id: cx.caller.user_id.clone(),
        hostname: String::new(),
        name: new.name.clone(),
        description: new.description.clone(),
        vm_state: VmState::Building,
        task_state: Some(TaskState::Scheduling),
        power_state: PowerState::NoState,
        progress: 0,
        host: None,
        zone: None,
        pinned_zone: placement.zone,
        flavor,
        image,
        key,
        user_data: new.user_data.clone(),
        config_drive: new.config_drive,
        metadata: new.metadata.clone(),
        tags: new.tags.clone(),
        reservation_id: reservation_id(),
        launch_index: 0,
        access_ipv4: new.access_ipv4.clone(),
        access_ipv6: new.access_ipv6.clone(),
        disk_config: new.disk_config,
        lock: None,
        fault: None,
        boot,
        files: None,
        old: None,
        password: String::new(),
        created_at: nova.now(),
        updated_at: Some(nova.now()),
        launched_at: None,
        terminated_at: None,
        deleted_at: None,
    };
    let rows = insert(nova, cx, &new, &template).await?;
    for (server, row) in &rows {
        let begun = Begun { cx: cx.clone(), server: server.clone(), row: *row, job: JOB };
        start(nova, begun, Some(admin_pass.clone()));
    }
    let servers = rows.into_iter().map(|(server, _)| server).collect();
    Ok(Created { servers, admin_pass })
}

/// Builds a server in the background; also what a build that a kill broke off comes back to.
pub(crate) fn start(nova: &Arc<Nova>, begun: Begun, admin_pass: Option<String>) {
    nova.run(begun, move |nova, begun| create::run(nova, begun, admin_pass));
}

/// The job of a build that is taken up again.
pub(crate) fn again(nova: &Nova, server: Server, row: i64) -> Begun {
    Begun { cx: nova.task_cx(), server, row, job: JOB }
}

/// Counts against the quotas and inserts, in one write.
async fn insert(
    nova: &Nova,
    cx: &Ctx,
    new: &NewServer,
    template: &Server,
) -> Result<Vec<(Server, i64)>, Error> {
    let (cx, new, template, now) = (cx.clone(), new.clone(), template.clone(), nova.now());
    let defaults = nova.config.quota.clone();
    nova.db
        .write(move |tx| {
            let limits = quotas::limits(tx, &defaults, &template.project_id)?;
            let used = servers::usage(tx, &template.project_id)?;
            let count = quotas::grant_servers(&limits, used, &Ask::of(&template, &new))?;
            let group = new.hints.get("group").and_then(|ids| ids.first());
            if let Some(group) = group {
                check_group(tx, &template, group, count, limits["server_group_members"])?;
            }
            let first = servers::next_row(tx)?;
            let mut made = Vec::new();
            for index in 0..count {
                let mut server = template.clone();
                server.row = first + i64::from(index);
                if index > 0 {
                    server.id = ServerId::random();
                }
                name(&mut server, &new, index);
                servers::insert(tx, &server)?;
                if let Some(group) = group {
                    groups::add(tx, group, &server.id)?;
                }
                let row = actions::begin(tx, &cx, &server.id, JOB.log, now)?;
                made.push((server, row));
            }
            Ok::<_, Error>(made)
        })
        .await
}

/// Several servers of one request are numbered.
fn name(server: &mut Server, new: &NewServer, index: u32) {
    server.launch_index = index;
    if new.max_count > 1 {
        server.name = format!("{}-{}", new.name, index + 1);
    }
    server.hostname = match &new.hostname {
        Some(hostname) if new.max_count > 1 => format!("{hostname}-{}", index + 1),
        Some(hostname) => hostname.clone(),
        None => sanitize_hostname(&server.name, &format!("Server-{}", server.id)),
    };
}

fn check_group(
    tx: &stackup_store::Tx<'_>,
    server: &Server,
    group: &str,
    count: u32,
    most: i64,
) -> Result<(), Error> {
    let found = groups::get(tx, Some(&server.project_id), group)?
        .ok_or_else(|| Error::invalid(format!("Instance group {group} could not be found.")))?;
    let members = i64::try_from(found.members.len()).unwrap_or(i64::MAX) + i64::from(count);
    if most >= 0 && members > most {
        return Err(Error::OverQuota("Quota exceeded, too many servers in group".to_owned()));
    }
    if count > 1 && found.policy == GroupPolicy::AntiAffinity && server.boot.forced_host.is_some() {
        return Err(Error::invalid("several servers of an anti-affinity group on one host"));
    }
    Ok(())
}

async fn flavor(nova: &Nova, cx: &Ctx, new: &NewServer) -> Result<FlavorSize, Error> {
    match flavors::usable(nova, cx, &new.flavor).await {
        Ok(flavor) => Ok(flavor.size),
        // nova: 400 here, 404 for the flavor itself
        Err(Error::FlavorNotFound(id)) => {
            Err(Error::invalid(format!("Flavor {id} could not be found.")))
        }
        Err(error) => Err(error),
    }
}

/// The image as the server keeps it. Fails when it is not there or not active.
pub(crate) async fn image(nova: &Nova, cx: &Ctx, id: &ImageId) -> Result<ServerImage, Error> {
    let found = nova.hub.images()?.image(cx, id).await;
    let image = found.map_err(|error| match error.kind {
        ErrorKind::NotFound | ErrorKind::Forbidden => {
            Error::invalid("Can not find requested image")
        }
        _ => error.into(),
    })?;
    if image.status != "active" {
        return Err(Error::invalid(format!("Image {id} is not active.")));
    }
    let virtual_gb = image.virtual_size.or(image.size).unwrap_or(0).div_ceil(1 << 30);
    Ok(ServerImage {
        id: image.id,
        checksum: image.checksum.unwrap_or_default(),
        disk_format: image.disk_format.unwrap_or_else(|| "raw".to_owned()),
        container_format: image.container_format.unwrap_or_else(|| "bare".to_owned()),
        min_disk: image.min_disk.max(virtual_gb),
        min_ram: image.min_ram,
        properties: image.properties,
    })
}

/// Whether the flavor is big enough for the image.
pub(crate) fn fits(
    nova: &Nova,
    cx: &Ctx,
    flavor: &FlavorSize,
    image: Option<&ServerImage>,
) -> Result<(), Error> {
    let Some(image) = image else {
        return Err(Error::invalid(
            "Block Device Mapping is Invalid: Boot sequence for the instance and image/block \
             device mapping combination is not valid.",
        ));
    };
    super::guest::image_ref(image)?;
    if flavor.memory_mb < image.min_ram {
        return Err(Error::invalid("Flavor's memory is too small for requested image."));
    }
    if flavor.root_gb == 0 {
        let rule = "os_compute_api:servers:create:zero_disk_flavor";
        return nova.policy.check_own(cx, rule).map_err(|_| {
            Error::Forbidden(
                "Only volume-backed servers are allowed for flavors with zero disk.".to_owned(),
            )
        });
    }
    if flavor.root_gb < image.min_disk {
        return Err(Error::invalid(format!(
            "Flavor's disk is too small for requested image. Flavor disk is {} bytes, image is {} bytes.",
            flavor.root_gb << 30,
            image.min_disk << 30
        )));
    }
    Ok(())
}

/// The public key that goes into the server.
pub(crate) async fn key(nova: &Nova, cx: &Ctx, name: &str) -> Result<Key, Error> {
    let found = keypairs::find(nova, &cx.caller.user_id, name).await?;
    let keypair = found.ok_or_else(|| Error::invalid("Invalid key_name provided."))?;
    Ok(Key { name: keypair.name, kind: keypair.kind.to_string(), data: keypair.public_key })
}

/// Where a request wants the server.
struct Target {
    zone: Option<String>,
    host: Option<String>,
    unfiltered: bool,
}

async fn target(nova: &Nova, cx: &Ctx, new: &NewServer) -> Result<Target, Error> {
    let known = super::hosts::known(nova).await?;
    let mut parts = new.zone.as_deref().unwrap_or_default().splitn(3, ':');
    let zone = parts.next().filter(|zone| !zone.is_empty()).map(str::to_owned);
    let forced = parts.next().filter(|host| !host.is_empty()).or(parts.next());
    let rule = match (forced, &new.host) {
        (Some(_), _) => Some("os_compute_api:servers:create:forced_host"),
        (None, Some(_)) => Some("compute:servers:create:requested_destination"),
        (None, None) => None,
    };
    if let Some(rule) = rule {
        nova.policy.check_own(cx, rule)?;
    }
    let unfiltered = forced.is_some();
    let host = forced.map(str::to_owned).or_else(|| new.host.clone());
    if let Some(host) = &host
        && !known.contains_key(host)
    {
        return Err(match unfiltered {
            true => Error::NoValidHost(format!("No such host - host: {host}.")),
            false => Error::invalid(format!("Compute host {host} could not be found.")),
        });
    }
    if let Some(zone) = &zone
        && !known.values().any(|host| host.zone == *zone)
    {
        return Err(Error::invalid("The requested availability zone is not available"));
    }
    Ok(Target { zone, host, unfiltered })
}

fn check_count(new: &NewServer, boot: &Boot) -> Result<(), Error> {
    if new.max_count == 1 {
        return Ok(());
    }
    if boot.networks.iter().any(|network| network.port_id.is_some()) {
        return Err(Error::invalid(
            "Unable to launch multiple instances with a single configured port ID. Please launch \
             your instance one by one with different ports.",
        ));
    }
    if boot.networks.iter().any(|network| network.fixed_ip.is_some()) {
        return Err(Error::invalid(
            "Invalid fixed IP: max_count must be 1 if a fixed IP is specified.",
        ));
    }
    Ok(())
}

/// Twelve letters and digits that are not easily mistaken.
pub(crate) fn password() -> String {
    pick(b"23456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz", 12)
}

fn reservation_id() -> String {
    format!("r-{}", pick(b"0123456789abcdefghijklmnopqrstuvwxyz", 8))
}

fn pick(from: &[u8], count: usize) -> String {
    let mut rng = rand::rng();
    (0..count).map(|_| char::from(from[rng.random_range(0..from.len())])).collect()
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        error.fault()
    }
}
