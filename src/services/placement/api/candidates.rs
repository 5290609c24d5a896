//! /allocation_candidates

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value, json};
use stackup_core::{Ctx, Mv};
use stackup_web::{Cx, Json, Query};

use super::candidates_query::{aggregates, resources, traits};
use super::{ALL_CLASSES, BY_PROVIDER, GROUPS, MAPPINGS, NESTED_CANDIDATES, REQUIRED, dated};
use crate::Placement;
use crate::error::Error;
use crate::logic::names;
use crate::model::candidates::{Offer, Way, search};
use crate::model::request::{Group, Request};
use crate::store::snapshot;

/// `limit=`
const LIMIT: Mv = Mv(1, 16);
/// `member_of=`
const MEMBER_OF: Mv = Mv(1, 21);
/// `in_tree=`
const IN_TREE: Mv = Mv(1, 31);
/// Suffixes may be any text, not only numbers.
const NAMED_SUFFIXES: Mv = Mv(1, 33);
/// `root_required=`
const ROOT_REQUIRED: Mv = Mv(1, 35);
/// `same_subtree=`
const SAME_SUBTREE: Mv = Mv(1, 36);

pub(super) async fn list(
    State(placement): State<Arc<Placement>>,
    Cx(cx): Cx,
    query: Query,
) -> Result<Response, Error> {
    let request = Arc::new(read(&cx, &query)?);
    let asked = Arc::clone(&request);
    let found = placement.db.read(move |r| {
        for group in asked.groups.values() {
            for class in group.resources.keys() {
                if !names::class_is_known(r, class)? {
                    return Err(Error::bad(format!("Invalid resource class in resources parameter: No such resource class {class}.")));
                }
            }
            for name in group.required.iter().flatten().chain(&group.forbidden) {
                if !names::trait_is_known(r, name)? {
                    return Err(Error::bad(format!("No such trait(s): {name}.")));
                }
            }
        }
        let offers = snapshot::offers(r)?;
        let ways = search(&offers, &asked);
        Ok::<_, Error>((offers, ways))
    });
    let (offers, ways) = found.await?;
    let body = json!({
        "allocation_requests": ways.iter().map(|way| way_view(&cx, way)).collect::<Vec<_>>(),
        "provider_summaries": summaries(&cx, &request, &offers, &ways),
    });
    Ok(dated(
        &cx,
        placement.clock.now(),
        Json(body).into_response(),
    ))
}

fn read(cx: &Ctx, query: &Query) -> Result<Request, Error> {
    let mut request = Request::default();
    let mut policy = None;
    for (name, value) in query.pairs() {
        let (word, suffix) = split(cx, name);
        let group = |request: &mut Request| {
            std::mem::take(request.groups.entry(suffix.to_owned()).or_default())
        };
        let mut changed = group(&mut request);
        let known = match word {
            "resources" => {
                changed.resources = resources(value)?;
                true
            }
            "required" if cx.since(REQUIRED) => {
                traits(cx, value, &mut changed)?;
                true
            }
            "member_of" if cx.since(MEMBER_OF) => {
                aggregates(cx, value, &mut changed)?;
                true
            }
            "in_tree" if cx.since(IN_TREE) => {
                changed.in_tree = Some(super::uuid("in_tree", value)?.to_owned());
                true
            }
            _ => other(cx, name, value, &mut request, &mut policy)?,
        };
        request.groups.insert(suffix.to_owned(), changed);
        if !known {
            return Err(Error::BadQuery(format!(
                "Invalid query string parameters: '{name}' does not match any of the regexes"
            )));
        }
    }
    request.groups.retain(|_, group| !is_blank(group));
    complete(request, policy)
}

/// The parameters that belong to no group. False for one that is not known.
fn other(
    cx: &Ctx,
    name: &str,
    value: &str,
    request: &mut Request,
    policy: &mut Option<String>,
) -> Result<bool, Error> {
    match name {
        "limit" if cx.since(LIMIT) => {
            let limit: usize = value.parse().unwrap_or(0);
            if limit == 0 {
                return Err(Error::BadQuery(format!(
                    "'{value}' does not match '^[1-9][0-9]*$'"
                )));
            }
            request.limit = Some(limit);
        }
        "group_policy" if cx.since(GROUPS) => {
            if value != "none" && value != "isolate" {
                return Err(Error::BadQuery(format!(
                    "'{value}' is not one of ['none', 'isolate']"
                )));
            }
            *policy = Some(value.to_owned());
        }
        "root_required" if cx.since(ROOT_REQUIRED) => {
            let mut group = Group::default();
            traits(cx, value, &mut group)?;
            request.root_required = group.required.into_iter().flatten().collect();
            request.root_forbidden = group.forbidden;
        }
        "same_subtree" if cx.since(SAME_SUBTREE) => {
            request
                .same_subtree
                .push(value.split(',').map(str::to_owned).collect());
        }
        _ => return Ok(false),
    }
    Ok(true)
}

