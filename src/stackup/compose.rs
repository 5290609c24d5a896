//! The composition root: from a profile to a cloud that answers. Reads like a story.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use stackup_contracts::Hub;
use stackup_core::{Secret, SharedClock, SystemClock};
use stackup_flow::{Bus, Supervisor};
use stackup_glance::Glance;
use stackup_keystone::{CatalogEntry, Keystone};
use stackup_neutron::Neutron;
use stackup_nova::Nova;
use stackup_placement::Placement;
use stackup_profile::{Engine, Profile};
use stackup_store::StoreConfig;
use stackup_web::trace::Ring;
use stackup_web::{BootError, Service};

use crate::admin::{self, About, Admin, ServiceStatus};
use crate::catalog::{self, CatalogError, ServiceKind};
use crate::credentials::Credentials;
use crate::listen::{self, BindError, Bound, Mounts};
use crate::{drivers, images};

/// How long running work may take to end.
const STOP_DEADLINE: Duration = Duration::from_secs(10);

/// A running cloud.
pub struct Cloud {
    pub supervisor: Supervisor,
    pub about: About,
    dataplane: Option<Arc<dyn stackup_neutron::drivers::Dataplane>>,
    socket: PathBuf,
}

/// Why a cloud did not come up.
#[derive(Debug, thiserror::Error)]
pub enum ComposeError {
    #[error(transparent)]
    Catalog(#[from] CatalogError),
    #[error(transparent)]
    Bind(#[from] BindError),
    #[error("the settings of {service} cannot be used: {source}")]
    Settings {
        service: &'static str,
        #[source]
        source: serde_json::Error,
    },
    #[error("{service} did not come up")]
    Service {
        service: &'static str,
        #[source]
        source: BootError,
    },
    #[error("the state directory {path} cannot be used")]
    State {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
}

impl Cloud {
    /// Brings the cloud up: answers when every API does.
    pub async fn start(
        profile: &Profile,
        state_dir: &Path,
        credentials: &Credentials,
        ring: Ring,
    ) -> Result<Self, ComposeError> {
        let kinds = catalog::chosen(&profile.services)?;

        // Sockets before work: a taken port is found at once, early clients wait in the queue.
        let bounds = bind_all(profile, &kinds)?;
        let main = bounds[0].address;
        let auth_url = auth_url(main);
        let socket = state_dir.join(admin::SOCKET);
        let operator = admin::bind(state_dir)
            .map_err(|source| ComposeError::State { path: socket.clone(), source })?;

        // What everybody shares.
        let kit = Kit {
            profile,
            state_dir,
            clock: Arc::new(SystemClock),
            hub: Hub::default(),
            bus: Bus::default(),
            supervisor: Supervisor::default(),
        };

        // Drivers, then services in the order of their needs; each puts itself into the hub.
        let mut services: Vec<(ServiceKind, Arc<dyn Service>)> = Vec::new();
        let mut dataplane = None;
        for kind in &kinds {
            let service = match kind {
                ServiceKind::Keystone => kit.keystone(&kinds, credentials).await?,
                ServiceKind::Placement => kit.placement().await?,
                ServiceKind::Glance => kit.glance().await?,
                ServiceKind::Neutron => {
                    let plane = drivers::dataplane(profile, &kit.supervisor);
                    dataplane = Some(Arc::clone(&plane));
                    kit.neutron(plane).await?
                }
                ServiceKind::Nova => kit.nova().await?,
            };
            services.push((*kind, service));
        }

        // Day one, which is every day: what has to be there is made where it is missing.
        for (kind, service) in &services {
            let failed = |source| ComposeError::Service { service: kind.codename(), source };
            service.bootstrap().await.map_err(failed)?;
        }

        // From here on the cloud keeps itself as it should be, and answers.
        let about = kit.about(&services, auth_url, &bounds, dataplane.as_deref()).await;
        let Kit { supervisor, .. } = kit;
        let mut routers = Vec::new();
        for (kind, service) in &services {
            for task in Arc::clone(service).tasks() {
                supervisor.reconcile(task.reconciler, task.hint);
            }
            routers.push((*kind, Arc::clone(service).router()));
        }
        let mounts = Mounts::new(routers, main.port());
        for bound in bounds {
            let (mounts, shutdown) = (mounts.clone(), supervisor.shutdown());
            supervisor.spawn("stackup.listener", async move {
                if let Err(error) = listen::serve(bound, mounts, shutdown).await {
                    tracing::error!(%error, "listener failed");
                }
            });
        }
        let routes = services.iter().map(|(kind, s)| (kind.codename(), s.routes())).collect();
        let admin = Admin { supervisor: supervisor.clone(), ring, about: about.clone(), routes };
        let shutdown = supervisor.shutdown();
        supervisor.spawn("stackup.operator", admin::serve(operator, admin, shutdown));
        Ok(Self { supervisor, about, dataplane, socket })
    }

    /// Waits until the cloud is told to end, then ends it in reverse. Guests run on.
    pub async fn run_to_end(self) {
        self.supervisor.shutdown().begun().await;
        self.supervisor.stop(STOP_DEADLINE).await;
        if let Some(dataplane) = &self.dataplane {
            dataplane.stop().await;
        }
        if let Err(error) = stackup_system::files::remove_if_there(&self.socket) {
            tracing::debug!(%error, "operator's socket");
        }
    }
}

/// What every service is built from.
struct Kit<'a> {
    profile: &'a Profile,
    state_dir: &'a Path,
    clock: SharedClock,
    hub: Hub,
    bus: Bus,
    supervisor: Supervisor,
}

impl Kit<'_> {
    async fn keystone(
        &self,
        kinds: &[ServiceKind],
        credentials: &Credentials,
    ) -> Result<Arc<dyn Service>, ComposeError> {
        let mut config: stackup_keystone::Config = self.settings("keystone", Value::Null)?;
        config.region.clone_from(&credentials.region);
        config.admin_password = Secret::new(credentials.password.clone());
        config.service_password = Secret::new(credentials.service_password.clone());
        let entries = kinds.iter().flat_map(|kind| kind.catalog());
        config.catalog = entries
            .map(|(kind, name, path)| CatalogEntry {
                kind: (*kind).to_owned(),
                name: (*name).to_owned(),
                url: (*path).to_owned(),
            })
            .collect();
        let deps = stackup_keystone::Deps {
            clock: Arc::clone(&self.clock),
            hub: self.hub.clone(),
            bus: self.bus.clone(),
            store: self.store("keystone")?,
            keys: self.dir("keystone")?,
        };
        let service = Keystone::new(config, deps).await.map_err(failed("keystone"))?;
        self.hub.set_identity(service.clone());
        Ok(service)
    }

    async fn placement(&self) -> Result<Arc<dyn Service>, ComposeError> {
        let config = self.settings("placement", Value::Null)?;
        let deps = stackup_placement::Deps {
            clock: Arc::clone(&self.clock),
            hub: self.hub.clone(),
            store: self.store("placement")?,
        };
        let service = Placement::new(config, deps).await.map_err(failed("placement"))?;
        self.hub.set_placement(service.clone());
        Ok(service)
    }

    async fn glance(&self) -> Result<Arc<dyn Service>, ComposeError> {
        let base = serde_json::json!({"data_dir": self.dir("glance")?});
        let mut config: stackup_glance::Config = self.settings("glance", base)?;
        if !self.profile.ephemeral && config.images.is_empty() {
            config.images = images::tiny(self.profile.image.tiny.as_deref());
        }
        let deps = stackup_glance::Deps {
            clock: Arc::clone(&self.clock),
            hub: self.hub.clone(),
            supervisor: self.supervisor.clone(),
            store: self.store("glance")?,
        };
        let service = Glance::new(config, deps).await.map_err(failed("glance"))?;
        self.hub.set_images(service.clone());
        Ok(service)
    }

    async fn neutron(
        &self,
        dataplane: Arc<dyn stackup_neutron::drivers::Dataplane>,
    ) -> Result<Arc<dyn Service>, ComposeError> {
        let network = &self.profile.network;
        let base = serde_json::json!({
            "host": drivers::host_name(),
            "bridges": {"public": network.bridge},
            "dns_servers": network.dns,
            "initial": {
                "public_cidr": network.public_cidr,
                "public_gateway": network.public_gateway,
                "public_pool": drivers::floating_pool(network),
                "pool_cidr": network.private_pool,
            },
        });
        let config = self.settings("neutron", base)?;
        let deps = stackup_neutron::Deps {
            clock: Arc::clone(&self.clock),
            hub: self.hub.clone(),
            bus: self.bus.clone(),
            supervisor: self.supervisor.clone(),
            store: self.store("neutron")?,
            dataplane,
        };
        let service = Neutron::new(config, deps).await.map_err(failed("neutron"))?;
        self.hub.set_networks(service.clone());
        Ok(service)
    }

    async fn nova(&self) -> Result<Arc<dyn Service>, ComposeError> {
        let dir = self.dir("nova")?;
        let base = serde_json::json!({
            "host": drivers::host_name(),
            "spool": dir.join("spool"),
        });
        let config = self.settings("nova", base)?;
        let plugger = stackup_nova::Plugger::new(self.hub.clone(), Arc::clone(&self.clock));
        let driver = drivers::hypervisor(self.profile, self.state_dir, Arc::new(plugger))
            .await
            .map_err(failed("nova"))?;
        let deps = stackup_nova::Deps {
            clock: Arc::clone(&self.clock),
            hub: self.hub.clone(),
            bus: self.bus.clone(),
            supervisor: self.supervisor.clone(),
            store: self.store("nova")?,
            driver,
            boot_id: drivers::boot_id(),
        };
        let service = Nova::new(config, deps).await.map_err(failed("nova"))?;
        self.hub.set_compute(service.clone());
        Ok(service)
    }

    /// A service's settings: what the rest of the profile implies, then what its own section says.
    fn settings<T: serde::de::DeserializeOwned>(
        &self,
        service: &'static str,
        implied: Value,
    ) -> Result<T, ComposeError> {
        let mut settings = if implied.is_null() { serde_json::json!({}) } else { implied };
        if let Some(own) = self.profile.config.get(service) {
            overlay(&mut settings, own);
        }
        serde_json::from_value(settings)
            .map_err(|source| ComposeError::Settings { service, source })
    }

    fn store(&self, service: &'static str) -> Result<StoreConfig, ComposeError> {
        let store = &self.profile.store;
        if let (Engine::Postgres, Some(url)) = (store.engine, &store.url) {
            let url = format!("{}/{service}", url.trim_end_matches('/'));
            return Ok(StoreConfig::Postgres { url });
        }
        let path = self.dir(service)?.join(format!("{service}.db"));
        Ok(StoreConfig::Sqlite { path })
    }

    /// The service's own directory below the state directory.
    fn dir(&self, service: &str) -> Result<PathBuf, ComposeError> {
        let path = self.state_dir.join(service);
        // Others than root pass through: QEMU may run as somebody else.
        match stackup_system::files::make_dir(&path, 0o711) {
            Ok(()) => Ok(path),
            Err(source) => Err(ComposeError::State { path, source }),
        }
    }

    async fn about(
        &self,
        services: &[(ServiceKind, Arc<dyn Service>)],
        auth_url: String,
        bounds: &[Bound],
        dataplane: Option<&dyn stackup_neutron::drivers::Dataplane>,
    ) -> About {
        let firewall = match dataplane {
            None => "none".to_owned(),
            Some(plane) => match plane.facts().await {
                Ok(facts) => format!("{} ({:?})", facts.driver, facts.firewall).to_lowercase(),
                Err(error) => error.to_string(),
            },
        };
        About {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            pid: std::process::id(),
            auth_url,
            addresses: bounds.iter().map(|bound| bound.address.to_string()).collect(),
            state_dir: self.state_dir.to_owned(),
            services: services
                .iter()
                .map(|(kind, service)| ServiceStatus {
                    codename: kind.codename().to_owned(),
                    depth: admin::depth_word(service.depth()).to_owned(),
                    prefix: kind.prefix().to_owned(),
                })
                .collect(),
            hypervisor: format!("{:?}", self.profile.compute.driver).to_lowercase(),
            firewall,
        }
    }
}

fn failed(service: &'static str) -> impl Fn(BootError) -> ComposeError {
    move |source| ComposeError::Service { service, source }
}

/// The main socket first, then the classic ports that the profile asks for.
fn bind_all(profile: &Profile, kinds: &[ServiceKind]) -> Result<Vec<Bound>, BindError> {
    let at = |port| SocketAddr::new(profile.listen.address, port);
    let mut bounds = vec![listen::bind(at(profile.listen.port), None)?];
    if profile.listen.classic_ports {
        for kind in kinds {
            let own = profile.listen.ports.get(kind.codename()).copied();
            let port = own.unwrap_or(kind.classic_port());
            if port != 0 {
                bounds.push(listen::bind(at(port), Some(*kind))?);
            }
        }
    }
    Ok(bounds)
}

/// Where identity is reached, in DevStack's form.
pub fn auth_url(main: SocketAddr) -> String {
    let ip = match main.ip() {
        any if any.is_unspecified() => std::net::IpAddr::from([127, 0, 0, 1]),
        ip => ip,
    };
    match main.port() {
        80 if ip.is_ipv4() => format!("http://{ip}/identity"),
        port => format!("http://{}/identity", SocketAddr::new(ip, port)),
    }
}

/// Lays the operator's section over what is implied: maps join, everything else replaces.
fn overlay(under: &mut Value, over: &Value) {
    match (under, over) {
        (Value::Object(under), Value::Object(over)) => {
            for (key, value) in over {
                overlay(under.entry(key.clone()).or_insert(Value::Null), value);
            }
        }
        (under, over) => *under = over.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn auth_urls_in_devstacks_form() {
        let url = |text: &str| auth_url(text.parse().unwrap());
        assert_eq!(url("192.0.2.7:80"), "http://192.0.2.7/identity");
        assert_eq!(url("127.0.0.1:8080"), "http://127.0.0.1:8080/identity");
        assert_eq!(url("0.0.0.0:80"), "http://127.0.0.1/identity");
    }

    #[test]
    fn a_section_of_the_profile_wins_key_by_key() {
        let mut settings = serde_json::json!({"a": {"b": 1, "c": 2}, "d": 3});
        overlay(&mut settings, &serde_json::json!({"a": {"b": 9}, "e": 5}));
        assert_eq!(settings, serde_json::json!({"a": {"b": 9, "c": 2}, "d": 3, "e": 5}));
    }
}
