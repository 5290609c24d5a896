//! What every service is to the process that composes it.

use std::sync::Arc;

use async_trait::async_trait;
use axum::Router;
use stackup_flow::{Hint, Reconciler};
use stackup_policy::Rule;

use crate::RouteInfo;

/// Why a service could not be made ready.
pub type BootError = Box<dyn std::error::Error + Send + Sync>;

/// How much of a service is real, told to users.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Depth {
    /// Real effects on the host.
    Deep,
    /// Complete in software.
    Whole,
    /// API and states only: a debt.
    Shallow,
}

/// A reconciler and the hint that wakes it.
pub struct Task {
    pub reconciler: Box<dyn Reconciler>,
    pub hint: Hint,
}

/// A service. How one is built is not part of this: each has its own `Deps`.
#[async_trait]
pub trait Service: Send + Sync + 'static {
    /// `nova`
    fn codename(&self) -> &'static str;

    fn depth(&self) -> Depth;

    /// Everything it answers, under its own root.
    fn router(self: Arc<Self>) -> Router;

    /// The table behind the router.
    fn routes(&self) -> Vec<RouteInfo>;

    /// Every rule, the ones that only other rules refer to included.
    fn rules(&self) -> &'static [Rule];

    /// What must stay true while the process runs.
    fn tasks(self: Arc<Self>) -> Vec<Task> {
        Vec::new()
    }

    /// Makes what has to be there on day one: default roles, flavors, networks. Idempotent; called
    /// at every start, in the order of composition, when every contract is in the hub.
    async fn bootstrap(&self) -> Result<(), BootError> {
        Ok(())
    }
}
