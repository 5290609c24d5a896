//! Placement: who offers how much of what, and who uses it.
//!
//! **What.** The scheduler's ledger. Nova asks for candidates, takes one by allocating, and gives
//! it back.
//!
//! **Resources.** Providers (in trees), inventories, traits, aggregates, consumers with their
//! allocations, and resource classes. There are no states: every write names the generation it
//! was read at, and is refused when that has passed.
//!
//! **Needs.** Identity, for tokens.
//!
//! **Upstream.** <https://docs.openstack.org/placement/latest/>, microversions 1.0 to 1.39.
//!
//! **Not yet.** Nothing of the API is left out.
//!
//! Read on in `schema.sql`, `api/mod.rs`, `model`, `logic`.

mod api;
mod config;
mod error;
mod logic;
mod model;
mod policy;
mod store;

use std::sync::Arc;

use async_trait::async_trait;
use axum::Router;
use stackup_contracts::Hub;
use stackup_core::SharedClock;
use stackup_policy::{Policy, Rule};
use stackup_store::{Migration, StoreConfig};
use stackup_web::{Api, BootError, Depth, Fault, RouteInfo, Service, dialects};

pub use config::Config;
pub use error::Error;

const MIGRATIONS: &[Migration] =
    &[Migration { name: "0001_init", sql: include_str!("migrations/0001_init.sql") }];

/// The service.
pub struct Placement {
    db: store::Store,
    clock: SharedClock,
    policy: Arc<Policy>,
    hub: Hub,
}

/// What it is built from.
pub struct Deps {
    pub clock: SharedClock,
    pub hub: Hub,
    pub store: StoreConfig,
}

impl Placement {
    /// Opens the state. Fails when it cannot be migrated, or a changed rule does not parse.
    pub async fn new(config: Config, deps: Deps) -> Result<Arc<Self>, BootError> {
        let db = store::Store::open(&deps.store, MIGRATIONS).await?;
        let policy = Arc::new(Policy::new(&[policy::RULES], &config.policy)?);
        Ok(Arc::new(Self { db, clock: deps.clock, policy, hub: deps.hub }))
    }
}

#[async_trait]
impl Service for Placement {
    fn codename(&self) -> &'static str {
        "placement"
    }

    fn depth(&self) -> Depth {
        Depth::Deep
    }

    fn router(self: Arc<Self>) -> Router {
        let api = Api {
            codename: "placement",
            shape: Arc::new(dialects::Placement),
            microversions: Some(api::MICROVERSIONS),
            policy: Arc::clone(&self.policy),
            hub: self.hub.clone(),
            denied: |denied| Fault::forbidden(format!("{} is disallowed by policy", denied.rule)),
        };
        api.router(&self, api::routes())
    }

    fn routes(&self) -> Vec<RouteInfo> {
        api::routes().iter().map(stackup_web::Route::info).collect()
    }

    fn rules(&self) -> &'static [Rule] {
        policy::RULES
    }
}
