//! Tasks.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::response::Response;
use http::StatusCode;
use http::header::{ALLOW, HeaderValue, LOCATION};
use serde_json::{Value, json};
use stackup_core::{Direction, ErrorKind, Page, SortKey};
use stackup_web::{Cx, Fault, Json, Query, answer};

use super::images::add_links;
use crate::model::filter::limit;
use crate::model::{Task, TaskStatus};
use crate::store::tasks::TaskFilter;
use crate::{Config, Error, Glance};

pub(super) async fn list(
    State(glance): State<Arc<Glance>>,
    Cx(cx): Cx,
    query: Query,
) -> Result<Json<Value>, Error> {
    let (filter, page) = read(&query, &glance.config)?;
    let limit = page.limit;
    let tasks = glance.tasks(&cx, filter, page).await?;
    let last = tasks.last().filter(|_| tasks.len() == limit).map(|task| task.id.clone());
    let views: Vec<Value> = tasks.iter().map(stub).collect();
    let mut list = json!({"tasks": views});
    add_links(&mut list, "/v2/tasks", "/v2/schemas/tasks", &query, last.as_deref());
    Ok(Json(list))
}

pub(super) async fn create(
    State(glance): State<Arc<Glance>>,
    Cx(cx): Cx,
    Json(request): Json<Value>,
) -> Result<Response, Error> {
    let bad = |why: String| Error::BadRequest(why);
    for name in ["type", "input"] {
        if request.get(name).is_none() {
            return Err(bad(format!("Task '{name}' is required")));
        }
    }
    if request["type"] != "import" {
        let kind = &request["type"];
        return Err(bad(format!(
            "Provided object does not match schema 'task': {kind} is not one of ['import']"
        )));
    }
    let task = glance.create_task(&cx, request["input"].clone()).await?;
    let mut response = answer(StatusCode::CREATED, &view(&task));
    if let Ok(place) = HeaderValue::from_str(&format!("{}/v2/tasks/{}", cx.self_url, task.id)) {
        response.headers_mut().insert(LOCATION, place);
    }
    Ok(response)
}

pub(super) async fn show(
    State(glance): State<Arc<Glance>>,
    Cx(cx): Cx,
    Path(id): Path<String>,
) -> Result<Json<Value>, Error> {
    Ok(Json(view(&glance.task(&cx, &id).await?)))
}

/// Tasks go by themselves.
pub(super) async fn delete() -> Fault {
    let message = "This operation is currently not permitted on Glance Tasks. They are auto \
                   deleted after reaching the time based on their expires_at property.";
    Fault::new(ErrorKind::MethodNotAllowed, message).header(ALLOW, "GET")
}

pub(super) async fn of_image(
    State(glance): State<Arc<Glance>>,
    Cx(cx): Cx,
    Path(id): Path<String>,
) -> Result<Json<Value>, Error> {
    let tasks = glance.tasks_of(&cx, &id).await?;
    let views: Vec<Value> = tasks.iter().map(row).collect();
    Ok(Json(json!({"tasks": views})))
}

fn read(query: &Query, config: &Config) -> Result<(TaskFilter, Page), Error> {
    let status = query.get("status").map(str::to_owned);
    if let Some(status) = status.as_deref().filter(|text| TaskStatus::parse(text).is_none()) {
        return Err(Error::BadRequest(format!("Invalid status value: {status}")));
    }
    let kind = query.get("type").map(str::to_owned);
    if let Some(kind) = kind.as_deref().filter(|kind| *kind != "import") {
        return Err(Error::BadRequest(format!("Invalid type value: {kind}")));
    }
    let direction = match query.get("sort_dir").unwrap_or("desc") {
        "asc" => Direction::Ascending,
        "desc" => Direction::Descending,
        other => {
            return Err(Error::BadRequest(format!("Invalid sort direction: {other}")));
        }
    };
    let asked = query.get("limit").map(limit).transpose()?;
    let page = Page {
        limit: asked.unwrap_or(config.page_default).min(config.page_max),
        marker: query.get("marker").map(str::to_owned),
        sort: vec![SortKey {
            key: query.get("sort_key").unwrap_or("created_at").to_owned(),
            direction,
        }],
        limited: asked.is_some(),
    };
    Ok((TaskFilter { status, kind }, page))
}

/// A task in a list: without what went in and came out.
fn stub(task: &Task) -> Value {
    let mut stub = json!({
        "id": task.id,
        "type": task.kind,
        "status": task.status,
        "owner": task.owner,
        "created_at": task.created_at.seconds_z(),
        "updated_at": task.updated_at.seconds_z(),
        "self": format!("/v2/tasks/{}", task.id),
        "schema": "/v2/schemas/task",
    });
    if let Some(expires) = task.expires_at {
        stub["expires_at"] = json!(expires.seconds_z());
    }
    stub
}

fn view(task: &Task) -> Value {
    let mut view = stub(task);
    view["input"] = task.input.clone();
    view["message"] = json!(task.message);
    view["result"] = json!(task.result);
    view["request_id"] = json!(task.request_id);
    view["user_id"] = json!(task.user_id);
    if let Some(image) = &task.image_id {
        view["image_id"] = json!(image);
    }
    view
}

/// A task among an image's: upstream shows its row.
fn row(task: &Task) -> Value {
    json!({
        "id": task.id,
        "type": task.kind,
        "status": task.status,
        "owner": task.owner,
        "input": task.input,
        "result": task.result,
        "message": task.message,
        "image_id": task.image_id,
        "request_id": task.request_id,
        "user_id": task.user_id,
        "expires_at": task.expires_at.map(stackup_core::Time::micros),
        "created_at": task.created_at.micros(),
        "updated_at": task.updated_at.micros(),
        "deleted": false,
        "deleted_at": null,
    })
}
