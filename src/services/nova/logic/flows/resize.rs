//! Another size, or another host: first tried, then confirmed or taken back.
//!
//! ```text
//!  active, stopped ── resize_prep, resize_migrating, resize_finish ──► resized
//!                                    confirm: the old size's room and disk go ──► active, stopped
//!                                    revert: the old disk and size come back  ──► active, stopped
//! ```

use std::sync::Arc;

use stackup_core::{Ctx, FlavorId, ids};

use super::create::wire;
use crate::logic::quotas::{self, exceeds};
use crate::logic::work::{Begun, Ended, Job};
use crate::logic::{create, flavors, guest, hosts, networks, power, scheduler};
use crate::model::flavor::FlavorSize;
use crate::model::migration::{Migration, MigrationKind, MigrationStatus};
use crate::model::power::PowerState;
use crate::model::server::{DiskConfig, OldSize, Server};
use crate::model::state::{Action, TaskState, VmState};
use crate::store::{migrations, servers};
use crate::{Error, Nova};

const RESIZE: Job = Job {
    action: Action::Resize,
    task: TaskState::ResizePrep,
    log: "resize",
    event: "compute_prep_resize",
    fatal: false,
};
const MIGRATE: Job = Job { action: Action::Migrate, log: "migrate", ..RESIZE };
pub(crate) const CONFIRM: Job = Job {
    action: Action::ConfirmResize,
    task: TaskState::ResizeConfirming,
    log: "confirmResize",
    event: "compute_confirm_resize",
    fatal: true,
};
pub(crate) const REVERT: Job = Job {
    action: Action::RevertResize,
    task: TaskState::ResizeReverting,
    log: "revertResize",
    event: "compute_revert_resize",
    fatal: true,
};

/// What is asked for besides the size.
#[derive(Debug, Clone, Default)]
struct Target {
    /// For a migration: where to.
    host: Option<String>,
    disk_config: Option<DiskConfig>,
}

/// Begins to resize.
pub(crate) async fn begin(
    nova: &Arc<Nova>,
    cx: &Ctx,
    id: &str,
    flavor: &FlavorId,
    disk_config: Option<DiskConfig>,
) -> Result<(), Error> {
    let server = nova.server(cx, id).await?;
    let new = match flavors::usable(nova, cx, flavor).await {
        Ok(flavor) => flavor.size,
        Err(Error::FlavorNotFound(id)) => {
            return Err(Error::invalid(format!("Flavor {id} could not be found.")));
        }
        Err(error) => return Err(error),
    };
    if new.id == server.flavor.id {
        return Err(Error::invalid("When resizing, instances must change flavor!"));
    }
    if new.root_gb < server.flavor.root_gb && server.image.is_some() {
        return Err(Error::invalid(
            "Flavor's disk is smaller than the disk of the instance: a disk cannot shrink.",
        ));
    }
    create::fits(nova, cx, &new, server.image.as_ref())?;
    let target = Target { host: None, disk_config };
    start(nova, cx, id, RESIZE, new, target).await
}

/// Begins a cold migration: the same size on another host.
pub(crate) async fn begin_migrate(
    nova: &Arc<Nova>,
    cx: &Ctx,
    id: &str,
    host: Option<String>,
) -> Result<(), Error> {
    let server = nova.server(cx, id).await?;
    if let Some(host) = &host {
        if server.host.as_ref() == Some(host) {
            return Err(Error::invalid("The target host can't be the same one."));
        }
        if !hosts::known(nova).await?.contains_key(host) {
            return Err(Error::invalid(format!("Compute host {host} could not be found.")));
        }
    }
    server.allows(Action::Migrate, cx.is_admin())?;
    if hosts::known(nova).await?.len() < 2 {
        return Err(Error::NoValidHost("No valid host found for cold migrate".to_owned()));
    }
    let target = Target { host, disk_config: None };
    start(nova, cx, id, MIGRATE, server.flavor, target).await
}

async fn start(
    nova: &Arc<Nova>,
    cx: &Ctx,
    id: &str,
    job: Job,
    new: FlavorSize,
    target: Target,
) -> Result<(), Error> {
    let (wanted, configured) = (new.clone(), nova.config.quota.clone());
    let host = target.host.clone();
    let begun = nova
        .begin(cx, id, job, move |tx, server| {
            let limits = quotas::limits(tx, &configured, &server.project_id)?;
            let used = servers::usage(tx, &server.project_id)?;
            let grown = |used: u64, new: u64, old: u64| (new > old).then(|| used + new - old);
            let cores = grown(used.cores, wanted.vcpus.into(), server.flavor.vcpus.into());
            let ram = grown(used.ram, wanted.memory_mb, server.flavor.memory_mb);
            for (name, amount) in [("cores", cores), ("ram", ram)] {
                if amount.is_some_and(|amount| exceeds(limits[name], amount)) {
                    return Err(Error::OverQuota(format!(
                        "Quota exceeded for {name}: Requested {}, but already used of {} {name}",
                        amount.unwrap_or_default(),
                        limits[name]
                    )));
                }
            }
            server.disk_config = target.disk_config.unwrap_or(server.disk_config);
            Ok(())
        })
        .await?;
    nova.run(begun, move |nova, begun| resize(nova, begun, new, host));
    Ok(())
}

