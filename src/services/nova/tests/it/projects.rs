//! What users have besides servers: flavors, key pairs, groups, limits, metadata of guests.

use serde_json::{Value, json};
use stackup_contracts::{Compute, MetadataRequest};

use crate::cloud::{Cloud, at};
use crate::stubs::IMAGE;

const KEY: &str =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl k1";

#[tokio::test]
async fn devstacks_flavors_are_there() {
    let cloud = Cloud::new().await;
    let list = cloud.member.get("/v2.1/flavors/detail").await.expect(200).json;
    let ids: Vec<&str> =
        list["flavors"].as_array().unwrap().iter().map(|f| f["id"].as_str().unwrap()).collect();
    assert_eq!(ids, ["1", "2", "3", "4", "42", "5", "84", "c1", "d1", "d2", "d3", "d4"]);
    let nano = cloud.member.get("/v2.1/flavors/42").await.expect(200).json["flavor"].clone();
    assert_eq!((&nano["ram"], &nano["disk"], &nano["swap"]), (&json!(192), &json!(1), &json!(0)));
    assert_eq!(nano["extra_specs"]["hw_rng:allowed"], "True");
    let old =
        at(&cloud.member, "2.1").get("/v2.1/flavors/42").await.expect(200).json["flavor"].clone();
    assert_eq!(old["swap"], "");
    assert!(old.get("extra_specs").is_none() && old.get("description").is_none());
    let newest =
        at(&cloud.member, "2.102").get("/v2.1/flavors/42").await.expect(200).json["flavor"].clone();
    assert!(newest.get("rxtx_factor").is_none());
    assert_eq!(
        cloud.member.get("/v2.1/flavors?minRam=8000").await.json["flavors"]
            .as_array()
            .unwrap()
            .len(),
        2
    );
}

#[tokio::test]
async fn a_private_flavor_is_for_whom_it_is_given() {
    let cloud = Cloud::new().await;
    let body = json!({"flavor": {"name": "gold", "ram": 512, "vcpus": 1, "disk": 1, "id": "g", "os-flavor-access:is_public": false}});
    cloud.member.post("/v2.1/flavors", &body).await.expect(403);
    cloud.admin.post("/v2.1/flavors", &body).await.expect(200);
    cloud.admin.post("/v2.1/flavors", &body).await.expect(409);
    cloud.member.get("/v2.1/flavors/g").await.expect(404);
    let give = json!({"addTenantAccess": {"tenant": "p"}});
    cloud.admin.post("/v2.1/flavors/g/action", &give).await.expect(200);
    cloud.admin.post("/v2.1/flavors/g/action", &give).await.expect(409);
    cloud
        .admin
        .post("/v2.1/flavors/g/action", &json!({"addTenantAccess": {"tenant": "missing"}}))
        .await
        .expect(400);
    cloud.member.get("/v2.1/flavors/g").await.expect(200);
    let access = cloud.admin.get("/v2.1/flavors/g/os-flavor-access").await.expect(200).json;
    assert_eq!(access["flavor_access"], json!([{"flavor_id": "g", "tenant_id": "p"}]));
    cloud.admin.get("/v2.1/flavors/1/os-flavor-access").await.expect(404);
    let take = json!({"removeTenantAccess": {"tenant": "p"}});
    cloud.admin.post("/v2.1/flavors/g/action", &take).await.expect(200);
    cloud.admin.post("/v2.1/flavors/g/action", &take).await.expect(404);

    let specs = "/v2.1/flavors/g/os-extra_specs";
    cloud.admin.post(specs, &json!({"extra_specs": {"a": "1", "b": 2}})).await.expect(200);
    cloud.admin.put(&format!("{specs}/a"), &json!({"a": "9"})).await.expect(200);
    cloud.admin.put(&format!("{specs}/a"), &json!({"b": "9"})).await.expect(400);
    cloud.admin.delete(&format!("{specs}/b")).await.expect(200);
    cloud.admin.delete(&format!("{specs}/b")).await.expect(404);
    assert_eq!(cloud.admin.get(specs).await.json["extra_specs"], json!({"a": "9"}));
    cloud.admin.put("/v2.1/flavors/g", &json!({"flavor": {"description": "x"}})).await.expect(200);
    cloud.admin.delete("/v2.1/flavors/g").await.expect(202);
    cloud.admin.delete("/v2.1/flavors/g").await.expect(404);
    for wrong in [
        json!({"name": "", "ram": 1, "vcpus": 1, "disk": 1}),
        json!({"name": "x", "ram": 0, "vcpus": 1, "disk": 1}),
        json!({"name": "x", "ram": 1, "vcpus": 1}),
        json!({"name": "x", "ram": 1, "vcpus": 1, "disk": 1, "colour": 1}),
    ] {
        cloud.admin.post("/v2.1/flavors", &json!({"flavor": wrong})).await.expect(400);
    }
}

