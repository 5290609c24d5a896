//! Networks: bodies, sharing, what keeps them from going.

use serde_json::json;
use stackup_testing::golden;

use crate::{Cloud, Refusal, id, make, network, outside, port, subnet};

#[tokio::test]
async fn a_network_lives() {
    let cloud = Cloud::new().await;
    let fields = json!({"name": "n1", "description": "d", "tags": ["b", "a"]});
    let net = make(&cloud.demo, "networks", "network", fields).await;
    golden(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/golden/network.json"), &net);
    let path = format!("/v2.0/networks/{}", id(&net));
    assert_eq!(cloud.demo.get(&path).await.expect(200).json["network"], net);
    let admin = cloud.admin.get(&path).await.expect(200).json;
    assert_eq!(admin["network"]["provider:network_type"], "local");
    let body = json!({"network": {"name": "n2", "mtu": 1400, "admin_state_up": "false"}});
    let changed = cloud.demo.put(&path, &body).await.expect(200).json;
    assert_eq!(changed["network"]["name"], "n2");
    assert_eq!(changed["network"]["mtu"], 1400);
    assert_eq!(changed["network"]["admin_state_up"], false);
    assert_eq!(changed["network"]["revision_number"], 2);
    cloud.demo.delete(&path).await.expect(204);
    cloud.demo.get(&path).await.refused(404, "NetworkNotFound");
    cloud.demo.delete(&path).await.refused(404, "NetworkNotFound");
}

#[tokio::test]
async fn others_do_not_see_it_until_it_is_shared() {
    let cloud = Cloud::new().await;
    let (net, other) = (network(&cloud.demo, "n").await, cloud.other());
    let sub = subnet(&cloud.demo, &net, "10.0.0.0/24").await;
    let path = format!("/v2.0/networks/{}", id(&net));
    other.get(&path).await.refused(404, "NetworkNotFound");
    other.put(&path, &json!({"network": {"name": "x"}})).await.refused(404, "NetworkNotFound");
    let shared = json!({"network": {"shared": true}});
    cloud.demo.put(&path, &shared).await.refused(403, "PolicyNotAuthorized");
    cloud.admin.put(&path, &shared).await.expect(200);
    assert_eq!(other.get(&path).await.expect(200).json["network"]["shared"], true);
    other.get(&format!("/v2.0/subnets/{}", id(&sub))).await.expect(200);
    other.delete(&path).await.refused(403, "PolicyNotAuthorized");
    let guest = port(&other, &net).await;
    assert_eq!(guest["project_id"], "other");
    // Its owner sees the guest's port, and it keeps the network shared.
    cloud.demo.get(&format!("/v2.0/ports/{}", id(&guest))).await.expect(200);
    let unshare = json!({"network": {"shared": false}});
    cloud.admin.put(&path, &unshare).await.refused(409, "InvalidSharedSetting");
    cloud.demo.delete(&path).await.refused(409, "NetworkInUse");
}

#[tokio::test]
async fn shared_with_one_project_only() {
    let cloud = Cloud::new().await;
    let net = network(&cloud.demo, "n").await;
    let policy = json!({"object_type": "network", "object_id": id(&net),
        "action": "access_as_shared", "target_tenant": "other"});
    let body = json!({"rbac_policy": {"object_type": "network", "object_id": id(&net),
        "action": "access_as_shared", "target_tenant": "*"}});
    cloud.demo.post("/v2.0/rbac-policies", &body).await.refused(403, "PolicyNotAuthorized");
    let policy = make(&cloud.demo, "rbac-policies", "rbac_policy", policy).await;
    let path = format!("/v2.0/networks/{}", id(&net));
    cloud.other().get(&path).await.expect(200);
    cloud.demo.with_token("member@third").get(&path).await.expect(404);
    let port = port(&cloud.other(), &net).await;
    let policy = format!("/v2.0/rbac-policies/{}", id(&policy));
    cloud.demo.delete(&policy).await.refused(409, "RbacPolicyInUse");
    cloud.other().delete(&format!("/v2.0/ports/{}", id(&port))).await.expect(204);
    cloud.demo.delete(&policy).await.expect(204);
    cloud.other().get(&path).await.expect(404);
}

#[tokio::test]
async fn external_and_flat() {
    let cloud = Cloud::new().await;
    let body = json!({"network": {"name": "x", "router:external": true}});
    cloud.demo.post("/v2.0/networks", &body).await.refused(403, "PolicyNotAuthorized");
    let flat = json!({"name": "p", "router:external": true, "provider:network_type": "flat",
        "provider:physical_network": "public"});
    let net = make(&cloud.admin, "networks", "network", flat.clone()).await;
    assert_eq!(net["provider:physical_network"], "public");
    let again = cloud.admin.post("/v2.0/networks", &json!({"network": flat})).await;
    again.refused(409, "FlatNetworkInUse");
    let seen = cloud.demo.get(&format!("/v2.0/networks/{}", id(&net))).await.expect(200).json;
    assert_eq!(seen["network"]["router:external"], true);
    assert!(seen["network"].get("provider:network_type").is_none());
    for wrong in [
        json!({"provider:network_type": "vlan", "provider:physical_network": "public"}),
        json!({"provider:network_type": "flat", "provider:physical_network": "x"}),
        json!({"provider:network_type": "flat"}),
    ] {
        let answer = cloud.admin.post("/v2.0/networks", &json!({"network": wrong})).await;
        answer.refused(400, "InvalidInput");
    }
    let path = format!("/v2.0/networks/{}", id(&net));
    let body = json!({"network": {"router:external": false}});
    cloud.admin.put(&path, &body).await.expect(200);
    cloud.demo.get(&path).await.expect(404);
}

#[tokio::test]
async fn several_at_once_or_none() {
    let cloud = Cloud::new().await;
    let body = json!({"networks": [{"name": "a"}, {"name": "b"}]});
    let made = cloud.demo.post("/v2.0/networks", &body).await.expect(201).json;
    assert_eq!(made["networks"].as_array().map(Vec::len), Some(2));
    let body = json!({"networks": [{"name": "c"}, {"name": "d", "shared": true}]});
    cloud.demo.post("/v2.0/networks", &body).await.expect(403);
    let all = cloud.demo.get("/v2.0/networks").await.expect(200).json;
    assert_eq!(all["networks"].as_array().map(Vec::len), Some(2));
}

#[tokio::test]
async fn only_administrators_make_things_for_others() {
    let cloud = Cloud::new().await;
    let body = json!({"network": {"name": "a", "tenant_id": "other"}});
    cloud.demo.post("/v2.0/networks", &body).await.refused(400, "HTTPBadRequest");
    let made = cloud.admin.post("/v2.0/networks", &body).await.expect(201).json;
    assert_eq!(made["network"]["project_id"], "other");
}

#[tokio::test]
async fn a_network_takes_its_subnets_and_dhcp_port_with_it() {
    let cloud = Cloud::new().await;
    let net = network(&cloud.demo, "n").await;
    subnet(&cloud.demo, &net, "10.0.0.0/24").await;
    let ports = cloud.demo.get(&format!("/v2.0/ports?network_id={}", id(&net))).await.json;
    assert_eq!(ports["ports"][0]["device_owner"], "network:dhcp");
    cloud.demo.delete(&format!("/v2.0/networks/{}", id(&net))).await.expect(204);
    let subnets = cloud.demo.get("/v2.0/subnets").await.expect(200).json;
    assert_eq!(subnets["subnets"], json!([]));
}

#[tokio::test]
async fn how_many_addresses_are_left() {
    let cloud = Cloud::new().await;
    let net = outside(&cloud).await;
    let path = format!("/v2.0/network-ip-availabilities/{}", id(&net));
    cloud.demo.get(&path).await.expect(404);
    let view = cloud.admin.get(&path).await.expect(200).json["network_ip_availability"].clone();
    assert_eq!((&view["total_ips"], &view["used_ips"]), (&json!(253), &json!(0)));
    let body = json!({"floatingip": {"floating_network_id": id(&net)}});
    cloud.demo.post("/v2.0/floatingips", &body).await.expect(201);
    let all = cloud.admin.get("/v2.0/network-ip-availabilities?network_name=public").await;
    let all = all.expect(200).json;
    assert_eq!(all["network_ip_availabilities"][0]["used_ips"], 1);
}
