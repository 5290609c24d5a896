//! /allocations, and /resource_providers/{uuid}/allocations

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use stackup_contracts::Resources;
use stackup_core::{Ctx, ProviderId};
use stackup_web::{Cx, Json};

use super::{BY_PROVIDER, CONSUMER_GENERATION, CONSUMER_TYPE, MAPPINGS, PROJECT_AND_USER, dated};
use crate::Placement;
use crate::error::Error;
use crate::logic::{allocations as logic, providers};
use crate::model::allocation::{Claim, Expected};
use crate::model::inventory::MAX;
use crate::model::names::is_name;
use crate::store::allocations;

/// What one consumer shall have, in all the forms of all versions.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Body {
    allocations: Wanted,
    project_id: Option<String>,
    user_id: Option<String>,
    /// Null for a consumer that is new.
    #[serde(default, deserialize_with = "present")]
    consumer_generation: Option<Option<u64>>,
    consumer_type: Option<String>,
    /// Accepted and not kept, so that a candidate can be sent back as it is.
    mappings: Option<Value>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Wanted {
    List(Vec<OfProvider>),
    Map(BTreeMap<String, OfId>),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OfProvider {
    resource_provider: Named,
    resources: Resources,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Named {
    uuid: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OfId {
    resources: Resources,
    /// Sent back by clients that read it; it is not compared.
    #[expect(dead_code, reason = "accepted because upstream accepts it")]
    generation: Option<u64>,
}

fn present<'de, D: serde::Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Option<u64>>, D::Error> {
    Deserialize::deserialize(deserializer).map(Some)
}

impl Body {
    /// The claim, checked for the version in which it was said.
    pub(super) fn claim(self, cx: &Ctx, consumer: &str) -> Result<Claim, Error> {
        let wrong = |what: &str| Err(Error::bad(format!("JSON does not validate: {what}")));
        super::uuid("consumer", consumer)?;
        let is_list = matches!(self.allocations, Wanted::List(_));
        if is_list == cx.since(BY_PROVIDER) {
            return wrong("allocations in the form of another version");
        }
        if cx.since(PROJECT_AND_USER) && (self.project_id.is_none() || self.user_id.is_none()) {
            return wrong("'project_id' and 'user_id' are required properties");
        }
        if self.consumer_generation.is_some() != cx.since(CONSUMER_GENERATION) {
            return wrong("consumer_generation");
        }
        if self.consumer_type.is_some() != cx.since(CONSUMER_TYPE) {
            return wrong("consumer_type");
        }
        if self.mappings.is_some() && !cx.since(MAPPINGS) {
            return wrong("mappings");
        }
        let kind = self.consumer_type;
        if kind.as_ref().is_some_and(|kind| !is_name(kind)) {
            return wrong("consumer_type");
        }
        let allocations = by_provider(self.allocations)?;
        if is_list && allocations.is_empty() {
            return wrong("[] is too short");
        }
        Ok(Claim {
            consumer: consumer.to_owned(),
            project_id: self.project_id.unwrap_or_default(),
            user_id: self.user_id.unwrap_or_default(),
            kind,
            generation: match self.consumer_generation {
                None => Expected::Any,
                Some(None) => Expected::New,
                Some(Some(generation)) => Expected::At(generation),
            },
            allocations,
        })
    }
}

fn by_provider(wanted: Wanted) -> Result<BTreeMap<ProviderId, Resources>, Error> {
    let pairs: Vec<(String, Resources)> = match wanted {
        Wanted::List(list) => list
            .into_iter()
            .map(|one| (one.resource_provider.uuid, one.resources))
            .collect(),
        Wanted::Map(map) => map
            .into_iter()
            .map(|(id, one)| (id, one.resources))
            .collect(),
    };
    let mut all = BTreeMap::new();
    for (id, resources) in pairs {
        super::uuid("resource provider", &id)?;
        let sound = resources
            .iter()
            .all(|(class, n)| is_name(class) && (1..=MAX).contains(n));
        if resources.is_empty() || !sound {
            return Err(Error::bad("JSON does not validate: resources"));
        }
        all.insert(id.into(), resources);
    }
    Ok(all)
}

pub(super) async fn show(
    State(placement): State<Arc<Placement>>,
    Cx(cx): Cx,
    Path(id): Path<String>,
) -> Result<Response, Error> {
    let read = placement.db.read(move |r| {
        let consumer = allocations::consumer(r, &id)?;
        let mut generations = BTreeMap::new();
        let sides = allocations::of_consumer(r, &id)?;
        for provider in sides.keys() {
            generations.insert(provider.clone(), providers::get(r, provider)?.generation);
        }
        Ok::<_, Error>((consumer, sides, generations))
    });
    let (consumer, sides, generations) = read.await?;
    let views = sides.into_iter().map(|(id, resources)| {
        let view = json!({"resources": resources, "generation": generations.get(&id)});
        (id, view)
    });
    let mut body = json!({"allocations": views.collect::<Map<_, _>>()});
    if let Some(consumer) = consumer {
        if cx.since(BY_PROVIDER) {
            body["project_id"] = json!(consumer.project_id);
            body["user_id"] = json!(consumer.user_id);
        }
        if cx.since(CONSUMER_GENERATION) {
            body["consumer_generation"] = json!(consumer.generation);
        }
        if cx.since(CONSUMER_TYPE) {
            body["consumer_type"] = json!(consumer.kind.as_deref().unwrap_or("unknown"));
        }
    }
    Ok(dated(
        &cx,
        placement.clock.now(),
        Json(body).into_response(),
    ))
}

pub(super) async fn of_provider(
    State(placement): State<Arc<Placement>>,
    Cx(cx): Cx,
    Path(id): Path<String>,
) -> Result<Response, Error> {
    let read = placement.db.read(move |r| {
        let provider = providers::get(r, &id)?;
        let sides = allocations::of_provider(r, &provider.id)?;
        let mut views = Map::new();
        for (id, resources) in sides {
            let mut view = json!({"resources": resources});
            if cx.since(CONSUMER_GENERATION)
                && let Some(consumer) = allocations::consumer(r, &id)?
            {
                view["consumer_generation"] = json!(consumer.generation);
            }
            views.insert(id, view);
        }
        Ok::<_, Error>((cx, provider, views))
    });
    let (cx, provider, views) = read.await?;
    let body = json!({"allocations": views, "resource_provider_generation": provider.generation});
    Ok(dated(&cx, provider.updated_at, Json(body).into_response()))
}

pub(super) async fn set(
    State(placement): State<Arc<Placement>>,
    Cx(cx): Cx,
    Path(consumer): Path<String>,
    Json(request): Json<Body>,
) -> Result<StatusCode, Error> {
    let claim = request.claim(&cx, &consumer)?;
    if claim.allocations.is_empty() && !cx.since(CONSUMER_GENERATION) {
        return Err(Error::bad(
            "JSON does not validate: {} does not have enough properties",
        ));
    }
    let (claims, now) = ([claim], placement.clock.now());
    placement
        .db
        .write(move |tx| logic::claim(tx, &claims, now))
        .await?;
    Ok(StatusCode::NO_CONTENT)
}

pub(super) async fn set_many(
    State(placement): State<Arc<Placement>>,
    Cx(cx): Cx,
    Json(request): Json<BTreeMap<String, Body>>,
) -> Result<StatusCode, Error> {
    if request.is_empty() {
        return Err(Error::bad(
            "JSON does not validate: {} does not have enough properties",
        ));
    }
    let claims: Vec<Claim> = request
        .into_iter()
        .map(|(consumer, body)| body.claim(&cx, &consumer))
        .collect::<Result<_, _>>()?;
    let now = placement.clock.now();
    placement
        .db
        .write(move |tx| logic::claim(tx, &claims, now))
        .await?;
    Ok(StatusCode::NO_CONTENT)
}

pub(super) async fn delete(
    State(placement): State<Arc<Placement>>,
    Path(consumer): Path<String>,
) -> Result<StatusCode, Error> {
    let work = move |tx: &mut stackup_store::Tx<'_>| match allocations::release(tx, &consumer)? {
        0 => Err(Error::NoAllocations(consumer.clone())),
        _ => Ok(()),
    };
    placement.db.write(work).await?;
    Ok(StatusCode::NO_CONTENT)
}
