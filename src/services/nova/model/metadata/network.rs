//! network_data.json: the guest's links, its addresses on them, and name servers.

use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// A network card as the guest sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Link {
    pub port_id: String,
    pub network_id: String,
    /// `bridge`, `ovs`, …: the port's vif_type.
    pub kind: String,
    pub mac: String,
    pub mtu: Option<u32>,
    pub addresses: Vec<Address>,
}

/// A fixed address of a card and what its subnet says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Address {
    pub ip: String,
    /// The subnet, `10.0.0.0/26`.
    pub cidr: String,
    pub gateway: Option<String>,
    pub kind: AddressKind,
    pub dns: Vec<String>,
    pub routes: Vec<Route>,
}

/// How the guest comes by the address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum AddressKind {
    Static,
    Dhcp,
    Slaac,
    Dhcpv6Stateless,
    Dhcpv6Stateful,
}

/// A host route of the subnet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Route {
    pub destination: String,
    pub nexthop: String,
}

pub(super) fn document(links: &[Link]) -> Value {
    let mut networks = Vec::new();
    let mut services: Vec<Value> = Vec::new();
    for link in links {
        for address in &link.addresses {
            networks.push(network(networks.len(), link, address));
            for service in dns(address) {
                if !services.contains(&service) {
                    services.push(service);
                }
            }
        }
    }
    json!({
        "links": links.iter().map(card).collect::<Vec<_>>(),
        "networks": networks,
        "services": services,
    })
}

fn card(link: &Link) -> Value {
    json!({
        "id": link_id(link),
        "vif_id": link.port_id,
        "type": link.kind,
        "mtu": link.mtu,
        "ethernet_mac_address": link.mac,
    })
}

fn network(index: usize, link: &Link, address: &Address) -> Value {
    let v6 = address.ip.contains(':');
    let mut network = json!({
        "id": format!("network{index}"),
        "type": kind(v6, address.kind),
        "link": link_id(link),
    });
    // By DHCP the guest learns the rest from the server; nova leaves it out.
    if address.kind != AddressKind::Dhcp {
        network["ip_address"] = json!(address.ip);
        network["netmask"] = json!(netmask(&address.cidr));
        network["routes"] = routes(v6, address);
        network["services"] = json!(dns(address));
    }
    network["network_id"] = json!(link.network_id);
    network
}

fn kind(v6: bool, kind: AddressKind) -> &'static str {
    match (v6, kind) {
        (false, AddressKind::Dhcp) => "ipv4_dhcp",
        (false, _) => "ipv4",
        (true, AddressKind::Static) => "ipv6",
        (true, AddressKind::Dhcp) => "ipv6_dhcp",
        (true, AddressKind::Slaac) => "ipv6_slaac",
        (true, AddressKind::Dhcpv6Stateless) => "ipv6_dhcpv6-stateless",
        (true, AddressKind::Dhcpv6Stateful) => "ipv6_dhcpv6-stateful",
    }
}

fn routes(v6: bool, address: &Address) -> Value {
    let any = if v6 { "::/0" } else { "0.0.0.0/0" };
    let default = address.gateway.iter().map(|gateway| (any, gateway.as_str()));
    let own = address.routes.iter().map(|r| (r.destination.as_str(), r.nexthop.as_str()));
    let shown = default.chain(own).map(|(destination, gateway)| {
        let network = destination.split('/').next().unwrap_or(destination);
        json!({ "network": network, "netmask": netmask(destination), "gateway": gateway })
    });
    shown.collect()
}

fn dns(address: &Address) -> Vec<Value> {
    address.dns.iter().map(|server| json!({ "type": "dns", "address": server })).collect()
}

fn netmask(cidr: &str) -> String {
    cidr.parse::<IpNet>().map(|net| net.netmask().to_string()).unwrap_or_default()
}

fn link_id(link: &Link) -> String {
    crate::drivers::tap_name(&link.port_id)
}

#[cfg(test)]
pub(super) fn sample() -> Vec<Link> {
    vec![Link {
        port_id: "ce531f90-199f-48c0-816c-13e38010b442".to_owned(),
        network_id: "n1".to_owned(),
        kind: "bridge".to_owned(),
        mac: "fa:16:3e:00:00:01".to_owned(),
        mtu: Some(1450),
        addresses: vec![Address {
            ip: "10.0.0.5".to_owned(),
            cidr: "10.0.0.0/26".to_owned(),
            gateway: Some("10.0.0.1".to_owned()),
            kind: AddressKind::Static,
            dns: vec!["8.8.8.8".to_owned()],
            routes: Vec::new(),
        }],
    }]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_static_address_is_told_in_full() {
        assert_eq!(
            document(&sample()),
            json!({
                "links": [{
                    "id": "tapce531f90-19",
                    "vif_id": "ce531f90-199f-48c0-816c-13e38010b442",
                    "type": "bridge",
                    "mtu": 1450,
                    "ethernet_mac_address": "fa:16:3e:00:00:01",
                }],
                "networks": [{
                    "id": "network0",
                    "type": "ipv4",
                    "link": "tapce531f90-19",
                    "ip_address": "10.0.0.5",
                    "netmask": "255.255.255.192",
                    "routes": [
                        { "network": "0.0.0.0", "netmask": "0.0.0.0", "gateway": "10.0.0.1" },
                    ],
                    "services": [{ "type": "dns", "address": "8.8.8.8" }],
                    "network_id": "n1",
                }],
                "services": [{ "type": "dns", "address": "8.8.8.8" }],
            })
        );
    }

    #[test]
    fn by_dhcp_only_the_way_is_told() {
        let mut links = sample();
        links[0].addresses[0].kind = AddressKind::Dhcp;
        assert_eq!(
            document(&links)["networks"],
            json!([{ "id": "network0", "type": "ipv4_dhcp", "link": "tapce531f90-19",
                     "network_id": "n1" }])
        );
    }
}
