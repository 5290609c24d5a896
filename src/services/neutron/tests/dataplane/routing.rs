//! Routers: source NAT, floating addresses, metadata, extra routes.

use std::net::TcpListener;
use std::sync::Arc;

use stackup_neutron::drivers::*;

use crate::lab::{
    Guest, allow, answer_with_peer, ask_peer, driver, group, id, ip, isolated, mac, net, network,
    port, sh, still_echoes, subnet,
};
use crate::metadata::{Echo, get};

const EXTERNAL: u8 = 9;

fn external() -> NetworkSpec {
    NetworkSpec {
        external_bridge: Some("br-ex".to_owned()),
        subnets: vec![subnet(109, "172.24.4.0/24", "172.24.4.1")],
        dhcp_port: None,
        metadata: false,
        mtu: 1500,
        ..network(EXTERNAL)
    }
}

fn interface(number: u128, n: u8) -> InterfaceSpec {
    InterfaceSpec {
        port: id(number),
        mac: mac(100 + n),
        network: id(u128::from(n)),
        fixed_ips: vec![FixedIp {
            subnet: id(u128::from(n) + 100),
            address: ip(&format!("10.{n}.0.1")),
        }],
    }
}

fn router() -> RouterSpec {
    RouterSpec {
        id: id(500),
        admin_state_up: true,
        gateway: Some(GatewaySpec {
            port: id(501),
            mac: mac(150),
            network: id(u128::from(EXTERNAL)),
            fixed_ips: vec![FixedIp { subnet: id(109), address: ip("172.24.4.10") }],
            enable_snat: true,
        }),
        interfaces: vec![interface(502, 1), interface(503, 2)],
        routes: Vec::new(),
        meters: Vec::new(),
        floating_ips: vec![FloatingIpSpec {
            id: id(600),
            floating: ip("172.24.4.20"),
            fixed: ip("10.1.0.11"),
        }],
    }
}

fn topology() -> Topology {
    let mut open = group(901);
    open.rules.push(allow("tcp", Some((22, 22)), Remote::Any));
    open.rules.push(allow("icmp", None, Remote::Any));
    Topology {
        networks: vec![network(1), network(2), external()],
        ports: vec![port(11, 1, &[901]), port(12, 1, &[901]), port(21, 2, &[901])],
        routers: vec![router()],
        security_groups: vec![open],
    }
}

async fn boot(dataplane: &dyn Dataplane, topology: &Topology) -> Vec<Guest> {
    let report = dataplane.apply(topology).await.unwrap();
    assert_eq!(report.problems, []);
    sh("ip addr add 172.24.4.1/24 dev br-ex").await;
    let mut guests = Vec::new();
    for (port, gateway) in topology.ports.iter().zip(["10.1.0.1", "10.1.0.1", "10.2.0.1"]) {
        guests.push(Guest::boot(dataplane, port, gateway).await);
    }
    guests
}

async fn host_connects(to: &str) -> Option<std::net::IpAddr> {
    let to = std::net::SocketAddr::new(ip(to), 22);
    tokio::task::spawn_blocking(move || ask_peer(to)).await.unwrap()
}