#[tokio::test]
async fn key_pairs_are_made_and_imported() {
    let cloud = Cloud::new().await;
    let import = json!({"keypair": {"name": "k1", "public_key": KEY}});
    let made =
        cloud.member.post("/v2.1/os-keypairs", &import).await.expect(201).json["keypair"].clone();
    assert_eq!(made["type"], "ssh");
    assert_eq!(made["fingerprint"].as_str().unwrap().len(), 47);
    cloud.member.post("/v2.1/os-keypairs", &import).await.expect(409);
    cloud.member.post("/v2.1/os-keypairs", &json!({"keypair": {"name": "k2"}})).await.expect(400);
    let old = at(&cloud.member, "2.1");
    let made =
        old.post("/v2.1/os-keypairs", &json!({"keypair": {"name": "k2"}})).await.expect(200).json;
    assert!(made["keypair"]["private_key"].as_str().unwrap().contains("PRIVATE KEY"));
    assert!(made["keypair"].get("type").is_none());
    old.post(
        "/v2.1/os-keypairs",
        &json!({"keypair": {"name": "k3", "public_key": "ssh-rsa JUNK"}}),
    )
    .await
    .expect(400);
    let page = cloud.member.get("/v2.1/os-keypairs?limit=1").await.expect(200).json;
    assert_eq!(page["keypairs"][0]["keypair"]["name"], "k1");
    assert!(page["keypairs_links"][0]["href"].as_str().unwrap().contains("marker=k1"));
    let shown = cloud.member.get("/v2.1/os-keypairs/k1").await.expect(200).json;
    assert_eq!(shown["keypair"]["user_id"], "user-member");
    cloud.admin.get("/v2.1/os-keypairs/k1?user_id=user-member").await.expect(200);
    cloud.member.get("/v2.1/os-keypairs/k1?user_id=user-admin").await.expect(403);
    cloud.admin.get("/v2.1/os-keypairs/k1").await.expect(404);
    cloud.member.delete("/v2.1/os-keypairs/k1").await.expect(204);
    cloud.member.delete("/v2.1/os-keypairs/k1").await.expect(404);
    old.delete("/v2.1/os-keypairs/k2").await.expect(202);
}

#[tokio::test]
async fn groups_keep_servers_apart() {
    let cloud = Cloud::new().await;
    let group = json!({"server_group": {"name": "g", "policy": "anti-affinity"}});
    let made =
        cloud.member.post("/v2.1/os-server-groups", &group).await.expect(200).json["server_group"]
            .clone();
    let id = made["id"].as_str().unwrap().to_owned();
    let ask = |name: &'static str| {
        let body = json!({
            "server": {"name": name, "flavorRef": "42", "imageRef": IMAGE, "networks": "none"},
            "os:scheduler_hints": {"group": id},
        });
        let client = cloud.member.clone();
        async move {
            let answer = client.post("/v2.1/servers", &body).await.expect(202);
            answer.json["server"]["id"].as_str().unwrap().to_owned()
        }
    };
    let (one, two, three) = (ask("a").await, ask("b").await, ask("c").await);
    let host = |id: String| {
        let cloud = &cloud;
        async move { cloud.until(&id, "ACTIVE").await["OS-EXT-SRV-ATTR:host"].clone() }
    };
    assert_ne!(host(one.clone()).await, host(two).await);
    cloud.until(&three, "ERROR").await;
    let view = cloud.show(&one).await;
    assert_eq!(view["server_groups"], json!([id]));
    assert_eq!(view["scheduler_hints"], json!({"group": [id]}));
    let shown = cloud.member.get(&format!("/v2.1/os-server-groups/{id}")).await.expect(200).json;
    assert_eq!(shown["server_group"]["members"].as_array().unwrap().len(), 3);
    let old = at(&cloud.member, "2.1")
        .get(&format!("/v2.1/os-server-groups/{id}"))
        .await
        .expect(200)
        .json;
    assert_eq!(old["server_group"]["policies"], json!(["anti-affinity"]));
    cloud
        .member
        .with_token("member@q")
        .get(&format!("/v2.1/os-server-groups/{id}"))
        .await
        .expect(404);
    cloud.member.delete(&format!("/v2.1/os-server-groups/{id}")).await.expect(204);
    cloud
        .member
        .post("/v2.1/os-server-groups", &json!({"server_group": {"name": "g", "policy": "odd"}}))
        .await
        .expect(400);
}

