//! `nova.power_sync`: the record and the guest agree on what runs.
//!
//! A guest that stopped by itself makes its server SHUTOFF. After a boot of the host it is the
//! other way round: servers that were active are started again.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use stackup_core::ServerId;
use stackup_flow::{Reconciler, Report};
use tokio::sync::broadcast::error::RecvError;

use crate::logic::flows::create::wire;
use crate::logic::{guest, networks};
use crate::model::power::PowerState;
use crate::model::state::VmState;
use crate::store::facts;
use crate::store::servers::{self, Present};
use crate::{Error, Nova};

/// The fact that says in which boot of the host nova last ran.
const BOOT: &str = "boot_id";

pub(super) struct PowerSync {
    nova: Arc<Nova>,
    /// Whether this start was already compared with the last one.
    booted: bool,
}

impl PowerSync {
    pub(super) fn new(nova: Arc<Nova>) -> Self {
        Self { nova, booted: false }
    }
}

/// Wakes the reconciler whenever the driver tells of a change.
pub(super) fn listen(nova: &Arc<Nova>) {
    let (mut events, hint) = (nova.driver.events(), nova.power_hint.clone());
    let shutdown = nova.supervisor.shutdown();
    nova.supervisor.spawn("nova.driver_events", async move {
        loop {
            let event = tokio::select! {
                event = events.recv() => event,
                () = shutdown.begun() => return,
            };
            match event {
                Ok(_) | Err(RecvError::Lagged(_)) => hint.give(),
                Err(RecvError::Closed) => return,
            }
        }
    });
}

#[async_trait]
impl Reconciler for PowerSync {
    fn name(&self) -> &'static str {
        "nova.power_sync"
    }

    fn period(&self) -> Duration {
        Duration::from_secs(60)
    }

    async fn activate(&mut self) -> Report {
        let mut report = Report::default();
        if !self.booted {
            match self.after_boot(&mut report).await {
                Ok(()) => self.booted = true,
                Err(error) => report.failed.push(error.to_string()),
            }
            return report;
        }
        if let Err(error) = self.sync(&mut report).await {
            report.failed.push(error.to_string());
        }
        report
    }
}

impl PowerSync {
    /// Once a start: if the host booted since, what was active is started.
    async fn after_boot(&self, report: &mut Report) -> Result<(), Error> {
        let nova = &self.nova;
        let last = nova.db.read(|r| facts::get(r, BOOT).map_err(Error::from)).await?;
        let same = last.as_deref().is_none_or(|last| last == nova.boot_id);
        if !same && nova.config.resume_guests {
            let seen = self.seen().await?;
            for server in self.present().await? {
                let power = seen.get(&server.id).copied().unwrap_or(PowerState::Shutdown);
                let wanted = server.vm_state == VmState::Active && !server.busy;
                let off = matches!(
                    power,
                    PowerState::Shutdown | PowerState::Crashed | PowerState::NoState
                );
                if wanted && off {
                    match self.start(&server.id).await {
                        Ok(()) => report.repaired += 1,
                        Err(error) => report.failed.push(format!("{}: {error}", server.id)),
                    }
                }
            }
        }
        let boot_id = nova.boot_id.clone();
        nova.db.write(move |tx| facts::set(tx, BOOT, &boot_id).map_err(Error::from)).await?;
        nova.power_hint.give();
        Ok(())
    }

    async fn start(&self, id: &ServerId) -> Result<(), Error> {
        let (nova, cx) = (&self.nova, self.nova.task_cx());
        let server = &nova.server(&cx, id).await?;
        let host = server.host.clone().unwrap_or_default();
        let ports = networks::ports(nova, &cx, &server.id).await?;
        nova.driver.power_on(&host, &guest::spec(server, &ports)).await?;
        wire(nova, &cx, &ports).await;
        nova.log(&cx, &server.id, "start").await?;
        tracing::info!(server = %server.id, "started again after the host's boot");
        Ok(())
    }

    /// Records what the hypervisors see.
    async fn sync(&self, report: &mut Report) -> Result<(), Error> {
        let seen = self.seen().await?;
        for server in self.present().await? {
            if server.busy || self.nova.running.is_busy(&server.id) {
                continue;
            }
            let power = seen.get(&server.id).copied().unwrap_or(PowerState::NoState);
            let vm_state = settle(server.vm_state, power);
            if power == server.power_state && vm_state == server.vm_state {
                continue;
            }
            let (expected, found) = (server.vm_state, server.power_state);
            self.nova
                .change_own(&server.id, move |_, server| {
                    let untouched = server.task_state.is_none()
                        && server.vm_state == expected
                        && server.power_state == found;
                    if untouched {
                        server.power_state = power;
                        server.vm_state = vm_state;
                    }
                    Ok(())
                })
                .await?;
            report.repaired += 1;
        }
        Ok(())
    }

    async fn present(&self) -> Result<Vec<Present>, Error> {
        let read = |r: &stackup_store::Reader<'_>| servers::present(r).map_err(Error::from);
        self.nova.db.scan(read).await
    }

    async fn seen(&self) -> Result<BTreeMap<ServerId, PowerState>, Error> {
        let mut seen = BTreeMap::new();
        for hypervisor in self.nova.driver.hosts().await? {
            for guest in self.nova.driver.list(&hypervisor.host).await? {
                seen.insert(ServerId::from(guest.uuid), guest.power);
            }
        }
        Ok(seen)
    }
}

/// Where a server is when its guest is found like this. Nova: `_sync_instance_power_state`, but
/// without calling stop on what was started behind its back.
fn settle(vm_state: VmState, power: PowerState) -> VmState {
    match (vm_state, power) {
        (
            VmState::Active | VmState::Rescued | VmState::Paused,
            PowerState::Shutdown | PowerState::Crashed | PowerState::NoState,
        ) => VmState::Stopped,
        (VmState::Active, PowerState::Paused) => VmState::Paused,
        (VmState::Active, PowerState::Suspended) => VmState::Suspended,
        (VmState::Stopped | VmState::Paused | VmState::Suspended, PowerState::Running) => {
            VmState::Active
        }
        (vm_state, _) => vm_state,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_guest_that_stopped_makes_its_server_stopped() {
        assert_eq!(settle(VmState::Active, PowerState::Crashed), VmState::Stopped);
        assert_eq!(settle(VmState::Stopped, PowerState::Running), VmState::Active);
        assert_eq!(settle(VmState::Error, PowerState::Running), VmState::Error);
        assert_eq!(settle(VmState::Suspended, PowerState::Shutdown), VmState::Suspended);
        assert_eq!(settle(VmState::Resized, PowerState::Running), VmState::Resized);
    }
}