#[test]
fn guests_reach_out_and_are_reached() {
    isolated("routing::guests_reach_out_and_are_reached", || async {
        let dataplane = driver(None);
        dataplane.serve_metadata(Arc::new(Echo));
        let mut topology = topology();
        let guests = boot(&dataplane, &topology).await;
        let [a, b, c] = guests.as_slice() else { unreachable!() };
        answer_with_peer(TcpListener::bind(("172.24.4.1", 8000)).unwrap());
        a.listens(22).await;
        b.listens(22).await;
        let outside = ip("172.24.4.1");

        assert!(b.pings(outside, 56).await);
        assert_eq!(b.connects(outside, 8000).await, Some(ip("172.24.4.10")), "source NAT");
        assert_eq!(a.connects(outside, 8000).await, Some(ip("172.24.4.20")), "floating, outwards");
        assert_eq!(host_connects("172.24.4.20").await, Some(outside), "floating, inwards");
        assert!(c.pings(a.address, 56).await, "between subnets");
        assert_eq!(c.connects(a.address, 22).await, Some(c.address), "no NAT between subnets");
        assert_eq!(b.connects(ip("172.24.4.20"), 22).await, Some(ip("10.1.0.1")), "hairpin");

        let answer = get(c, "/openstack").await.unwrap();
        assert!(answer.contains(&format!("Router({}) 10.2.0.21 /openstack", id(500))), "{answer}");
        sh("ip route add 169.254.169.254 via 172.24.4.10").await;
        let to = "169.254.169.254:80".parse().unwrap();
        let begun = std::net::TcpStream::connect_timeout(&to, std::time::Duration::from_secs(1));
        assert!(begun.is_err(), "metadata answers the outside");

        a.echoes(7022).await;
        topology.security_groups[0].rules.push(allow("tcp", Some((7022, 7022)), Remote::Any));
        dataplane.apply(&topology).await.unwrap();
        let open = std::net::TcpStream::connect("172.24.4.20:7022").unwrap();
        assert!(still_echoes(&open));

        // The address moves to another guest, and is forgotten.
        topology.routers[0].floating_ips[0].fixed = b.address;
        dataplane.apply(&topology).await.unwrap();
        assert_eq!(b.connects(outside, 8000).await, Some(ip("172.24.4.20")));
        assert_eq!(a.connects(outside, 8000).await, Some(ip("172.24.4.10")));
        assert!(!still_echoes(&open), "a connection through an address that moved");
        topology.routers[0].floating_ips.clear();
        dataplane.apply(&topology).await.unwrap();
        assert_eq!(host_connects("172.24.4.20").await, None);
        topology.routers[0].gateway.as_mut().unwrap().enable_snat = false;
        dataplane.apply(&topology).await.unwrap();
        assert_eq!(b.connects(outside, 8000).await, None, "no source NAT");
    });
}

#[test]
fn meters_count_what_passes_and_go_on_counting() {
    isolated("routing::meters_count_what_passes_and_go_on_counting", || async {
        let dataplane = driver(None);
        let mut topology = topology();
        let rule = |excluded, source: &str| MeterRuleSpec {
            direction: Direction::Egress,
            excluded,
            source: Some(net(source)),
            destination: None,
        };
        let rules = vec![rule(false, "10.1.0.0/24"), rule(true, "10.1.0.11/32")];
        topology.routers[0].meters = vec![MeterSpec { id: id(700), rules }];
        let everything = MeterSpec { id: id(701), rules: vec![rule(false, "0.0.0.0/0")] };
        topology.routers[0].meters.push(everything);
        let guests = boot(&dataplane, &topology).await;
        let [a, b, _] = guests.as_slice() else { unreachable!() };
        let outside = ip("172.24.4.1");
        let counted = async |label| {
            let (namespace, name) = (names::router_namespace(id(500)), names::counter(id(label)));
            let shown = sh(&format!(
                "ip netns exec {namespace} nft list counter inet stackup_meter {name}"
            ))
            .await;
            let words: Vec<&str> = shown.split_whitespace().collect();
            let at = words.iter().position(|word| *word == "packets").unwrap();
            words[at + 1].parse::<u64>().unwrap()
        };
        assert!(a.pings(outside, 56).await && b.pings(outside, 56).await);
        let (some, all) = (counted(700).await, counted(701).await);
        assert!(some >= 1 && all > some, "{some} of {all}");

        // A change beside the meters does not make them forget.
        topology.routers[0].floating_ips.clear();
        topology.routers[0].meters[1].rules.clear();
        dataplane.apply(&topology).await.unwrap();
        assert!(b.pings(outside, 56).await);
        assert!(counted(700).await > some);
        assert_eq!(counted(701).await, all);
        topology.routers[0].meters.clear();
        dataplane.apply(&topology).await.unwrap();
        let namespace = names::router_namespace(id(500));
        let left = sh(&format!("ip netns exec {namespace} nft list counters")).await;
        assert!(!left.contains("label-"), "{left}");
    });
}

#[test]
fn a_missing_outer_bridge_degrades_only_what_needs_it() {
    isolated("routing::a_missing_outer_bridge_degrades_only_what_needs_it", || async {
        use stackup_neutron::drivers::linux::{LinuxDataplane, LinuxOptions};
        let supervisor = stackup_flow::supervisor::Supervisor::default();
        let dataplane = LinuxDataplane::new(LinuxOptions::default(), supervisor);
        let report = dataplane.apply(&topology()).await.unwrap();
        let subjects: Vec<_> = report.problems.iter().map(|problem| problem.subject).collect();
        assert_eq!(subjects, [Some(id(9)), Some(id(501))]);
        assert!(!report.wired.contains(&id(501)));
        assert!(report.wired.contains(&id(502)) && report.wired.contains(&id(201)));
        sh("ip link add br-ex type bridge forward_delay 0 && ip link set br-ex up").await;
        let report = dataplane.apply(&topology()).await.unwrap();
        assert_eq!(report.problems, []);
        assert!(report.wired.contains(&id(501)));
        dataplane.remove_all().await.unwrap();
        sh("ip link show br-ex").await;
    });
}

