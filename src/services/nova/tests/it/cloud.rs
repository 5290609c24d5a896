//! Nova with the fake driver and stubs around it.

use std::path::Path;
use std::sync::Arc;

use serde_json::{Value, json};
use stackup_contracts::Hub;
use stackup_core::{SharedClock, SystemClock};
use stackup_flow::{Bus, Supervisor};
use stackup_nova::drivers::fake::{FakeConfig, FakeDriver};
use stackup_nova::{Config, Deps, Nova};
use stackup_store::StoreConfig;
use stackup_testing::{Answer, Client, StubIdentity, wait_for};
use stackup_web::Service;

use crate::stubs::{IMAGE, NETWORK, StubImages, StubNetworks, StubPlacement};

pub(crate) struct Cloud {
    pub nova: Arc<Nova>,
    pub driver: Arc<FakeDriver>,
    pub images: Arc<StubImages>,
    pub networks: Arc<StubNetworks>,
    pub placement: Arc<StubPlacement>,
    pub supervisor: Supervisor,
    /// The project's member and the administrator, of the newest version.
    pub member: Client,
    pub admin: Client,
    pub dir: Arc<tempfile::TempDir>,
}

/// What outlives a restart.
pub(crate) struct Around {
    pub images: Arc<StubImages>,
    pub networks: Arc<StubNetworks>,
    pub placement: Arc<StubPlacement>,
    pub dir: Arc<tempfile::TempDir>,
}

impl Around {
    pub(crate) fn new() -> Self {
        Self {
            images: Arc::new(StubImages::new()),
            networks: Arc::default(),
            placement: Arc::default(),
            dir: Arc::new(tempfile::tempdir().unwrap()),
        }
    }
}

impl Cloud {
    pub(crate) async fn new() -> Self {
        Self::with(FakeConfig::of(2, 64, 64 * 1024, 1000)).await
    }

    pub(crate) async fn with(driver: FakeConfig) -> Self {
        let driver = Arc::new(FakeDriver::new(driver));
        Self::start(Around::new(), driver, "boot-1").await
    }

    /// A process: `boot` is the host's boot id.
    pub(crate) async fn start(around: Around, driver: Arc<FakeDriver>, boot: &str) -> Self {
        let clock: SharedClock = Arc::new(SystemClock);
        Self::start_at(around, driver, boot, clock).await
    }

    pub(crate) async fn start_at(
        around: Around,
        driver: Arc<FakeDriver>,
        boot: &str,
        clock: SharedClock,
    ) -> Self {
        let hub = Hub::default();
        hub.set_identity(Arc::new(StubIdentity));
        hub.set_images(around.images.clone());
        hub.set_networks(around.networks.clone());
        hub.set_placement(around.placement.clone());
        let supervisor = Supervisor::default();
        let nova =
            build(around.dir.path(), hub, supervisor.clone(), driver.clone(), boot, clock).await;
        nova.bootstrap().await.unwrap();
        let router = nova.clone().router();
        let client = |token: &str| {
            Client::new(router.clone())
                .with_token(token)
                .with_header("openstack-api-version", "compute 2.100")
        };
        Self {
            member: client("member@p"),
            admin: client("admin@p"),
            nova,
            driver,
            images: around.images,
            networks: around.networks,
            placement: around.placement,
            supervisor,
            dir: around.dir,
        }
    }

    /// The reconcilers run, as in a real process.
    pub(crate) fn run_tasks(&self) {
        for task in self.nova.clone().tasks() {
            self.supervisor.reconcile(task.reconciler, task.hint);
        }
    }

    /// What a restart finds.
    pub(crate) fn around(&self) -> Around {
        Around {
            images: self.images.clone(),
            networks: self.networks.clone(),
            placement: self.placement.clone(),
            dir: self.dir.clone(),
        }
    }

    /// Asks for a server; `more` is laid over the request.
    pub(crate) async fn ask(&self, client: &Client, name: &str, more: Value) -> Answer {
        let mut server = json!({
            "name": name, "flavorRef": "42", "imageRef": IMAGE, "networks": [{"uuid": NETWORK}]
        });
        if let (Some(server), Value::Object(more)) = (server.as_object_mut(), more) {
            server.extend(more);
        }
        client.post("/v2.1/servers", &json!({"server": server})).await
    }

    /// A server that is ACTIVE; gives its id.
    pub(crate) async fn server(&self, name: &str) -> String {
        self.server_with(name, json!({})).await
    }

    pub(crate) async fn server_with(&self, name: &str, more: Value) -> String {
        let answer = self.ask(&self.member, name, more).await.expect(202);
        let id = answer.json["server"]["id"].as_str().unwrap().to_owned();
        self.until(&id, "ACTIVE").await;
        id
    }

    pub(crate) async fn show(&self, id: &str) -> Value {
        self.admin.get(&format!("/v2.1/servers/{id}")).await.expect(200).json["server"].clone()
    }

    /// Waits until the server shows as `status` and nothing is being done to it.
    pub(crate) async fn until(&self, id: &str, status: &str) -> Value {
        wait_for(&format!("{id} {status}"), 10, || async {
            let view = self.show(id).await;
            let there = view["status"] == status && view["OS-EXT-STS:task_state"].is_null();
            assert!(status == "ERROR" || view["status"] != "ERROR", "{}", view["fault"]);
            there.then_some(view)
        })
        .await
    }

    pub(crate) async fn gone(&self, id: &str) {
        wait_for(&format!("{id} gone"), 10, || async {
            let answer = self.admin.get(&format!("/v2.1/servers/{id}")).await;
            (answer.status == 404).then_some(())
        })
        .await;
    }

    pub(crate) async fn act(&self, id: &str, body: Value) -> Answer {
        self.member.post(&format!("/v2.1/servers/{id}/action"), &body).await
    }

    /// Ends the process without a goodbye: what runs is dropped where it is.
    pub(crate) async fn kill(self) -> Around {
        let around = self.around();
        self.supervisor.stop(std::time::Duration::ZERO).await;
        around
    }
}

async fn build(
    dir: &Path,
    hub: Hub,
    supervisor: Supervisor,
    driver: Arc<FakeDriver>,
    boot: &str,
    clock: SharedClock,
) -> Arc<Nova> {
    let config =
        Config { host: "controller".into(), spool: dir.join("spool"), ..Config::default() };
    let deps = Deps {
        clock,
        hub,
        bus: Bus::default(),
        supervisor,
        store: StoreConfig::Sqlite { path: dir.join("nova.db") },
        driver,
        boot_id: boot.into(),
    };
    Nova::new(config, deps).await.unwrap()
}

/// Another version of the same client.
pub(crate) fn at(client: &Client, version: &str) -> Client {
    client.with_header("openstack-api-version", &format!("compute {version}"))
}
