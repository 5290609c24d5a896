//! Ports: addresses, groups, binding, and the door that nova uses.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use stackup_contracts::{Binding, NewPort, RequestedIp};
use stackup_flow::Event;
use stackup_testing::golden;

use crate::{Cloud, Refusal, address, id, make, network, port, subnet};

#[tokio::test]
async fn a_port_lives() {
    let cloud = Cloud::new().await;
    let net = network(&cloud.demo, "n").await;
    subnet(&cloud.demo, &net, "10.0.0.0/24").await;
    let fields = json!({"network_id": net["id"], "name": "p", "mac_address": "fa:16:3e:00:00:01"});
    let held = make(&cloud.demo, "ports", "port", fields).await;
    golden(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/golden/port.json"), &held);
    let path = format!("/v2.0/ports/{}", id(&held));
    let admin = cloud.admin.get(&path).await.expect(200).json["port"].clone();
    assert_eq!(admin["binding:vif_type"], "unbound");
    let body = json!({"port": {"name": "q", "fixed_ips": [{"ip_address": "10.0.0.77"}]}});
    let changed = cloud.demo.put(&path, &body).await.expect(200).json["port"].clone();
    assert_eq!((address(&changed), changed["name"].as_str()), ("10.0.0.77", Some("q")));
    let bind = json!({"port": {"binding:host_id": "h1"}});
    cloud.demo.put(&path, &bind).await.refused(403, "PolicyNotAuthorized");
    let bound = cloud.admin.put(&path, &bind).await.expect(200).json["port"].clone();
    assert_eq!(bound["binding:vif_type"], "bridge");
    let mac = json!({"port": {"mac_address": "fa:16:3e:00:00:02"}});
    cloud.admin.put(&path, &mac).await.refused(409, "PortBound");
    cloud.demo.delete(&path).await.expect(204);
    cloud.demo.get(&path).await.refused(404, "PortNotFound");
}

#[tokio::test]
async fn addresses_are_unique_and_of_the_subnet() {
    let cloud = Cloud::new().await;
    let net = network(&cloud.demo, "n").await;
    let sub = subnet(&cloud.demo, &net, "10.0.0.0/29").await;
    let post = async |ip: Value| {
        let body = json!({"port": {"network_id": net["id"], "fixed_ips": [ip]}});
        cloud.demo.post("/v2.0/ports", &body).await
    };
    // .1 is the gateway, .2 the DHCP server: four are left.
    post(json!({"ip_address": "10.0.0.2"})).await.refused(409, "IpAddressAlreadyAllocated");
    post(json!({"ip_address": "10.9.0.2"})).await.refused(400, "InvalidIpForNetwork");
    post(json!({"subnet_id": sub["id"], "ip_address": "10.9.0.2"}))
        .await
        .refused(400, "InvalidIpForSubnet");
    post(json!({"subnet_id": net["id"]})).await.refused(400, "InvalidInput");
    let mut given = BTreeSet::new();
    for _ in 0..4 {
        given.insert(address(&port(&cloud.demo, &net).await).to_owned());
    }
    assert_eq!(given.len(), 4);
    let body = json!({"port": {"network_id": net["id"]}});
    let full = cloud.demo.post("/v2.0/ports", &body).await;
    full.refused(409, "IpAddressGenerationFailure");
    let twice = json!({"port": {"network_id": net["id"], "fixed_ips": [],
        "mac_address": "fa:16:3e:00:00:09"}});
    cloud.demo.post("/v2.0/ports", &twice).await.expect(201);
    cloud.demo.post("/v2.0/ports", &twice).await.refused(409, "MacAddressInUse");
}

#[tokio::test]
async fn security_of_a_port() {
    let cloud = Cloud::new().await;
    let net = network(&cloud.demo, "n").await;
    subnet(&cloud.demo, &net, "10.0.0.0/24").await;
    let held = port(&cloud.demo, &net).await;
    assert_eq!(held["security_groups"].as_array().map(Vec::len), Some(1));
    let path = format!("/v2.0/ports/{}", id(&held));
    let off = json!({"port": {"port_security_enabled": false}});
    cloud.demo.put(&path, &off).await.refused(409, "PortSecurityPortHasSecurityGroup");
    let off = json!({"port": {"port_security_enabled": false, "security_groups": []}});
    cloud.demo.put(&path, &off).await.expect(200);
    let pairs = json!({"port": {"allowed_address_pairs": [{"ip_address": "10.0.0.200"}]}});
    cloud.demo.put(&path, &pairs).await.refused(409, "AddressPairAndPortSecurityRequired");
    let on = json!({"port": {"port_security_enabled": true}});
    cloud.demo.put(&path, &on).await.expect(200);
    let paired = cloud.demo.put(&path, &pairs).await.expect(200).json["port"].clone();
    assert_eq!(paired["allowed_address_pairs"][0]["mac_address"], held["mac_address"]);
    let foreign = json!({"port": {"security_groups": ["5b0b6a3c-0000-4000-8000-000000000000"]}});
    cloud.demo.put(&path, &foreign).await.refused(404, "SecurityGroupNotFound");
}

#[tokio::test]
async fn the_owner_of_the_network_decides_on_others_ports() {
    let cloud = Cloud::new().await;
    let fields = json!({"name": "s", "shared": true, "tenant_id": "demo"});
    let net = make(&cloud.admin, "networks", "network", fields).await;
    let other = cloud.other();
    for (field, value) in [
        ("mac_address", json!("fa:16:3e:00:00:05")),
        ("port_security_enabled", json!(false)),
        ("binding:host_id", json!("h")),
        ("device_owner", json!("network:dhcp")),
    ] {
        let mut body = json!({"port": {"network_id": net["id"]}});
        body["port"][field] = value;
        other.post("/v2.0/ports", &body).await.refused(403, "PolicyNotAuthorized");
    }
    port(&other, &net).await;
}

fn new_port(net: &Value, binding: Binding) -> NewPort {
    NewPort {
        network_id: id(net).into(),
        project_id: "demo".into(),
        fixed_ips: vec![RequestedIp {
            subnet_id: None,
            address: Some("10.0.0.50".parse().unwrap()),
        }],
        security_groups: None,
        binding,
    }
}

fn binding() -> Binding {
    Binding {
        server_id: "5b0b6a3c-0000-4000-8000-00000000000a".into(),
        device_owner: "compute:nova".to_owned(),
        host: "h1".to_owned(),
        hostname: "vm1".to_owned(),
    }
}

#[tokio::test]
async fn nova_makes_plugs_and_deletes() {
    let cloud = Cloud::new().await;
    let net = network(&cloud.demo, "n").await;
    subnet(&cloud.demo, &net, "10.0.0.0/24").await;
    let (cx, networks) = (cloud.cx(), cloud.networks());
    let mut events = cloud.bus.subscribe();
    let made = networks.create_port(&cx, new_port(&net, binding())).await.unwrap();
    assert_eq!((made.vif_type.as_str(), made.status.as_str()), ("bridge", "DOWN"));
    assert_eq!(made.fixed_ips[0].address.to_string(), "10.0.0.50");
    assert_eq!(made.security_groups[0].name, "default");
    assert!(made.tap.starts_with("tap") && made.tap.len() == 14);
    assert_eq!(events.recv().await, Ok(Event::AddressesChanged(binding().server_id)));
    // The dataplane has not heard of the port yet: plugging tells it.
    networks.plugged(&cx, &made.id).await.unwrap();
    let shown = networks.port(&cx, &made.id).await.unwrap();
    assert_eq!(shown.status, "ACTIVE");
    let spec = cloud.dataplane.topology().ports[0].clone();
    assert_eq!(spec.hostname.as_deref(), Some("vm1"));
    let all = networks.ports_of(&cx, &binding().server_id).await.unwrap();
    assert_eq!(all, [shown]);
    let path = format!("/v2.0/ports/{}", made.id);
    cloud.demo.delete(&path).await.refused(403, "PolicyNotAuthorized");
    networks.delete_port(&cx, &made.id).await.unwrap();
    networks.delete_port(&cx, &made.id).await.unwrap();
    assert!(networks.ports_of(&cx, &binding().server_id).await.unwrap().is_empty());
}

#[tokio::test]
async fn nova_borrows_a_users_port() {
    let cloud = Cloud::new().await;
    let net = network(&cloud.demo, "n").await;
    subnet(&cloud.demo, &net, "10.0.0.0/24").await;
    let held = port(&cloud.demo, &net).await;
    let (cx, networks) = (cloud.cx(), cloud.networks());
    let bound = networks.bind_port(&cx, &id(&held).into(), binding()).await.unwrap();
    assert_eq!(bound.device_id, &*binding().server_id);
    let stranger = Binding { server_id: "another".into(), ..binding() };
    let refused = networks.bind_port(&cx, &id(&held).into(), stranger).await.unwrap_err();
    assert_eq!(refused.name, "PortInUse");
    cloud.settle().await;
    let shown = networks.port(&cx, &id(&held).into()).await.unwrap();
    assert_eq!(shown.status, "ACTIVE");
    networks.unbind_port(&cx, &id(&held).into()).await.unwrap();
    let shown = networks.port(&cx, &id(&held).into()).await.unwrap();
    assert_eq!((shown.device_id.as_str(), shown.status.as_str()), ("", "DOWN"));
    assert_eq!(shown.vif_type, "unbound");
}

#[tokio::test]
async fn nova_finds_groups_by_name() {
    let cloud = Cloud::new().await;
    let (cx, networks) = (cloud.cx(), cloud.networks());
    let default = networks.security_group(&cx, "default").await.unwrap();
    assert_eq!(networks.security_group(&cx, &default.id).await.unwrap(), default);
    assert!(networks.security_group(&cx, "none").await.unwrap_err().is_not_found());
    for _ in 0..2 {
        make(&cloud.demo, "security-groups", "security_group", json!({"name": "twin"})).await;
    }
    let twin = networks.security_group(&cx, "twin").await.unwrap_err();
    assert_eq!(twin.name, "NoUniqueMatch");
}
