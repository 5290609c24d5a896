//! Security groups and anti-spoofing as nftables rules on the bridges.
//!
//! A frame between two devices of a bridge passes two chains: what its sender may say (`from`, at
//! priority -201) and what its receiver wants to hear (`to`, at -200). Both stay below -1, where
//! br_netfilter takes over; at 0 some kernels skip them silently. Each guest has one chain of each
//! kind, found through a map, so that a frame's cost does not grow with the guests; each security
//! group has one too, shared by its members.
//!
//! Connection state comes from the bridge's own tracking, or (where the kernel has none) from two
//! bits of the packet mark, set when br_netfilter shows the frame to the IP hooks.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use uuid::Uuid;

use super::super::{
    Direction, EtherType, Firewall, Mac, NetworkSpec, PortSpec, Remote, RuleSpec,
    SecurityGroupSpec, Topology, names,
};
use super::desired::bridge_of;
use super::nft::{Ruleset, Table, line, set};

/// The table of security groups, and the one that feeds it connection state.
pub(super) const TABLES: [(&str, &str); 2] =
    [("bridge", "stackup_groups"), ("inet", "stackup_state")];

const ESTABLISHED: u32 = 1;
const INVALID: u32 = 2;
const STATE_BITS: u32 = ESTABLISHED | INVALID;

/// The rules of the host's own namespace.
pub(super) fn host_rules(topology: &Topology, firewall: Firewall) -> Ruleset {
    if firewall == Firewall::None {
        return Ruleset::of(&[Table { family: "bridge", name: TABLES[0].1, body: String::new() }]);
    }
    let view = View::new(topology, firewall);
    let mut tables =
        vec![Table { family: TABLES[0].0, name: TABLES[0].1, body: view.groups_table() }];
    if firewall == Firewall::Mark {
        tables.push(Table { family: TABLES[1].0, name: TABLES[1].1, body: view.state_table() });
    }
    Ruleset::of(&tables)
}

/// What the rules are computed from, indexed.
struct View<'a> {
    topology: &'a Topology,
    firewall: Firewall,
    networks: BTreeMap<Uuid, &'a NetworkSpec>,
    groups: BTreeMap<Uuid, &'a SecurityGroupSpec>,
    zones: BTreeMap<Uuid, u16>,
}

/// What a port may send from: per MAC, per family.
struct Identity {
    by_mac: BTreeMap<Mac, (Vec<Ipv4Net>, Vec<Ipv6Net>)>,
}

impl<'a> View<'a> {
    fn new(topology: &'a Topology, firewall: Firewall) -> Self {
        Self {
            topology,
            firewall,
            networks: topology.networks.iter().map(|network| (network.id, network)).collect(),
            groups: topology.security_groups.iter().map(|group| (group.id, group)).collect(),
            zones: zones(topology),
        }
    }

