//! A server is made reachable from outside.

use serde_json::{Value, json};
use stackup_tests::Cloud;

#[tokio::test]
async fn a_floating_ip_is_taken_moved_and_given_back() {
    let cloud = Cloud::shared().await;
    let alice = cloud.newcomer("member").await;
    let network = alice.make_network("10.4.0.0/24").await;
    let router = alice.make_router(&network).await;
    let id = alice.create_server("web", &network).await;
    alice.wait_for_status(&id, "ACTIVE").await;
    let port = alice.port_of(&id).await;

    let public = alice.public_network().await;
    let body = json!({"floatingip": {"floating_network_id": public}});
    let made = alice.post("network", "/v2.0/floatingips", &body).await.expect(201);
    let (floating, address) =
        (made.text("/floatingip/id"), made.text("/floatingip/floating_ip_address"));
    let path = format!("/v2.0/floatingips/{floating}");
    let to = |port: &Value| json!({"floatingip": {"port_id": port}});
    let bound = alice.put("network", &path, &to(&port["id"])).await.expect(200);
    assert_eq!(bound.json["floatingip"]["router_id"], json!(router));
    assert_eq!(bound.json["floatingip"]["fixed_ip_address"], port["fixed_ips"][0]["ip_address"]);

    // Nova shows both addresses.
    let server = alice.server(&id).await;
    let addresses = server["addresses"].as_object().unwrap().values().next().unwrap();
    let addresses: Vec<(&str, &str)> = addresses
        .as_array()
        .unwrap()
        .iter()
        .map(|a| (a["addr"].as_str().unwrap(), a["OS-EXT-IPS:type"].as_str().unwrap()))
        .collect();
    assert!(addresses.contains(&(address.as_str(), "floating")), "{addresses:?}");

    // What holds a floating IP cannot be taken apart.
    let interface = json!({"subnet_id": network.subnet_id});
    let remove = format!("/v2.0/routers/{router}/remove_router_interface");
    alice.put("network", &remove, &interface).await.expect(409);

    alice.delete_server(&id).await;
    let left = alice.get("network", &path).await.expect(200);
    assert_eq!(left.json["floatingip"]["port_id"], Value::Null);
    alice.delete("network", &path).await.expect(204);
    alice.put("network", &remove, &interface).await.expect(200);
    alice.delete("network", &format!("/v2.0/routers/{router}")).await.expect(204);
    alice.delete("network", &format!("/v2.0/networks/{}", network.id)).await.expect(204);
}

#[tokio::test]
async fn without_a_router_there_is_no_way_in() {
    let cloud = Cloud::shared().await;
    let alice = cloud.newcomer("member").await;
    let network = alice.make_network("10.5.0.0/24").await;
    let body = json!({"port": {"network_id": network.id}});
    let port = alice.post("network", "/v2.0/ports", &body).await.expect(201).text("/port/id");
    let public = alice.public_network().await;
    let body = json!({"floatingip": {"floating_network_id": public, "port_id": port}});
    alice.post("network", "/v2.0/floatingips", &body).await.expect(404);
    let body = json!({"floatingip": {"floating_network_id": network.id}});
    alice.post("network", "/v2.0/floatingips", &body).await.expect(400);
}
