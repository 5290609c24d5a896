//! The difference between the host as it should be and as it is, as batches of changes. Pure.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use ipnet::IpNet;

use super::super::{Problem, names};
use super::announce::Arrival;
use super::desired::{Bridge, Desired, Namespace, Pair, Tap};
use super::kernel::{Batch, Inside, Link};

/// Everything the host has, by name.
pub(super) type Links = BTreeMap<String, Link>;

/// Takes away devices of ours that nothing wants, and guests' devices that no port owns.
///
/// Only what carries our mark *and* a name that we make is ever removed: the installer marks its
/// bridges too, and those are not ours to take.
pub(super) fn removals(wanted: &Desired, links: &Links, outer_bridges_too: bool) -> Batch {
    let outsides: BTreeSet<&str> = wanted
        .namespaces
        .values()
        .flat_map(|namespace| namespace.pairs.values().map(|pair| pair.outside.as_str()))
        .collect();
    let mut batch = Batch::default();
    for (name, link) in links {
        let known = wanted.bridges.contains_key(name)
            || wanted.taps.contains_key(name)
            || outsides.contains(name.as_str());
        let removable = match link.kind() {
            "bridge" => name.starts_with("brq") || outer_bridges_too,
            "veth" => name.starts_with("tap"),
            _ => false,
        };
        if !known && link.ours() && removable {
            batch.add(None, format!("link del dev {name}"));
        } else if !known && stray(link, links) {
            batch.add(None, format!("link set dev {name} nomaster"));
        }
    }
    batch
}

/// A guest's device on a bridge of ours: nobody guards it.
fn stray(link: &Link, links: &Links) -> bool {
    let on_ours =
        |master: &String| master.starts_with("brq") && links.get(master).is_some_and(Link::ours);
    link.ifname.starts_with("tap")
        && link.kind() == "tun"
        && link.master.as_ref().is_some_and(on_ours)
}

/// Makes the bridges. Answers those that are, or will be, there.
pub(super) fn bridges(
    wanted: &Desired,
    links: &Links,
    batch: &mut Batch,
    problems: &mut Vec<Problem>,
) -> BTreeSet<String> {
    let mut there = BTreeSet::new();
    for (name, bridge) in &wanted.bridges {
        match links.get(name) {
            None if !bridge.ours => {
                let what = format!("bridge {name} is not there; the installer makes it");
                problems.push(Problem { subject: Some(bridge.network), what });
                continue;
            }
            Some(link) if link.kind() != "bridge" => {
                let what = format!("device {name} is not a bridge");
                problems.push(Problem { subject: Some(bridge.network), what });
                continue;
            }
            found => one_bridge(name, bridge, found, batch),
        }
        there.insert(name.clone());
    }
    there
}

fn one_bridge(name: &str, bridge: &Bridge, found: Option<&Link>, batch: &mut Batch) {
    let subject = bridge.network;
    if found.is_none() {
        // Without a delay of 0 a port forwards nothing for 15 seconds. Snooping without a querier
        // loses the multicast that IPv6 needs.
        batch.add(subject, format!("link add {name} type bridge forward_delay 0 mcast_snooping 0"));
    }
    if bridge.call_ip_hooks && !found.is_some_and(Link::calls_ip_hooks) {
        let hooks = "nf_call_iptables 1 nf_call_ip6tables 1";
        batch.add(subject, format!("link set dev {name} type bridge {hooks}"));
    }
    // One that others made is not touched further: its addresses and MTU are theirs.
    if bridge.ours && !found.is_some_and(|link| same(link, bridge.mtu) && link.ours()) {
        batch.add(subject, format!("link set dev {name} alias {}", names::OWNER));
        batch.add(subject, format!("link set dev {name} addrgenmode none"));
        batch.add(subject, format!("link set dev {name} mtu {} up", bridge.mtu));
    }
}

