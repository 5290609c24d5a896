//! Which row answers: by verb, version and action.

use http::Method;
use serde_json::json;

use crate::{admin, member};

#[tokio::test]
async fn the_verb_chooses() {
    let client = admin();
    assert_eq!(client.get("/things/7").await.expect(200).json["id"], "7");
    client.delete("/things/7").await.expect(204);
}

#[tokio::test]
async fn a_verb_that_no_row_has_is_405_and_names_those_that_are() {
    let answer = admin().patch("/things/7", &json!({})).await.expect(405);
    assert_eq!(answer.header("allow"), Some("DELETE, GET, PUT"));
    assert_eq!(answer.json["badMethod"]["code"], 405);
}

#[tokio::test]
async fn a_path_that_no_row_has_is_404_in_the_dialect() {
    let answer = admin().get("/nothing/here").await.expect(404);
    assert_eq!(answer.json["itemNotFound"]["code"], 404);
    assert!(answer.header("x-openstack-request-id").is_some());
}

#[tokio::test]
async fn a_row_ends_with_its_window() {
    let at = |version: &str| member().with_header("x-openstack-nova-api-version", version);
    at("2.3").put("/things/7", &json!({})).await.expect(204);
    at("2.4").put("/things/7", &json!({})).await.expect(404);
}

#[tokio::test]
async fn the_version_chooses_between_two_rows() {
    let at = |version: &str| member().with_header("x-openstack-nova-api-version", version);
    let old = at("2.4").get("/things/7").await.expect(200);
    assert!(old.json.get("more").is_none());
    let new = at("2.5").get("/things/7").await.expect(200);
    assert_eq!(new.json["more"], true);
}

#[tokio::test]
async fn the_key_of_the_body_chooses_an_action() {
    let body = json!({"grow": {"by": 3}});
    let answer = member().post("/things/7/action", &body).await.expect(200);
    assert_eq!(answer.json, json!({"id": "7", "by": 3}));
}

#[tokio::test]
async fn an_action_has_its_own_rule() {
    let body = json!({"shrink": null});
    let at =
        |client: stackup_testing::Client| client.with_header("x-openstack-nova-api-version", "2.5");
    at(member()).post("/things/7/action", &body).await.expect(403);
    at(admin()).post("/things/7/action", &body).await.expect(202);
}

#[tokio::test]
async fn an_action_of_another_version_is_404_and_one_that_never_was_400() {
    let client = admin();
    let path = "/things/7/action";
    client.post(path, &json!({"shrink": null})).await.expect(404);
    let unknown = client.post(path, &json!({"paint": null})).await.expect(400);
    let message = unknown.json["badRequest"]["message"].as_str().unwrap();
    assert!(message.contains("paint"), "{message}");
    client.post(path, &json!({})).await.expect(400);
    client.post(path, &json!(["grow"])).await.expect(400);
    let broken = axum::body::Body::from("{");
    client.send(Method::POST, path, broken).await.expect(400);
    let nothing = axum::body::Body::empty();
    client.send(Method::POST, path, nothing).await.expect(400);
}

#[tokio::test]
async fn head_is_get_without_its_body() {
    let head = member();
    let whole = head.get("/things/7").await.expect(200);
    let none = axum::body::Body::empty();
    let bare = head.send(Method::HEAD, "/things/7", none).await.expect(200);
    assert!(bare.bytes.is_empty());
    let length = whole.bytes.len().to_string();
    assert_eq!(bare.header("content-length"), Some(length.as_str()));
    assert_eq!(bare.header("content-type"), Some("application/json"));
}
