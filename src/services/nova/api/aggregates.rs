//! `/os-aggregates`

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde_json::{Value, json};
use stackup_core::{Ctx, Time, ids};
use stackup_web::{Cx, Json};

use super::AGGREGATE_UUID;
use super::input::{Fields, text, wrong};
use crate::logic::aggregates;
use crate::model::aggregate::{Aggregate, ZONE};
use crate::{Error, Nova};

type S = State<Arc<Nova>>;

fn number(id: &str) -> Result<i64, Error> {
    id.parse().map_err(|_| Error::NotFound(format!("Aggregate {id} could not be found.")))
}

pub(super) async fn index(State(nova): S, Cx(cx): Cx) -> Result<Json<Value>, Error> {
    let all = aggregates::list(&nova).await?;
    let views: Vec<Value> = all.iter().map(|aggregate| full(&cx, aggregate)).collect();
    Ok(Json(json!({"aggregates": views})))
}

pub(super) async fn show(
    State(nova): S,
    Cx(cx): Cx,
    Path(id): Path<String>,
) -> Result<Json<Value>, Error> {
    let aggregate = aggregates::get(&nova, number(&id)?).await?;
    Ok(Json(json!({"aggregate": full(&cx, &aggregate)})))
}

pub(super) async fn create(
    State(nova): S,
    Cx(cx): Cx,
    Json(body): Json<Value>,
) -> Result<Json<Value>, Error> {
    let mut fields = Fields::only(&body, "aggregate")?;
    let name = fields.need_name("name")?;
    let zone = zone(&mut fields)?.flatten();
    fields.done()?;
    let aggregate = Aggregate {
        row: 0,
        uuid: ids::uuid(),
        name,
        metadata: zone.into_iter().map(|zone| (ZONE.to_owned(), zone)).collect(),
        hosts: Vec::new(),
        created_at: nova.now(),
        updated_at: None,
    };
    let aggregate = aggregates::create(&nova, aggregate).await?;
    let mut view = full(&cx, &aggregate);
    // nova: a new aggregate is shown without hosts and metadata
    if let Some(view) = view.as_object_mut() {
        view.remove("hosts");
        view.remove("metadata");
    }
    Ok(Json(json!({"aggregate": view})))
}

pub(super) async fn update(
    State(nova): S,
    Cx(cx): Cx,
    Path(id): Path<String>,
    Json(body): Json<Value>,
) -> Result<Json<Value>, Error> {
    let mut fields = Fields::only(&body, "aggregate")?;
    let name = fields.name("name")?;
    let zone = zone(&mut fields)?;
    fields.done()?;
    if name.is_none() && zone.is_none() {
        return Err(Error::invalid(
            "Invalid input for field/attribute aggregate. Value: {}. {} does not have enough properties",
        ));
    }
    let metadata = zone.into_iter().map(|zone| (ZONE.to_owned(), zone)).collect();
    let aggregate = aggregates::update(&nova, number(&id)?, name, metadata).await?;
    Ok(Json(json!({"aggregate": full(&cx, &aggregate)})))
}

pub(super) async fn delete(State(nova): S, Path(id): Path<String>) -> Result<Response, Error> {
    aggregates::delete(&nova, number(&id)?).await?;
    Ok(StatusCode::OK.into_response())
}

pub(super) async fn add_host(
    State(nova): S,
    Cx(cx): Cx,
    Path(id): Path<String>,
    Json(body): Json<Value>,
) -> Result<Json<Value>, Error> {
    let host = host(&body, "add_host")?;
    let aggregate = aggregates::add_host(&nova, number(&id)?, host).await?;
    Ok(Json(json!({"aggregate": full(&cx, &aggregate)})))
}

pub(super) async fn remove_host(
    State(nova): S,
    Cx(cx): Cx,
    Path(id): Path<String>,
    Json(body): Json<Value>,
) -> Result<Json<Value>, Error> {
    let host = host(&body, "remove_host")?;
    let aggregate = aggregates::remove_host(&nova, number(&id)?, host).await?;
    Ok(Json(json!({"aggregate": full(&cx, &aggregate)})))
}

pub(super) async fn set_metadata(
    State(nova): S,
    Cx(cx): Cx,
    Path(id): Path<String>,
    Json(body): Json<Value>,
) -> Result<Json<Value>, Error> {
    let mut fields = Fields::only(&body, "set_metadata")?;
    let value = fields.need("metadata")?;
    fields.done()?;
    let map =
        value.as_object().ok_or_else(|| wrong("metadata", value, "is not of type 'object'"))?;
    let mut metadata: BTreeMap<String, Option<String>> = BTreeMap::new();
    for (key, value) in map {
        let set = if value.is_null() { None } else { Some(text(key, value, 0, 255)?) };
        metadata.insert(key.clone(), set);
    }
    let aggregate = aggregates::update(&nova, number(&id)?, None, metadata).await?;
    Ok(Json(json!({"aggregate": full(&cx, &aggregate)})))
}

fn zone(fields: &mut Fields<'_>) -> Result<Option<Option<String>>, Error> {
    let zone = fields.nullable("availability_zone", 255)?;
    match &zone {
        Some(Some(zone)) if zone.is_empty() || zone.contains(':') => Err(Error::invalid(format!(
            "Invalid input for field/attribute availability_zone. Value: {zone}."
        ))),
        _ => Ok(zone),
    }
}

fn host(body: &Value, key: &'static str) -> Result<String, Error> {
    let mut fields = Fields::only(body, key)?;
    let host = fields.need_text("host", 1, 255)?;
    fields.done()?;
    Ok(host)
}

fn full(cx: &Ctx, aggregate: &Aggregate) -> Value {
    let mut view = json!({
        "id": aggregate.row,
        "name": aggregate.name,
        "availability_zone": aggregate.zone(),
        "hosts": aggregate.hosts,
        "metadata": aggregate.metadata,
        "created_at": aggregate.created_at.micros(),
        "updated_at": aggregate.updated_at.map(Time::micros),
        "deleted": false,
        "deleted_at": null,
    });
    if cx.since(AGGREGATE_UUID) {
        view["uuid"] = json!(aggregate.uuid);
    }
    view
}
