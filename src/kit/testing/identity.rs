//! Callers without keystone: the token is the caller's name.

use std::sync::Arc;

use async_trait::async_trait;
use stackup_contracts::{AuthError, CallError, Identity, ProjectInfo, UserInfo};
use stackup_core::{Caller, DomainRef, ProjectId, Scope, Time, UserId};

/// Knows these tokens, as `role@project`:
///
/// `admin@p`, `manager@p`, `member@p`, `reader@p` for any project id `p`; `admin@system`,
/// `reader@system`; `admin@domain` for the domain `default`; `unscoped`. Anything else is invalid.
/// A project's id is also its name, and every project asked for is there unless it is `missing`.
#[derive(Debug, Default, Clone, Copy)]
pub struct StubIdentity;

#[async_trait]
impl Identity for StubIdentity {
    async fn authenticate(&self, token: &str) -> Result<Arc<Caller>, AuthError> {
        caller(token).map(Arc::new).ok_or(AuthError::Invalid)
    }

    async fn project(&self, id: &ProjectId) -> Result<Option<ProjectInfo>, CallError> {
        Ok((*id != "missing").then(|| ProjectInfo {
            id: id.clone(),
            name: id.to_string(),
            domain_id: "default".into(),
            enabled: true,
        }))
    }

    async fn project_named(&self, name: &str) -> Result<Option<ProjectInfo>, CallError> {
        self.project(&name.into()).await
    }

    async fn user(&self, id: &UserId) -> Result<Option<UserInfo>, CallError> {
        Ok(Some(UserInfo {
            id: id.clone(),
            name: id.to_string(),
            domain_id: "default".into(),
            enabled: true,
        }))
    }
}

/// The caller behind a stub token.
pub fn caller(token: &str) -> Option<Caller> {
    let domain = DomainRef { id: "default".into(), name: "Default".into() };
    let (role, scope) = match token.split_once('@') {
        None if token == "unscoped" => ("", Scope::Unscoped),
        None => return None,
        Some((role, "system")) => (role, Scope::System),
        Some((role, "domain")) => (role, Scope::Domain(domain.clone())),
        Some((role, project)) => {
            let project =
                Scope::Project { id: project.into(), name: project.into(), domain: domain.clone() };
            (role, project)
        }
    };
    // As keystone implies them: admin > manager > member > reader.
    let implied: &[&str] = match role {
        "admin" => &["admin", "manager", "member", "reader"],
        "manager" => &["manager", "member", "reader"],
        "member" => &["member", "reader"],
        "reader" => &["reader"],
        "service" => &["service"],
        "" => &[],
        _ => return None,
    };
    Some(Caller {
        user_id: format!("user-{role}").into(),
        user_name: role.to_owned(),
        user_domain: domain,
        scope,
        roles: implied.iter().map(|role| (*role).to_owned()).collect(),
        issued_at: Time::from_unix(1_700_000_000),
        expires_at: Time::from_unix(4_000_000_000),
        audit_ids: vec!["audit".to_owned()],
        methods: vec!["password".to_owned()],
        application_credential_id: None,
        unrestricted: true,
        trust_id: None,
    })
}
