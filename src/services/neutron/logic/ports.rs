//! Ports.

use rand::Rng;
use serde_json::{Value as Json, json};

use super::ipam::{Seeker, assign};
use super::{Work, security_groups};
use crate::error::{Error, Result};
use crate::model::port::{self, DOWN, NOT_APPLICABLE, is_network_device, is_service_port};
use crate::model::{Fields, NETWORK, PORT, ROUTER, Record, SECURITY_GROUP};
use crate::store::links::{BRIDGE, UNBOUND};
use crate::store::{addresses, groups, links};

pub(crate) fn create(w: &mut Work<'_, '_>, mut fields: Fields) -> Result<String> {
    let network = w.any(&NETWORK, fields.text("network_id").unwrap_or_default())?;
    let owner = fields.text("device_owner").unwrap_or_default().to_owned();
    fields.set_default("port_security_enabled", network.flag("port_security_enabled"));
    let groups = groups_of_new(w, &fields, &owner)?;
    check_pairs(&fields, None)?;
    if !fields.has("mac_address") {
        fields.set("mac_address", free_mac(w, network.id())?);
    }
    let mac = fields.text("mac_address").unwrap_or_default().to_owned();
    fill_pairs(&mut fields, &mac);
    fields.set_default("binding:profile", json!({}));
    bind(&mut fields);
    // Nothing is ever plugged into the port of a floating IP.
    fields.set("status", if owner == port::FLOATING_IP { NOT_APPLICABLE } else { DOWN });
    let wanted = fields.take("fixed_ips");
    let id = match w.insert(&PORT, &mut fields) {
        Err(Error::Store(error)) if error.is_unique() => {
            return Err(mac_in_use(network.id(), &mac));
        }
        other => other?,
    };
    let seeker = Seeker { port: &id, network: network.id(), mac: &mac, device_owner: &owner };
    assign(w, &seeker, wanted.as_ref().and_then(Json::as_array).map(Vec::as_slice), &[])?;
    groups::set(w.tx, &id, &groups)?;
    let port = w.any(&PORT, &id)?;
    w.touch_server(&port);
    Ok(id)
}

pub(crate) fn update(w: &mut Work<'_, '_>, before: &Record, mut fields: Fields) -> Result<()> {
    w.touch_server(before);
    let network = before.text("network_id");
    change_mac(before, &fields)?;
    let mac = fields.text("mac_address").unwrap_or(before.text("mac_address")).to_owned();
    check_pairs(&fields, Some(before))?;
    fill_pairs(&mut fields, &mac);
    change_groups(w, before, &fields)?;
    if fields.has("binding:host_id") {
        bind(&mut fields);
    }
    let unbound = fields.get("device_id").is_some_and(|id| id == "")
        || fields.get("binding:host_id").is_some_and(|host| host == "");
    if unbound || fields.flag("admin_state_up") == Some(false) {
        fields.set("status", DOWN);
    }
    let owner = fields.text("device_owner").unwrap_or(before.text("device_owner")).to_owned();
    let wanted = fields.take("fixed_ips");
    match w.update(&PORT, before.id(), &fields) {
        Err(Error::Store(error)) if error.is_unique() => return Err(mac_in_use(network, &mac)),
        other => other?,
    }
    if let Some(wanted) = wanted.as_ref().and_then(Json::as_array) {
        readdress(w, before, &mac, &owner, wanted)?;
    }
    let after = w.any(&PORT, before.id())?;
    w.touch_server(&after);
    Ok(())
}

/// Gives a port other addresses; floating IPs of addresses that it loses are let go.
fn readdress(
    w: &mut Work<'_, '_>,
    port: &Record,
    mac: &str,
    owner: &str,
    wanted: &[Json],
) -> Result<()> {
    let had = addresses::of_port(w.reader(), port.id())?;
    addresses::take_all(w.tx, port.id())?;
    let seeker =
        Seeker { port: port.id(), network: port.text("network_id"), mac, device_owner: owner };
    assign(w, &seeker, Some(wanted), &had)?;
    let has = addresses::of_port(w.reader(), port.id())?;
    let lost = |fixed: &str| !has.iter().any(|(_, address)| address.to_string() == fixed);
    let floating = links::floating_of_port(w.reader(), port.id())?;
    if floating.iter().any(|(_, fixed)| lost(fixed)) {
        links::release(w.tx, port.id(), &w.now.micros_z())?;
    }
    Ok(())
}

pub(crate) fn delete(w: &mut Work<'_, '_>, port: &Record) -> Result<()> {
    let owner = port.text("device_owner");
    if is_service_port(owner) && device_is_there(w, port)? {
        return Err(Error::ServicePortInUse {
            port: port.id().to_owned(),
            reason: format!("has device owner {owner}"),
        });
    }
    w.touch_server(port);
    remove(w, port.id())
}

