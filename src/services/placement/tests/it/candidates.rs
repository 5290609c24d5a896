//! Allocation candidates.

use serde_json::{Value, json};
use stackup_core::ids;

use crate::{Fixture, refusal};

const SHARES: &str = "MISC_SHARES_VIA_AGGREGATE";

/// A host with two network cards below it, another host, and a pool that shares with the first.
struct Cloud {
    fixture: Fixture,
    host: String,
    cards: [String; 2],
    other: String,
    pool: String,
    aggregate: String,
}

impl Cloud {
    async fn new() -> Self {
        let fixture = Fixture::new().await;
        let aggregate = ids::uuid();
        let host = fixture.provider("host", None).await;
        fixture.stock(&host, &[("VCPU", 8), ("MEMORY_MB", 1024)]).await;
        fixture.traits(&host, &["HW_CPU_X86_AVX2"]).await;
        fixture.aggregates(&host, &[&aggregate]).await;
        let mut cards = Vec::new();
        for name in ["card1", "card2"] {
            let card = fixture.provider(name, Some(&host)).await;
            fixture.stock(&card, &[("SRIOV_NET_VF", 4)]).await;
            cards.push(card);
        }
        fixture.traits(&cards[0], &["CUSTOM_PHYSNET1"]).await;
        let other = fixture.provider("other", None).await;
        fixture.stock(&other, &[("VCPU", 4), ("MEMORY_MB", 512), ("DISK_GB", 10)]).await;
        let pool = fixture.provider("pool", None).await;
        fixture.stock(&pool, &[("DISK_GB", 100)]).await;
        fixture.traits(&pool, &[SHARES]).await;
        fixture.aggregates(&pool, &[&aggregate]).await;
        let cards = [cards.remove(0), cards.remove(0)];
        Self { fixture, host, cards, other, pool, aggregate }
    }

    async fn ask(&self, version: &str, query: &str) -> Value {
        let path = format!("/allocation_candidates?{query}");
        self.fixture.at(version).get(&path).await.expect(200).json
    }

    /// The providers of each candidate, by name.
    async fn ways(&self, query: &str) -> Vec<String> {
        let body = self.ask("1.39", query).await;
        let requests = body["allocation_requests"].as_array().unwrap().clone();
        let mut ways: Vec<String> = requests
            .iter()
            .map(|request| {
                let ids = request["allocations"].as_object().unwrap().keys();
                let mut names: Vec<&str> = ids.map(|id| self.name(id)).collect();
                names.sort_unstable();
                names.join("+")
            })
            .collect();
        ways.sort();
        ways
    }

    fn name(&self, id: &str) -> &'static str {
        match id {
            id if id == self.host => "host",
            id if id == self.other => "other",
            id if id == self.pool => "pool",
            id if id == self.cards[0] => "card1",
            id if id == self.cards[1] => "card2",
            _ => "stranger",
        }
    }
}

#[tokio::test]
async fn who_has_room_and_traits_and_lies_right() {
    let cloud = Cloud::new().await;
    let (aggregate, host, pool) = (&cloud.aggregate, &cloud.host, &cloud.pool);
    for (query, expected) in [
        ("resources=VCPU:1".to_owned(), vec!["host", "other"]),
        ("resources=VCPU:8,MEMORY_MB:1024".into(), vec!["host"]),
        ("resources=VCPU:9".into(), vec![]),
        ("resources=VCPU:1&required=HW_CPU_X86_AVX2".into(), vec!["host"]),
        ("resources=VCPU:1&required=!HW_CPU_X86_AVX2".into(), vec!["other"]),
        ("resources=VCPU:1&required=in:HW_CPU_X86_AVX2,HW_CPU_X86_SSE".into(), vec!["host"]),
        (format!("resources=VCPU:1&member_of={aggregate}"), vec!["host"]),
        (format!("resources=VCPU:1&member_of=!{aggregate}"), vec!["other"]),
        (format!("resources=VCPU:1&in_tree={host}"), vec!["host"]),
        // A shared disk, and one's own.
        ("resources=VCPU:1,DISK_GB:5".into(), vec!["host+pool", "other"]),
        ("resources=VCPU:1,DISK_GB:50".into(), vec!["host+pool"]),
        (format!("resources=VCPU:1&resources_D=DISK_GB:5&in_tree_D={pool}"), vec!["host+pool"]),
        ("resources=DISK_GB:50".into(), vec!["pool"]),
        ("resources=VCPU:1&root_required=HW_CPU_X86_AVX2".into(), vec!["host"]),
        ("resources=VCPU:1&root_required=!HW_CPU_X86_AVX2".into(), vec!["other"]),
    ] {
        assert_eq!(cloud.ways(&query).await, expected, "{query}");
    }
}

