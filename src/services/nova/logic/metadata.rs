//! What a guest is told about itself: gathered here, rendered by `model::metadata`.

use std::net::IpAddr;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha512};
use stackup_contracts::{PortInfo, SubnetInfo};

use crate::Nova;
use crate::drivers::GuestFiles;
use crate::model::metadata::{Address, AddressKind, InstanceMetadata, Link, Route};
use crate::model::server::Server;

/// Gathers it. `admin_pass` is known only while the server is built.
pub(crate) fn gather(
    nova: &Nova,
    server: &Server,
    ports: &[PortInfo],
    admin_pass: Option<&str>,
) -> InstanceMetadata {
    let mut groups: Vec<String> = Vec::new();
    for group in ports.iter().flat_map(|port| &port.security_groups) {
        if !groups.contains(&group.name) {
            groups.push(group.name.clone());
        }
    }
    let floating = ports.iter().flat_map(|port| &port.fixed_ips).flat_map(|ip| &ip.floating);
    let personality = server.boot.personality.iter();
    InstanceMetadata {
        uuid: server.id.to_string(),
        row: server.row,
        name: server.name.clone(),
        hostname: hostname(server, &nova.config.dhcp_domain),
        project_id: server.project_id.to_string(),
        availability_zone: server.zone.clone().unwrap_or_else(|| nova.config.zone.clone()),
        launch_index: server.launch_index,
        reservation_id: server.reservation_id.clone(),
        flavor_name: server.flavor.name.clone(),
        meta: server.metadata.clone(),
        keys: server.key.clone().into_iter().collect(),
        user_data: server.user_data.as_deref().and_then(decode),
        admin_pass: admin_pass.map(str::to_owned),
        random_seed: Some(random_seed(&server.boot.seed)),
        password: server.password.clone(),
        files: personality.filter_map(|(path, text)| Some((path.clone(), decode(text)?))).collect(),
        devices: devices(server, ports),
        links: ports.iter().map(link).collect(),
        security_groups: groups,
        public_ipv4: floating.filter(|ip| ip.is_ipv4()).map(IpAddr::to_string).next(),
        image_row: 1,
        root_device: root_device(server),
    }
}

/// `/dev/vda`, or what the driver called the first disk.
pub(crate) fn root_device(server: &Server) -> String {
    let first =
        |files: &GuestFiles| files.disks.first().map(|disk| format!("/dev/{}", disk.device));
    server.files.as_ref().and_then(first).unwrap_or_else(|| "/dev/vda".to_owned())
}

fn hostname(server: &Server, domain: &str) -> String {
    match domain.is_empty() || server.hostname.contains('.') {
        true => server.hostname.clone(),
        false => format!("{}.{domain}", server.hostname),
    }
}

fn devices(server: &Server, ports: &[PortInfo]) -> Vec<serde_json::Value> {
    let tagged = ports.iter();
    tagged
        .filter_map(|port| {
            let tag = server.boot.port_tags.get(port.id.as_str())?;
            Some(serde_json::json!({
                "type": "nic", "bus": "none", "address": "none", "mac": port.mac, "tags": [tag]
            }))
        })
        .collect()
}

/// 512 bytes that follow from the server's own 32.
fn random_seed(seed: &str) -> String {
    let blocks = (0_u8..8).flat_map(|n| {
        let mut hash = Sha512::new();
        hash.update(seed.as_bytes());
        hash.update([n]);
        hash.finalize().to_vec()
    });
    STANDARD.encode(blocks.collect::<Vec<u8>>())
}

fn decode(text: &str) -> Option<Vec<u8>> {
    STANDARD.decode(text).ok()
}

fn link(port: &PortInfo) -> Link {
    let addresses = port.fixed_ips.iter().filter_map(|ip| {
        let subnet = port.network.subnets.iter().find(|subnet| subnet.id == ip.subnet_id)?;
        Some(address(&ip.address, subnet))
    });
    Link {
        port_id: port.id.to_string(),
        network_id: port.network.id.to_string(),
        kind: port.vif_type.clone(),
        mac: port.mac.clone(),
        mtu: Some(port.network.mtu).filter(|mtu| *mtu > 0),
        addresses: addresses.collect(),
    }
}

fn address(ip: &IpAddr, subnet: &SubnetInfo) -> Address {
    let kind = match (ip, subnet.ipv6_address_mode.as_deref()) {
        (IpAddr::V6(_), Some("slaac")) => AddressKind::Slaac,
        (IpAddr::V6(_), Some("dhcpv6-stateless")) => AddressKind::Dhcpv6Stateless,
        (IpAddr::V6(_), Some("dhcpv6-stateful")) => AddressKind::Dhcpv6Stateful,
        _ if subnet.dhcp => AddressKind::Dhcp,
        _ => AddressKind::Static,
    };
    Address {
        ip: ip.to_string(),
        cidr: subnet.cidr.to_string(),
        gateway: subnet.gateway.map(|gateway| gateway.to_string()),
        kind,
        dns: subnet.dns.iter().map(IpAddr::to_string).collect(),
        routes: subnet
            .routes
            .iter()
            .map(|(destination, nexthop)| Route {
                destination: destination.to_string(),
                nexthop: nexthop.to_string(),
            })
            .collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_seed_is_the_same_at_every_look() {
        let seed = random_seed("00ff");
        assert_eq!(seed, random_seed("00ff"));
        assert_eq!(STANDARD.decode(seed).unwrap().len(), 512);
    }
}
