//! Trusts: one user lends roles on a project to another.

use stackup_core::{ProjectId, Time, UserId};

use super::Extra;

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Trust {
    pub(crate) id: String,
    pub(crate) trustor_user_id: UserId,
    pub(crate) trustee_user_id: UserId,
    pub(crate) project_id: Option<ProjectId>,
    /// The trustee's tokens are the trustor's.
    pub(crate) impersonation: bool,
    pub(crate) expires_at: Option<Time>,
    /// Tokens that it may still give; `None` is any number.
    pub(crate) remaining_uses: Option<i64>,
    /// The trust by which this one was made.
    pub(crate) redelegated_trust_id: Option<String>,
    /// How many trusts may still be made one of another.
    pub(crate) redelegation_count: i64,
    pub(crate) extra: Extra,
    pub(crate) role_ids: Vec<String>,
}

impl Trust {
    /// Whether it can still be seen and used.
    pub(crate) fn is_open(&self, now: Time) -> bool {
        self.is_current(now) && self.remaining_uses.is_none_or(|uses| uses > 0)
    }

    /// Whether its tokens are good: they outlive its last use.
    pub(crate) fn is_current(&self, now: Time) -> bool {
        self.expires_at.is_none_or(|at| at > now)
    }

    /// Whose tokens it gives.
    pub(crate) fn token_user(&self) -> &UserId {
        if self.impersonation { &self.trustor_user_id } else { &self.trustee_user_id }
    }
}
