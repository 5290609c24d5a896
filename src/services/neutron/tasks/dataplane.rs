//! Keeps the host as the state says.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use stackup_core::Time;
use stackup_flow::{Reconciler, Report};
use stackup_web::fault::chain;

use crate::Neutron;

const PERIOD: Duration = Duration::from_secs(60);

/// After a change it applies; at the start and once a period it looks at everything.
pub(crate) struct Wires {
    neutron: Arc<Neutron>,
    looked: Option<Time>,
}

impl Wires {
    pub(crate) fn new(neutron: Arc<Neutron>) -> Self {
        Self { neutron, looked: None }
    }
}

#[async_trait]
impl Reconciler for Wires {
    fn name(&self) -> &'static str {
        "neutron.dataplane"
    }

    fn period(&self) -> Duration {
        PERIOD
    }

    async fn activate(&mut self) -> Report {
        let now = self.neutron.clock.now();
        let thorough = self.looked.is_none_or(|looked| now.since(looked) >= PERIOD);
        match self.neutron.sync(thorough).await {
            Ok(report) => {
                if thorough {
                    self.looked = Some(now);
                }
                report
            }
            Err(error) => Report { repaired: 0, failed: vec![chain(&error)] },
        }
    }
}
