//! Who has which address.

use std::net::IpAddr;

use stackup_store::{Reader, StoreError, Tx, params};

use crate::model::ipam::Taken;

const HOLDER: &str = "
SELECT port_id, subnet_id
FROM ip_allocations
WHERE subnet_id = $1 AND ip_address = $2";
const OF_SUBNET: &str = "
SELECT ip_address, port_id
FROM ip_allocations
WHERE subnet_id = $1";
const OF_PORT: &str = "
SELECT subnet_id, ip_address
FROM ip_allocations
WHERE port_id = $1
ORDER BY position";
const GIVE: &str = "
INSERT INTO ip_allocations (subnet_id, ip_address, port_id, position)
VALUES ($1, $2, $3, $4)";
const TAKE: &str = "
DELETE FROM ip_allocations
WHERE port_id = $1";
const TAKE_FROM_SUBNET: &str = "
DELETE FROM ip_allocations
WHERE subnet_id = $1";
const CURSOR: &str = "
UPDATE subnets
SET cursor = $2
WHERE id = $1";
const USERS: &str = "
SELECT p.id, p.device_owner
FROM ip_allocations a
JOIN ports p ON p.id = a.port_id
WHERE a.subnet_id = $1";

/// The addresses given on one subnet.
pub(crate) struct Given<'a, 'r> {
    pub(crate) r: &'a Reader<'r>,
    pub(crate) subnet: &'a str,
}

impl Taken for Given<'_, '_> {
    type Error = StoreError;

    fn is_taken(&self, address: IpAddr) -> Result<bool, StoreError> {
        holder(self.r, self.subnet, address).map(|holder| holder.is_some())
    }

    fn all(&self) -> Result<Vec<IpAddr>, StoreError> {
        Ok(of_subnet(self.r, self.subnet)?.into_iter().map(|(address, _)| address).collect())
    }
}

/// The port that has an address.
pub(crate) fn holder(
    r: &Reader<'_>,
    subnet: &str,
    address: IpAddr,
) -> Result<Option<String>, StoreError> {
    let row: Option<(String, String)> = r.first(HOLDER, &params![subnet, address.to_string()])?;
    Ok(row.map(|(port, _)| port))
}

/// Every address of a subnet, with its port.
pub(crate) fn of_subnet(r: &Reader<'_>, subnet: &str) -> Result<Vec<(IpAddr, String)>, StoreError> {
    let rows: Vec<(String, String)> = r.query(OF_SUBNET, &params![subnet])?;
    let parsed = rows.into_iter().filter_map(|(address, port)| Some((address.parse().ok()?, port)));
    Ok(parsed.collect())
}

/// The addresses of a port: subnet and address.
pub(crate) fn of_port(r: &Reader<'_>, port: &str) -> Result<Vec<(String, IpAddr)>, StoreError> {
    let rows: Vec<(String, String)> = r.query(OF_PORT, &params![port])?;
    let parsed =
        rows.into_iter().filter_map(|(subnet, address)| Some((subnet, address.parse().ok()?)));
    Ok(parsed.collect())
}

/// Fails as [`StoreError::Unique`] when the address has a port already.
pub(crate) fn give(
    tx: &mut Tx<'_>,
    subnet: &str,
    address: IpAddr,
    port: &str,
    position: usize,
) -> Result<(), StoreError> {
    tx.execute(GIVE, &params![subnet, address.to_string(), port, position]).map(drop)
}

/// Takes every address from a port.
pub(crate) fn take_all(tx: &mut Tx<'_>, port: &str) -> Result<(), StoreError> {
    tx.execute(TAKE, &params![port]).map(drop)
}

/// Takes the addresses of a subnet from whoever has them.
pub(crate) fn take_subnet(tx: &mut Tx<'_>, subnet: &str) -> Result<(), StoreError> {
    tx.execute(TAKE_FROM_SUBNET, &params![subnet]).map(drop)
}

/// Remembers where the search for an address ended.
pub(crate) fn set_cursor(tx: &mut Tx<'_>, subnet: &str, address: IpAddr) -> Result<(), StoreError> {
    tx.execute(CURSOR, &params![subnet, address.to_string()]).map(drop)
}

/// The ports with an address of the subnet: id and device owner.
pub(crate) fn users(r: &Reader<'_>, subnet: &str) -> Result<Vec<(String, String)>, StoreError> {
    r.query(USERS, &params![subnet])
}
