//! Who may: tokens, rules, open routes.

use std::sync::Arc;

use serde_json::{Value, json};
use stackup_contracts::Hub;
use stackup_testing::Client;
use stackup_web::dialects;

use crate::{Toy, anyone, api, member, routes};

#[tokio::test]
async fn without_a_valid_token_nothing_is_told() {
    for client in [anyone(), anyone().with_token("stale")] {
        for path in ["/things", "/things/7", "/whoami"] {
            let answer = client.get(path).await.expect(401);
            assert_eq!(answer.json["unauthorized"]["code"], 401);
            assert!(answer.header("www-authenticate").is_some());
        }
        // Neither what verbs there are, nor whether a body would do.
        client.patch("/things/7", &json!({})).await.expect(401);
        client.post("/things", &json!("wrong")).await.expect(401);
    }
}

#[tokio::test]
async fn a_rule_refuses_before_the_handler() {
    let answer = member().delete("/things/7").await.expect(403);
    let message = "Policy doesn't allow things:admin to be performed.";
    assert_eq!(answer.json["forbidden"]["message"], message);
}

#[tokio::test]
async fn a_token_of_another_scope_is_refused_whatever_its_roles() {
    for token in ["admin@system", "admin@domain", "unscoped"] {
        let client = anyone().with_token(token);
        client.delete("/things/7").await.expect(403);
    }
}

#[tokio::test]
async fn a_route_for_tokens_asks_for_no_role() {
    let answer = anyone().with_token("unscoped").get("/whoami").await;
    assert_eq!(answer.expect(200).json["project"], Value::Null);
}

#[tokio::test]
async fn an_open_route_knows_its_caller_when_there_is_one() {
    assert_eq!(anyone().get("/").await.expect(200).json["user"], Value::Null);
    let stale = anyone().with_token("stale").get("/").await;
    assert_eq!(stale.expect(200).json["user"], Value::Null);
    assert_eq!(member().get("/").await.expect(200).json["user"], "member");
}

#[tokio::test]
async fn without_keystone_the_service_is_unavailable() {
    let api = api("nova", Arc::new(dialects::Compute), Hub::default());
    let client = Client::new(api.router(&Arc::new(Toy), routes())).with_token("member@p");
    let answer = client.get("/things").await.expect(503);
    assert_eq!(answer.json["serviceUnavailable"]["code"], 503);
}
