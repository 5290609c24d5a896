//! Subnets and the pools they come from.

use serde_json::{Value, json};
use stackup_testing::golden;

use crate::{Cloud, Refusal, id, make, network, port, subnet};

#[tokio::test]
async fn a_subnet_lives() {
    let cloud = Cloud::new().await;
    let net = network(&cloud.demo, "n").await;
    let sub = subnet(&cloud.demo, &net, "10.0.0.0/24").await;
    golden(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/golden/subnet.json"), &sub);
    let path = format!("/v2.0/subnets/{}", id(&sub));
    let body = json!({"subnet": {"name": "s", "dns_nameservers": ["9.9.9.9"],
        "host_routes": [{"destination": "10.9.0.0/16", "nexthop": "10.0.0.9"}],
        "gateway_ip": null, "enable_dhcp": false}});
    let changed = cloud.demo.put(&path, &body).await.expect(200).json["subnet"].clone();
    assert_eq!(changed["gateway_ip"], Value::Null);
    assert_eq!(changed["dns_nameservers"], json!(["9.9.9.9"]));
    let ports = cloud.demo.get("/v2.0/ports").await.json;
    assert_eq!(ports["ports"], json!([]), "no DHCP, no DHCP port");
    let shown = cloud.demo.get(&format!("/v2.0/networks/{}", id(&net))).await.json;
    assert_eq!(shown["network"]["subnets"], json!([id(&sub)]));
    cloud.demo.delete(&path).await.expect(204);
    cloud.demo.get(&path).await.refused(404, "SubnetNotFound");
}

#[tokio::test]
async fn blocks_that_are_none() {
    let cloud = Cloud::new().await;
    let net = network(&cloud.demo, "n").await;
    subnet(&cloud.demo, &net, "10.0.0.0/24").await;
    let post = async |fields: Value| {
        let mut body = json!({"network_id": net["id"], "ip_version": 4, "cidr": "10.1.0.0/24"});
        for (key, value) in fields.as_object().unwrap() {
            body[key] = value.clone();
        }
        cloud.demo.post("/v2.0/subnets", &json!({"subnet": body})).await
    };
    let message = post(json!({"cidr": "10.0.0.128/25"})).await.refused(400, "InvalidInput");
    assert!(message.contains("overlaps with another subnet"), "{message}");
    post(json!({"ip_version": 6})).await.refused(400, "InvalidInput");
    post(json!({"cidr": "10.1.0.1/24"})).await.refused(400, "HTTPBadRequest");
    post(json!({"gateway_ip": "10.1.0.255"})).await.refused(400, "InvalidInput");
    post(json!({"gateway_ip": "fd00::1"})).await.refused(400, "InvalidInput");
    let pools =
        |start: &str, end: &str| json!({"allocation_pools": [{"start": start, "end": end}]});
    post(pools("10.1.0.9", "10.1.0.2")).await.refused(400, "InvalidAllocationPool");
    post(pools("10.1.0.2", "10.1.1.2")).await.refused(400, "OutOfBoundsAllocationPool");
    post(pools("10.1.0.1", "10.1.0.9")).await.refused(409, "GatewayConflictWithAllocationPools");
    post(json!({"allocation_pools": [{"start": "10.1.0.2", "end": "10.1.0.9"},
        {"start": "10.1.0.9", "end": "10.1.0.10"}]}))
    .await
    .refused(409, "OverlappingAllocationPools");
    post(json!({"ipv6_ra_mode": "slaac"})).await.refused(400, "InvalidInput");
    post(json!({"cidr": null})).await.refused(400, "BadRequest");
    post(json!({"network_id": "5b0b6a3c-0000-4000-8000-000000000000"}))
        .await
        .refused(404, "NetworkNotFound");
}

#[tokio::test]
async fn a_subnet_in_use_stays() {
    let cloud = Cloud::new().await;
    let net = network(&cloud.demo, "n").await;
    let sub = subnet(&cloud.demo, &net, "10.0.0.0/24").await;
    let held = port(&cloud.demo, &net).await;
    let path = format!("/v2.0/subnets/{}", id(&sub));
    cloud.demo.delete(&path).await.refused(409, "SubnetInUse");
    cloud.demo.delete(&format!("/v2.0/ports/{}", id(&held))).await.expect(204);
    cloud.demo.delete(&path).await.expect(204);
}

#[tokio::test]
async fn ipv6_addresses_come_from_the_mac() {
    let cloud = Cloud::new().await;
    let net = network(&cloud.demo, "n").await;
    let fields = json!({"network_id": net["id"], "ip_version": 6, "cidr": "fd00:1::/64",
        "ipv6_ra_mode": "slaac", "ipv6_address_mode": "slaac"});
    let six = make(&cloud.demo, "subnets", "subnet", fields).await;
    assert_eq!(six["gateway_ip"], "fd00:1::1");
    subnet(&cloud.demo, &net, "10.0.0.0/24").await;
    let fields = json!({"network_id": net["id"], "mac_address": "fa:16:3e:00:00:01"});
    let held = make(&cloud.demo, "ports", "port", fields).await;
    assert_eq!(held["fixed_ips"][1]["ip_address"], "fd00:1::f816:3eff:fe00:1");
    assert_eq!(held["fixed_ips"].as_array().map(Vec::len), Some(2));
    // The automatic address goes with its subnet.
    cloud.demo.delete(&format!("/v2.0/subnets/{}", id(&six))).await.expect(204);
    let shown = cloud.demo.get(&format!("/v2.0/ports/{}", id(&held))).await.json;
    assert_eq!(shown["port"]["fixed_ips"].as_array().map(Vec::len), Some(1));
}

#[tokio::test]
async fn pools_cut_blocks() {
    let cloud = Cloud::new().await;
    let fields = json!({"name": "p", "prefixes": ["10.0.0.0/24", "10.0.1.0/24"],
        "default_prefixlen": 26, "shared": true, "is_default": true});
    let pool = make(&cloud.admin, "subnetpools", "subnetpool", fields).await;
    golden(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/golden/subnetpool.json"), &pool);
    assert_eq!(pool["prefixes"], json!(["10.0.0.0/23"]));
    let net = network(&cloud.demo, "n").await;
    let cut = async |fields: Value| {
        let mut body = json!({"network_id": net["id"], "ip_version": 4});
        for (key, value) in fields.as_object().unwrap() {
            body[key] = value.clone();
        }
        cloud.demo.post("/v2.0/subnets", &json!({"subnet": body})).await
    };
    let first = cut(json!({"subnetpool_id": pool["id"]})).await.expect(201).json;
    assert_eq!(first["subnet"]["cidr"], "10.0.0.0/26");
    let second = cut(json!({"use_default_subnetpool": true, "prefixlen": 25})).await;
    assert_eq!(second.expect(201).json["subnet"]["cidr"], "10.0.0.128/25");
    let third = cut(json!({"subnetpool_id": pool["id"], "cidr": "10.0.1.0/26"})).await;
    assert_eq!(third.expect(201).json["subnet"]["cidr"], "10.0.1.0/26");
    cut(json!({"subnetpool_id": pool["id"], "cidr": "10.9.0.0/26"}))
        .await
        .refused(409, "SubnetAllocationError");
    cut(json!({"subnetpool_id": pool["id"], "prefixlen": 4}))
        .await
        .refused(400, "MinPrefixSubnetAllocationError");
    let path = format!("/v2.0/subnetpools/{}", id(&pool));
    cloud.admin.delete(&path).await.refused(409, "SubnetPoolDeleteError");
    cloud.demo.get(&path).await.expect(200);
    cloud.demo.delete(&path).await.refused(403, "PolicyNotAuthorized");
    let add = json!({"prefixes": ["10.0.8.0/24"]});
    let grown = cloud.admin.put(&format!("{path}/add_prefixes"), &add).await.expect(200).json;
    assert_eq!(grown["prefixes"].as_array().map(Vec::len), Some(2));
}

#[tokio::test]
async fn address_scopes_keep_prefixes_apart() {
    let cloud = Cloud::new().await;
    let fields = json!({"name": "s", "ip_version": 4});
    let scope = make(&cloud.demo, "address-scopes", "address_scope", fields).await;
    let pool = |prefix: &str| json!({"subnetpool": {"name": "p", "prefixes": [prefix], "address_scope_id": scope["id"]}});
    cloud.demo.post("/v2.0/subnetpools", &pool("10.0.0.0/16")).await.expect(201);
    let overlapping = cloud.demo.post("/v2.0/subnetpools", &pool("10.0.9.0/24")).await;
    overlapping.refused(400, "IllegalSubnetPoolAssociation");
    let path = format!("/v2.0/address-scopes/{}", id(&scope));
    cloud.demo.delete(&path).await.refused(409, "AddressScopeInUse");
}
