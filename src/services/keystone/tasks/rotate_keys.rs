//! Replaces the key that signs tokens when it is old enough.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use stackup_flow::{Reconciler, Report};

use crate::Keystone;

const DAY: u64 = 24 * 3600;
/// Staged, primary, and one that signed what is still valid.
const KEEP: usize = 3;

pub(crate) struct RotateKeys(pub(crate) Arc<Keystone>);

#[async_trait]
impl Reconciler for RotateKeys {
    fn name(&self) -> &'static str {
        "keystone.rotate_keys"
    }

    fn period(&self) -> Duration {
        Duration::from_secs(3600)
    }

    async fn activate(&mut self) -> Report {
        let keystone = &self.0;
        let days = keystone.config.key_rotation_days;
        let mut report = Report::default();
        // A key must outlive the tokens it signed.
        let least = Duration::from_secs((days * DAY).max(keystone.config.token_expiration));
        if days == 0 {
            return report;
        }
        match keystone.token_keys.age(keystone.now()) {
            Ok(age) if age < least => {}
            Ok(_) => match keystone.token_keys.rotate(KEEP) {
                Ok(()) => report.repaired += 1,
                Err(error) => report.failed.push(format!("token keys: {error}")),
            },
            Err(error) => report.failed.push(format!("token keys: {error}")),
        }
        report
    }
}
