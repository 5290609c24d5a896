//! What the host has to look like: a pure function of the topology.
//!
//! ```text
//!   guest ── tap1 ─┐                          ┌─ qr-2 [qrouter-R] qg-4 ── tap4 ── br-ex
//!                  ├─ brqN ── tap2 ───────────┘        (NAT)
//!                  └──────── tap3 ── ns-3 [qdhcp-N]    (DHCP and metadata, in process)
//! ```
//!
//! No name, address or rule here comes from a user's text: everything is rendered from typed
//! values, so nothing that a user writes can reach `ip` or `nft`.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr};

use ipnet::IpNet;
use uuid::Uuid;

use super::super::names;
use super::super::{
    Firewall, FixedIp, MetadataOrigin, NetworkSpec, PortSpec, Problem, SubnetSpec, Topology,
};
use super::dhcp::{self, DhcpConfig};
use super::firewall;
use super::nat;
use super::nft::Ruleset;
use super::ra::{self, RaConfig};

/// Where guests ask for metadata.
pub const METADATA_ADDRESS: Ipv4Addr = Ipv4Addr::new(169, 254, 169, 254);

/// What the host lets us do, and what its operator wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    pub firewall: Firewall,
    /// Make the bridges of external networks; the installer's work otherwise.
    pub manage_external_bridge: bool,
}

/// The host as it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Desired {
    pub bridges: BTreeMap<String, Bridge>,
    /// Devices that guests bring along, by name.
    pub taps: BTreeMap<String, Tap>,
    pub namespaces: BTreeMap<String, Namespace>,
    /// The host's own rules: security groups.
    pub rules: Ruleset,
    /// What cannot be made, known without looking.
    pub problems: Vec<Problem>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bridge {
    pub network: Uuid,
    pub mtu: u16,
    /// False: it must be there already, and is left as it is.
    pub ours: bool,
    /// Frames pass through the host's IP hooks, which the mark firewall needs.
    pub call_ip_hooks: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tap {
    pub port: Uuid,
    pub bridge: String,
    pub mtu: u16,
}

/// A namespace with one end of some pairs in it; the other ends are on bridges.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Namespace {
    /// The router or network.
    pub subject: Uuid,
    /// By the name inside.
    pub pairs: BTreeMap<String, Pair>,
    pub loopback: BTreeSet<IpNet>,
    pub routes: BTreeSet<Route>,
    pub sysctls: Vec<(&'static str, &'static str)>,
    pub rules: Option<Ruleset>,
    pub dhcp: Option<DhcpConfig>,
    pub metadata: Option<MetadataOrigin>,
    pub advertise: Vec<RaConfig>,
}

