//! Keystone through HTTP, with its own tokens and a real store.
#![allow(clippy::unwrap_used, reason = "a failed expectation is a failed test")]

mod catalog;
mod credentials;
mod delegation;
mod grants;
mod guards;
mod limits;
mod projects;
mod tokens;
mod users;

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use stackup_contracts::Hub;
use stackup_core::{Clock, ManualClock, Secret, Time};
use stackup_keystone::{CatalogEntry, Config, Deps, Keystone};
use stackup_store::StoreConfig;
use stackup_testing::{Answer, Client};
use stackup_web::Service;
use tempfile::TempDir;

const PASSWORD: &str = "open sesame";

/// A bootstrapped keystone whose clock stands still until it is moved.
struct Cloud {
    keystone: Arc<Keystone>,
    clock: Arc<ManualClock>,
    client: Client,
    /// As `admin` on the project `admin`.
    admin: Client,
    dir: TempDir,
}

fn config() -> Config {
    let entry = |kind: &str, name: &str, url: &str| CatalogEntry {
        kind: kind.to_owned(),
        name: name.to_owned(),
        url: url.to_owned(),
    };
    Config {
        admin_password: Secret::new(PASSWORD.to_owned()),
        service_password: Secret::new("service".to_owned()),
        bcrypt_rounds: 4,
        catalog: vec![
            entry("identity", "keystone", "/identity"),
            entry("compute", "nova", "/compute/v2.1"),
            entry("object-store", "swift", "/object-store/v1/AUTH_$(project_id)s"),
        ],
        ..Config::default()
    }
}

impl Cloud {
    async fn new() -> Self {
        Self::with(config()).await
    }

    async fn with(config: Config) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let clock = Arc::new(ManualClock::at(Time::from_unix(1_800_000_000)));
        Self::open(config, dir, clock).await
    }

    async fn open(config: Config, dir: TempDir, clock: Arc<ManualClock>) -> Self {
        let hub = Hub::default();
        let deps = Deps {
            clock: clock.clone(),
            hub: hub.clone(),
            bus: stackup_flow::Bus::default(),
            store: StoreConfig::Sqlite { path: dir.path().join("keystone.db") },
            keys: dir.path().to_owned(),
        };
        let keystone = Keystone::new(config, deps).await.unwrap();
        hub.set_identity(keystone.clone());
        keystone.bootstrap().await.unwrap();
        let client = Client::new(keystone.clone().router());
        let token = log_in(&client, "admin", json!({"project": named("admin")})).await;
        let admin = client.with_token(&token);
        Self { keystone, clock, client, admin, dir }
    }

    fn advance(&self, seconds: u64) {
        self.clock.advance(Duration::from_secs(seconds));
    }

    fn now(&self) -> Time {
        self.clock.now()
    }

    /// As a user of the default domain on a project of it.
    async fn user_on(&self, user: &str, project: &str) -> Client {
        self.client_of(user, json!({"project": named(project)})).await
    }

    async fn client_of(&self, user: &str, scope: Value) -> Client {
        self.client.with_token(&log_in(&self.client, user, scope).await)
    }

    /// The id of the only thing of a collection with the name.
    async fn id_of(&self, collection: &str, name: &str) -> String {
        let answer = self.admin.get(&format!("/v3/{collection}?name={name}")).await.expect(200);
        let found = answer.json[collection].as_array().unwrap().clone();
        assert_eq!(found.len(), 1, "{collection} named {name}: {found:?}");
        found[0]["id"].as_str().unwrap().to_owned()
    }

    /// Makes something and answers its id.
    async fn make(&self, collection: &str, kind: &str, fields: Value) -> String {
        let body = json!({ kind: fields });
        let answer = self.admin.post(&format!("/v3/{collection}"), &body).await.expect(201);
        answer.json[kind]["id"].as_str().unwrap().to_owned()
    }

    /// Makes a user who can log in with [`PASSWORD`].
    async fn make_user(&self, name: &str) -> String {
        self.make("users", "user", json!({"name": name, "password": PASSWORD})).await
    }

    async fn grant(&self, user: &str, role: &str, place: &str) {
        let role = self.id_of("roles", role).await;
        let path = format!("/v3/{place}/users/{user}/roles/{role}");
        self.admin.put(&path, &json!({})).await.expect(204);
    }
}

/// A name in the default domain.
fn named(name: &str) -> Value {
    json!({"name": name, "domain": {"id": "default"}})
}

/// The request for a token by password; `Value::Null` asks for no scope.
fn by_password(user: &str, password: &str, scope: Value) -> Value {
    let user = json!({"name": user, "domain": {"id": "default"}, "password": password});
    let mut auth = json!({"identity": {"methods": ["password"], "password": {"user": user}}});
    if scope != Value::Null {
        auth["scope"] = scope;
    }
    json!({ "auth": auth })
}

async fn authenticate(client: &Client, request: &Value) -> Answer {
    client.post("/v3/auth/tokens", request).await
}

async fn log_in(client: &Client, user: &str, scope: Value) -> String {
    let answer = authenticate(client, &by_password(user, PASSWORD, scope)).await.expect(201);
    answer.header("x-subject-token").unwrap().to_owned()
}

/// The ids of a list, to compare.
fn ids(answer: &Answer, collection: &str) -> Vec<String> {
    let all = answer.json[collection].as_array().unwrap();
    all.iter().map(|item| item["id"].as_str().unwrap().to_owned()).collect()
}

fn golden(name: &str, body: &Value) {
    let dir = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/golden");
    stackup_testing::golden(format!("{dir}/{name}.json"), body);
}
