//! Keystone, as others need it.

use std::sync::Arc;

use async_trait::async_trait;
use stackup_core::{Caller, DomainId, ProjectId, UserId};

use crate::CallError;

/// Why a token gives no caller.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AuthError {
    /// Malformed, expired, revoked, or of somebody disabled: not told apart.
    #[error("the token is not valid")]
    Invalid,
    #[error("identity does not answer: {0}")]
    Unavailable(String),
}

/// A project, as others need it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProjectInfo {
    pub id: ProjectId,
    pub name: String,
    pub domain_id: DomainId,
    pub enabled: bool,
}

/// A user, as others need it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserInfo {
    pub id: UserId,
    pub name: String,
    pub domain_id: DomainId,
    pub enabled: bool,
}

/// Keystone.
#[async_trait]
pub trait Identity: Send + Sync {
    /// Who holds the token. Sees a revocation at once.
    async fn authenticate(&self, token: &str) -> Result<Arc<Caller>, AuthError>;

    /// Whether the caller's token may make this request of a service: an application credential
    /// may be bound to some. `path` is the service's own, `/v2.1/servers`.
    async fn may_request(
        &self,
        _caller: &Caller,
        _service: &str,
        _verb: &str,
        _path: &str,
    ) -> bool {
        true
    }

    async fn project(&self, id: &ProjectId) -> Result<Option<ProjectInfo>, CallError>;

    /// A project by name in the default domain: for what is seeded.
    async fn project_named(&self, name: &str) -> Result<Option<ProjectInfo>, CallError>;

    async fn user(&self, id: &UserId) -> Result<Option<UserInfo>, CallError>;
}
