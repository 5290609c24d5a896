//! From rows to what the host has to carry: a pure function.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::IpAddr;

use serde_json::Value as Json;
use uuid::Uuid;

use crate::config::Config;
use crate::drivers::{
    AddressPair, DhcpPortSpec, Direction, EtherType, ExtraDhcpOpt, FixedIp, FloatingIpSpec,
    GatewaySpec, HostRoute, InterfaceSpec, Ipv6Mode, Mac, MeterRuleSpec, MeterSpec, NetworkSpec,
    PortSpec, Remote, RouterSpec, RuleSpec, SecurityGroupSpec, SubnetSpec, Topology,
    protocol_number,
};
use crate::model::Record;
use crate::model::port::{DHCP, ROUTER_INTERFACE, is_network_device};
use crate::store::topology::State;

/// What the state asks of the host.
pub(crate) fn desired(state: &State, config: &Config) -> Topology {
    let mut subnets: HashMap<&str, Vec<SubnetSpec>> = HashMap::new();
    for record in &state.subnets {
        if let Some(spec) = subnet(record, config) {
            subnets.entry(record.text("network_id")).or_default().push(spec);
        }
    }
    let index = Index::of(state);
    let networks = state.networks.iter().filter_map(|record| {
        let subnets = subnets.remove(record.id()).unwrap_or_default();
        network(record, subnets, &index, config)
    });
    Topology {
        networks: networks.collect(),
        ports: guests(state).filter_map(port).collect(),
        routers: state.routers.iter().filter_map(|r| router(r, &index)).collect(),
        security_groups: groups(state),
    }
}

/// Ports that are not neutron's own.
fn guests(state: &State) -> impl Iterator<Item = &Record> {
    let ports = state.ports.iter();
    ports.filter(|port| !is_network_device(port.text("device_owner")))
}

/// Neutron's own ports by what they serve.
struct Index<'a> {
    dhcp: HashMap<&'a str, &'a Record>,
    interfaces: BTreeMap<&'a str, Vec<&'a Record>>,
    by_id: HashMap<&'a str, &'a Record>,
    floating: HashMap<&'a str, Vec<&'a Record>>,
    /// Each with whose routers it is for; `None` is everybody's.
    meters: Vec<(Option<&'a str>, MeterSpec)>,
}

impl<'a> Index<'a> {
    fn of(state: &'a State) -> Self {
        let mut index = Self {
            dhcp: HashMap::new(),
            interfaces: BTreeMap::new(),
            by_id: HashMap::new(),
            floating: HashMap::new(),
            meters: meters(state),
        };
        for port in &state.ports {
            index.by_id.insert(port.id(), port);
            match port.text("device_owner") {
                DHCP => {
                    index.dhcp.insert(port.text("network_id"), port);
                }
                ROUTER_INTERFACE => {
                    index.interfaces.entry(port.text("device_id")).or_default().push(port);
                }
                _ => {}
            }
        }
        for floating in &state.floating_ips {
            if let Some(router) = floating.some_text("router_id") {
                index.floating.entry(router).or_default().push(floating);
            }
        }
        index
    }
}

fn network(
    record: &Record,
    subnets: Vec<SubnetSpec>,
    index: &Index<'_>,
    config: &Config,
) -> Option<NetworkSpec> {
    let physical = record.some_text("provider:physical_network");
    let dhcp_port = index.dhcp.get(record.id()).and_then(|port| {
        Some(DhcpPortSpec {
            id: id(port.id())?,
            mac: port.text("mac_address").parse().ok()?,
            fixed_ips: fixed_ips(port),
        })
    });
    Some(NetworkSpec {
        id: id(record.id())?,
        mtu: u16::try_from(record.int("mtu")).unwrap_or(u16::MAX),
        admin_state_up: record.flag("admin_state_up"),
        external_bridge: physical.and_then(|name| config.bridges.get(name)).cloned(),
        subnets,
        // The way to the metadata must not change under running guests when a router comes or goes.
        metadata: dhcp_port.is_some(),
        dhcp_port,
        dns_domain: Some(config.dns_domain.clone()).filter(|domain| !domain.is_empty()),
    })
}

