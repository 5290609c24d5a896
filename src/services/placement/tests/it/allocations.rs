//! Allocations, in the forms of all versions.

use serde_json::{Value, json};
use stackup_core::ids;

use crate::{Fixture, claim, refusal};

async fn host(fixture: &Fixture) -> String {
    let id = fixture.provider("host", None).await;
    fixture.stock(&id, &[("VCPU", 8), ("MEMORY_MB", 1024)]).await;
    id
}

#[tokio::test]
async fn the_body_grew_with_the_versions() {
    let fixture = Fixture::new().await;
    let id = host(&fixture).await;
    let list =
        json!([{"resource_provider": {"uuid": id}, "resources": {"VCPU": 1, "MEMORY_MB": 64}}]);
    let map = json!({&id: {"resources": {"VCPU": 1}}});
    let owned = |allocations: &Value| json!({"allocations": allocations, "project_id": "p", "user_id": "u"});
    let mut generations = owned(&map);
    generations["consumer_generation"] = Value::Null;
    let mut typed = generations.clone();
    typed["consumer_type"] = json!("INSTANCE");
    let mut mapped = generations.clone();
    mapped["mappings"] = json!({"": [id]});
    let forms = [
        ("1.0", json!({"allocations": list})),
        ("1.8", owned(&list)),
        ("1.12", owned(&map)),
        ("1.28", generations),
        ("1.34", mapped),
        ("1.38", typed),
    ];
    for (index, (version, body)) in forms.iter().enumerate() {
        let path = format!("/allocations/{}", ids::uuid());
        fixture.at(version).put(&path, body).await.expect(204);
        // No form is that of the version before.
        if let Some((older, _)) = index.checked_sub(1).map(|index| &forms[index]) {
            let path = format!("/allocations/{}", ids::uuid());
            fixture.at(older).put(&path, body).await.expect(400);
        }
    }
}

#[tokio::test]
async fn what_is_shown_grew_too() {
    let fixture = Fixture::new().await;
    let (id, consumer) = (host(&fixture).await, ids::uuid());
    fixture.take(&consumer, &id, json!({"VCPU": 2})).await.expect(204);
    let path = format!("/allocations/{consumer}");
    let sides = json!({&id: {"resources": {"VCPU": 2}, "generation": 2}});
    assert_eq!(fixture.at("1.11").get(&path).await.expect(200).json, json!({"allocations": sides}));
    assert_eq!(
        fixture.latest().get(&path).await.expect(200).json,
        json!({
            "allocations": sides, "project_id": "p", "user_id": "u", "consumer_generation": 1,
            "consumer_type": "INSTANCE",
        })
    );
    let of_host = format!("/resource_providers/{id}/allocations");
    assert_eq!(
        fixture.latest().get(&of_host).await.expect(200).json,
        json!({
            "allocations": {&consumer: {"resources": {"VCPU": 2}, "consumer_generation": 1}},
            "resource_provider_generation": 2,
        })
    );
    let nobody = format!("/allocations/{}", ids::uuid());
    let nothing = fixture.latest().get(&nobody).await.expect(200);
    assert_eq!(nothing.json, json!({"allocations": {}}));
}

#[tokio::test]
async fn a_consumer_changes_only_as_it_was_read() {
    let fixture = Fixture::new().await;
    let (id, consumer) = (host(&fixture).await, ids::uuid());
    let path = format!("/allocations/{consumer}");
    let put = async |generation: Value| {
        let body = claim(&[(&id, json!({"VCPU": 3}))], &generation);
        fixture.latest().put(&path, &body).await
    };
    let conflict = put(json!(5)).await.expect(409);
    assert_eq!(refusal(&conflict).1, "placement.concurrent_update");
    put(Value::Null).await.expect(204);
    let conflict = put(Value::Null).await.expect(409);
    assert!(
        refusal(&conflict).0.contains("consumer generation conflict - expected 1 but got null")
    );
    put(json!(1)).await.expect(204);
    put(json!(1)).await.expect(409);
    let shown = fixture.latest().get(&path).await.expect(200);
    assert_eq!(shown.json["consumer_generation"], 2);
    // Nothing is a claim too: the consumer goes.
    fixture.latest().put(&path, &claim(&[], &json!(2))).await.expect(204);
    put(Value::Null).await.expect(204);
    fixture.latest().delete(&path).await.expect(204);
    fixture.latest().delete(&path).await.expect(404);
}

