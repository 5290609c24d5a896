//! Subnets.

use std::net::IpAddr;

use ipnet::IpNet;
use serde_json::{Value as Json, json};

use super::{Work, networks, subnet_pools};
use crate::error::{Error, Result};
use crate::model::ipam::{Range, default_gateway, default_pools, overlap, usable};
use crate::model::port::{DHCP, is_network_device};
use crate::model::subnet::{Block, range};
use crate::model::{Fields, Record, SUBNET};
use crate::store::{addresses, links};

pub(crate) fn create(w: &mut Work<'_, '_>, mut fields: Fields) -> Result<String> {
    let network = fields.text("network_id").unwrap_or_default().to_owned();
    let cidr = choose_cidr(w, &mut fields)?;
    check_cidr(&fields, cidr)?;
    check_modes(&fields, cidr)?;
    for (_, other) in links::subnets(w.reader(), &network)? {
        if other.parse().is_ok_and(|other: IpNet| overlap(&other, &cidr)) {
            return Err(refuse(format!(
                "Requested subnet with cidr: {cidr} for network: {network} overlaps with another subnet"
            )));
        }
    }
    let gateway = match fields.get("gateway_ip") {
        Some(given) => given.as_str().and_then(|text| text.parse().ok()),
        None => Some(default_gateway(cidr)),
    };
    check_gateway(cidr, gateway)?;
    let pools = match fields.list("allocation_pools") {
        Some(given) => given.iter().map(range).collect(),
        None => default_pools(cidr, gateway),
    };
    check_pools(cidr, &pools)?;
    check_conflict(gateway, &pools)?;
    check_routes(&fields, cidr)?;
    fields.set("cidr", cidr.to_string());
    fields.set("gateway_ip", gateway.map_or(Json::Null, |ip| json!(ip.to_string())));
    fields.set("allocation_pools", pools_json(&pools));
    let id = w.insert(&SUBNET, &mut fields)?;
    networks::ensure_dhcp(w, &network)?;
    Ok(id)
}

pub(crate) fn update(w: &mut Work<'_, '_>, before: &Record, mut fields: Fields) -> Result<()> {
    let Some(block) = Block::of(before) else {
        return Err(Error::SubnetNotFound(before.id().to_owned()));
    };
    let gateway = match fields.get("gateway_ip") {
        Some(given) => given.as_str().and_then(|text| text.parse().ok()),
        None => block.gateway,
    };
    if gateway != block.gateway {
        check_gateway(block.cidr, gateway)?;
        gateway_unused(w, &block)?;
    }
    let pools = match fields.list("allocation_pools") {
        Some(given) => {
            let pools: Vec<Range> = given.iter().map(range).collect();
            check_pools(block.cidr, &pools)?;
            pools
        }
        None => block.pools.clone(),
    };
    check_conflict(gateway, &pools)?;
    check_routes(&fields, block.cidr)?;
    if fields.flag("enable_dhcp") == Some(false) && before.some_text("ipv6_ra_mode").is_some() {
        return Err(refuse(MODES_NEED_DHCP.to_owned()));
    }
    if fields.has("allocation_pools") {
        fields.set("allocation_pools", pools_json(&pools));
    }
    w.update(&SUBNET, before.id(), &fields)?;
    networks::ensure_dhcp(w, before.text("network_id"))
}

pub(crate) fn delete(w: &mut Work<'_, '_>, subnet: &Record) -> Result<()> {
    let automatic = Block::of(subnet).is_some_and(|block| block.automatic);
    for (_, owner) in addresses::users(w.reader(), subnet.id())? {
        // Automatic addresses go with the subnet, as upstream has it; a router's does not.
        let goes = owner == DHCP || (automatic && !is_network_device(&owner));
        if !goes {
            return Err(Error::SubnetInUse(subnet.id().to_owned()));
        }
    }
    addresses::take_subnet(w.tx, subnet.id())?;
    w.delete(&SUBNET, subnet.id())?;
    networks::ensure_dhcp(w, subnet.text("network_id"))
}

const MODES_NEED_DHCP: &str =
    "ipv6_ra_mode or ipv6_address_mode cannot be set when enable_dhcp is set to False";

fn refuse(reason: String) -> Error {
    Error::InvalidInput(reason)
}

/// The block: the one asked for, or one of a pool.
fn choose_cidr(w: &mut Work<'_, '_>, fields: &mut Fields) -> Result<IpNet> {
    let given: Option<IpNet> = fields.text("cidr").and_then(|text| text.parse().ok());
    let version = fields.int("ip_version").unwrap_or(4);
    let pool = match fields.text("subnetpool_id") {
        Some(id) => Some(w.find(&crate::model::SUBNET_POOL, id)?),
        None if fields.flag("use_default_subnetpool") == Some(true) => {
            let pool = subnet_pools::default_of(w, version)?;
            let message = "No default subnetpool found";
            Some(pool.ok_or_else(|| bad(format!("{message} for IPv{version}")))?)
        }
        None => None,
    };
    let Some(pool) = pool else {
        if fields.has("prefixlen") && given.is_none() {
            let message = "allocation of a prefix needs a subnetpool";
            return Err(bad(message.to_owned()));
        }
        return given.ok_or_else(|| {
            bad("a subnetpool must be specified in the absence of a cidr".to_owned())
        });
    };
    if pool.int("ip_version") != version {
        return Err(bad("Cannot use a subnetpool of another IP version".to_owned()));
    }
    let project = fields.text("project_id").unwrap_or_default();
    let cidr = subnet_pools::allocate(w, &pool, project, given, fields.int("prefixlen"))?;
    fields.set("subnetpool_id", pool.id());
    Ok(cidr)
}

