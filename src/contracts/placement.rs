//! Placement, as others need it.

use std::collections::BTreeMap;

use async_trait::async_trait;
use stackup_core::{Ctx, ProjectId, ProviderId, UserId};

use crate::CallError;

/// Amounts by resource class: `VCPU`, `MEMORY_MB`, `DISK_GB`, `CUSTOM_…`.
pub type Resources = BTreeMap<String, u64>;

#[derive(Debug, Clone, PartialEq)]
pub struct Inventory {
    pub total: u64,
    pub reserved: u64,
    pub allocation_ratio: f64,
    pub min_unit: u64,
    pub max_unit: u64,
    pub step_size: u64,
}

impl Inventory {
    /// All of `total`, in units of one.
    pub fn of(total: u64, allocation_ratio: f64) -> Self {
        Self { total, reserved: 0, allocation_ratio, min_unit: 1, max_unit: total, step_size: 1 }
    }
}

/// What a compute host offers.
#[derive(Debug, Clone, PartialEq)]
pub struct ProviderSpec {
    pub id: ProviderId,
    pub name: String,
    pub inventories: BTreeMap<String, Inventory>,
    pub traits: Vec<String>,
}

/// What a server needs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CandidateQuery {
    pub resources: Resources,
    pub required: Vec<String>,
    pub forbidden: Vec<String>,
    /// Groups of aggregates; a provider must be in one of each group.
    pub member_of: Vec<Vec<String>>,
    pub limit: Option<usize>,
}

/// A provider that can give it, and how full it is.
#[derive(Debug, Clone, PartialEq)]
pub struct Candidate {
    pub provider: ProviderId,
    pub name: String,
    /// Used and capacity, by class.
    pub usage: BTreeMap<String, (u64, u64)>,
    pub traits: Vec<String>,
}

/// Who uses resources.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Consumer {
    pub id: String,
    pub project_id: ProjectId,
    pub user_id: UserId,
    /// `INSTANCE`, `MIGRATION`.
    pub kind: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Allocation {
    pub provider: ProviderId,
    pub resources: Resources,
}

/// Placement.
#[async_trait]
pub trait Placement: Send + Sync {
    /// Makes the provider as described, or changes it to be so.
    async fn ensure_provider(&self, cx: &Ctx, spec: &ProviderSpec) -> Result<(), CallError>;

    /// Fails with a conflict while it has allocations.
    async fn delete_provider(&self, cx: &Ctx, id: &ProviderId) -> Result<(), CallError>;

    /// The aggregates of a provider, replaced.
    async fn set_aggregates(
        &self,
        cx: &Ctx,
        id: &ProviderId,
        aggregates: &[String],
    ) -> Result<(), CallError>;

    async fn candidates(
        &self,
        cx: &Ctx,
        query: &CandidateQuery,
    ) -> Result<Vec<Candidate>, CallError>;

    /// Replaces what the consumer has, all or nothing. Conflict when it no longer fits.
    async fn allocate(
        &self,
        cx: &Ctx,
        consumer: &Consumer,
        allocations: &[Allocation],
    ) -> Result<(), CallError>;

    async fn allocations(&self, cx: &Ctx, consumer: &str) -> Result<Vec<Allocation>, CallError>;

    /// Every consumer's id on a provider: for the reconciler that finds orphans.
    async fn consumers(&self, cx: &Ctx, provider: &ProviderId) -> Result<Vec<String>, CallError>;

    /// Gives back what the consumer has; nothing is fine.
    async fn release(&self, cx: &Ctx, consumer: &str) -> Result<(), CallError>;
}
