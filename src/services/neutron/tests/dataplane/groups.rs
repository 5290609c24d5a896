//! Security groups and anti-spoofing between guests of one network.

use stackup_neutron::drivers::*;

use crate::lab::{
    Guest, allow, driver, group, id, ip, isolated, net, network, port, sh, still_echoes,
};

fn three_guests() -> Topology {
    Topology {
        networks: vec![network(1)],
        ports: vec![port(11, 1, &[901]), port(12, 1, &[901]), port(13, 1, &[902])],
        routers: Vec::new(),
        security_groups: vec![group(901), group(902)],
    }
}

/// Gives the host an address in the guests' range, and itself a foot on their bridge's level.
async fn host_has(address: &str) {
    sh(&format!(
        "ip link add outside type bridge && ip addr add {address} dev outside && \
         ip link set outside up"
    ))
    .await;
}

async fn boot_all(dataplane: &dyn Dataplane, topology: &Topology) -> Vec<Guest> {
    let mut guests = Vec::new();
    for port in &topology.ports {
        guests.push(Guest::boot(dataplane, port, "10.1.0.1").await);
    }
    guests
}

#[test]
fn members_reach_each_other_and_strangers_do_not() {
    isolated("groups::members_reach_each_other_and_strangers_do_not", || async {
        let dataplane = driver(None);
        let firewall = dataplane.facts().await.unwrap().firewall;
        assert!(matches!(firewall, Firewall::Conntrack | Firewall::Mark), "{firewall:?}");
        let mut topology = three_guests();
        let report = dataplane.apply(&topology).await.unwrap();
        assert_eq!(report.problems, []);
        let guests = boot_all(&dataplane, &topology).await;
        let [a, b, c] = guests.as_slice() else { unreachable!() };
        let report = dataplane.apply(&topology).await.unwrap();
        assert!(topology.ports.iter().all(|port| report.wired.contains(&port.id)), "{report:?}");
        c.listens(22).await;
        c.listens(23).await;
        b.listens(22).await;

        assert!(a.pings(b.address, 56).await);
        assert!(a.pings(b.address, 4000).await, "fragments");
        assert_eq!(a.connects(b.address, 22).await, Some(a.address));
        assert!(!a.pings(c.address, 56).await, "another group");
        assert!(!c.pings(a.address, 56).await, "another group, the other way");

        let rules = &mut topology.security_groups[1].rules;
        rules.push(allow("icmp", Some((8, 0)), Remote::Any));
        rules.push(allow("tcp", Some((22, 22)), Remote::Cidr(net("10.1.0.0/28"))));
        dataplane.apply(&topology).await.unwrap();
        assert!(a.pings(c.address, 56).await);
        assert_eq!(a.connects(c.address, 22).await, Some(a.address));
        assert_eq!(a.connects(c.address, 23).await, None, "another port");

        c.echoes(9).await;
        let rules = &mut topology.security_groups[1].rules;
        rules.push(allow("tcp", Some((9, 9)), Remote::Group(id(901))));
        dataplane.apply(&topology).await.unwrap();
        let to = std::net::SocketAddr::new(c.address, 9);
        let open = a.run(move || std::net::TcpStream::connect(to).unwrap()).await;
        assert!(still_echoes(&open));
        topology.security_groups[1].rules.pop();
        dataplane.apply(&topology).await.unwrap();
        assert!(!still_echoes(&open), "a connection that its rule no longer allows");

        topology.security_groups[1].rules.pop();
        topology.security_groups[1].rules.push(allow(
            "tcp",
            Some((20, 30)),
            Remote::Cidr(net("10.1.9.0/28")),
        ));
        dataplane.apply(&topology).await.unwrap();
        assert_eq!(a.connects(c.address, 22).await, None, "another remote address");

        topology.ports[1].security_groups.clear();
        dataplane.apply(&topology).await.unwrap();
        assert!(!a.pings(b.address, 56).await, "no longer a member");
        assert_eq!(b.connects(c.address, 22).await, None, "no groups, nothing out");

        topology.ports[2].admin_state_up = false;
        dataplane.apply(&topology).await.unwrap();
        assert!(!a.pings(c.address, 56).await, "switched off");
    });
}