#[test]
fn extra_routes_go_through_their_next_hop() {
    isolated("routing::extra_routes_go_through_their_next_hop", || async {
        let dataplane = driver(None);
        let mut topology = topology();
        let route = |destination: &str, nexthop: &str| HostRoute {
            destination: net(destination),
            nexthop: ip(nexthop),
        };
        topology.routers[0].routes =
            vec![route("192.168.7.0/24", "10.2.0.21"), route("192.168.8.0/24", "10.77.0.1")];
        let report = dataplane.apply(&topology).await.unwrap();
        assert_eq!(report.problems.len(), 1, "{:?}", report.problems);
        let namespace = names::router_namespace(id(500));
        let routes = sh(&format!("ip -n {namespace} route")).await;
        assert!(routes.contains("192.168.7.0/24 via 10.2.0.21 dev qr-"), "{routes}");
        assert!(routes.contains("default via 172.24.4.1 dev qg-"), "{routes}");
        topology.routers[0].routes.clear();
        dataplane.apply(&topology).await.unwrap();
        assert!(!sh(&format!("ip -n {namespace} route")).await.contains("192.168.7.0"));
    });
}

#[test]
fn a_guest_makes_its_ipv6_address_from_the_advertisement() {
    isolated("routing::a_guest_makes_its_ipv6_address_from_the_advertisement", || async {
        let dataplane = driver(None);
        let mut topology = topology();
        let mut six = subnet(170, "fd00:1::/64", "fd00:1::1");
        six.ipv6_ra_mode = Some(Ipv6Mode::Slaac);
        six.ipv6_address_mode = Some(Ipv6Mode::Slaac);
        topology.networks[0].subnets.push(six);
        let fixed = |address: &str| FixedIp { subnet: id(170), address: ip(address) };
        topology.routers[0].interfaces[0].fixed_ips.push(fixed("fd00:1::1"));
        topology.ports[0].fixed_ips.push(fixed("fd00:1::f816:3eff:fe00:b"));
        let guests = boot(&dataplane, &topology).await;
        for _ in 0..60 {
            if guests[0]
                .sh("ip -6 addr show dev eth0")
                .await
                .contains("fd00:1::f816:3eff:fe00:b/64")
            {
                for _ in 0..10 {
                    if guests[0].pings(ip("fd00:1::1"), 56).await {
                        return;
                    }
                    tokio::time::sleep(std::time::Duration::from_millis(300)).await;
                }
                panic!("the router does not answer over IPv6");
            }
            tokio::time::sleep(std::time::Duration::from_millis(200)).await;
        }
        panic!("no address: {}", guests[0].sh("ip -6 addr").await);
    });
}

#[test]
fn a_guest_on_the_outer_network_is_guarded_from_the_host_too() {
    isolated("routing::a_guest_on_the_outer_network_is_guarded_from_the_host_too", || async {
        let dataplane = driver(None);
        let mut outside = port(50, EXTERNAL, &[902]);
        outside.fixed_ips = vec![FixedIp { subnet: id(109), address: ip("172.24.4.50") }];
        let mut topology = topology();
        topology.ports = vec![outside];
        topology.security_groups.push(group(902));
        dataplane.apply(&topology).await.unwrap();
        sh("ip addr add 172.24.4.1/24 dev br-ex").await;
        let guest = Guest::boot(&dataplane, &topology.ports[0], "172.24.4.1").await;
        guest.listens(22).await;
        answer_with_peer(TcpListener::bind(("172.24.4.1", 8000)).unwrap());
        let host = ip("172.24.4.1");
        assert_eq!(guest.connects(host, 8000).await, Some(guest.address));
        assert_eq!(host_connects("172.24.4.50").await, None, "closed inwards");
        topology.security_groups[1].rules.push(allow("tcp", Some((22, 22)), Remote::Any));
        dataplane.apply(&topology).await.unwrap();
        assert_eq!(host_connects("172.24.4.50").await, Some(host));
        topology.security_groups[1].rules.retain(|rule| rule.direction == Direction::Ingress);
        dataplane.apply(&topology).await.unwrap();
        assert_eq!(guest.connects(host, 8000).await, None, "closed outwards");
        assert_eq!(host_connects("172.24.4.50").await, Some(host), "answers still pass");
    });
}
