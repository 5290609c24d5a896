//! HTTP: the table of what nova answers, and the versions that it has.

mod actions;
mod aggregates;
mod availability_zones;
mod extensions;
mod external_events;
mod flavor_extras;
mod flavors;
mod hosts;
mod hypervisors;
mod images;
mod input;
mod instance_actions;
mod interfaces;
mod ips;
mod keypairs;
mod limits;
mod metadata;
mod migrations;
mod network_proxies;
mod quota_sets;
mod routes;
mod security_groups;
mod server_body;
mod server_extras;
mod server_filters;
mod server_groups;
mod server_view;
mod servers;
mod services;
mod tags;
mod usage;
mod versions;

use std::sync::Arc;

use axum::Router;
use axum::extract::Request;
use axum::response::IntoResponse;
use serde_json::{Value, json};
use stackup_core::{Ctx, Mv, MvRange, Page};
use stackup_web::page::{self, SortStyle};
use stackup_web::{Api, Fault, Microversions, Query, dialects};
use tower::ServiceExt;

use crate::{Error, Nova};

pub(crate) use routes::routes;

/// What the versions brought, by name.
pub(crate) const MIN: Mv = Mv(2, 1);
pub(crate) const MAX: Mv = Mv(2, 104);
pub(crate) const KEY_TYPES: Mv = Mv(2, 2);
pub(crate) const EXTENDED_ATTRIBUTES: Mv = Mv(2, 3);
pub(crate) const IP6_FILTER: Mv = Mv(2, 5);
pub(crate) const ACCESS_CHECK: Mv = Mv(2, 7);
pub(crate) const LOCKED: Mv = Mv(2, 9);
pub(crate) const KEYS_OF_OTHERS: Mv = Mv(2, 10);
pub(crate) const FORCED_DOWN: Mv = Mv(2, 11);
pub(crate) const GROUP_OWNERS: Mv = Mv(2, 13);
pub(crate) const SOFT_AFFINITY: Mv = Mv(2, 15);
pub(crate) const HOST_STATUS: Mv = Mv(2, 16);
pub(crate) const DESCRIPTION: Mv = Mv(2, 19);
pub(crate) const ACTIONS_OF_DELETED: Mv = Mv(2, 21);
pub(crate) const SERVER_MIGRATIONS: Mv = Mv(2, 23);
pub(crate) const TAGS: Mv = Mv(2, 26);
pub(crate) const CPU_INFO_OBJECT: Mv = Mv(2, 28);
pub(crate) const DEVICE_TAGS: Mv = Mv(2, 32);
pub(crate) const HYPERVISOR_PAGES: Mv = Mv(2, 33);
pub(crate) const KEY_PAGES: Mv = Mv(2, 35);
pub(crate) const LAST_PROXIES: Mv = Mv(2, 35);
pub(crate) const NO_PROXIES: Mv = Mv(2, 36);
pub(crate) const AUTO_NETWORKS: Mv = Mv(2, 37);
pub(crate) const STRICT_STATUS: Mv = Mv(2, 38);
pub(crate) const LAST_IMAGE_METADATA: Mv = Mv(2, 38);
pub(crate) const NO_IMAGE_METADATA: Mv = Mv(2, 39);
pub(crate) const USAGE_PAGES: Mv = Mv(2, 40);
pub(crate) const AGGREGATE_UUID: Mv = Mv(2, 41);
pub(crate) const DEVICE_TAGS_BACK: Mv = Mv(2, 42);
pub(crate) const LAST_HOSTS: Mv = Mv(2, 42);
pub(crate) const IMAGE_ID_IN_BODY: Mv = Mv(2, 45);
pub(crate) const FLAVOR_INSIDE: Mv = Mv(2, 47);
pub(crate) const DIAGNOSTICS: Mv = Mv(2, 48);
pub(crate) const TAGGED_ATTACH: Mv = Mv(2, 49);
pub(crate) const CLASS_GROUPS: Mv = Mv(2, 50);
pub(crate) const EVENTS_FOR_ALL: Mv = Mv(2, 51);
pub(crate) const TAGS_AT_CREATE: Mv = Mv(2, 52);
pub(crate) const UUIDS: Mv = Mv(2, 53);
pub(crate) const REBUILD_KEY: Mv = Mv(2, 54);
pub(crate) const FLAVOR_DESCRIPTION: Mv = Mv(2, 55);
pub(crate) const MIGRATE_HOST: Mv = Mv(2, 56);
pub(crate) const NO_PERSONALITY: Mv = Mv(2, 57);
pub(crate) const ACTION_PAGES: Mv = Mv(2, 58);
pub(crate) const MIGRATION_PAGES: Mv = Mv(2, 59);
pub(crate) const FLAVOR_SPECS: Mv = Mv(2, 61);
pub(crate) const ACTION_HOSTS: Mv = Mv(2, 62);
pub(crate) const TRUSTED_CERTS: Mv = Mv(2, 63);
pub(crate) const ONE_POLICY: Mv = Mv(2, 64);
pub(crate) const CHANGES_BEFORE: Mv = Mv(2, 66);
pub(crate) const ATTACHED_TAGS: Mv = Mv(2, 70);
pub(crate) const GROUPS_IN_SERVER: Mv = Mv(2, 71);
pub(crate) const LOCKED_REASON: Mv = Mv(2, 73);
pub(crate) const REQUESTED_HOST: Mv = Mv(2, 74);
pub(crate) const STRICT: Mv = Mv(2, 75);
pub(crate) const UNSHELVE_ZONE: Mv = Mv(2, 77);
pub(crate) const TOPOLOGY: Mv = Mv(2, 78);
pub(crate) const MIGRATION_OWNERS: Mv = Mv(2, 80);
pub(crate) const FILTERS_FOR_ALL: Mv = Mv(2, 83);
pub(crate) const EVENT_DETAILS: Mv = Mv(2, 84);
pub(crate) const LAST_HYPERVISOR_STATS: Mv = Mv(2, 87);
pub(crate) const SLIM_HYPERVISORS: Mv = Mv(2, 88);
pub(crate) const HOSTNAME: Mv = Mv(2, 90);
pub(crate) const UNSHELVE_HOST: Mv = Mv(2, 91);
pub(crate) const NO_KEY_MAKING: Mv = Mv(2, 92);
pub(crate) const FQDN: Mv = Mv(2, 94);
pub(crate) const PINNED_ZONE: Mv = Mv(2, 96);
pub(crate) const IMAGE_PROPERTIES: Mv = Mv(2, 98);
pub(crate) const HINTS: Mv = Mv(2, 100);
pub(crate) const SLIM_FLAVORS: Mv = Mv(2, 102);
pub(crate) const SET_PINNED_ZONE: Mv = Mv(2, 104);