/// Makes the pairs of one namespace and puts their outer ends on their bridges. A pair whose
/// inner end is missing is made again.
pub(super) fn pairs(
    name: &str,
    namespace: &Namespace,
    links: &Links,
    bridges: &BTreeSet<String>,
    batch: &mut Batch,
    problems: &mut Vec<Problem>,
) {
    for (inside, pair) in &namespace.pairs {
        let found = links.get(&pair.outside);
        if found.is_some_and(|link| link.kind() != "veth") {
            let what = format!("device {} is someone else's", pair.outside);
            problems.push(Problem { subject: Some(pair.port), what });
            continue;
        }
        if found.is_none() {
            new_pair(name, inside, pair, batch);
        }
        let port = pair.port;
        let outside = &pair.outside;
        if !found.is_some_and(|link| same(link, pair.mtu) && link.ours()) {
            batch.add(port, format!("link set dev {outside} alias {}", names::OWNER));
            batch.add(port, format!("link set dev {outside} addrgenmode none"));
            batch.add(port, format!("link set dev {outside} mtu {} up", pair.mtu));
        }
        if found.and_then(|link| link.master.as_ref()) != Some(&pair.bridge) {
            if bridges.contains(&pair.bridge) {
                batch.add(port, format!("link set dev {outside} master {}", pair.bridge));
            } else {
                let what = format!("its bridge {} is not there", pair.bridge);
                problems.push(Problem { subject: Some(port), what });
            }
        }
    }
}

fn new_pair(namespace: &str, inside: &str, pair: &Pair, batch: &mut Batch) {
    let Pair { port, outside, mac, mtu, .. } = pair;
    batch.add(
        *port,
        format!("link add {outside} mtu {mtu} type veth peer name {inside} mtu {mtu} address {mac} netns {namespace}"),
    );
}

/// Puts a guest's device on its bridge.
pub(super) fn tap(name: &str, tap: &Tap, found: Option<&Link>, batch: &mut Batch) {
    if !found.is_some_and(|link| same(link, tap.mtu)) {
        batch.add(tap.port, format!("link set dev {name} addrgenmode none"));
        batch.add(tap.port, format!("link set dev {name} mtu {} up", tap.mtu));
    }
    if found.and_then(|link| link.master.as_ref()) != Some(&tap.bridge) {
        batch.add(tap.port, format!("link set dev {name} master {}", tap.bridge));
    }
}

fn same(link: &Link, mtu: u16) -> bool {
    let silent = link.inet6_addr_gen_mode.as_deref() == Some("none");
    link.up() && silent && link.mtu == u32::from(mtu)
}

/// What has to change inside a namespace.
#[derive(Debug, Default)]
pub(super) struct InsideChanges {
    pub(super) batch: Batch,
    pub(super) arrivals: Vec<Arrival>,
    /// Outer ends of pairs whose inner end is gone.
    pub(super) broken: Vec<String>,
}

/// Makes what is inside a namespace as wanted.
pub(super) fn inside(wanted: &Namespace, found: &Inside) -> InsideChanges {
    let mut changes = InsideChanges::default();
    let subject = wanted.subject;
    if !found.links.get("lo").is_some_and(|lo| lo.up() && lo.ours()) {
        changes.batch.add(subject, format!("link set dev lo alias {} up", names::OWNER));
    }
    let nothing = BTreeSet::new();
    let mut lost_routes = false;
    let loopback = found.addresses.get("lo").unwrap_or(&nothing);
    lost_routes |= addresses(&mut changes.batch, subject, "lo", &wanted.loopback, loopback);
    for (name, pair) in &wanted.pairs {
        let Some(link) = found.links.get(name) else {
            changes.broken.push(pair.outside.clone());
            continue;
        };
        let mac = pair.mac.to_string();
        let right =
            link.up() && link.mtu == u32::from(pair.mtu) && link.address == mac && link.ours();
        if !right {
            let (mtu, owner) = (pair.mtu, names::OWNER);
            changes.batch.add(pair.port, format!("link set dev {name} alias {owner}"));
            changes.batch.add(pair.port, format!("link set dev {name} address {mac} mtu {mtu} up"));
        }
        let has = found.addresses.get(name).unwrap_or(&nothing);
        lost_routes |= addresses(&mut changes.batch, pair.port, name, &pair.addresses, has);
        let new = pair.addresses.difference(has).filter_map(|net| match net.addr() {
            IpAddr::V4(address) if !address.is_link_local() => Some(address),
            _ => None,
        });
        changes.arrivals.extend(new.map(|address| Arrival {
            device: name.clone(),
            mac: pair.mac,
            address,
        }));
    }
    for route in found.routes.difference(&wanted.routes) {
        // Another next hop for a wanted destination is replaced below.
        if !wanted.routes.iter().any(|other| other.destination == route.destination) {
            let line =
                format!("route del {} via {} dev {}", route.destination, route.via, route.device);
            changes.batch.add(subject, line);
        }
    }
    for route in &wanted.routes {
        // The kernel drops the routes of an address that goes.
        if lost_routes || !found.routes.contains(route) {
            let onlink = if route.destination.prefix_len() == 0 { " onlink" } else { "" };
            changes.batch.add(
                subject,
                format!(
                    "route replace {} via {} dev {} proto static{onlink}",
                    route.destination, route.via, route.device
                ),
            );
        }
    }
    changes
}

