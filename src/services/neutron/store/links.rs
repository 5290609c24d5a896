//! How networks, ports, routers and floating IPs hang together.

use stackup_store::{Reader, StoreError, Tx, params};

/// The one availability zone of one host.
pub(crate) const ZONE: &str = "nova";
/// How a bound port is plugged: into a Linux bridge.
pub(crate) const BRIDGE: &str = "bridge";
pub(crate) const UNBOUND: &str = "unbound";

const PORTS_OF_NETWORK: &str = "
SELECT id, device_owner, device_id
FROM ports
WHERE network_id = $1
ORDER BY id";
const PORTS_OF_DEVICE: &str = "
SELECT id, network_id
FROM ports
WHERE device_id = $1 AND device_owner = $2
ORDER BY created_at, id";
const FLOATING_OF_PORT: &str = "
SELECT id, fixed_ip_address
FROM floating_ips
WHERE port_id = $1";
const FLOATING_OF_ROUTER: &str = "
SELECT COUNT(*)
FROM floating_ips
WHERE router_id = $1";
const FLOATING_BEHIND: &str = "
SELECT COUNT(*)
FROM floating_ips f
JOIN ip_allocations a ON a.port_id = f.port_id AND a.ip_address = f.fixed_ip_address
WHERE f.router_id = $1 AND a.subnet_id = $2";
const FLOATING_OF_NETWORK: &str = "
SELECT COUNT(*)
FROM ports
WHERE network_id = $1 AND device_owner IN ('network:floatingip', 'network:router_gateway')";
const RELEASE: &str = "
UPDATE floating_ips
SET port_id = NULL, fixed_ip_address = NULL, router_id = NULL, status = 'DOWN',
    revision_number = revision_number + 1, updated_at = $2
WHERE port_id = $1";
const ROUTERS_BETWEEN: &str = "
SELECT r.id, i.id
FROM routers r
JOIN ports g ON g.id = r.gateway_port_id AND g.network_id = $1
JOIN ports i ON i.device_id = r.id AND i.device_owner = 'network:router_interface'
JOIN ip_allocations a ON a.port_id = i.id AND a.subnet_id = $2
ORDER BY r.created_at, r.id";
const SUBNETS_OF_NETWORK: &str = "
SELECT id, cidr
FROM subnets
WHERE network_id = $1
ORDER BY created_at, id";
const BLOCKS_OF_POOL: &str = "
SELECT id, cidr
FROM subnets
WHERE subnetpool_id = $1";
const FOREIGN_USERS: &str = "
SELECT COUNT(*)
FROM ports
WHERE network_id = $1 AND project_id NOT IN ($2, '')
AND device_owner NOT IN ('network:floatingip', 'network:router_gateway')";

/// A port, as a network or a device names it.
pub(crate) struct PortRow {
    pub(crate) id: String,
    pub(crate) device_owner: String,
}

pub(crate) fn ports_of_network(r: &Reader<'_>, network: &str) -> Result<Vec<PortRow>, StoreError> {
    let rows: Vec<(String, String, String)> = r.query(PORTS_OF_NETWORK, &params![network])?;
    let rows = rows.into_iter().map(|(id, device_owner, _)| PortRow { id, device_owner });
    Ok(rows.collect())
}

/// Ids of the ports of a device under one of its owners.
pub(crate) fn ports_of_device(
    r: &Reader<'_>,
    device: &str,
    owner: &str,
) -> Result<Vec<String>, StoreError> {
    let rows: Vec<(String, String)> = r.query(PORTS_OF_DEVICE, &params![device, owner])?;
    Ok(rows.into_iter().map(|(id, _)| id).collect())
}

/// Floating IPs that lead to a port: id and fixed address.
pub(crate) fn floating_of_port(
    r: &Reader<'_>,
    port: &str,
) -> Result<Vec<(String, String)>, StoreError> {
    r.query(FLOATING_OF_PORT, &params![port])
}

/// How many floating IPs need a router.
pub(crate) fn floating_of_router(r: &Reader<'_>, router: &str) -> Result<i64, StoreError> {
    r.scalar(FLOATING_OF_ROUTER, &params![router])
}

/// How many floating IPs need a router's interface on a subnet.
pub(crate) fn floating_behind(
    r: &Reader<'_>,
    router: &str,
    subnet: &str,
) -> Result<i64, StoreError> {
    r.scalar(FLOATING_BEHIND, &params![router, subnet])
}

