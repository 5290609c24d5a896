//! `/servers/{id}/metadata`

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde_json::{Value, json};
use stackup_web::{Cx, Json};

use super::input::Fields;
use crate::logic::servers;
use crate::{Error, Nova};

type S = State<Arc<Nova>>;

fn missing() -> Error {
    Error::NotFound("Metadata item was not found".to_owned())
}

pub(super) async fn index(
    State(nova): S,
    Cx(cx): Cx,
    Path(id): Path<String>,
) -> Result<Json<Value>, Error> {
    let server = nova.server(&cx, &id).await?;
    Ok(Json(json!({"metadata": server.metadata})))
}

pub(super) async fn show(
    State(nova): S,
    Cx(cx): Cx,
    Path((id, key)): Path<(String, String)>,
) -> Result<Json<Value>, Error> {
    let server = nova.server(&cx, &id).await?;
    let value = server.metadata.get(&key).ok_or_else(missing)?;
    Ok(Json(json!({"meta": {key: value}})))
}

/// Adds to what is there.
pub(super) async fn create(
    State(nova): S,
    Cx(cx): Cx,
    Path(id): Path<String>,
    Json(body): Json<Value>,
) -> Result<Json<Value>, Error> {
    let items = items(&body)?;
    let server = servers::change_metadata(&nova, &cx, &id, move |metadata| {
        metadata.extend(items.clone());
        Ok(())
    })
    .await?;
    Ok(Json(json!({"metadata": server.metadata})))
}

/// Replaces what is there.
pub(super) async fn replace(
    State(nova): S,
    Cx(cx): Cx,
    Path(id): Path<String>,
    Json(body): Json<Value>,
) -> Result<Json<Value>, Error> {
    let items = items(&body)?;
    let server = servers::change_metadata(&nova, &cx, &id, move |metadata| {
        metadata.clone_from(&items);
        Ok(())
    })
    .await?;
    Ok(Json(json!({"metadata": server.metadata})))
}

fn items(body: &Value) -> Result<BTreeMap<String, String>, Error> {
    let mut fields = Fields::of("body", body)?;
    fields.need("metadata")?;
    let items = fields.metadata("metadata")?.unwrap_or_default();
    fields.done()?;
    Ok(items)
}

/// Sets one item.
pub(super) async fn update(
    State(nova): S,
    Cx(cx): Cx,
    Path((id, key)): Path<(String, String)>,
    Json(body): Json<Value>,
) -> Result<Json<Value>, Error> {
    let mut fields = Fields::of("body", &body)?;
    fields.need("meta")?;
    let items = fields.metadata("meta")?.unwrap_or_default();
    fields.done()?;
    if items.len() != 1 {
        return Err(Error::invalid("Request body contains too many items"));
    }
    let value = items.get(&key).cloned();
    let value = value.ok_or_else(|| Error::invalid("Request body and URI mismatch"))?;
    let (name, set) = (key.clone(), value.clone());
    servers::change_metadata(&nova, &cx, &id, move |metadata| {
        metadata.insert(name.clone(), set.clone());
        Ok(())
    })
    .await?;
    Ok(Json(json!({"meta": {key: value}})))
}

pub(super) async fn delete(
    State(nova): S,
    Cx(cx): Cx,
    Path((id, key)): Path<(String, String)>,
) -> Result<Response, Error> {
    servers::change_metadata(&nova, &cx, &id, move |metadata| {
        metadata.remove(&key).map(drop).ok_or_else(missing)
    })
    .await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}
