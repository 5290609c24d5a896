//! Resource classes, traits, aggregates.

use serde_json::{Value, json};
use stackup_core::ids;

use crate::{Fixture, refusal};

#[tokio::test]
async fn custom_classes() {
    let fixture = Fixture::new().await;
    let client = fixture.latest();
    client.put("/resource_classes/CUSTOM_FPGA", &Value::Null).await.expect(201);
    client.put("/resource_classes/CUSTOM_FPGA", &Value::Null).await.expect(204);
    client.post("/resource_classes", &json!({"name": "CUSTOM_FPGA"})).await.expect(409);
    for wrong in ["FPGA2", "CUSTOM_", "CUSTOM_a", "CUSTOM_A-B"] {
        client.post("/resource_classes", &json!({"name": wrong})).await.expect(400);
        client.put(&format!("/resource_classes/{wrong}"), &Value::Null).await.expect(400);
    }
    let shown = client.get("/resource_classes/CUSTOM_FPGA").await.expect(200);
    let link = json!({"rel": "self", "href": "/resource_classes/CUSTOM_FPGA"});
    assert_eq!(shown.json, json!({"name": "CUSTOM_FPGA", "links": [link]}));
    let list = client.get("/resource_classes").await.expect(200);
    let list = list.json["resource_classes"].as_array().unwrap().clone();
    assert_eq!((list[0]["name"].as_str(), list.len()), (Some("VCPU"), 22));

    client.delete("/resource_classes/VCPU").await.expect(400);
    let id = fixture.provider("host", None).await;
    fixture.stock(&id, &[("CUSTOM_FPGA", 2)]).await;
    client.delete("/resource_classes/CUSTOM_FPGA").await.expect(409);
    fixture.stock(&id, &[]).await;
    client.delete("/resource_classes/CUSTOM_FPGA").await.expect(204);
    client.delete("/resource_classes/CUSTOM_FPGA").await.expect(404);
    client.get("/resource_classes/CUSTOM_FPGA").await.expect(404);
}

#[tokio::test]
async fn before_1_7_put_renamed_a_class_wherever_it_was() {
    let fixture = Fixture::new().await;
    fixture.latest().put("/resource_classes/CUSTOM_A", &Value::Null).await.expect(201);
    let id = fixture.provider("host", None).await;
    fixture.stock(&id, &[("CUSTOM_A", 2)]).await;
    let old = fixture.at("1.6");
    old.put("/resource_classes/CUSTOM_A", &json!({"name": "CUSTOM_B"})).await.expect(200);
    old.put("/resource_classes/CUSTOM_A", &json!({"name": "CUSTOM_C"})).await.expect(404);
    old.put("/resource_classes/VCPU", &json!({"name": "CUSTOM_C"})).await.expect(400);
    old.put("/resource_classes/CUSTOM_B", &json!({"name": "CUSTOM_B"})).await.expect(409);
    let path = format!("/resource_providers/{id}/inventories/CUSTOM_B");
    assert_eq!(fixture.latest().get(&path).await.expect(200).json["total"], 2);
}

#[tokio::test]
async fn traits_of_users_and_of_providers() {
    let fixture = Fixture::new().await;
    let client = fixture.latest();
    client.put("/traits/CUSTOM_GOLD", &Value::Null).await.expect(201);
    client.put("/traits/CUSTOM_GOLD", &Value::Null).await.expect(204);
    client.put("/traits/GOLD", &Value::Null).await.expect(400);
    client.get("/traits/CUSTOM_GOLD").await.expect(204);
    client.get("/traits/HW_CPU_X86_AVX2").await.expect(204);
    client.get("/traits/CUSTOM_SILVER").await.expect(404);

    let id = fixture.provider("host", None).await;
    let of_host = format!("/resource_providers/{id}/traits");
    let set = |names: Value, generation: u64| json!({"traits": names, "resource_provider_generation": generation});
    client.put(&of_host, &set(json!(["CUSTOM_GOLD", "CUSTOM_SILVER"]), 0)).await.expect(400);
    let done = client.put(&of_host, &set(json!(["CUSTOM_GOLD"]), 0)).await.expect(200);
    assert_eq!(done.json, set(json!(["CUSTOM_GOLD"]), 1));
    let stale = client.put(&of_host, &set(json!([]), 0)).await.expect(409);
    assert_eq!(refusal(&stale).1, "placement.concurrent_update");
    assert_eq!(client.get(&of_host).await.expect(200).json["traits"], json!(["CUSTOM_GOLD"]));

    let used = client.get("/traits?associated=true").await.expect(200);
    assert_eq!(used.json["traits"], json!(["CUSTOM_GOLD"]));
    let some = client.get("/traits?name=startswith:CUSTOM_").await.expect(200);
    assert_eq!(some.json["traits"], json!(["CUSTOM_GOLD"]));
    let named = client.get("/traits?name=in:CUSTOM_GOLD,HW_CPU_X86_AVX2,NONE").await.expect(200);
    assert_eq!(named.json["traits"], json!(["HW_CPU_X86_AVX2", "CUSTOM_GOLD"]));
    for wrong in ["name=gold", "associated=maybe", "colour=red"] {
        client.get(&format!("/traits?{wrong}")).await.expect(400);
    }

    client.delete("/traits/HW_CPU_X86_AVX2").await.expect(400);
    client.delete("/traits/CUSTOM_GOLD").await.expect(409);
    client.delete(&of_host).await.expect(204);
    client.delete("/traits/CUSTOM_GOLD").await.expect(204);
    client.delete("/traits/CUSTOM_GOLD").await.expect(404);
    fixture.at("1.5").get("/traits").await.expect(404);
}

#[tokio::test]
async fn aggregates_in_both_forms() {
    let fixture = Fixture::new().await;
    let id = fixture.provider("host", None).await;
    let path = format!("/resource_providers/{id}/aggregates");
    let (a, b) = (ids::uuid(), ids::uuid());

    let old = fixture.at("1.18").put(&path, &json!([a, b])).await.expect(200);
    assert_eq!(old.json, json!({"aggregates": [a, b]}));
    let new = json!({"aggregates": [b], "resource_provider_generation": 1});
    let done = fixture.latest().put(&path, &new).await.expect(200);
    assert_eq!(done.json, json!({"aggregates": [b], "resource_provider_generation": 2}));
    let stale = fixture.latest().put(&path, &new).await.expect(409);
    assert_eq!(refusal(&stale).1, "placement.concurrent_update");

    for wrong in [json!([a]), json!({"aggregates": [a, a], "resource_provider_generation": 2})] {
        fixture.latest().put(&path, &wrong).await.expect(400);
    }
    for wrong in [new, json!(["x"]), json!("x")] {
        fixture.at("1.18").put(&path, &wrong).await.expect(400);
    }
    assert_eq!(fixture.latest().get(&path).await.expect(200).json["aggregates"], json!([b]));
    fixture.at("1.0").get(&path).await.expect(404);
}
