//! Forgets revoked tokens that have expired.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use stackup_flow::{Reconciler, Report};
use stackup_store::StoreError;

use crate::{Keystone, store};

pub(crate) struct PurgeTokens(pub(crate) Arc<Keystone>);

#[async_trait]
impl Reconciler for PurgeTokens {
    fn name(&self) -> &'static str {
        "keystone.purge_tokens"
    }

    fn period(&self) -> Duration {
        Duration::from_secs(3600)
    }

    async fn activate(&mut self) -> Report {
        let now = self.0.now();
        let purged: Result<usize, StoreError> =
            self.0.db.write(move |tx| store::tokens::purge(tx, now)).await;
        let mut report = Report::default();
        match purged {
            Ok(rows) => report.repaired += rows,
            Err(error) => report.failed.push(error.to_string()),
        }
        report
    }
}
