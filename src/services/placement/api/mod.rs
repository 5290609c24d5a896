//! HTTP: the table.

mod aggregates;
mod allocations;
mod candidates;
mod candidates_query;
mod classes;
mod inventories;
mod providers;
mod reshaper;
mod root;
mod traits;
mod usages;
mod valid;

use axum::response::Response;
use stackup_core::{Ctx, Mv, MvRange, Time};
use stackup_web::{Access, Microversions, Query, Route, delete, get, post, put};

use crate::Placement;
use crate::error::Error;

pub(crate) const MICROVERSIONS: Microversions = Microversions {
    service_type: "placement",
    range: MvRange { min: Mv(1, 0), max: Mv(1, 39) },
    default: Mv(1, 0),
    legacy: None,
};

/// Aggregates of a provider.
const AGGREGATES: Mv = Mv(1, 1);
const CLASSES: Mv = Mv(1, 2);
const DELETE_INVENTORIES: Mv = Mv(1, 5);
const TRAITS: Mv = Mv(1, 6);
/// PUT makes a class if need be; before, it renamed one.
const PUT_CLASS: Mv = Mv(1, 7);
const RENAME_CLASS: Mv = Mv(1, 6);
/// An allocation names its project and user.
const PROJECT_AND_USER: Mv = Mv(1, 8);
const USAGES: Mv = Mv(1, 9);
const CANDIDATES: Mv = Mv(1, 10);
const ALLOCATIONS_LINK: Mv = Mv(1, 11);
/// Allocations are written by provider, as an object.
const BY_PROVIDER: Mv = Mv(1, 12);
const POST_ALLOCATIONS: Mv = Mv(1, 13);
const NESTED: Mv = Mv(1, 14);
/// Answers tell when they were true.
const LAST_MODIFIED: Mv = Mv(1, 15);
/// `required=` of candidates, and traits in their summaries.
const REQUIRED: Mv = Mv(1, 17);
/// Aggregates carry the provider's generation.
const AGGREGATE_GENERATION: Mv = Mv(1, 19);
/// POST of a provider answers with it.
const POST_ANSWERS: Mv = Mv(1, 20);
/// Named groups of resources.
const GROUPS: Mv = Mv(1, 25);
/// A provider may be reserved whole.
const RESERVED_WHOLE: Mv = Mv(1, 26);
/// All classes of a provider in summaries, not only those asked for.
const ALL_CLASSES: Mv = Mv(1, 27);
const CONSUMER_GENERATION: Mv = Mv(1, 28);
/// Candidates from nested providers.
const NESTED_CANDIDATES: Mv = Mv(1, 29);
const RESHAPER: Mv = Mv(1, 30);
const MAPPINGS: Mv = Mv(1, 34);
/// A provider may be moved, or made a root.
const MOVE: Mv = Mv(1, 37);
const CONSUMER_TYPE: Mv = Mv(1, 38);

const RP: &str = "/resource_providers/{uuid}";
const INVENTORIES: &str = "/resource_providers/{uuid}/inventories";
const INVENTORY: &str = "/resource_providers/{uuid}/inventories/{class}";
const RP_TRAITS: &str = "/resource_providers/{uuid}/traits";
const RP_AGGREGATES: &str = "/resource_providers/{uuid}/aggregates";

