//! `nova.orphans`: nothing is held by a server that is gone.
//!
//! Guests that bear our mark and have no row are destroyed, room that no server has is given back:
//! both only after they were seen twice, ten minutes apart, so that nothing young is taken for an
//! orphan.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use stackup_core::{Ctx, Reach, Time};
use stackup_flow::{Reconciler, Report};

use crate::drivers::Owner;
use crate::logic::scheduler::provider_of;
use crate::model::server::Server;
use crate::store::{migrations, servers};
use crate::{Error, Nova};

/// How long something must have been without an owner.
const GRACE: Duration = Duration::from_secs(600);

pub(super) struct Orphans {
    nova: Arc<Nova>,
    /// When each was first seen without an owner.
    seen: BTreeMap<Orphan, Time>,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Orphan {
    Guest { host: String, id: String },
    Room { consumer: String },
}

impl Orphans {
    pub(super) fn new(nova: Arc<Nova>) -> Self {
        Self { nova, seen: BTreeMap::new() }
    }

    async fn look(&mut self, report: &mut Report) -> Result<(), Error> {
        let cx = self.nova.task_cx();
        let found = self.find(&cx).await?;
        let (now, before) = (self.nova.now(), std::mem::take(&mut self.seen));
        for orphan in found {
            let first = before.get(&orphan).copied().unwrap_or(now);
            if now.since(first) < GRACE {
                self.seen.insert(orphan, first);
                continue;
            }
            match self.reap(&cx, &orphan).await {
                Ok(()) => report.repaired += 1,
                Err(error) => {
                    report.failed.push(format!("{orphan:?}: {error}"));
                    self.seen.insert(orphan, first);
                }
            }
        }
        Ok(())
    }

    async fn find(&self, cx: &Ctx) -> Result<Vec<Orphan>, Error> {
        let mut found = Vec::new();
        for hypervisor in self.nova.driver.hosts().await? {
            let host = hypervisor.host;
            for guest in self.nova.driver.list(&host).await? {
                let known = self.row(&guest.uuid).await?;
                let here = known.is_some_and(|server| {
                    server.host.as_ref() == Some(&host)
                        || server.old.as_ref().is_some_and(|old| old.host == host)
                        || server.task_state.is_some()
                });
                if guest.owner == Owner::Ours && !here {
                    found.push(Orphan::Guest { host: host.clone(), id: guest.uuid });
                }
            }
            let placement = self.nova.hub.placement()?;
            for consumer in placement.consumers(cx, &provider_of(&host)).await? {
                if self.row(&consumer).await?.is_none() && !self.migrates(&consumer).await? {
                    found.push(Orphan::Room { consumer });
                }
            }
        }
        Ok(found)
    }

    async fn row(&self, id: &str) -> Result<Option<Server>, Error> {
        let id = id.to_owned();
        self.nova
            .db
            .read(move |r| servers::get(r, &Reach::All, &id, false).map_err(Error::from))
            .await
    }

    /// Whether a migration that still waits holds the room.
    async fn migrates(&self, uuid: &str) -> Result<bool, Error> {
        let uuid = uuid.to_owned();
        let found = self
            .nova
            .db
            .read({
                let uuid = uuid.clone();
                move |r| migrations::get(r, &uuid).map_err(Error::from)
            })
            .await?;
        let Some(migration) = found else { return Ok(false) };
        let server = self.row(&migration.server_id).await?;
        Ok(server.is_some_and(|server| {
            server.task_state.is_some() || server.old.is_some_and(|old| old.migration == uuid)
        }))
    }

    async fn reap(&self, cx: &Ctx, orphan: &Orphan) -> Result<(), Error> {
        tracing::warn!(?orphan, "an orphan is reaped");
        match orphan {
            Orphan::Guest { host, id } => Ok(self.nova.driver.destroy(host, id, true).await?),
            Orphan::Room { consumer } => {
                Ok(self.nova.hub.placement()?.release(cx, consumer).await?)
            }
        }
    }
}

#[async_trait]
impl Reconciler for Orphans {
    fn name(&self) -> &'static str {
        "nova.orphans"
    }

    fn period(&self) -> Duration {
        Duration::from_secs(300)
    }

    async fn activate(&mut self) -> Report {
        let mut report = Report::default();
        if let Err(error) = self.look(&mut report).await {
            report.failed.push(error.to_string());
        }
        report
    }
}
