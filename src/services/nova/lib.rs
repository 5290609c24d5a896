//! Nova: servers on hypervisors.
//!
//! **What.** The compute API 2.1 to 2.104: a user asks for a server, nova finds a host with room,
//! makes ports and disks, and has the driver start a guest; after that it keeps the record and the
//! guest in step.
//!
//! **Resources.** Servers ([`model::server`], states in [`model::state`]), flavors, key pairs,
//! server groups, quotas, aggregates, hypervisors and services, the log of actions, migrations.
//!
//! **Needs.** Keystone (tokens, projects), glance (images), placement (room), neutron (ports); a
//! driver, [`drivers`]. It answers guests' metadata through [`stackup_contracts::Compute`].
//!
//! **Upstream.** <https://docs.openstack.org/api-ref/compute/>, openstack/nova.
//!
//! **Not yet.** Volumes (they come with cinder), consoles by VNC, live migration and evacuation,
//! deferred deletion, shares.
//!
//! Read on: `schema.sql`, `api/mod.rs`, `model/state.rs`, `logic/flows/create.rs`.

mod api;
pub mod config;
pub mod drivers;
pub mod error;
mod logic;
pub mod model;
pub mod policy;
pub mod quota;
mod store;
mod tasks;

use std::sync::Arc;

use async_trait::async_trait;
use axum::Router;
use stackup_contracts::Hub;
use stackup_core::{Ctx, SharedClock, Time};
use stackup_flow::{Bus, Hint, Supervisor};
use stackup_policy::{Policy, Rule};
use stackup_store::{Db, StoreConfig};
use stackup_web::{BootError, Depth, RouteInfo, Service, Task};
use tokio::sync::{Mutex, Semaphore};

pub use config::Config;
pub use error::Error;
pub use logic::plug::Plugger;

use drivers::ComputeDriver;
use logic::work::Running;

/// What nova is given to work with.
pub struct Deps {
    pub clock: SharedClock,
    pub hub: Hub,
    pub bus: Bus,
    pub supervisor: Supervisor,
    pub store: StoreConfig,
    pub driver: Arc<dyn ComputeDriver>,
    /// Changes with every boot of the host (`/proc/sys/kernel/random/boot_id`).
    pub boot_id: String,
}

/// The service.
pub struct Nova {
    pub(crate) config: Config,
    pub(crate) clock: SharedClock,
    pub(crate) hub: Hub,
    pub(crate) bus: Bus,
    pub(crate) supervisor: Supervisor,
    pub(crate) db: Db,
    pub(crate) policy: Arc<Policy>,
    pub(crate) driver: Arc<dyn ComputeDriver>,
    pub(crate) boot_id: String,
    /// What is being done to servers in this process.
    pub(crate) running: Running,
    /// Builds at a time.
    pub(crate) builds: Arc<Semaphore>,
    /// Held while a member of a group gets its host, so that two never miss each other.
    pub(crate) placing: Mutex<()>,
    pub(crate) power_hint: Hint,
    pub(crate) unfinished_hint: Hint,
}

impl Nova {
    /// Opens the store. Fails when it cannot be read, or an operator's policy does not parse.
    pub async fn new(config: Config, deps: Deps) -> Result<Arc<Self>, BootError> {
        let db = Db::open("nova", &deps.store, store::MIGRATIONS).await?;
        let policy = Policy::new(&[policy::RULES], &config.policy)?;
        let builds = Arc::new(Semaphore::new(config.max_builds.max(1)));
        Ok(Arc::new(Self {
            config,
            clock: deps.clock,
            hub: deps.hub,
            bus: deps.bus,
            supervisor: deps.supervisor,
            db,
            policy: Arc::new(policy),
            driver: deps.driver,
            boot_id: deps.boot_id,
            running: Running::default(),
            builds,
            placing: Mutex::new(()),
            power_hint: Hint::default(),
            unfinished_hint: Hint::default(),
        }))
    }

    pub(crate) fn now(&self) -> Time {
        self.clock.now()
    }

    /// Work of nova's own, under a request id of its own.
    pub(crate) fn task_cx(&self) -> Ctx {
        Ctx::task("nova", self.now())
    }
}

#[async_trait]
impl Service for Nova {
    fn codename(&self) -> &'static str {
        "nova"
    }

    fn depth(&self) -> Depth {
        Depth::Deep
    }

    fn router(self: Arc<Self>) -> Router {
        api::router(&self)
    }

    fn routes(&self) -> Vec<RouteInfo> {
        api::routes().iter().map(stackup_web::Route::info).collect()
    }

    fn rules(&self) -> &'static [Rule] {
        policy::RULES
    }

    fn tasks(self: Arc<Self>) -> Vec<Task> {
        tasks::all(&self)
    }

    async fn bootstrap(&self) -> Result<(), BootError> {
        logic::bootstrap::run(self).await
    }
}
