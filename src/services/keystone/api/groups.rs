//! Groups.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::response::Response;
use http::StatusCode;
use serde_json::{Value, json};
use stackup_core::Ctx;
use stackup_web::{Cx, Json, answer};

use super::fields::{Body, Fields, required};
use super::list::{Filter, Listing, by, flag};
use crate::Keystone;
use crate::error::Error;
use crate::logic::groups::GroupFields;
use crate::model::group::Group;

const FILTERS: &[Filter] = &[by("name", "name"), by("domain_id", "domain_id")];
const USER_FILTERS: &[Filter] =
    &[by("name", "u.name"), by("domain_id", "u.domain_id"), flag("enabled", "u.enabled")];

pub(super) async fn list(
    State(keystone): State<Arc<Keystone>>,
    Cx(cx): Cx,
    listing: Listing,
) -> Result<Json<Value>, Error> {
    let found = keystone.list_groups(&cx, listing.conditions(FILTERS, "id")).await?;
    let views = found.iter().map(|group| view(group, &cx)).collect();
    listing.wrap(&cx, "groups", views, FILTERS, keystone.config.list_limit).map(Json)
}

pub(super) async fn show(
    State(keystone): State<Arc<Keystone>>,
    Cx(cx): Cx,
    Path(id): Path<String>,
) -> Result<Json<Value>, Error> {
    let group = keystone.group_for(&cx, "identity:get_group", &id).await?;
    Ok(Json(json!({"group": view(&group, &cx)})))
}

pub(super) async fn create(
    State(keystone): State<Arc<Keystone>>,
    Cx(cx): Cx,
    body: Body,
) -> Result<Response, Error> {
    let fields = read(body.member("group")?)?;
    required(fields.name.as_ref(), "name")?;
    let group = keystone.create_group(&cx, fields).await?;
    Ok(answer(StatusCode::CREATED, &json!({"group": view(&group, &cx)})))
}

pub(super) async fn update(
    State(keystone): State<Arc<Keystone>>,
    Cx(cx): Cx,
    Path(id): Path<String>,
    body: Body,
) -> Result<Json<Value>, Error> {
    let mut given = body.member("group")?;
    given.same_id(&id)?;
    let group = keystone.update_group(&cx, &id, read(given)?).await?;
    Ok(Json(json!({"group": view(&group, &cx)})))
}

pub(super) async fn delete(
    State(keystone): State<Arc<Keystone>>,
    Cx(cx): Cx,
    Path(id): Path<String>,
) -> Result<StatusCode, Error> {
    keystone.delete_group(&cx, &id).await?;
    Ok(StatusCode::NO_CONTENT)
}

pub(super) async fn members(
    State(keystone): State<Arc<Keystone>>,
    Cx(cx): Cx,
    Path(id): Path<String>,
    listing: Listing,
) -> Result<Json<Value>, Error> {
    let condition = listing.conditions(USER_FILTERS, "u.id");
    let found = keystone.members_of(&cx, &id, condition).await?;
    let views = found.iter().map(|user| super::users::view(user, &cx)).collect();
    listing.wrap(&cx, "users", views, USER_FILTERS, None).map(Json)
}

pub(super) async fn check_member(
    State(keystone): State<Arc<Keystone>>,
    Cx(cx): Cx,
    Path((id, user)): Path<(String, String)>,
) -> Result<StatusCode, Error> {
    keystone.check_member(&cx, &id, &user).await?;
    Ok(StatusCode::NO_CONTENT)
}

pub(super) async fn add_member(
    State(keystone): State<Arc<Keystone>>,
    Cx(cx): Cx,
    Path((id, user)): Path<(String, String)>,
) -> Result<StatusCode, Error> {
    keystone.add_member(&cx, &id, &user).await?;
    Ok(StatusCode::NO_CONTENT)
}

pub(super) async fn remove_member(
    State(keystone): State<Arc<Keystone>>,
    Cx(cx): Cx,
    Path((id, user)): Path<(String, String)>,
) -> Result<StatusCode, Error> {
    keystone.remove_member(&cx, &id, &user).await?;
    Ok(StatusCode::NO_CONTENT)
}

fn read(mut fields: Fields) -> Result<GroupFields, Error> {
    Ok(GroupFields {
        name: fields.name("name", 64)?,
        domain_id: fields.id("domain_id")?,
        description: fields.nullable("description")?,
        extra: fields.rest(),
    })
}

pub(super) fn view(group: &Group, cx: &Ctx) -> Value {
    let mut view = json!({
        "id": group.id,
        "name": group.name,
        "domain_id": group.domain_id,
        "description": group.description,
        "links": {"self": format!("{}/v3/groups/{}", cx.self_url, group.id)},
    });
    super::add_extra(&mut view, &group.extra);
    view
}