/// The checks above mean something: without rules the same packets pass.
#[test]
fn without_rules_everything_passes() {
    isolated("groups::without_rules_everything_passes", || async {
        let dataplane = driver(Some(Firewall::None));
        let topology = three_guests();
        dataplane.apply(&topology).await.unwrap();
        let guests = boot_all(&dataplane, &topology).await;
        let [a, b, c] = guests.as_slice() else { unreachable!() };
        c.listens(23).await;
        assert!(a.pings(c.address, 56).await);
        assert_eq!(a.connects(c.address, 23).await, Some(a.address));
        a.sh("ip addr add 10.1.0.99/24 dev eth0").await;
        assert!(a.reaches(ip("10.1.0.99"), b).await);
        a.sh("ip link set eth0 address fa:16:3e:00:00:77").await;
        assert!(a.reaches(a.address, b).await);
        a.sh("ip addr add 10.1.0.13/32 dev eth0").await;
        host_has("10.1.0.50/24").await;
        // The host's answer goes the wrong way, but its ARP shows that it was spoken to.
        a.pings(ip("10.1.0.50"), 56).await;
        let neighbours = a.sh("ip neigh show 10.1.0.50").await;
        assert!(neighbours.contains("lladdr"), "{neighbours}");
    });
}

#[test]
fn nobody_speaks_as_another() {
    isolated("groups::nobody_speaks_as_another", || async {
        let dataplane = driver(None);
        let mut topology = three_guests();
        topology.ports[2].security_groups = vec![id(901)];
        // Ingress from anywhere, so that only anti-spoofing can drop.
        topology.security_groups[0].rules.push(allow("udp", None, Remote::Any));
        dataplane.apply(&topology).await.unwrap();
        let guests = boot_all(&dataplane, &topology).await;
        let [a, b, c] = guests.as_slice() else { unreachable!() };
        assert!(a.reaches(a.address, b).await);

        a.sh("ip addr add 10.1.0.99/24 dev eth0").await;
        assert!(!a.reaches(ip("10.1.0.99"), b).await, "address of nobody");
        topology.ports[0].allowed_address_pairs =
            vec![AddressPair { mac: None, address: net("10.1.0.96/29") }];
        dataplane.apply(&topology).await.unwrap();
        assert!(a.reaches(ip("10.1.0.99"), b).await, "an allowed address");
        topology.ports[0].allowed_address_pairs.clear();
        dataplane.apply(&topology).await.unwrap();
        assert!(!a.reaches(ip("10.1.0.99"), b).await);

        a.sh("ip link set eth0 address fa:16:3e:00:00:77").await;
        assert!(!a.reaches(a.address, b).await, "another MAC");
        a.sh("ip link set eth0 address fa:16:3e:00:00:0b").await;
        assert!(a.reaches(a.address, b).await, "its own again");

        // ARP for another's address: b must keep believing c.
        assert!(c.reaches(c.address, b).await);
        a.sh("ip addr add 10.1.0.13/32 dev eth0 && ip neigh flush all").await;
        b.sh("ip neigh flush all").await;
        b.pings(c.address, 56).await;
        let neighbours = b.sh("ip neigh show 10.1.0.13").await;
        assert!(!neighbours.contains("fa:16:3e:00:00:0b"), "{neighbours}");

        topology.ports[0].port_security = false;
        topology.ports[0].security_groups.clear();
        dataplane.apply(&topology).await.unwrap();
        assert!(a.reaches(ip("10.1.0.99"), b).await, "port security off");
    });
}

#[test]
fn tenants_may_use_the_same_addresses() {
    isolated("groups::tenants_may_use_the_same_addresses", || async {
        let dataplane = driver(None);
        let mut second = network(2);
        second.subnets[0].cidr = net("10.1.0.0/24");
        second.dhcp_port = None;
        let mut ports = vec![port(11, 1, &[901]), port(12, 1, &[901])];
        for (g, device) in [(11, "other-11"), (12, "other-12")] {
            let mut twin = port(g, 2, &[902]);
            twin.fixed_ips[0].address = ip(&format!("10.1.0.{g}"));
            twin.device_id = device.to_owned();
            ports.push(twin);
        }
        let topology = Topology {
            networks: vec![network(1), second],
            ports,
            routers: Vec::new(),
            security_groups: vec![group(901), group(902)],
        };
        dataplane.apply(&topology).await.unwrap();
        let guests = boot_all(&dataplane, &topology).await;
        guests[1].listens(22).await;
        guests[3].listens(22).await;
        for (from, to) in [(0, 1), (2, 3), (0, 1)] {
            assert!(guests[from].pings(guests[to].address, 56).await);
            let seen = guests[from].connects(guests[to].address, 22).await;
            assert_eq!(seen, Some(guests[from].address));
        }
    });
}

#[test]
fn the_host_is_not_on_the_guests_network() {
    isolated("groups::the_host_is_not_on_the_guests_network", || async {
        let dataplane = driver(None);
        let topology = three_guests();
        dataplane.apply(&topology).await.unwrap();
        let guests = boot_all(&dataplane, &topology).await;
        host_has("10.1.0.50/24").await;
        assert!(!guests[0].pings(ip("10.1.0.50"), 56).await);
        let neighbours = guests[0].sh("ip neigh show 10.1.0.50").await;
        assert!(!neighbours.contains("lladdr"), "the host answered ARP: {neighbours}");
    });
}
