//! Providers: made, shown, listed, moved, deleted.

use serde_json::{Value, json};
use stackup_core::ids;

use crate::{Fixture, refusal};

fn links(body: &Value) -> Vec<&str> {
    body["links"].as_array().unwrap().iter().map(|link| link["rel"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn the_answer_to_a_create_grew_with_the_versions() {
    let fixture = Fixture::new().await;
    let old = fixture.at("1.0").post("/resource_providers", &json!({"name": "old"})).await;
    let old = old.expect(201);
    assert!(old.bytes.is_empty());
    let location = old.header("location").unwrap();
    let id = location.strip_prefix("http://cloud.test/resource_providers/").unwrap();
    let shown = fixture.at("1.0").get(&format!("/resource_providers/{id}")).await.expect(200);
    assert_eq!(links(&shown.json), ["self", "inventories", "usages"]);
    assert!(shown.json.get("parent_provider_uuid").is_none());
    assert!(shown.header("last-modified").is_none());

    let new = fixture.latest().post("/resource_providers", &json!({"name": "new"})).await;
    let new = new.expect(200);
    assert!(new.header("location").is_some() && new.header("last-modified").is_some());
    assert_eq!(new.header("cache-control"), Some("no-cache"));
    let all = ["self", "aggregates", "inventories", "usages", "traits", "allocations"];
    assert_eq!(links(&new.json), all);
    assert_eq!(new.json["generation"], 0);
    assert_eq!(new.json["parent_provider_uuid"], Value::Null);
    assert_eq!(new.json["root_provider_uuid"], new.json["uuid"]);
}

#[tokio::test]
async fn names_and_ids_are_taken_once() {
    let fixture = Fixture::new().await;
    let id = fixture.provider("host", None).await;
    let dashless = id.replace('-', "").to_uppercase();
    for body in [
        json!({"name": "host"}),
        json!({"name": "other", "uuid": id}),
        json!({"name": "other", "uuid": dashless}),
    ] {
        let answer = fixture.latest().post("/resource_providers", &body).await.expect(409);
        assert_eq!(refusal(&answer).1, "placement.duplicate_name");
    }
    let path = format!("/resource_providers/{dashless}");
    let shown = fixture.latest().get(&path).await.expect(200);
    assert_eq!(shown.json["uuid"], id.as_str());
}

#[tokio::test]
async fn bad_bodies_are_400() {
    let fixture = Fixture::new().await;
    let id = ids::uuid();
    for (body, said) in [
        (json!({}), "'name' is a required property"),
        (json!({"name": ""}), "minLength"),
        (json!({"name": "x".repeat(201)}), "maxLength"),
        (json!({"name": 1}), "is not of type 'string'"),
        (json!({"name": "x", "colour": "red"}), "('colour' was unexpected)"),
        (json!({"name": "x", "uuid": "x"}), "'x' is not a 'uuid'"),
        (json!({"name": "x", "parent_provider_uuid": id}), "parent provider UUID does not exist"),
        (json!({"name": "x", "uuid": id, "parent_provider_uuid": id}), "cannot be same as UUID"),
    ] {
        let answer = fixture.latest().post("/resource_providers", &body).await.expect(400);
        assert!(refusal(&answer).0.contains(said), "{body}: {}", refusal(&answer).0);
    }
    let plain = fixture.latest().with_header("content-type", "text/plain");
    plain.post("/resource_providers", &json!({"name": "x"})).await.expect(415);
    let body = json!({"name": "x", "parent_provider_uuid": fixture.provider("top", None).await});
    fixture.at("1.13").post("/resource_providers", &body).await.expect(400);
}

#[tokio::test]
async fn a_subtree_moves_with_its_top() {
    let fixture = Fixture::new().await;
    let (one, two) = (fixture.provider("one", None).await, fixture.provider("two", None).await);
    let child = fixture.provider("child", Some(&one)).await;
    let grandchild = fixture.provider("grandchild", Some(&child)).await;
    let root_of = async |id: &str| {
        let shown = fixture.latest().get(&format!("/resource_providers/{id}")).await.expect(200);
        shown.json["root_provider_uuid"].as_str().unwrap().to_owned()
    };
    assert_eq!(root_of(&grandchild).await, one);

    let path = format!("/resource_providers/{child}");
    let to = |parent: Value| json!({"name": "child", "parent_provider_uuid": parent});
    let answer = fixture.at("1.36").put(&path, &to(json!(two))).await.expect(400);
    assert!(refusal(&answer).0.contains("re-parenting a provider is not currently allowed"));
    fixture.latest().put(&path, &to(json!(two))).await.expect(200);
    assert_eq!(root_of(&grandchild).await, two);

    let loops = fixture.latest().put(&path, &to(json!(grandchild))).await.expect(400);
    assert!(refusal(&loops).0.contains("loop"));
    assert_eq!(root_of(&child).await, two);

    fixture.latest().put(&path, &to(json!(null))).await.expect(200);
    assert_eq!(root_of(&grandchild).await, child);
    // A name alone leaves the tree as it is.
    fixture.latest().put(&path, &json!({"name": "renamed"})).await.expect(200);
    assert_eq!(root_of(&grandchild).await, child);
}

#[tokio::test]
async fn what_is_used_or_has_children_stays() {
    let fixture = Fixture::new().await;
    let top = fixture.provider("top", None).await;
    let child = fixture.provider("child", Some(&top)).await;
    fixture.stock(&child, &[("VCPU", 4)]).await;
    let consumer = ids::uuid();
    fixture.take(&consumer, &child, json!({"VCPU": 1})).await.expect(204);

    let path = |id: &str| format!("/resource_providers/{id}");
    let answer = fixture.latest().delete(&path(&top)).await.expect(409);
    assert_eq!(refusal(&answer).1, "placement.resource_provider.cannot_delete_parent");
    let answer = fixture.latest().delete(&path(&child)).await.expect(409);
    assert_eq!(refusal(&answer).1, "placement.resource_provider.inuse");

    fixture.latest().delete(&format!("/allocations/{consumer}")).await.expect(204);
    for id in [child, top] {
        fixture.latest().delete(&path(&id)).await.expect(204);
        fixture.latest().delete(&path(&id)).await.expect(404);
    }
}

#[tokio::test]
async fn the_list_filters() {
    let fixture = Fixture::new().await;
    let aggregate = ids::uuid();
    let big = fixture.provider("big", None).await;
    let small = fixture.provider("small", None).await;
    let part = fixture.provider("part", Some(&big)).await;
    fixture.stock(&big, &[("VCPU", 8)]).await;
    fixture.stock(&small, &[("VCPU", 1)]).await;
    fixture.traits(&big, &["HW_CPU_X86_AVX2", "CUSTOM_FAST"]).await;
    fixture.aggregates(&small, &[&aggregate]).await;
    for (query, expected) in [
        (String::new(), vec!["big", "small", "part"]),
        ("?name=small".into(), vec!["small"]),
        (format!("?uuid={big}"), vec!["big"]),
        (format!("?in_tree={part}"), vec!["big", "part"]),
        (format!("?in_tree={}", ids::uuid()), vec![]),
        ("?resources=VCPU:2".into(), vec!["big"]),
        ("?required=HW_CPU_X86_AVX2,CUSTOM_FAST".into(), vec!["big"]),
        ("?required=!CUSTOM_FAST".into(), vec!["small", "part"]),
        ("?required=in:CUSTOM_FAST,HW_CPU_X86_SSE".into(), vec!["big"]),
        (format!("?member_of={aggregate}"), vec!["small"]),
        (format!("?member_of=!in:{aggregate},{}", ids::uuid()), vec!["big", "part"]),
    ] {
        let answer = fixture.latest().get(&format!("/resource_providers{query}")).await.expect(200);
        let list = answer.json["resource_providers"].as_array().unwrap();
        let names: Vec<&str> = list.iter().map(|one| one["name"].as_str().unwrap()).collect();
        assert_eq!(names, expected, "{query}");
    }
}

#[tokio::test]
async fn filters_that_a_version_does_not_have_are_400() {
    let fixture = Fixture::new().await;
    let id = ids::uuid();
    for (version, query) in [
        ("1.39", "colour=red".to_owned()),
        ("1.39", "uuid=x".to_owned()),
        ("1.39", "in_tree=x".to_owned()),
        ("1.39", "resources=".to_owned()),
        ("1.39", "resources=VCPU:0".to_owned()),
        ("1.39", "resources=VCPU:many".to_owned()),
        ("1.39", "resources=COWS:1".to_owned()),
        ("1.39", "required=NO_SUCH".to_owned()),
        ("1.39", "required=".to_owned()),
        ("1.39", "required=CUSTOM_A,!CUSTOM_A".to_owned()),
        ("1.39", format!("member_of={id},{id}")),
        ("1.38", "required=in:HW_CPU_X86_AVX2".to_owned()),
        ("1.31", format!("member_of=!{id}")),
        ("1.23", format!("member_of={id}&member_of={id}")),
        ("1.21", "required=!HW_CPU_X86_AVX2".to_owned()),
        ("1.17", "required=HW_CPU_X86_AVX2".to_owned()),
        ("1.13", format!("in_tree={id}")),
        ("1.3", "resources=VCPU:1".to_owned()),
        ("1.2", format!("member_of={id}")),
    ] {
        fixture.at(version).get(&format!("/resource_providers?{query}")).await.expect(400);
    }
}