    fn network(&self, port: &PortSpec) -> Option<&'a NetworkSpec> {
        self.networks.get(&port.network).copied()
    }

    fn blocked(&self, port: &PortSpec) -> bool {
        !port.admin_state_up || self.network(port).is_none_or(|network| !network.admin_state_up)
    }

    fn groups_table(&self) -> String {
        let mut body = String::new();
        self.member_sets(&mut body);
        if self.firewall != Firewall::AntiSpoofOnly {
            for group in &self.topology.security_groups {
                for direction in [Direction::Ingress, Direction::Egress] {
                    group_chain(&mut body, group, direction);
                }
            }
        }
        for port in self.topology.ports.iter().filter(|port| self.guarded(port)) {
            self.from_chain(&mut body, port);
            if self.firewall != Firewall::AntiSpoofOnly {
                self.to_chain(&mut body, port);
            }
        }
        self.maps(&mut body);
        self.hooks(&mut body);
        body
    }

    fn guarded(&self, port: &PortSpec) -> bool {
        port.port_security && !self.blocked(port)
    }

    /// The addresses of each group that a rule names as its remote.
    fn member_sets(&self, body: &mut String) {
        let mut named = BTreeSet::new();
        for rule in self.topology.security_groups.iter().flat_map(|group| &group.rules) {
            if let Remote::Group(id) = rule.remote {
                named.insert(id);
            }
        }
        let mut members: BTreeMap<Uuid, (Vec<Ipv4Net>, Vec<Ipv6Net>)> = BTreeMap::new();
        for port in &self.topology.ports {
            for group in port.security_groups.iter().filter(|group| named.contains(group)) {
                let (v4, v6) = members.entry(*group).or_default();
                let pairs = port.allowed_address_pairs.iter().map(|pair| pair.address);
                let fixed = port.fixed_ips.iter().map(|ip| IpNet::from(ip.address));
                split(fixed.chain(pairs), v4, v6);
            }
        }
        for id in named {
            let (v4, v6) = members.remove(&id).unwrap_or_default();
            member_set(
                body,
                &set_name(id, EtherType::Ipv4),
                "ipv4_addr",
                set(Ipv4Net::aggregate(&v4)),
            );
            member_set(
                body,
                &set_name(id, EtherType::Ipv6),
                "ipv6_addr",
                set(Ipv6Net::aggregate(&v6)),
            );
        }
    }

    /// Which device has which chain.
    fn maps(&self, body: &mut String) {
        let (mut from, mut to, mut input) = (Vec::new(), Vec::new(), Vec::new());
        for port in &self.topology.ports {
            let tap = names::tap(port.id);
            let external =
                self.network(port).is_some_and(|network| network.external_bridge.is_some());
            if self.blocked(port) {
                from.push(format!("\"{tap}\" : drop"));
                to.push(format!("\"{tap}\" : drop"));
            } else if port.port_security {
                from.push(format!("\"{tap}\" : jump from_{tap}"));
                if self.firewall != Firewall::AntiSpoofOnly {
                    to.push(format!("\"{tap}\" : jump to_{tap}"));
                }
            }
            // The host itself is on the outer bridge and may be spoken to; nowhere else.
            if !external || self.blocked(port) {
                input.push(format!("\"{tap}\" : drop"));
            } else if port.port_security {
                input.push(format!("\"{tap}\" : jump from_{tap}"));
            }
        }
        for (name, elements) in [("from", from), ("to", to), ("input", input)] {
            let elements =
                set(elements).map(|set| format!(" elements = {set};")).unwrap_or_default();
            line(body, format!("  map on_{name} {{ type ifname : verdict;{elements} }}"));
        }
    }

    fn hooks(&self, body: &mut String) {
        if self.firewall == Firewall::Conntrack {
            let taps = self.topology.ports.iter().filter_map(|port| {
                Some(format!("\"{}\" : {}", names::tap(port.id), self.zones.get(&port.network)?))
            });
            let servers = self.service_taps();
            zone_chain(body, set(taps.chain(servers)));
        }
        for (chain, hook, priority, rule) in [
            ("forward_from", "forward", -201, "iifname vmap @on_from"),
            ("forward_to", "forward", -200, "oifname vmap @on_to"),
            ("input", "input", -200, "iifname vmap @on_input"),
            ("output", "output", -200, "oifname vmap @on_to"),
        ] {
            line(
                body,
                format!(
                    "  chain {chain} {{\n    type filter hook {hook} priority {priority}; policy accept;\n    {rule}\n  }}"
                ),
            );
        }
    }

    /// Zones of the devices of routers and DHCP servers, whose frames are tracked too.
    fn service_taps(&self) -> Vec<String> {
        let dhcp = self
            .topology
            .networks
            .iter()
            .filter_map(|network| network.dhcp_port.as_ref().map(|port| (port.id, network.id)));
        let inner = self.topology.routers.iter().flat_map(|router| {
            router.interfaces.iter().map(|interface| (interface.port, interface.network))
        });
        dhcp.chain(inner)
            .filter_map(|(port, network)| {
                Some(format!("\"{}\" : {}", names::tap(port), self.zones.get(&network)?))
            })
            .collect()
    }

    /// What a guest may say: as itself, not as a DHCP server or router, what its groups allow.
    fn from_chain(&self, body: &mut String, port: &PortSpec) {
        let identity = Identity::of(port);
        line(body, format!("  chain from_{} {{", names::tap(port.id)));
        let mut rule = |text: &str| line(body, format!("    {text}"));
        let macs = set(identity.by_mac.keys()).unwrap_or_default();
        rule(&format!("ether saddr != {macs} drop"));
        rule("ether type ip ip saddr 0.0.0.0 udp sport 68 udp dport 67 accept");
        rule("ether type ip udp sport 67 udp dport 68 drop");
        rule(&format!("ether type arp arp saddr ether != {macs} drop"));
        for (mac, (v4, _)) in &identity.by_mac {
            // A probe for a duplicate comes from 0.0.0.0.
            let mut from = vec![Ipv4Net::from(Ipv4Addr::UNSPECIFIED).to_string()];
            from.extend(v4.iter().map(ToString::to_string));
            let from = set(from).unwrap_or_default();
            if !v4.iter().any(|net| net.prefix_len() == 0) {
                rule(&format!("ether saddr {mac} ether type arp arp saddr ip != {from} drop"));
            }
        }
        rule("ether type arp accept");
        rule("ether type ip6 ip6 saddr :: icmpv6 type { 131, 135, 143 } accept");
        rule("ether type ip6 icmpv6 type { 134, 137 } drop");
        rule("ether type ip6 udp sport 547 udp dport 546 drop");
        for (mac, (v4, v6)) in &identity.by_mac {
            for (family, sources) in [("ip", set(v4)), ("ip6", set(v6))] {
                rule(&match sources {
                    Some(set) => {
                        format!(
                            "ether saddr {mac} ether type {family} {family} saddr != {set} drop"
                        )
                    }
                    None => format!("ether saddr {mac} ether type {family} drop"),
                });
            }
        }
        if let Some(targets) = identity.advertised() {
            // Nor may it advertise another's address; nft 1.0.6 has no name for this field.
            rule(&format!("ether type ip6 icmpv6 type 136 @th,64,128 != {targets} drop"));
        }
        rule("ether type != { ip, ip6 } drop");
        if self.firewall == Firewall::AntiSpoofOnly {
            rule("accept");
        } else {
            rule("ether type ip6 icmpv6 type { 130, 131, 132, 133, 135, 136, 143 } accept");
            rule("ether type ip udp sport 68 udp dport 67 accept");
            rule("ether type ip6 udp sport 546 udp dport 547 accept");
            self.verdicts(&mut rule, port, Direction::Egress);
        }
        body.push_str("  }\n");
    }

    /// What a guest gets to hear.
    fn to_chain(&self, body: &mut String, port: &PortSpec) {
        line(body, format!("  chain to_{} {{", names::tap(port.id)));
        let mut rule = |text: &str| line(body, format!("    {text}"));
        rule("ether type arp accept");
        rule("ether type ip udp sport 67 udp dport 68 accept");
        rule("ether type ip6 udp sport 547 udp dport 546 accept");
        rule("ether type ip6 icmpv6 type { 130, 131, 132, 134, 135, 136 } accept");
        rule("ether type != { ip, ip6 } drop");
        self.verdicts(&mut rule, port, Direction::Ingress);
        body.push_str("  }\n");
    }

    /// Connection state, then the groups, then no.
    fn verdicts(&self, rule: &mut impl FnMut(&str), port: &PortSpec, direction: Direction) {
        let groups = || port.security_groups.iter().filter_map(|id| self.groups.get(id));
        // A stateless group gets no help from connection state; upstream forbids mixing.
        let stateful = groups().count() == 0 || groups().any(|group| group.stateful);
        if stateful {
            let (established, invalid) = match self.firewall {
                Firewall::Conntrack => {
                    ("ct state established,related".to_owned(), "ct state invalid".to_owned())
                }
                Firewall::Mark | Firewall::AntiSpoofOnly | Firewall::None => (
                    format!("meta mark & {STATE_BITS:#x} == {ESTABLISHED:#x}"),
                    format!("meta mark & {STATE_BITS:#x} == {INVALID:#x}"),
                ),
            };
            rule(&format!("{established} accept"));
            rule(&format!("{invalid} drop"));
        }
        for group in groups().map(|group| group.id).collect::<BTreeSet<_>>() {
            rule(&format!("jump {}", chain_name(group, direction)));
        }
        rule("drop");
    }

    /// Mark firewall: the state that the IP hooks see, carried to the bridge in the mark.
    fn state_table(&self) -> String {
        let mut body = String::new();
        let zoned =
            self.topology.networks.iter().filter(|network| network.external_bridge.is_none());
        let zones = zoned.filter_map(|network| {
            Some(format!("\"{}\" : {}", names::bridge(network.id), self.zones.get(&network.id)?))
        });
        zone_chain(&mut body, set(zones));
        let bridges: BTreeSet<String> = self.topology.networks.iter().map(bridge_of).collect();
        let Some(all) = set(bridges.iter().map(|name| format!("\"{name}\""))) else { return body };
        state_chain(&mut body, "prerouting", &format!("iifname {all}"));
        let outer: BTreeSet<&String> =
            self.topology.networks.iter().filter_map(|net| net.external_bridge.as_ref()).collect();
        if let Some(outer) = set(outer.iter().map(|name| format!("\"{name}\""))) {
            state_chain(&mut body, "output", &format!("oifname {outer}"));
        }
        body
    }
}