#[tokio::test]
async fn what_does_not_fit_is_refused() {
    let fixture = Fixture::new().await;
    let id = fixture.provider("host", None).await;
    let body = json!({
        "inventories": {"VCPU": {
            "total": 10, "reserved": 2, "allocation_ratio": 1.5, "min_unit": 2, "max_unit": 8,
            "step_size": 2,
        }},
        "resource_provider_generation": 0,
    });
    let path = format!("/resource_providers/{id}/inventories");
    fixture.latest().put(&path, &body).await.expect(200);
    for (amount, said) in [(1, "min_unit"), (10, "max_unit"), (3, "step_size")] {
        let answer = fixture.take(&ids::uuid(), &id, json!({"VCPU": amount})).await.expect(409);
        assert!(refusal(&answer).0.contains(said), "{}", refusal(&answer).0);
    }
    fixture.take(&ids::uuid(), &id, json!({"VCPU": 8})).await.expect(204);
    let over = fixture.take(&ids::uuid(), &id, json!({"VCPU": 6})).await.expect(409);
    assert!(refusal(&over).0.contains("would exceed the capacity"));
    fixture.take(&ids::uuid(), &id, json!({"VCPU": 4})).await.expect(204);
    fixture.take(&ids::uuid(), &id, json!({"MEMORY_MB": 1})).await.expect(409);
    fixture.take(&ids::uuid(), &id, json!({"COWS": 1})).await.expect(400);
    fixture.take(&ids::uuid(), &ids::uuid(), json!({"VCPU": 2})).await.expect(400);
    fixture.take("no-uuid", &id, json!({"VCPU": 2})).await.expect(400);
}

#[tokio::test]
async fn bad_bodies_are_400() {
    let fixture = Fixture::new().await;
    let id = host(&fixture).await;
    let path = format!("/allocations/{}", ids::uuid());
    let good = claim(&[(&id, json!({"VCPU": 1}))], &Value::Null);
    let with = |key: &str, value: Value| {
        let mut body = good.clone();
        body[key] = value;
        body
    };
    for body in [
        json!({}),
        json!([]),
        with("allocations", json!([])),
        with("allocations", json!({"x": {"resources": {"VCPU": 1}}})),
        with("allocations", json!({&id: {}})),
        with("allocations", json!({&id: {"resources": {}}})),
        with("allocations", json!({&id: {"resources": {"VCPU": 0}}})),
        with("allocations", json!({&id: {"resources": {"VCPU": "1"}}})),
        with("project_id", json!("")),
        with("project_id", json!("x".repeat(256))),
        with("user_id", Value::Null),
        with("consumer_generation", json!("1")),
        with("consumer_type", json!("instance")),
        with("mappings", json!({})),
        with("colour", json!("red")),
    ] {
        fixture.latest().put(&path, &body).await.expect(400);
    }
    fixture.latest().put(&path, &good).await.expect(204);
}

#[tokio::test]
async fn a_consumer_is_known_with_and_without_dashes() {
    let fixture = Fixture::new().await;
    let (id, consumer) = (host(&fixture).await, ids::uuid());
    fixture.take(&consumer.replace('-', ""), &id, json!({"VCPU": 1})).await.expect(204);
    let shown = fixture.latest().get(&format!("/allocations/{consumer}")).await.expect(200);
    assert_eq!(shown.json["consumer_generation"], 1);
}

#[tokio::test]
async fn several_consumers_change_together_or_not_at_all() {
    let fixture = Fixture::new().await;
    let one = host(&fixture).await;
    let two = fixture.provider("two", None).await;
    fixture.stock(&two, &[("VCPU", 8)]).await;
    let (server, migration) = (ids::uuid(), ids::uuid());
    fixture.take(&server, &one, json!({"VCPU": 8})).await.expect(204);

    // As nova migrates: the migration takes over the old place, the server gets a new one.
    let body = |amount: u64| {
        json!({
            &migration: claim(&[(&one, json!({"VCPU": 8}))], &Value::Null),
            &server: claim(&[(&two, json!({"VCPU": amount}))], &json!(1)),
        })
    };
    fixture.latest().post("/allocations", &body(9)).await.expect(409);
    let shown = fixture.latest().get(&format!("/allocations/{migration}")).await.expect(200);
    assert_eq!(shown.json["allocations"], json!({}));
    fixture.latest().post("/allocations", &body(8)).await.expect(204);
    let shown = fixture.latest().get(&format!("/allocations/{server}")).await.expect(200);
    assert!(shown.json["allocations"].get(&two).is_some());
    fixture.latest().post("/allocations", &json!({})).await.expect(400);
    fixture.at("1.12").post("/allocations", &body(8)).await.expect(404);
}