async fn resize(
    nova: Arc<Nova>,
    begun: Begun,
    new: FlavorSize,
    wanted_host: Option<String>,
) -> Result<Ended, Error> {
    let cx = begun.cx.elevated("nova");
    let old = begun.server.clone();
    let source = old.host.clone().unwrap_or_default();
    let migration = ids::uuid();
    let mut server = Server { flavor: new, ..old.clone() };
    let moving = begun.job.action == Action::Migrate;
    // The old size keeps its room under the migration's name until it is given up.
    scheduler::claim(&nova, &cx, &old, &migration, &source).await?;
    let claimed = claim(&nova, &cx, &mut server, &source, moving, wanted_host).await;
    let target = match claimed {
        Ok(host) => host,
        Err(error) => {
            give_back(&nova, &cx, &old, &migration, &source).await;
            return Err(error);
        }
    };
    record(&nova, &begun, &server, &migration, &source, &target).await?;
    match apply(&nova, &cx, &old, &server, &source, &target).await {
        Ok(power) => Ok(finished(old, server, migration, source, target, power)),
        Err(error) => {
            undo(&nova, &cx, &old, &source, &target).await;
            give_back(&nova, &cx, &old, &migration, &source).await;
            status(&nova, &migration, MigrationStatus::Error).await;
            Err(error)
        }
    }
}

/// Room for the new size: where it is if that is possible, for a migration elsewhere.
async fn claim(
    nova: &Nova,
    cx: &Ctx,
    server: &mut Server,
    source: &str,
    moving: bool,
    wanted: Option<String>,
) -> Result<String, Error> {
    server.boot.forced_host = match moving {
        true => wanted,
        false => Some(source.to_owned()),
    };
    let excluded: Vec<String> = moving.then(|| source.to_owned()).into_iter().collect();
    match scheduler::place(nova, cx, server, &server.id, &excluded).await {
        Err(Error::NoValidHost(_)) if !moving => {
            server.boot.forced_host = None;
            scheduler::place(nova, cx, server, &server.id, &[]).await
        }
        result => result,
    }
}

async fn apply(
    nova: &Nova,
    cx: &Ctx,
    old: &Server,
    new: &Server,
    source: &str,
    target: &str,
) -> Result<PowerState, Error> {
    let driver = &nova.driver;
    driver.power_off(source, &old.id, power::grace(nova, old)).await?;
    task(nova, old, TaskState::ResizeMigrating).await?;
    if source != target {
        driver.migrate(&old.id, source, target).await?;
    }
    driver.resize_root(target, &old.id, new.flavor.root_gb).await?;
    task(nova, old, TaskState::ResizeFinish).await?;
    if old.vm_state == VmState::Stopped {
        return Ok(PowerState::Shutdown);
    }
    let ports = networks::ports(nova, cx, &old.id).await?;
    driver.power_on(target, &guest::spec(new, &ports)).await?;
    wire(nova, cx, &ports).await;
    Ok(PowerState::Running)
}

fn finished(
    old: Server,
    new: Server,
    migration: String,
    source: String,
    target: String,
    power: PowerState,
) -> Ended {
    Box::new(move |server| {
        server.flavor = new.flavor.clone();
        server.host = Some(target.clone());
        server.old = Some(OldSize {
            flavor: old.flavor.clone(),
            host: source.clone(),
            vm_state: old.vm_state,
            migration: migration.clone(),
        });
        server.launched_at = server.updated_at;
        server.settle(VmState::Resized, power);
    })
}

/// Back to how it was, as far as that is possible.
async fn undo(nova: &Nova, cx: &Ctx, old: &Server, source: &str, target: &str) {
    let tried = async {
        nova.driver.power_off(target, &old.id, std::time::Duration::ZERO).await?;
        nova.driver.revert_resize(target, &old.id).await?;
        if source != target {
            nova.driver.migrate(&old.id, target, source).await?;
        }
        if old.vm_state == VmState::Active {
            let ports = networks::ports(nova, cx, &old.id).await?;
            nova.driver.power_on(source, &guest::spec(old, &ports)).await?;
        }
        Ok::<_, Error>(())
    };
    if let Err(error) = tried.await {
        tracing::error!(server = %old.id, %error, "a failed resize is not quite undone");
    }
}

/// The server has its old room again, and the migration none.
async fn give_back(nova: &Nova, cx: &Ctx, old: &Server, migration: &str, source: &str) {
    let tried = async {
        nova.hub.placement()?.release(cx, migration).await?;
        scheduler::claim(nova, cx, old, &old.id, source).await
    };
    if let Err(error) = tried.await {
        tracing::error!(server = %old.id, %error, "placement is not told of a failed resize");
    }
}

