//! /resource_providers

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::header::LOCATION;
use serde::Deserialize;
use serde_json::{Value, json};
use stackup_core::{Ctx, ProviderId, ids};
use stackup_web::{Cx, Json, Query, answer};

use super::candidates_query::{aggregates, resources, traits};
use super::{AGGREGATES, ALLOCATIONS_LINK, MOVE, NESTED, POST_ANSWERS, TRAITS, dated, only};
use crate::Placement;
use crate::error::Error;
use crate::logic::providers;
use crate::model::candidates::{Offer, search};
use crate::model::provider::Provider;
use crate::model::request::{Group, Request};
use crate::store::snapshot;

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
    only(
        &query,
        &[
            "name",
            "uuid",
            "member_of",
            "resources",
            "in_tree",
            "required",
        ],
    )?;
    let filter = Filter::read(&cx, &query)?;
    let offers = placement
        .db
        .read(|r| Ok::<_, Error>(snapshot::offers(r)?))
        .await?;
    let found: Vec<Value> = offers
        .iter()
        .filter(|offer| filter.takes(offer, &offers))
        .map(|offer| view(&cx, &offer.provider))
        .collect();
    let body = Json(json!({"resource_providers": found})).into_response();
    Ok(dated(&cx, placement.clock.now(), body))
}

struct Filter {
    name: Option<String>,
    id: Option<String>,
    group: Group,
}

impl Filter {
    fn read(cx: &Ctx, query: &Query) -> Result<Self, Error> {
        let mut group = Group::default();
        if let Some(text) = query.get("resources") {
            group.resources = resources(text)?;
        }
        for text in query.all("required") {
            traits(cx, text, &mut group)?;
        }
        for text in query.all("member_of") {
            aggregates(cx, text, &mut group)?;
        }
        group.in_tree = query.get("in_tree").map(str::to_owned);
        let (name, id) = (query.get("name"), query.get("uuid"));
        if let Some(id) = id {
            super::uuid("uuid", id)?;
        }
        Ok(Self {
            name: name.map(str::to_owned),
            id: id.map(str::to_owned),
            group,
        })
    }

    /// Whether one provider alone satisfies all of it.
    fn takes(&self, offer: &Offer, all: &[Offer]) -> bool {
        let provider = &offer.provider;
        let named = self.name.as_ref().is_none_or(|name| *name == provider.name);
        let is = self.id.as_ref().is_none_or(|id| provider.id == **id);
        let in_tree = self.group.in_tree.as_ref().is_none_or(|id| {
            all.iter()
                .any(|o| o.provider.id == **id && o.provider.root_id == provider.root_id)
        });
        if !named || !is || !in_tree {
            return false;
        }
        // One provider, as its own tree: the same rules as for candidates.
        let mut alone = offer.clone();
        alone.provider.root_id = alone.provider.id.clone();
        let group = Group {
            in_tree: None,
            ..self.group.clone()
        };
        if group.resources.is_empty() {
            return has_traits(&alone, &group);
        }
        let groups = [("_".to_owned(), group)].into();
        !search(
            &[alone],
            &Request {
                groups,
                ..Request::default()
            },
        )
        .is_empty()
    }
}

fn has_traits(offer: &Offer, group: &Group) -> bool {
    let member = |set: &BTreeSet<String>| !set.is_disjoint(&offer.aggregates);
    group
        .required
        .iter()
        .all(|any| !any.is_disjoint(&offer.traits))
        && group.forbidden.is_disjoint(&offer.traits)
        && group.member_of.iter().all(member)
        && group.not_member_of.is_disjoint(&offer.aggregates)
}

pub(super) async fn create(
    State(placement): State<Arc<Placement>>,
    Cx(cx): Cx,
    Json(request): Json<Create>,
) -> Result<Response, Error> {
    check_name(&request.name)?;
    if request.parent_provider_uuid.is_some() && !cx.since(NESTED) {
        return Err(Error::bad(
            "JSON does not validate: parent_provider_uuid was unexpected",
        ));
    }
    for id in request.uuid.iter().chain(&request.parent_provider_uuid) {
        super::uuid("resource provider", id)?;
    }
    let now = placement.clock.now();
    let id = ProviderId::from(request.uuid.clone().unwrap_or_else(ids::uuid));
    let work = move |tx: &mut stackup_store::Tx<'_>| {
        providers::create(
            tx,
            &id,
            &request.name,
            request.parent_provider_uuid.as_deref(),
            now,
        )
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
    Path(id): Path<String>,
) -> Result<Response, Error> {
    let provider = placement.db.read(move |r| providers::get(r, &id)).await?;
    let body = Json(view(&cx, &provider)).into_response();
    Ok(dated(&cx, provider.updated_at, body))
}

pub(super) async fn update(
    State(placement): State<Arc<Placement>>,
    Cx(cx): Cx,
    Path(id): Path<String>,
    Json(request): Json<Update>,
) -> Result<Response, Error> {
    check_name(&request.name)?;
    if request.parent_provider_uuid.is_some() && !cx.since(NESTED) {
        return Err(Error::bad(
            "JSON does not validate: parent_provider_uuid was unexpected",
        ));
    }
    let now = placement.clock.now();
    let may_move = cx.since(MOVE);
    let work = move |tx: &mut stackup_store::Tx<'_>| {
        let parent = request.parent_provider_uuid.as_ref().map(Option::as_deref);
        providers::update(tx, &id, &request.name, parent, may_move, now)
    };
    let provider = placement.db.write(work).await?;
    Ok(dated(&cx, now, Json(view(&cx, &provider)).into_response()))
}

pub(super) async fn delete(
    State(placement): State<Arc<Placement>>,
    Path(id): Path<String>,
) -> Result<StatusCode, Error> {
    placement
        .db
        .write(move |tx| providers::delete(tx, &id))
        .await?;
    Ok(StatusCode::NO_CONTENT)
}

fn check_name(name: &str) -> Result<(), Error> {
    if name.is_empty() || name.chars().count() > 200 {
        return Err(Error::bad(format!(
            "JSON does not validate: '{name}' is too short or too long"
        )));
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
