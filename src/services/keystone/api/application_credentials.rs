//! Application credentials and access rules.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::response::Response;
use http::StatusCode;
use serde_json::{Value, json};
use stackup_core::{Ctx, Time};
use stackup_web::{Cx, Json, answer};

use super::fields::{Body, Fields, required};
use super::list::{Filter, Listing, by};
use crate::Keystone;
use crate::error::Error;
use crate::logic::application_credentials::{ApplicationCredentialFields, RoleName};
use crate::model::application_credential::{AccessRule, ApplicationCredential};
use crate::model::role::Role;

const FILTERS: &[Filter] = &[by("name", "name")];

pub(super) async fn list(
    State(keystone): State<Arc<Keystone>>,
    Cx(cx): Cx,
    Path(id): Path<String>,
    listing: Listing,
) -> Result<Json<Value>, Error> {
    let condition = listing.conditions(FILTERS, "id");
    let found = keystone.list_application_credentials(&cx, &id, condition).await?;
    let views = found.iter().map(|(credential, roles)| view(credential, roles, &cx)).collect();
    listing.wrap(&cx, "application_credentials", views, FILTERS, None).map(Json)
}

pub(super) async fn show(
    State(keystone): State<Arc<Keystone>>,
    Cx(cx): Cx,
    Path((user, id)): Path<(String, String)>,
) -> Result<Json<Value>, Error> {
    let rule = "identity:get_application_credential";
    let (credential, roles) = keystone.application_credential_for(&cx, rule, &user, &id).await?;
    Ok(Json(json!({"application_credential": view(&credential, &roles, &cx)})))
}

pub(super) async fn create(
    State(keystone): State<Arc<Keystone>>,
    Cx(cx): Cx,
    Path(user): Path<String>,
    body: Body,
) -> Result<Response, Error> {
    let fields = read(body.member("application_credential")?)?;
    let (credential, roles, secret) =
        keystone.create_application_credential(&cx, &user, fields).await?;
    let mut shown = view(&credential, &roles, &cx);
    shown["secret"] = json!(secret);
    Ok(answer(StatusCode::CREATED, &json!({"application_credential": shown})))
}

pub(super) async fn delete(
    State(keystone): State<Arc<Keystone>>,
    Cx(cx): Cx,
    Path((user, id)): Path<(String, String)>,
) -> Result<StatusCode, Error> {
    keystone.delete_application_credential(&cx, &user, &id).await?;
    Ok(StatusCode::NO_CONTENT)
}

pub(super) async fn list_rules(
    State(keystone): State<Arc<Keystone>>,
    Cx(cx): Cx,
    Path(user): Path<String>,
    listing: Listing,
) -> Result<Json<Value>, Error> {
    let found = keystone.list_access_rules(&cx, &user).await?;
    let views = found.iter().map(|rule| linked_rule(rule, &user, &cx)).collect();
    listing.wrap(&cx, "access_rules", views, &[], None).map(Json)
}

pub(super) async fn show_rule(
    State(keystone): State<Arc<Keystone>>,
    Cx(cx): Cx,
    Path((user, id)): Path<(String, String)>,
) -> Result<Json<Value>, Error> {
    let rule = keystone.access_rule_for(&cx, "identity:get_access_rule", &user, &id).await?;
    Ok(Json(json!({"access_rule": linked_rule(&rule, &user, &cx)})))
}

pub(super) async fn delete_rule(
    State(keystone): State<Arc<Keystone>>,
    Cx(cx): Cx,
    Path((user, id)): Path<(String, String)>,
) -> Result<StatusCode, Error> {
    keystone.delete_access_rule(&cx, &user, &id).await?;
    Ok(StatusCode::NO_CONTENT)
}

fn read(mut fields: Fields) -> Result<ApplicationCredentialFields, Error> {
    let wrong = |key: &str, value: &Value| {
        Error::invalid(format!(
            "Invalid input for field 'application_credential/{key}': {value} is not valid"
        ))
    };
    let roles = match fields.take("roles") {
        None => None,
        Some(value) => {
            let roles: Result<Vec<RoleName>, _> = serde_json::from_value(value.clone());
            Some(roles.map_err(|_| wrong("roles", &value))?)
        }
    };
    let access_rules = match fields.take("access_rules") {
        None => Vec::new(),
        Some(Value::Array(rules)) => {
            let read = |rule: &Value| read_rule(rule).ok_or_else(|| wrong("access_rules", rule));
            rules.iter().map(read).collect::<Result<_, _>>()?
        }
        Some(other) => return Err(wrong("access_rules", &other)),
    };
    let expires_at = match fields.nullable("expires_at")?.flatten() {
        None => None,
        Some(text) => Some(Time::parse(&text).map_err(|_| wrong("expires_at", &json!(text)))?),
    };
    Ok(ApplicationCredentialFields {
        name: required(fields.name("name", 255)?, "name")?,
        description: fields.nullable("description")?.flatten(),
        secret: fields.nullable("secret")?.flatten(),
        expires_at,
        unrestricted: fields.flag("unrestricted")?.unwrap_or(false),
        roles,
        access_rules,
    })
}

fn read_rule(value: &Value) -> Option<AccessRule> {
    let text = |key: &str| value.get(key)?.as_str().map(str::to_owned);
    let known = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD"];
    Some(AccessRule {
        id: text("id").unwrap_or_default(),
        service: text("service")?,
        method: text("method").filter(|method| known.contains(&method.as_str()))?,
        path: text("path").filter(|path| path.starts_with('/'))?,
    })
}

fn view(credential: &ApplicationCredential, roles: &[Role], cx: &Ctx) -> Value {
    let role = |role: &Role| json!({"id": role.id, "name": role.name, "domain_id": role.domain_id});
    let user = &credential.user_id;
    let id = &credential.id;
    let link = format!("{}/v3/users/{user}/application_credentials/{id}", cx.self_url);
    let mut view = json!({
        "id": id,
        "name": credential.name,
        "description": credential.description,
        "project_id": credential.project_id,
        "user_id": user,
        "system": null,
        "expires_at": credential.expires_at.map(Time::micros),
        "unrestricted": credential.unrestricted,
        "roles": roles.iter().map(role).collect::<Vec<_>>(),
        "links": {"self": link},
    });
    if !credential.access_rules.is_empty() {
        view["access_rules"] = credential.access_rules.iter().map(rule_view).collect();
    }
    view
}

fn rule_view(rule: &AccessRule) -> Value {
    json!({"id": rule.id, "service": rule.service, "method": rule.method, "path": rule.path})
}

fn linked_rule(rule: &AccessRule, user: &str, cx: &Ctx) -> Value {
    let mut view = rule_view(rule);
    let link = format!("{}/v3/users/{user}/access_rules/{}", cx.self_url, rule.id);
    view["links"] = json!({ "self": link });
    view
}
