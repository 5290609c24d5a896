//! Inventories, and the generations that guard them.

use serde_json::json;
use stackup_core::ids;

use crate::{Fixture, refusal};

#[tokio::test]
async fn one_class_is_added_changed_and_removed() {
    let fixture = Fixture::new().await;
    let client = fixture.latest();
    let id = fixture.provider("host", None).await;
    let all = format!("/resource_providers/{id}/inventories");
    let one = format!("{all}/VCPU");

    let body = json!({"resource_class": "VCPU", "total": 8, "resource_provider_generation": 0});
    let made = client.post(&all, &body).await.expect(201);
    assert_eq!(made.header("location"), Some(format!("http://cloud.test{one}").as_str()));
    let whole = json!({
        "total": 8, "reserved": 0, "min_unit": 1, "max_unit": 2_147_483_647, "step_size": 1,
        "allocation_ratio": 1.0, "resource_provider_generation": 1,
    });
    assert_eq!(made.json, whole);
    let again = json!({"resource_class": "VCPU", "total": 8, "resource_provider_generation": 1});
    client.post(&all, &again).await.expect(409);

    let body = json!({"total": 16, "allocation_ratio": 4.5, "resource_provider_generation": 1});
    client.put(&one, &body).await.expect(200);
    let shown = client.get(&one).await.expect(200);
    assert_eq!((&shown.json["total"], &shown.json["allocation_ratio"]), (&json!(16), &json!(4.5)));
    assert_eq!(shown.json["resource_provider_generation"], 2);

    client.delete(&one).await.expect(204);
    client.delete(&one).await.expect(404);
    client.get(&one).await.expect(404);
    assert_eq!(fixture.generation(&id).await, 3);
}

#[tokio::test]
async fn a_stale_generation_changes_nothing() {
    let fixture = Fixture::new().await;
    let id = fixture.provider("host", None).await;
    let all = format!("/resource_providers/{id}/inventories");
    fixture.stock(&id, &[("VCPU", 8)]).await;
    let body = json!({
        "inventories": {"MEMORY_MB": {"total": 1024}}, "resource_provider_generation": 0,
    });
    let answer = fixture.latest().put(&all, &body).await.expect(409);
    assert_eq!(refusal(&answer).1, "placement.concurrent_update");
    let shown = fixture.latest().get(&all).await.expect(200);
    assert_eq!(shown.json["inventories"]["VCPU"]["total"], 8);
    assert_eq!(shown.json["resource_provider_generation"], 1);
}

#[tokio::test]
async fn amounts_have_bounds() {
    let fixture = Fixture::new().await;
    let id = fixture.provider("host", None).await;
    let all = format!("/resource_providers/{id}/inventories");
    for inventory in [
        json!({}),
        json!({"total": 0}),
        json!({"total": -1}),
        json!({"total": 1.5}),
        json!({"total": "8"}),
        json!({"total": 2_147_483_648_u64}),
        json!({"total": 8, "reserved": 9}),
        json!({"total": 8, "reserved": -1}),
        json!({"total": 8, "min_unit": 0}),
        json!({"total": 8, "max_unit": 0}),
        json!({"total": 8, "step_size": 0}),
        json!({"total": 8, "allocation_ratio": -1.0}),
        json!({"total": 8, "allocation_ratio": 1e39}),
        json!({"total": 8, "colour": "red"}),
    ] {
        let body = json!({"inventories": {"VCPU": inventory}, "resource_provider_generation": 0});
        fixture.latest().put(&all, &body).await.expect(400);
    }
    for class in ["COWS", "vcpu", ""] {
        let body = json!({"inventories": {class: {"total": 1}}, "resource_provider_generation": 0});
        fixture.latest().put(&all, &body).await.expect(400);
    }
    assert_eq!(fixture.generation(&id).await, 0);
}

#[tokio::test]
async fn a_provider_may_be_reserved_whole_since_1_26() {
    let fixture = Fixture::new().await;
    let id = fixture.provider("host", None).await;
    let all = format!("/resource_providers/{id}/inventories");
    let body = json!({
        "inventories": {"VCPU": {"total": 8, "reserved": 8}}, "resource_provider_generation": 0,
    });
    fixture.at("1.25").put(&all, &body).await.expect(400);
    fixture.at("1.26").put(&all, &body).await.expect(200);
}

#[tokio::test]
async fn what_is_used_stays() {
    let fixture = Fixture::new().await;
    let client = fixture.latest();
    let id = fixture.provider("host", None).await;
    fixture.stock(&id, &[("VCPU", 8), ("MEMORY_MB", 1024)]).await;
    fixture.take(&ids::uuid(), &id, json!({"VCPU": 2})).await.expect(204);
    let all = format!("/resource_providers/{id}/inventories");
    let body = json!({
        "inventories": {"MEMORY_MB": {"total": 512}},
        "resource_provider_generation": fixture.generation(&id).await,
    });
    for answer in [
        client.delete(&all).await,
        client.delete(&format!("{all}/VCPU")).await,
        client.put(&all, &body).await,
    ] {
        assert_eq!(refusal(&answer.expect(409)).1, "placement.inventory.inuse");
    }
    // It may shrink below what is used: nothing more fits then.
    let body = json!({"total": 1, "resource_provider_generation": fixture.generation(&id).await});
    client.put(&format!("{all}/VCPU"), &body).await.expect(200);
    client.delete(&format!("{all}/MEMORY_MB")).await.expect(204);
}

#[tokio::test]
async fn all_at_once_go_since_1_5() {
    let fixture = Fixture::new().await;
    let id = fixture.provider("host", None).await;
    fixture.stock(&id, &[("VCPU", 8)]).await;
    let all = format!("/resource_providers/{id}/inventories");
    fixture.at("1.4").delete(&all).await.expect(405);
    fixture.at("1.5").delete(&all).await.expect(204);
    let shown = fixture.latest().get(&all).await.expect(200);
    assert_eq!(shown.json["inventories"], json!({}));
}