impl Identity {
    fn of(port: &PortSpec) -> Self {
        let mut nets: BTreeMap<Mac, (Vec<Ipv4Net>, Vec<Ipv6Net>)> = BTreeMap::new();
        let own = port.fixed_ips.iter().map(|ip| (port.mac, IpNet::from(ip.address)));
        let pairs = &port.allowed_address_pairs;
        let pairs = pairs.iter().map(|pair| (pair.mac.unwrap_or(port.mac), pair.address));
        nets.entry(port.mac).or_default();
        for (mac, net) in own.chain(pairs) {
            let (v4, v6) = nets.entry(mac).or_default();
            split([net], v4, v6);
        }
        for (mac, (v4, v6)) in &mut nets {
            v6.push(mac.eui64(Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0)).into());
            // Overlapping intervals in one set are refused by the kernel.
            *v4 = Ipv4Net::aggregate(v4);
            *v6 = Ipv6Net::aggregate(v6);
        }
        Self { by_mac: nets }
    }

    /// The addresses it may advertise as its own, raw; `None` when they cannot be listed.
    fn advertised(&self) -> Option<String> {
        let nets = || self.by_mac.values().flat_map(|(_, v6)| v6);
        if nets().any(|net| net.prefix_len() < 128) {
            return None;
        }
        let all: BTreeSet<u128> = nets().map(|net| net.addr().to_bits()).collect();
        set(all.iter().map(|bits| format!("{bits:#034x}")))
    }
}

