//! Domains.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::response::Response;
use http::StatusCode;
use serde_json::{Value, json};
use stackup_core::Ctx;
use stackup_web::{Cx, Json, answer};

use super::fields::{Body, Fields, IMMUTABLE, required};
use super::list::{Filter, Listing, by, flag};
use crate::Keystone;
use crate::error::Error;
use crate::logic::projects::ProjectFields;
use crate::model::project::Project;

const FILTERS: &[Filter] = &[by("name", "name"), flag("enabled", "enabled")];

pub(super) async fn list(
    State(keystone): State<Arc<Keystone>>,
    Cx(cx): Cx,
    listing: Listing,
) -> Result<Json<Value>, Error> {
    let found = keystone.list_domains(&cx, listing.conditions(FILTERS, "id")).await?;
    let views = found.iter().map(|domain| view(domain, &cx)).collect();
    listing.wrap(&cx, "domains", views, FILTERS, keystone.config.list_limit).map(Json)
}

pub(super) async fn show(
    State(keystone): State<Arc<Keystone>>,
    Cx(cx): Cx,
    Path(id): Path<String>,
) -> Result<Json<Value>, Error> {
    let domain = keystone.domain_for(&cx, &id).await?;
    Ok(Json(json!({"domain": view(&domain, &cx)})))
}

pub(super) async fn create(
    State(keystone): State<Arc<Keystone>>,
    Cx(cx): Cx,
    body: Body,
) -> Result<Response, Error> {
    let mut given = body.member("domain")?;
    let explicit_id = given.id("explicit_domain_id")?;
    let fields = read(given)?;
    required(fields.name.as_ref(), "name")?;
    let domain = keystone.create_domain(&cx, fields, explicit_id).await?;
    Ok(answer(StatusCode::CREATED, &json!({"domain": view(&domain, &cx)})))
}

pub(super) async fn update(
    State(keystone): State<Arc<Keystone>>,
    Cx(cx): Cx,
    Path(id): Path<String>,
    body: Body,
) -> Result<Json<Value>, Error> {
    let mut given = body.member("domain")?;
    given.same_id(&id)?;
    let domain = keystone.update_domain(&cx, &id, read(given)?).await?;
    Ok(Json(json!({"domain": view(&domain, &cx)})))
}

pub(super) async fn delete(
    State(keystone): State<Arc<Keystone>>,
    Cx(cx): Cx,
    Path(id): Path<String>,
) -> Result<StatusCode, Error> {
    keystone.delete_domain(&cx, &id).await?;
    Ok(StatusCode::NO_CONTENT)
}

fn read(mut fields: Fields) -> Result<ProjectFields, Error> {
    Ok(ProjectFields {
        name: fields.name("name", 64)?,
        enabled: fields.flag("enabled")?,
        description: fields.nullable("description")?,
        tags: fields.texts("tags")?,
        options: fields.options(IMMUTABLE)?,
        extra: fields.rest(),
        ..ProjectFields::default()
    })
}

pub(super) fn view(domain: &Project, cx: &Ctx) -> Value {
    let mut view = json!({
        "id": domain.id,
        "name": domain.name,
        "description": domain.description,
        "enabled": domain.enabled,
        "tags": domain.tags,
        "options": domain.options,
        "links": {"self": format!("{}/v3/domains/{}", cx.self_url, domain.id)},
    });
    super::add_extra(&mut view, &domain.extra);
    view
}
