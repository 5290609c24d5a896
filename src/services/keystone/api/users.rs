//! Users.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::response::Response;
use http::StatusCode;
use serde_json::{Value, json};
use stackup_core::Ctx;
use stackup_web::{Cx, Json, answer};

use super::fields::{Body, Fields, KnownOption, required};
use super::list::{Filter, Listing, by, flag};
use crate::Keystone;
use crate::error::Error;
use crate::logic::users::UserFields;
use crate::model::user::User;

const FILTERS: &[Filter] =
    &[by("name", "u.name"), by("domain_id", "u.domain_id"), flag("enabled", "u.enabled")];
const GROUP_FILTERS: &[Filter] = &[by("name", "name")];
const PROJECT_FILTERS: &[Filter] =
    &[by("name", "name"), by("domain_id", "domain_id"), flag("enabled", "enabled")];
/// The options of a user, each with what it may be.
const OPTIONS: &[KnownOption] = &[
    ("ignore_change_password_upon_first_use", Value::is_boolean),
    ("ignore_password_expiry", Value::is_boolean),
    ("ignore_lockout_failure_attempts", Value::is_boolean),
    ("ignore_user_inactivity", Value::is_boolean),
    ("lock_password", Value::is_boolean),
    ("multi_factor_auth_enabled", Value::is_boolean),
    ("multi_factor_auth_rules", is_rules),
];

fn is_rules(value: &Value) -> bool {
    serde_json::from_value::<Vec<Vec<String>>>(value.clone()).is_ok()
}

pub(super) async fn list(
    State(keystone): State<Arc<Keystone>>,
    Cx(cx): Cx,
    listing: Listing,
) -> Result<Json<Value>, Error> {
    let mut found = keystone.list_users(&cx, listing.conditions(FILTERS, "u.id")).await?;
    if let Some(filter) = listing.query.get("password_expires_at") {
        let filter = Expiry::read(filter)?;
        found.retain(|user| filter.passes(user));
    }
    let views = found.iter().map(|user| view(user, &cx)).collect();
    listing.wrap(&cx, "users", views, FILTERS, keystone.config.list_limit).map(Json)
}

/// `password_expires_at=lt:2016-11-06T15:32:17Z`
struct Expiry {
    operator: String,
    at: stackup_core::Time,
}

impl Expiry {
    fn read(text: &str) -> Result<Self, Error> {
        let operators = ["eq", "neq", "lt", "lte", "gt", "gte"];
        let (operator, at) = match text.split_once(':') {
            Some((operator, at)) if operators.contains(&operator) => (operator, at),
            Some((operator, _)) if operator.chars().all(char::is_alphabetic) => {
                return Err(Error::invalid(format!(
                    "The given operator {operator} is not valid. It must be one of the following: \
                     'eq', 'neq', 'lt', 'lte', 'gt', or 'gte'."
                )));
            }
            _ => ("eq", text),
        };
        let wrong = |_| {
            Error::invalid(
                "Timestamp not in expected format. The server could not comply with the request \
                 since it is either malformed or otherwise incorrect. The client is assumed to be \
                 in error.",
            )
        };
        Ok(Self {
            operator: operator.to_owned(),
            at: stackup_core::Time::parse(at).map_err(wrong)?,
        })
    }

    fn passes(&self, user: &User) -> bool {
        let Some(at) = user.password_expires_at() else {
            return false;
        };
        match self.operator.as_str() {
            "eq" => at == self.at,
            "neq" => at != self.at,
            "lt" => at < self.at,
            "lte" => at <= self.at,
            "gt" => at > self.at,
            _ => at >= self.at,
        }
    }
}

pub(super) async fn show(
    State(keystone): State<Arc<Keystone>>,
    Cx(cx): Cx,
    Path(id): Path<String>,
) -> Result<Json<Value>, Error> {
    let user = keystone.user_for(&cx, "identity:get_user", &id).await?;
    Ok(Json(json!({"user": view(&user, &cx)})))
}

