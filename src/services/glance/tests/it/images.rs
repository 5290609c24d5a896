//! Create, show, change, delete.

use serde_json::{Value, json};
use stackup_testing::golden;

use crate::*;

const ABSENT: &str = "/v2/images/11111111-2222-4333-8444-555555555555";

#[tokio::test]
async fn a_life() {
    let cloud = cloud().await;
    let member = cloud.member();
    let body = json!({
        "name": "ubuntu", "disk_format": "raw", "container_format": "bare",
        "min_disk": 1, "min_ram": 64, "tags": ["b", "a"], "hw_disk_bus": "virtio",
    });
    let made = member.post("/v2/images", &body).await.expect(201);
    golden("tests/it/golden/image_queued.json", &made.json);
    assert_eq!(made.header("openstack-image-import-methods"), Some("glance-direct,web-download"));
    assert_eq!(made.header("openstack-image-store-ids"), Some("file"));
    let id = id(&made.json);
    let place = format!("http://cloud.test/v2/images/{id}");
    assert_eq!(made.header("location"), Some(place.as_str()));
    upload(&member, &id, b"0123456789").await.expect(204);
    golden("tests/it/golden/image_active.json", &show(&member, &id).await);
    member.delete(&format!("/v2/images/{id}")).await.expect(204);
    member.get(&format!("/v2/images/{id}")).await.expect(404);
    member.delete(&format!("/v2/images/{id}")).await.expect(404);
    assert!(cloud.files("images").is_empty());
}

#[tokio::test]
async fn wrong_bodies_are_refused() {
    let cloud = cloud().await;
    let member = cloud.member();
    for (body, status) in [
        (json!([]), 400),
        (json!({"name": 5}), 400),
        (json!({"name": "x".repeat(256)}), 400),
        (json!({"disk_format": "floppy"}), 400),
        (json!({"container_format": "wrong"}), 400),
        (json!({"visibility": "secret"}), 400),
        (json!({"id": "not-a-uuid"}), 400),
        (json!({"min_ram": -1}), 400),
        (json!({"colour": 5}), 400),
        (json!({"tags": "x"}), 400),
        (json!({"x".repeat(256): "y"}), 400),
        (json!({"status": "active"}), 403),
        (json!({"locations": []}), 403),
        (json!({"deleted": "x"}), 403),
        (json!({"os_glance_x": "x"}), 403),
        (json!({"owner": "q"}), 403),
        (json!({"visibility": "public"}), 403),
    ] {
        let answer = member.post("/v2/images", &body).await;
        assert_eq!(answer.status, status, "{body}");
        let text = String::from_utf8(answer.bytes).unwrap();
        assert!(text.starts_with("<html>"), "{text}");
    }
    let broken = member.with_header("content-type", "application/json");
    let broken = broken.send(Method::POST, "/v2/images", Body::from("{")).await;
    assert_eq!(broken.status, 400);
    assert!(member.get("/v2/images").await.json["images"].as_array().unwrap().is_empty());
}

#[tokio::test]
async fn an_id_may_be_chosen_once() {
    let cloud = cloud().await;
    let body = json!({"id": "11111111-2222-4333-8444-555555555555"});
    cloud.member().post("/v2/images", &body).await.expect(201);
    cloud.as_("member@q").post("/v2/images", &body).await.expect(409);
}

#[tokio::test]
async fn whoever_has_no_token_or_role_gets_nowhere() {
    let cloud = cloud().await;
    let id = queued(&cloud.member()).await;
    let own = format!("/v2/images/{id}");
    cloud.nobody.get("/v2/images").await.expect(401);
    cloud.nobody.get(&own).await.expect(401);
    cloud.as_("bogus").get("/v2/images").await.expect(401);
    let reader = cloud.as_("reader@p");
    reader.get(&own).await.expect(200);
    reader.delete(&own).await.expect(403);
    reader.post("/v2/images", &json!({})).await.expect(403);
    upload(&reader, &id, b"x").await.expect(403);
    patch(&reader, &id, json!([])).await.expect(403);
    reader.get(&format!("{own}/file")).await.expect(403);
}

