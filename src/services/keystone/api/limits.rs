//! Registered limits and limits.

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
use crate::logic::limits::{LimitFields, RegisteredFields};
use crate::model::limit::{Limit, RegisteredLimit};

const REGISTERED_FILTERS: &[Filter] = &[
    by("service_id", "service_id"),
    by("region_id", "region_id"),
    by("resource_name", "resource_name"),
];
const FILTERS: &[Filter] = &[
    by("service_id", "g.service_id"),
    by("region_id", "g.region_id"),
    by("resource_name", "g.resource_name"),
    by("project_id", "l.project_id"),
    by("domain_id", "l.domain_id"),
];

pub(super) async fn model() -> Json<Value> {
    let description =
        "Limit enforcement and validation does not take project hierarchy into consideration.";
    Json(json!({"model": {"name": "flat", "description": description}}))
}

pub(super) async fn list_registered(
    State(keystone): State<Arc<Keystone>>,
    Cx(cx): Cx,
    listing: Listing,
) -> Result<Json<Value>, Error> {
    let found = keystone.registered_limits(listing.conditions(REGISTERED_FILTERS, "id")).await?;
    let views = found.iter().map(|limit| registered_view(limit, &cx)).collect();
    listing.wrap(&cx, "registered_limits", views, REGISTERED_FILTERS, None).map(Json)
}

pub(super) async fn show_registered(
    State(keystone): State<Arc<Keystone>>,
    Cx(cx): Cx,
    Path(id): Path<String>,
) -> Result<Json<Value>, Error> {
    let limit = keystone.registered_limit(&id).await?;
    Ok(Json(json!({"registered_limit": registered_view(&limit, &cx)})))
}

pub(super) async fn create_registered(
    State(keystone): State<Arc<Keystone>>,
    Cx(cx): Cx,
    body: Body,
) -> Result<Response, Error> {
    let mut all = Vec::new();
    for given in body.members("registered_limits")? {
        let fields = read_registered(given)?;
        required(fields.service_id.as_ref(), "service_id")?;
        required(fields.resource_name.as_ref(), "resource_name")?;
        required(fields.default_limit, "default_limit")?;
        all.push(fields);
    }
    let made = keystone.create_registered_limits(all).await?;
    let views: Vec<Value> = made.iter().map(|limit| registered_view(limit, &cx)).collect();
    Ok(answer(StatusCode::CREATED, &json!({"registered_limits": views})))
}

pub(super) async fn update_registered(
    State(keystone): State<Arc<Keystone>>,
    Cx(cx): Cx,
    Path(id): Path<String>,
    body: Body,
) -> Result<Json<Value>, Error> {
    let fields = read_registered(body.member("registered_limit")?)?;
    let limit = keystone.update_registered_limit(&id, fields).await?;
    Ok(Json(json!({"registered_limit": registered_view(&limit, &cx)})))
}

pub(super) async fn delete_registered(
    State(keystone): State<Arc<Keystone>>,
    Path(id): Path<String>,
) -> Result<StatusCode, Error> {
    keystone.delete_registered_limit(&id).await?;
    Ok(StatusCode::NO_CONTENT)
}

pub(super) async fn list(
    State(keystone): State<Arc<Keystone>>,
    Cx(cx): Cx,
    listing: Listing,
) -> Result<Json<Value>, Error> {
    let found = keystone.list_limits(&cx, listing.conditions(FILTERS, "l.id")).await?;
    let views = found.iter().map(|limit| view(limit, &cx)).collect();
    listing.wrap(&cx, "limits", views, FILTERS, None).map(Json)
}

pub(super) async fn show(
    State(keystone): State<Arc<Keystone>>,
    Cx(cx): Cx,
    Path(id): Path<String>,
) -> Result<Json<Value>, Error> {
    let limit = keystone.limit_for(&cx, &id).await?;
    Ok(Json(json!({"limit": view(&limit, &cx)})))
}

pub(super) async fn create(
    State(keystone): State<Arc<Keystone>>,
    Cx(cx): Cx,
    body: Body,
) -> Result<Response, Error> {
    let mut all = Vec::new();
    for given in body.members("limits")? {
        let fields = read(given)?;
        required(fields.service_id.as_ref(), "service_id")?;
        required(fields.resource_name.as_ref(), "resource_name")?;
        required(fields.resource_limit, "resource_limit")?;
        if fields.project_id.is_some() == fields.domain_id.is_some() {
            return Err(Error::invalid("Specify either a project_id or a domain_id"));
        }
        all.push(fields);
    }
    let made = keystone.create_limits(all).await?;
    let views: Vec<Value> = made.iter().map(|limit| view(limit, &cx)).collect();
    Ok(answer(StatusCode::CREATED, &json!({"limits": views})))
}

pub(super) async fn update(
    State(keystone): State<Arc<Keystone>>,
    Cx(cx): Cx,
    Path(id): Path<String>,
    body: Body,
) -> Result<Json<Value>, Error> {
    let fields = read(body.member("limit")?)?;
    let limit = keystone.update_limit(&id, fields).await?;
    Ok(Json(json!({"limit": view(&limit, &cx)})))
}

pub(super) async fn delete(
    State(keystone): State<Arc<Keystone>>,
    Path(id): Path<String>,
) -> Result<StatusCode, Error> {
    keystone.delete_limit(&id).await?;
    Ok(StatusCode::NO_CONTENT)
}

fn read_registered(mut fields: Fields) -> Result<RegisteredFields, Error> {
    Ok(RegisteredFields {
        service_id: fields.id("service_id")?,
        region_id: fields.nullable("region_id")?,
        resource_name: fields.name("resource_name", 255)?,
        default_limit: fields.limit("default_limit")?,
        description: fields.nullable("description")?,
    })
}

fn read(mut fields: Fields) -> Result<LimitFields, Error> {
    Ok(LimitFields {
        project_id: fields.nullable_id("project_id")?.flatten(),
        domain_id: fields.nullable_id("domain_id")?.flatten(),
        service_id: fields.id("service_id")?,
        region_id: fields.nullable("region_id")?.flatten(),
        resource_name: fields.name("resource_name", 255)?,
        resource_limit: fields.limit("resource_limit")?,
        description: fields.nullable("description")?,
    })
}

fn registered_view(limit: &RegisteredLimit, cx: &Ctx) -> Value {
    json!({
        "id": limit.id,
        "service_id": limit.service_id,
        "region_id": limit.region_id,
        "resource_name": limit.resource_name,
        "default_limit": limit.default_limit,
        "description": limit.description,
        "links": {"self": format!("{}/v3/registered_limits/{}", cx.self_url, limit.id)},
    })
}

fn view(limit: &Limit, cx: &Ctx) -> Value {
    let registered = &limit.registered;
    json!({
        "id": limit.id,
        "project_id": limit.project_id,
        "domain_id": limit.domain_id,
        "service_id": registered.service_id,
        "region_id": registered.region_id,
        "resource_name": registered.resource_name,
        "resource_limit": limit.resource_limit,
        "description": limit.description,
        "links": {"self": format!("{}/v3/limits/{}", cx.self_url, limit.id)},
    })
}
