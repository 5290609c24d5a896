//! Glance through its HTTP API, on a real database and real files.

#![allow(clippy::unwrap_used, reason = "a failed expectation is a failed test")]

mod data;
mod guards;
mod images;
mod imports;
mod lists;
mod members;
mod port;
mod restart;
mod wire;

use std::path::Path;
use std::sync::Arc;

use axum::body::Body;
use http::Method;
use serde_json::{Value, json};
use stackup_contracts::Hub;
use stackup_core::SystemClock;
use stackup_flow::Supervisor;
use stackup_glance::{Config, Deps, Glance};
use stackup_store::StoreConfig;
use stackup_testing::{Answer, Client, StubIdentity};
use stackup_web::Service;
use tempfile::TempDir;

/// A glance of its own, and its callers.
struct Cloud {
    dir: TempDir,
    glance: Arc<Glance>,
    supervisor: Supervisor,
    nobody: Client,
}

async fn cloud() -> Cloud {
    cloud_with(|_, _| {}).await
}

async fn cloud_with(set: impl FnOnce(&mut Config, &Path)) -> Cloud {
    let dir = TempDir::new().unwrap();
    let mut config =
        Config { data_dir: dir.path().join("glance"), reap_after: 0, ..Config::default() };
    set(&mut config, dir.path());
    start(dir, config).await
}

async fn start(dir: TempDir, config: Config) -> Cloud {
    let hub = Hub::default();
    hub.set_identity(Arc::new(StubIdentity));
    let supervisor = Supervisor::default();
    let deps = Deps {
        clock: Arc::new(SystemClock),
        hub,
        supervisor: supervisor.clone(),
        store: StoreConfig::Sqlite { path: dir.path().join("glance.db") },
    };
    let glance = Glance::new(config, deps).await.unwrap();
    glance.bootstrap().await.unwrap();
    let nobody = Client::new(Arc::clone(&glance).router());
    Cloud { dir, glance, supervisor, nobody }
}

impl Cloud {
    fn as_(&self, token: &str) -> Client {
        self.nobody.with_token(token)
    }

    fn member(&self) -> Client {
        self.as_("member@p")
    }

    fn admin(&self) -> Client {
        self.as_("admin@admin")
    }

    /// The files in a directory of the store.
    fn files(&self, directory: &str) -> Vec<String> {
        let path = self.dir.path().join("glance").join(directory);
        let entries = std::fs::read_dir(path).unwrap();
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }
}

/// A raw image in the queue.
async fn queued(client: &Client) -> String {
    let body = json!({"name": "i", "disk_format": "raw", "container_format": "bare"});
    let answer = client.post("/v2/images", &body).await.expect(201);
    id(&answer.json)
}

/// A raw image with data, with these properties.
async fn active(client: &Client, more: Value) -> String {
    let mut body = json!({"name": "i", "disk_format": "raw", "container_format": "bare"});
    let more = more.as_object().unwrap().clone();
    body.as_object_mut().unwrap().extend(more);
    let answer = client.post("/v2/images", &body).await.expect(201);
    let id = id(&answer.json);
    upload(client, &id, b"some data").await.expect(204);
    id
}

fn id(view: &Value) -> String {
    view["id"].as_str().unwrap().to_owned()
}

async fn upload(client: &Client, id: &str, data: &[u8]) -> Answer {
    put_bytes(client, &format!("/v2/images/{id}/file"), data).await
}

async fn put_bytes(client: &Client, path: &str, data: &[u8]) -> Answer {
    let client = client.with_header("content-type", "application/octet-stream");
    client.send(Method::PUT, path, Body::from(data.to_vec())).await
}

async fn show(client: &Client, id: &str) -> Value {
    client.get(&format!("/v2/images/{id}")).await.expect(200).json
}

async fn patch(client: &Client, id: &str, changes: Value) -> Answer {
    let kind = "application/openstack-images-v2.1-json-patch";
    let client = client.with_header("content-type", kind);
    client.patch(&format!("/v2/images/{id}"), &changes).await
}

/// A qcow2 header of a disk of 1 GiB; `backing` is the offset of a backing file's name.
fn qcow2(backing: u64) -> Vec<u8> {
    let mut bytes = vec![0; 4096];
    bytes[..4].copy_from_slice(b"QFI\xfb");
    bytes[4..8].copy_from_slice(&3_u32.to_be_bytes());
    bytes[8..16].copy_from_slice(&backing.to_be_bytes());
    bytes[20..24].copy_from_slice(&16_u32.to_be_bytes());
    bytes[24..32].copy_from_slice(&(1_u64 << 30).to_be_bytes());
    bytes
}
