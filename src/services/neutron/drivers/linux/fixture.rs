//! A small topology for the unit tests: two guests on a network, a router to the outside.

use std::net::IpAddr;

use uuid::Uuid;

use super::super::{
    DhcpPortSpec, Direction, EtherType, FixedIp, FloatingIpSpec, GatewaySpec, InterfaceSpec, Mac,
    NetworkSpec, PortSpec, Remote, RouterSpec, RuleSpec, SecurityGroupSpec, SubnetSpec, Topology,
};

/// An id whose names can be told apart.
pub(super) fn id(number: u32) -> Uuid {
    Uuid::from_u128((u128::from(number) << 96) | u128::from(number))
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn mac(last: u8) -> Mac {
    Mac([0xfa, 0x16, 0x3e, 0, 0, last])
}

fn at(subnet: u32, address: &str) -> Vec<FixedIp> {
    vec![FixedIp { subnet: id(subnet), address: ip(address) }]
}

fn subnet(number: u32, cidr: &str, gateway: &str, dhcp: bool) -> SubnetSpec {
    SubnetSpec {
        id: id(number),
        cidr: cidr.parse().unwrap(),
        gateway: Some(ip(gateway)),
        dhcp,
        dns_servers: Vec::new(),
        host_routes: Vec::new(),
        ipv6_address_mode: None,
        ipv6_ra_mode: None,
    }
}

/// Network 1 (`10.0.0.0/24`, DHCP port 0x21) with guests 0x11 and 0x12 in group 0x91; network 2 is
/// outside; router 3 has interface 0x31, gateway 0x32 and a floating address for guest 0x11.
pub(super) fn topology() -> Topology {
    let network = |number, external: Option<&str>, subnet| NetworkSpec {
        id: id(number),
        mtu: 1450,
        admin_state_up: true,
        external_bridge: external.map(str::to_owned),
        subnets: vec![subnet],
        dhcp_port: None,
        metadata: external.is_none(),
        dns_domain: None,
    };
    let mut private = network(1, None, subnet(0x41, "10.0.0.0/24", "10.0.0.1", true));
    private.dhcp_port =
        Some(DhcpPortSpec { id: id(0x21), mac: mac(2), fixed_ips: at(0x41, "10.0.0.2") });
    let public = network(2, Some("br-ex"), subnet(0x42, "172.24.4.0/24", "172.24.4.1", false));
    let router = RouterSpec {
        id: id(3),
        admin_state_up: true,
        gateway: Some(GatewaySpec {
            port: id(0x32),
            mac: mac(4),
            network: id(2),
            fixed_ips: at(0x42, "172.24.4.10"),
            enable_snat: true,
        }),
        interfaces: vec![InterfaceSpec {
            port: id(0x31),
            mac: mac(3),
            network: id(1),
            fixed_ips: at(0x41, "10.0.0.1"),
        }],
        routes: Vec::new(),
        meters: Vec::new(),
        floating_ips: vec![FloatingIpSpec {
            id: id(0x51),
            floating: ip("172.24.4.20"),
            fixed: ip("10.0.0.11"),
        }],
    };
    Topology {
        networks: vec![private, public],
        ports: vec![guest(0x11, "10.0.0.11"), guest(0x12, "10.0.0.12")],
        routers: vec![router],
        security_groups: vec![SecurityGroupSpec {
            id: id(0x91),
            stateful: true,
            rules: vec![
                RuleSpec { direction: Direction::Egress, remote: Remote::Any, ..within() },
                within(),
            ],
        }],
    }
}

/// IPv4 in from the group's own members.
pub(super) fn within() -> RuleSpec {
    RuleSpec {
        direction: Direction::Ingress,
        ethertype: EtherType::Ipv4,
        protocol: None,
        port_min: None,
        port_max: None,
        remote: Remote::Group(id(0x91)),
    }
}

pub(super) fn guest(number: u32, address: &str) -> PortSpec {
    PortSpec {
        id: id(number),
        network: id(1),
        mac: mac(number as u8),
        fixed_ips: at(0x41, address),
        device_owner: "compute:nova".to_owned(),
        device_id: format!("server-{number}"),
        admin_state_up: true,
        security_groups: vec![id(0x91)],
        port_security: true,
        allowed_address_pairs: Vec::new(),
        hostname: None,
        extra_dhcp_opts: Vec::new(),
    }
}
