//! Handing the topology to the dataplane, and taking down what it reports.

use std::collections::{BTreeMap, BTreeSet};

use stackup_flow::{Event, Report};
use uuid::Uuid;

use super::topology::desired;
use crate::Neutron;
use crate::drivers::{DataplaneError, Topology};
use crate::error::{Error, Result};
use crate::model::port::{ACTIVE, DOWN, NOT_APPLICABLE};
use crate::store::topology::{self, State};

impl Neutron {
    /// Makes the host carry what the state says. `thorough` trusts nothing that was done before.
    pub(crate) async fn sync(&self, thorough: bool) -> Result<Report> {
        // One at a time, so that an older topology never follows a newer one.
        let _turn = self.turn.lock().await;
        let state = self.db.scan(topology::read).await?;
        let wanted = desired(&state, &self.config);
        let done = if thorough {
            self.dataplane.repair(&wanted).await
        } else {
            self.dataplane.apply(&wanted).await
        };
        let report = done.map_err(dataplane)?;
        self.note(&state, &wanted, &report.wired).await?;
        let failed = report.problems.into_iter().map(|problem| match problem.subject {
            Some(subject) => format!("{subject}: {}", problem.what),
            None => problem.what,
        });
        Ok(Report { repaired: report.changes, failed: failed.collect() })
    }

    /// Writes down which ports carry traffic.
    async fn note(&self, state: &State, wanted: &Topology, wired: &BTreeSet<Uuid>) -> Result<()> {
        let off = switched_off(wanted);
        let mut changes: BTreeMap<String, &'static str> = BTreeMap::new();
        for port in &state.ports {
            let Ok(id) = Uuid::try_parse(port.id()) else {
                continue;
            };
            let status = if wired.contains(&id) && !off.contains(&id) { ACTIVE } else { DOWN };
            let before = port.text("status");
            if before != status && before != NOT_APPLICABLE {
                changes.insert(port.id().to_owned(), status);
            }
        }
        if changes.is_empty() {
            return Ok(());
        }
        self.set_statuses(changes).await
    }

    async fn set_statuses(&self, changes: BTreeMap<String, &'static str>) -> Result<()> {
        let wired: Vec<String> = self
            .db
            .write(move |tx| {
                let mut wired = Vec::new();
                for (port, status) in &changes {
                    if topology::set_status(tx, port, status)? && *status == ACTIVE {
                        wired.push(port.clone());
                    }
                }
                Ok::<_, Error>(wired)
            })
            .await?;
        for port in wired {
            self.bus.publish(Event::PortWired(port.into()));
        }
        Ok(())
    }

    /// Wires one port whose device is there now.
    pub(crate) async fn plug(&self, port: &str) -> Result<()> {
        let id = Uuid::try_parse(port).map_err(|_| Error::PortNotFound(port.to_owned()))?;
        let first = self.dataplane.plug(id).await;
        if let Err(DataplaneError::UnknownPort(_)) = first {
            self.sync(false).await?;
            self.dataplane.plug(id).await.map_err(dataplane)?;
        } else {
            first.map_err(dataplane)?;
        }
        self.set_statuses(BTreeMap::from([(port.to_owned(), ACTIVE)])).await
    }
}

/// Ports whose user switched them off.
fn switched_off(wanted: &Topology) -> BTreeSet<Uuid> {
    let off = wanted.ports.iter().filter(|port| !port.admin_state_up);
    off.map(|port| port.id).collect()
}

fn dataplane(error: DataplaneError) -> Error {
    match error {
        DataplaneError::UnknownPort(port) => Error::PortNotFound(port.to_string()),
        other => Error::Dataplane(other),
    }
}
