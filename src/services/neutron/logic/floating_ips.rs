//! Floating IPs.

use std::net::IpAddr;

use serde_json::{Value as Json, json};
use stackup_core::ids;

use super::{Work, ipam, ports};
use crate::error::{Error, Result};
use crate::model::port::{self, ACTIVE, DOWN};
use crate::model::{FLOATING_IP, Fields, NETWORK, PORT, Record};
use crate::store::{addresses, links};

pub(crate) fn create(w: &mut Work<'_, '_>, mut fields: Fields) -> Result<String> {
    let network = fields.text("floating_network_id").unwrap_or_default().to_owned();
    if !w.find(&NETWORK, &network)?.flag("router:external") {
        return Err(bad(format!("Network {network} is not a valid external network")));
    }
    let id = ids::uuid();
    let ip = choose(w, &fields, &network)?;
    let outer = json!({
        "network_id": network,
        "project_id": "",
        "device_id": id,
        "device_owner": port::FLOATING_IP,
        "security_groups": [],
        "fixed_ips": [ip],
    });
    let outer = ports::create(w, Fields::create(&PORT, outer)?)?;
    let address = addresses::of_port(w.reader(), &outer)?;
    let address = address.first().map(|(_, address)| address.to_string());
    fields.set("id", id.clone());
    fields.set("floating_ip_address", address);
    fields.set("floating_port_id", outer);
    fields.set("status", DOWN);
    let (inner, fixed) = (fields.take("port_id"), fields.take("fixed_ip_address"));
    w.insert(&FLOATING_IP, &mut fields)?;
    let record = w.any(&FLOATING_IP, &id)?;
    lead(w, &record, inner.as_ref(), fixed.as_ref())?;
    Ok(id)
}

pub(crate) fn update(w: &mut Work<'_, '_>, before: &Record, mut fields: Fields) -> Result<()> {
    let fixed = fields.take("fixed_ip_address");
    if let Some(inner) = fields.take("port_id") {
        lead(w, before, Some(&inner), fixed.as_ref())?;
    } else if fixed.as_ref().is_some_and(|fixed| !fixed.is_null()) {
        return Err(bad(FIXED_WITHOUT_PORT.to_owned()));
    }
    w.update(&FLOATING_IP, before.id(), &fields)
}

pub(crate) fn delete(w: &mut Work<'_, '_>, floating: &Record) -> Result<()> {
    touch(w, floating)?;
    w.delete(&FLOATING_IP, floating.id())?;
    ports::remove(w, floating.text("floating_port_id"))
}

const FIXED_WITHOUT_PORT: &str = "fixed_ip_address cannot be specified without a port_id";

fn bad(message: String) -> Error {
    Error::BadRequest { resource: "floatingip", message }
}

/// The address asked for, or the next free one of the network's IPv4 subnets.
fn choose(w: &mut Work<'_, '_>, fields: &Fields, network: &str) -> Result<Json> {
    if let Some(address) = fields.text("floating_ip_address") {
        return Ok(json!({"ip_address": address}));
    }
    let only = fields.text("subnet_id");
    for block in ipam::blocks(w, network)? {
        let wanted = only.is_none_or(|only| only == block.id);
        if !wanted || block.cidr.addr().is_ipv6() || !block.serves(port::FLOATING_IP) {
            continue;
        }
        if let Some(address) = ipam::pick(w, &block)? {
            return Ok(json!({"subnet_id": block.id, "ip_address": address.to_string()}));
        }
    }
    Err(Error::ExternalIpAddressExhausted(network.to_owned()))
}

/// Makes the address lead to a port, or nowhere.
fn lead(
    w: &mut Work<'_, '_>,
    floating: &Record,
    port: Option<&Json>,
    fixed: Option<&Json>,
) -> Result<()> {
    touch(w, floating)?;
    let fixed = fixed.and_then(Json::as_str);
    let Some(port) = port.and_then(Json::as_str) else {
        if fixed.is_some() {
            return Err(bad(FIXED_WITHOUT_PORT.to_owned()));
        }
        let nowhere = json!({
            "port_id": null, "fixed_ip_address": null, "router_id": null, "status": DOWN,
        });
        return w.set(&FLOATING_IP, floating.id(), &nowhere);
    };
    let port = w.find(&PORT, port)?;
    if port.project_id() != floating.project_id() && !w.cx.is_admin() {
        return Err(bad(format!(
            "Port {} is associated with a different tenant than Floating IP {} and therefore \
             cannot be bound",
            port.id(),
            floating.id()
        )));
    }
    let (subnet, address) = inner_address(w, &port, fixed)?;
    let network = floating.text("floating_network_id");
    let router = links::router_between(w.reader(), network, &subnet)?.ok_or_else(|| {
        Error::ExternalGatewayForFloatingIPNotFound {
            network: network.to_owned(),
            subnet: subnet.clone(),
            port: port.id().to_owned(),
        }
    })?;
    let there = json!({
        "port_id": port.id(),
        "fixed_ip_address": address.to_string(),
        "router_id": router,
        "status": ACTIVE,
    });
    match w.set(&FLOATING_IP, floating.id(), &there) {
        Err(Error::Store(error)) if error.is_unique() => {
            return Err(Error::FloatingIPPortAlreadyAssociated {
                address: floating.text("floating_ip_address").to_owned(),
                id: floating.id().to_owned(),
                port: port.id().to_owned(),
                fixed: address.to_string(),
                network: network.to_owned(),
            });
        }
        other => other?,
    }
    w.touch_server(&port);
    Ok(())
}

/// The port's address that the floating one will lead to, with its subnet.
fn inner_address(w: &Work<'_, '_>, port: &Record, fixed: Option<&str>) -> Result<(String, IpAddr)> {
    let ips = addresses::of_port(w.reader(), port.id())?;
    if let Some(fixed) = fixed {
        let found = ips.into_iter().find(|(_, address)| address.to_string() == fixed);
        return found
            .ok_or_else(|| bad(format!("Port {} does not have fixed ip {fixed}", port.id())));
    }
    let mut v4 = ips.into_iter().filter(|(_, address)| address.is_ipv4());
    match (v4.next(), v4.next()) {
        (Some(only), None) => Ok(only),
        (Some(_), Some(_)) => Err(bad(format!(
            "Port {} has multiple fixed IPv4 addresses.  Must provide a specific IPv4 address \
             when assigning a floating IP",
            port.id()
        ))),
        (None, _) => Err(bad(format!(
            "Cannot add floating IP to port {} that has no fixed IPv4 addresses",
            port.id()
        ))),
    }
}

/// The server that the address leads to now will hear of the change.
fn touch(w: &mut Work<'_, '_>, floating: &Record) -> Result<()> {
    if let Some(port) = floating.some_text("port_id") {
        let port = w.any(&PORT, port)?;
        w.touch_server(&port);
    }
    Ok(())
}
