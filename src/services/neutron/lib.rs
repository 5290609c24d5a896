//! Neutron: networks, and what guests need on them.
//!
//! **What.** Networks v2.0 with the extensions of `model/extension.rs`, on Linux bridges, network
//! namespaces and nftables of this host.
//!
//! **Resources.** network, subnet, subnet pool, address scope, port, router, floating IP, security
//! group with its rules, RBAC policy, metering label with its rules, quota. Each is one const table in `model/` (names, columns,
//! defaults, checks, who sees it); the five verbs, filters, paging, tags and bulk creates come from
//! the table. States: a port is `DOWN` or `ACTIVE` as the dataplane reports it (`model/port.rs`), a
//! floating IP `ACTIVE` while it leads somewhere; the others are always `ACTIVE`.
//!
//! **Needs.** keystone for tokens, nova for what guests ask 169.254.169.254, a
//! [`drivers::Dataplane`].
//!
//! **Read.** `lib.rs` → `schema.sql` → `api/mod.rs` → `model/attribute.rs` → `logic/resources.rs`.
//!
//! **Upstream.** <https://docs.openstack.org/api-ref/network/v2/>
//!
//! **Not yet.** QoS, trunks, address groups, flavors, port forwarding, DNS integration,
//! several bindings of one port, tunnels to other hosts.

mod api;
mod config;
pub mod drivers;
mod error;
mod logic;
mod model;
mod policy;
mod quota;
mod store;
mod tasks;

use std::sync::Arc;

use async_trait::async_trait;
use axum::Router;
use stackup_contracts::Hub;
use stackup_core::{SharedClock, Time};
use stackup_flow::{Bus, Hint, Supervisor};
use stackup_policy::{Policy, Rule};
use stackup_store::{Db, StoreConfig};
use stackup_web::{Api, BootError, Depth, RouteInfo, Service, Task, dialects};

pub use config::{Config, Initial, Quota};
pub use error::Error;

/// The service.
pub struct Neutron {
    config: Arc<Config>,
    db: Db,
    policy: Arc<Policy>,
    hub: Hub,
    bus: Bus,
    clock: SharedClock,
    dataplane: Arc<dyn drivers::Dataplane>,
    /// Wakes the dataplane's task: the state is not what it was.
    changed: Hint,
    /// Whoever hands a topology to the dataplane holds this.
    turn: tokio::sync::Mutex<()>,
    started: Time,
}

/// What neutron is given by whoever composes the cloud.
pub struct Deps {
    pub clock: SharedClock,
    pub hub: Hub,
    pub bus: Bus,
    pub supervisor: Supervisor,
    pub store: StoreConfig,
    pub dataplane: Arc<dyn drivers::Dataplane>,
}

impl Neutron {
    /// Opens the store and becomes the one who answers the guests' metadata requests. Fails when
    /// the store cannot be opened or a rule does not parse.
    pub async fn new(config: Config, deps: Deps) -> Result<Arc<Self>, BootError> {
        let policy = Policy::new(&[policy::RULES], &config.policy)?;
        let db = Db::open("neutron", &deps.store, store::MIGRATIONS).await?;
        let door = logic::metadata::Door { db: db.clone(), hub: deps.hub.clone() };
        deps.dataplane.serve_metadata(Arc::new(door));
        Ok(Arc::new(Self {
            config: Arc::new(config),
            db,
            policy: Arc::new(policy),
            hub: deps.hub,
            bus: deps.bus,
            started: deps.clock.now(),
            clock: deps.clock,
            dataplane: deps.dataplane,
            changed: Hint::default(),
            turn: tokio::sync::Mutex::default(),
        }))
    }
}

#[async_trait]
impl Service for Neutron {
    fn codename(&self) -> &'static str {
        "neutron"
    }

    fn depth(&self) -> Depth {
        Depth::Deep
    }

    fn router(self: Arc<Self>) -> Router {
        Api {
            codename: "neutron",
            shape: Arc::new(dialects::Neutron),
            microversions: None,
            policy: Arc::clone(&self.policy),
            hub: self.hub.clone(),
            denied: error::denied,
        }
        .router(&self, api::routes())
    }

    fn routes(&self) -> Vec<RouteInfo> {
        api::routes().iter().map(stackup_web::Route::info).collect()
    }

    fn rules(&self) -> &'static [Rule] {
        policy::RULES
    }

    fn tasks(self: Arc<Self>) -> Vec<Task> {
        let hint = self.changed.clone();
        vec![Task { reconciler: Box::new(tasks::dataplane::Wires::new(self)), hint }]
    }

    async fn bootstrap(&self) -> Result<(), BootError> {
        Ok(self.make_initial().await?)
    }
}
