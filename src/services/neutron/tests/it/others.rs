//! Quotas, agents, zones, day one, metadata.

use std::sync::Arc;

use async_trait::async_trait;
use serde_json::json;
use stackup_contracts::{CallError, Compute, MetadataAnswer, MetadataRequest};
use stackup_core::{Ctx, ServerId};
use stackup_neutron::Config;
use stackup_neutron::drivers::MetadataOrigin;
use stackup_web::Service;

use crate::{Cloud, Refusal, id, network, subnet};

#[tokio::test]
async fn quotas() {
    let cloud = Cloud::new().await;
    let shown = cloud.demo.get("/v2.0/quotas/demo").await.expect(200).json;
    assert_eq!(shown["quota"]["network"], 100);
    cloud.demo.get("/v2.0/quotas/other").await.refused(403, "PolicyNotAuthorized");
    let body = json!({"quota": {"network": 1, "port": "2"}});
    cloud.demo.put("/v2.0/quotas/demo", &body).await.refused(403, "PolicyNotAuthorized");
    let set = cloud.admin.put("/v2.0/quotas/demo", &body).await.expect(200).json;
    assert_eq!((&set["quota"]["network"], &set["quota"]["port"]), (&json!(1), &json!(2)));
    let net = network(&cloud.demo, "n").await;
    let body = json!({"network": {"name": "m"}});
    let over = cloud.demo.post("/v2.0/networks", &body).await.refused(409, "OverQuota");
    assert_eq!(over, "Quota exceeded for resources: ['network'].");
    subnet(&cloud.demo, &net, "10.0.0.0/24").await;
    let details = cloud.demo.get("/v2.0/quotas/demo/details.json").await.expect(200).json;
    assert_eq!(details["quota"]["network"], json!({"limit": 1, "used": 1, "reserved": 0}));
    let all = cloud.admin.get("/v2.0/quotas").await.expect(200).json;
    assert_eq!(all["quotas"][0]["project_id"], "demo");
    for wrong in [json!({"network": -2}), json!({"network": "x"}), json!({"car": 1})] {
        let answer = cloud.admin.put("/v2.0/quotas/demo", &json!({"quota": wrong})).await;
        answer.refused(400, "HTTPBadRequest");
    }
    cloud.admin.delete("/v2.0/quotas/demo").await.expect(204);
    let shown = cloud.demo.get("/v2.0/quotas/demo").await.expect(200).json;
    assert_eq!(shown["quota"]["network"], 100);
}

#[tokio::test]
async fn agents_and_zones() {
    let cloud = Cloud::new().await;
    // A list shows what the caller may see.
    assert_eq!(cloud.demo.get("/v2.0/agents").await.expect(200).json["agents"], json!([]));
    let all = cloud.admin.get("/v2.0/agents?agent_type=DHCP%20agent").await.expect(200).json;
    assert_eq!(all["agents"][0]["alive"], true);
    let path = format!("/v2.0/agents/{}", id(&all["agents"][0]));
    cloud.admin.get(&path).await.expect(200);
    cloud.admin.get("/v2.0/agents/none").await.refused(404, "AgentNotFound");
    let net = network(&cloud.demo, "n").await;
    let hosted = cloud.admin.get(&format!("{path}/dhcp-networks")).await.expect(200).json;
    assert_eq!(hosted["networks"][0]["id"], net["id"]);
    subnet(&cloud.demo, &net, "10.0.0.0/24").await;
    let one = format!("{path}/dhcp-networks/{}", id(&net));
    cloud.admin.delete(&one).await.expect(204);
    let ports = cloud.admin.get("/v2.0/ports?device_owner=network:dhcp").await.json;
    assert_eq!(ports["ports"], json!([]));
    cloud.admin.delete(&one).await.refused(409, "NetworkNotHostedByDhcpAgent");
    let body = json!({"network_id": net["id"]});
    cloud.admin.post(&format!("{path}/dhcp-networks"), &body).await.expect(201);
    let ports = cloud.admin.get("/v2.0/ports?device_owner=network:dhcp").await.json;
    assert_eq!(ports["ports"].as_array().map(Vec::len), Some(1));
    let zones = cloud.demo.get("/v2.0/availability_zones").await.expect(200).json;
    assert_eq!(zones["availability_zones"].as_array().map(Vec::len), Some(2));
    cloud.demo.get("/v2.0/service-providers").await.expect(200);
}

