//! Credentials.

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
use crate::logic::credentials::CredentialFields;
use crate::model::credential::Credential;

const FILTERS: &[Filter] = &[by("user_id", "user_id"), by("type", "type")];

pub(super) async fn list(
    State(keystone): State<Arc<Keystone>>,
    Cx(cx): Cx,
    listing: Listing,
) -> Result<Json<Value>, Error> {
    let found = keystone.list_credentials(&cx, listing.conditions(FILTERS, "id")).await?;
    let views = found.iter().map(|credential| view(credential, &cx)).collect();
    listing.wrap(&cx, "credentials", views, FILTERS, None).map(Json)
}

pub(super) async fn show(
    State(keystone): State<Arc<Keystone>>,
    Cx(cx): Cx,
    Path(id): Path<String>,
) -> Result<Json<Value>, Error> {
    let credential = keystone.credential_for(&cx, "identity:get_credential", &id).await?;
    Ok(Json(json!({"credential": view(&credential, &cx)})))
}

pub(super) async fn create(
    State(keystone): State<Arc<Keystone>>,
    Cx(cx): Cx,
    body: Body,
) -> Result<Response, Error> {
    let fields = read(body.member("credential")?)?;
    required(fields.blob.as_ref(), "blob")?;
    required(fields.kind.as_ref(), "type")?;
    required(fields.user_id.as_ref(), "user_id")?;
    let credential = keystone.create_credential(&cx, fields).await?;
    Ok(answer(StatusCode::CREATED, &json!({"credential": view(&credential, &cx)})))
}

pub(super) async fn update(
    State(keystone): State<Arc<Keystone>>,
    Cx(cx): Cx,
    Path(id): Path<String>,
    body: Body,
) -> Result<Json<Value>, Error> {
    let mut given = body.member("credential")?;
    given.same_id(&id)?;
    let credential = keystone.update_credential(&cx, &id, read(given)?).await?;
    Ok(Json(json!({"credential": view(&credential, &cx)})))
}

pub(super) async fn delete(
    State(keystone): State<Arc<Keystone>>,
    Cx(cx): Cx,
    Path(id): Path<String>,
) -> Result<StatusCode, Error> {
    keystone.delete_credential(&cx, "identity:delete_credential", &id).await?;
    Ok(StatusCode::NO_CONTENT)
}

fn read(mut fields: Fields) -> Result<CredentialFields, Error> {
    // Upstream takes an object too, and keeps its text.
    let blob = match fields.take("blob") {
        None => None,
        Some(Value::String(text)) => Some(text),
        Some(value @ Value::Object(_)) => Some(value.to_string()),
        Some(other) => {
            return Err(Error::invalid(format!(
                "Invalid input for field 'credential/blob': {other} is not of type 'string'"
            )));
        }
    };
    Ok(CredentialFields {
        user_id: fields.id("user_id")?,
        project_id: fields.nullable_id("project_id")?,
        kind: fields.name("type", 255)?,
        blob,
        extra: fields.rest(),
    })
}

fn view(credential: &Credential, cx: &Ctx) -> Value {
    let mut view = json!({
        "id": credential.id,
        "user_id": credential.user_id,
        "project_id": credential.project_id,
        "type": credential.kind,
        "blob": credential.blob,
        "links": {"self": format!("{}/v3/credentials/{}", cx.self_url, credential.id)},
    });
    super::add_extra(&mut view, &credential.extra);
    view
}
