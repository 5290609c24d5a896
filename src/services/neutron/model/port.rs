//! Ports: where something meets a network.
//!
//! ```text
//!            bound to a host            wired
//!  DOWN ------------------------> DOWN -------> ACTIVE
//!    ^      (binding:host_id)              |
//!    +-------------------------------------+
//!        unbound, switched off, or its device went away
//! ```
//! Only the dataplane's report makes a port `ACTIVE`: `tasks/dataplane.rs`.

use super::attribute::{Attr, Kind, Literal, NAMED, OWNED, Resource, STANDARD};
use super::shape::Shape;

pub(crate) const ACTIVE: &str = "ACTIVE";
pub(crate) const DOWN: &str = "DOWN";
pub(crate) const NOT_APPLICABLE: &str = "N/A";

/// `device_owner` of the ports that neutron makes for itself.
pub(crate) const DHCP: &str = "network:dhcp";
pub(crate) const ROUTER_INTERFACE: &str = "network:router_interface";
pub(crate) const ROUTER_GATEWAY: &str = "network:router_gateway";
pub(crate) const FLOATING_IP: &str = "network:floatingip";

const VNIC_TYPES: &[&str] = &[
    "normal",
    "direct",
    "macvtap",
    "baremetal",
    "direct-physical",
    "virtio-forwarder",
    "smart-nic",
    "vdpa",
    "accelerator-direct",
    "accelerator-direct-physical",
    "remote-managed",
];

pub(crate) static PORT: Resource = Resource {
    kind: Kind::Port,
    name: "port",
    plural: "ports",
    table: "ports",
    visible: "(t.project_id = {me} OR t.network_id IN (
    SELECT n.id FROM networks n WHERE n.project_id = {me}))",
    service_sees: true,
    quota: Some("port"),
    attrs: &[OWNED, NAMED, ATTRS, STANDARD],
};

const ATTRS: &[Attr] = &[
    Attr::stored("network_id", Shape::Uuid).required(),
    Attr::stored("mac_address", Shape::Mac).open().put(),
    Attr::parts("fixed_ips", Shape::FixedIps).open().put(),
    Attr::stored("admin_state_up", Shape::Flag).or(Literal::Flag(true)).put(),
    Attr::stored("status", Shape::Text(16)),
    Attr::stored("device_id", Shape::Text(255)).or(Literal::Text("")).put(),
    Attr::stored("device_owner", Shape::Text(255)).or(Literal::Text("")).put(),
    Attr::parts("security_groups", Shape::Uuids).open().put(),
    Attr::stored("port_security_enabled", Shape::Flag).open().put(),
    Attr::stored("allowed_address_pairs", Shape::AddressPairs).or(Literal::EmptyList).put(),
    Attr::stored("extra_dhcp_opts", Shape::DhcpOpts).or(Literal::EmptyList).put(),
    Attr::column("binding:vnic_type", "vnic_type", Shape::Word(VNIC_TYPES))
        .or(Literal::Text("normal"))
        .put(),
    Attr::column("binding:host_id", "host_id", Shape::Text(255)).or(Literal::Text("")).put(),
    Attr::column("binding:profile", "profile", Shape::Dict).open().put(),
    Attr::column("binding:vif_type", "vif_type", Shape::Text(32)),
    Attr::parts("binding:vif_details", Shape::Shown),
    Attr::hidden("hostname", Shape::TextOrNull(255)),
];

/// The devices whose ports only their own API may change.
pub(crate) fn is_service_port(device_owner: &str) -> bool {
    matches!(device_owner, ROUTER_INTERFACE | ROUTER_GATEWAY | FLOATING_IP)
}

/// Whether the port is one of neutron's own.
pub(crate) fn is_network_device(device_owner: &str) -> bool {
    device_owner.starts_with("network:")
}
