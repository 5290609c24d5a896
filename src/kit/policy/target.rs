//! The two sides of a check: what is touched, and what the token says.

use std::collections::BTreeMap;

use stackup_core::{Caller, Scope};

/// The attributes of what is touched, by the names the rules use: `project_id`,
/// `target.user.domain_id`.
#[derive(Debug, Clone, Default)]
pub struct Target(BTreeMap<String, String>);

impl Target {
    /// Nothing known.
    pub fn new() -> Self {
        Self::default()
    }

    /// The caller's own things.
    pub fn own(caller: &Caller) -> Self {
        let mut target = Self::new().with("user_id", &*caller.user_id);
        if let Some(project) = caller.project_id() {
            target = target.with("project_id", &**project).with("tenant_id", &**project);
        }
        if let Some(domain) = caller.domain_id() {
            target = target.with("domain_id", &**domain);
        }
        target
    }

    /// Something that belongs to a project.
    pub fn project(id: &str) -> Self {
        Self::new().with("project_id", id).with("tenant_id", id)
    }

    #[must_use]
    pub fn with(mut self, attribute: &str, value: impl Into<String>) -> Self {
        self.0.insert(attribute.to_owned(), value.into());
        self
    }

    /// An attribute that may be null; the rules spell null `None`.
    #[must_use]
    pub fn with_opt(self, attribute: &str, value: Option<&str>) -> Self {
        self.with(attribute, value.unwrap_or("None"))
    }

    pub(crate) fn get(&self, attribute: &str) -> Option<&str> {
        self.0.get(attribute).map(String::as_str)
    }
}

/// What the token says under `name`, as oslo.context spells its credentials.
pub(crate) fn credential(caller: &Caller, name: &str) -> Option<String> {
    let project = |pick: fn(&Scope) -> Option<String>| pick(&caller.scope);
    match name {
        "user_id" => Some(caller.user_id.to_string()),
        "user_domain_id" | "user.domain_id" => Some(caller.user_domain.id.to_string()),
        "project_id" | "tenant_id" | "token.project.id" => {
            caller.project_id().map(ToString::to_string)
        }
        "project_domain_id" | "token.project.domain.id" => project(|scope| match scope {
            Scope::Project { domain, .. } => Some(domain.id.to_string()),
            Scope::Unscoped | Scope::Domain(_) | Scope::System => None,
        }),
        "domain_id" | "token.domain.id" => caller.domain_id().map(ToString::to_string),
        "system_scope" => (caller.scope == Scope::System).then(|| "all".to_owned()),
        "is_admin" => Some(if caller.has_role("admin") { "True" } else { "False" }.to_owned()),
        "is_admin_project" => Some("True".to_owned()),
        "service_roles" => caller.has_role("service").then(|| "service".to_owned()),
        _ => None,
    }
}
