//! Unified limits.

use serde_json::{Value, json};

use super::{Cloud, golden, ids};

#[tokio::test]
async fn a_limit_is_an_exception_to_a_registered_one() {
    let cloud = Cloud::new().await;
    let service = cloud.id_of("services", "nova").await;
    let project = cloud.id_of("projects", "demo").await;
    let registered =
        json!({"service_id": service, "resource_name": "servers", "default_limit": 10});
    let body = json!({"registered_limits": [registered]});
    let made = cloud.admin.post("/v3/registered_limits", &body).await.expect(201);
    golden("registered_limits", &made.json);
    cloud.admin.post("/v3/registered_limits", &body).await.expect(409);
    let limit = |more: Value| {
        let mut fields =
            json!({"service_id": service, "resource_name": "servers", "resource_limit": 3});
        for (key, value) in more.as_object().unwrap() {
            fields[key] = value.clone();
        }
        json!({"limits": [fields]})
    };
    let own = limit(json!({"project_id": project}));
    let one = cloud.admin.post("/v3/limits", &own).await.expect(201);
    golden("limits", &one.json);
    cloud.admin.post("/v3/limits", &own).await.expect(409);
    cloud.admin.post("/v3/limits", &limit(json!({}))).await.expect(400);
    let unknown = limit(json!({"project_id": project, "resource_name": "poems"}));
    cloud.admin.post("/v3/limits", &unknown).await.expect(403);
    let id = one.json["limits"][0]["id"].as_str().unwrap();
    let path = format!("/v3/limits/{id}");
    let change = json!({"limit": {"resource_limit": 5}});
    let changed = cloud.admin.patch(&path, &change).await.expect(200).json;
    assert_eq!(changed["limit"]["resource_limit"], 5);
    let demo = cloud.user_on("demo", "demo").await;
    demo.get(&path).await.expect(200);
    assert_eq!(ids(&demo.get("/v3/limits").await.expect(200), "limits"), [id]);
    let other = cloud.user_on("alt_demo_member", "alt_demo").await;
    other.get(&path).await.expect(403);
    assert!(ids(&other.get("/v3/limits").await.expect(200), "limits").is_empty());
    other.patch(&path, &change).await.expect(403);
    let registered = made.json["registered_limits"][0]["id"].as_str().unwrap();
    let registered = format!("/v3/registered_limits/{registered}");
    cloud.admin.delete(&registered).await.expect(403);
    cloud.admin.delete(&path).await.expect(204);
    cloud.admin.delete(&registered).await.expect(204);
    cloud.admin.get(&registered).await.expect(404);
    let model = demo.get("/v3/limits/model").await.expect(200).json;
    assert_eq!(model["model"]["name"], "flat");
}
