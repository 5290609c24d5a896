//! Back to day one: what users made is taken off the host and out of the state.
//!
//! Works beside no running service: it opens the drivers itself, and finds what is ours by its
//! marks, so a lost database hides nothing.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use stackup_flow::Supervisor;
use stackup_nova::drivers::{Owner, PlugHook};
use stackup_profile::{Profile, Virt};

use crate::catalog::ServiceKind;
use crate::drivers;

const STOP_DEADLINE: Duration = Duration::from_secs(5);

/// What was taken away, and what could not be.
#[derive(Debug, Default, Clone, serde::Serialize)]
pub struct Wiped {
    pub guests: usize,
    /// Changes to links, namespaces and rules.
    pub links: usize,
    pub failed: Vec<String>,
}

/// Nobody is told of taps while everything goes.
struct Deaf;

#[async_trait]
impl PlugHook for Deaf {
    async fn plugged(&self, _: &str, _: &str) {}
}

/// Ends our guests, takes our networks down, empties the services' directories. Goes on past
/// failures and tells them all.
pub async fn wipe(profile: &Profile, state_dir: &Path) -> Wiped {
    let mut wiped = Wiped::default();
    if let Err(error) = guests(profile, state_dir, &mut wiped).await {
        wiped.failed.push(format!("guests: {error}"));
    }
    let supervisor = Supervisor::default();
    match drivers::dataplane(profile, &supervisor).remove_all().await {
        Err(error) => wiped.failed.push(format!("networks: {error}")),
        Ok(report) => {
            wiped.links = report.changes;
            wiped.failed.extend(report.problems.into_iter().map(|problem| problem.what));
        }
    }
    supervisor.stop(STOP_DEADLINE).await;
    for kind in ServiceKind::ALL {
        let dir = state_dir.join(kind.codename());
        match std::fs::remove_dir_all(&dir) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                wiped.failed.push(format!("{}: {error}", dir.display()));
            }
            _ => {}
        }
    }
    wiped
}

async fn guests(
    profile: &Profile,
    state_dir: &Path,
    wiped: &mut Wiped,
) -> Result<(), stackup_web::BootError> {
    // A host that never ran a guest need not have a hypervisor.
    if !state_dir.join(ServiceKind::Nova.codename()).is_dir() {
        return Ok(());
    }
    // What guests run on does not matter to their end, so nothing is probed.
    let mut profile = profile.clone();
    profile.compute.virt = Virt::Qemu;
    let driver = drivers::hypervisor(&profile, state_dir, Arc::new(Deaf)).await?;
    for hypervisor in driver.hosts().await? {
        for guest in driver.list(&hypervisor.host).await? {
            if matches!(guest.owner, Owner::Foreign) {
                continue;
            }
            match driver.destroy(&hypervisor.host, &guest.uuid, true).await {
                Ok(()) => wiped.guests += 1,
                Err(error) => wiped.failed.push(format!("guest {}: {error}", guest.uuid)),
            }
        }
    }
    Ok(())
}
