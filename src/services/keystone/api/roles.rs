//! Roles and what they imply.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::response::Response;
use http::StatusCode;
use serde_json::{Value, json};
use stackup_core::Ctx;
use stackup_web::{Cx, Json, answer};

use super::fields::{Body, Fields, IMMUTABLE, required};
use super::list::{Filter, Listing, by};
use crate::Keystone;
use crate::error::Error;
use crate::logic::roles::RoleFields;
use crate::model::role::Role;

const FILTERS: &[Filter] = &[by("name", "name")];

pub(super) async fn list(
    State(keystone): State<Arc<Keystone>>,
    Cx(cx): Cx,
    listing: Listing,
) -> Result<Json<Value>, Error> {
    let condition = listing.conditions(FILTERS, "id");
    let domain = listing.query.get("domain_id");
    let found = keystone.list_roles(&cx, condition, domain).await?;
    let views = found.iter().map(|role| view(role, &cx)).collect();
    listing.wrap(&cx, "roles", views, FILTERS, keystone.config.list_limit).map(Json)
}

pub(super) async fn show(
    State(keystone): State<Arc<Keystone>>,
    Cx(cx): Cx,
    Path(id): Path<String>,
) -> Result<Json<Value>, Error> {
    let role = keystone.show_role(&cx, &id).await?;
    Ok(Json(json!({"role": view(&role, &cx)})))
}

pub(super) async fn create(
    State(keystone): State<Arc<Keystone>>,
    Cx(cx): Cx,
    body: Body,
) -> Result<Response, Error> {
    let fields = read(body.member("role")?)?;
    required(fields.name.as_ref(), "name")?;
    let role = keystone.create_role(&cx, fields).await?;
    Ok(answer(StatusCode::CREATED, &json!({"role": view(&role, &cx)})))
}

pub(super) async fn update(
    State(keystone): State<Arc<Keystone>>,
    Cx(cx): Cx,
    Path(id): Path<String>,
    body: Body,
) -> Result<Json<Value>, Error> {
    let mut given = body.member("role")?;
    given.same_id(&id)?;
    let role = keystone.update_role(&cx, &id, read(given)?).await?;
    Ok(Json(json!({"role": view(&role, &cx)})))
}

pub(super) async fn delete(
    State(keystone): State<Arc<Keystone>>,
    Cx(cx): Cx,
    Path(id): Path<String>,
) -> Result<StatusCode, Error> {
    keystone.delete_role(&cx, &id).await?;
    Ok(StatusCode::NO_CONTENT)
}

pub(super) async fn list_implied(
    State(keystone): State<Arc<Keystone>>,
    Cx(cx): Cx,
    Path(id): Path<String>,
) -> Result<Json<Value>, Error> {
    let (prior, implied) = keystone.implied_by(&id).await?;
    let link = format!("{}/v3/roles/{id}/implies", cx.self_url);
    let inference = inference_view(&prior, &implied, &cx);
    Ok(Json(json!({"role_inference": inference, "links": {"self": link}})))
}

pub(super) async fn show_implied(
    State(keystone): State<Arc<Keystone>>,
    Cx(cx): Cx,
    Path((id, implied)): Path<(String, String)>,
) -> Result<Json<Value>, Error> {
    let (prior, implied) = keystone.inference(&id, &implied).await?;
    Ok(Json(one_view(&prior, &implied, &cx)))
}

pub(super) async fn check_implied(
    State(keystone): State<Arc<Keystone>>,
    Path((id, implied)): Path<(String, String)>,
) -> Result<StatusCode, Error> {
    keystone.inference(&id, &implied).await?;
    Ok(StatusCode::NO_CONTENT)
}

pub(super) async fn imply(
    State(keystone): State<Arc<Keystone>>,
    Cx(cx): Cx,
    Path((id, implied)): Path<(String, String)>,
) -> Result<Response, Error> {
    let (prior, implied) = keystone.imply(&id, &implied).await?;
    Ok(answer(StatusCode::CREATED, &one_view(&prior, &implied, &cx)))
}

pub(super) async fn unimply(
    State(keystone): State<Arc<Keystone>>,
    Path((id, implied)): Path<(String, String)>,
) -> Result<StatusCode, Error> {
    keystone.unimply(&id, &implied).await?;
    Ok(StatusCode::NO_CONTENT)
}

pub(super) async fn inferences(
    State(keystone): State<Arc<Keystone>>,
    Cx(cx): Cx,
) -> Result<Json<Value>, Error> {
    let all = keystone.inferences().await?;
    let views: Vec<Value> =
        all.iter().map(|(prior, implied)| inference_view(prior, implied, &cx)).collect();
    let link = format!("{}/v3/role_inferences", cx.self_url);
    Ok(Json(json!({"role_inferences": views, "links": {"self": link}})))
}

fn read(mut fields: Fields) -> Result<RoleFields, Error> {
    Ok(RoleFields {
        name: fields.name("name", 255)?,
        domain_id: fields.nullable_id("domain_id")?,
        description: fields.nullable("description")?,
        options: fields.options(IMMUTABLE)?,
        extra: fields.rest(),
    })
}

pub(super) fn view(role: &Role, cx: &Ctx) -> Value {
    let mut view = json!({
        "id": role.id,
        "name": role.name,
        "domain_id": role.domain_id,
        "description": role.description,
        "options": role.options,
        "links": {"self": format!("{}/v3/roles/{}", cx.self_url, role.id)},
    });
    super::add_extra(&mut view, &role.extra);
    view
}

/// A role inside an inference.
fn brief(role: &Role, cx: &Ctx) -> Value {
    json!({
        "id": role.id,
        "name": role.name,
        "description": role.description,
        "links": {"self": format!("{}/v3/roles/{}", cx.self_url, role.id)},
    })
}

fn inference_view(prior: &Role, implied: &[Role], cx: &Ctx) -> Value {
    let implied: Vec<Value> = implied.iter().map(|role| brief(role, cx)).collect();
    json!({"prior_role": brief(prior, cx), "implies": implied})
}

fn one_view(prior: &Role, implied: &Role, cx: &Ctx) -> Value {
    let link = format!("{}/v3/roles/{}/implies/{}", cx.self_url, prior.id, implied.id);
    json!({
        "role_inference": {"prior_role": brief(prior, cx), "implies": brief(implied, cx)},
        "links": {"self": link},
    })
}
