//! What stays true over restarts, sabotage and removal.

use std::time::Instant;

use stackup_neutron::drivers::*;

use crate::lab::{Guest, driver, group, id, isolated, network, port, sh};

fn topology() -> Topology {
    Topology {
        networks: vec![network(1), network(2)],
        ports: vec![port(11, 1, &[901]), port(12, 1, &[901])],
        routers: vec![RouterSpec {
            id: id(500),
            admin_state_up: true,
            gateway: None,
            interfaces: vec![InterfaceSpec {
                port: id(502),
                mac: crate::lab::mac(101),
                network: id(1),
                fixed_ips: vec![FixedIp { subnet: id(101), address: crate::lab::ip("10.1.0.1") }],
            }],
            meters: Vec::new(),
            routes: Vec::new(),
            floating_ips: Vec::new(),
        }],
        security_groups: vec![group(901)],
    }
}

/// Everything that a driver could leave behind.
async fn host() -> String {
    sh("ip -br link | sort; ip netns list | sort; nft list ruleset").await
}

#[test]
fn a_second_look_changes_nothing_and_removal_leaves_nothing() {
    isolated("lifecycle::a_second_look_changes_nothing_and_removal_leaves_nothing", || async {
        let before = host().await;
        let first = driver(None);
        let topology = topology();
        let made = first.apply(&topology).await.unwrap();
        assert!(made.changes > 0);
        assert_eq!(first.apply(&topology).await.unwrap().changes, 0);
        assert_eq!(first.repair(&topology).await.unwrap().changes, 0);

        // Another process after a kill finds it all in place.
        first.stop().await;
        let second = driver(None);
        assert_eq!(second.repair(&topology).await.unwrap(), Report { changes: 0, ..made });

        // Even one that has no database left takes it away, and only that.
        second.stop().await;
        sh("ip netns add qrouter-of-another && ip link add tapforeign type bridge && \
            ip link add brqforeign type bridge")
        .await;
        let third = driver(None);
        third.remove_all().await.unwrap();
        let left = sh("ip -br link; ip netns list").await;
        for foreign in ["qrouter-of-another", "tapforeign", "brqforeign"] {
            assert!(left.contains(foreign), "{foreign} is gone: {left}");
        }
        sh("ip netns del qrouter-of-another && ip link del tapforeign && ip link del brqforeign")
            .await;
        assert_eq!(host().await, before);
    });
}

#[test]
fn what_somebody_breaks_is_repaired() {
    isolated("lifecycle::what_somebody_breaks_is_repaired", || async {
        let dataplane = driver(None);
        let topology = topology();
        dataplane.apply(&topology).await.unwrap();
        let guest = Guest::boot(&dataplane, &topology.ports[0], "10.1.0.1").await;
        let router = names::router_namespace(id(500));
        let dhcp = names::dhcp_namespace(id(1));
        let bridge = names::bridge(id(1));
        let tap = names::tap(topology.ports[0].id);
        let inner = names::router_interface(id(502));
        let sabotage = [
            format!("ip -n {router} addr flush dev {inner}"),
            format!("ip -n {router} link set {inner} down"),
            format!("ip -n {router} link del {inner}"),
            format!("ip netns exec {router} nft flush ruleset"),
            format!("ip netns exec {router} sysctl -q net.ipv4.ip_forward=0"),
            format!("ip netns del {router}"),
            format!("ip netns del {dhcp}"),
            "nft flush ruleset".to_owned(),
            format!("ip link set {tap} nomaster"),
            format!("ip link del {bridge}"),
        ];
        for line in sabotage {
            sh(&line).await;
            let report = dataplane.repair(&topology).await.unwrap();
            assert_eq!(report.problems, [], "{line}");
            assert!(report.changes > 0, "{line}");
            assert!(report.wired.contains(&topology.ports[0].id), "{line}");
            assert!(report.wired.contains(&id(502)) && report.wired.contains(&id(201)), "{line}");
            assert_eq!(dataplane.repair(&topology).await.unwrap().changes, 0, "{line}");
            assert!(guest.pings("10.1.0.1".parse().unwrap(), 56).await, "{line}");
        }
        // The servers moved to the new namespace.
        assert!(sh(&format!("ip netns exec {dhcp} ss -lun")).await.contains(":67"));
    });
}

#[test]
fn one_broken_namespace_does_not_stop_the_others() {
    isolated("lifecycle::one_broken_namespace_does_not_stop_the_others", || async {
        let dataplane = driver(None);
        // A file that is no namespace, as a kill in the middle of making one leaves it.
        sh(&format!("touch /run/netns/{}", names::dhcp_namespace(id(1)))).await;
        let report = dataplane.apply(&topology()).await.unwrap();
        assert!(report.problems.iter().any(|problem| problem.subject == Some(id(1))));
        assert!(report.wired.contains(&id(202)) && report.wired.contains(&id(502)), "{report:?}");
        assert!(!report.wired.contains(&id(201)));
    });
}

#[test]
fn a_small_change_is_quick() {
    isolated("lifecycle::a_small_change_is_quick", || async {
        let dataplane = driver(None);
        let mut topology = topology();
        topology.networks = (1..=20).map(network).collect();
        let begun = Instant::now();
        dataplane.apply(&topology).await.unwrap();
        println!("20 networks: {:?}", begun.elapsed());
        let begun = Instant::now();
        topology.ports.push(port(13, 1, &[901]));
        dataplane.apply(&topology).await.unwrap();
        println!("one more port: {:?}", begun.elapsed());
        let begun = Instant::now();
        topology.networks.push(network(21));
        dataplane.apply(&topology).await.unwrap();
        println!("one more network: {:?}", begun.elapsed());
        let begun = Instant::now();
        assert_eq!(dataplane.repair(&topology).await.unwrap().changes, 0);
        println!("a look at everything: {:?}", begun.elapsed());
        assert!(dataplane.plug(id(77)).await.is_err(), "a port nobody knows");
        let missing = dataplane.plug(topology.ports[0].id).await;
        assert!(matches!(missing, Err(DataplaneError::NoDevice { .. })), "{missing:?}");
    });
}
