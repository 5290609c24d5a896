//! Regions, services, endpoints, and the catalog.

use serde_json::json;

use super::{Cloud, golden, ids};

#[tokio::test]
async fn the_catalog_follows_the_caller() {
    let cloud = Cloud::new().await;
    let demo = cloud.user_on("demo", "demo").await;
    let catalog = demo.get("/v3/auth/catalog").await.expect(200);
    golden("catalog", &catalog.json);
    let elsewhere = demo.with_header("host", "10.0.0.7:8080").get("/v3/auth/catalog").await;
    let text = elsewhere.expect(200).json.to_string();
    assert!(text.contains("http://10.0.0.7:8080/compute/v2.1") && !text.contains("cloud.test"));
    let forwarded = demo.with_header("x-forwarded-proto", "https").get("/v3/auth/catalog").await;
    assert!(forwarded.expect(200).json.to_string().contains("https://cloud.test/compute/v2.1"));
    // Without a project there is no address for its containers.
    let system = cloud.client_of("system_reader", json!({"system": {"all": true}})).await;
    let catalog = system.get("/v3/auth/catalog").await.expect(200).json;
    let swift = catalog["catalog"].as_array().unwrap().iter().find(|s| s["name"] == "swift");
    assert_eq!(swift.unwrap()["endpoints"], json!([]));
}

#[tokio::test]
async fn endpoints_of_users_are_kept_as_written() {
    let cloud = Cloud::new().await;
    let service = json!({"service": {"type": "poetry", "name": "rhyme", "description": "d"}});
    let service = cloud.admin.post("/v3/services", &service).await.expect(201);
    golden("service", &service.json);
    let service = service.json["service"]["id"].as_str().unwrap();
    let url = "http://poems.example/v1/$(project_id)s";
    let body = json!({"endpoint": {
        "service_id": service, "interface": "internal", "region": "North", "url": url,
    }});
    let made = cloud.admin.post("/v3/endpoints", &body).await.expect(201);
    golden("endpoint", &made.json);
    let id = made.json["endpoint"]["id"].as_str().unwrap();
    let project = cloud.id_of("projects", "admin").await;
    let catalog = cloud.admin.get("/v3/auth/catalog").await.expect(200).json.to_string();
    assert!(catalog.contains(&format!("http://poems.example/v1/{project}")));
    let found = cloud.admin.get("/v3/endpoints?interface=internal").await.expect(200);
    assert_eq!(ids(&found, "endpoints"), [id]);
    let path = format!("/v3/endpoints/{id}");
    cloud.admin.patch(&path, &json!({"endpoint": {"enabled": false}})).await.expect(200);
    let catalog = cloud.admin.get("/v3/auth/catalog").await.expect(200).json.to_string();
    assert!(!catalog.contains("poems.example"));
    cloud.admin.delete("/v3/regions/North").await.expect(403);
    cloud.admin.delete(&format!("/v3/services/{service}")).await.expect(204);
    cloud.admin.get(&path).await.expect(404);
    cloud.admin.delete("/v3/regions/North").await.expect(204);
}

#[tokio::test]
async fn bad_endpoints() {
    let cloud = Cloud::new().await;
    let service = cloud.id_of("services", "nova").await;
    for fields in [
        json!({}),
        json!({"service_id": service, "interface": "public"}),
        json!({"service_id": service, "interface": "secret", "url": "http://x"}),
        json!({"service_id": "gone", "interface": "public", "url": "http://x"}),
        json!({"service_id": service, "interface": "public", "url": "/compute"}),
        json!({"service_id": service, "interface": "public", "url": "http://x/$(nothing)s"}),
        json!({"service_id": service, "interface": "public", "url": "http://x", "enabled": "False"}),
    ] {
        cloud.admin.post("/v3/endpoints", &json!({ "endpoint": fields })).await.expect(400);
    }
    let demo = cloud.user_on("demo", "demo").await;
    demo.get("/v3/endpoints").await.expect(403);
    demo.get("/v3/services").await.expect(403);
    demo.get("/v3/regions").await.expect(200);
}

#[tokio::test]
async fn regions() {
    let cloud = Cloud::new().await;
    let made = cloud.admin.put("/v3/regions/North", &json!({"region": {}})).await.expect(201);
    golden("region", &made.json);
    let child = json!({"region": {"id": "Village", "parent_region_id": "North"}});
    cloud.admin.post("/v3/regions", &child).await.expect(201);
    cloud.admin.post("/v3/regions", &child).await.expect(409);
    let below = json!({"region": {"parent_region_id": "Village"}});
    cloud.admin.patch("/v3/regions/North", &below).await.expect(400);
    let orphan = json!({"region": {"parent_region_id": "gone"}});
    cloud.admin.post("/v3/regions", &orphan).await.expect(404);
    let found = cloud.admin.get("/v3/regions?parent_region_id=North").await.expect(200);
    assert_eq!(ids(&found, "regions"), ["Village"]);
    cloud.admin.delete("/v3/regions/North").await.expect(204);
    cloud.admin.get("/v3/regions/Village").await.expect(404);
    cloud.admin.delete("/v3/regions/RegionOne").await.expect(403);
}

#[tokio::test]
async fn policies_are_kept_as_they_are() {
    let cloud = Cloud::new().await;
    let body = json!({"policy": {"type": "application/json", "blob": "{\"a\": 1}", "note": "n"}});
    let made = cloud.admin.post("/v3/policies", &body).await.expect(201);
    golden("policy", &made.json);
    let path = format!("/v3/policies/{}", made.json["policy"]["id"].as_str().unwrap());
    let change = json!({"policy": {"blob": {"b": 2}}});
    let changed = cloud.admin.patch(&path, &change).await.expect(200).json;
    assert_eq!(changed["policy"]["blob"], json!({"b": 2}));
    assert_eq!(changed["policy"]["type"], "application/json");
    cloud.admin.post("/v3/policies", &json!({"policy": {"type": "t"}})).await.expect(400);
    cloud.admin.delete(&path).await.expect(204);
    cloud.admin.get(&path).await.expect(404);
}