fn split(nets: impl IntoIterator<Item = IpNet>, v4: &mut Vec<Ipv4Net>, v6: &mut Vec<Ipv6Net>) {
    for net in nets {
        match net.trunc() {
            IpNet::V4(net) => v4.push(net),
            IpNet::V6(net) => v6.push(net),
        }
    }
}

fn member_set(body: &mut String, name: &str, kind: &str, elements: Option<String>) {
    let elements = elements.map(|set| format!(" elements = {set};")).unwrap_or_default();
    line(body, format!("  set {name} {{ type {kind}; flags interval; auto-merge;{elements} }}"));
}

fn zone_chain(body: &mut String, zones: Option<String>) {
    if let Some(zones) = zones {
        line(
            body,
            format!(
                "  chain zones {{\n    type filter hook prerouting priority -300; policy accept;\n    ct zone set iifname map {zones}\n  }}"
            ),
        );
    }
}

fn state_chain(body: &mut String, hook: &str, on: &str) {
    let keep = !STATE_BITS;
    line(
        body,
        format!(
            "  chain state_{hook} {{\n    type filter hook {hook} priority -150; policy accept;\n    \
         {on} meta mark set meta mark & {keep:#x}\n    \
         {on} ct state established,related meta mark set meta mark | {ESTABLISHED:#x}\n    \
         {on} ct state invalid meta mark set meta mark | {INVALID:#x}\n  }}"
        ),
    );
}

