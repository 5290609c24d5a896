//! Removes files that belong to no image, and tasks whose time is over.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use stackup_flow::{Reconciler, Report};

use crate::drivers::files::{Files, blocking};
use crate::model::Status;
use crate::{Error, Glance, store};

const PERIOD: Duration = Duration::from_secs(300);

/// A file is an orphan when no row owns it and it is older than the grace; a file that is being
/// written has its row first.
pub(crate) struct Reap(pub(crate) Arc<Glance>);

#[async_trait]
impl Reconciler for Reap {
    fn name(&self) -> &'static str {
        "glance.reap"
    }

    fn period(&self) -> Duration {
        PERIOD
    }

    async fn activate(&mut self) -> Report {
        let mut report = Report::default();
        if let Err(error) = self.reap(&mut report).await {
            report.failed.push(error.to_string());
        }
        report
    }
}

impl Reap {
    async fn reap(&self, report: &mut Report) -> Result<(), Error> {
        let glance = &self.0;
        let now = glance.clock.now();
        report.repaired += glance.db.write(move |tx| store::tasks::expire(tx, now)).await?;
        let files = glance.files.clone();
        // The files first: a file that appears afterwards is younger than the list of rows.
        let listed = blocking(move || files.ids()).await;
        let (data, staged) = listed.map_err(|source| Error::io("list the files", source))?;
        let rows = glance.db.scan(store::images::states).await?;
        for (id, status) in &rows {
            let listed = data.contains(id) || !status.has_data();
            if !listed && !glance.files.image(id).exists() {
                report.failed.push(format!("the data of image {id} is missing"));
            }
        }
        let wanted = |id: &str, wants: fn(Status) -> bool| {
            glance.is_busy(id) || rows.get(id).copied().is_some_and(wants)
        };
        let orphans =
            data.iter().filter(|id| !wanted(id, Status::has_data)).map(|id| glance.files.image(id));
        let leftovers = staged
            .iter()
            .filter(|id| !wanted(id, |s| matches!(s, Status::Uploading | Status::Importing)))
            .map(|id| glance.files.staged(id));
        let grace = Duration::from_secs(glance.config.reap_after);
        for path in orphans.chain(leftovers) {
            let place = path.clone();
            let removed = blocking(move || Files::remove_older(&place, grace));
            match removed.await {
                Ok(removed) => report.repaired += usize::from(removed),
                Err(error) => report.failed.push(format!("{}: {error}", path.display())),
            }
        }
        Ok(())
    }
}
