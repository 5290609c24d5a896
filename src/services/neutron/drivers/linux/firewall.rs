//! Security groups and anti-spoofing as nftables rules on the bridges.
//!
//! A frame between two devices of a bridge passes two chains: what its sender may say (`from`, at
//! priority -201) and what its receiver wants to hear (`to`, at -200). Both stay below -1, where
//! br_netfilter takes over; at 0 some kernels skip them silently. Each guest has one chain of each
//! kind, found through a map, so that a frame's cost does not grow with the guests; each security
//! group has one too, shared by its members.
//!
//! Only the answers of a connection pass by its state; what its opener says is held against the
//! rules every time. So a rule that is taken away ends the connections it allowed, with nothing to
//! look up or delete.
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

const ANSWER: u32 = 1;
const INVALID: u32 = 2;
/// What counts as an answer: the other direction of a connection, and the errors about it.
const ANSWERS: [&str; 2] = ["ct state established ct direction reply", "ct state related"];
const STATE_BITS: u32 = ANSWER | INVALID;

/// The rules of the host's own namespace.
pub(super) fn host_rules(topology: &Topology, firewall: Firewall) -> Ruleset {
    if firewall == Firewall::None {
        return Ruleset::of(&[Table {
            family: "bridge",
            name: TABLES[0].1,
            body: String::new(),
            keep: false,
        }]);
    }
    let view = View::new(topology, firewall);
    let mut tables = vec![Table {
        family: TABLES[0].0,
        name: TABLES[0].1,
        body: view.groups_table(),
        keep: false,
    }];
    if firewall == Firewall::Mark {
        tables.push(Table {
            family: TABLES[1].0,
            name: TABLES[1].1,
            body: view.state_table(),
            keep: false,
        });
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
            self.sender_chain(&mut body, port);
            if self.firewall != Firewall::AntiSpoofOnly {
                self.receiver_chain(&mut body, port);
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
    fn sender_chain(&self, body: &mut String, port: &PortSpec) {
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
    fn receiver_chain(&self, body: &mut String, port: &PortSpec) {
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
            let (answers, invalid) = match self.firewall {
                Firewall::Conntrack => {
                    (ANSWERS.map(str::to_owned).to_vec(), "ct state invalid".into())
                }
                Firewall::Mark | Firewall::AntiSpoofOnly | Firewall::None => (
                    vec![format!("meta mark & {STATE_BITS:#x} == {ANSWER:#x}")],
                    format!("meta mark & {STATE_BITS:#x} == {INVALID:#x}"),
                ),
            };
            for answer in answers {
                rule(&format!("{answer} accept"));
            }
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
    line(body, format!("  chain state_{hook} {{"));
    line(body, format!("    type filter hook {hook} priority -150; policy accept;"));
    line(body, format!("    {on} meta mark set meta mark & {keep:#x}"));
    for answer in ANSWERS {
        line(body, format!("    {on} {answer} meta mark set meta mark | {ANSWER:#x}"));
    }
    line(body, format!("    {on} ct state invalid meta mark set meta mark | {INVALID:#x}"));
    line(body, "  }");
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

#[cfg(test)]
mod tests {
    use super::super::super::AddressPair;
    use super::super::fixture::{guest, id, topology, within};
    use super::*;

    fn text(topology: &Topology, firewall: Firewall) -> String {
        host_rules(topology, firewall).text
    }

    /// The lines of one chain, set or map.
    fn block<'a>(text: &'a str, name: &str) -> Vec<&'a str> {
        let start = format!("chain {name} {{");
        let from = text.lines().skip_while(|line| line.trim() != start).skip(1);
        from.take_while(|line| line.trim() != "}").map(str::trim).collect()
    }

    #[test]
    fn rules_as_nft_says_them() {
        let v4 = |protocol, port_min, port_max, remote| RuleSpec {
            protocol,
            port_min,
            port_max,
            remote,
            ..within()
        };
        let net = |text: &str| Remote::Cidr(text.parse().unwrap());
        let v6 = |rule: RuleSpec| RuleSpec { ethertype: EtherType::Ipv6, ..rule };
        let out = |rule: RuleSpec| RuleSpec { direction: Direction::Egress, ..rule };
        let any = Remote::Any;
        let cases = [
            (v4(None, None, None, any), "ether type ip accept"),
            (
                v4(Some(6), Some(22), Some(22), any),
                "ether type ip meta l4proto 6 th dport 22 accept",
            ),
            (
                v4(Some(17), Some(1), Some(9), any),
                "ether type ip meta l4proto 17 th dport 1-9 accept",
            ),
            (v4(Some(6), None, None, any), "ether type ip meta l4proto 6 accept"),
            (v4(Some(47), Some(1), Some(2), any), "ether type ip meta l4proto 47 accept"),
            (
                v4(Some(1), Some(8), Some(0), any),
                "ether type ip meta l4proto 1 icmp type 8 icmp code 0 accept",
            ),
            (v4(Some(1), Some(8), None, any), "ether type ip meta l4proto 1 icmp type 8 accept"),
            (
                v6(v4(Some(58), Some(128), None, any)),
                "ether type ip6 meta l4proto 58 icmpv6 type 128 accept",
            ),
            (v4(None, None, None, net("10.1.2.3/8")), "ether type ip ip saddr 10.0.0.0/8 accept"),
            (
                out(v4(None, None, None, net("10.0.0.0/8"))),
                "ether type ip ip daddr 10.0.0.0/8 accept",
            ),
            (v4(None, None, None, net("0.0.0.0/0")), "ether type ip accept"),
            (
                v6(v4(None, None, None, net("2001:db8::/32"))),
                "ether type ip6 ip6 saddr 2001:db8::/32 accept",
            ),
        ];
        for (rule, expected) in cases {
            assert_eq!(rule_text(&rule).as_deref(), Some(expected));
        }
        assert_eq!(rule_text(&v6(v4(None, None, None, net("10.0.0.0/8")))), None);
        let group = rule_text(&v6(within())).unwrap();
        assert_eq!(group, format!("ether type ip6 ip6 saddr @members6_{} accept", id(0x91)));
    }

    #[test]
    fn a_guest_speaks_only_as_itself() {
        let text = text(&topology(), Firewall::Mark);
        let chain = block(&text, "from_tap00000011-00");
        assert_eq!(chain[0], "ether saddr != { fa:16:3e:00:00:11 } drop");
        for expected in [
            "ether saddr fa:16:3e:00:00:11 ether type arp arp saddr ip != { 0.0.0.0/32, 10.0.0.11/32 } drop",
            "ether saddr fa:16:3e:00:00:11 ether type ip ip saddr != { 10.0.0.11/32 } drop",
            "ether saddr fa:16:3e:00:00:11 ether type ip6 ip6 saddr != { fe80::f816:3eff:fe00:11/128 } drop",
            "ether type ip udp sport 67 udp dport 68 drop",
            "ether type ip6 icmpv6 type { 134, 137 } drop",
        ] {
            assert!(chain.contains(&expected), "{expected}\n{chain:#?}");
        }
        let tail = [format!("jump out_{}", id(0x91)), "drop".to_owned()];
        assert_eq!(chain[chain.len() - 2..], tail);
    }

    #[test]
    fn address_pairs_widen_what_it_may_say_and_who_is_a_member() {
        let mut paired = topology();
        let other: Mac = "fa:16:3e:00:00:99".parse().unwrap();
        paired.ports[0].allowed_address_pairs = vec![
            AddressPair { mac: None, address: "10.0.0.8/29".parse().unwrap() },
            AddressPair { mac: Some(other), address: "10.0.0.50/32".parse().unwrap() },
        ];
        let text = text(&paired, Firewall::Mark);
        let chain = block(&text, "from_tap00000011-00");
        assert_eq!(chain[0], "ether saddr != { fa:16:3e:00:00:11, fa:16:3e:00:00:99 } drop");
        // 10.0.0.11 lies within the pair: overlapping intervals would be refused.
        assert!(chain.contains(
            &"ether saddr fa:16:3e:00:00:11 ether type ip ip saddr != { 10.0.0.8/29 } drop"
        ));
        assert!(chain.contains(
            &"ether saddr fa:16:3e:00:00:99 ether type ip ip saddr != { 10.0.0.50/32 } drop"
        ));
        assert!(text.contains("elements = { 10.0.0.8/29, 10.0.0.50/32 };"), "{text}");
    }

    #[test]
    fn state_comes_from_tracking_or_from_the_mark() {
        let tracked = text(&topology(), Firewall::Conntrack);
        assert!(
            block(&tracked, "to_tap00000011-00")
                .contains(&"ct state established ct direction reply accept")
        );
        assert!(!tracked.contains("stackup_state") && tracked.contains("chain zones"));
        let marked = text(&topology(), Firewall::Mark);
        let chain = block(&marked, "to_tap00000011-00");
        assert!(chain.contains(&"meta mark & 0x3 == 0x1 accept"));
        assert!(!chain.iter().any(|line| line.contains("ct state")));
        assert!(marked.contains("iifname { \"br-ex\", \"brq00000001-00\" } ct state invalid"));
    }

    #[test]
    fn stateless_groups_get_no_help_from_state() {
        let mut stateless = topology();
        stateless.security_groups[0].stateful = false;
        let text = text(&stateless, Firewall::Mark);
        assert!(!block(&text, "to_tap00000011-00").iter().any(|line| line.contains("mark")));
    }

    #[test]
    fn without_port_security_there_is_no_chain_but_the_host_stays_away() {
        let mut open = topology();
        open.ports[0].port_security = false;
        let text = text(&open, Firewall::Mark);
        assert!(block(&text, "from_tap00000011-00").is_empty());
        assert!(!text.contains("jump from_tap00000011-00"));
        let input = text.lines().find(|line| line.contains("map on_input")).unwrap();
        assert!(input.contains("\"tap00000011-00\" : drop"));
    }

    #[test]
    fn the_weaker_mechanisms_say_what_they_do() {
        let spoof = text(&topology(), Firewall::AntiSpoofOnly);
        assert_eq!(block(&spoof, "from_tap00000011-00").last(), Some(&"accept"));
        assert!(!spoof.contains("chain to_tap"));
        assert!(!text(&topology(), Firewall::None).contains("tap00000011"));
    }

    #[test]
    fn bridge_chains_stay_below_br_netfilter() {
        for firewall in [Firewall::Conntrack, Firewall::Mark, Firewall::AntiSpoofOnly] {
            let text = text(&topology(), firewall);
            for line in text.lines().filter(|line| line.contains("hook forward")) {
                assert!(line.contains("priority -201") || line.contains("priority -200"), "{line}");
            }
        }
    }

    #[test]
    fn zones_are_distinct_and_stay() {
        let mut many = topology();
        let template = many.networks[0].clone();
        let ids: Vec<Uuid> = (0..300).map(|n| id(n * 65_536 + 1)).collect();
        many.networks = ids.iter().map(|&id| NetworkSpec { id, ..template.clone() }).collect();
        let all = zones(&many);
        let distinct: BTreeSet<u16> = all.values().copied().collect();
        assert_eq!(distinct.len(), 300);
        assert!(!distinct.contains(&0));
        many.networks.pop();
        let fewer = zones(&many);
        assert!(fewer.iter().all(|(id, zone)| all[id] == *zone));
    }

    #[test]
    fn unknown_groups_allow_nothing() {
        let mut lost = topology();
        lost.ports.push(PortSpec { security_groups: vec![id(0x77)], ..guest(0x13, "10.0.0.13") });
        let text = text(&lost, Firewall::Mark);
        let chain = block(&text, "to_tap00000013-00");
        assert_eq!(chain.last(), Some(&"drop"));
        assert!(!chain.iter().any(|line| line.starts_with("jump")));
    }
}
