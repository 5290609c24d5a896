//! The server, as its caller sees it.

use std::sync::Arc;

use axum::Extension;
use stackup_contracts::Hub;
use stackup_testing::{Client, StubIdentity};
use stackup_web::{Mount, dialects};

use crate::{Toy, api, member, routes};

fn mounted(mount: Mount) -> Client {
    let hub = Hub::default();
    hub.set_identity(Arc::new(StubIdentity));
    let router = api("nova", Arc::new(dialects::Compute), hub).router(&Arc::new(Toy), routes());
    Client::new(router.layer(Extension(mount))).with_token("member@p")
}

async fn urls(client: &Client) -> (String, String) {
    let answer = client.get("/whoami").await.expect(200);
    let text = |key: &str| answer.json[key].as_str().unwrap().to_owned();
    (text("base_url"), text("self_url"))
}

#[tokio::test]
async fn from_the_host_header() {
    let (base, own) = urls(&member()).await;
    assert_eq!(base, "http://cloud.test");
    assert_eq!(own, "http://cloud.test");
}

#[tokio::test]
async fn below_a_prefix() {
    let client = mounted(Mount { prefix: "/compute".into(), ..Mount::default() });
    let (base, own) = urls(&client).await;
    assert_eq!(base, "http://cloud.test");
    assert_eq!(own, "http://cloud.test/compute");
}

#[tokio::test]
async fn on_a_port_of_its_own() {
    let mount = Mount { main_port: Some(8080), tls: true, ..Mount::default() };
    let client = mounted(mount).with_header("host", "[fd00::1]:8774");
    let (base, own) = urls(&client).await;
    assert_eq!(base, "https://[fd00::1]:8080");
    assert_eq!(own, "https://[fd00::1]:8774");
}

#[tokio::test]
async fn behind_a_proxy() {
    let client = member()
        .with_header("x-forwarded-proto", "https")
        .with_header("x-forwarded-host", "cloud.example");
    assert_eq!(urls(&client).await.0, "https://cloud.example");
}

#[tokio::test]
async fn every_answer_has_the_request_id_that_the_handler_saw() {
    let answer = member().get("/whoami").await.expect(200);
    let seen = answer.json["request_id"].as_str();
    assert!(seen.is_some_and(|id| id.starts_with("req-")));
    assert_eq!(answer.header("x-openstack-request-id"), seen);
    assert_eq!(answer.header("x-compute-request-id"), seen);
    let another = member().get("/whoami").await.expect(200);
    assert_ne!(another.json["request_id"].as_str(), seen);
}
