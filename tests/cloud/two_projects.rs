//! Two projects do not see one another.

use serde_json::{Value, json};
use stackup_tests::{Answer, Cloud, Session};

/// The body without what differs from request to request, or names the id.
fn plain(answer: &Answer, id: &str) -> (u16, String) {
    let mut json = answer.json.clone();
    if let Some(error) = json.pointer_mut("/errors/0") {
        error["request_id"] = Value::Null;
    }
    let text = match json {
        Value::Null => String::from_utf8_lossy(&answer.bytes).into_owned(),
        json => json.to_string(),
    };
    (answer.status, text.replace(id, "<id>"))
}

#[tokio::test]
async fn a_foreign_id_looks_like_one_that_never_was() {
    let cloud = Cloud::shared().await;
    let (alice, mallory) = (cloud.newcomer("member").await, cloud.newcomer("member").await);
    let network = alice.make_network("10.6.0.0/24").await;
    let router = alice.make_router(&network).await;
    let server = alice.create_server("secret", &network).await;
    alice.wait_for_status(&server, "ACTIVE").await;
    let port = alice.port_of(&server).await["id"].as_str().unwrap().to_owned();
    let image = alice.make_image("secret").await;
    let group = json!({"security_group": {"name": "secret"}});
    let group = alice.post("network", "/v2.0/security-groups", &group).await.expect(201);
    let group = group.text("/security_group/id");
    let things = [
        ("compute", "/servers/", server.as_str(), json!({"server": {"name": "mine"}})),
        ("network", "/v2.0/networks/", &network.id, json!({"network": {"name": "mine"}})),
        ("network", "/v2.0/subnets/", &network.subnet_id, json!({"subnet": {"name": "mine"}})),
        ("network", "/v2.0/ports/", &port, json!({"port": {"name": "mine"}})),
        ("network", "/v2.0/routers/", &router, json!({"router": {"name": "mine"}})),
        ("network", "/v2.0/security-groups/", &group, json!({"security_group": {"name": "mine"}})),
        ("image", "/v2/images/", &image, json!([])),
    ];
    let random = "0d5c1a9e-3b5f-4c62-9d55-0a7b6a1b9c2d";
    for (service, path, id, body) in &things {
        let tries = async |caller: &Session, id: &str| {
            let path = format!("{path}{id}");
            let mut answers = vec![caller.get(service, &path).await];
            if *service != "image" {
                answers.push(caller.put(service, &path, body).await);
            }
            answers.push(caller.delete(service, &path).await);
            answers.iter().map(|answer| plain(answer, id)).collect::<Vec<_>>()
        };
        let foreign = tries(&mallory, id).await;
        assert!(foreign.iter().all(|(status, _)| *status == 404), "{path}: {foreign:?}");
        assert_eq!(foreign, tries(&mallory, random).await, "{path}");
        // And it is all still there.
        alice.get(service, &format!("{path}{id}")).await.expect(200);
    }
    let action = json!({"os-stop": null});
    let path = format!("/servers/{server}/action");
    mallory.post("compute", &path, &action).await.expect(404);
}

#[tokio::test]
async fn lists_hold_what_is_ones_own() {
    let cloud = Cloud::shared().await;
    let (alice, mallory) = (cloud.newcomer("member").await, cloud.newcomer("member").await);
    let server = alice.boot_server("secret").await;
    for (service, path, key) in [
        ("compute", "/servers/detail", "servers"),
        ("network", "/v2.0/ports", "ports"),
        ("network", "/v2.0/subnets", "subnets"),
        ("network", "/v2.0/routers", "routers"),
        ("network", "/v2.0/floatingips", "floatingips"),
        ("image", "/v2/images", "images"),
    ] {
        let answer = mallory.get(service, path).await.expect(200);
        for one in answer.json[key].as_array().unwrap() {
            let owner = one.get("project_id").or(one.get("tenant_id")).or(one.get("owner"));
            let seen = owner == Some(&json!(mallory.project_id()))
                || one["visibility"] == "public"
                || one["shared"] == json!(true)
                || one["router:external"] == json!(true);
            assert!(seen, "{path} shows {one}");
        }
    }
    // Asking for everybody's is the administrator's.
    mallory.get("compute", "/servers?all_tenants=1").await.expect(403);
    let all = cloud.admin().await.get("compute", "/servers?all_tenants=1").await.expect(200);
    let all = all.json["servers"].as_array().unwrap().clone();
    assert!(all.iter().any(|one| one["id"] == json!(server)));
}

#[tokio::test]
async fn nothing_foreign_can_be_built_upon() {
    let cloud = Cloud::shared().await;
    let (alice, mallory) = (cloud.newcomer("member").await, cloud.newcomer("member").await);
    let network = alice.make_network("10.7.0.0/24").await;
    let image = alice.make_image("secret").await;
    let flavor = mallory.flavor("m1.nano").await;
    let own = mallory.make_network("10.8.0.0/24").await;
    let boot = |image: &str, network: &str| {
        json!({"server": {
            "name": "x", "imageRef": image, "flavorRef": flavor, "networks": [{"uuid": network}],
        }})
    };
    mallory.post("compute", "/servers", &boot(&image, &own.id)).await.expect(400);
    let own_image = mallory.make_image("own").await;
    mallory.post("compute", "/servers", &boot(&own_image, &network.id)).await.expect(400);
    let port = json!({"port": {"network_id": network.id}});
    mallory.post("network", "/v2.0/ports", &port).await.expect(404);
    let subnet =
        json!({"subnet": {"network_id": network.id, "cidr": "10.77.0.0/24", "ip_version": 4}});
    mallory.post("network", "/v2.0/subnets", &subnet).await.expect(404);
}

#[tokio::test]
async fn a_reader_reads() {
    let cloud = Cloud::shared().await;
    let reader = cloud.newcomer("reader").await;
    reader.get("compute", "/servers").await.expect(200);
    reader.get("network", "/v2.0/networks").await.expect(200);
    reader.get("image", "/v2/images").await.expect(200);
    let network = json!({"network": {"name": "x"}});
    reader.post("network", "/v2.0/networks", &network).await.expect(403);
    let image = json!({"name": "x", "disk_format": "raw", "container_format": "bare"});
    reader.post("image", "/v2/images", &image).await.expect(403);
    let keypair = json!({"server": {"name": "x", "imageRef": "", "flavorRef": "1"}});
    assert!(matches!(reader.post("compute", "/servers", &keypair).await.status, 400 | 403));
}