#[tokio::test]
async fn other_projects_images_are_not_there() {
    let cloud = cloud().await;
    let id = queued(&cloud.member()).await;
    let own = format!("/v2/images/{id}");
    let other = cloud.as_("member@q");
    other.get(&own).await.expect(404);
    other.delete(&own).await.expect(404);
    patch(&other, &id, json!([{"op": "replace", "path": "/name", "value": "x"}])).await.expect(404);
    upload(&other, &id, b"x").await.expect(404);
    other.get(&format!("{own}/file")).await.expect(404);
    other.get(&format!("{own}/members")).await.expect(404);
    other.send(Method::PUT, &format!("{own}/tags/x"), Body::empty()).await.expect(404);
    other.post(&format!("{own}/actions/deactivate"), &json!({})).await.expect(404);
    cloud.admin().get(&own).await.expect(200);
    for absent in [ABSENT, "/v2/images/nonsense"] {
        cloud.member().get(absent).await.expect(404);
        cloud.member().delete(absent).await.expect(404);
    }
}

#[tokio::test]
async fn patches() {
    let cloud = cloud().await;
    let member = cloud.member();
    let id = queued(&member).await;
    let changes = json!([
        {"op": "replace", "path": "/name", "value": "new"},
        {"op": "add", "path": "/os_distro", "value": "debian"},
        {"op": "add", "path": "/tags", "value": ["x"]},
        {"op": "replace", "path": "/disk_format", "value": "qcow2"},
        {"op": "replace", "path": "/visibility", "value": "private"},
    ]);
    let view = patch(&member, &id, changes).await.expect(200).json;
    assert_eq!(view["os_distro"], "debian");
    assert_eq!(view["visibility"], "private");
    assert_eq!(view, show(&member, &id).await);
    let removed = patch(&member, &id, json!([{"op": "remove", "path": "/os_distro"}])).await;
    assert_eq!(removed.expect(200).json.get("os_distro"), None);
    let one = |op: &str, path: &str, value: &str| json!([{"op": op, "path": path, "value": value}]);
    patch(&member, &id, one("replace", "/absent", "x")).await.expect(409);
    patch(&member, &id, one("remove", "/name", "")).await.expect(403);
    patch(&member, &id, one("replace", "/owner", "q")).await.expect(403);
    patch(&member, &id, one("replace", "/visibility", "public")).await.expect(403);
    patch(&member, &id, one("replace", "/visibility", "secret")).await.expect(400);
    patch(&member, &id, json!([{"op": "replace", "path": "/locations", "value": []}]))
        .await
        .expect(403);
    patch(&member, &id, json!({})).await.expect(400);
    let plain = member.patch(&format!("/v2/images/{id}"), &json!([])).await.expect(415);
    assert!(plain.header("accept-patch").unwrap().contains("v2.1-json-patch"));
    // A change that fails changes nothing.
    let half = json!([
        {"op": "replace", "path": "/name", "value": "half"},
        {"op": "remove", "path": "/absent"},
    ]);
    patch(&member, &id, half).await.expect(409);
    assert_eq!(show(&member, &id).await["name"], "new");
    let public = one("replace", "/visibility", "public");
    patch(&cloud.admin(), &id, public).await.expect(200);
    let given = one("replace", "/owner", "q");
    assert_eq!(patch(&cloud.admin(), &id, given).await.expect(200).json["owner"], "q");
}

#[tokio::test]
async fn the_format_of_data_that_is_there_is_fixed() {
    let cloud = cloud().await;
    let member = cloud.member();
    let id = active(&member, json!({})).await;
    let change = json!([{"op": "replace", "path": "/disk_format", "value": "qcow2"}]);
    patch(&member, &id, change).await.expect(403);
}

#[tokio::test]
async fn protected_images_stay() {
    let cloud = cloud().await;
    let member = cloud.member();
    let id = active(&member, json!({"protected": true})).await;
    let own = format!("/v2/images/{id}");
    member.delete(&own).await.expect(403);
    cloud.admin().delete(&own).await.expect(403);
    let change = json!([{"op": "replace", "path": "/protected", "value": false}]);
    patch(&member, &id, change).await.expect(200);
    member.delete(&own).await.expect(204);
}

