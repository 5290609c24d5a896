//! Floating IPs: outside addresses that lead to a port's inside one.
//!
//! `ACTIVE` while it leads somewhere, `DOWN` while it does not.

use super::attribute::{Attr, Kind, Literal, OWN, OWNED, Resource, STANDARD};
use super::shape::Shape;

pub(crate) static FLOATING_IP: Resource = Resource {
    kind: Kind::FloatingIp,
    name: "floatingip",
    plural: "floatingips",
    table: "floating_ips",
    visible: OWN,
    service_sees: false,
    quota: Some("floatingip"),
    attrs: &[OWNED, ATTRS, STANDARD],
};

const ATTRS: &[Attr] = &[
    Attr::stored("floating_network_id", Shape::Uuid).required(),
    Attr::stored("floating_ip_address", Shape::IpOrNull).or(Literal::Null),
    Attr::stored("port_id", Shape::UuidOrNull).or(Literal::Null).put(),
    Attr::stored("fixed_ip_address", Shape::IpOrNull).or(Literal::Null).put(),
    Attr::stored("router_id", Shape::UuidOrNull),
    Attr::stored("status", Shape::Text(16)),
    Attr::parts("port_details", Shape::Shown),
    Attr::request("subnet_id", Shape::UuidOrNull).or(Literal::Null),
    Attr::hidden("floating_port_id", Shape::UuidOrNull),
];
