//! Quotas.

use axum::body::Bytes;
use axum::extract::{Path, State};
use http::StatusCode;
use serde_json::{Value as Json, json};
use stackup_core::Ctx;
use stackup_policy::Target;
use stackup_web::{Cx, Json as Body};

use super::resources::{Service, body};
use crate::Neutron;
use crate::error::Result;

/// Reading one's own quota is everybody's; a stranger's is its manager's.
fn may_read(neutron: &Neutron, cx: &Ctx, project: &str) -> Result<()> {
    if cx.project_id().is_some_and(|own| *own == *project) {
        return Ok(());
    }
    Ok(neutron.policy.check(cx, "get_quota", &Target::project(project))?)
}

pub(super) async fn list(State(neutron): Service, Cx(cx): Cx) -> Result<Body<Json>> {
    neutron.policy.check(&cx, "get_quota", &Target::new())?;
    Ok(Body(json!({"quotas": neutron.quotas().await?})))
}

/// Whose quota the caller's is.
pub(super) async fn tenant(Cx(cx): Cx) -> Body<Json> {
    let id = cx.project_id();
    Body(json!({"tenant": {"tenant_id": id, "project_id": id}}))
}

pub(super) async fn show(
    State(neutron): Service,
    Cx(cx): Cx,
    Path(id): Path<String>,
) -> Result<Body<Json>> {
    may_read(&neutron, &cx, &id)?;
    Ok(Body(json!({"quota": neutron.quota(&id).await?})))
}

pub(super) async fn defaults(
    State(neutron): Service,
    Cx(cx): Cx,
    Path(id): Path<String>,
) -> Result<Body<Json>> {
    may_read(&neutron, &cx, &id)?;
    Ok(Body(json!({"quota": neutron.default_quota()})))
}

pub(super) async fn details(
    State(neutron): Service,
    Cx(cx): Cx,
    Path(id): Path<String>,
) -> Result<Body<Json>> {
    may_read(&neutron, &cx, &id)?;
    Ok(Body(json!({"quota": neutron.quota_details(&id).await?})))
}

pub(super) async fn update(
    State(neutron): Service,
    Cx(cx): Cx,
    Path(id): Path<String>,
    bytes: Bytes,
) -> Result<Body<Json>> {
    let quota = neutron.set_quota(&cx, &id, &body(&bytes)?).await?;
    Ok(Body(json!({"quota": quota})))
}

pub(super) async fn reset(
    State(neutron): Service,
    Cx(cx): Cx,
    Path(id): Path<String>,
) -> Result<StatusCode> {
    neutron.reset_quota(&cx, &id).await?;
    Ok(StatusCode::NO_CONTENT)
}