#[tokio::test]
async fn day_one_comes_once() {
    let cloud = Cloud::with(Config::default()).await;
    let find = async |path: &str| cloud.admin.get(path).await.expect(200).json;
    let public = find("/v2.0/networks?name=public").await["networks"][0].clone();
    assert_eq!(public["router:external"], true);
    assert_eq!((&public["is_default"], &public["shared"]), (&json!(true), &json!(false)));
    let subnet = find("/v2.0/subnets?name=public-subnet").await["subnets"][0].clone();
    assert_eq!(subnet["cidr"], "172.24.4.0/24");
    assert_eq!(subnet["enable_dhcp"], false);
    let private = find("/v2.0/subnets?name=private-subnet").await["subnets"][0].clone();
    assert_eq!((&private["cidr"], &private["project_id"]), (&json!("10.0.0.0/26"), &json!("demo")));
    let router = find("/v2.0/routers?name=router1").await["routers"][0].clone();
    assert_eq!(router["external_gateway_info"]["network_id"], public["id"]);
    cloud.settle().await;
    let topology = cloud.dataplane.topology();
    let outer = topology.networks.iter().find(|net| net.external_bridge.is_some());
    assert_eq!(outer.and_then(|net| net.external_bridge.as_deref()), Some("br-ex"));
    // What a user deletes does not come back.
    let body = json!({"subnet_id": private["id"]});
    let path = format!("/v2.0/routers/{}", id(&router));
    cloud.admin.put(&format!("{path}/remove_router_interface"), &body).await.expect(200);
    cloud.admin.delete(&path).await.expect(204);
    cloud.neutron.bootstrap().await.unwrap();
    assert_eq!(find("/v2.0/routers").await["routers"], json!([]));
}

struct Nova;

#[async_trait]
impl Compute for Nova {
    async fn metadata(&self, request: MetadataRequest) -> MetadataAnswer {
        MetadataAnswer {
            status: 200,
            content_type: "text/plain".to_owned(),
            body: format!("{} {}", request.server, request.path).into(),
        }
    }
    async fn network_changed(&self, _: &Ctx, _: &ServerId) -> Result<(), CallError> {
        Ok(())
    }
    async fn exists(&self, _: &Ctx, _: &ServerId) -> Result<bool, CallError> {
        Ok(true)
    }
}

#[tokio::test]
async fn guests_ask_for_metadata() {
    let cloud = Cloud::new().await;
    cloud.hub.set_compute(Arc::new(Nova));
    let net = network(&cloud.demo, "n").await;
    let sub = subnet(&cloud.demo, &net, "10.0.0.0/24").await;
    let server = "5b0b6a3c-0000-4000-8000-00000000000a";
    let fields = json!({"port": {"network_id": net["id"], "device_id": server,
        "device_owner": "compute:nova", "fixed_ips": [{"ip_address": "10.0.0.40"}]}});
    cloud.demo.post("/v2.0/ports", &fields).await.expect(201);
    let router = cloud.demo.post("/v2.0/routers", &json!({"router": {}})).await.expect(201).json;
    let router = router["router"].clone();
    let path = format!("/v2.0/routers/{}/add_router_interface", id(&router));
    cloud.demo.put(&path, &json!({"subnet_id": sub["id"]})).await.expect(200);
    let ask = async |origin, source: &str| {
        let request = http::Request::get("/openstack/latest").body(bytes::Bytes::new()).unwrap();
        let answer = cloud.dataplane.ask_metadata(origin, source.parse().unwrap(), request).await;
        let answer = answer.unwrap();
        (answer.status().as_u16(), String::from_utf8(answer.body().to_vec()).unwrap())
    };
    let expected = (200, format!("{server} /openstack/latest"));
    let by_network = MetadataOrigin::Network(id(&net).parse().unwrap());
    let by_router = MetadataOrigin::Router(id(&router).parse().unwrap());
    assert_eq!(ask(by_network, "10.0.0.40").await, expected);
    assert_eq!(ask(by_router, "10.0.0.40").await, expected);
    assert_eq!(ask(by_network, "10.0.0.41").await.0, 404);
}
