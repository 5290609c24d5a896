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
