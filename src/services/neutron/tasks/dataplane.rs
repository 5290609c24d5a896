//! Keeps the host as the state says.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use stackup_core::Time;
use stackup_flow::{Reconciler, Report};
use stackup_web::fault::chain;

use crate::Neutron;

const PERIOD: Duration = Duration::from_secs(60);
const LONGEST_REST: Duration = Duration::from_millis(500);

/// After a change it applies; at the start and once a period it looks at everything.
pub(crate) struct Wires {
    neutron: Arc<Neutron>,
    looked: Option<Time>,
    /// When the run before ended, and how long it took.
    last: Option<(Time, Duration)>,
}

impl Wires {
    pub(crate) fn new(neutron: Arc<Neutron>) -> Self {
        Self { neutron, looked: None, last: None }
    }

    /// A run reads everything: in a burst of changes it takes at most a quarter of the time.
    async fn rest(&self) {
        if let Some((ended, took)) = self.last {
            let since = self.neutron.clock.now().since(ended);
            let pause = (took * 3).min(LONGEST_REST).saturating_sub(since);
            tokio::time::sleep(pause).await;
        }
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
        self.rest().await;
        let now = self.neutron.clock.now();
        let thorough = self.looked.is_none_or(|looked| now.since(looked) >= PERIOD);
        let done = self.neutron.sync(thorough).await;
        let ended = self.neutron.clock.now();
        self.last = Some((ended, ended.since(now)));
        match done {
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
