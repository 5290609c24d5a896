//! Who may do what: upstream's rules, by upstream's names, in upstream's language.
//!
//! Each service has a table of [`Rule`]s. The web layer checks a route's rule before the handler
//! runs; a service checks again where the answer depends on the thing itself. Whose *rows* are
//! visible is not decided here but in the query (`Ctx::reach`).
//!
//! The language is oslo.policy's: `role:admin or (role:member and project_id:%(project_id)s)`.

mod expr;
mod target;

use std::collections::{BTreeMap, HashMap};

use stackup_core::{Caller, Ctx, Origin, Scope};

pub use expr::{Expr, ParseError};
pub use target::Target;

/// One row of a service's table.
#[derive(Debug, Clone, Copy)]
pub struct Rule {
    /// Upstream's name: `os_compute_api:servers:create`.
    pub name: &'static str,
    /// Upstream's default, in the policy language.
    pub check: &'static str,
    /// The scopes a token may have; empty means any.
    pub scopes: &'static [ScopeKind],
    pub description: &'static str,
}

/// The kinds of scope that a rule can ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ScopeKind {
    Project,
    Domain,
    System,
}

/// A table that cannot be enforced: found at start, never at a request.
#[derive(Debug, thiserror::Error)]
pub enum PolicyError {
    #[error("rule {rule} does not parse")]
    Parse {
        rule: String,
        #[source]
        source: ParseError,
    },
    #[error("rule {rule} refers to {missing}, which is not there")]
    Missing { rule: String, missing: String },
}

/// The caller may not.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("policy does not allow {rule} to be performed")]
pub struct Denied {
    pub rule: String,
    /// The token has the wrong scope, whatever its roles are.
    pub scope: bool,
}

/// A service's rules, parsed.
#[derive(Debug)]
pub struct Policy {
    rules: HashMap<String, Compiled>,
}

#[derive(Debug)]
struct Compiled {
    expr: Expr,
    scopes: &'static [ScopeKind],
}

impl Policy {
    /// Parses the tables. `overrides` is an operator's policy file: name to check.
    pub fn new(
        tables: &[&[Rule]],
        overrides: &BTreeMap<String, String>,
    ) -> Result<Self, PolicyError> {
        let mut rules = HashMap::new();
        for rule in tables.iter().copied().flatten() {
            let check = overrides.get(rule.name).map_or(rule.check, String::as_str);
            let expr = Expr::parse(check)
                .map_err(|source| PolicyError::Parse { rule: rule.name.to_owned(), source })?;
            rules.insert(rule.name.to_owned(), Compiled { expr, scopes: rule.scopes });
        }
        for (name, compiled) in &rules {
            for missing in compiled.expr.references() {
                if !rules.contains_key(missing) {
                    let missing = missing.to_owned();
                    return Err(PolicyError::Missing { rule: name.clone(), missing });
                }
            }
        }
        Ok(Self { rules })
    }

    /// Whether the table has the rule.
    pub fn knows(&self, rule: &str) -> bool {
        self.rules.contains_key(rule)
    }

    /// Checks `rule` for the caller against what is being touched. Work of the process itself is
    /// always allowed; an unknown rule never is.
    pub fn check(&self, cx: &Ctx, rule: &str, target: &Target) -> Result<(), Denied> {
        if matches!(cx.origin, Origin::Service | Origin::Task) {
            return Ok(());
        }
        self.check_caller(&cx.caller, rule, target)
    }

    /// As [`Policy::check`], with the caller's own project, domain and user as the target: what can
    /// be said before the thing is known.
    pub fn check_own(&self, cx: &Ctx, rule: &str) -> Result<(), Denied> {
        self.check(cx, rule, &Target::own(&cx.caller))
    }

    fn check_caller(&self, caller: &Caller, rule: &str, target: &Target) -> Result<(), Denied> {
        let denied = |scope| Denied { rule: rule.to_owned(), scope };
        let compiled = self.rules.get(rule).ok_or_else(|| denied(false))?;
        if !in_scope(caller, compiled.scopes) {
            return Err(denied(true));
        }
        if self.holds(&compiled.expr, caller, target) { Ok(()) } else { Err(denied(false)) }
    }

    fn holds(&self, expr: &Expr, caller: &Caller, target: &Target) -> bool {
        match expr {
            Expr::Always => true,
            Expr::Never => false,
            Expr::Not(inner) => !self.holds(inner, caller, target),
            Expr::And(all) => all.iter().all(|e| self.holds(e, caller, target)),
            Expr::Or(any) => any.iter().any(|e| self.holds(e, caller, target)),
            Expr::Rule(name) => {
                self.rules.get(name).is_some_and(|rule| self.holds(&rule.expr, caller, target))
            }
            Expr::Role(role) => caller.has_role(role),
            Expr::Literal { literal, attribute } => {
                target.get(attribute).is_some_and(|value| value == literal)
            }
            Expr::Attribute { credential, attribute } => {
                let wanted = target.get(attribute);
                wanted.is_some() && wanted == target::credential(caller, credential).as_deref()
            }
            Expr::Credential { credential, value } => {
                target::credential(caller, credential).unwrap_or("None".into()) == *value
            }
            Expr::Field { attribute, value } => target.get(attribute) == Some(value),
            Expr::FieldPrefix { attribute, prefix } => {
                target.get(attribute).is_some_and(|value| value.starts_with(prefix))
            }
        }
    }
}

fn in_scope(caller: &Caller, scopes: &[ScopeKind]) -> bool {
    let kind = match &caller.scope {
        _ if scopes.is_empty() => return true,
        Scope::Project { .. } => ScopeKind::Project,
        Scope::Domain(_) => ScopeKind::Domain,
        Scope::System => ScopeKind::System,
        Scope::Unscoped => return false,
    };
    scopes.contains(&kind)
}

#[cfg(test)]
mod tests;
