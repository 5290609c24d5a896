//! Neutron through HTTP, over a real store and the dataplane that only remembers.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a failed expectation is a failed test"
)]

mod basics;
mod floating_ips;
mod guards;
mod lists;
mod metering;
mod networks;
mod others;
mod ports;
mod routers;
mod security_groups;
mod subnets;

use std::sync::Arc;

use serde_json::{Value, json};
use stackup_contracts::{Hub, Networks};
use stackup_core::{Ctx, ManualClock, Origin, SharedClock, Time};
use stackup_flow::{Bus, Supervisor};
use stackup_neutron::drivers::NullDataplane;
use stackup_neutron::{Config, Deps, Neutron};
use stackup_store::StoreConfig;
use stackup_testing::{Answer, Client, StubIdentity};
use stackup_web::Service;

/// One neutron with nothing around it.
struct Cloud {
    neutron: Arc<Neutron>,
    dataplane: Arc<NullDataplane>,
    bus: Bus,
    hub: Hub,
    clock: SharedClock,
    /// An administrator, of the project `admin`.
    admin: Client,
    /// A member of the project `demo`.
    demo: Client,
    _dir: tempfile::TempDir,
}

impl Cloud {
    /// Without the networks of day one.
    async fn new() -> Self {
        Self::with(Config { initial: None, ..Config::default() }).await
    }

    async fn with(config: Config) -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let dataplane = Arc::new(NullDataplane::new());
        let clock: SharedClock = Arc::new(ManualClock::at(Time::from_unix(1_790_000_000)));
        let (hub, bus) = (Hub::default(), Bus::default());
        hub.set_identity(Arc::new(StubIdentity));
        let deps = Deps {
            clock: Arc::clone(&clock),
            hub: hub.clone(),
            bus: bus.clone(),
            supervisor: Supervisor::default(),
            store: StoreConfig::Sqlite { path: dir.path().join("neutron.db") },
            dataplane: dataplane.clone(),
        };
        let neutron = Neutron::new(config, deps).await.expect("neutron");
        neutron.bootstrap().await.expect("day one");
        let client = Client::new(Arc::clone(&neutron).router());
        Self {
            admin: client.with_token("admin@admin"),
            demo: client.with_token("member@demo"),
            neutron,
            dataplane,
            bus,
            hub,
            clock,
            _dir: dir,
        }
    }

    /// A member of another project.
    fn other(&self) -> Client {
        self.demo.with_token("member@other")
    }

    /// Lets the task that keeps the dataplane run once.
    async fn settle(&self) {
        for mut task in Arc::clone(&self.neutron).tasks() {
            let report = task.reconciler.activate().await;
            assert_eq!(report.failed, Vec::<String>::new());
        }
    }

    /// The circumstances of a call from nova for a member of `demo`.
    fn cx(&self) -> Ctx {
        let caller = stackup_testing::caller("member@demo").expect("a caller");
        Ctx {
            caller: Arc::new(caller),
            origin: Origin::Api,
            ..Ctx::service("nova", "req-test".into(), self.clock.now())
        }
    }

    fn networks(&self) -> &dyn Networks {
        &*self.neutron
    }
}

/// Posts one resource and gives it back.
async fn make(client: &Client, path: &str, name: &str, fields: Value) -> Value {
    let answer = client.post(&format!("/v2.0/{path}"), &json!({ name: fields })).await;
    answer.expect(201).json[name].clone()
}

async fn network(client: &Client, name: &str) -> Value {
    make(client, "networks", "network", json!({"name": name})).await
}

async fn subnet(client: &Client, network: &Value, cidr: &str) -> Value {
    let fields = json!({"network_id": network["id"], "ip_version": 4, "cidr": cidr});
    make(client, "subnets", "subnet", fields).await
}

async fn port(client: &Client, network: &Value) -> Value {
    make(client, "ports", "port", json!({"network_id": network["id"]})).await
}

/// An external network with a subnet.
async fn outside(cloud: &Cloud) -> Value {
    let fields = json!({"name": "public", "router:external": true});
    let network = make(&cloud.admin, "networks", "network", fields).await;
    let fields = json!({"network_id": network["id"], "ip_version": 4, "cidr": "172.24.4.0/24",
        "enable_dhcp": false});
    make(&cloud.admin, "subnets", "subnet", fields).await;
    network
}

fn id(resource: &Value) -> &str {
    resource["id"].as_str().expect("an id")
}

/// The only address of a port.
fn address(port: &Value) -> &str {
    port["fixed_ips"][0]["ip_address"].as_str().expect("an address")
}

trait Refusal {
    /// Asserts a fault's status and type.
    fn refused(self, status: u16, kind: &str) -> String;
}

impl Refusal for Answer {
    #[track_caller]
    fn refused(self, status: u16, kind: &str) -> String {
        let answer = self.expect(status);
        assert_eq!(answer.json["NeutronError"]["type"], kind, "{}", answer.json);
        answer.json["NeutronError"]["message"].as_str().unwrap_or_default().to_owned()
    }
}