/// Removes a port and lets its floating IPs go, whatever it is.
pub(crate) fn remove(w: &mut Work<'_, '_>, port: &str) -> Result<()> {
    links::release(w.tx, port, &w.now.micros_z())?;
    w.delete(&PORT, port)
}

/// Whether the router or floating IP that has the port is still there.
fn device_is_there(w: &Work<'_, '_>, port: &Record) -> Result<bool> {
    let device = port.text("device_id");
    for resource in [&ROUTER, &crate::model::FLOATING_IP] {
        match w.any(resource, device) {
            Ok(_) => return Ok(true),
            Err(Error::RouterNotFound(_) | Error::FloatingIPNotFound(_)) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(false)
}

fn groups_of_new(w: &mut Work<'_, '_>, fields: &Fields, owner: &str) -> Result<Vec<String>> {
    let secure = fields.flag("port_security_enabled") == Some(true);
    let Some(given) = fields.list("security_groups") else {
        if !secure || is_network_device(owner) {
            return Ok(Vec::new());
        }
        let project = fields.text("project_id").unwrap_or_default().to_owned();
        return Ok(vec![security_groups::ensure_default(w, &project)?]);
    };
    if !given.is_empty() && !secure {
        return Err(Error::PortSecurityAndIPRequiredForSecurityGroups);
    }
    visible_groups(w, given)
}

/// The ids of groups, each of which the caller must see.
fn visible_groups(w: &Work<'_, '_>, given: &[Json]) -> Result<Vec<String>> {
    let ids = given.iter().filter_map(Json::as_str);
    ids.map(|id| Ok(w.find(&SECURITY_GROUP, id)?.id().to_owned())).collect()
}

fn change_groups(w: &mut Work<'_, '_>, before: &Record, fields: &Fields) -> Result<()> {
    let secure =
        fields.flag("port_security_enabled").unwrap_or(before.flag("port_security_enabled"));
    match fields.list("security_groups") {
        Some(given) if !given.is_empty() && !secure => {
            Err(Error::PortSecurityAndIPRequiredForSecurityGroups)
        }
        Some(given) => {
            let groups = visible_groups(w, given)?;
            Ok(groups::set(w.tx, before.id(), &groups)?)
        }
        None if !secure && !before.list("security_groups").is_empty() => {
            Err(Error::PortSecurityPortHasSecurityGroup)
        }
        None => Ok(()),
    }
}

fn check_pairs(fields: &Fields, before: Option<&Record>) -> Result<()> {
    let secure = fields
        .flag("port_security_enabled")
        .or(before.map(|port| port.flag("port_security_enabled")))
        .unwrap_or(true);
    let given = fields.list("allowed_address_pairs");
    let kept = before.map_or(&[][..], |port| port.list("allowed_address_pairs"));
    if !secure && !given.unwrap_or(kept).is_empty() {
        return Err(Error::AddressPairAndPortSecurityRequired);
    }
    Ok(())
}

/// A pair without a MAC has the port's.
fn fill_pairs(fields: &mut Fields, mac: &str) {
    let Some(mut pairs) = fields.list("allowed_address_pairs").map(<[Json]>::to_vec) else {
        return;
    };
    for pair in &mut pairs {
        if pair.get("mac_address").is_none() {
            pair["mac_address"] = json!(mac);
        }
    }
    fields.set("allowed_address_pairs", pairs);
}

/// A port on a host hangs on a bridge there; one without a host hangs nowhere.
fn bind(fields: &mut Fields) {
    let bound = fields.text("binding:host_id").is_some();
    fields.set("binding:vif_type", if bound { BRIDGE } else { UNBOUND });
}

fn change_mac(before: &Record, fields: &Fields) -> Result<()> {
    let old = before.text("mac_address");
    match fields.text("mac_address") {
        Some(new) if new != old && before.some_text("binding:host_id").is_some() => {
            Err(Error::PortBound {
                port: before.id().to_owned(),
                vif_type: before.text("binding:vif_type").to_owned(),
                old: old.to_owned(),
                new: new.to_owned(),
            })
        }
        _ => Ok(()),
    }
}

fn mac_in_use(network: &str, mac: &str) -> Error {
    Error::MacAddressInUse { network: network.to_owned(), mac: mac.to_owned() }
}

/// A MAC of OpenStack's own prefix that the network does not have yet.
fn free_mac(w: &Work<'_, '_>, network: &str) -> Result<String> {
    loop {
        let [a, b, c] = rand::rng().random::<[u8; 3]>();
        let mac = format!("fa:16:3e:{a:02x}:{b:02x}:{c:02x}");
        if !links::has_mac(w.reader(), network, &mac)? {
            return Ok(mac);
        }
    }
}
