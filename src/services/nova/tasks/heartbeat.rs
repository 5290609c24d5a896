//! `nova.heartbeat`: our services were seen, our hosts' sizes are known to placement.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use stackup_flow::{Reconciler, Report};

use crate::Nova;
use crate::logic::hosts;

pub(super) struct Heartbeat(pub(super) Arc<Nova>);

#[async_trait]
impl Reconciler for Heartbeat {
    fn name(&self) -> &'static str {
        "nova.heartbeat"
    }

    fn period(&self) -> Duration {
        Duration::from_secs(60)
    }

    async fn activate(&mut self) -> Report {
        match hosts::report(&self.0, &self.0.task_cx()).await {
            Ok(()) => Report::default(),
            Err(error) => Report { repaired: 0, failed: vec![error.to_string()] },
        }
    }
}
