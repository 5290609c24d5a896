//! The compute hosts: what the driver offers, with what operators said of them.

use std::collections::BTreeMap;
use std::time::Duration;

use stackup_contracts::{Inventory, ProviderSpec};
use stackup_core::Ctx;

use super::scheduler::provider_of;
use crate::drivers::Hypervisor;
use crate::model::aggregate::{Aggregate, zone_of};
use crate::model::compute_service::{COMPUTE, CONTROL, ComputeService};
use crate::store::{aggregates, services};
use crate::{Error, Nova};

/// A service that was not seen for so long is down.
const DOWN_AFTER: Duration = Duration::from_secs(180);

/// A compute host as operators see it.
#[derive(Debug, Clone)]
pub(crate) struct Host {
    pub service: ComputeService,
    pub up: bool,
    pub zone: String,
    pub aggregates: Vec<Aggregate>,
}

/// The compute hosts by name.
pub(crate) async fn known(nova: &Nova) -> Result<BTreeMap<String, Host>, Error> {
    let (services, aggregates) = rows(nova).await?;
    let computes = services.into_iter().filter(|service| service.binary == COMPUTE);
    let host = |service: ComputeService| {
        let mine = aggregates.iter().filter(|a| a.hosts.contains(&service.host));
        let host = Host {
            up: is_up(nova, &service),
            zone: zone_of(&aggregates, &service.host, &nova.config.zone).to_owned(),
            aggregates: mine.cloned().collect(),
            service,
        };
        (host.service.host.clone(), host)
    };
    Ok(computes.map(host).collect())
}

/// Every service row with its zone.
pub(crate) async fn services(nova: &Nova) -> Result<Vec<(ComputeService, String)>, Error> {
    let (services, aggregates) = rows(nova).await?;
    let zone = |service: &ComputeService| match service.binary == COMPUTE {
        true => zone_of(&aggregates, &service.host, &nova.config.zone).to_owned(),
        false => nova.config.internal_zone.clone(),
    };
    Ok(services
        .into_iter()
        .map(|service| {
            let zone = zone(&service);
            (service, zone)
        })
        .collect())
}

async fn rows(nova: &Nova) -> Result<(Vec<ComputeService>, Vec<Aggregate>), Error> {
    nova.db.read(|r| Ok::<_, Error>((services::list(r)?, aggregates::list(r)?))).await
}

/// Whether a service answers, as far as an operator has not said otherwise.
pub(crate) fn is_up(nova: &Nova, service: &ComputeService) -> bool {
    !service.forced_down && nova.now().since(service.seen_at) < DOWN_AFTER
}

/// The zones that servers may ask for, with whether they have a living host.
pub(crate) async fn zones(nova: &Nova) -> Result<BTreeMap<String, bool>, Error> {
    let mut zones = BTreeMap::new();
    for host in known(nova).await?.values() {
        let available = zones.entry(host.zone.clone()).or_insert(false);
        *available |= host.up && !host.service.disabled;
    }
    Ok(zones)
}

/// Tells of ourselves: the rows of our services, and what our hosts offer to placement.
pub(crate) async fn report(nova: &Nova, cx: &Ctx) -> Result<(), Error> {
    let hypervisors = nova.driver.hosts().await?;
    let (now, main) = (nova.now(), nova.config.host.clone());
    let names: Vec<String> = hypervisors.iter().map(|h| h.host.clone()).collect();
    nova.db
        .write(move |tx| {
            for binary in CONTROL {
                services::seen(tx, binary, &main, now)?;
            }
            for host in &names {
                services::seen(tx, COMPUTE, host, now)?;
            }
            Ok::<_, Error>(())
        })
        .await?;
    for hypervisor in &hypervisors {
        let spec = provider(nova, hypervisor);
        nova.hub.placement()?.ensure_provider(cx, &spec).await?;
    }
    Ok(())
}

fn provider(nova: &Nova, hypervisor: &Hypervisor) -> ProviderSpec {
    let config = &nova.config;
    let mut memory = Inventory::of(hypervisor.memory_mb, config.ram_allocation_ratio);
    memory.reserved = config.reserved_memory_mb.min(hypervisor.memory_mb / 4);
    let inventories = BTreeMap::from([
        ("VCPU".to_owned(), Inventory::of(hypervisor.vcpus.into(), config.cpu_allocation_ratio)),
        ("MEMORY_MB".to_owned(), memory),
        ("DISK_GB".to_owned(), Inventory::of(hypervisor.local_gb, config.disk_allocation_ratio)),
    ]);
    ProviderSpec {
        id: provider_of(&hypervisor.host),
        name: hypervisor.host.clone(),
        inventories,
        traits: hypervisor.traits.clone(),
    }
}
