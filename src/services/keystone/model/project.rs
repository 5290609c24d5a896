//! Projects, and domains: projects that act as one.

use stackup_core::{DomainId, DomainRef, ProjectId, Time};

use super::Extra;

/// A project, or a domain when `is_domain` says so; then it has no domain and no parent.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Project {
    pub(crate) id: ProjectId,
    pub(crate) name: String,
    pub(crate) domain_id: Option<DomainId>,
    pub(crate) parent_id: Option<ProjectId>,
    pub(crate) is_domain: bool,
    pub(crate) enabled: bool,
    pub(crate) description: Option<String>,
    pub(crate) options: Extra,
    pub(crate) extra: Extra,
    /// What was issued up to this moment no longer works here.
    pub(crate) revoked_before: Option<Time>,
    pub(crate) tags: Vec<String>,
}

impl Project {
    /// A domain, as others refer to it.
    pub(crate) fn as_domain(&self) -> DomainRef {
        DomainRef { id: self.id.as_str().into(), name: self.name.clone() }
    }
}
