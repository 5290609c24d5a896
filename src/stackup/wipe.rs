//! Back to day one: what users made is taken off the host and out of the state.
//!
//! Works beside no running service: it opens the drivers itself, and finds what is ours by its
//! marks, so a lost database hides nothing.

use std::io;
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
    let lasting = drivers::lasting(state_dir);
    for kind in ServiceKind::ALL {
        let dir = state_dir.join(kind.codename());
        match remove(&dir, &lasting) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                wiped.failed.push(format!("{}: {error}", dir.display()));
            }
            _ => {}
        }
    }
    wiped
}

/// Removes a directory, but not `keep` if that is in it.
fn remove(dir: &Path, keep: &Path) -> io::Result<()> {
    if dir == keep {
        return Ok(());
    }
    if !keep.starts_with(dir) || !keep.exists() {
        return std::fs::remove_dir_all(dir);
    }
    for entry in std::fs::read_dir(dir)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            remove(&entry.path(), keep)?;
        } else {
            std::fs::remove_file(entry.path())?;
        }
    }
    Ok(())
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

#[cfg(test)]
mod tests {
    use stackup_system::files;

    use super::*;

    #[test]
    fn what_lasts_is_kept_and_nothing_else() {
        let root = tempfile::tempdir().unwrap();
        let keep = root.path().join("nova/libvirt/cache");
        std::fs::create_dir_all(keep.join("qemu")).unwrap();
        std::fs::create_dir_all(root.path().join("nova/instances/1")).unwrap();
        files::write_atomic(&root.path().join("nova/nova.db"), b"x", 0o600).unwrap();
        remove(&root.path().join("nova"), &keep).unwrap();
        let left = |dir: &Path| std::fs::read_dir(dir).unwrap().count();
        assert!(keep.join("qemu").is_dir());
        assert_eq!(
            (left(&root.path().join("nova")), left(&root.path().join("nova/libvirt"))),
            (1, 1)
        );
        remove(&root.path().join("nova"), &root.path().join("elsewhere")).unwrap();
        assert!(!root.path().join("nova").exists());
    }
}