/// How many floating IPs and gateways an external network has.
pub(crate) fn outside_ports(r: &Reader<'_>, network: &str) -> Result<i64, StoreError> {
    r.scalar(FLOATING_OF_NETWORK, &params![network])
}

/// Lets every floating IP of a port go.
pub(crate) fn release(tx: &mut Tx<'_>, port: &str, now: &str) -> Result<(), StoreError> {
    tx.execute(RELEASE, &params![port, now]).map(drop)
}

/// The first router with a gateway on the external network and an interface on the subnet.
pub(crate) fn router_between(
    r: &Reader<'_>,
    external: &str,
    subnet: &str,
) -> Result<Option<String>, StoreError> {
    let row: Option<(String, String)> = r.first(ROUTERS_BETWEEN, &params![external, subnet])?;
    Ok(row.map(|(router, _)| router))
}

/// Ids and prefixes of a network's subnets, oldest first.
pub(crate) fn subnets(r: &Reader<'_>, network: &str) -> Result<Vec<(String, String)>, StoreError> {
    r.query(SUBNETS_OF_NETWORK, &params![network])
}

/// Ids and prefixes of the subnets that a pool gave.
pub(crate) fn blocks_of_pool(
    r: &Reader<'_>,
    pool: &str,
) -> Result<Vec<(String, String)>, StoreError> {
    r.query(BLOCKS_OF_POOL, &params![pool])
}

/// How many ports of other projects a network has.
pub(crate) fn foreign_ports(r: &Reader<'_>, network: &str, owner: &str) -> Result<i64, StoreError> {
    r.scalar(FOREIGN_USERS, &params![network, owner])
}

const SHARE: &str = "
INSERT INTO rbac_policies (id, project_id, object_type, object_id, action, target_tenant)
VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT DO NOTHING";
const UNSHARE: &str = "
DELETE FROM rbac_policies
WHERE object_id = $1 AND action = $2 AND target_tenant = $3";
const SHARES: &str = "
SELECT COUNT(*)
FROM rbac_policies
WHERE object_id = $1 AND action = $2";

/// What is shared with everybody.
pub(crate) struct Share<'a> {
    pub(crate) project: &'a str,
    pub(crate) object_type: &'a str,
    pub(crate) object: &'a str,
    pub(crate) action: &'a str,
}

/// Opens something to everybody.
pub(crate) fn share(tx: &mut Tx<'_>, share: &Share<'_>) -> Result<(), StoreError> {
    let id = stackup_core::ids::uuid();
    let Share { project, object_type, object, action } = share;
    tx.execute(SHARE, &params![id, project, object_type, object, action, "*"]).map(drop)
}

/// Closes it again.
pub(crate) fn unshare(tx: &mut Tx<'_>, object: &str, action: &str) -> Result<(), StoreError> {
    tx.execute(UNSHARE, &params![object, action, "*"]).map(drop)
}

/// How many policies open something.
pub(crate) fn shares(r: &Reader<'_>, object: &str, action: &str) -> Result<i64, StoreError> {
    r.scalar(SHARES, &params![object, action])
}

const MACS: &str = "
SELECT COUNT(*)
FROM ports
WHERE network_id = $1 AND mac_address = $2";

/// Whether a port of the network has the MAC.
pub(crate) fn has_mac(r: &Reader<'_>, network: &str, mac: &str) -> Result<bool, StoreError> {
    r.scalar::<i64>(MACS, &params![network, mac]).map(|count| count > 0)
}

const PORTS_OF_PROJECT: &str = "
SELECT COUNT(*)
FROM ports
WHERE network_id = $1 AND project_id = $2";

/// How many ports of a project a network has.
pub(crate) fn ports_of_project(
    r: &Reader<'_>,
    network: &str,
    project: &str,
) -> Result<i64, StoreError> {
    r.scalar(PORTS_OF_PROJECT, &params![network, project])
}

const FLOATING_OF_PORTS: &str = "
SELECT port_id, fixed_ip_address, floating_ip_address
FROM floating_ips
WHERE port_id IN ";

/// Floating IPs that lead to ports: port, inner and outer address.
pub(crate) fn floating_of_ports(
    r: &Reader<'_>,
    ports: &[String],
) -> Result<Vec<(String, String, String)>, StoreError> {
    let mut sql = super::sql::Sql::new(FLOATING_OF_PORTS);
    sql.bind_list(ports);
    r.query(&sql.text, &sql.params)
}
