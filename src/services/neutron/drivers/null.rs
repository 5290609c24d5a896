//! The dataplane that touches nothing: it remembers what it was given and says it is done.
//!
//! It is what a driver must be, without the kernel: whole topologies in, a report out, `plug` only
//! for ports it knows, every call idempotent.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use uuid::Uuid;

use super::{
    Dataplane, DataplaneError, Facts, Firewall, MetadataHandler, MetadataOrigin, Report, Result,
    Topology,
};

/// See the module.
#[derive(Default)]
pub struct NullDataplane {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    topology: Topology,
    plugged: BTreeSet<Uuid>,
    metadata: Option<Arc<dyn MetadataHandler>>,
}

impl NullDataplane {
    pub fn new() -> Self {
        Self::default()
    }

    /// The topology given last.
    pub fn topology(&self) -> Topology {
        self.state().topology.clone()
    }

    /// The ports that were plugged.
    pub fn plugged(&self) -> BTreeSet<Uuid> {
        self.state().plugged.clone()
    }

    /// Asks the metadata handler as a guest would; `None` when nobody registered one.
    pub async fn ask_metadata(
        &self,
        origin: MetadataOrigin,
        source: IpAddr,
        request: http::Request<Bytes>,
    ) -> Option<http::Response<Bytes>> {
        let handler = self.state().metadata.clone()?;
        Some(handler.serve(origin, source, request).await)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Dataplane for NullDataplane {
    async fn facts(&self) -> Result<Facts> {
        Ok(Facts { driver: "null", firewall: Firewall::None })
    }

    async fn apply(&self, topology: &Topology) -> Result<Report> {
        let mut state = self.state();
        let changes = usize::from(state.topology != *topology);
        state.topology = topology.clone();
        Ok(Report { wired: all_bound(topology), problems: Vec::new(), changes })
    }

    async fn repair(&self, topology: &Topology) -> Result<Report> {
        self.apply(topology).await
    }

    async fn plug(&self, port: Uuid) -> Result<()> {
        let mut state = self.state();
        if !state.topology.ports.iter().any(|known| known.id == port) {
            return Err(DataplaneError::UnknownPort(port));
        }
        state.plugged.insert(port);
        Ok(())
    }

    fn serve_metadata(&self, handler: Arc<dyn MetadataHandler>) {
        self.state().metadata = Some(handler);
    }

    async fn stop(&self) {}

    async fn remove_all(&self) -> Result<Report> {
        self.apply(&Topology::default()).await
    }
}

/// Every port that belongs to somebody and is switched on.
fn all_bound(topology: &Topology) -> BTreeSet<Uuid> {
    let guests = topology
        .ports
        .iter()
        .filter(|port| port.admin_state_up && !port.device_id.is_empty())
        .map(|port| port.id);
    let servers = topology.networks.iter().filter_map(|network| network.dhcp_port.as_ref());
    let routers = topology.routers.iter().filter(|router| router.admin_state_up);
    let inner = routers.clone().flat_map(|router| router.interfaces.iter().map(|port| port.port));
    let outer = routers.filter_map(|router| router.gateway.as_ref()).map(|gateway| gateway.port);
    guests.chain(servers.map(|port| port.id)).chain(inner).chain(outer).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn port(id: u128, device_id: &str) -> super::super::PortSpec {
        super::super::PortSpec {
            id: Uuid::from_u128(id),
            network: Uuid::nil(),
            mac: super::super::Mac([0xfa, 0x16, 0x3e, 0, 0, 1]),
            fixed_ips: Vec::new(),
            device_owner: "compute:nova".to_owned(),
            device_id: device_id.to_owned(),
            admin_state_up: true,
            security_groups: Vec::new(),
            port_security: true,
            allowed_address_pairs: Vec::new(),
            hostname: None,
            extra_dhcp_opts: Vec::new(),
        }
    }

    #[tokio::test]
    async fn reports_bound_ports_as_wired_and_repeats_without_change() {
        let driver = NullDataplane::new();
        let topology = Topology { ports: vec![port(1, "vm"), port(2, "")], ..Topology::default() };
        let report = driver.apply(&topology).await.unwrap();
        assert_eq!(report.wired, BTreeSet::from([Uuid::from_u128(1)]));
        assert_eq!(report.changes, 1);
        assert_eq!(driver.apply(&topology).await.unwrap().changes, 0);
    }

    #[tokio::test]
    async fn plugs_only_what_it_knows() {
        let driver = NullDataplane::new();
        let id = Uuid::from_u128(1);
        assert!(matches!(driver.plug(id).await, Err(DataplaneError::UnknownPort(_))));
        driver
            .apply(&Topology { ports: vec![port(1, "vm")], ..Topology::default() })
            .await
            .unwrap();
        driver.plug(id).await.unwrap();
        assert_eq!(driver.plugged(), BTreeSet::from([id]));
    }
}
