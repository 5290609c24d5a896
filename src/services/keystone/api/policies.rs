//! Policy blobs.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::response::Response;
use http::StatusCode;
use serde_json::{Value, json};
use stackup_core::Ctx;
use stackup_web::{Cx, Json, answer};

use super::fields::{Body, Fields, required};
use super::list::{Filter, Listing, by};
use crate::Keystone;
use crate::error::Error;
use crate::logic::policies::PolicyFields;
use crate::model::policy::PolicyBlob;

const FILTERS: &[Filter] = &[by("type", "type")];

pub(super) async fn list(
    State(keystone): State<Arc<Keystone>>,
    Cx(cx): Cx,
    listing: Listing,
) -> Result<Json<Value>, Error> {
    let found = keystone.policies(listing.conditions(FILTERS, "id")).await?;
    let views = found.iter().map(|policy| view(policy, &cx)).collect();
    listing.wrap(&cx, "policies", views, FILTERS, None).map(Json)
}

pub(super) async fn show(
    State(keystone): State<Arc<Keystone>>,
    Cx(cx): Cx,
    Path(id): Path<String>,
) -> Result<Json<Value>, Error> {
    let policy = keystone.policy_blob(&id).await?;
    Ok(Json(json!({"policy": view(&policy, &cx)})))
}

pub(super) async fn create(
    State(keystone): State<Arc<Keystone>>,
    Cx(cx): Cx,
    body: Body,
) -> Result<Response, Error> {
    let fields = read(body.member("policy")?)?;
    required(fields.blob.as_ref(), "blob")?;
    required(fields.kind.as_ref(), "type")?;
    let policy = keystone.create_policy(fields).await?;
    Ok(answer(StatusCode::CREATED, &json!({"policy": view(&policy, &cx)})))
}

pub(super) async fn update(
    State(keystone): State<Arc<Keystone>>,
    Cx(cx): Cx,
    Path(id): Path<String>,
    body: Body,
) -> Result<Json<Value>, Error> {
    let mut given = body.member("policy")?;
    given.same_id(&id)?;
    let policy = keystone.update_policy(&id, read(given)?).await?;
    Ok(Json(json!({"policy": view(&policy, &cx)})))
}

pub(super) async fn delete(
    State(keystone): State<Arc<Keystone>>,
    Path(id): Path<String>,
) -> Result<StatusCode, Error> {
    keystone.delete_policy(&id).await?;
    Ok(StatusCode::NO_CONTENT)
}

fn read(mut fields: Fields) -> Result<PolicyFields, Error> {
    Ok(PolicyFields {
        kind: fields.name("type", 255)?,
        blob: fields.take("blob"),
        extra: fields.rest(),
    })
}

fn view(policy: &PolicyBlob, cx: &Ctx) -> Value {
    let mut view = json!({
        "id": policy.id,
        "type": policy.kind,
        "blob": policy.blob,
        "links": {"self": format!("{}/v3/policies/{}", cx.self_url, policy.id)},
    });
    super::add_extra(&mut view, &policy.extra);
    view
}
