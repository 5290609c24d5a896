//! The door for other services.

use std::sync::Arc;

use async_trait::async_trait;
use stackup_contracts::{AuthError, CallError, Identity, ProjectInfo, UserInfo};
use stackup_core::{Caller, ProjectId, UserId};

use crate::Keystone;
use crate::error::Error;
use crate::model::project::Project;
use crate::store::{projects, users};

#[async_trait]
impl Identity for Keystone {
    async fn authenticate(&self, token: &str) -> Result<Arc<Caller>, AuthError> {
        match self.validate(token).await {
            Ok(Some(found)) => Ok(Arc::clone(&found.caller)),
            Ok(None) => Err(AuthError::Invalid),
            Err(error) => {
                let fault = error.fault();
                tracing::error!(cause = fault.cause.as_deref(), "could not validate a token");
                Err(AuthError::Unavailable(fault.message))
            }
        }
    }

    async fn may_request(&self, caller: &Caller, service: &str, verb: &str, path: &str) -> bool {
        self.is_within_rules(caller, service, verb, path).await.unwrap_or_else(|error| {
            tracing::error!(%error, "could not read the rules of an application credential");
            false
        })
    }

    async fn project(&self, id: &ProjectId) -> Result<Option<ProjectInfo>, CallError> {
        let id = id.clone();
        let found = self.read(move |r| Ok(projects::get(r, &id)?)).await?;
        Ok(found.and_then(info))
    }

    async fn project_named(&self, name: &str) -> Result<Option<ProjectInfo>, CallError> {
        let name = name.to_owned();
        let found = self.read(move |r| Ok(projects::named(r, "default", &name)?)).await?;
        Ok(found.and_then(info))
    }

    async fn user(&self, id: &UserId) -> Result<Option<UserInfo>, CallError> {
        let id = id.clone();
        let found = self.read(move |r| Ok::<_, Error>(users::get(r, &id)?)).await?;
        Ok(found.map(|user| UserInfo {
            id: user.id,
            name: user.name,
            domain_id: user.domain_id,
            enabled: user.enabled,
        }))
    }
}

/// A domain is no project to others.
fn info(project: Project) -> Option<ProjectInfo> {
    Some(ProjectInfo {
        id: project.id,
        name: project.name,
        domain_id: project.domain_id?,
        enabled: project.enabled,
    })
}
