//! Glance: images of disks, kernels and ramdisks, and who may use them.
//!
//! **Resources**: images (`queued → saving → active ⇄ deactivated`, or by import; see
//! `model/image.rs`), their members and tags, tasks.
//! **Needs**: identity, to know who owns what is there from the first day.
//! **Upstream**: <https://docs.openstack.org/api-ref/image/v2/>, 2.0 to 2.18.
//! **Not yet**: metadata definitions beyond their schemas, the cache, several stores, `copy-image`
//! and `glance-download`, downloads from https.
//!
//! Data is in files, one an image (`drivers/files.rs`); what a file really is decides
//! `model/inspect`, before anybody can use it. Read on in this order: `schema.sql`, `api/mod.rs`,
//! `model`, `logic`.

mod api;
mod config;
mod drivers;
mod error;
mod logic;
mod model;
mod policy;
mod quota;
mod store;
mod tasks;

use std::collections::HashSet;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use axum::Router;
use stackup_contracts::Hub;
use stackup_core::SharedClock;
use stackup_flow::{Hint, Supervisor};
use stackup_policy::{Policy, Rule};
use stackup_store::{Db, StoreConfig};
use stackup_web::{Api, BootError, Depth, RouteInfo, Service, Task, dialects};

use drivers::files::Files;
use drivers::web::Web;

pub use config::{Config, Limits, SeedImage, WebDownload};
pub use error::Error;
pub use store::MIGRATIONS;

/// The service. Its state is in the store and the files; this is shared by every request.
pub struct Glance {
    config: Config,
    db: Db,
    files: Files,
    web: Web,
    policy: Arc<Policy>,
    hub: Hub,
    clock: SharedClock,
    supervisor: Supervisor,
    /// The images whose data some task of this process is at work on.
    busy: Mutex<HashSet<String>>,
    /// Wakes the reaper.
    reap: Hint,
}

/// What it is given by whoever composes the cloud.
pub struct Deps {
    pub clock: SharedClock,
    pub hub: Hub,
    pub supervisor: Supervisor,
    pub store: StoreConfig,
}

impl Glance {
    /// Opens the store and the directory of files. Fails when either cannot be had, or a rule does
    /// not parse.
    pub async fn new(config: Config, deps: Deps) -> Result<Arc<Self>, BootError> {
        let policy = Policy::new(&[policy::RULES], &config.policy)?;
        Ok(Arc::new(Self {
            db: Db::open("glance", &deps.store, MIGRATIONS).await?,
            files: Files::open(&config.data_dir)?,
            web: Web::new(config.web_download.clone())?,
            policy: Arc::new(policy),
            hub: deps.hub,
            clock: deps.clock,
            supervisor: deps.supervisor,
            busy: Mutex::default(),
            reap: Hint::default(),
            config,
        }))
    }
}

#[async_trait]
impl Service for Glance {
    fn codename(&self) -> &'static str {
        "glance"
    }

    fn depth(&self) -> Depth {
        Depth::Deep
    }

    fn router(self: Arc<Self>) -> Router {
        let api = Api {
            codename: "glance",
            shape: Arc::new(dialects::Glance),
            microversions: None,
            policy: Arc::clone(&self.policy),
            hub: self.hub.clone(),
            denied: error::denied,
        };
        api.router(&self, api::routes())
    }

    fn routes(&self) -> Vec<RouteInfo> {
        api::routes().iter().map(stackup_web::Route::info).collect()
    }

    fn rules(&self) -> &'static [Rule] {
        policy::RULES
    }

    fn tasks(self: Arc<Self>) -> Vec<Task> {
        let hint = self.reap.clone();
        vec![Task { reconciler: Box::new(tasks::reap::Reap(self)), hint }]
    }

    /// Ends what an earlier process left half done, and registers the configured images.
    async fn bootstrap(&self) -> Result<(), BootError> {
        self.recover().await?;
        self.seed().await?;
        Ok(())
    }
}
