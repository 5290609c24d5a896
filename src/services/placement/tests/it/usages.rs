//! Usages of providers and of projects.

use serde_json::{Value, json};
use stackup_core::ids;

use crate::Fixture;

async fn used() -> (Fixture, String) {
    let fixture = Fixture::new().await;
    let id = fixture.provider("host", None).await;
    fixture.stock(&id, &[("VCPU", 8), ("MEMORY_MB", 1024)]).await;
    let take = async |user: &str, kind: &str, amount: u64| {
        let body = json!({
            "allocations": {&id: {"resources": {"VCPU": amount}}},
            "project_id": "p", "user_id": user, "consumer_generation": null, "consumer_type": kind,
        });
        let path = format!("/allocations/{}", ids::uuid());
        fixture.latest().put(&path, &body).await.expect(204);
    };
    take("u1", "INSTANCE", 1).await;
    take("u1", "INSTANCE", 2).await;
    take("u2", "MIGRATION", 3).await;
    (fixture, id)
}

#[tokio::test]
async fn of_a_provider() {
    let (fixture, id) = used().await;
    let answer = fixture.latest().get(&format!("/resource_providers/{id}/usages")).await;
    let answer = answer.expect(200).json;
    assert_eq!(answer["usages"], json!({"MEMORY_MB": 0, "VCPU": 6}));
    assert_eq!(answer["resource_provider_generation"], 4);
}

#[tokio::test]
async fn of_a_project_by_user_and_type() {
    let (fixture, _) = used().await;
    let ask = async |version: &str, query: &str| -> Value {
        let path = format!("/usages?project_id={query}");
        fixture.at(version).get(&path).await.expect(200).json["usages"].clone()
    };
    assert_eq!(ask("1.37", "p").await, json!({"VCPU": 6}));
    assert_eq!(ask("1.37", "p&user_id=u1").await, json!({"VCPU": 3}));
    assert_eq!(ask("1.37", "q").await, json!({}));
    let instances = json!({"VCPU": 3, "consumer_count": 2});
    let migrations = json!({"VCPU": 3, "consumer_count": 1});
    assert_eq!(ask("1.38", "p").await, json!({"INSTANCE": instances, "MIGRATION": migrations}));
    let one = ask("1.38", "p&consumer_type=MIGRATION").await;
    assert_eq!(one, json!({"MIGRATION": migrations}));
    let all = ask("1.38", "p&consumer_type=all").await;
    assert_eq!(all, json!({"all": {"VCPU": 6, "consumer_count": 3}}));
}

#[tokio::test]
async fn a_reader_sees_its_own_project_only() {
    let (fixture, _) = used().await;
    let reader = fixture.latest().with_token("reader@p");
    reader.get("/usages?project_id=p").await.expect(200);
    reader.get("/usages?project_id=q").await.expect(403);
    for wrong in ["", "?project_id=", "?project_id=p&colour=red", "?project_id=p&user_id="] {
        fixture.latest().get(&format!("/usages{wrong}")).await.expect(400);
    }
    fixture.at("1.37").get("/usages?project_id=p&consumer_type=all").await.expect(400);
    fixture.at("1.8").get("/usages?project_id=p").await.expect(404);
}
