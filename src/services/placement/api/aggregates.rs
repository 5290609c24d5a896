//! /resource_providers/{uuid}/aggregates

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::{Value, json};
use stackup_core::Ctx;
use stackup_web::{Cx, Json};

use super::{AGGREGATE_GENERATION, dated};
use crate::Placement;
use crate::error::Error;
use crate::logic::providers;
use crate::store;

/// A list at first; from 1.19 on an object with the generation.
#[derive(Deserialize)]
#[serde(untagged)]
pub(super) enum Update {
    List(Vec<String>),
    Object(Wanted),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Wanted {
    aggregates: Vec<String>,
    resource_provider_generation: u64,
}

pub(super) async fn show(
    State(placement): State<Arc<Placement>>,
    Cx(cx): Cx,
    Path(id): Path<String>,
) -> Result<Response, Error> {
    let read = placement.db.read(move |r| {
        let provider = providers::get(r, &id)?;
        let aggregates = store::providers::aggregates(r, &provider.id)?;
        Ok::<_, Error>((provider, aggregates))
    });
    let (provider, aggregates) = read.await?;
    let body = Json(view(&cx, &aggregates, provider.generation)).into_response();
    Ok(dated(&cx, provider.updated_at, body))
}

pub(super) async fn update(
    State(placement): State<Arc<Placement>>,
    Cx(cx): Cx,
    Path(id): Path<String>,
    Json(request): Json<Update>,
) -> Result<Response, Error> {
    let (mut wanted, generation) = match (request, cx.since(AGGREGATE_GENERATION)) {
        (Update::List(list), false) => (list, None),
        (Update::Object(o), true) => (o.aggregates, Some(o.resource_provider_generation)),
        _ => {
            return Err(Error::bad(
                "JSON does not validate: aggregates in another form",
            ));
        }
    };
    for aggregate in &wanted {
        super::uuid("aggregate", aggregate)?;
    }
    wanted.sort();
    wanted.dedup();
    let (now, shown) = (placement.clock.now(), wanted.clone());
    let work = move |tx: &mut stackup_store::Tx<'_>| {
        providers::set_aggregates(tx, &id, &wanted, generation, now)
    };
    let generation = placement.db.write(work).await?;
    Ok(dated(
        &cx,
        now,
        Json(view(&cx, &shown, generation)).into_response(),
    ))
}

fn view(cx: &Ctx, aggregates: &[String], generation: u64) -> Value {
    let mut body = json!({"aggregates": aggregates});
    if cx.since(AGGREGATE_GENERATION) {
        body["resource_provider_generation"] = json!(generation);
    }
    body
}
