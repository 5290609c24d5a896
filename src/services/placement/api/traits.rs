//! /traits, and /resource_providers/{uuid}/traits

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::header::LOCATION;
use serde::Deserialize;
use serde_json::json;
use stackup_web::{Cx, Json, Query};

use super::valid::{Id, Valid};
use super::{dated, only};
use crate::Placement;
use crate::error::Error;
use crate::logic::{names, providers};
use crate::model::names::{STANDARD_TRAITS, is_custom};
use crate::store;
use crate::store::names::Kind;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Set {
    traits: Vec<String>,
    resource_provider_generation: u64,
}

pub(super) async fn list(
    State(placement): State<Arc<Placement>>,
    Cx(cx): Cx,
    query: Query,
) -> Result<Response, Error> {
    only(&query, &["name", "associated"])?;
    let associated = query.get("associated").map(|text| match text.to_lowercase().as_str() {
        "true" => Ok(true),
        "false" => Ok(false),
        _ => Err(Error::BadQuery(
            "The query parameter \"associated\" only accepts \"true\" or \"false\"".into(),
        )),
    });
    let associated = associated.transpose()?;
    let read = placement.db.read(|r| {
        let custom = store::names::list(r, Kind::Trait)?;
        let used = store::names::associated(r)?;
        Ok::<_, Error>((custom, used))
    });
    let (custom, used) = read.await?;
    let used: BTreeSet<String> = used.into_iter().collect();
    let standard = STANDARD_TRAITS.iter().map(|name| (*name).to_owned());
    let mut all: Vec<String> = standard.chain(custom.into_iter().map(|(name, _)| name)).collect();
    all.retain(|name| associated.is_none_or(|wanted| used.contains(name) == wanted));
    match query.get("name").map(|text| text.split_once(':').unwrap_or(("", text))) {
        None => {}
        Some(("startswith", start)) => all.retain(|name| name.starts_with(start)),
        Some(("in", names)) => all.retain(|name| names.split(',').any(|one| one == name)),
        Some(_) => {
            let got = query.get("name").unwrap_or_default();
            return Err(Error::bad(format!(
                "Badly formatted name parameter. Expected name query string parameter in form: \
                 ?name=[in|startswith]:[name1,name2|prefix]. Got: \"{got}\""
            )));
        }
    }
    Ok(dated(&cx, placement.clock.now(), Json(json!({"traits": all})).into_response()))
}

pub(super) async fn show(
    State(placement): State<Arc<Placement>>,
    Cx(cx): Cx,
    Path(name): Path<String>,
) -> Result<Response, Error> {
    let (asked, read) = (name.clone(), name);
    let known = placement.db.read(move |r| names::trait_is_known(r, &read)).await?;
    if !known {
        return Err(Error::TraitNotFound(asked));
    }
    Ok(dated(&cx, placement.clock.now(), StatusCode::NO_CONTENT.into_response()))
}

pub(super) async fn ensure(
    State(placement): State<Arc<Placement>>,
    Cx(cx): Cx,
    Path(name): Path<String>,
) -> Result<Response, Error> {
    if !is_custom(&name) {
        return Err(Error::bad(
            "The trait is invalid. A valid trait must be no longer than 255 characters, \
             start with the prefix \"CUSTOM_\" and use following characters: \"A\"-\"Z\", \
             \"0\"-\"9\" and \"_\"",
        ));
    }
    let now = placement.clock.now();
    let location = [(LOCATION, format!("{}/traits/{name}", cx.self_url))];
    let work = move |tx: &mut stackup_store::Tx<'_>| {
        Ok::<_, Error>(store::names::add(tx, Kind::Trait, &name, now)?)
    };
    let made = placement.db.write(work).await?;
    let status = if made { StatusCode::CREATED } else { StatusCode::NO_CONTENT };
    Ok(dated(&cx, now, (status, location).into_response()))
}

pub(super) async fn delete(
    State(placement): State<Arc<Placement>>,
    Path(name): Path<String>,
) -> Result<StatusCode, Error> {
    if STANDARD_TRAITS.contains(name.as_str()) {
        return Err(Error::bad(format!("Cannot delete standard trait {name}.")));
    }
    let work = move |tx: &mut stackup_store::Tx<'_>| {
        if store::names::trait_in_use(tx, &name)? {
            return Err(Error::TraitInUse(name.clone()));
        }
        let there = store::names::remove(tx, Kind::Trait, &name)?;
        if there { Ok(()) } else { Err(Error::TraitNotFound(name.clone())) }
    };
    placement.db.write(work).await?;
    Ok(StatusCode::NO_CONTENT)
}

pub(super) async fn of_provider(
    State(placement): State<Arc<Placement>>,
    Cx(cx): Cx,
    Id(id): Id,
) -> Result<Response, Error> {
    let read = placement.db.read(move |r| {
        let provider = providers::get(r, &id)?;
        let traits = store::providers::traits(r, &provider.id)?;
        Ok::<_, Error>((provider, traits))
    });
    let (provider, traits) = read.await?;
    let body = json!({"traits": traits, "resource_provider_generation": provider.generation});
    Ok(dated(&cx, provider.updated_at, Json(body).into_response()))
}

pub(super) async fn set(
    State(placement): State<Arc<Placement>>,
    Cx(cx): Cx,
    Id(id): Id,
    Valid(request): Valid<Set>,
) -> Result<Response, Error> {
    let now = placement.clock.now();
    let mut wanted = request.traits;
    wanted.sort();
    wanted.dedup();
    let (shown, named) = (wanted.clone(), Some(request.resource_provider_generation));
    let work =
        move |tx: &mut stackup_store::Tx<'_>| providers::set_traits(tx, &id, &wanted, named, now);
    let generation = placement.db.write(work).await?;
    let body = json!({"traits": shown, "resource_provider_generation": generation});
    Ok(dated(&cx, now, Json(body).into_response()))
}

pub(super) async fn clear(
    State(placement): State<Arc<Placement>>,
    Id(id): Id,
) -> Result<StatusCode, Error> {
    let now = placement.clock.now();
    placement.db.write(move |tx| providers::set_traits(tx, &id, &[], None, now)).await?;
    Ok(StatusCode::NO_CONTENT)
}