#[tokio::test]
async fn named_groups() {
    let cloud = Cloud::new().await;
    let two = "resources=VCPU:1&resources_A=SRIOV_NET_VF:2&resources_B=SRIOV_NET_VF:2";
    let isolated = cloud.ways(&format!("{two}&group_policy=isolate")).await;
    assert_eq!(isolated, ["card1+card2+host"; 2]);
    let free = cloud.ways(&format!("{two}&group_policy=none")).await;
    assert_eq!(free, ["card1+card2+host", "card1+card2+host", "card1+host", "card2+host"]);
    let on_net1 = format!("{two}&group_policy=isolate&required_A=CUSTOM_PHYSNET1");
    let body = cloud.ask("1.39", &on_net1).await;
    let requests = body["allocation_requests"].as_array().unwrap();
    assert_eq!(requests.len(), 1);
    let mappings = json!({"": [cloud.host], "_A": [cloud.cards[0]], "_B": [cloud.cards[1]]});
    assert_eq!(requests[0]["mappings"], mappings);
    // A group may ask for a provider and nothing of it.
    let near = "resources=VCPU:1&resources_A=SRIOV_NET_VF:1&required_T=HW_CPU_X86_AVX2\
                &same_subtree=_A,_T&group_policy=none";
    assert_eq!(cloud.ways(near).await, ["card1+host", "card2+host"]);
}

#[tokio::test]
async fn a_candidate_can_be_claimed_as_it_is() {
    let cloud = Cloud::new().await;
    let body = cloud.ask("1.39", "resources=VCPU:8,DISK_GB:5&limit=1").await;
    let requests = body["allocation_requests"].as_array().unwrap();
    assert_eq!(requests.len(), 1);
    let mut wanted = requests[0].clone();
    wanted["project_id"] = json!("p");
    wanted["user_id"] = json!("u");
    wanted["consumer_generation"] = Value::Null;
    wanted["consumer_type"] = json!("INSTANCE");
    let path = format!("/allocations/{}", ids::uuid());
    cloud.fixture.latest().put(&path, &wanted).await.expect(204);
    assert_eq!(cloud.ways("resources=VCPU:1").await, ["other"]);
}

#[tokio::test]
async fn the_answer_grew_with_the_versions() {
    let cloud = Cloud::new().await;
    let first = cloud.ask("1.10", "resources=VCPU:8").await;
    let allocations = &first["allocation_requests"][0]["allocations"];
    let list = json!([{"resource_provider": {"uuid": cloud.host}, "resources": {"VCPU": 8}}]);
    assert_eq!(*allocations, list);
    let summary = &first["provider_summaries"][&cloud.host];
    assert_eq!(*summary, json!({"resources": {"VCPU": {"used": 0, "capacity": 8}}}));
    assert_eq!(first["provider_summaries"].as_object().unwrap().len(), 1);

    let last = cloud.ask("1.39", "resources=VCPU:8").await;
    let summary = &last["provider_summaries"][&cloud.host];
    let expected = json!({
        "resources": {
            "MEMORY_MB": {"used": 0, "capacity": 1024}, "VCPU": {"used": 0, "capacity": 8},
        },
        "traits": ["HW_CPU_X86_AVX2"],
        "parent_provider_uuid": null,
        "root_provider_uuid": cloud.host,
    });
    assert_eq!(*summary, expected);
    assert_eq!(last["provider_summaries"].as_object().unwrap().len(), 3, "the whole tree");

    // Clients that know no trees are shown none.
    let nested = "resources=VCPU:1,SRIOV_NET_VF:1";
    let before = cloud.ask("1.28", nested).await;
    assert_eq!(before["allocation_requests"], json!([]));
    assert_eq!(cloud.ways(nested).await, ["card1+host", "card2+host"]);
}

#[tokio::test]
async fn what_is_not_understood_is_400() {
    let cloud = Cloud::new().await;
    for (version, query, said) in [
        ("1.39", "", "at least one resources"),
        ("1.10", "", "'resources' is a required property"),
        ("1.39", "resources=VCPU:1&colour=red", "('colour' was unexpected)"),
        ("1.15", "resources=VCPU:1&limit=1", "('limit' was unexpected)"),
        ("1.16", "resources=VCPU:1&required=HW_CPU_X86_AVX2", "('required' was unexpected)"),
        ("1.39", "resources=VCPU:1&limit=0", "does not match"),
        ("1.39", "resources=VCPU:1&limit=x", "does not match"),
        ("1.39", "resources=VCPU", "Badly formed resources"),
        ("1.39", "resources=COWS:1", "No such resource class COWS"),
        ("1.39", "resources=VCPU:1&required=COW", "No such trait(s): COW"),
        ("1.39", "resources=VCPU:1&member_of=x", "valid UUID"),
        ("1.39", "resources=VCPU:1&in_tree=x", "format of uuid"),
        ("1.39", "resources_A=VCPU:1&resources_B=VCPU:1", "group_policy"),
        ("1.39", "resources=VCPU:1&group_policy=some", "is not one of"),
        ("1.32", "resources_A=VCPU:1", "('resources_A' was unexpected)"),
        ("1.24", "resources1=VCPU:1", "('resources1' was unexpected)"),
        ("1.35", "resources=VCPU:1&required1=HW_CPU_X86_AVX2", "orphaned traits keys: required1"),
        ("1.39", "resources=VCPU:1&required1=HW_CPU_X86_AVX2", "bad group(s)"),
        ("1.39", "resources=VCPU:1&same_subtree=_X", "not found in"),
        ("1.39", "resources=VCPU:1&root_required=A,!A", "Conflicting"),
    ] {
        let path = format!("/allocation_candidates?{query}");
        let answer = cloud.fixture.at(version).get(&path).await.expect(400);
        assert!(refusal(&answer).0.contains(said), "{query}: {}", refusal(&answer).0);
    }
    cloud.fixture.at("1.9").get("/allocation_candidates").await.expect(404);
}
