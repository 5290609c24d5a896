//! Host aggregates and the zones that they make.

use std::collections::BTreeMap;

use stackup_store::{StoreError, Tx};

use super::hosts;
use crate::model::aggregate::{Aggregate, ZONE};
use crate::store::{aggregates, servers};
use crate::{Error, Nova};

fn missing(row: i64) -> Error {
    Error::NotFound(format!("Aggregate {row} could not be found."))
}

fn taken(name: &str) -> impl Fn(StoreError) -> Error {
    move |error| match error {
        StoreError::Unique(_) => Error::Conflict(format!("Aggregate {name} already exists.")),
        other => other.into(),
    }
}

pub(crate) async fn list(nova: &Nova) -> Result<Vec<Aggregate>, Error> {
    nova.db.read(|r| aggregates::list(r).map_err(Error::from)).await
}

pub(crate) async fn get(nova: &Nova, row: i64) -> Result<Aggregate, Error> {
    nova.db.read(move |r| aggregates::get(r, row)?.ok_or_else(|| missing(row))).await
}

pub(crate) async fn create(nova: &Nova, aggregate: Aggregate) -> Result<Aggregate, Error> {
    nova.db
        .write(move |tx| aggregates::insert(tx, &aggregate).map_err(taken(&aggregate.name)))
        .await
}

/// Fails with 409 while it has hosts.
pub(crate) async fn delete(nova: &Nova, row: i64) -> Result<(), Error> {
    nova.db
        .write(move |tx| {
            let aggregate = aggregates::get(tx, row)?.ok_or_else(|| missing(row))?;
            if !aggregate.hosts.is_empty() {
                return Err(Error::invalid(format!(
                    "Cannot remove host from aggregate {row}. Reason: Host aggregate is not empty."
                )));
            }
            aggregates::delete(tx, row)?;
            Ok(())
        })
        .await
}

/// Renames it, and changes metadata: a null removes a key.
pub(crate) async fn update(
    nova: &Nova,
    row: i64,
    name: Option<String>,
    metadata: BTreeMap<String, Option<String>>,
) -> Result<Aggregate, Error> {
    change(nova, row, move |tx, aggregate| {
        if let Some(name) = &name {
            aggregate.name.clone_from(name);
        }
        if metadata.get(ZONE).is_some_and(|zone| zone.as_deref() != aggregate.zone()) {
            check_zone_change(tx, aggregate, metadata.get(ZONE).and_then(Option::as_deref))?;
        }
        for (key, value) in &metadata {
            match value {
                Some(value) => aggregate.metadata.insert(key.clone(), value.clone()),
                None => aggregate.metadata.remove(key),
            };
        }
        Ok(())
    })
    .await
}

/// A host belongs to one zone, and servers on it keep theirs.
fn check_zone_change(tx: &Tx<'_>, aggregate: &Aggregate, zone: Option<&str>) -> Result<(), Error> {
    let others = aggregates::list(tx)?;
    for host in &aggregate.hosts {
        let elsewhere = others.iter().any(|other| {
            other.row != aggregate.row
                && other.hosts.contains(host)
                && other.zone().is_some_and(|other| zone.is_some_and(|zone| zone != other))
        });
        if elsewhere {
            return Err(Error::Conflict(format!(
                "Cannot update aggregate {}. Reason: One or more hosts already in availability \
                 zone(s)",
                aggregate.row
            )));
        }
        if servers::usage_of_host(tx, host)?.instances > 0 {
            return Err(Error::Conflict(format!(
                "Cannot update aggregate {}. Reason: One or more hosts contain instances in this \
                 zone.",
                aggregate.row
            )));
        }
    }
    Ok(())
}

/// Fails with 404 for an unknown host, with 409 when it is in, or in another zone.
pub(crate) async fn add_host(nova: &Nova, row: i64, host: String) -> Result<Aggregate, Error> {
    if !hosts::known(nova).await?.contains_key(&host) {
        return Err(Error::NotFound(format!("Compute host {host} could not be found.")));
    }
    change(nova, row, move |tx, aggregate| {
        if aggregate.hosts.contains(&host) {
            return Err(Error::Conflict(format!("Aggregate {row} already has host {host}.")));
        }
        let other_zone = aggregates::list(tx)?.iter().any(|other| {
            let zones = (other.zone(), aggregate.zone());
            other.hosts.contains(&host) && matches!(zones, (Some(a), Some(b)) if a != b)
        });
        if other_zone {
            return Err(Error::Conflict(format!(
                "Cannot add host to aggregate {row}. Reason: One or more hosts already in \
                 availability zone(s)"
            )));
        }
        aggregate.hosts.push(host.clone());
        Ok(())
    })
    .await
}

pub(crate) async fn remove_host(nova: &Nova, row: i64, host: String) -> Result<Aggregate, Error> {
    change(nova, row, move |_, aggregate| {
        let Some(at) = aggregate.hosts.iter().position(|name| *name == host) else {
            return Err(Error::NotFound(format!(
                "Cannot remove host {host} in aggregate {row}: it is not in it"
            )));
        };
        aggregate.hosts.remove(at);
        Ok(())
    })
    .await
}

async fn change<F>(nova: &Nova, row: i64, change: F) -> Result<Aggregate, Error>
where
    F: Fn(&Tx<'_>, &mut Aggregate) -> Result<(), Error> + Send + 'static,
{
    let now = nova.now();
    nova.db
        .write(move |tx| {
            let mut aggregate = aggregates::get(tx, row)?.ok_or_else(|| missing(row))?;
            change(tx, &mut aggregate)?;
            aggregate.updated_at = Some(now);
            aggregates::save(tx, &aggregate).map_err(taken(&aggregate.name))?;
            Ok(aggregate)
        })
        .await
}
