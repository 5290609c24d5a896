//! Routers.

use serde_json::{Value, json};
use stackup_testing::golden;

use crate::{Cloud, Refusal, id, make, network, outside, port, subnet};

async fn router(cloud: &Cloud, external: Option<&Value>) -> Value {
    let mut fields = json!({"name": "r"});
    if let Some(external) = external {
        fields["external_gateway_info"] = json!({"network_id": external["id"]});
    }
    make(&cloud.demo, "routers", "router", fields).await
}

#[tokio::test]
async fn a_router_lives() {
    let cloud = Cloud::new().await;
    let external = outside(&cloud).await;
    let made = router(&cloud, Some(&external)).await;
    golden(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/golden/router.json"), &made);
    let net = network(&cloud.demo, "n").await;
    let sub = subnet(&cloud.demo, &net, "10.0.0.0/24").await;
    let path = format!("/v2.0/routers/{}", id(&made));
    let add = json!({"subnet_id": sub["id"]});
    let added = cloud.demo.put(&format!("{path}/add_router_interface"), &add).await.expect(200);
    golden(
        concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/golden/router_interface.json"),
        &added.json,
    );
    let inner = added.json["port_id"].as_str().unwrap().to_owned();
    let held = cloud.demo.get(&format!("/v2.0/ports/{inner}")).await.expect(200).json;
    assert_eq!(held["port"]["fixed_ips"][0]["ip_address"], "10.0.0.1");
    assert_eq!(held["port"]["device_owner"], "network:router_interface");
    cloud.settle().await;
    let held = cloud.demo.get(&format!("/v2.0/ports/{inner}")).await.expect(200).json;
    assert_eq!(held["port"]["status"], "ACTIVE");
    let topology = cloud.dataplane.topology();
    assert_eq!(topology.routers[0].interfaces.len(), 1);
    assert!(topology.routers[0].gateway.is_some());
    cloud.demo.delete(&format!("/v2.0/ports/{inner}")).await.refused(409, "ServicePortInUse");
    cloud.demo.delete(&path).await.refused(409, "RouterInUse");
    let again = cloud.demo.put(&format!("{path}/add_router_interface"), &add).await;
    again.refused(400, "BadRequest");
    let removed = cloud.demo.put(&format!("{path}/remove_router_interface"), &add).await;
    removed.expect(200);
    let gone = cloud.demo.put(&format!("{path}/remove_router_interface"), &add).await;
    gone.refused(404, "RouterInterfaceNotFoundForSubnet");
    cloud.demo.delete(&path).await.expect(204);
    cloud.demo.get(&path).await.refused(404, "RouterNotFound");
    cloud.admin.delete(&format!("/v2.0/networks/{}", id(&external))).await.expect(204);
}

#[tokio::test]
async fn interfaces_by_port() {
    let cloud = Cloud::new().await;
    let (made, net) = (router(&cloud, None).await, network(&cloud.demo, "n").await);
    subnet(&cloud.demo, &net, "10.0.0.0/24").await;
    let (held, taken) = (port(&cloud.demo, &net).await, network(&cloud.demo, "m").await);
    let path = format!("/v2.0/routers/{}/add_router_interface", id(&made));
    let by_port = json!({"port_id": held["id"]});
    cloud.demo.put(&path, &by_port).await.expect(200);
    cloud.demo.put(&path, &by_port).await.refused(409, "PortInUse");
    cloud.demo.put(&path, &json!({})).await.refused(400, "BadRequest");
    cloud.demo.put(&path, &json!({"port_id": "x"})).await.refused(400, "BadRequest");
    let bare = port(&cloud.demo, &taken).await;
    cloud.demo.put(&path, &json!({"port_id": bare["id"]})).await.refused(400, "BadRequest");
    let remove = format!("/v2.0/routers/{}/remove_router_interface", id(&made));
    cloud
        .demo
        .put(&remove, &json!({"port_id": bare["id"]}))
        .await
        .refused(404, "RouterInterfaceNotFound");
    cloud.demo.put(&remove, &by_port).await.expect(200);
    cloud.demo.get(&format!("/v2.0/ports/{}", id(&held))).await.expect(404);
}

#[tokio::test]
async fn overlapping_subnets_do_not_meet_on_a_router() {
    let cloud = Cloud::new().await;
    let made = router(&cloud, None).await;
    let path = format!("/v2.0/routers/{}/add_router_interface", id(&made));
    for (name, cidr, status) in [("a", "10.0.0.0/24", 200), ("b", "10.0.0.0/25", 400)] {
        let net = network(&cloud.demo, name).await;
        let sub = subnet(&cloud.demo, &net, cidr).await;
        cloud.demo.put(&path, &json!({"subnet_id": sub["id"]})).await.expect(status);
    }
}

#[tokio::test]
async fn gateways_change() {
    let cloud = Cloud::new().await;
    let external = outside(&cloud).await;
    let made = router(&cloud, None).await;
    let path = format!("/v2.0/routers/{}", id(&made));
    let inner = network(&cloud.demo, "inner").await;
    let wrong = json!({"router": {"external_gateway_info": {"network_id": inner["id"]}}});
    cloud.demo.put(&path, &wrong).await.refused(400, "BadRequest");
    let gateway = json!({"network_id": external["id"], "enable_snat": false});
    let body = json!({"router": {"external_gateway_info": gateway}});
    cloud.demo.put(&path, &body).await.refused(403, "PolicyNotAuthorized");
    let set = cloud.admin.put(&path, &body).await.expect(200).json["router"].clone();
    assert_eq!(set["external_gateway_info"]["enable_snat"], false);
    let ips = json!({"network_id": external["id"],
        "external_fixed_ips": [{"ip_address": "172.24.4.99"}]});
    let body = json!({"router": {"external_gateway_info": ips}});
    let set = cloud.admin.put(&path, &body).await.expect(200).json["router"].clone();
    let outer = &set["external_gateway_info"]["external_fixed_ips"][0]["ip_address"];
    assert_eq!(
        (outer, &set["external_gateway_info"]["enable_snat"]),
        (&json!("172.24.4.99"), &json!(false))
    );
    let clear = json!({"router": {"external_gateway_info": {}}});
    let set = cloud.demo.put(&path, &clear).await.expect(200).json["router"].clone();
    assert_eq!(set["external_gateway_info"], Value::Null);
    let ports = cloud.admin.get("/v2.0/ports?device_owner=network:router_gateway").await.json;
    assert_eq!(ports["ports"], json!([]));
}

#[tokio::test]
async fn routes_lead_to_neighbours() {
    let cloud = Cloud::new().await;
    let (made, net) = (router(&cloud, None).await, network(&cloud.demo, "n").await);
    let sub = subnet(&cloud.demo, &net, "10.0.0.0/24").await;
    let path = format!("/v2.0/routers/{}", id(&made));
    let add = json!({"subnet_id": sub["id"]});
    cloud.demo.put(&format!("{path}/add_router_interface"), &add).await.expect(200);
    let routes =
        |hop: &str| json!({"router": {"routes": [{"destination": "10.9.0.0/16", "nexthop": hop}]}});
    cloud.demo.put(&path, &routes("10.8.0.1")).await.refused(400, "InvalidRoutes");
    cloud.demo.put(&path, &routes("10.0.0.1")).await.refused(400, "InvalidRoutes");
    cloud.demo.put(&path, &routes("10.0.0.9")).await.expect(200);
    let more =
        json!({"router": {"routes": [{"destination": "10.7.0.0/16", "nexthop": "10.0.0.8"}]}});
    let both = cloud.demo.put(&format!("{path}/add_extraroutes"), &more).await.expect(200).json;
    assert_eq!(both["router"]["routes"].as_array().map(Vec::len), Some(2));
    let remove = cloud.demo.put(&format!("{path}/remove_router_interface"), &add).await;
    remove.refused(409, "RouterInterfaceInUseByRoute");
    cloud.demo.put(&format!("{path}/remove_extraroutes"), &more).await.expect(200);
    let none = json!({"router": {"routes": []}});
    cloud.demo.put(&path, &none).await.expect(200);
    cloud.demo.put(&format!("{path}/remove_router_interface"), &add).await.expect(200);
}

#[tokio::test]
async fn only_a_router_that_is_down_becomes_distributed() {
    let cloud = Cloud::new().await;
    let made = router(&cloud, None).await;
    assert!(made.get("distributed").is_none(), "a member does not see it");
    let body = json!({"router": {"distributed": true}});
    cloud.demo.post("/v2.0/routers", &body).await.refused(403, "PolicyNotAuthorized");
    let path = format!("/v2.0/routers/{}", id(&made));
    cloud.demo.put(&path, &body).await.refused(403, "PolicyNotAuthorized");
    cloud.admin.put(&path, &body).await.refused(400, "BadRequest");
    cloud.demo.put(&path, &json!({"router": {"admin_state_up": false}})).await.expect(200);
    let changed = cloud.admin.put(&path, &body).await.expect(200).json;
    assert_eq!(changed["router"]["distributed"], true);
    let up = json!({"router": {"admin_state_up": true, "distributed": true}});
    cloud.admin.put(&path, &up).await.expect(200);
    let fields = json!({"distributed": true, "ha": false});
    let made = make(&cloud.admin, "routers", "router", fields).await;
    assert_eq!((&made["distributed"], &made["ha"]), (&json!(true), &json!(false)));
    let body = json!({"router": {"ha": true}});
    cloud.admin.post("/v2.0/routers", &body).await.refused(409, "HANotEnoughAvailableAgents");
    let found = cloud.admin.get("/v2.0/routers?ha=True").await.expect(200).json;
    assert_eq!(found["routers"], json!([]));
}
