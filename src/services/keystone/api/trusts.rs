//! Trusts.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::response::Response;
use http::StatusCode;
use serde_json::{Value, json};
use stackup_core::{Ctx, Time};
use stackup_web::{Cx, Json, answer};

use super::fields::{Body, Fields, required};
use super::list::Listing;
use crate::Keystone;
use crate::error::Error;
use crate::logic::trusts::TrustFields;
use crate::model::role::Role;
use crate::model::trust::Trust;

pub(super) async fn list(
    State(keystone): State<Arc<Keystone>>,
    Cx(cx): Cx,
    listing: Listing,
) -> Result<Json<Value>, Error> {
    let text = |name| listing.query.get(name).filter(|id| !id.is_empty());
    let (trustor, trustee) = (text("trustor_user_id"), text("trustee_user_id"));
    let found = keystone.list_trusts(&cx, trustor, trustee).await?;
    let views = found.iter().map(|trust| view(trust, &cx)).collect();
    listing.wrap(&cx, "trusts", views, &[], None).map(Json)
}

pub(super) async fn show(
    State(keystone): State<Arc<Keystone>>,
    Cx(cx): Cx,
    Path(id): Path<String>,
) -> Result<Json<Value>, Error> {
    let (trust, roles) = keystone.trust_for(&cx, "identity:get_trust", &id).await?;
    Ok(Json(json!({"trust": full_view(&trust, &roles, &cx)})))
}

pub(super) async fn create(
    State(keystone): State<Arc<Keystone>>,
    Cx(cx): Cx,
    body: Body,
) -> Result<Response, Error> {
    let fields = read(body.member("trust")?)?;
    let (trust, roles) = keystone.create_trust(&cx, fields).await?;
    Ok(answer(StatusCode::CREATED, &json!({"trust": full_view(&trust, &roles, &cx)})))
}

pub(super) async fn delete(
    State(keystone): State<Arc<Keystone>>,
    Cx(cx): Cx,
    Path(id): Path<String>,
) -> Result<StatusCode, Error> {
    keystone.delete_trust(&cx, &id).await?;
    Ok(StatusCode::NO_CONTENT)
}

pub(super) async fn list_roles(
    State(keystone): State<Arc<Keystone>>,
    Cx(cx): Cx,
    Path(id): Path<String>,
) -> Result<Json<Value>, Error> {
    let (trust, roles) = keystone.trust_for(&cx, "identity:list_roles_for_trust", &id).await?;
    let views: Vec<Value> = roles.iter().map(|role| super::roles::view(role, &cx)).collect();
    Ok(Json(json!({"roles": views, "links": roles_links(&trust, &cx)})))
}

pub(super) async fn show_role(
    State(keystone): State<Arc<Keystone>>,
    Cx(cx): Cx,
    Path((id, role_id)): Path<(String, String)>,
) -> Result<Json<Value>, Error> {
    let (_, roles) = keystone.trust_for(&cx, "identity:get_role_for_trust", &id).await?;
    let role = roles.iter().find(|role| role.id == role_id);
    let role = role.ok_or_else(|| Error::not_found("role", &role_id))?;
    Ok(Json(json!({"role": super::roles::view(role, &cx)})))
}

fn read(mut fields: Fields) -> Result<TrustFields, Error> {
    let expires_at = match fields.nullable("expires_at")?.flatten() {
        None => None,
        Some(text) => Some(Time::parse(&text).map_err(|_| {
            Error::invalid(
                "Timestamp not in expected format. The server could not comply with the request \
                 since it is either malformed or otherwise incorrect. The client is assumed to be \
                 in error.",
            )
        })?),
    };
    let roles = match fields.take("roles") {
        None | Some(Value::Null) => Vec::new(),
        Some(value) => serde_json::from_value(value).map_err(|error| {
            Error::invalid(format!("Invalid input for field 'trust/roles': {error}"))
        })?,
    };
    Ok(TrustFields {
        trustor_user_id: required(fields.text("trustor_user_id", 64)?, "trustor_user_id")?,
        trustee_user_id: required(fields.text("trustee_user_id", 64)?, "trustee_user_id")?,
        impersonation: required(fields.flag("impersonation")?, "impersonation")?,
        project_id: fields.nullable_id("project_id")?.flatten(),
        expires_at,
        remaining_uses: fields.count("remaining_uses", 1)?,
        allow_redelegation: fields.nullable_flag("allow_redelegation")?.unwrap_or(false),
        redelegation_count: fields.count("redelegation_count", 0)?,
        roles,
        extra: {
            fields.take("redelegated_trust_id");
            fields.rest()
        },
    })
}

fn view(trust: &Trust, cx: &Ctx) -> Value {
    let mut view = json!({
        "id": trust.id,
        "trustor_user_id": trust.trustor_user_id,
        "trustee_user_id": trust.trustee_user_id,
        "project_id": trust.project_id,
        "impersonation": trust.impersonation,
        "expires_at": trust.expires_at.map(Time::micros_z),
        "remaining_uses": trust.remaining_uses,
        "redelegated_trust_id": trust.redelegated_trust_id,
        "redelegation_count": trust.redelegation_count,
        "deleted_at": null,
        "links": {"self": format!("{}/v3/OS-TRUST/trusts/{}", cx.self_url, trust.id)},
    });
    super::add_extra(&mut view, &trust.extra);
    view
}

fn full_view(trust: &Trust, roles: &[Role], cx: &Ctx) -> Value {
    let mut view = view(trust, cx);
    view["roles"] = roles.iter().map(|role| super::roles::view(role, cx)).collect();
    view["roles_links"] = roles_links(trust, cx);
    view
}

fn roles_links(trust: &Trust, cx: &Ctx) -> Value {
    let link = format!("{}/v3/OS-TRUST/trusts/{}/roles", cx.self_url, trust.id);
    json!({"self": link, "next": null, "previous": null})
}
