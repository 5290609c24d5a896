//! Everything that the dataplane carries, at one moment; and what it says of it.

use stackup_store::{Reader, StoreError, Tx, params};

use super::records::{self, Listing};
use super::sql::Scope;
use crate::error::Result;
use crate::model::{
    FLOATING_IP, METERING_LABEL, METERING_LABEL_RULE, NETWORK, PORT, ROUTER, Record, Resource,
    SECURITY_GROUP, SUBNET,
};

/// Every row that matters.
#[derive(Debug, Default)]
pub(crate) struct State {
    pub(crate) networks: Vec<Record>,
    pub(crate) subnets: Vec<Record>,
    pub(crate) ports: Vec<Record>,
    pub(crate) routers: Vec<Record>,
    pub(crate) floating_ips: Vec<Record>,
    pub(crate) security_groups: Vec<Record>,
    pub(crate) metering_labels: Vec<Record>,
    pub(crate) metering_label_rules: Vec<Record>,
}

const SET_STATUS: &str = "
UPDATE ports
SET status = $2
WHERE id = $1 AND status <> $2";
const BEHIND_NETWORK: &str = "
SELECT p.device_id, p.device_owner
FROM ip_allocations a
JOIN ports p ON p.id = a.port_id
WHERE p.network_id = $1 AND a.ip_address = $2";
const BEHIND_ROUTER: &str = "
SELECT p.device_id, p.device_owner
FROM ip_allocations a
JOIN ports p ON p.id = a.port_id
WHERE a.ip_address = $2 AND p.network_id IN (
    SELECT i.network_id FROM ports i
    WHERE i.device_id = $1 AND i.device_owner = 'network:router_interface')";

pub(crate) fn read(r: &Reader<'_>) -> Result<State> {
    let all = |resource: &'static Resource| {
        records::list(r, resource, &Scope::everything(), &Listing::of(Vec::new()))
    };
    Ok(State {
        networks: all(&NETWORK)?,
        subnets: all(&SUBNET)?,
        ports: all(&PORT)?,
        routers: all(&ROUTER)?,
        floating_ips: all(&FLOATING_IP)?,
        security_groups: all(&SECURITY_GROUP)?,
        metering_labels: all(&METERING_LABEL)?,
        metering_label_rules: all(&METERING_LABEL_RULE)?,
    })
}

/// Says whether the status is new.
pub(crate) fn set_status(tx: &mut Tx<'_>, port: &str, status: &str) -> Result<bool, StoreError> {
    tx.execute(SET_STATUS, &params![port, status]).map(|rows| rows > 0)
}

/// The device with an address on a network: id and owner.
pub(crate) fn behind_network(
    r: &Reader<'_>,
    network: &str,
    address: &str,
) -> Result<Vec<(String, String)>, StoreError> {
    r.query(BEHIND_NETWORK, &params![network, address])
}

/// The device with an address on one of a router's networks.
pub(crate) fn behind_router(
    r: &Reader<'_>,
    router: &str,
    address: &str,
) -> Result<Vec<(String, String)>, StoreError> {
    r.query(BEHIND_ROUTER, &params![router, address])
}