fn is_blank(group: &Group) -> bool {
    group.resources.is_empty()
        && group.required.is_empty()
        && group.forbidden.is_empty()
        && group.member_of.is_empty()
        && group.not_member_of.is_empty()
        && group.in_tree.is_none()
}

fn complete(mut request: Request, policy: Option<String>) -> Result<Request, Error> {
    let named = request
        .groups
        .keys()
        .filter(|suffix| !suffix.is_empty())
        .count();
    if named > 1 && policy.is_none() {
        return Err(Error::BadQuery(
            "The \"group_policy\" parameter is required when specifying more than one \
             \"resources{N}\" parameter."
                .into(),
        ));
    }
    let in_subtree: BTreeSet<&String> = request.same_subtree.iter().flatten().collect();
    for (suffix, group) in &request.groups {
        if group.resources.is_empty() && !in_subtree.contains(suffix) {
            return Err(Error::BadQuery(format!(
                "All traits, aggregates and trees must be associated with resources: group \
                 '{suffix}' has none."
            )));
        }
    }
    if request.groups.is_empty() {
        return Err(Error::BadQuery(
            "At least one request group (`resources`) is required.".into(),
        ));
    }
    request.isolate = policy.as_deref() == Some("isolate");
    Ok(request)
}

/// `resources_NET1` is the word `resources` of the group `_NET1`; numbers came first.
fn split<'a>(cx: &Ctx, name: &'a str) -> (&'a str, &'a str) {
    for word in ["resources", "required", "member_of", "in_tree"] {
        let Some(suffix) = name.strip_prefix(word) else {
            continue;
        };
        let number = !suffix.starts_with('0') && suffix.bytes().all(|b| b.is_ascii_digit());
        let text = suffix.len() <= 64
            && suffix
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-');
        let allowed =
            suffix.is_empty() || (cx.since(GROUPS) && number) || (cx.since(NAMED_SUFFIXES) && text);
        if allowed {
            return (word, suffix);
        }
    }
    (name, "")
}

fn way_view(cx: &Ctx, way: &Way) -> Value {
    if !cx.since(BY_PROVIDER) {
        let list = way.allocations.iter().map(
            |(id, resources)| json!({"resource_provider": {"uuid": id}, "resources": resources}),
        );
        return json!({"allocations": list.collect::<Vec<_>>()});
    }
    let map = way.allocations.iter();
    let map = map.map(|(id, resources)| (id.to_string(), json!({"resources": resources})));
    let mut view = json!({"allocations": map.collect::<Map<_, _>>()});
    if cx.since(MAPPINGS) {
        view["mappings"] = json!(way.mappings);
    }
    view
}

/// The providers of the candidates; from 1.29 on with the rest of their trees.
fn summaries(cx: &Ctx, request: &Request, offers: &[Offer], ways: &[Way]) -> Value {
    let used: BTreeSet<&str> = ways
        .iter()
        .flat_map(|way| way.allocations.keys())
        .map(|id| &**id)
        .collect();
    let roots: BTreeSet<&str> = offers
        .iter()
        .filter(|offer| used.contains(&*offer.provider.id))
        .map(|offer| &*offer.provider.root_id)
        .collect();
    let asked: BTreeSet<&String> = request
        .groups
        .values()
        .flat_map(|group| group.resources.keys())
        .collect();
    let shown = offers.iter().filter(|offer| {
        let nested = cx.since(NESTED_CANDIDATES) && roots.contains(&*offer.provider.root_id);
        used.contains(&*offer.provider.id) || nested
    });
    let views = shown.map(|offer| {
        let mut summary: BTreeMap<String, (u64, u64)> = offer.summary();
        if !cx.since(ALL_CLASSES) {
            summary.retain(|class, _| asked.contains(class));
        }
        let resources = summary
            .into_iter()
            .map(|(class, (used, capacity))| (class, json!({"used": used, "capacity": capacity})));
        let mut view = json!({"resources": resources.collect::<Map<_, _>>()});
        if cx.since(REQUIRED) {
            view["traits"] = json!(offer.traits);
        }
        if cx.since(NESTED_CANDIDATES) {
            view["parent_provider_uuid"] = json!(offer.provider.parent_id);
            view["root_provider_uuid"] = json!(offer.provider.root_id);
        }
        (offer.provider.id.to_string(), view)
    });
    Value::Object(views.collect())
}
