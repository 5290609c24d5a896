//! Application credentials: part of a user's roles on one project, without the user's password.

use stackup_core::{ProjectId, Time, UserId};

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ApplicationCredential {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) user_id: UserId,
    pub(crate) project_id: ProjectId,
    pub(crate) description: Option<String>,
    pub(crate) secret_hash: String,
    pub(crate) expires_at: Option<Time>,
    /// May make others.
    pub(crate) unrestricted: bool,
    pub(crate) role_ids: Vec<String>,
    pub(crate) access_rules: Vec<AccessRule>,
}

/// A request that an application credential may make; one without rules may make all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct AccessRule {
    pub(crate) id: String,
    pub(crate) service: String,
    pub(crate) method: String,
    pub(crate) path: String,
}
