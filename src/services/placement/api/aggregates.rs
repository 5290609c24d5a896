//! /resource_providers/{uuid}/aggregates

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::{Value, json};
use stackup_core::Ctx;
use stackup_web::{Cx, Json};

use super::valid::{Id, Valid, fit, wrong};
use super::{AGGREGATE_GENERATION, dated};
use crate::Placement;
use crate::error::Error;
use crate::logic::providers;
use crate::store;

/// From 1.19 on an object with the generation; a list before.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    aggregates: Vec<String>,
    resource_provider_generation: u64,
}

pub(super) async fn show(
    State(placement): State<Arc<Placement>>,
    Cx(cx): Cx,
    Id(id): Id,
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
    Id(id): Id,
    Valid(request): Valid<Value>,
) -> Result<Response, Error> {
    // Whether the provider is there comes before whether the body is sound.
    let provider = id.clone();
    placement.db.read(move |r| providers::get(r, &provider)).await?;
    let (listed, generation) = if cx.since(AGGREGATE_GENERATION) {
        let wanted: Wanted = fit(request)?;
        (wanted.aggregates, Some(wanted.resource_provider_generation))
    } else {
        (fit(request)?, None)
    };
    let wanted: Vec<String> = listed.iter().map(|id| super::uuid(id)).collect::<Result<_, _>>()?;
    if wanted.iter().collect::<BTreeSet<_>>().len() < wanted.len() {
        return Err(wrong(&format!("{listed:?} has non-unique elements")));
    }
    let (now, shown) = (placement.clock.now(), wanted.clone());
    let work = move |tx: &mut stackup_store::Tx<'_>| {
        providers::set_aggregates(tx, &id, &wanted, generation, now)
    };
    let generation = placement.db.write(work).await?;
    Ok(dated(&cx, now, Json(view(&cx, &shown, generation)).into_response()))
}

fn view(cx: &Ctx, aggregates: &[String], generation: u64) -> Value {
    let mut body = json!({"aggregates": aggregates});
    if cx.since(AGGREGATE_GENERATION) {
        body["resource_provider_generation"] = json!(generation);
    }
    body
}