#[tokio::test]
async fn tags() {
    let cloud = cloud().await;
    let member = cloud.member();
    let id = queued(&member).await;
    let tag = |name: &str| format!("/v2/images/{id}/tags/{name}");
    let put = |path: String| {
        let member = member.clone();
        async move { member.send(Method::PUT, &path, Body::empty()).await }
    };
    put(tag("a")).await.expect(204);
    put(tag("a")).await.expect(204);
    put(tag("b%20c")).await.expect(204);
    put(tag(&"x".repeat(256))).await.expect(400);
    assert_eq!(show(&member, &id).await["tags"], json!(["a", "b c"]));
    member.delete(&tag("a")).await.expect(204);
    member.delete(&tag("a")).await.expect(404);
}

#[tokio::test]
async fn deactivated_images_are_closed_to_all_but_administrators() {
    let cloud = cloud().await;
    let member = cloud.member();
    let id = active(&member, json!({})).await;
    let own = format!("/v2/images/{id}");
    let act = |verb: &str| format!("{own}/actions/{verb}");
    member.post(&act("deactivate"), &json!({})).await.expect(204);
    member.post(&act("deactivate"), &json!({})).await.expect(204);
    assert_eq!(show(&member, &id).await["status"], "deactivated");
    member.get(&format!("{own}/file")).await.expect(403);
    cloud.admin().get(&format!("{own}/file")).await.expect(200);
    member.post(&act("reactivate"), &json!({})).await.expect(204);
    member.get(&format!("{own}/file")).await.expect(200);
    let empty = queued(&member).await;
    let path = format!("/v2/images/{empty}/actions/deactivate");
    member.post(&path, &json!({})).await.expect(403);
}

#[tokio::test]
async fn limits_on_one_image() {
    let cloud = cloud_with(|config, _| {
        config.limits.tags = 1;
        config.limits.properties = 1;
        config.limits.image_count_total = 2;
    })
    .await;
    let member = cloud.member();
    member.post("/v2/images", &json!({"tags": ["a", "b"]})).await.expect(413);
    member.post("/v2/images", &json!({"a": "1", "b": "2"})).await.expect(413);
    let id = queued(&member).await;
    let change = json!([{"op": "add", "path": "/tags", "value": ["a", "b"]}]);
    patch(&member, &id, change).await.expect(413);
    queued(&member).await;
    member.post("/v2/images", &json!({})).await.expect(413);
    queued(&cloud.as_("member@q")).await;
    let usage = member.get("/v2/info/usage").await.expect(200).json;
    assert_eq!(usage["usage"]["image_count_total"], json!({"usage": 2, "limit": 2}));
}

#[tokio::test]
async fn documents() {
    let cloud = cloud().await;
    let versions = cloud.nobody.get("/").await.expect(300).json;
    assert_eq!(versions["versions"][0]["id"], "v2.18");
    assert_eq!(versions["versions"][18]["links"][0]["href"], "http://cloud.test/v2/");
    cloud.nobody.get("/versions").await.expect(200);
    let member = cloud.member();
    let schema = member.get("/v2/schemas/image").await.expect(200).json;
    assert!(
        schema["properties"]["disk_format"]["enum"].as_array().unwrap().contains(&json!("qcow2"))
    );
    for name in ["images", "member", "members", "task", "tasks", "metadefs/namespace"] {
        let schema = member.get(&format!("/v2/schemas/{name}")).await.expect(200).json;
        assert!(schema["name"].is_string(), "{name}");
    }
    let methods = member.get("/v2/info/import").await.expect(200).json;
    assert_eq!(methods["import-methods"]["value"], json!(["glance-direct", "web-download"]));
    let stores = member.get("/v2/info/stores").await.expect(200).json;
    assert_eq!(stores["stores"][0]["id"], "file");
    member.get("/v2/info/stores/detail").await.expect(403);
    cloud.admin().get("/v2/info/stores/detail").await.expect(200);
    let absent: Value = member.get("/v2/cache").await.expect(404).json;
    assert!(absent.is_null());
}