impl Namespace {
    /// Without what runs in the process: what the kernel has to have.
    #[must_use]
    pub(super) fn wiring(&self) -> Self {
        Self { dhcp: None, metadata: None, advertise: Vec::new(), ..self.clone() }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pair {
    pub port: Uuid,
    /// The name on the host.
    pub outside: String,
    pub bridge: String,
    pub mac: super::super::Mac,
    pub mtu: u16,
    pub addresses: BTreeSet<IpNet>,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Route {
    pub destination: IpNet,
    pub via: IpAddr,
    pub device: String,
}

/// Computes the host from the topology.
pub fn desired(topology: &Topology, settings: &Settings) -> Desired {
    let topology = &sorted(topology);
    let context = Context::new(topology);
    let mut wanted = Desired {
        bridges: BTreeMap::new(),
        taps: BTreeMap::new(),
        namespaces: BTreeMap::new(),
        rules: firewall::host_rules(topology, settings.firewall),
        problems: Vec::new(),
    };
    for network in &topology.networks {
        add_bridge(&mut wanted, network, settings);
        add_dhcp(&mut wanted, network, &context);
    }
    for port in &topology.ports {
        if let Some(network) = context.network(port.network) {
            let bridge = bridge_of(network);
            // The outer bridge shows its frames only when there is a guest on it to guard.
            if let Some(on) = wanted.bridges.get_mut(&bridge) {
                on.call_ip_hooks = settings.firewall == Firewall::Mark;
            }
            let tap = Tap { port: port.id, bridge, mtu: network.mtu };
            wanted.taps.insert(names::tap(port.id), tap);
        }
    }
    for router in topology.routers.iter().filter(|router| router.admin_state_up) {
        add_router(&mut wanted, router, &context);
    }
    wanted
}

/// In an order of its own, so that the same records make the same text however they are listed.
fn sorted(topology: &Topology) -> Topology {
    let mut topology = topology.clone();
    topology.networks.sort_by_key(|network| network.id);
    topology.ports.sort_by_key(|port| port.id);
    topology.routers.sort_by_key(|router| router.id);
    topology.security_groups.sort_by_key(|group| group.id);
    topology
}

/// The bridge that carries a network.
pub(super) fn bridge_of(network: &NetworkSpec) -> String {
    network.external_bridge.clone().unwrap_or_else(|| names::bridge(network.id))
}

/// The topology by id.
struct Context<'a> {
    networks: BTreeMap<Uuid, &'a NetworkSpec>,
    subnets: BTreeMap<Uuid, &'a SubnetSpec>,
    ports_of: BTreeMap<Uuid, Vec<&'a PortSpec>>,
}

impl<'a> Context<'a> {
    fn new(topology: &'a Topology) -> Self {
        let mut ports_of: BTreeMap<Uuid, Vec<&PortSpec>> = BTreeMap::new();
        for port in &topology.ports {
            ports_of.entry(port.network).or_default().push(port);
        }
        let networks = &topology.networks;
        Self {
            networks: networks.iter().map(|network| (network.id, network)).collect(),
            subnets: networks
                .iter()
                .flat_map(|network| network.subnets.iter().map(|subnet| (subnet.id, subnet)))
                .collect(),
            ports_of,
        }
    }

    fn network(&self, id: Uuid) -> Option<&'a NetworkSpec> {
        self.networks.get(&id).copied()
    }

    /// The addresses of a port with the prefix of their subnets.
    fn addresses(&self, fixed: &[FixedIp]) -> BTreeSet<IpNet> {
        let prefixed = |ip: &FixedIp| {
            let subnet = self.subnets.get(&ip.subnet)?;
            IpNet::new(ip.address, subnet.cidr.prefix_len()).ok()
        };
        fixed.iter().filter_map(prefixed).collect()
    }
}

fn add_bridge(wanted: &mut Desired, network: &NetworkSpec, settings: &Settings) {
    let ours = network.external_bridge.is_none() || settings.manage_external_bridge;
    let bridge = Bridge {
        network: network.id,
        mtu: network.mtu,
        ours,
        call_ip_hooks: network.external_bridge.is_none() && settings.firewall == Firewall::Mark,
    };
    wanted.bridges.insert(bridge_of(network), bridge);
}

fn add_dhcp(wanted: &mut Desired, network: &NetworkSpec, context: &Context<'_>) {
    let Some(port) = network.dhcp_port.as_ref().filter(|_| network.admin_state_up) else { return };
    let inside = names::dhcp_interface(port.id);
    let mut addresses = context.addresses(&port.fixed_ips);
    if network.metadata {
        addresses.insert(host_net(METADATA_ADDRESS.into()));
    }
    let guests = context.ports_of.get(&network.id).map(Vec::as_slice).unwrap_or_default();
    let dhcp = dhcp::config(network, port, guests, &inside);
    let pair = Pair {
        port: port.id,
        outside: names::tap(port.id),
        bridge: bridge_of(network),
        mac: port.mac,
        mtu: network.mtu,
        addresses,
    };
    let namespace = Namespace {
        subject: network.id,
        pairs: BTreeMap::from([(inside, pair)]),
        loopback: BTreeSet::new(),
        routes: BTreeSet::new(),
        sysctls: vec![
            ("net/ipv4/ip_forward", "0"),
            ("net/ipv4/conf/all/rp_filter", "0"),
            ("net/ipv6/conf/all/forwarding", "0"),
            ("net/ipv6/conf/default/accept_ra", "0"),
            ("net/ipv6/conf/default/dad_transmits", "0"),
        ],
        rules: None,
        dhcp,
        metadata: network.metadata.then_some(MetadataOrigin::Network(network.id)),
        advertise: Vec::new(),
    };
    wanted.namespaces.insert(names::dhcp_namespace(network.id), namespace);
}

fn add_router(wanted: &mut Desired, router: &super::super::RouterSpec, context: &Context<'_>) {
    let mut pairs = BTreeMap::new();
    let mut routes = BTreeSet::new();
    let mut advertise = Vec::new();
    for interface in &router.interfaces {
        let Some(network) = context.network(interface.network) else { continue };
        let inside = names::router_interface(interface.port);
        advertise.extend(ra::config(network, interface, &inside));
        let pair = Pair {
            port: interface.port,
            outside: names::tap(interface.port),
            bridge: bridge_of(network),
            mac: interface.mac,
            mtu: network.mtu,
            addresses: context.addresses(&interface.fixed_ips),
        };
        pairs.insert(inside, pair);
    }
    if let Some(gateway) = &router.gateway
        && let Some(network) = context.network(gateway.network)
    {
        let inside = names::gateway_interface(gateway.port);
        let mut addresses = context.addresses(&gateway.fixed_ips);
        // The router answers ARP for its floating addresses by having them.
        addresses.extend(router.floating_ips.iter().map(|floating| host_net(floating.floating)));
        routes = default_routes(context, &gateway.fixed_ips, &inside);
        let pair = Pair {
            port: gateway.port,
            outside: names::tap(gateway.port),
            bridge: bridge_of(network),
            mac: gateway.mac,
            mtu: network.mtu,
            addresses,
        };
        pairs.insert(inside, pair);
    }
    add_extra_routes(wanted, router, &pairs, &mut routes);
    let namespace = Namespace {
        subject: router.id,
        pairs,
        loopback: BTreeSet::from([host_net(METADATA_ADDRESS.into())]),
        routes,
        sysctls: vec![
            ("net/ipv4/ip_forward", "1"),
            ("net/ipv4/conf/all/rp_filter", "0"),
            ("net/ipv4/conf/default/rp_filter", "0"),
            ("net/ipv4/conf/all/arp_ignore", "1"),
            ("net/ipv4/conf/all/arp_announce", "2"),
            ("net/ipv4/conf/all/send_redirects", "0"),
            ("net/ipv4/conf/default/send_redirects", "0"),
            ("net/ipv6/conf/all/forwarding", "1"),
            ("net/ipv6/conf/default/accept_ra", "0"),
            ("net/ipv6/conf/default/dad_transmits", "0"),
        ],
        rules: Some(nat::router_rules(router)),
        dhcp: None,
        metadata: Some(MetadataOrigin::Router(router.id)),
        advertise,
    };
    wanted.namespaces.insert(names::router_namespace(router.id), namespace);
}

/// One default route a family, through the gateway of the outer subnet.
fn default_routes(context: &Context<'_>, fixed: &[FixedIp], device: &str) -> BTreeSet<Route> {
    let mut by_family = BTreeMap::new();
    for ip in fixed {
        let Some(via) = context.subnets.get(&ip.subnet).and_then(|subnet| subnet.gateway) else {
            continue;
        };
        by_family.entry(via.is_ipv4()).or_insert_with(|| Route {
            destination: everywhere(via),
            via,
            device: device.to_owned(),
        });
    }
    by_family.into_values().collect()
}

fn add_extra_routes(
    wanted: &mut Desired,
    router: &super::super::RouterSpec,
    pairs: &BTreeMap<String, Pair>,
    routes: &mut BTreeSet<Route>,
) {
    for extra in &router.routes {
        let reachable = |pair: &Pair| pair.addresses.iter().any(|net| net.contains(&extra.nexthop));
        let Some((device, _)) = pairs.iter().find(|(_, pair)| reachable(pair)) else {
            let what = format!("next hop {} of a route is on none of its networks", extra.nexthop);
            wanted.problems.push(Problem { subject: Some(router.id), what });
            continue;
        };
        // A route of the user for the same destination goes before the gateway's.
        routes.retain(|route| route.destination != extra.destination.trunc());
        routes.insert(Route {
            destination: extra.destination.trunc(),
            via: extra.nexthop,
            device: device.clone(),
        });
    }
}

/// The address alone: /32 or /128.
pub(super) fn host_net(address: IpAddr) -> IpNet {
    IpNet::from(address)
}

fn everywhere(family: IpAddr) -> IpNet {
    match family {
        IpAddr::V4(_) => IpNet::V4(ipnet::Ipv4Net::default()),
        IpAddr::V6(_) => IpNet::V6(ipnet::Ipv6Net::default()),
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::HostRoute;
    use super::super::fixture::{id, topology};
    use super::*;

    fn settings() -> Settings {
        Settings { firewall: Firewall::Mark, manage_external_bridge: false }
    }

    fn nets(texts: &[&str]) -> BTreeSet<IpNet> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    #[test]
    fn the_picture_of_the_module() {
        let wanted = desired(&topology(), &settings());
        assert_eq!(wanted.bridges.keys().collect::<Vec<_>>(), ["br-ex", "brq00000001-00"]);
        assert!(!wanted.bridges["br-ex"].ours && !wanted.bridges["br-ex"].call_ip_hooks);
        assert!(wanted.bridges["brq00000001-00"].ours);
        assert_eq!(wanted.taps.keys().collect::<Vec<_>>(), ["tap00000011-00", "tap00000012-00"]);
        let dhcp = &wanted.namespaces[&names::dhcp_namespace(id(1))];
        let inside = &dhcp.pairs["ns-00000021-00"];
        assert_eq!(inside.addresses, nets(&["10.0.0.2/24", "169.254.169.254/32"]));
        assert_eq!(dhcp.dhcp.as_ref().unwrap().leases.len(), 2);
        assert_eq!(dhcp.metadata, Some(MetadataOrigin::Network(id(1))));
        let router = &wanted.namespaces[&names::router_namespace(id(3))];
        assert_eq!(router.pairs["qr-00000031-00"].addresses, nets(&["10.0.0.1/24"]));
        let outer = &router.pairs["qg-00000032-00"];
        assert_eq!(outer.addresses, nets(&["172.24.4.10/24", "172.24.4.20/32"]));
        assert_eq!((outer.bridge.as_str(), outer.outside.as_str()), ("br-ex", "tap00000032-00"));
        let routes: Vec<String> = router
            .routes
            .iter()
            .map(|route| format!("{} {} {}", route.destination, route.via, route.device))
            .collect();
        assert_eq!(routes, ["0.0.0.0/0 172.24.4.1 qg-00000032-00"]);
        assert_eq!(wanted.problems, []);
    }

    #[test]
    fn the_order_of_the_records_does_not_matter() {
        let mut turned = topology();
        turned.networks.reverse();
        turned.ports.reverse();
        turned.security_groups[0].rules.reverse();
        let (one, other) = (desired(&topology(), &settings()), desired(&turned, &settings()));
        assert_eq!(one.namespaces, other.namespaces);
        assert_eq!(one.rules.revision, other.rules.revision);
    }

    #[test]
    fn what_is_switched_off_is_not_there() {
        let mut off = topology();
        off.routers[0].admin_state_up = false;
        off.networks[0].admin_state_up = false;
        let wanted = desired(&off, &settings());
        assert!(wanted.namespaces.is_empty());
        assert!(wanted.rules.text.contains("\"tap00000011-00\" : drop"));
    }

    #[test]
    fn a_route_of_the_user_goes_before_the_gateways() {
        let mut routed = topology();
        let route = |destination: &str, nexthop: &str| HostRoute {
            destination: destination.parse().unwrap(),
            nexthop: nexthop.parse().unwrap(),
        };
        routed.routers[0].routes =
            vec![route("0.0.0.0/0", "10.0.0.9"), route("1.0.0.0/8", "9.9.9.9")];
        let wanted = desired(&routed, &settings());
        let router = &wanted.namespaces[&names::router_namespace(id(3))];
        let via: Vec<IpAddr> = router.routes.iter().map(|route| route.via).collect();
        assert_eq!(via, ["10.0.0.9".parse::<IpAddr>().unwrap()]);
        assert_eq!(wanted.problems.len(), 1);
        assert_eq!(wanted.problems[0].subject, Some(id(3)));
    }

    #[test]
    fn a_guest_outside_makes_the_outer_bridge_show_its_frames() {
        let mut outside = topology();
        outside.ports[0].network = id(2);
        let wanted = desired(&outside, &settings());
        assert!(wanted.bridges["br-ex"].call_ip_hooks);
        assert_eq!(wanted.taps["tap00000011-00"].bridge, "br-ex");
    }

    #[test]
    fn names_of_the_kernel_fit() {
        let wanted = desired(&topology(), &settings());
        let pairs = wanted.namespaces.values().flat_map(|namespace| &namespace.pairs);
        for name in pairs.flat_map(|(inside, pair)| [inside, &pair.outside]) {
            assert!(name.len() <= 15, "{name}");
        }
    }
}