#[tokio::test]
async fn limits_follow_quotas_and_use() {
    let cloud = Cloud::new().await;
    cloud.server("vm").await;
    let limits =
        cloud.member.get("/v2.1/limits").await.expect(200).json["limits"]["absolute"].clone();
    assert_eq!((&limits["totalInstancesUsed"], &limits["totalRAMUsed"]), (&json!(1), &json!(192)));
    assert_eq!(limits["maxTotalInstances"], 10);
    assert!(limits.get("maxPersonality").is_none());
    let set = json!({"quota_set": {"instances": 1}});
    cloud.member.put("/v2.1/os-quota-sets/p", &set).await.expect(403);
    cloud.admin.put("/v2.1/os-quota-sets/p", &set).await.expect(200);
    cloud.ask(&cloud.member, "more", json!({})).await.expect(403);
    cloud
        .admin
        .put("/v2.1/os-quota-sets/p", &json!({"quota_set": {"instances": 0}}))
        .await
        .expect(400);
    cloud
        .admin
        .put("/v2.1/os-quota-sets/p", &json!({"quota_set": {"instances": 0, "force": true}}))
        .await
        .expect(200);
    cloud.admin.put("/v2.1/os-quota-sets/missing", &set).await.expect(400);
    cloud
        .admin
        .put("/v2.1/os-quota-sets/p", &json!({"quota_set": {"fixed_ips": 1}}))
        .await
        .expect(400);
    let detail = cloud.member.get("/v2.1/os-quota-sets/p/detail").await.expect(200).json;
    assert_eq!(detail["quota_set"]["instances"], json!({"limit": 0, "in_use": 1, "reserved": 0}));
    cloud.member.get("/v2.1/os-quota-sets/q").await.expect(403);
    cloud.admin.delete("/v2.1/os-quota-sets/p").await.expect(202);
    let class = json!({"quota_class_set": {"instances": 50}});
    cloud.admin.put("/v2.1/os-quota-class-sets/default", &class).await.expect(200);
    let shown = cloud.member.get("/v2.1/os-quota-sets/p").await.expect(200).json;
    assert_eq!(shown["quota_set"]["instances"], 50);
    assert!(shown["quota_set"].get("injected_files").is_none());
    let old = at(&cloud.member, "2.1").get("/v2.1/os-quota-sets/p/defaults").await.expect(200).json;
    assert_eq!(
        (&old["quota_set"]["fixed_ips"], &old["quota_set"]["injected_files"]),
        (&json!(-1), &json!(5))
    );
}

#[tokio::test]
async fn a_guest_learns_about_itself() {
    let cloud = Cloud::new().await;
    cloud
        .member
        .post("/v2.1/os-keypairs", &json!({"keypair": {"name": "k1", "public_key": KEY}}))
        .await
        .expect(201);
    let more = json!({
        "key_name": "k1", "user_data": "IyEvYmluL3NoCg==", "metadata": {"role": "web"},
        "config_drive": true, "hostname": "host-1", "tags": ["t"], "description": "d",
    });
    let id = cloud.server_with("vm", more).await;
    let ask = |method: &'static str, path: &'static str, body: &'static str| {
        let (nova, id) = (cloud.nova.clone(), id.clone());
        async move {
            nova.metadata(MetadataRequest {
                server: id.into(),
                source: "10.0.0.2".parse().unwrap(),
                method: method.into(),
                path: path.into(),
                body: body.into(),
            })
            .await
        }
    };
    let answer = ask("GET", "/openstack/latest/meta_data.json", "").await;
    let data: Value = serde_json::from_slice(&answer.body).unwrap();
    assert_eq!((&data["uuid"], &data["hostname"]), (&json!(id), &json!("host-1.novalocal")));
    assert_eq!((&data["meta"]["role"], &data["project_id"]), (&json!("web"), &json!("p")));
    assert_eq!(data["public_keys"]["k1"], KEY);
    assert_eq!(&ask("GET", "/latest/user-data", "").await.body[..], b"#!/bin/sh\n");
    assert_eq!(ask("GET", "/openstack/latest/none", "").await.status, 404);
    assert_eq!(ask("POST", "/openstack/latest/password", "abc").await.status, 200);
    assert_eq!(ask("POST", "/openstack/latest/password", "def").await.status, 409);
    let shown =
        cloud.member.get(&format!("/v2.1/servers/{id}/os-server-password")).await.expect(200).json;
    assert_eq!(shown["password"], "abc");
    cloud.member.delete(&format!("/v2.1/servers/{id}/os-server-password")).await.expect(204);
    let view = cloud.show(&id).await;
    assert_eq!((&view["config_drive"], &view["key_name"]), (&json!("True"), &json!("k1")));
    assert_eq!((&view["tags"], &view["description"]), (&json!(["t"]), &json!("d")));
}