fn group_chain(body: &mut String, group: &SecurityGroupSpec, direction: Direction) {
    line(body, format!("  chain {} {{", chain_name(group.id, direction)));
    let rules = group.rules.iter().filter(|rule| rule.direction == direction);
    // Sorted, so that the order in the database does not make another ruleset.
    for text in rules.filter_map(rule_text).collect::<BTreeSet<_>>() {
        line(body, format!("    {text}"));
    }
    body.push_str("  }\n");
}

/// One rule; `None` for one that cannot match (a remote of the other family).
fn rule_text(rule: &RuleSpec) -> Option<String> {
    let (family, icmp) = match rule.ethertype {
        EtherType::Ipv4 => ("ip", (1, "icmp")),
        EtherType::Ipv6 => ("ip6", (58, "icmpv6")),
    };
    let mut text = format!("ether type {family}");
    let side = match rule.direction {
        Direction::Ingress => "saddr",
        Direction::Egress => "daddr",
    };
    match rule.remote {
        Remote::Any => {}
        Remote::Cidr(net) if net.addr().is_ipv4() != (rule.ethertype == EtherType::Ipv4) => {
            return None;
        }
        Remote::Cidr(net) if net.prefix_len() == 0 => {}
        Remote::Cidr(net) => text.push_str(&format!(" {family} {side} {}", net.trunc())),
        Remote::Group(id) => {
            text.push_str(&format!(" {family} {side} @{}", set_name(id, rule.ethertype)));
        }
    }
    if let Some(protocol) = rule.protocol {
        text.push_str(&format!(" meta l4proto {protocol}"));
        text.push_str(&ports_text(rule, protocol, icmp));
    }
    text.push_str(" accept");
    Some(text)
}

/// Ports for the protocols that have them, type and code for ICMP of the rule's own family.
fn ports_text(rule: &RuleSpec, protocol: u8, (icmp, icmp_name): (u8, &str)) -> String {
    match (protocol, rule.port_min, rule.port_max) {
        (p, Some(kind), code) if p == icmp => {
            let code = code.map(|code| format!(" {icmp_name} code {}", code.min(255)));
            format!(" {icmp_name} type {}{}", kind.min(255), code.unwrap_or_default())
        }
        (6 | 17 | 33 | 132 | 136, Some(min), max) => match max.unwrap_or(min) {
            max if max <= min => format!(" th dport {min}"),
            max => format!(" th dport {min}-{max}"),
        },
        (6 | 17 | 33 | 132 | 136, None, Some(max)) => format!(" th dport 0-{max}"),
        _ => String::new(),
    }
}

fn chain_name(group: Uuid, direction: Direction) -> String {
    match direction {
        Direction::Ingress => format!("in_{group}"),
        Direction::Egress => format!("out_{group}"),
    }
}

fn set_name(group: Uuid, ethertype: EtherType) -> String {
    match ethertype {
        EtherType::Ipv4 => format!("members4_{group}"),
        EtherType::Ipv6 => format!("members6_{group}"),
    }
}

/// A connection tracking zone for every network, so that tenants may use the same addresses.
/// Networks outside share zone 0 with the host, which is on them. A network keeps its zone while
/// others come and go, unless two hash to the same and the first of them goes.
fn zones(topology: &Topology) -> BTreeMap<Uuid, u16> {
    let inner = topology.networks.iter().filter(|network| network.external_bridge.is_none());
    let mut taken = BTreeSet::from([0]);
    let mut zones = BTreeMap::new();
    for id in inner.map(|network| network.id).collect::<BTreeSet<_>>() {
        let bits = id.as_u128();
        let mut zone = (bits ^ (bits >> 16) ^ (bits >> 48) ^ (bits >> 96)) as u16;
        while !taken.insert(zone) {
            zone = zone.wrapping_add(1);
        }
        zones.insert(id, zone);
    }
    zones
}