pub(super) async fn create(
    State(keystone): State<Arc<Keystone>>,
    Cx(cx): Cx,
    body: Body,
) -> Result<Response, Error> {
    let fields = read(body.member("user")?)?;
    required(fields.name.as_ref(), "name")?;
    let user = keystone.create_user(&cx, fields).await?;
    Ok(answer(StatusCode::CREATED, &json!({"user": view(&user, &cx)})))
}

pub(super) async fn update(
    State(keystone): State<Arc<Keystone>>,
    Cx(cx): Cx,
    Path(id): Path<String>,
    body: Body,
) -> Result<Json<Value>, Error> {
    let mut given = body.member("user")?;
    given.same_id(&id)?;
    let user = keystone.update_user(&cx, &id, read(given)?).await?;
    Ok(Json(json!({"user": view(&user, &cx)})))
}

pub(super) async fn delete(
    State(keystone): State<Arc<Keystone>>,
    Cx(cx): Cx,
    Path(id): Path<String>,
) -> Result<StatusCode, Error> {
    keystone.delete_user(&cx, &id).await?;
    Ok(StatusCode::NO_CONTENT)
}

pub(super) async fn change_password(
    State(keystone): State<Arc<Keystone>>,
    Path(id): Path<String>,
    body: Body,
) -> Result<StatusCode, Error> {
    let mut given = body.member("user")?;
    let original = required(given.text("original_password", 4096)?, "original_password")?;
    let password = required(given.text("password", 4096)?, "password")?;
    keystone.change_password(&id, &original, &password).await?;
    Ok(StatusCode::NO_CONTENT)
}

pub(super) async fn groups(
    State(keystone): State<Arc<Keystone>>,
    Cx(cx): Cx,
    Path(id): Path<String>,
    listing: Listing,
) -> Result<Json<Value>, Error> {
    let condition = listing.conditions(GROUP_FILTERS, "id");
    let found = keystone.groups_of(&cx, &id, condition).await?;
    let with_expiry = |group| {
        let mut view = super::groups::view(group, &cx);
        view["membership_expires_at"] = Value::Null;
        view
    };
    let views = found.iter().map(with_expiry).collect();
    listing.wrap(&cx, "groups", views, GROUP_FILTERS, None).map(Json)
}

pub(super) async fn projects(
    State(keystone): State<Arc<Keystone>>,
    Cx(cx): Cx,
    Path(id): Path<String>,
    listing: Listing,
) -> Result<Json<Value>, Error> {
    let condition = listing.conditions(PROJECT_FILTERS, "id");
    let found = keystone.projects_of(&cx, &id, condition).await?;
    let views = found.iter().map(|project| super::projects::view(project, &cx)).collect();
    listing.wrap(&cx, "projects", views, PROJECT_FILTERS, None).map(Json)
}

fn read(mut fields: Fields) -> Result<UserFields, Error> {
    Ok(UserFields {
        name: fields.name("name", 255)?,
        domain_id: fields.id("domain_id")?,
        enabled: fields.flag("enabled")?,
        default_project_id: fields.nullable_id("default_project_id")?,
        password: fields.nullable("password")?,
        options: fields.options(OPTIONS)?,
        extra: {
            // Who somebody is elsewhere is not kept here.
            fields.take("federated");
            fields.take("password_expires_at");
            fields.rest()
        },
    })
}

pub(super) fn view(user: &User, cx: &Ctx) -> Value {
    let mut view = json!({
        "id": user.id,
        "name": user.name,
        "domain_id": user.domain_id,
        "enabled": user.enabled,
        "password_expires_at": user.password_expires_at().map(|at| at.micros()),
        "options": user.options,
        "links": {"self": format!("{}/v3/users/{}", cx.self_url, user.id)},
    });
    if let Some(project) = &user.default_project_id {
        view["default_project_id"] = json!(project);
    }
    super::add_extra(&mut view, &user.extra);
    view
}
