//! Users and their passwords.

use stackup_core::{DomainId, ProjectId, Time, UserId};

use super::Extra;

/// A user, with the password in force.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct User {
    pub(crate) id: UserId,
    pub(crate) name: String,
    pub(crate) domain_id: DomainId,
    pub(crate) enabled: bool,
    pub(crate) default_project_id: Option<ProjectId>,
    pub(crate) options: Extra,
    /// `email`, `description`, and whatever else users add.
    pub(crate) extra: Extra,
    pub(crate) revoked_before: Option<Time>,
    /// Wrong passwords in a row, and when the last one came.
    pub(crate) failed_count: u32,
    pub(crate) failed_at: Option<Time>,
    pub(crate) password: Option<Password>,
}

/// A password at rest.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Password {
    pub(crate) id: String,
    pub(crate) hash: String,
    /// Set by the user, not by an administrator.
    pub(crate) self_service: bool,
    pub(crate) created_at: Time,
    pub(crate) expires_at: Option<Time>,
}

impl User {
    /// Whether a flag of the user's options is set.
    pub(crate) fn option(&self, name: &str) -> bool {
        self.options.get(name) == Some(&serde_json::Value::Bool(true))
    }

    /// When the password stops working, if it does.
    pub(crate) fn password_expires_at(&self) -> Option<Time> {
        let expires = self.password.as_ref()?.expires_at?;
        (!self.option("ignore_password_expiry")).then_some(expires)
    }

    /// The sets of methods of which one must have been used; none when any method will do.
    pub(crate) fn required_methods(&self) -> Vec<Vec<String>> {
        if self.options.get("multi_factor_auth_enabled") == Some(&serde_json::Value::Bool(false)) {
            return Vec::new();
        }
        let rules = self.options.get("multi_factor_auth_rules").cloned();
        serde_json::from_value(rules.unwrap_or_default()).unwrap_or_default()
    }
}