fn bad(message: String) -> Error {
    Error::BadRequest { resource: "subnets", message }
}

fn check_cidr(fields: &Fields, cidr: IpNet) -> Result<()> {
    let version = fields.int("ip_version").unwrap_or(4);
    if cidr.addr().is_ipv4() != (version == 4) {
        return Err(refuse(format!("cidr '{cidr}' does not match the ip_version '{version}'")));
    }
    if cidr.prefix_len() == 0 {
        return Err(refuse("0 is not allowed as CIDR prefix length".to_owned()));
    }
    let ip = cidr.network();
    if ip.is_multicast() || ip.is_loopback() {
        return Err(refuse(format!("{cidr} cannot be used as a subnet")));
    }
    Ok(())
}

fn check_modes(fields: &Fields, cidr: IpNet) -> Result<()> {
    let (ra, address) = (fields.text("ipv6_ra_mode"), fields.text("ipv6_address_mode"));
    for (name, mode) in [("ipv6_ra_mode", ra), ("ipv6_address_mode", address)] {
        if mode.is_some() && cidr.addr().is_ipv4() {
            return Err(refuse(format!("{name} is not valid when ip_version is 4")));
        }
    }
    if ra.is_none() && address.is_none() {
        return Ok(());
    }
    if fields.flag("enable_dhcp") == Some(false) {
        return Err(refuse(MODES_NEED_DHCP.to_owned()));
    }
    if let (Some(ra), Some(address)) = (ra, address)
        && ra != address
    {
        return Err(refuse(format!(
            "ipv6_ra_mode set to '{ra}' with ipv6_address_mode set to '{address}' is not valid. \
             If both attributes are set, they must be the same value"
        )));
    }
    let automatic = |mode: Option<&str>| matches!(mode, Some("slaac" | "dhcpv6-stateless"));
    if (automatic(ra) || automatic(address)) && cidr.prefix_len() != 64 {
        return Err(refuse(format!(
            "Invalid CIDR {cidr} for IPv6 address mode. OpenStack uses the EUI-64 address format, \
             which requires the prefix to be /64"
        )));
    }
    Ok(())
}

/// An address of the other family, or one that no host has, is no gateway. One outside the block
/// is, as upstream has it.
fn check_gateway(cidr: IpNet, gateway: Option<IpAddr>) -> Result<()> {
    let Some(gateway) = gateway else {
        return Ok(());
    };
    if gateway.is_ipv4() != cidr.addr().is_ipv4() {
        let version = if cidr.addr().is_ipv4() { 4 } else { 6 };
        return Err(refuse(format!(
            "gateway_ip '{gateway}' does not match the ip_version '{version}'"
        )));
    }
    let inside = cidr.contains(&gateway);
    if inside && !usable(cidr).contains(gateway) && gateway.is_ipv4() {
        return Err(refuse("Gateway is not valid on subnet".to_owned()));
    }
    Ok(())
}

fn check_pools(cidr: IpNet, pools: &[Range]) -> Result<()> {
    let shown = |pool: &Range| format!("{}-{}", pool.start, pool.end);
    for pool in pools {
        if !pool.is_ordered() || pool.start.is_ipv4() != cidr.addr().is_ipv4() {
            return Err(Error::InvalidAllocationPool { pool: shown(pool) });
        }
        let all = usable(cidr);
        if !all.contains(pool.start) || !all.contains(pool.end) {
            return Err(Error::OutOfBoundsAllocationPool {
                pool: shown(pool),
                cidr: cidr.to_string(),
            });
        }
    }
    for (index, pool) in pools.iter().enumerate() {
        let others = pools.get(index + 1..).unwrap_or_default();
        if let Some(other) = others.iter().find(|other| other.overlaps(pool)) {
            return Err(Error::OverlappingAllocationPools {
                one: shown(pool),
                other: shown(other),
                cidr: cidr.to_string(),
            });
        }
    }
    Ok(())
}

fn check_conflict(gateway: Option<IpAddr>, pools: &[Range]) -> Result<()> {
    let Some(gateway) = gateway else {
        return Ok(());
    };
    match pools.iter().find(|pool| pool.contains(gateway)) {
        Some(pool) => Err(Error::GatewayConflictWithAllocationPools {
            address: gateway.to_string(),
            pool: format!("{}-{}", pool.start, pool.end),
        }),
        None => Ok(()),
    }
}

fn check_routes(fields: &Fields, cidr: IpNet) -> Result<()> {
    for route in fields.list("host_routes").unwrap_or_default() {
        let text = |key: &str| route.get(key).and_then(Json::as_str).unwrap_or_default();
        let destination: Option<IpNet> = text("destination").parse().ok();
        let nexthop: Option<IpAddr> = text("nexthop").parse().ok();
        let v4 = cidr.addr().is_ipv4();
        let fits = destination.is_some_and(|net| net.addr().is_ipv4() == v4)
            && nexthop.is_some_and(|ip| ip.is_ipv4() == v4);
        if !fits {
            return Err(refuse(format!("host route {route} does not match the ip_version")));
        }
    }
    Ok(())
}

/// A router's interface holds the gateway's address: it must go first.
fn gateway_unused(w: &Work<'_, '_>, block: &Block) -> Result<()> {
    let Some(gateway) = block.gateway else {
        return Ok(());
    };
    match addresses::holder(w.reader(), &block.id, gateway)? {
        Some(port) => Err(Error::GatewayIpInUse { address: gateway.to_string(), port }),
        None => Ok(()),
    }
}

fn pools_json(pools: &[Range]) -> Json {
    let pools = pools
        .iter()
        .map(|pool| json!({"start": pool.start.to_string(), "end": pool.end.to_string()}));
    Json::Array(pools.collect())
}
