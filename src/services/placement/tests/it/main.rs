//! Placement over HTTP, and through the door for other services.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a failed expectation is a failed test"
)]

mod allocations;
mod candidates;
mod guards;
mod inventories;
mod names;
mod port;
mod providers;
mod reshaper;
mod speed;
mod usages;

use std::sync::Arc;

use serde_json::{Value, json};
use stackup_contracts::Hub;
use stackup_core::{SystemClock, ids};
use stackup_placement::{Config, Deps, Placement};
use stackup_store::StoreConfig;
use stackup_testing::{Answer, Client, StubIdentity};
use stackup_web::Service;
use tempfile::TempDir;

/// A placement with nothing in it.
struct Fixture {
    placement: Arc<Placement>,
    client: Client,
    _state: TempDir,
}

impl Fixture {
    async fn new() -> Self {
        let state = TempDir::new().unwrap();
        let hub = Hub::default();
        hub.set_identity(Arc::new(StubIdentity));
        let deps = Deps {
            clock: Arc::new(SystemClock),
            hub,
            store: StoreConfig::Sqlite { path: state.path().join("placement.db") },
        };
        let placement = Placement::new(Config::default(), deps).await.unwrap();
        let client = Client::new(Arc::clone(&placement).router());
        Self { placement, client, _state: state }
    }

    /// An administrator in a version: `"1.39"`.
    fn at(&self, version: &str) -> Client {
        self.client
            .with_token("admin@p")
            .with_header("openstack-api-version", &format!("placement {version}"))
    }

    fn latest(&self) -> Client {
        self.at("1.39")
    }

    /// Makes a provider, and answers its id.
    async fn provider(&self, name: &str, parent: Option<&str>) -> String {
        let id = ids::uuid();
        let mut body = json!({"name": name, "uuid": id});
        if let Some(parent) = parent {
            body["parent_provider_uuid"] = json!(parent);
        }
        self.latest().post("/resource_providers", &body).await.expect(200);
        id
    }

    async fn generation(&self, id: &str) -> u64 {
        let answer = self.latest().get(&format!("/resource_providers/{id}")).await.expect(200);
        answer.json["generation"].as_u64().unwrap()
    }

    /// Replaces what a provider has, all of it in units of one.
    async fn stock(&self, id: &str, amounts: &[(&str, u64)]) {
        let of = |total: &u64| json!({"total": total, "max_unit": total});
        let inventories: serde_json::Map<String, Value> =
            amounts.iter().map(|(class, total)| ((*class).to_owned(), of(total))).collect();
        let generation = self.generation(id).await;
        let body = json!({"inventories": inventories, "resource_provider_generation": generation});
        let path = format!("/resource_providers/{id}/inventories");
        self.latest().put(&path, &body).await.expect(200);
    }

    /// Replaces the traits, and makes the custom ones.
    async fn traits(&self, id: &str, names: &[&str]) {
        for name in names.iter().filter(|name| name.starts_with("CUSTOM_")) {
            self.latest().put(&format!("/traits/{name}"), &Value::Null).await;
        }
        let generation = self.generation(id).await;
        let body = json!({"traits": names, "resource_provider_generation": generation});
        self.latest().put(&format!("/resource_providers/{id}/traits"), &body).await.expect(200);
    }

    async fn aggregates(&self, id: &str, aggregates: &[&str]) {
        let generation = self.generation(id).await;
        let body = json!({"aggregates": aggregates, "resource_provider_generation": generation});
        let path = format!("/resource_providers/{id}/aggregates");
        self.latest().put(&path, &body).await.expect(200);
    }

    /// Takes resources of one provider for a consumer that has none.
    async fn take(&self, consumer: &str, provider: &str, resources: Value) -> Answer {
        let body = claim(&[(provider, resources)], &json!(null));
        self.latest().put(&format!("/allocations/{consumer}"), &body).await
    }
}

/// The body of a claim in the latest form.
fn claim(wanted: &[(&str, Value)], generation: &Value) -> Value {
    let allocations: serde_json::Map<String, Value> = wanted
        .iter()
        .map(|(id, resources)| ((*id).to_owned(), json!({"resources": resources})))
        .collect();
    json!({
        "allocations": allocations,
        "project_id": "p",
        "user_id": "u",
        "consumer_generation": generation,
        "consumer_type": "INSTANCE",
    })
}

/// What a refusal says, and its code.
fn refusal(answer: &Answer) -> (&str, &str) {
    let error = &answer.json["errors"][0];
    (error["detail"].as_str().unwrap(), error["code"].as_str().unwrap())
}
