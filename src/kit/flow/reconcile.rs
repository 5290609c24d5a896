//! Work that keeps something true.

use std::time::Duration;

use async_trait::async_trait;

/// What one activation found and did, for `stackup status --tasks`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// Things that were not as they should be, and are now.
    pub repaired: usize,
    /// Things that could not be repaired, with the reason; they are tried again.
    pub failed: Vec<String>,
}

/// Idempotent work without input: reads what should be, looks at what is, and closes the gap.
///
/// It runs once at start, then every `period`, and at once when its hint is given. A hint carries
/// nothing: the reconciler reads the state itself.
#[async_trait]
pub trait Reconciler: Send {
    /// `codename.what`, as in `neutron.dataplane`.
    fn name(&self) -> &'static str;

    fn period(&self) -> Duration;

    async fn activate(&mut self) -> Report;
}