/// Answers whether an address was taken away.
fn addresses(
    batch: &mut Batch,
    subject: uuid::Uuid,
    device: &str,
    wanted: &BTreeSet<IpNet>,
    found: &BTreeSet<IpNet>,
) -> bool {
    let mut gone = false;
    for net in found.difference(wanted) {
        batch.add(subject, format!("addr del {net} dev {device}"));
        gone = true;
    }
    // Link-local ones last: the first address is the one that answers are sent from.
    let local = |net: &&IpNet| matches!(net.addr(), IpAddr::V4(ip) if ip.is_link_local());
    let new = || wanted.difference(found);
    for net in new().filter(|net| !local(net)).chain(new().filter(local)) {
        let nodad = if net.addr().is_ipv6() { " nodad" } else { "" };
        batch.add(subject, format!("addr add {net} dev {device}{nodad}"));
    }
    gone
}

#[cfg(test)]
mod tests {
    use super::super::super::Firewall;
    use super::super::desired::{Settings, desired};
    use super::super::fixture::topology;
    use super::*;

    fn wanted() -> Desired {
        let settings = Settings { firewall: Firewall::Mark, manage_external_bridge: false };
        desired(&topology(), &settings)
    }

    fn link(json: &str) -> Link {
        serde_json::from_str(json).unwrap()
    }

    fn links(all: &[&str]) -> Links {
        all.iter().map(|json| link(json)).map(|link| (link.ifname.clone(), link)).collect()
    }

    #[test]
    fn only_what_is_marked_and_named_by_us_is_removed() {
        let links = links(&[
            r#"{"ifname":"brq99999999-99","ifalias":"stackup","linkinfo":{"info_kind":"bridge"}}"#,
            r#"{"ifname":"brq88888888-88","linkinfo":{"info_kind":"bridge"}}"#,
            r#"{"ifname":"br-lan","ifalias":"stackup","linkinfo":{"info_kind":"bridge"}}"#,
            r#"{"ifname":"tap99999999-99","ifalias":"stackup","linkinfo":{"info_kind":"veth"}}"#,
            r#"{"ifname":"tap77777777-77","ifalias":"stackup","linkinfo":{"info_kind":"tun"}}"#,
            r#"{"ifname":"eth0","ifalias":"stackup"}"#,
            r#"{"ifname":"brq00000001-00","ifalias":"stackup","linkinfo":{"info_kind":"bridge"}}"#,
            r#"{"ifname":"tap66666666-66","master":"brq00000001-00","linkinfo":{"info_kind":"tun"}}"#,
            r#"{"ifname":"tap55555555-55","master":"br-lan","linkinfo":{"info_kind":"tun"}}"#,
        ]);
        let expected = [
            "link del dev brq99999999-99",
            "link set dev tap66666666-66 nomaster",
            "link del dev tap99999999-99",
        ];
        assert_eq!(removals(&wanted(), &links, false).lines(), expected);
        let with_outer = removals(&wanted(), &links, true);
        assert!(with_outer.lines().contains(&"link del dev br-lan"));
    }