/// Everything nova answers, under its own root.
pub(crate) fn router(nova: &Arc<Nova>) -> Router {
    let api = Api {
        codename: "nova",
        shape: Arc::new(dialects::Compute),
        microversions: Some(Microversions {
            service_type: "compute",
            range: MvRange { min: MIN, max: MAX },
            default: MIN,
            legacy: Some("x-openstack-nova-api-version"),
        }),
        policy: Arc::clone(&nova.policy),
        hub: nova.hub.clone(),
        denied: Fault::from,
    };
    let inner = api.router(nova, routes());
    Router::new().fallback(move |request: Request| {
        let inner = inner.clone();
        async move { inner.oneshot(plain_path(request)).await.into_response() }
    })
}

/// The paths of older clients as ours: `/v2/…` is `/v2.1/…`, and a project may stand after it.
fn plain_path(mut request: Request) -> Request {
    let path = request.uri().path();
    let mut parts: Vec<&str> = path.split('/').skip(1).collect();
    if parts.len() < 2 || !matches!(parts[0], "v2" | "v2.1") || parts[1].is_empty() {
        return request;
    }
    parts[0] = "v2.1";
    let project = |text: &str| text.len() >= 32 && stackup_core::ids::is_uuid_like(text);
    if parts.len() > 2 && project(parts[1]) {
        parts.remove(1);
    }
    let mut target = format!("/{}", parts.join("/"));
    if target == path {
        return request;
    }
    if let Some(query) = request.uri().query() {
        target = format!("{target}?{query}");
    }
    if let Ok(uri) = target.parse() {
        *request.uri_mut() = uri;
    }
    request
}

/// `self` and `bookmark` of a thing.
pub(crate) fn links(cx: &Ctx, collection: &str, id: &str) -> Value {
    json!([
        {"rel": "self", "href": format!("{}/v2.1/{collection}/{id}", cx.self_url)},
        bookmark(cx, collection, id),
    ])
}

/// The link that has no version.
pub(crate) fn bookmark(cx: &Ctx, collection: &str, id: &str) -> Value {
    json!({"rel": "bookmark", "href": format!("{}/{collection}/{id}", cx.self_url)})
}

/// The link to the next page.
pub(crate) fn next(cx: &Ctx, path: &str, query: &Query, marker: &str) -> Value {
    let url = format!("{}/v2.1/{path}", cx.self_url);
    json!([{"rel": "next", "href": page::next_link(&url, query, marker)}])
}

/// The page that a query asks for.
pub(crate) fn page(nova: &Nova, query: &Query) -> Result<Page, Error> {
    let mut page = page::page(query, nova.config.max_limit, &[SortStyle::KeyAndDir])?;
    // nova: a limit of 0 is a list of nothing
    if query.get("limit") == Some("0") {
        page.limit = 0;
    }
    Ok(page)
}

/// From 2.75 on, parameters that nobody knows are refused.
pub(crate) fn known_parameters(cx: &Ctx, query: &Query, known: &[&str]) -> Result<(), Error> {
    if !cx.since(STRICT) {
        return Ok(());
    }
    match query.pairs().find(|(name, _)| !known.contains(name)) {
        None => Ok(()),
        Some((name, _)) => Err(Error::invalid(format!(
            "Additional properties are not allowed ('{name}' was unexpected)"
        ))),
    }
}

/// A time of a query.
pub(crate) fn time(query: &Query, name: &str) -> Result<Option<stackup_core::Time>, Error> {
    query
        .get(name)
        .map(|text| {
            stackup_core::Time::parse(text).map_err(|_| {
                Error::invalid(format!(
                    "Invalid input for query parameters {name}. Value: {text}. '{text}' is not a \
                     'date-time'"
                ))
            })
        })
        .transpose()
}
