//! Networks: layer 2, one bridge each.

use super::attribute::{
    Attr, Kind, Literal, NAMED, OWN_OR_SHARED, OWNED, Resource, SHARED, STANDARD,
};
use super::shape::Shape;

/// A bridge that only this host has; the honest name of every network that users make.
pub(crate) const LOCAL: &str = "local";
/// The host's own bridge of a physical network.
pub(crate) const FLAT: &str = "flat";

pub(crate) static NETWORK: Resource = Resource {
    kind: Kind::Network,
    name: "network",
    plural: "networks",
    table: "networks",
    visible: OWN_OR_SHARED,
    service_sees: true,
    quota: Some("network"),
    attrs: &[OWNED, NAMED, ATTRS, STANDARD],
};

const ATTRS: &[Attr] = &[
    Attr::stored("admin_state_up", Shape::Flag).or(Literal::Flag(true)).put(),
    Attr::stored("status", Shape::Text(16)),
    Attr::parts("subnets", Shape::Shown),
    Attr::sql("shared", SHARED, Shape::Flag).or(Literal::Flag(false)).put(),
    Attr::column("router:external", "external", Shape::Flag).or(Literal::Flag(false)).put(),
    Attr::stored("is_default", Shape::Flag).or(Literal::Flag(false)).put(),
    Attr::stored("mtu", Shape::Int(0, 65535)).open().put(),
    Attr::stored("port_security_enabled", Shape::Flag).or(Literal::Flag(true)).put(),
    Attr::column("provider:network_type", "network_type", Shape::TextOrNull(32)).open().put(),
    Attr::column("provider:physical_network", "physical_network", Shape::TextOrNull(64))
        .open()
        .put(),
    Attr::column("provider:segmentation_id", "segmentation_id", Shape::IntOrNull(0, 16_777_215))
        .open()
        .put(),
    Attr::stored("availability_zone_hints", Shape::Words).or(Literal::EmptyList),
    Attr::parts("availability_zones", Shape::Shown),
    Attr::parts("ipv4_address_scope", Shape::Shown),
    Attr::parts("ipv6_address_scope", Shape::Shown),
    Attr::hidden("dhcp_hosted", Shape::Flag),
];
