//! The input of a dataplane: networks, ports, routers and security groups as plain values.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::str::FromStr;

use ipnet::IpNet;
use uuid::Uuid;

/// Everything the host has to carry.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Topology {
    pub networks: Vec<NetworkSpec>,
    pub ports: Vec<PortSpec>,
    pub routers: Vec<RouterSpec>,
    pub security_groups: Vec<SecurityGroupSpec>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NetworkSpec {
    pub id: Uuid,
    pub mtu: u16,
    pub admin_state_up: bool,
    /// The host's bridge for a network that lies outside (`br-ex`); `None` makes a bridge of its
    /// own.
    pub external_bridge: Option<String>,
    pub subnets: Vec<SubnetSpec>,
    /// The port of the DHCP server, when a subnet has DHCP. It must be among no other `ports`.
    pub dhcp_port: Option<DhcpPortSpec>,
    /// Serve 169.254.169.254 in the DHCP namespace and hand out a route to it.
    pub metadata: bool,
    /// The domain handed to guests (`openstacklocal`).
    pub dns_domain: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SubnetSpec {
    pub id: Uuid,
    pub cidr: IpNet,
    pub gateway: Option<IpAddr>,
    pub dhcp: bool,
    pub dns_servers: Vec<IpAddr>,
    pub host_routes: Vec<HostRoute>,
    /// How guests learn their IPv6 address; `None` on IPv4 and where nobody told them.
    pub ipv6_address_mode: Option<Ipv6Mode>,
    /// What the router advertises.
    pub ipv6_ra_mode: Option<Ipv6Mode>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ipv6Mode {
    Slaac,
    DhcpStateful,
    DhcpStateless,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostRoute {
    pub destination: IpNet,
    pub nexthop: IpAddr,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DhcpPortSpec {
    pub id: Uuid,
    pub mac: Mac,
    pub fixed_ips: Vec<FixedIp>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FixedIp {
    pub subnet: Uuid,
    pub address: IpAddr,
}

/// A port of a guest (or of nobody yet). Ports of routers and DHCP servers are not listed here
/// but in their [`RouterSpec`] and [`NetworkSpec`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PortSpec {
    pub id: Uuid,
    pub network: Uuid,
    pub mac: Mac,
    pub fixed_ips: Vec<FixedIp>,
    /// `compute:nova`, or empty.
    pub device_owner: String,
    pub device_id: String,
    pub admin_state_up: bool,
    pub security_groups: Vec<Uuid>,
    /// Off: no anti-spoofing and no security groups.
    pub port_security: bool,
    pub allowed_address_pairs: Vec<AddressPair>,
    /// The name DHCP hands out: the port's DNS name, else `host-10-0-0-5`.
    pub hostname: Option<String>,
    pub extra_dhcp_opts: Vec<ExtraDhcpOpt>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AddressPair {
    /// `None` stands for the port's own.
    pub mac: Option<Mac>,
    pub address: IpNet,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExtraDhcpOpt {
    /// A name of dnsmasq (`bootfile-name`) or a number.
    pub name: String,
    pub value: String,
    /// 4 or 6.
    pub ip_version: u8,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RouterSpec {
    pub id: Uuid,
    pub admin_state_up: bool,
    pub gateway: Option<GatewaySpec>,
    pub interfaces: Vec<InterfaceSpec>,
    /// Extra routes.
    pub routes: Vec<HostRoute>,
    pub floating_ips: Vec<FloatingIpSpec>,
    pub meters: Vec<MeterSpec>,
}

/// What is counted under one name of what a router forwards between inside and outside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MeterSpec {
    pub id: Uuid,
    pub rules: Vec<MeterRuleSpec>,
}

/// The prefixes that are given must all match. Addresses are those of the inside: floating ones
/// are translated already, or not yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MeterRuleSpec {
    /// `Ingress` comes from outside.
    pub direction: Direction,
    /// What matches is not counted, whatever other rules say.
    pub excluded: bool,
    pub source: Option<IpNet>,
    pub destination: Option<IpNet>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GatewaySpec {
    /// The router's port on the external network.
    pub port: Uuid,
    pub mac: Mac,
    pub network: Uuid,
    pub fixed_ips: Vec<FixedIp>,
    pub enable_snat: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InterfaceSpec {
    pub port: Uuid,
    pub mac: Mac,
    pub network: Uuid,
    pub fixed_ips: Vec<FixedIp>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FloatingIpSpec {
    pub id: Uuid,
    pub floating: IpAddr,
    pub fixed: IpAddr,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecurityGroupSpec {
    pub id: Uuid,
    pub stateful: bool,
    pub rules: Vec<RuleSpec>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RuleSpec {
    pub direction: Direction,
    pub ethertype: EtherType,
    /// The number in the IP header ([`protocol_number`] knows upstream's names); `None` is any.
    pub protocol: Option<u8>,
    /// The first port; for ICMP the type.
    pub port_min: Option<u16>,
    /// The last port; for ICMP the code.
    pub port_max: Option<u16>,
    pub remote: Remote,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Remote {
    Any,
    Cidr(IpNet),
    /// The addresses of the ports in this group.
    Group(Uuid),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    Ingress,
    Egress,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EtherType {
    Ipv4,
    Ipv6,
}

/// The IP protocol that a security group rule names: one of upstream's names, or a number.
/// `icmp` means ICMPv6 in a rule for IPv6.
pub fn protocol_number(name: &str, ethertype: EtherType) -> Option<u8> {
    let number = match name.to_ascii_lowercase().as_str() {
        "icmp" if ethertype == EtherType::Ipv6 => 58,
        "icmp" => 1,
        "icmpv6" | "ipv6-icmp" => 58,
        "ah" => 51,
        "dccp" => 33,
        "egp" => 8,
        "esp" => 50,
        "gre" => 47,
        "igmp" => 2,
        "ipip" => 4,
        "ipv6-encap" => 41,
        "ipv6-frag" => 44,
        "ipv6-nonxt" => 59,
        "ipv6-opts" => 60,
        "ipv6-route" => 43,
        "ospf" => 89,
        "pgm" => 113,
        "rsvp" => 46,
        "sctp" => 132,
        "tcp" => 6,
        "udp" => 17,
        "udplite" => 136,
        "vrrp" => 112,
        other => return other.parse().ok(),
    };
    Some(number)
}

/// An Ethernet address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Mac(pub [u8; 6]);

impl Mac {
    /// The address that stateless autoconfiguration gives this interface under `prefix`.
    pub fn eui64(self, prefix: Ipv6Addr) -> Ipv6Addr {
        let [a, b, c, d, e, f] = self.0;
        let mut octets = prefix.octets();
        octets[8..].copy_from_slice(&[a ^ 2, b, c, 0xff, 0xfe, d, e, f]);
        octets.into()
    }
}

impl fmt::Display for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, g] = self.0;
        write!(f, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}")
    }
}

/// The text was not six pairs of hexadecimal digits with colons between.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a MAC address")]
pub struct BadMac;

impl FromStr for Mac {
    type Err = BadMac;

    fn from_str(text: &str) -> Result<Self, BadMac> {
        let mut octets = [0; 6];
        let mut parts = text.split(':');
        for octet in &mut octets {
            let part = parts.next().filter(|part| part.len() == 2).ok_or(BadMac)?;
            *octet = u8::from_str_radix(part, 16).map_err(|_| BadMac)?;
        }
        if parts.next().is_some() { Err(BadMac) } else { Ok(Self(octets)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mac_reads_what_it_writes() {
        let mac: Mac = "fa:16:3e:00:A1:ff".parse().unwrap();
        assert_eq!(mac.to_string(), "fa:16:3e:00:a1:ff");
        for bad in
            ["", "fa:16:3e:00:a1", "fa:16:3e:00:a1:ff:00", "fa-16-3e-00-a1-ff", "+a:16:3e:00:a1:f"]
        {
            assert_eq!(bad.parse::<Mac>(), Err(BadMac), "{bad}");
        }
    }

    #[test]
    fn eui64_flips_the_universal_bit() {
        let mac: Mac = "fa:16:3e:12:34:56".parse().unwrap();
        let address = mac.eui64("fe80::".parse().unwrap());
        assert_eq!(address, "fe80::f816:3eff:fe12:3456".parse::<Ipv6Addr>().unwrap());
    }

    #[test]
    fn protocols_by_name_and_number() {
        assert_eq!(protocol_number("ICMP", EtherType::Ipv4), Some(1));
        assert_eq!(protocol_number("icmp", EtherType::Ipv6), Some(58));
        assert_eq!(protocol_number("132", EtherType::Ipv4), Some(132));
        assert_eq!(protocol_number("256", EtherType::Ipv4), None);
        assert_eq!(protocol_number("tcp; drop", EtherType::Ipv4), None);
    }
}
