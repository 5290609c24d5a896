//! Floating IPs.

use serde_json::{Value, json};
use stackup_testing::golden;

use crate::{Cloud, Refusal, address, id, make, network, outside, port, subnet};

/// An inner network with a router to the outer one, and a port on it.
async fn behind(cloud: &Cloud, external: &Value) -> (Value, Value, Value) {
    let net = network(&cloud.demo, "n").await;
    let sub = subnet(&cloud.demo, &net, "10.0.0.0/24").await;
    let fields = json!({"external_gateway_info": {"network_id": external["id"]}});
    let router = make(&cloud.demo, "routers", "router", fields).await;
    let path = format!("/v2.0/routers/{}/add_router_interface", id(&router));
    cloud.demo.put(&path, &json!({"subnet_id": sub["id"]})).await.expect(200);
    let fields = json!({"network_id": net["id"], "mac_address": "fa:16:3e:00:00:01"});
    (make(&cloud.demo, "ports", "port", fields).await, router, sub)
}

#[tokio::test]
async fn an_address_comes_and_goes() {
    let cloud = Cloud::new().await;
    let external = outside(&cloud).await;
    let (held, router, sub) = behind(&cloud, &external).await;
    let fields = json!({"floating_network_id": external["id"]});
    let made = make(&cloud.demo, "floatingips", "floatingip", fields).await;
    assert_eq!((&made["status"], &made["port_id"]), (&json!("DOWN"), &Value::Null));
    let path = format!("/v2.0/floatingips/{}", id(&made));
    let to_port = json!({"floatingip": {"port_id": held["id"]}});
    let led = cloud.demo.put(&path, &to_port).await.expect(200).json["floatingip"].clone();
    golden(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/golden/floatingip.json"), &led);
    assert_eq!(led["router_id"], router["id"]);
    assert_eq!(led["fixed_ip_address"], address(&held));
    cloud.settle().await;
    let spec = cloud.dataplane.topology().routers[0].floating_ips[0];
    assert_eq!(json!(spec.floating.to_string()), led["floating_ip_address"]);
    let remove = format!("/v2.0/routers/{}/remove_router_interface", id(&router));
    let body = json!({"subnet_id": sub["id"]});
    cloud.demo.put(&remove, &body).await.refused(409, "RouterInterfaceInUseByFloatingIP");
    let clear = json!({"router": {"external_gateway_info": null}});
    let gateway = cloud.demo.put(&format!("/v2.0/routers/{}", id(&router)), &clear).await;
    gateway.refused(409, "RouterExternalGatewayInUseByFloatingIp");
    let second = json!({"floatingip": {"floating_network_id": external["id"],
        "port_id": held["id"]}});
    let twice = cloud.demo.post("/v2.0/floatingips", &second).await;
    twice.refused(409, "FloatingIPPortAlreadyAssociated");
    // A description changes nothing else; a null port does.
    let described = json!({"floatingip": {"description": "d"}});
    let kept = cloud.demo.put(&path, &described).await.expect(200).json["floatingip"].clone();
    assert_eq!(kept["port_id"], held["id"]);
    let free = json!({"floatingip": {"port_id": null}});
    let freed = cloud.demo.put(&path, &free).await.expect(200).json["floatingip"].clone();
    assert_eq!((&freed["status"], &freed["router_id"]), (&json!("DOWN"), &Value::Null));
    cloud.demo.put(&path, &to_port).await.expect(200);
    cloud.demo.delete(&format!("/v2.0/ports/{}", id(&held))).await.expect(204);
    let shown = cloud.demo.get(&path).await.expect(200).json["floatingip"].clone();
    assert_eq!((&shown["status"], &shown["port_id"]), (&json!("DOWN"), &Value::Null));
    cloud.demo.delete(&path).await.expect(204);
    let ports = cloud.admin.get("/v2.0/ports?device_owner=network:floatingip").await.json;
    assert_eq!(ports["ports"], json!([]));
}

#[tokio::test]
async fn unused_addresses_go_with_their_network() {
    let cloud = Cloud::new().await;
    let external = outside(&cloud).await;
    let fields = json!({"floating_network_id": external["id"]});
    let made = make(&cloud.demo, "floatingips", "floatingip", fields).await;
    cloud.admin.delete(&format!("/v2.0/networks/{}", id(&external))).await.expect(204);
    cloud.demo.get(&format!("/v2.0/floatingips/{}", id(&made))).await.expect(404);
}

#[tokio::test]
async fn what_leads_nowhere() {
    let cloud = Cloud::new().await;
    let external = outside(&cloud).await;
    let net = network(&cloud.demo, "n").await;
    subnet(&cloud.demo, &net, "10.0.0.0/24").await;
    let held = port(&cloud.demo, &net).await;
    let post = async |fields: Value| {
        let mut body = json!({"floating_network_id": external["id"]});
        for (key, value) in fields.as_object().unwrap() {
            body[key] = value.clone();
        }
        cloud.demo.post("/v2.0/floatingips", &json!({"floatingip": body})).await
    };
    post(json!({"floating_network_id": net["id"]})).await.refused(400, "BadRequest");
    post(json!({"port_id": held["id"]})).await.refused(404, "ExternalGatewayForFloatingIPNotFound");
    post(json!({"port_id": held["id"], "fixed_ip_address": "10.0.0.200"}))
        .await
        .refused(400, "BadRequest");
    post(json!({"fixed_ip_address": "10.0.0.200"})).await.refused(400, "BadRequest");
    let chosen = json!({"floating_ip_address": "172.24.4.50"});
    post(chosen.clone()).await.refused(403, "PolicyNotAuthorized");
    let fields = json!({"floating_network_id": external["id"],
        "floating_ip_address": "172.24.4.50"});
    let made = make(&cloud.admin, "floatingips", "floatingip", fields).await;
    assert_eq!(made["floating_ip_address"], "172.24.4.50");
    cloud.demo.get(&format!("/v2.0/floatingips/{}", id(&made))).await.expect(404);
}

#[tokio::test]
async fn nova_sees_where_it_leads() {
    let cloud = Cloud::new().await;
    let external = outside(&cloud).await;
    let (held, _, _) = behind(&cloud, &external).await;
    let fields = json!({"floating_network_id": external["id"], "port_id": held["id"]});
    let made = make(&cloud.demo, "floatingips", "floatingip", fields).await;
    let info = cloud.networks().port(&cloud.cx(), &id(&held).into()).await.unwrap();
    let floating = info.fixed_ips[0].floating[0].to_string();
    assert_eq!(json!(floating), made["floating_ip_address"]);
}