    #[test]
    fn a_missing_outer_bridge_is_a_problem_and_not_made() {
        let (mut batch, mut problems) = (Batch::default(), Vec::new());
        let there = bridges(&wanted(), &Links::new(), &mut batch, &mut problems);
        assert_eq!(there.into_iter().collect::<Vec<_>>(), ["brq00000001-00"]);
        assert_eq!(problems.len(), 1);
        assert!(batch.lines().iter().all(|line| !line.contains("br-ex")));
    }

    #[test]
    fn a_foreign_device_with_a_wanted_name_is_left_alone() {
        let wanted = wanted();
        let links = links(&[r#"{"ifname":"tap00000021-00","linkinfo":{"info_kind":"tun"}}"#]);
        let (name, namespace) = wanted.namespaces.first_key_value().unwrap();
        let (mut batch, mut problems) = (Batch::default(), Vec::new());
        let there = BTreeSet::from(["brq00000001-00".to_owned()]);
        pairs(name, namespace, &links, &there, &mut batch, &mut problems);
        assert_eq!(batch.len(), 0);
        assert_eq!(problems.len(), 1);
    }

    #[test]
    fn a_device_in_place_needs_nothing() {
        let wanted = wanted();
        let (name, one) = wanted.taps.first_key_value().unwrap();
        let found = link(
            r#"{"ifname":"t","mtu":1450,"flags":["UP"],"master":"brq00000001-00",
                "inet6_addr_gen_mode":"none"}"#,
        );
        let mut batch = Batch::default();
        tap(name, one, Some(&found), &mut batch);
        assert_eq!(batch.len(), 0);
        tap(name, one, None, &mut batch);
        assert_eq!(
            batch.lines().last(),
            Some(&"link set dev tap00000011-00 master brq00000001-00")
        );
    }

    #[test]
    fn routes_come_back_after_an_address_went() {
        let wanted = wanted();
        let router = wanted.namespaces.values().find(|one| !one.routes.is_empty()).unwrap();
        let mut found = Inside { routes: router.routes.clone(), ..Inside::default() };
        for (name, pair) in &router.pairs {
            let json = format!(
                r#"{{"ifname":"{name}","mtu":1450,"flags":["UP"],"address":"{}","ifalias":"stackup"}}"#,
                pair.mac
            );
            found.links.insert(name.clone(), link(&json));
            found.addresses.insert(name.clone(), pair.addresses.clone());
        }
        found
            .links
            .insert("lo".into(), link(r#"{"ifname":"lo","flags":["UP"],"ifalias":"stackup"}"#));
        found.addresses.insert("lo".into(), router.loopback.clone());
        assert_eq!(inside(router, &found).batch.len(), 0);

        let outer = found.addresses.get_mut("qg-00000032-00").unwrap();
        outer.insert("172.24.4.99/32".parse().unwrap());
        let changes = inside(router, &found);
        assert_eq!(
            changes.batch.lines(),
            [
                "addr del 172.24.4.99/32 dev qg-00000032-00",
                "route replace 0.0.0.0/0 via 172.24.4.1 dev qg-00000032-00 proto static onlink",
            ]
        );
        found.links.remove("qr-00000031-00");
        assert_eq!(inside(router, &found).broken, ["tap00000031-00"]);
    }

    #[test]
    fn a_new_address_is_announced() {
        let wanted = wanted();
        let router = wanted.namespaces.values().find(|one| !one.routes.is_empty()).unwrap();
        let mut found = Inside::default();
        for name in router.pairs.keys() {
            found.links.insert(name.clone(), link(&format!(r#"{{"ifname":"{name}"}}"#)));
        }
        let arrived: Vec<String> =
            inside(router, &found).arrivals.iter().map(|one| one.address.to_string()).collect();
        assert_eq!(arrived, ["172.24.4.10", "172.24.4.20", "10.0.0.1"]);
    }
}
