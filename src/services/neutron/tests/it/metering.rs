//! Metering labels and rules, and what the dataplane is told to count.

use serde_json::{Value, json};
use stackup_neutron::drivers::Direction;
use stackup_testing::golden;

use crate::{Cloud, Refusal, id, make};

const LABELS: &str = "/v2.0/metering/metering-labels";
const RULES: &str = "/v2.0/metering/metering-label-rules";

async fn label(cloud: &Cloud, fields: Value) -> Value {
    make(&cloud.admin, "metering/metering-labels", "metering_label", fields).await
}

async fn rule(cloud: &Cloud, label: &Value, mut fields: Value) -> stackup_testing::Answer {
    fields["metering_label_id"] = label["id"].clone();
    cloud.admin.post(RULES, &json!({"metering_label_rule": fields})).await
}

#[tokio::test]
async fn labels_and_rules_live() {
    let cloud = Cloud::new().await;
    let made = label(&cloud, json!({"name": "web", "project_id": "demo"})).await;
    golden(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/golden/metering_label.json"), &made);
    let fields =
        json!({"direction": "egress", "remote_ip_prefix": "10.0.0.0/24", "tenant_id": "demo"});
    let counted = rule(&cloud, &made, fields).await.expect(201).json["metering_label_rule"].clone();
    golden(
        concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/golden/metering_label_rule.json"),
        &counted,
    );
    let path = format!("{RULES}/{}", id(&counted));
    assert_eq!(cloud.demo.get(&path).await.expect(200).json["metering_label_rule"], counted);
    cloud.other().get(&path).await.refused(404, "MeteringLabelRuleNotFound");
    let found = cloud.demo.get(&format!("{LABELS}?name=web")).await.expect(200).json;
    assert_eq!(found["metering_labels"], json!([made]));
    let gone = format!("{LABELS}/{}", id(&made));
    cloud.demo.delete(&gone).await.refused(403, "PolicyNotAuthorized");
    cloud.admin.delete(&gone).await.expect(204);
    cloud.admin.get(&path).await.refused(404, "MeteringLabelRuleNotFound");
    cloud.admin.get(&gone).await.refused(404, "MeteringLabelNotFound");
}

#[tokio::test]
async fn a_projects_manager_meters_the_project_and_no_other() {
    let cloud = Cloud::new().await;
    let body = json!({"metering_label": {"name": "l"}});
    cloud.demo.post(LABELS, &body).await.refused(403, "PolicyNotAuthorized");
    let manager = cloud.demo.with_token("manager@demo");
    let own = manager.post(LABELS, &body).await.expect(201).json["metering_label"].clone();
    assert_eq!(own["project_id"], "demo");
    let fields = json!({"direction": "ingress", "remote_ip_prefix": "10.0.0.0/24"});
    let mut body = json!({"metering_label_rule": fields});
    body["metering_label_rule"]["metering_label_id"] = own["id"].clone();
    let made = manager.post(RULES, &body).await.expect(201).json["metering_label_rule"].clone();
    manager.delete(&format!("{RULES}/{}", id(&made))).await.expect(204);
    let shared = label(&cloud, json!({"shared": true})).await;
    body["metering_label_rule"]["metering_label_id"] = shared["id"].clone();
    manager.post(RULES, &body).await.refused(404, "MeteringLabelNotFound");
}

#[tokio::test]
async fn what_is_no_rule() {
    let cloud = Cloud::new().await;
    let made = label(&cloud, json!({})).await;
    let remote = |excluded: bool, prefix: &str| json!({"direction": "ingress", "excluded": excluded, "remote_ip_prefix": prefix});
    rule(&cloud, &made, remote(false, "10.0.0.0/16")).await.expect(201);
    let inner = rule(&cloud, &made, remote(false, "10.0.1.0/24")).await;
    inner.refused(409, "MeteringLabelRuleOverlaps");
    rule(&cloud, &made, remote(true, "10.0.1.0/24")).await.expect(201);
    let other = label(&cloud, json!({})).await;
    rule(&cloud, &other, remote(false, "10.0.1.0/24")).await.expect(201);
    for wrong in [
        json!({"direction": "ingress"}),
        json!({"direction": "ingress", "remote_ip_prefix": "10.9.0.0/16", "source_ip_prefix": "10.0.0.0/8"}),
        json!({"direction": "ingress", "destination_ip_prefix": "fd00::/8", "source_ip_prefix": "10.0.0.0/8"}),
    ] {
        rule(&cloud, &made, wrong).await.refused(400, "Invalid");
    }
    for wrong in [
        json!({"direction": "up", "remote_ip_prefix": "10.9.0.0/16"}),
        json!({"direction": "ingress", "remote_ip_prefix": "ten"}),
        json!({"remote_ip_prefix": "10.9.0.0/16"}),
    ] {
        rule(&cloud, &made, wrong).await.refused(400, "HTTPBadRequest");
    }
}

#[tokio::test]
async fn routers_count_for_the_labels_of_their_project_and_of_all() {
    let cloud = Cloud::new().await;
    make(&cloud.demo, "routers", "router", json!({})).await;
    make(&cloud.other(), "routers", "router", json!({})).await;
    let own = label(&cloud, json!({"project_id": "demo"})).await;
    label(&cloud, json!({"shared": true})).await;
    let fields = json!({"direction": "egress", "remote_ip_prefix": "10.0.0.0/24"});
    rule(&cloud, &own, fields).await.expect(201);
    cloud.settle().await;
    let mut meters: Vec<_> =
        cloud.dataplane.topology().routers.into_iter().map(|router| router.meters).collect();
    meters.sort_by_key(Vec::len);
    assert_eq!(meters.iter().map(Vec::len).collect::<Vec<_>>(), [1, 2]);
    let meter = meters[1].iter().find(|meter| meter.id.to_string() == id(&own)).unwrap();
    assert_eq!(meter.rules[0].direction, Direction::Egress);
    assert_eq!(meter.rules[0].source, Some("10.0.0.0/24".parse().unwrap()));
    assert_eq!(meter.rules[0].destination, None);
}