fn subnet(record: &Record, config: &Config) -> Option<SubnetSpec> {
    let mode = |name: &str| match record.text(name) {
        "slaac" => Some(Ipv6Mode::Slaac),
        "dhcpv6-stateful" => Some(Ipv6Mode::DhcpStateful),
        "dhcpv6-stateless" => Some(Ipv6Mode::DhcpStateless),
        _ => None,
    };
    let cidr: ipnet::IpNet = record.text("cidr").parse().ok()?;
    let mut dns: Vec<IpAddr> = addresses(record.list("dns_nameservers"));
    if dns.is_empty() {
        let family = |ip: &&IpAddr| ip.is_ipv4() == cidr.addr().is_ipv4();
        dns = config.dns_servers.iter().filter(family).copied().collect();
    }
    Some(SubnetSpec {
        id: id(record.id())?,
        cidr,
        gateway: record.text("gateway_ip").parse().ok(),
        dhcp: record.flag("enable_dhcp"),
        dns_servers: dns,
        host_routes: routes(record.list("host_routes")),
        ipv6_address_mode: mode("ipv6_address_mode"),
        ipv6_ra_mode: mode("ipv6_ra_mode"),
    })
}

fn port(record: &Record) -> Option<PortSpec> {
    Some(PortSpec {
        id: id(record.id())?,
        network: id(record.text("network_id"))?,
        mac: record.text("mac_address").parse().ok()?,
        fixed_ips: fixed_ips(record),
        device_owner: record.text("device_owner").to_owned(),
        device_id: record.text("device_id").to_owned(),
        admin_state_up: record.flag("admin_state_up"),
        security_groups: texts(record.list("security_groups")).filter_map(id).collect(),
        port_security: record.flag("port_security_enabled"),
        allowed_address_pairs: pairs(record.list("allowed_address_pairs")),
        hostname: record.some_text("hostname").map(str::to_owned),
        extra_dhcp_opts: record.list("extra_dhcp_opts").iter().filter_map(dhcp_opt).collect(),
    })
}

fn router(record: &Record, index: &Index<'_>) -> Option<RouterSpec> {
    let gateway = record.some_text("gateway_port_id").and_then(|port| index.by_id.get(port));
    let interfaces = index.interfaces.get(record.id());
    let floating = index.floating.get(record.id());
    Some(RouterSpec {
        id: id(record.id())?,
        admin_state_up: record.flag("admin_state_up"),
        gateway: gateway.and_then(|port| {
            Some(GatewaySpec {
                port: id(port.id())?,
                mac: port.text("mac_address").parse().ok()?,
                network: id(port.text("network_id"))?,
                fixed_ips: fixed_ips(port),
                enable_snat: record.flag("enable_snat"),
            })
        }),
        interfaces: interfaces.into_iter().flatten().filter_map(|port| interface(port)).collect(),
        routes: routes(record.list("routes")),
        floating_ips: floating.into_iter().flatten().filter_map(|fip| floating_ip(fip)).collect(),
        meters: index
            .meters
            .iter()
            .filter(|(project, _)| project.is_none_or(|project| project == record.project_id()))
            .map(|(_, meter)| meter.clone())
            .collect(),
    })
}

fn interface(port: &Record) -> Option<InterfaceSpec> {
    Some(InterfaceSpec {
        port: id(port.id())?,
        mac: port.text("mac_address").parse().ok()?,
        network: id(port.text("network_id"))?,
        fixed_ips: fixed_ips(port),
    })
}

fn floating_ip(record: &Record) -> Option<FloatingIpSpec> {
    Some(FloatingIpSpec {
        id: id(record.id())?,
        floating: record.text("floating_ip_address").parse().ok()?,
        fixed: record.text("fixed_ip_address").parse().ok()?,
    })
}

fn meters(state: &State) -> Vec<(Option<&str>, MeterSpec)> {
    let mut rules: HashMap<&str, Vec<MeterRuleSpec>> = HashMap::new();
    for rule in &state.metering_label_rules {
        rules.entry(rule.text("metering_label_id")).or_default().push(meter_rule(rule));
    }
    let labels = state.metering_labels.iter().filter_map(|label| {
        let project = (!label.flag("shared")).then(|| label.project_id());
        let rules = rules.remove(label.id()).unwrap_or_default();
        Some((project, MeterSpec { id: id(label.id())?, rules }))
    });
    labels.collect()
}

