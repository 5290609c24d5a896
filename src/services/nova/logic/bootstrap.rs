//! Day one, and every start: flavors, our services, our hosts in placement, our guests.

use std::collections::BTreeMap;

use stackup_core::Ctx;
use stackup_web::BootError;

use super::hosts;
use crate::model::flavor::{Flavor, FlavorSize};
use crate::model::power::PowerState;
use crate::model::server::Server;
use crate::store::{facts, flavors, servers};
use crate::{Error, Nova};

/// DevStack's flavors: id, name, memory, disk, vCPUs.
const FLAVORS: &[(&str, &str, u64, u64, u32)] = &[
    ("1", "m1.tiny", 512, 1, 1),
    ("2", "m1.small", 2048, 20, 1),
    ("3", "m1.medium", 4096, 40, 2),
    ("4", "m1.large", 8192, 80, 4),
    ("5", "m1.xlarge", 16384, 160, 8),
    ("42", "m1.nano", 192, 1, 1),
    ("84", "m1.micro", 256, 1, 1),
    ("c1", "cirros256", 256, 1, 1),
    ("d1", "ds512M", 512, 5, 1),
    ("d2", "ds1G", 1024, 10, 1),
    ("d3", "ds2G", 2048, 10, 2),
    ("d4", "ds4G", 4096, 20, 4),
];

/// Remembered once the flavors were made, so that those an operator deletes stay deleted.
const SEEDED: &str = "flavors_seeded";

pub(crate) async fn run(nova: &Nova) -> Result<(), BootError> {
    let cx = nova.task_cx();
    seed_flavors(nova).await?;
    hosts::report(nova, &cx).await?;
    restore(nova, &cx).await?;
    Ok(())
}

async fn seed_flavors(nova: &Nova) -> Result<(), Error> {
    let now = nova.now();
    nova.db
        .write(move |tx| {
            if facts::get(tx, SEEDED)?.is_some() {
                return Ok(());
            }
            for (id, name, memory_mb, root_gb, vcpus) in FLAVORS.iter().copied() {
                let size = FlavorSize {
                    id: id.into(),
                    name: name.to_owned(),
                    memory_mb,
                    vcpus,
                    root_gb,
                    ephemeral_gb: 0,
                    swap_mb: 0,
                    extra_specs: BTreeMap::from([("hw_rng:allowed".to_owned(), "True".to_owned())]),
                };
                let flavor = Flavor {
                    row: 0,
                    size,
                    rxtx_factor: 1.0,
                    public: true,
                    description: None,
                    created_at: now,
                    updated_at: None,
                };
                if flavors::get(tx, id)?.is_none() && flavors::by_name(tx, name)?.is_none() {
                    flavors::insert(tx, &flavor)?;
                }
            }
            facts::set(tx, SEEDED, "1")?;
            Ok::<_, Error>(())
        })
        .await
}

/// Tells a driver without a memory what ran; the others know.
async fn restore(nova: &Nova, cx: &Ctx) -> Result<(), Error> {
    let filter = servers::Filter { deleted: Some(false), ..servers::Filter::default() };
    let all = nova.db.scan(move |r| servers::all(r, &filter).map_err(Error::from)).await?;
    let mut by_host: BTreeMap<String, Vec<Server>> = BTreeMap::new();
    for server in all.into_iter().filter(Server::has_guest) {
        if let Some(host) = server.host.clone() {
            by_host.entry(host).or_default().push(server);
        }
    }
    for (host, servers) in by_host {
        let mut guests: Vec<(_, PowerState)> = Vec::with_capacity(servers.len());
        for server in &servers {
            guests.push((nova.guest(cx, server).await?, server.power_state));
        }
        if let Err(error) = nova.driver.restore(&host, guests).await {
            tracing::warn!(%host, %error, "the driver does not take its guests back");
        }
    }
    Ok(())
}
