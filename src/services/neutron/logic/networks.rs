//! Networks, and the DHCP server that each may have.

use serde_json::json;
use stackup_core::{Ctx, ids};

use super::{Work, floating_ips, ipam, ports, security_groups};
use crate::Neutron;
use crate::error::{Error, Result};
use crate::model::network::{FLAT, LOCAL};
use crate::model::port::{ACTIVE, DHCP};
use crate::model::rbac_policy::{AS_EXTERNAL, AS_SHARED};
use crate::model::{FLOATING_IP, Fields, NETWORK, PORT, Record, SUBNET};
use crate::store::addresses;
use crate::store::links::{self, Share};
use crate::store::records::equals;

pub(crate) fn create(w: &mut Work<'_, '_>, mut fields: Fields) -> Result<String> {
    provider(w, &mut fields)?;
    mtu(w, &mut fields);
    check_default(w, &fields, None)?;
    let project = fields.text("project_id").unwrap_or_default().to_owned();
    security_groups::ensure_default(w, &project)?;
    fields.set("status", ACTIVE);
    fields.set("dhcp_hosted", true);
    let id = match w.insert(&NETWORK, &mut fields) {
        Err(Error::Store(error)) if error.is_unique() => {
            let network = fields.text("provider:physical_network").unwrap_or_default();
            return Err(Error::FlatNetworkInUse(network.to_owned()));
        }
        other => other?,
    };
    for (attribute, action) in OPENINGS {
        if fields.flag(attribute) == Some(true) {
            open(w, &project, &id, action)?;
        }
    }
    Ok(id)
}

/// Attributes that are RBAC policies for everybody.
const OPENINGS: [(&str, &str); 2] = [("shared", AS_SHARED), ("router:external", AS_EXTERNAL)];

pub(crate) fn update(w: &mut Work<'_, '_>, before: &Record, mut fields: Fields) -> Result<()> {
    for attribute in
        ["provider:network_type", "provider:physical_network", "provider:segmentation_id"]
    {
        if fields.get(attribute).is_some_and(|new| new != before.get(attribute)) {
            let reason = "Plugin does not support updating provider attributes";
            return Err(Error::InvalidInput(reason.to_owned()));
        }
    }
    if fields.has("mtu") {
        mtu(w, &mut fields);
    }
    check_default(w, &fields, Some(before))?;
    for (attribute, action) in OPENINGS {
        match fields.flag(attribute) {
            Some(true) if !before.flag(attribute) => {
                open(w, before.project_id(), before.id(), action)?;
            }
            Some(false) if before.flag(attribute) => {
                check_close(w, before, attribute)?;
                links::unshare(w.tx, before.id(), action)?;
            }
            Some(_) | None => {}
        }
    }
    w.update(&NETWORK, before.id(), &fields)
}

pub(crate) fn delete(w: &mut Work<'_, '_>, network: &Record) -> Result<()> {
    // Floating IPs that lead nowhere go with their network, as upstream has it.
    for floating in w.all(&FLOATING_IP, vec![equals("t.floating_network_id", network.id())])? {
        if floating.some_text("port_id").is_none() {
            floating_ips::delete(w, &floating)?;
        }
    }
    let ports = links::ports_of_network(w.reader(), network.id())?;
    let used: Vec<&str> = ports
        .iter()
        .filter(|port| port.device_owner != DHCP)
        .map(|port| port.id.as_str())
        .collect();
    if !used.is_empty() {
        return Err(Error::NetworkInUse {
            network: network.id().to_owned(),
            ports: used.join(", "),
        });
    }
    for port in &ports {
        w.delete(&PORT, &port.id)?;
    }
    for (subnet, _) in links::subnets(w.reader(), network.id())? {
        w.delete(&SUBNET, &subnet)?;
    }
    w.delete(&NETWORK, network.id())
}

fn open(w: &mut Work<'_, '_>, project: &str, network: &str, action: &str) -> Result<()> {
    let share = Share { project, object_type: "network", object: network, action };
    Ok(links::share(w.tx, &share)?)
}

fn check_close(w: &Work<'_, '_>, network: &Record, attribute: &str) -> Result<()> {
    let id = network.id();
    if attribute == "shared" {
        if links::foreign_ports(w.reader(), id, network.project_id())? > 0 {
            return Err(Error::InvalidSharedSetting(network.text("name").to_owned()));
        }
    } else if links::outside_ports(w.reader(), id)? > 0 {
        return Err(Error::ExternalNetworkInUse(id.to_owned()));
    }
    Ok(())
}

