//! /allocation_candidates

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value, json};
use stackup_core::{Ctx, Mv};
use stackup_web::{Cx, Json, Query};

use super::candidates_query::{group, traits};
use super::{
    ALL_CLASSES, BY_PROVIDER, CANDIDATES, GROUPS, MAPPINGS, NESTED_CANDIDATES, REQUIRED, dated,
};
use crate::Placement;
use crate::error::Error;
use crate::logic::names;
use crate::model::candidates::{Offer, Way, search};
use crate::model::request::{Group, Request};

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
    let checked = placement.db.read(move |r| {
        for group in asked.groups.values() {
            names::check_group(r, group)?;
        }
        names::check_traits(r, asked.root_required.iter().chain(&asked.root_forbidden))
    });
    checked.await?;
    let offers = placement.db.offers().await?;
    let ways = search(&offers, &request);
    let body = json!({
        "allocation_requests": ways.iter().map(|way| way_view(&cx, way)).collect::<Vec<_>>(),
        "provider_summaries": summaries(&cx, &request, &offers, &ways),
    });
    Ok(dated(&cx, placement.clock.now(), Json(body).into_response()))
}

fn read(cx: &Ctx, query: &Query) -> Result<Request, Error> {
    let mut request = Request { nested: cx.since(NESTED_CANDIDATES), ..Request::default() };
    let mut suffixes = BTreeSet::new();
    for (name, _) in query.pairs() {
        match split(cx, name) {
            Some(suffix) => {
                suffixes.insert(suffix);
            }
            None if of_the_whole(cx, name) => {}
            None => return Err(super::unexpected(name)),
        }
    }
    if !cx.since(GROUPS) && !query.has("resources") {
        let text = "Invalid query string parameters: 'resources' is a required property";
        return Err(Error::bad(text));
    }
    let policy = whole(cx, query, &mut request)?;
    for suffix in suffixes {
        request.groups.insert(suffix.to_owned(), group(cx, query, suffix)?);
    }
    check_groups(cx, &request)?;
    let named = request.groups.keys().filter(|suffix| !suffix.is_empty());
    if named.count() > 1 && policy.is_none() {
        return Err(Error::BadQuery(
            "The \"group_policy\" parameter is required when specifying more than one \
             \"resources{N}\" parameter."
                .into(),
        ));
    }
    request.isolate = policy == Some("isolate");
    Ok(request)
}

/// Whether it is a parameter of the request and not of one group.
fn of_the_whole(cx: &Ctx, name: &str) -> bool {
    match name {
        "limit" => cx.since(LIMIT),
        "group_policy" => cx.since(GROUPS),
        "root_required" => cx.since(ROOT_REQUIRED),
        "same_subtree" => cx.since(SAME_SUBTREE),
        _ => false,
    }
}

/// Reads the parameters of the whole, and answers the group policy. Of a limit or a policy said
/// twice the first one counts.
fn whole<'a>(cx: &Ctx, query: &'a Query, request: &mut Request) -> Result<Option<&'a str>, Error> {
    let wrong = |what| Error::bad(format!("Invalid query string parameters: {what}"));
    for text in query.all("limit") {
        let sound = !text.starts_with('0') && text.bytes().all(|b| b.is_ascii_digit());
        if !sound || text.is_empty() {
            return Err(wrong(format!("'{text}' does not match '^[1-9][0-9]*$'")));
        }
        request.limit.get_or_insert(text.parse().unwrap_or(usize::MAX));
    }
    let mut policy = None;
    for text in query.all("group_policy") {
        if text != "none" && text != "isolate" {
            return Err(wrong(format!("'{text}' is not one of ['none', 'isolate']")));
        }
        policy.get_or_insert(text);
    }
    if query.all("root_required").count() > 1 {
        return Err(Error::BadDuplicate(
            "Query parameter \"root_required\" may be specified only once.",
        ));
    }
    if let Some(text) = query.get("root_required") {
        let mut group = Group::default();
        traits(cx, text, &mut group)?;
        if group.required.iter().any(|any| any.len() > 1) || text.starts_with("in:") {
            return Err(wrong("'root_required' takes no alternatives".to_owned()));
        }
        request.root_required = group.required.into_iter().flatten().collect();
        request.root_forbidden = group.forbidden;
        let both: Vec<&str> = request
            .root_required
            .intersection(&request.root_forbidden)
            .map(String::as_str)
            .collect();
        if !both.is_empty() {
            return Err(Error::BadQuery(format!(
                "Conflicting required and forbidden traits found in root_required: {}",
                both.join(", ")
            )));
        }
    }
    for text in query.all("same_subtree") {
        request.same_subtree.push(text.split(',').map(|s| s.trim().to_owned()).collect());
    }
    for set in &request.same_subtree {
        if set.iter().any(String::is_empty) {
            let text = "Empty string (unsuffixed group) can not be specified in `same_subtree` ";
            return Err(Error::BadQuery(text.into()));
        }
    }
    Ok(policy)
}

