//! /resource_providers

use std::sync::Arc;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::header::LOCATION;
use serde::Deserialize;
use serde_json::{Value, json};
use stackup_core::{Ctx, Mv, ProviderId, ids};
use stackup_web::{Cx, Json, Query, answer};

use super::candidates_query::group;
use super::valid::{Id, Valid, wrong};
use super::{AGGREGATES, ALLOCATIONS_LINK, MOVE, NESTED, POST_ANSWERS, TRAITS, dated, only};
use crate::Placement;
use crate::error::Error;
use crate::logic::{names, providers};
use crate::model::candidates::{self, Offer};
use crate::model::provider::Provider;
use crate::model::request::Group;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Create {
    name: String,
    uuid: Option<String>,
    parent_provider_uuid: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Update {
    name: String,
    /// Absent leaves the parent as it is; null makes the provider a root.
    #[serde(default, deserialize_with = "present")]
    parent_provider_uuid: Option<Option<String>>,
}

/// Tells a field that is null from one that is not there.
fn present<'de, D: serde::Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Option<String>>, D::Error> {
    Deserialize::deserialize(deserializer).map(Some)
}

pub(super) async fn list(
    State(placement): State<Arc<Placement>>,
    Cx(cx): Cx,
    query: Query,
) -> Result<Response, Error> {
    let known = FILTERS.iter().filter(|(_, since)| cx.since(*since)).map(|(name, _)| *name);
    only(&query, &known.collect::<Vec<_>>())?;
    let filter = Filter::read(&cx, &query)?;
    let read = placement.db.read(move |r| {
        names::check_group(r, &filter.group)?;
        Ok::<_, Error>(filter)
    });
    let filter = read.await?;
    let offers = placement.db.offers().await?;
    let alone = candidates::Alone::new(&offers, &filter.group);
    let found: Vec<Value> = offers
        .iter()
        .filter(|offer| filter.names(offer) && alone.suits(offer))
        .map(|offer| view(&cx, &offer.provider))
        .collect();
    let body = Json(json!({"resource_providers": found})).into_response();
    Ok(dated(&cx, placement.clock.now(), body))
}

/// The filters of the list, each with the version that brought it.
const FILTERS: &[(&str, Mv)] = &[
    ("name", Mv(1, 0)),
    ("uuid", Mv(1, 0)),
    ("member_of", Mv(1, 3)),
    ("resources", Mv(1, 4)),
    ("in_tree", Mv(1, 14)),
    ("required", Mv(1, 18)),
];

struct Filter {
    name: Option<String>,
    id: Option<String>,
    group: Group,
}

impl Filter {
    fn read(cx: &Ctx, query: &Query) -> Result<Self, Error> {
        let wrong = |id: &str| {
            Error::bad(format!("Invalid query string parameters: '{id}' is not a 'uuid'"))
        };
        let id = query.get("uuid").map(|id| super::uuid(id).map_err(|_| wrong(id))).transpose()?;
        Ok(Self { name: query.get("name").map(str::to_owned), id, group: group(cx, query, "")? })
    }

    fn names(&self, offer: &Offer) -> bool {
        let provider = &offer.provider;
        self.name.as_ref().is_none_or(|name| *name == provider.name)
            && self.id.as_ref().is_none_or(|id| provider.id == **id)
    }
}

