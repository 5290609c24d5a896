//! Members.

use std::sync::Arc;

use axum::extract::{Path, State};
use http::StatusCode;
use serde_json::{Value, json};
use stackup_web::{Cx, Json};

use crate::model::Member;
use crate::{Error, Glance};

pub(super) async fn list(
    State(glance): State<Arc<Glance>>,
    Cx(cx): Cx,
    Path(id): Path<String>,
) -> Result<Json<Value>, Error> {
    let members = glance.members(&cx, &id).await?;
    let views: Vec<Value> = members.iter().map(view).collect();
    Ok(Json(json!({"members": views, "schema": "/v2/schemas/members"})))
}

pub(super) async fn create(
    State(glance): State<Arc<Glance>>,
    Cx(cx): Cx,
    Path(id): Path<String>,
    Json(request): Json<Value>,
) -> Result<Json<Value>, Error> {
    let bad = |why: &str| Error::BadRequest(why.to_owned());
    let project = match request.get("member") {
        None => return Err(bad("Member to be added not specified")),
        Some(Value::String(project)) if project.is_empty() => {
            return Err(bad("Member can't be empty"));
        }
        Some(Value::String(project)) if project.len() <= 255 => project,
        Some(_) => {
            return Err(bad("Expected a member in the form: {\"member\": \"image_id\"}"));
        }
    };
    Ok(Json(view(&glance.add_member(&cx, &id, project).await?)))
}

pub(super) async fn show(
    State(glance): State<Arc<Glance>>,
    Cx(cx): Cx,
    Path((id, project)): Path<(String, String)>,
) -> Result<Json<Value>, Error> {
    Ok(Json(view(&glance.member(&cx, &id, &project).await?)))
}

pub(super) async fn update(
    State(glance): State<Arc<Glance>>,
    Cx(cx): Cx,
    Path((id, project)): Path<(String, String)>,
    Json(request): Json<Value>,
) -> Result<Json<Value>, Error> {
    let bad = |why: &str| Error::BadRequest(why.to_owned());
    let status = request.get("status").ok_or_else(|| bad("Status not specified"))?;
    let status = status
        .as_str()
        .ok_or_else(|| bad("Expected a status in the form: {\"status\": \"status\"}"))?;
    let member = glance.set_member_status(&cx, &id, &project, status).await?;
    Ok(Json(view(&member)))
}

pub(super) async fn delete(
    State(glance): State<Arc<Glance>>,
    Cx(cx): Cx,
    Path((id, project)): Path<(String, String)>,
) -> Result<StatusCode, Error> {
    glance.remove_member(&cx, &id, &project).await?;
    Ok(StatusCode::NO_CONTENT)
}

fn view(member: &Member) -> Value {
    json!({
        "member_id": member.member_id,
        "image_id": member.image_id,
        "status": member.status,
        "created_at": member.created_at.seconds_z(),
        "updated_at": member.updated_at.seconds_z(),
        "schema": "/v2/schemas/member",
    })
}
