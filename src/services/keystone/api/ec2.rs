//! EC2 keys, and tokens for what was signed with them.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::response::Response;
use http::StatusCode;
use serde_json::{Value, json};
use stackup_core::Ctx;
use stackup_web::{Cx, Json, answer};

use super::auth::signed_view;
use super::fields::Body;
use super::list::Listing;
use crate::Keystone;
use crate::error::Error;
use crate::logic::ec2::Signed;
use crate::model::Extra;
use crate::model::credential::Credential;

pub(super) async fn list(
    State(keystone): State<Arc<Keystone>>,
    Cx(cx): Cx,
    Path(id): Path<String>,
    listing: Listing,
) -> Result<Json<Value>, Error> {
    let found = keystone.list_ec2(&cx, &id).await?;
    let views = found.iter().map(|credential| view(credential, &cx)).collect();
    listing.wrap(&cx, "credentials", views, &[], None).map(Json)
}

pub(super) async fn create(
    State(keystone): State<Arc<Keystone>>,
    Cx(cx): Cx,
    Path(id): Path<String>,
    Body(body): Body,
) -> Result<Response, Error> {
    let project = body.get("tenant_id").and_then(Value::as_str);
    let project = project.ok_or_else(|| Error::invalid("'tenant_id' is a required property"))?;
    let credential = keystone.create_ec2(&cx, &id, project).await?;
    Ok(answer(StatusCode::CREATED, &json!({"credential": view(&credential, &cx)})))
}

pub(super) async fn show(
    State(keystone): State<Arc<Keystone>>,
    Cx(cx): Cx,
    Path((id, access)): Path<(String, String)>,
) -> Result<Json<Value>, Error> {
    let rule = "identity:ec2_get_credential";
    let credential = keystone.ec2_for(&cx, rule, &id, &access).await?;
    Ok(Json(json!({"credential": view(&credential, &cx)})))
}

pub(super) async fn delete(
    State(keystone): State<Arc<Keystone>>,
    Cx(cx): Cx,
    Path((id, access)): Path<(String, String)>,
) -> Result<StatusCode, Error> {
    let rule = "identity:ec2_delete_credential";
    let credential = keystone.ec2_for(&cx, rule, &id, &access).await?;
    keystone.delete_credential(&cx, rule, &credential.id).await?;
    Ok(StatusCode::NO_CONTENT)
}

pub(super) async fn ec2tokens(
    State(keystone): State<Arc<Keystone>>,
    Cx(cx): Cx,
    Body(body): Body,
) -> Result<Json<Value>, Error> {
    let token = keystone.authenticate_signature(Signed::Ec2, request(&body)?).await?;
    signed_view(&keystone, &token, &cx).await
}

pub(super) async fn s3tokens(
    State(keystone): State<Arc<Keystone>>,
    Cx(cx): Cx,
    Body(body): Body,
) -> Result<Json<Value>, Error> {
    let token = keystone.authenticate_signature(Signed::S3, request(&body)?).await?;
    signed_view(&keystone, &token, &cx).await
}

/// Clients have three names for it.
fn request(body: &Extra) -> Result<&Value, Error> {
    if body.is_empty() {
        return Err(Error::invalid("request must include a request body"));
    }
    let names = ["credentials", "credential", "ec2Credentials"];
    Ok(names.iter().find_map(|name| body.get(*name)).unwrap_or(&Value::Null))
}

fn view(credential: &Credential, cx: &Ctx) -> Value {
    let blob: Value = serde_json::from_str(&credential.blob).unwrap_or_default();
    let access = blob["access"].as_str().unwrap_or_default();
    let user = &credential.user_id;
    let link = format!("{}/v3/users/{user}/credentials/OS-EC2/{access}", cx.self_url);
    json!({
        "user_id": user,
        "tenant_id": credential.project_id,
        "access": access,
        "secret": blob["secret"],
        "trust_id": blob["trust_id"],
        "links": {"self": link},
    })
}
