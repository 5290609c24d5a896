//! /allocations, and /resource_providers/{uuid}/allocations

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use stackup_contracts::Resources;
use stackup_core::{Ctx, ProviderId};
use stackup_web::{Cx, Json};

use super::valid::{Id, Valid, fit, wrong};
use super::{BY_PROVIDER, CONSUMER_GENERATION, CONSUMER_TYPE, MAPPINGS, PROJECT_AND_USER, dated};
use crate::Placement;
use crate::error::Error;
use crate::logic::{allocations as logic, providers};
use crate::model::allocation::{Claim, Expected};
use crate::model::inventory::MAX;
use crate::model::names::is_name;
use crate::store::allocations;

/// The project and user of consumers that were made before either was asked for.
const NOBODY: &str = "00000000-0000-0000-0000-000000000000";

/// What one consumer shall have, in all the forms of all versions.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Body {
    /// A list at first; from 1.12 on an object by provider.
    allocations: Value,
    project_id: Option<String>,
    user_id: Option<String>,
    /// Null for a consumer that is new.
    #[serde(default, deserialize_with = "present")]
    consumer_generation: Option<Option<u64>>,
    consumer_type: Option<String>,
    /// Accepted and not kept, so that a candidate can be sent back as it is.
    mappings: Option<BTreeMap<String, Vec<String>>>,
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
        let consumer = super::uuid(consumer)?;
        self.fits(cx)?;
        let allocations = if cx.since(BY_PROVIDER) {
            by_id(self.allocations)?
        } else {
            listed(self.allocations)?
        };
        Ok(Claim {
            consumer,
            project_id: self.project_id.unwrap_or_else(|| NOBODY.to_owned()),
            user_id: self.user_id.unwrap_or_else(|| NOBODY.to_owned()),
            kind: self.consumer_type,
            generation: match self.consumer_generation {
                None => Expected::Any,
                Some(None) => Expected::New,
                Some(Some(generation)) => Expected::At(generation),
            },
            allocations,
        })
    }

    /// Each field is there from its version on, and not before.
    fn fits(&self, cx: &Ctx) -> Result<(), Error> {
        let fields = [
            ("project_id", self.project_id.is_some(), PROJECT_AND_USER, true),
            ("user_id", self.user_id.is_some(), PROJECT_AND_USER, true),
            ("consumer_generation", self.consumer_generation.is_some(), CONSUMER_GENERATION, true),
            ("consumer_type", self.consumer_type.is_some(), CONSUMER_TYPE, true),
            ("mappings", self.mappings.is_some(), MAPPINGS, false),
        ];
        for (name, there, since, required) in fields {
            if there && !cx.since(since) {
                return Err(wrong(&format!(
                    "Additional properties are not allowed ('{name}' was unexpected)"
                )));
            }
            if !there && required && cx.since(since) {
                return Err(wrong(&format!("'{name}' is a required property")));
            }
        }
        for text in self.project_id.iter().chain(&self.user_id) {
            if text.is_empty() || text.chars().count() > 255 {
                return Err(wrong(&format!("'{text}' is too short or too long")));
            }
        }
        if let Some(kind) = self.consumer_type.as_ref().filter(|kind| !is_name(kind)) {
            return Err(wrong(&format!("'{kind}' does not match '^[A-Z0-9_]+$'")));
        }
        if self.mappings.as_ref().is_some_and(BTreeMap::is_empty) {
            return Err(wrong("{} should be non-empty"));
        }
        for (suffix, providers) in self.mappings.iter().flatten() {
            let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'_' || b == b'-';
            if suffix.len() > 64 || !suffix.bytes().all(plain) || providers.is_empty() {
                return Err(wrong(&format!("'{suffix}' does not match any of the regexes")));
            }
            providers.iter().try_for_each(|id| super::uuid(id).map(drop))?;
        }
        Ok(())
    }
}

fn listed(value: Value) -> Result<BTreeMap<ProviderId, Resources>, Error> {
    let list: Vec<OfProvider> = fit(value)?;
    if list.is_empty() {
        return Err(wrong("[] should be non-empty"));
    }
    let mut all = BTreeMap::new();
    for one in list {
        let id = super::uuid(&one.resource_provider.uuid)?;
        all.insert(id.into(), sound(one.resources)?);
    }
    Ok(all)
}

fn by_id(value: Value) -> Result<BTreeMap<ProviderId, Resources>, Error> {
    let map: BTreeMap<String, OfId> = fit(value)?;
    let mut all = BTreeMap::new();
    for (id, one) in map {
        let Ok(canonical) = super::uuid(&id) else {
            return Err(wrong(&format!("'{id}' does not match any of the regexes")));
        };
        all.insert(canonical.into(), sound(one.resources)?);
    }
    Ok(all)
}

fn sound(resources: Resources) -> Result<Resources, Error> {
    if resources.is_empty() {
        return Err(wrong("{} should be non-empty"));
    }
    for (class, amount) in &resources {
        if !is_name(class) {
            return Err(wrong(&format!("'{class}' does not match any of the regexes")));
        }
        if *amount < 1 {
            return Err(wrong(&format!("{amount} is less than the minimum of 1")));
        }
        if *amount > MAX {
            return Err(wrong(&format!("{amount} is greater than the maximum of {MAX}")));
        }
    }
    Ok(resources)
}

pub(super) async fn show(
    State(placement): State<Arc<Placement>>,
    Cx(cx): Cx,
    Id(id): Id,
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
    Ok(dated(&cx, placement.clock.now(), Json(body).into_response()))
}

pub(super) async fn of_provider(
    State(placement): State<Arc<Placement>>,
    Cx(cx): Cx,
    Id(id): Id,
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
    Id(consumer): Id,
    Valid(request): Valid<Body>,
) -> Result<StatusCode, Error> {
    let claim = request.claim(&cx, &consumer)?;
    if claim.allocations.is_empty() && !cx.since(CONSUMER_GENERATION) {
        return Err(wrong("{} should be non-empty"));
    }
    let (claims, now) = ([claim], placement.clock.now());
    placement.db.write(move |tx| logic::claim(tx, &claims, now)).await?;
    Ok(StatusCode::NO_CONTENT)
}

pub(super) async fn set_many(
    State(placement): State<Arc<Placement>>,
    Cx(cx): Cx,
    Valid(request): Valid<BTreeMap<String, Body>>,
) -> Result<StatusCode, Error> {
    if request.is_empty() {
        return Err(wrong("{} should be non-empty"));
    }
    let claims: Vec<Claim> = request
        .into_iter()
        .map(|(consumer, body)| body.claim(&cx, &consumer))
        .collect::<Result<_, _>>()?;
    let now = placement.clock.now();
    placement.db.write(move |tx| logic::claim(tx, &claims, now)).await?;
    Ok(StatusCode::NO_CONTENT)
}

pub(super) async fn delete(
    State(placement): State<Arc<Placement>>,
    Id(consumer): Id,
) -> Result<StatusCode, Error> {
    let work = move |tx: &mut stackup_store::Tx<'_>| match allocations::release(tx, &consumer)? {
        0 => Err(Error::NoAllocations(consumer.clone())),
        _ => Ok(()),
    };
    placement.db.write(work).await?;
    Ok(StatusCode::NO_CONTENT)
}