/// What the network is made of. Every network that users make is a bridge of this host alone, and
/// says so.
fn provider(w: &Work<'_, '_>, fields: &mut Fields) -> Result<()> {
    let refuse = |reason: String| Err(Error::InvalidInput(reason));
    let kind = fields.text("provider:network_type").unwrap_or(LOCAL).to_owned();
    let physical = fields.text("provider:physical_network");
    if fields.int("provider:segmentation_id").is_some() {
        return refuse(format!("segmentation_id is prohibited for {kind} provider network"));
    }
    match (kind.as_str(), physical) {
        (LOCAL, None) => {}
        (LOCAL, Some(_)) => {
            return refuse("physical_network is prohibited for local provider network".to_owned());
        }
        (FLAT, None) => {
            return refuse("physical_network required for flat provider network".to_owned());
        }
        (FLAT, Some(physical)) if !w.config.bridges.contains_key(physical) => {
            return refuse(format!(
                "physical_network '{physical}' unknown for flat provider network"
            ));
        }
        (FLAT, Some(_)) => {}
        (other, _) => return refuse(format!("network_type value '{other}' not supported")),
    }
    fields.set("provider:network_type", kind);
    Ok(())
}

fn mtu(w: &Work<'_, '_>, fields: &mut Fields) {
    if fields.int("mtu").unwrap_or_default() == 0 {
        fields.set("mtu", w.config.mtu);
    }
}

/// One external network may be the default.
fn check_default(w: &Work<'_, '_>, fields: &Fields, before: Option<&Record>) -> Result<()> {
    if fields.flag("is_default") != Some(true) {
        return Ok(());
    }
    let own = before.map_or("", Record::id);
    let other = default_external(w)?.filter(|other| other.id() != own);
    match other {
        Some(other) => Err(Error::DefaultExternalNetworkExists(other.id().to_owned())),
        None => Ok(()),
    }
}

/// The external network that is used when nobody names one.
pub(crate) fn default_external(w: &Work<'_, '_>) -> Result<Option<Record>> {
    let all = w.all(&NETWORK, Vec::new())?;
    let mut defaults = all
        .into_iter()
        .filter(|network| network.flag("is_default") && network.flag("router:external"));
    Ok(defaults.next())
}

/// Makes the DHCP port what the network's subnets ask for: there with an address on each subnet
/// that has DHCP, or not there.
pub(crate) fn ensure_dhcp(w: &mut Work<'_, '_>, network: &str) -> Result<()> {
    let subnets = w.all(&SUBNET, vec![equals("t.network_id", network)])?;
    let hosted = w.any(&NETWORK, network)?.flag("dhcp_hosted");
    let served: Vec<&Record> =
        subnets.iter().filter(|subnet| hosted && subnet.flag("enable_dhcp")).collect();
    let ports = links::ports_of_network(w.reader(), network)?;
    let port = ports.into_iter().find(|port| port.device_owner == DHCP).map(|port| port.id);
    let port = match (port, served.is_empty()) {
        (None, true) => return Ok(()),
        (Some(port), true) => return w.delete(&PORT, &port),
        (Some(port), false) => port,
        (None, false) => dhcp_port(w, network)?,
    };
    let port = w.any(&PORT, &port)?;
    let before = addresses::of_port(w.reader(), port.id())?;
    addresses::take_all(w.tx, port.id())?;
    for (position, subnet) in served.iter().enumerate() {
        let Some(block) = crate::model::subnet::Block::of(subnet) else {
            continue;
        };
        let kept = before.iter().find(|(id, _)| id == subnet.id()).map(|(_, ip)| *ip);
        let address = match kept {
            Some(address) => Some(address),
            None if block.automatic => ipam::eui64(&block, port.text("mac_address")),
            // A subnet without a free address stays without a DHCP server.
            None => ipam::pick(w, &block)?,
        };
        if let Some(address) = address {
            addresses::give(w.tx, subnet.id(), address, port.id(), position)?;
        }
    }
    Ok(())
}

fn dhcp_port(w: &mut Work<'_, '_>, network: &str) -> Result<String> {
    let record = w.any(&NETWORK, network)?;
    let host = &w.config.host;
    // neutron: dhcp<uuid5 of the host>-<network>
    let device = format!("dhcp{}-{network}", ids::named(host));
    let fields = Fields::create(
        &PORT,
        json!({
            "network_id": network,
            "project_id": record.project_id(),
            "device_id": device,
            "device_owner": DHCP,
            "binding:host_id": host,
            "port_security_enabled": false,
            "security_groups": [],
            "fixed_ips": [],
        }),
    )?;
    ports::create(w, fields)
}

impl Neutron {
    /// Gives a network its DHCP server back, or takes it away.
    pub(crate) async fn host_dhcp(&self, cx: &Ctx, network: &str, hosted: bool) -> Result<()> {
        let id = network.to_owned();
        self.work(cx, move |w| {
            let network = w.find(&NETWORK, &id)?;
            match (network.flag("dhcp_hosted"), hosted) {
                (true, true) => return Err(Error::NetworkHostedByDHCPAgent(id.clone())),
                (false, false) => return Err(Error::NetworkNotHostedByDhcpAgent(id.clone())),
                (true, false) | (false, true) => {}
            }
            w.set(&NETWORK, &id, &json!({"dhcp_hosted": hosted}))?;
            ensure_dhcp(w, &id)
        })
        .await
    }
}