/// What placement answers.
pub(crate) fn routes() -> Vec<Route<Placement>> {
    vec![
        get("/", Access::Open, root::show),
        get("/resource_providers", "placement:resource_providers:list", providers::list),
        post("/resource_providers", "placement:resource_providers:create", providers::create),
        get(RP, "placement:resource_providers:show", providers::show),
        put(RP, "placement:resource_providers:update", providers::update),
        delete(RP, "placement:resource_providers:delete", providers::delete),
        get(INVENTORIES, "placement:resource_providers:inventories:list", inventories::list),
        post(INVENTORIES, "placement:resource_providers:inventories:create", inventories::create),
        put(INVENTORIES, "placement:resource_providers:inventories:update", inventories::replace),
        delete(INVENTORIES, "placement:resource_providers:inventories:delete", inventories::clear),
        get(INVENTORY, "placement:resource_providers:inventories:show", inventories::show),
        put(INVENTORY, "placement:resource_providers:inventories:update", inventories::update),
        delete(INVENTORY, "placement:resource_providers:inventories:delete", inventories::delete),
        get(RP_AGGREGATES, "placement:resource_providers:aggregates:list", aggregates::show)
            .since(AGGREGATES),
        put(RP_AGGREGATES, "placement:resource_providers:aggregates:update", aggregates::update)
            .since(AGGREGATES),
        get(
            "/resource_providers/{uuid}/usages",
            "placement:resource_providers:usages",
            usages::of_provider,
        ),
        get(RP_TRAITS, "placement:resource_providers:traits:list", traits::of_provider)
            .since(TRAITS),
        put(RP_TRAITS, "placement:resource_providers:traits:update", traits::set).since(TRAITS),
        delete(RP_TRAITS, "placement:resource_providers:traits:delete", traits::clear)
            .since(TRAITS),
        get(
            "/resource_providers/{uuid}/allocations",
            "placement:resource_providers:allocations:list",
            allocations::of_provider,
        ),
        get("/resource_classes", "placement:resource_classes:list", classes::list).since(CLASSES),
        post("/resource_classes", "placement:resource_classes:create", classes::create)
            .since(CLASSES),
        get("/resource_classes/{name}", "placement:resource_classes:show", classes::show)
            .since(CLASSES),
        put("/resource_classes/{name}", "placement:resource_classes:update", classes::ensure)
            .since(PUT_CLASS),
        put("/resource_classes/{name}", "placement:resource_classes:update", classes::rename)
            .since(CLASSES)
            .until(RENAME_CLASS),
        delete("/resource_classes/{name}", "placement:resource_classes:delete", classes::delete)
            .since(CLASSES),
        get("/traits", "placement:traits:list", traits::list).since(TRAITS),
        get("/traits/{name}", "placement:traits:show", traits::show).since(TRAITS),
        put("/traits/{name}", "placement:traits:update", traits::ensure).since(TRAITS),
        delete("/traits/{name}", "placement:traits:delete", traits::delete).since(TRAITS),
        post("/allocations", "placement:allocations:manage", allocations::set_many)
            .since(POST_ALLOCATIONS),
        get("/allocations/{consumer}", "placement:allocations:list", allocations::show),
        put("/allocations/{consumer}", "placement:allocations:update", allocations::set),
        delete("/allocations/{consumer}", "placement:allocations:delete", allocations::delete),
        get("/allocation_candidates", "placement:allocation_candidates:list", candidates::list)
            .since(CANDIDATES),
        get("/usages", Access::Token, usages::of_project).since(USAGES),
        post("/reshaper", "placement:reshaper:reshape", reshaper::reshape).since(RESHAPER),
    ]
}

/// The path under which this service is reached: links have no host.
fn prefix(cx: &Ctx) -> &str {
    let after_scheme = cx.self_url.split_once("://").map_or("", |(_, rest)| rest);
    after_scheme.find('/').map_or("", |at| &after_scheme[at..])
}

/// Refuses parameters that are not among the known ones, as placement's schemas do.
fn only(query: &Query, known: &[&str]) -> Result<(), Error> {
    match query.pairs().find(|(name, _)| !known.contains(name)) {
        None => Ok(()),
        Some((name, _)) => Err(unexpected(name)),
    }
}

/// A parameter that this version does not have.
fn unexpected(name: &str) -> Error {
    Error::bad(format!(
        "Invalid query string parameters: Additional properties are not allowed ('{name}' was \
         unexpected)"
    ))
}

/// From 1.15 on, what an answer was true at, and that it must not be kept.
fn dated(cx: &Ctx, at: Time, response: Response) -> Response {
    dated_in(cx.version, at, response)
}

/// As [`dated`], where there is no caller.
fn dated_in(version: Mv, at: Time, mut response: Response) -> Response {
    if version >= LAST_MODIFIED {
        let headers = response.headers_mut();
        let no_cache = http::HeaderValue::from_static("no-cache");
        headers.insert(http::header::CACHE_CONTROL, no_cache);
        if let Ok(value) = http::HeaderValue::from_str(&http_date(at)) {
            headers.insert(http::header::LAST_MODIFIED, value);
        }
    }
    response
}

/// `Sat, 21 Nov 2026 04:08:50 GMT`
fn http_date(at: Time) -> String {
    let stamp = jiff::Timestamp::from_second(at.unix()).unwrap_or_default();
    jiff::fmt::rfc2822::DateTimePrinter::new()
        .timestamp_to_rfc9110_string(&stamp)
        .unwrap_or_default()
}

/// A UUID as it is stored, with dashes; or the 400 that names it. Clients may leave the dashes out.
fn uuid(text: &str) -> Result<String, Error> {
    if !stackup_core::ids::is_uuid_like(text) {
        return Err(valid::wrong(&format!("'{text}' is not a 'uuid'")));
    }
    Ok(canonical(text))
}

/// A UUID of a path with its dashes; other text stays, and is not found.
fn canonical(text: &str) -> String {
    let plain = text.replace('-', "").to_lowercase();
    if plain.len() != 32 || !stackup_core::ids::is_uuid_like(text) {
        return text.to_owned();
    }
    let parts = [&plain[..8], &plain[8..12], &plain[12..16], &plain[16..20], &plain[20..]];
    parts.join("-")
}