/// Upstream's `remote_ip_prefix` is the inner side: the source of what goes out.
fn meter_rule(record: &Record) -> MeterRuleSpec {
    let net = |name: &str| record.text(name).parse().ok();
    let (source, destination) = (net("source_ip_prefix"), net("destination_ip_prefix"));
    let (direction, source, destination) = match (record.text("direction"), net("remote_ip_prefix"))
    {
        ("egress", remote) => (Direction::Egress, remote.or(source), destination),
        (_, remote) => (Direction::Ingress, source, remote.or(destination)),
    };
    MeterRuleSpec { direction, excluded: record.flag("excluded"), source, destination }
}

/// The groups that ports are in, and the groups that those speak of.
fn groups(state: &State) -> Vec<SecurityGroupSpec> {
    let used: BTreeSet<&str> =
        guests(state).flat_map(|port| texts(port.list("security_groups"))).collect();
    let groups = state.security_groups.iter().filter(|group| used.contains(group.id()));
    let specs = groups.filter_map(|group| {
        Some(SecurityGroupSpec {
            id: id(group.id())?,
            stateful: group.flag("stateful"),
            rules: group.list("security_group_rules").iter().filter_map(rule).collect(),
        })
    });
    specs.collect()
}

fn rule(json: &Json) -> Option<RuleSpec> {
    let text = |key: &str| json.get(key).and_then(Json::as_str);
    let number = |key: &str| {
        let number = json.get(key).and_then(Json::as_u64);
        number.and_then(|number| u16::try_from(number).ok())
    };
    let ethertype = match text("ethertype") {
        Some("IPv6") => EtherType::Ipv6,
        _ => EtherType::Ipv4,
    };
    let protocol = match text("protocol") {
        // A protocol that cannot be read must not become "any".
        Some(name) => Some(protocol_number(name, ethertype)?),
        None => None,
    };
    let remote = match (text("remote_group_id"), text("normalized_cidr")) {
        (Some(group), _) => Remote::Group(id(group)?),
        (None, Some(cidr)) => Remote::Cidr(cidr.parse().ok()?),
        (None, None) => Remote::Any,
    };
    Some(RuleSpec {
        direction: match text("direction") {
            Some("egress") => Direction::Egress,
            _ => Direction::Ingress,
        },
        ethertype,
        protocol,
        port_min: number("port_range_min"),
        port_max: number("port_range_max"),
        remote,
    })
}

fn id(text: &str) -> Option<Uuid> {
    Uuid::try_parse(text).ok()
}

fn texts(list: &[Json]) -> impl Iterator<Item = &str> {
    list.iter().filter_map(Json::as_str)
}

fn addresses(list: &[Json]) -> Vec<IpAddr> {
    texts(list).filter_map(|text| text.parse().ok()).collect()
}

fn fixed_ips(port: &Record) -> Vec<FixedIp> {
    let ips = port.list("fixed_ips").iter().filter_map(|ip| {
        let text = |key: &str| ip.get(key).and_then(Json::as_str);
        Some(FixedIp {
            subnet: id(text("subnet_id")?)?,
            address: text("ip_address")?.parse().ok()?,
        })
    });
    ips.collect()
}

fn routes(list: &[Json]) -> Vec<HostRoute> {
    let routes = list.iter().filter_map(|route| {
        let text = |key: &str| route.get(key).and_then(Json::as_str);
        Some(HostRoute {
            destination: text("destination")?.parse().ok()?,
            nexthop: text("nexthop")?.parse().ok()?,
        })
    });
    routes.collect()
}

fn pairs(list: &[Json]) -> Vec<AddressPair> {
    let pairs = list.iter().filter_map(|pair| {
        let text = |key: &str| pair.get(key).and_then(Json::as_str);
        let address = text("ip_address")?;
        let address = match address.parse::<IpAddr>() {
            Ok(ip) => ip.into(),
            Err(_) => address.parse().ok()?,
        };
        let mac: Option<Mac> = text("mac_address").and_then(|mac| mac.parse().ok());
        Some(AddressPair { mac, address })
    });
    pairs.collect()
}

fn dhcp_opt(opt: &Json) -> Option<ExtraDhcpOpt> {
    let text = |key: &str| opt.get(key).and_then(Json::as_str);
    let version = opt.get("ip_version").and_then(Json::as_u64).unwrap_or(4);
    Some(ExtraDhcpOpt {
        name: text("opt_name")?.to_owned(),
        value: text("opt_value")?.to_owned(),
        ip_version: u8::try_from(version).unwrap_or(4),
    })
}