pub(super) async fn create(
    State(placement): State<Arc<Placement>>,
    Cx(cx): Cx,
    Valid(request): Valid<Create>,
) -> Result<Response, Error> {
    check_name(&request.name)?;
    not_before_nested(&cx, request.parent_provider_uuid.is_some())?;
    let now = placement.clock.now();
    let id = request.uuid.as_deref().map(super::uuid).transpose()?.unwrap_or_else(ids::uuid);
    let parent = request.parent_provider_uuid.as_deref().map(super::uuid).transpose()?;
    if parent.as_ref() == Some(&id) {
        return Err(Error::bad(format!(
            "Unable to create resource provider \"{}\", {id}: Object action create failed because: \
             parent provider UUID cannot be same as UUID. Please set parent provider UUID to None \
             if there is no parent.",
            request.name
        )));
    }
    let id = ProviderId::from(id);
    let work = move |tx: &mut stackup_store::Tx<'_>| {
        providers::create(tx, &id, &request.name, parent.as_deref(), now)
    };
    let provider = placement.db.write(work).await?;
    let location = format!("{}/resource_providers/{}", cx.self_url, provider.id);
    let location = [(LOCATION, location)];
    if cx.since(POST_ANSWERS) {
        let body = (location, answer(StatusCode::OK, &view(&cx, &provider))).into_response();
        return Ok(dated(&cx, now, body));
    }
    Ok((StatusCode::CREATED, location).into_response())
}

pub(super) async fn show(
    State(placement): State<Arc<Placement>>,
    Cx(cx): Cx,
    Id(id): Id,
) -> Result<Response, Error> {
    let provider = placement.db.read(move |r| providers::get(r, &id)).await?;
    let body = Json(view(&cx, &provider)).into_response();
    Ok(dated(&cx, provider.updated_at, body))
}

pub(super) async fn update(
    State(placement): State<Arc<Placement>>,
    Cx(cx): Cx,
    Id(id): Id,
    Valid(request): Valid<Update>,
) -> Result<Response, Error> {
    check_name(&request.name)?;
    not_before_nested(&cx, request.parent_provider_uuid.is_some())?;
    let parent = match request.parent_provider_uuid {
        Some(Some(id)) => Some(Some(super::uuid(&id)?)),
        Some(None) => Some(None),
        None => None,
    };
    let now = placement.clock.now();
    let may_move = cx.since(MOVE);
    let work = move |tx: &mut stackup_store::Tx<'_>| {
        let parent = parent.as_ref().map(Option::as_deref);
        providers::update(tx, &id, &request.name, parent, may_move, now)
    };
    let provider = placement.db.write(work).await?;
    Ok(dated(&cx, now, Json(view(&cx, &provider)).into_response()))
}

pub(super) async fn delete(
    State(placement): State<Arc<Placement>>,
    Id(id): Id,
) -> Result<StatusCode, Error> {
    placement.db.write(move |tx| providers::delete(tx, &id)).await?;
    Ok(StatusCode::NO_CONTENT)
}

fn check_name(name: &str) -> Result<(), Error> {
    if name.is_empty() {
        return Err(wrong("'' is too short. Failed validating 'minLength'"));
    }
    if name.chars().count() > 200 {
        return Err(wrong(&format!("'{name}' is too long. Failed validating 'maxLength'")));
    }
    Ok(())
}

/// Trees came with 1.14.
fn not_before_nested(cx: &Ctx, has_parent: bool) -> Result<(), Error> {
    if has_parent && !cx.since(NESTED) {
        return Err(wrong(
            "Additional properties are not allowed ('parent_provider_uuid' was unexpected)",
        ));
    }
    Ok(())
}

/// A provider as the wire shows it.
fn view(cx: &Ctx, provider: &Provider) -> Value {
    let own = format!("{}/resource_providers/{}", super::prefix(cx), provider.id);
    let mut links = vec![json!({"rel": "self", "href": own})];
    let mut link = |rel: &str| links.push(json!({"rel": rel, "href": format!("{own}/{rel}")}));
    if cx.since(AGGREGATES) {
        link("aggregates");
    }
    link("inventories");
    link("usages");
    if cx.since(TRAITS) {
        link("traits");
    }
    if cx.since(ALLOCATIONS_LINK) {
        link("allocations");
    }
    let mut body = json!({
        "uuid": provider.id,
        "name": provider.name,
        "generation": provider.generation,
        "links": links,
    });
    if cx.since(NESTED) {
        body["parent_provider_uuid"] = json!(provider.parent_id);
        body["root_provider_uuid"] = json!(provider.root_id);
    }
    body
}