/// Which groups may do without resources: from 1.36 on those that a subtree names.
fn check_groups(cx: &Ctx, request: &Request) -> Result<(), Error> {
    let bare: Vec<&str> = request
        .groups
        .iter()
        .filter(|(_, group)| group.resources.is_empty())
        .map(|(suffix, _)| suffix.as_str())
        .collect();
    if !cx.since(SAME_SUBTREE) {
        return without_subtrees(request, &bare);
    }
    if bare.len() == request.groups.len() {
        let text = "There must be at least one resources or resources[$S] parameter.";
        return Err(Error::MissingQuery(text.into()));
    }
    let named: BTreeSet<&str> = request.same_subtree.iter().flatten().map(String::as_str).collect();
    let lost: Vec<&&str> = bare.iter().filter(|suffix| !named.contains(**suffix)).collect();
    if !lost.is_empty() {
        return Err(Error::BadQuery(format!(
            "Resourceless suffixed group request should be specified in `same_subtree` query \
             param: bad group(s) - {lost:?}."
        )));
    }
    let unknown: Vec<&&str> =
        named.iter().filter(|suffix| !request.groups.contains_key(**suffix)).collect();
    if !unknown.is_empty() {
        let known: Vec<&String> = request.groups.keys().collect();
        return Err(Error::BadQuery(format!(
            "Real suffixes should be specified in `same_subtree`: {unknown:?} not found in \
             {known:?}."
        )));
    }
    Ok(())
}

fn without_subtrees(request: &Request, bare: &[&str]) -> Result<(), Error> {
    let orphans = |word: &str, has: fn(&Group) -> bool| {
        let lost = bare.iter().filter(|suffix| request.groups.get(**suffix).is_some_and(has));
        lost.map(|suffix| format!("{word}{suffix}")).collect::<Vec<_>>().join(", ")
    };
    let traits = orphans("required", |group| !group.required.is_empty());
    if !traits.is_empty() {
        return Err(Error::bad(format!(
            "All traits parameters must be associated with resources.  Found the following \
             orphaned traits keys: {traits}"
        )));
    }
    let aggregates = orphans("member_of", |group| {
        !group.member_of.is_empty() || !group.not_member_of.is_empty()
    });
    if !aggregates.is_empty() {
        return Err(Error::bad(format!(
            "All member_of parameters must be associated with resources. Found the following \
             orphaned member_of keys: {aggregates}"
        )));
    }
    if !bare.is_empty() {
        return Err(Error::bad("All request groups must specify resources."));
    }
    if request.groups.is_empty() {
        return Err(Error::bad(
            "At least one request group (`resources` or `resources{$S}`) is required.",
        ));
    }
    Ok(())
}

/// The suffix of a group's parameter: `_NET1` of `resources_NET1`. Numbers came first.
fn split<'a>(cx: &Ctx, name: &'a str) -> Option<&'a str> {
    let words = [
        ("resources", CANDIDATES),
        ("required", REQUIRED),
        ("member_of", MEMBER_OF),
        ("in_tree", IN_TREE),
    ];
    let known = words.iter().filter(|(_, since)| cx.since(*since));
    let suffix = known.filter_map(|(word, _)| name.strip_prefix(word)).next()?;
    let is_number = !suffix.starts_with('0') && suffix.bytes().all(|b| b.is_ascii_digit());
    let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'_' || b == b'-';
    let is_text = suffix.len() <= 64 && suffix.bytes().all(plain);
    let allowed = suffix.is_empty()
        || (cx.since(GROUPS) && is_number)
        || (cx.since(NAMED_SUFFIXES) && is_text);
    allowed.then_some(suffix)
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
    let used: BTreeSet<&str> =
        ways.iter().flat_map(|way| way.allocations.keys()).map(|id| &**id).collect();
    let roots: BTreeSet<&str> = offers
        .iter()
        .filter(|offer| used.contains(&*offer.provider.id))
        .map(|offer| &*offer.provider.root_id)
        .collect();
    let asked: BTreeSet<&String> =
        request.groups.values().flat_map(|group| group.resources.keys()).collect();
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
