//! `/servers/{id}/tags`

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::header::{HeaderValue, LOCATION};
use serde_json::{Value, json};
use stackup_web::{Cx, Json};

use super::input::Fields;
use super::server_body;
use crate::logic::servers;
use crate::{Error, Nova};

type S = State<Arc<Nova>>;

pub(super) async fn index(
    State(nova): S,
    Cx(cx): Cx,
    Path(id): Path<String>,
) -> Result<Json<Value>, Error> {
    let server = nova.server(&cx, &id).await?;
    Ok(Json(json!({"tags": server.tags})))
}

pub(super) async fn show(
    State(nova): S,
    Cx(cx): Cx,
    Path((id, tag)): Path<(String, String)>,
) -> Result<Response, Error> {
    let server = nova.server(&cx, &id).await?;
    match server.tags.contains(&tag) {
        true => Ok(StatusCode::NO_CONTENT.into_response()),
        false => Err(missing(&id, &tag)),
    }
}

pub(super) async fn replace(
    State(nova): S,
    Cx(cx): Cx,
    Path(id): Path<String>,
    Json(body): Json<Value>,
) -> Result<Json<Value>, Error> {
    let mut fields = Fields::of("body", &body)?;
    fields.need("tags")?;
    let wanted = fields.list("tags")?.map(|list| server_body::tags(list)).transpose()?;
    fields.done()?;
    let wanted = wanted.unwrap_or_default();
    let server = servers::change_tags(&nova, &cx, &id, move |tags| {
        tags.clone_from(&wanted);
        Ok(())
    })
    .await?;
    Ok(Json(json!({"tags": server.tags})))
}

/// 201 for a new tag, 204 for one that is there.
pub(super) async fn add(
    State(nova): S,
    Cx(cx): Cx,
    Path((id, tag)): Path<(String, String)>,
) -> Result<Response, Error> {
    let tag = server_body::tag(&json!(tag))?;
    if nova.server(&cx, &id).await?.tags.contains(&tag) {
        return Ok(StatusCode::NO_CONTENT.into_response());
    }
    let new = tag.clone();
    servers::change_tags(&nova, &cx, &id, move |tags| {
        if !tags.contains(&new) {
            tags.push(new.clone());
        }
        Ok(())
    })
    .await?;
    let mut response = StatusCode::CREATED.into_response();
    let location = format!("{}/v2.1/servers/{id}/tags/{tag}", cx.self_url);
    if let Ok(location) = HeaderValue::from_str(&location) {
        response.headers_mut().insert(LOCATION, location);
    }
    Ok(response)
}

pub(super) async fn delete(
    State(nova): S,
    Cx(cx): Cx,
    Path((id, tag)): Path<(String, String)>,
) -> Result<Response, Error> {
    let server = id.clone();
    servers::change_tags(&nova, &cx, &id, move |tags| {
        let at = tags.iter().position(|held| *held == tag);
        tags.remove(at.ok_or_else(|| missing(&server, &tag))?);
        Ok(())
    })
    .await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

pub(super) async fn clear(
    State(nova): S,
    Cx(cx): Cx,
    Path(id): Path<String>,
) -> Result<Response, Error> {
    servers::change_tags(&nova, &cx, &id, |tags| {
        tags.clear();
        Ok(())
    })
    .await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

fn missing(id: &str, tag: &str) -> Error {
    Error::NotFound(format!("Server {id} has no tag '{tag}'"))
}
