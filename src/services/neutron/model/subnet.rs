//! Subnets: blocks of addresses on a network.

use std::net::IpAddr;

use ipnet::IpNet;
use serde_json::Value as Json;

use super::attribute::{Attr, Kind, Literal, NAMED, OWNED, Resource, STANDARD};
use super::ipam::Range;
use super::record::Record;
use super::shape::{Shape, address};

pub(crate) const IPV6_MODES: &[&str] = &["dhcpv6-stateful", "dhcpv6-stateless", "slaac"];

pub(crate) static SUBNET: Resource = Resource {
    kind: Kind::Subnet,
    name: "subnet",
    plural: "subnets",
    table: "subnets",
    visible: "(t.project_id = {me} OR t.network_id IN (
    SELECT n.id FROM networks n WHERE n.project_id = {me}) OR t.network_id IN (
    SELECT p.object_id FROM rbac_policies p WHERE p.target_tenant IN ('*', {me})))",
    service_sees: true,
    quota: Some("subnet"),
    attrs: &[OWNED, NAMED, ATTRS, STANDARD],
};

const ATTRS: &[Attr] = &[
    Attr::stored("network_id", Shape::Uuid).required(),
    Attr::stored("ip_version", Shape::IpVersion).required(),
    Attr::stored("cidr", Shape::CidrOrNull).open(),
    Attr::stored("gateway_ip", Shape::IpOrNull).open().put(),
    Attr::stored("enable_dhcp", Shape::Flag).or(Literal::Flag(true)).put(),
    Attr::stored("allocation_pools", Shape::Pools).open().put(),
    Attr::stored("dns_nameservers", Shape::Ips).or(Literal::EmptyList).put(),
    Attr::stored("host_routes", Shape::Routes).or(Literal::EmptyList).put(),
    Attr::stored("ipv6_address_mode", Shape::WordOrNull(IPV6_MODES)).or(Literal::Null),
    Attr::stored("ipv6_ra_mode", Shape::WordOrNull(IPV6_MODES)).or(Literal::Null),
    Attr::stored("subnetpool_id", Shape::TextOrNull(36)).open(),
    Attr::stored("service_types", Shape::Words).or(Literal::EmptyList).put(),
    Attr::sql(
        "router:external",
        "(SELECT n.external FROM networks n WHERE n.id = t.network_id)",
        Shape::Flag,
    ),
    Attr::request("use_default_subnetpool", Shape::Flag).or(Literal::Flag(false)),
    Attr::request("prefixlen", Shape::Int(0, 128)).open(),
    Attr::hidden("cursor", Shape::TextOrNull(64)),
];

/// What address assignment needs to know of a subnet.
#[derive(Debug, Clone)]
pub(crate) struct Block {
    pub(crate) id: String,
    pub(crate) cidr: IpNet,
    pub(crate) gateway: Option<IpAddr>,
    pub(crate) pools: Vec<Range>,
    /// Ports take the address of their MAC here.
    pub(crate) automatic: bool,
    pub(crate) service_types: Vec<String>,
    /// Where the last search ended.
    pub(crate) cursor: Option<IpAddr>,
}

impl Block {
    pub(crate) fn of(subnet: &Record) -> Option<Self> {
        let words = |name: &str| {
            let words = subnet.list(name).iter().filter_map(Json::as_str);
            words.map(str::to_owned).collect()
        };
        Some(Self {
            id: subnet.id().to_owned(),
            cidr: subnet.text("cidr").parse().ok()?,
            gateway: subnet.text("gateway_ip").parse().ok(),
            pools: subnet.list("allocation_pools").iter().map(range).collect(),
            automatic: matches!(subnet.text("ipv6_address_mode"), "slaac" | "dhcpv6-stateless"),
            service_types: words("service_types"),
            cursor: subnet.text("cursor").parse().ok(),
        })
    }

    /// Whether a port of this owner may have addresses here.
    pub(crate) fn serves(&self, device_owner: &str) -> bool {
        self.service_types.is_empty() || self.service_types.iter().any(|kind| kind == device_owner)
    }
}

/// An allocation pool as the API writes it.
pub(crate) fn range(pool: &Json) -> Range {
    let side = |key: &str| address(pool.get(key).unwrap_or(&Json::Null));
    Range::new(side("start"), side("end"))
}
