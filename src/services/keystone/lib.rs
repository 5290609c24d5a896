//! Keystone: who is who, who may what, and where everything is.
//!
//! *What.* Identity API v3.14 below `/v3`: Fernet tokens, the catalog, and the people and projects
//! behind them.
//!
//! *Resources.* Domains and projects (one tree), users with passwords, groups, roles (implied,
//! domain-specific), assignments (inherited too), regions, services, endpoints, credentials, EC2
//! keys, application credentials with access rules, trusts, policies, limits. None has states; what makes a
//! token good is checked against the rows whenever something changed, so a revocation is seen by the
//! next request.
//!
//! *Needs.* No other service. A directory for its keys.
//!
//! *Read on.* `schema.sql`, `api/mod.rs` (the table), `model`, `logic`.
//!
//! *Upstream.* openstack/keystone: `keystone/api`, `keystone/{identity,assignment,resource,token}`.
//!
//! *Not yet.* OAuth, federation, domain configuration, endpoint groups and policy
//! associations answer 404; receipts of multi-factor logins are not issued.

mod api;
mod config;
mod drivers;
mod error;
mod logic;
mod model;
mod policy;
mod store;
mod tasks;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use axum::Router;
use axum::extract::Request;
use stackup_contracts::Hub;
use stackup_core::{SharedClock, Time};
use stackup_flow::{Bus, Hint};
use stackup_policy::{Policy, Rule};
use stackup_store::{Db, Reader, StoreConfig, Tx};
use stackup_web::{Api, BootError, Depth, RouteInfo, Service, Task, dialects};
use tower::ServiceExt;

pub use config::{CatalogEntry, Compliance, Config};

use drivers::keys::KeyRing;
use error::Error;
use logic::passwords::Passwords;
use logic::tokens::TokenCache;

/// What the service is built from.
pub struct Deps {
    pub clock: SharedClock,
    pub hub: Hub,
    pub bus: Bus,
    pub store: StoreConfig,
    /// Where the keys are: `fernet-keys` and `credential-keys` are made in it.
    pub keys: PathBuf,
}

/// The service.
pub struct Keystone {
    config: Config,
    clock: SharedClock,
    hub: Hub,
    bus: Bus,
    db: Db,
    policy: Arc<Policy>,
    token_keys: KeyRing,
    credential_keys: KeyRing,
    passwords: Passwords,
    tokens: TokenCache,
    /// Goes up with every change of what a token may depend on.
    generation: AtomicU64,
}

impl Keystone {
    /// Opens the state and the keys.
    ///
    /// Fails when either cannot be used, or the operator's policy does not parse.
    pub async fn new(config: Config, deps: Deps) -> Result<Arc<Self>, BootError> {
        let db = Db::open("keystone", &deps.store, store::MIGRATIONS).await?;
        let policy = Policy::new(&[policy::RULES], &config.policy)?;
        Ok(Arc::new(Self {
            token_keys: KeyRing::open(&deps.keys.join("fernet-keys"))?,
            credential_keys: KeyRing::open(&deps.keys.join("credential-keys"))?,
            passwords: Passwords::new(config.bcrypt_rounds, config.max_password_length),
            tokens: TokenCache::default(),
            generation: AtomicU64::new(0),
            policy: Arc::new(policy),
            clock: deps.clock,
            hub: deps.hub,
            bus: deps.bus,
            config,
            db,
        }))
    }

    fn now(&self) -> Time {
        self.clock.now()
    }

    /// Runs a write on which tokens may depend; whoever authenticates after it sees it.
    async fn write<T, F>(&self, work: F) -> Result<T, Error>
    where
        F: Fn(&mut Tx<'_>) -> Result<T, Error> + Send + 'static,
        T: Send + 'static,
    {
        let result = self.db.write(work).await;
        self.generation.fetch_add(1, Ordering::SeqCst);
        result
    }

    async fn read<T, F>(&self, work: F) -> Result<T, Error>
    where
        F: FnOnce(&Reader<'_>) -> Result<T, Error> + Send + 'static,
        T: Send + 'static,
    {
        self.db.read(work).await
    }

    /// Runs a read of many rows, on a thread of its own.
    async fn scan<T, F>(&self, work: F) -> Result<T, Error>
    where
        F: FnOnce(&Reader<'_>) -> Result<T, Error> + Send + 'static,
        T: Send + 'static,
    {
        self.db.scan(work).await
    }
}

fn without_trailing_slash(mut request: Request) -> Request {
    let uri = request.uri();
    let path = uri.path().trim_end_matches('/');
    if path.is_empty() || path.len() == uri.path().len() {
        return request;
    }
    let bare = match uri.query() {
        Some(query) => format!("{path}?{query}"),
        None => path.to_owned(),
    };
    if let Ok(bare) = bare.parse() {
        *request.uri_mut() = bare;
    }
    request
}

#[async_trait]
impl Service for Keystone {
    fn codename(&self) -> &'static str {
        "keystone"
    }

    fn depth(&self) -> Depth {
        Depth::Whole
    }

    fn router(self: Arc<Self>) -> Router {
        let api = Api {
            codename: "keystone",
            shape: Arc::new(dialects::Keystone),
            microversions: None,
            policy: Arc::clone(&self.policy),
            hub: self.hub.clone(),
            denied: error::denied,
        };
        let inner = api.router(&self, api::routes());
        // Keystone takes `/v3/users/` for `/v3/users`, and some clients write it so.
        Router::new().fallback_service(inner.map_request(without_trailing_slash))
    }

    fn routes(&self) -> Vec<RouteInfo> {
        api::routes().iter().map(stackup_web::Route::info).collect()
    }

    fn rules(&self) -> &'static [Rule] {
        policy::RULES
    }

    fn tasks(self: Arc<Self>) -> Vec<Task> {
        vec![
            Task {
                reconciler: Box::new(tasks::rotate_keys::RotateKeys(Arc::clone(&self))),
                hint: Hint::default(),
            },
            Task {
                reconciler: Box::new(tasks::purge_tokens::PurgeTokens(self)),
                hint: Hint::default(),
            },
        ]
    }

    async fn bootstrap(&self) -> Result<(), BootError> {
        logic::bootstrap::run(self).await
    }
}
