//! Versions, extensions, bodies, tokens.

use serde_json::{Value, json};

use crate::{Cloud, Refusal, id, network};

#[tokio::test]
async fn versions_and_extensions() {
    let cloud = Cloud::new().await;
    let versions = cloud.demo.with_token("nobody").get("/").await.expect(200).json;
    assert_eq!(versions["versions"][0]["id"], "v2.0");
    assert_eq!(versions["versions"][0]["links"][0]["href"], "http://cloud.test/v2.0/");
    let extensions = cloud.demo.get("/v2.0/extensions").await.expect(200).json;
    let aliases: Vec<&str> = extensions["extensions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|extension| extension["alias"].as_str().unwrap())
        .collect();
    assert!(aliases.contains(&"router") && !aliases.contains(&"qos"));
    let one = cloud.demo.get("/v2.0/extensions/router").await.expect(200).json;
    assert_eq!(one["extension"]["alias"], "router");
    cloud.demo.get("/v2.0/extensions/qos").await.refused(404, "ExtensionNotFound");
    cloud.demo.get("/v2.0/").await.expect(200);
    cloud.demo.get("/v2.0/nothing").await.expect(404);
}

#[tokio::test]
async fn tokens() {
    let cloud = Cloud::new().await;
    cloud.demo.with_token("bad").get("/v2.0/networks").await.expect(401);
    let reader = cloud.demo.with_token("reader@demo");
    reader.get("/v2.0/networks").await.expect(200);
    let body = json!({"network": {"name": "n"}});
    reader.post("/v2.0/networks", &body).await.refused(403, "PolicyNotAuthorized");
    cloud.demo.with_token("unscoped").get("/v2.0/networks").await.expect(403);
}

#[tokio::test]
async fn bodies_that_are_none() {
    let cloud = Cloud::new().await;
    let post = async |body: Value| cloud.demo.post("/v2.0/networks", &body).await;
    let message = post(json!({"net": {}})).await.refused(400, "HTTPBadRequest");
    assert_eq!(message, "Unable to find 'network' in request body");
    let message = post(json!({"network": {"nme": "n"}})).await.refused(400, "HTTPBadRequest");
    assert_eq!(message, "Unrecognized attribute(s) 'nme'");
    let message = post(json!({"network": {"status": "x"}})).await.refused(400, "HTTPBadRequest");
    assert_eq!(message, "Attribute 'status' not allowed in POST");
    let message = post(json!({"network": {"name": 5}})).await.refused(400, "HTTPBadRequest");
    assert_eq!(message, "Invalid input for name. Reason: '5' is not a valid string.");
    post(json!([])).await.refused(400, "HTTPBadRequest");
    post(json!({"networks": []})).await.refused(400, "HTTPBadRequest");
    let broken = cloud.demo.send(http::Method::POST, "/v2.0/networks", "{".into()).await;
    broken.refused(400, "HTTPBadRequest");
    let body = json!({"subnet": {"cidr": "10.0.0.0/24"}});
    let message = cloud.demo.post("/v2.0/subnets", &body).await.refused(400, "HTTPBadRequest");
    assert_eq!(message, "Failed to parse request. Required attribute 'network_id' not specified");
    let net = network(&cloud.demo, "n").await;
    let path = format!("/v2.0/networks/{}", id(&net));
    let body = json!({"network": {"id": "x"}});
    let message = cloud.demo.put(&path, &body).await.refused(400, "HTTPBadRequest");
    assert_eq!(message, "Cannot update read-only attribute id");
}
