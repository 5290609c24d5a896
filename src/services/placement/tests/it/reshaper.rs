//! The reshaper.

use serde_json::{Value, json};
use stackup_core::ids;

use crate::{Fixture, claim, refusal};

#[tokio::test]
async fn inventory_and_what_is_used_of_it_move_to_a_child() {
    let fixture = Fixture::new().await;
    let service = fixture.latest().with_token("service@p");
    let host = fixture.provider("host", None).await;
    fixture.stock(&host, &[("VCPU", 8), ("VGPU", 2)]).await;
    let gpu = fixture.provider("gpu", Some(&host)).await;
    let consumer = ids::uuid();
    fixture.take(&consumer, &host, json!({"VCPU": 2, "VGPU": 1})).await.expect(204);

    let body = |generation: u64, consumer_generation: u64| {
        let split = [(host.as_str(), json!({"VCPU": 2})), (gpu.as_str(), json!({"VGPU": 1}))];
        json!({
            "inventories": {
                &host: {
                    "inventories": {"VCPU": {"total": 8}},
                    "resource_provider_generation": generation,
                },
                &gpu: {
                    "inventories": {"VGPU": {"total": 2}}, "resource_provider_generation": 0,
                },
            },
            "allocations": {&consumer: claim(&split, &json!(consumer_generation))},
        })
    };
    let stale = service.post("/reshaper", &body(1, 1)).await.expect(409);
    assert_eq!(refusal(&stale).1, "placement.concurrent_update");
    let stale = service.post("/reshaper", &body(2, 7)).await.expect(409);
    assert_eq!(refusal(&stale).1, "placement.concurrent_update");
    service.post("/reshaper", &body(2, 1)).await.expect(204);

    let usages = async |id: &str| {
        let path = format!("/resource_providers/{id}/usages");
        fixture.latest().get(&path).await.expect(200).json["usages"].clone()
    };
    assert_eq!(usages(&host).await, json!({"VCPU": 2}));
    assert_eq!(usages(&gpu).await, json!({"VGPU": 1}));
}

#[tokio::test]
async fn what_would_be_lost_or_is_not_there_is_refused() {
    let fixture = Fixture::new().await;
    let service = fixture.latest().with_token("service@p");
    let host = fixture.provider("host", None).await;
    fixture.stock(&host, &[("VCPU", 8)]).await;
    fixture.take(&ids::uuid(), &host, json!({"VCPU": 2})).await.expect(204);
    let body = |id: &str, inventories: Value| {
        let one = json!({"inventories": inventories, "resource_provider_generation": 2});
        json!({"inventories": {id: one}, "allocations": {}})
    };
    let used = service.post("/reshaper", &body(&host, json!({}))).await.expect(409);
    assert_eq!(refusal(&used).1, "placement.inventory.inuse");
    let lost = service.post("/reshaper", &body(&ids::uuid(), json!({}))).await.expect(400);
    assert_eq!(refusal(&lost).1, "placement.resource_provider.not_found");
    service.post("/reshaper", &json!({"inventories": {}})).await.expect(400);
    // Not even an administrator: it is for services.
    fixture.latest().post("/reshaper", &body(&host, json!({}))).await.expect(403);
}