async fn task(nova: &Nova, server: &Server, task: TaskState) -> Result<(), Error> {
    nova.change_own(&server.id, move |_, server| {
        if server.task_state == Some(TaskState::Deleting) {
            return Err(Error::Overtaken(server.id.clone()));
        }
        server.task_state = Some(task);
        Ok(())
    })
    .await
    .map(drop)
}

async fn record(
    nova: &Nova,
    begun: &Begun,
    new: &Server,
    uuid: &str,
    source: &str,
    target: &str,
) -> Result<(), Error> {
    let migration = Migration {
        row: 0,
        uuid: uuid.to_owned(),
        server_id: new.id.clone(),
        kind: match begun.job.action {
            Action::Migrate => MigrationKind::Migration,
            _ => MigrationKind::Resize,
        },
        status: MigrationStatus::Migrating,
        source: source.to_owned(),
        target: target.to_owned(),
        old_flavor: begun.server.flavor.id.to_string(),
        new_flavor: new.flavor.id.to_string(),
        project_id: new.project_id.clone(),
        user_id: new.user_id.clone(),
        created_at: nova.now(),
        updated_at: None,
    };
    nova.db.write(move |tx| migrations::insert(tx, &migration).map_err(Error::from)).await
}

async fn status(nova: &Nova, uuid: &str, status: MigrationStatus) {
    let (uuid, now) = (uuid.to_owned(), nova.now());
    let written = nova
        .db
        .write(move |tx| migrations::set_status(tx, &uuid, status, now).map_err(Error::from))
        .await;
    if let Err(error) = written {
        tracing::warn!(%error, "the record of a migration is stale");
    }
}

/// Begins to make the new size final.
pub(crate) async fn begin_confirm(nova: &Arc<Nova>, cx: &Ctx, id: &str) -> Result<(), Error> {
    let begun = nova.begin(cx, id, CONFIRM, |_, _| Ok(())).await?;
    nova.run(begun, confirm);
    Ok(())
}

pub(crate) async fn confirm(nova: Arc<Nova>, begun: Begun) -> Result<Ended, Error> {
    let cx = begun.cx.elevated("nova");
    let server = &begun.server;
    let Some(old) = &server.old else {
        return Err(Error::Conflict(format!("Instance {} has no resize to confirm", server.id)));
    };
    let host = server.host.clone().unwrap_or_default();
    nova.driver.confirm_resize(&host, &server.id).await?;
    nova.hub.placement()?.release(&cx, &old.migration).await?;
    status(&nova, &old.migration, MigrationStatus::Confirmed).await;
    Ok(Box::new(|server| {
        let stopped = server.power_state == PowerState::Shutdown;
        let vm_state = if stopped { VmState::Stopped } else { VmState::Active };
        server.old = None;
        server.settle(vm_state, server.power_state);
    }))
}

/// Begins to take the new size back.
pub(crate) async fn begin_revert(nova: &Arc<Nova>, cx: &Ctx, id: &str) -> Result<(), Error> {
    let begun = nova.begin(cx, id, REVERT, |_, _| Ok(())).await?;
    nova.run(begun, revert);
    Ok(())
}

pub(crate) async fn revert(nova: Arc<Nova>, begun: Begun) -> Result<Ended, Error> {
    let cx = begun.cx.elevated("nova");
    let server = &begun.server;
    let Some(old) = server.old.clone() else {
        return Err(Error::Conflict(format!("Instance {} has no resize to revert", server.id)));
    };
    let host = server.host.clone().unwrap_or_default();
    let driver = &nova.driver;
    driver.power_off(&host, &server.id, power::grace(&nova, server)).await?;
    driver.revert_resize(&host, &server.id).await?;
    if host != old.host {
        driver.migrate(&server.id, &host, &old.host).await?;
    }
    let back = Server { flavor: old.flavor.clone(), ..server.clone() };
    nova.hub.placement()?.release(&cx, &old.migration).await?;
    scheduler::claim(&nova, &cx, &back, &back.id, &old.host).await?;
    let runs = old.vm_state == VmState::Active;
    if runs {
        let ports = networks::ports(&nova, &cx, &server.id).await?;
        driver.power_on(&old.host, &guest::spec(&back, &ports)).await?;
        wire(&nova, &cx, &ports).await;
    }
    status(&nova, &old.migration, MigrationStatus::Reverted).await;
    Ok(Box::new(move |server| {
        server.flavor = old.flavor.clone();
        server.host = Some(old.host.clone());
        server.old = None;
        server.launched_at = server.updated_at;
        match runs {
            true => server.settle(VmState::Active, PowerState::Running),
            false => server.settle(VmState::Stopped, PowerState::Shutdown),
        }
    }))
}

/// For a record that shows `finished` while it waits to be confirmed.
pub(crate) fn shown_status(migration: &Migration, server: Option<&Server>) -> &'static str {
    let waits = server
        .and_then(|server| server.old.as_ref())
        .is_some_and(|old| old.migration == migration.uuid);
    match waits {
        true => MigrationStatus::Finished.as_str(),
        false => migration.status.as_str(),
    }
}
