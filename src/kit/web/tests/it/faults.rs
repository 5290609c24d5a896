//! One fault, in every dialect.

use serde_json::{Value, json};
use stackup_testing::{Answer, Client};
use stackup_web::dialects;

use crate::{anyone, in_dialect};

async fn bodies(client: &Client, status: u16) -> Value {
    let answer = client.get(&format!("/fault/{status}")).await;
    let answer = answer.expect(status);
    assert_eq!(answer.header("content-type"), Some("application/json"));
    answer.json
}

#[tokio::test]
async fn nova_keys_them_by_status() {
    let client = anyone();
    let keys = [
        (400, "badRequest"),
        (401, "unauthorized"),
        (403, "forbidden"),
        (404, "itemNotFound"),
        (405, "badMethod"),
        (409, "conflictingRequest"),
        (415, "badMediaType"),
        (500, "computeFault"),
        (501, "notImplemented"),
        (503, "serviceUnavailable"),
    ];
    for (status, key) in keys {
        let body = bodies(&client, status).await;
        assert_eq!(body, json!({key: {"code": status, "message": "a <message>"}}));
    }
    let full = bodies(&client, 413).await;
    assert_eq!(full["overLimit"]["retryAfter"], "7");
}

#[tokio::test]
async fn keystone_has_one_key_and_a_title() {
    let client = in_dialect("keystone", dialects::Keystone);
    let expected = json!({"code": 409, "message": "a <message>", "title": "Conflict"});
    assert_eq!(bodies(&client, 409).await, json!({"error": expected}));
}

#[tokio::test]
async fn neutron_names_the_type() {
    let client = in_dialect("neutron", dialects::Neutron);
    let error = |kind: &str| json!({"NeutronError": {"type": kind, "message": "a <message>", "detail": ""}});
    assert_eq!(bodies(&client, 404).await, error("HTTPNotFound"));
    let named = client.get("/fault/409?name=IpAddressInUse").await;
    assert_eq!(named.expect(409).json, error("IpAddressInUse"));
}

#[tokio::test]
async fn placement_lists_errors_with_the_request_id() {
    let client = in_dialect("placement", dialects::Placement);
    let answer = client.get("/fault/409?name=placement.concurrent_update").await;
    let answer = answer.expect(409);
    let error = &answer.json["errors"][0];
    assert_eq!(error["status"], 409);
    assert_eq!(error["title"], "Conflict");
    assert_eq!(error["code"], "placement.concurrent_update");
    assert_eq!(error["request_id"].as_str(), answer.header("x-openstack-request-id"));
    let detail = error["detail"].as_str().unwrap();
    assert!(detail.ends_with("\n\n a <message>  "), "{detail:?}");
}

#[tokio::test]
async fn glance_writes_a_page_and_escapes() {
    let client = in_dialect("glance", dialects::Glance);
    let answer = client.get("/fault/404").await.expect(404);
    let kind = Some("text/html; charset=UTF-8");
    assert_eq!(answer.header("content-type"), kind);
    let page = String::from_utf8(answer.bytes).unwrap();
    assert!(page.contains("<title>404 Not Found</title>"), "{page}");
    assert!(page.contains("a &lt;message&gt;"), "{page}");
}

#[tokio::test]
async fn every_body_has_its_own_length() {
    for client in
        [anyone(), in_dialect("neutron", dialects::Neutron), in_dialect("glance", dialects::Glance)]
    {
        let answer = client.get("/fault/404").await.expect(404);
        let length = answer.bytes.len().to_string();
        assert_eq!(answer.header("content-length"), Some(length.as_str()));
    }
}

#[tokio::test]
async fn headers_of_a_fault_are_sent() {
    let answer: Answer = anyone().get("/fault/503").await.expect(503);
    assert_eq!(answer.header("retry-after"), Some("7"));
}

#[tokio::test]
async fn a_panic_is_a_500_that_tells_nothing() {
    let answer = anyone().get("/panic").await.expect(500);
    assert_eq!(answer.json["computeFault"]["code"], 500);
    let text = String::from_utf8(answer.bytes.clone()).unwrap();
    assert!(!text.contains("on purpose"), "{text}");
    assert!(answer.header("x-openstack-request-id").is_some());
}
