//! Routers: between networks, and between them and the outside.

use super::attribute::{Attr, Kind, Literal, NAMED, OWN, OWNED, Resource, STANDARD};
use super::shape::Shape;

pub(crate) static ROUTER: Resource = Resource {
    kind: Kind::Router,
    name: "router",
    plural: "routers",
    table: "routers",
    visible: OWN,
    service_sees: false,
    quota: Some("router"),
    attrs: &[OWNED, NAMED, ATTRS, STANDARD],
};

const ATTRS: &[Attr] = &[
    Attr::stored("admin_state_up", Shape::Flag).or(Literal::Flag(true)).put(),
    Attr::stored("status", Shape::Text(16)),
    Attr::parts("external_gateway_info", Shape::Gateway).or(Literal::Null).put(),
    // On one host a distributed router and a central one are the same thing.
    Attr::stored("distributed", Shape::Flag).open().put(),
    // A second host would be needed; there is one.
    Attr::sql("ha", "0", Shape::Flag).open().put(),
    Attr::stored("routes", Shape::Routes).put(),
    Attr::stored("availability_zone_hints", Shape::Words).or(Literal::EmptyList),
    Attr::parts("availability_zones", Shape::Shown),
    Attr::hidden("gateway_port_id", Shape::UuidOrNull),
    Attr::hidden("enable_snat", Shape::Flag),
];
