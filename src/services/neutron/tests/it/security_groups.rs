//! Security groups.

use serde_json::{Value, json};
use stackup_testing::golden;

use crate::{Cloud, Refusal, id, make, network, port};

#[tokio::test]
async fn every_project_has_a_default_group() {
    let cloud = Cloud::new().await;
    let all = cloud.demo.get("/v2.0/security-groups").await.expect(200).json;
    let group = &all["security_groups"][0];
    golden(
        concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/golden/security_group_default.json"),
        &by_rule(group.clone()),
    );
    let path = format!("/v2.0/security-groups/{}", id(group));
    cloud.demo.delete(&path).await.refused(409, "SecurityGroupCannotRemoveDefault");
    let body = json!({"security_group": {"name": "x"}});
    cloud.demo.put(&path, &body).await.refused(409, "SecurityGroupCannotUpdateDefault");
    let body = json!({"security_group": {"name": "default"}});
    let second = cloud.demo.post("/v2.0/security-groups", &body).await;
    second.refused(409, "SecurityGroupDefaultAlreadyExists");
}

/// The rules in an order that does not hang on their ids.
fn by_rule(mut group: Value) -> Value {
    if let Some(rules) = group["security_group_rules"].as_array_mut() {
        rules.sort_by_key(|rule| format!("{}{}", rule["direction"], rule["ethertype"]));
    }
    group
}

#[tokio::test]
async fn groups_and_rules_live() {
    let cloud = Cloud::new().await;
    let group =
        make(&cloud.demo, "security-groups", "security_group", json!({"name": "web"})).await;
    assert_eq!(group["security_group_rules"].as_array().map(Vec::len), Some(2));
    let rule = json!({"security_group_id": group["id"], "direction": "ingress",
        "protocol": "tcp", "port_range_min": 80, "port_range_max": 80,
        "remote_ip_prefix": "0.0.0.0/0"});
    let made = make(&cloud.demo, "security-group-rules", "security_group_rule", rule.clone()).await;
    golden(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/golden/security_group_rule.json"), &made);
    let body = json!({"security_group_rule": rule});
    let again = cloud.demo.post("/v2.0/security-group-rules", &body).await;
    again.refused(409, "SecurityGroupRuleExists");
    let path = format!("/v2.0/security-group-rules/{}", id(&made));
    cloud.other().get(&path).await.refused(404, "SecurityGroupRuleNotFound");
    cloud.demo.delete(&path).await.expect(204);
    cloud.demo.get(&path).await.expect(404);
    let path = format!("/v2.0/security-groups/{}", id(&group));
    let body = json!({"security_group": {"name": "w", "description": "d"}});
    cloud.demo.put(&path, &body).await.expect(200);
    let net = network(&cloud.demo, "n").await;
    let fields = json!({"network_id": net["id"], "security_groups": [group["id"]]});
    let held = make(&cloud.demo, "ports", "port", fields).await;
    cloud.demo.delete(&path).await.refused(409, "SecurityGroupInUse");
    cloud.demo.delete(&format!("/v2.0/ports/{}", id(&held))).await.expect(204);
    cloud.demo.delete(&path).await.expect(204);
    cloud.demo.get(&path).await.refused(404, "SecurityGroupNotFound");
}

#[tokio::test]
async fn rules_of_foreign_groups() {
    let cloud = Cloud::new().await;
    let group =
        make(&cloud.demo, "security-groups", "security_group", json!({"name": "web"})).await;
    let rule = json!({"security_group_rule": {"security_group_id": group["id"],
        "direction": "ingress"}});
    let foreign = cloud.other().post("/v2.0/security-group-rules", &rule).await;
    foreign.refused(404, "SecurityGroupNotFound");
    let reader = cloud.demo.with_token("reader@demo");
    reader.post("/v2.0/security-group-rules", &rule).await.refused(403, "PolicyNotAuthorized");
    let wrong = json!({"security_group_rule": {"security_group_id": group["id"],
        "direction": "ingress", "protocol": "nonsense"}});
    let answer = cloud.demo.post("/v2.0/security-group-rules", &wrong).await;
    answer.refused(400, "SecurityGroupRuleInvalidProtocol");
}

#[tokio::test]
async fn what_new_groups_begin_with() {
    let cloud = Cloud::new().await;
    let all = cloud.demo.get("/v2.0/default-security-group-rules").await.expect(200).json;
    assert_eq!(all["default_security_group_rules"].as_array().map(Vec::len), Some(4));
    let rule = json!({"direction": "ingress", "protocol": "tcp", "port_range_min": 22,
        "port_range_max": 22, "used_in_default_sg": false, "used_in_non_default_sg": true});
    let body = json!({"default_security_group_rule": rule});
    cloud.demo.post("/v2.0/default-security-group-rules", &body).await.expect(403);
    cloud.admin.post("/v2.0/default-security-group-rules", &body).await.expect(201);
    let group =
        make(&cloud.demo, "security-groups", "security_group", json!({"name": "web"})).await;
    assert_eq!(group["security_group_rules"].as_array().map(Vec::len), Some(3));
}

#[tokio::test]
async fn the_dataplane_gets_the_groups_in_use() {
    let cloud = Cloud::new().await;
    let net = network(&cloud.demo, "n").await;
    make(&cloud.demo, "security-groups", "security_group", json!({"name": "unused"})).await;
    port(&cloud.demo, &net).await;
    cloud.settle().await;
    let topology = cloud.dataplane.topology();
    assert_eq!(topology.security_groups.len(), 1);
    assert_eq!(topology.security_groups[0].rules.len(), 4);
    assert_eq!(topology.ports[0].security_groups, [topology.security_groups[0].id]);
}
