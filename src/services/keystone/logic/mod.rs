//! What the service does.

pub(crate) mod application_credentials;
pub(crate) mod assignments;
pub(crate) mod auth;
pub(crate) mod bootstrap;
pub(crate) mod catalog;
pub(crate) mod credentials;
pub(crate) mod domains;
pub(crate) mod ec2;
pub(crate) mod grants;
pub(crate) mod groups;
pub(crate) mod limits;
pub(crate) mod passwords;
pub(crate) mod policies;
pub(crate) mod port;
pub(crate) mod projects;
pub(crate) mod roles;
pub(crate) mod scope;
pub(crate) mod tokens;
pub(crate) mod trusts;
pub(crate) mod users;

use serde_json::Value;
use stackup_core::{Ctx, Scope};
use stackup_policy::Target;

use crate::Keystone;
use crate::error::Error;
use crate::model::Extra;

impl Keystone {
    /// Checks a rule against what is touched.
    pub(crate) fn allow(&self, cx: &Ctx, rule: &str, target: &Target) -> Result<(), Error> {
        Ok(self.policy.check(cx, rule, target)?)
    }
}

/// The domain in which a caller makes things when the request names none.
pub(crate) fn home_domain(cx: &Ctx) -> String {
    match &cx.caller.scope {
        Scope::Domain(domain) => domain.id.to_string(),
        Scope::Project { domain, .. } => domain.id.to_string(),
        Scope::Unscoped | Scope::System => "default".to_owned(),
    }
}

/// Lays changes over what is there: a null takes an attribute away.
pub(crate) fn merge(into: &mut Extra, changes: Extra) {
    for (key, value) in changes {
        if value == Value::Null {
            into.remove(&key);
        } else {
            into.insert(key, value);
        }
    }
}

/// As [`merge`], for extra attributes, where upstream keeps a null.
pub(crate) fn overlay(into: &mut Extra, changes: Extra) {
    for (key, value) in changes {
        into.insert(key, value);
    }
}

/// Fails while a resource is immutable and the change does not end that.
pub(crate) fn may_change(
    kind: &str,
    id: &str,
    options: &Extra,
    change: Option<&Extra>,
) -> Result<(), Error> {
    let ends = |change: &Extra| match change.get("immutable") {
        Some(value) => *value != Value::Bool(true),
        None => false,
    };
    if !crate::model::is_immutable(options) || change.is_some_and(ends) {
        return Ok(());
    }
    Err(Error::Forbidden(format!(
        "Unable to update immutable {kind} resource: `{id}`. Set resource option \"immutable\" to \
         false first."
    )))
}

/// Fails for an immutable resource.
pub(crate) fn may_delete(kind: &str, id: &str, options: &Extra) -> Result<(), Error> {
    if !crate::model::is_immutable(options) {
        return Ok(());
    }
    Err(Error::Forbidden(format!(
        "Unable to delete immutable {kind} resource: `{id}`. Set resource option \"immutable\" to \
         false first."
    )))
}
