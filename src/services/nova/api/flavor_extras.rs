//! `/flavors/{id}/os-extra_specs` and who may use a flavor.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde_json::{Value, json};
use stackup_web::{Cx, Json};

use super::input::{Fields, text, wrong};
use crate::logic::flavors;
use crate::{Error, Nova};

type S = State<Arc<Nova>>;

fn missing(id: &str, key: &str) -> Error {
    Error::NotFound(format!("Flavor {id} has no extra specs with key {key}."))
}

pub(super) async fn specs(
    State(nova): S,
    Cx(cx): Cx,
    Path(id): Path<String>,
) -> Result<Json<Value>, Error> {
    let flavor = flavors::usable(&nova, &cx, &id).await?;
    Ok(Json(json!({"extra_specs": flavor.size.extra_specs})))
}

pub(super) async fn spec(
    State(nova): S,
    Cx(cx): Cx,
    Path((id, key)): Path<(String, String)>,
) -> Result<Json<Value>, Error> {
    let flavor = flavors::usable(&nova, &cx, &id).await?;
    let value = flavor.size.extra_specs.get(&key).ok_or_else(|| missing(&id, &key))?;
    Ok(Json(json!({key: value})))
}

pub(super) async fn add_specs(
    State(nova): S,
    Path(id): Path<String>,
    Json(body): Json<Value>,
) -> Result<Json<Value>, Error> {
    let mut fields = Fields::of("body", &body)?;
    let new = items(fields.need("extra_specs")?)?;
    fields.done()?;
    let added = new.clone();
    flavors::change_specs(&nova, &id, move |specs| {
        specs.extend(added.clone());
        Ok(())
    })
    .await?;
    Ok(Json(json!({"extra_specs": new})))
}

pub(super) async fn set_spec(
    State(nova): S,
    Path((id, key)): Path<(String, String)>,
    Json(body): Json<Value>,
) -> Result<Json<Value>, Error> {
    let items = items(&body)?;
    let value = items.get(&key).cloned().filter(|_| items.len() == 1);
    let value = value.ok_or_else(|| Error::invalid("Request body and URI mismatch"))?;
    let (name, set) = (key.clone(), value.clone());
    flavors::change_specs(&nova, &id, move |specs| {
        specs.insert(name.clone(), set.clone());
        Ok(())
    })
    .await?;
    Ok(Json(json!({key: value})))
}

pub(super) async fn delete_spec(
    State(nova): S,
    Path((id, key)): Path<(String, String)>,
) -> Result<Response, Error> {
    let flavor = id.clone();
    flavors::change_specs(&nova, &id, move |specs| {
        specs.remove(&key).map(drop).ok_or_else(|| missing(&flavor, &key))
    })
    .await?;
    Ok(StatusCode::OK.into_response())
}

/// Specs: keys of plain characters, values of text or number.
fn items(value: &Value) -> Result<BTreeMap<String, String>, Error> {
    let map =
        value.as_object().ok_or_else(|| wrong("extra_specs", value, "is not of type 'object'"))?;
    let mut items = BTreeMap::new();
    for (key, value) in map {
        let plain = |c: char| c.is_ascii_alphanumeric() || "-_:. ".contains(c);
        if key.is_empty() || key.len() > 255 || !key.chars().all(plain) {
            return Err(Error::invalid(format!(
                "Invalid input for field/attribute extra_specs. Value: {key}. the key has wrong characters"
            )));
        }
        let set = match value {
            Value::Number(number) => number.to_string(),
            other => text(key, other, 0, 255)?,
        };
        items.insert(key.clone(), set);
    }
    Ok(items)
}

pub(super) async fn access(State(nova): S, Path(id): Path<String>) -> Result<Json<Value>, Error> {
    Ok(Json(listing(&id, &flavors::access(&nova, &id).await?)))
}

pub(super) async fn add_access(
    State(nova): S,
    Cx(cx): Cx,
    Path(id): Path<String>,
    Json(body): Json<Value>,
) -> Result<Json<Value>, Error> {
    let project = project(&body, "addTenantAccess")?;
    let projects = flavors::set_access(&nova, &cx, &id, &project, true).await?;
    Ok(Json(listing(&id, &projects)))
}

pub(super) async fn remove_access(
    State(nova): S,
    Cx(cx): Cx,
    Path(id): Path<String>,
    Json(body): Json<Value>,
) -> Result<Json<Value>, Error> {
    let project = project(&body, "removeTenantAccess")?;
    let projects = flavors::set_access(&nova, &cx, &id, &project, false).await?;
    Ok(Json(listing(&id, &projects)))
}

fn project(body: &Value, key: &'static str) -> Result<String, Error> {
    let mut fields = Fields::only(body, key)?;
    let project = fields.need_text("tenant", 1, 255)?;
    fields.done()?;
    Ok(project)
}

fn listing(id: &str, projects: &[String]) -> Value {
    let entry = |project: &String| json!({"flavor_id": id, "tenant_id": project});
    json!({"flavor_access": projects.iter().map(entry).collect::<Vec<_>>()})
}
