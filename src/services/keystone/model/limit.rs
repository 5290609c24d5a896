//! Unified limits: defaults by service and resource, and exceptions by project or domain.

use stackup_core::{DomainId, ProjectId};

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RegisteredLimit {
    pub(crate) id: String,
    pub(crate) service_id: String,
    pub(crate) region_id: Option<String>,
    pub(crate) resource_name: String,
    pub(crate) default_limit: i64,
    pub(crate) description: Option<String>,
}

/// An exception, with what it is an exception to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Limit {
    pub(crate) id: String,
    pub(crate) registered: RegisteredLimit,
    pub(crate) project_id: Option<ProjectId>,
    pub(crate) domain_id: Option<DomainId>,
    pub(crate) resource_limit: i64,
    pub(crate) description: Option<String>,
}
