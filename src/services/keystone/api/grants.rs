//! Grants: the same four deeds at ten kinds of places.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::{Path, State};
use http::StatusCode;
use serde_json::{Value, json};
use stackup_web::context::Access::Token;
use stackup_web::{Cx, Json, Route, delete, get, put};

use super::list::Listing;
use crate::Keystone;
use crate::error::Error;
use crate::logic::grants::{Pair, system};
use crate::model::assignment::{ActorKind, TargetKind};

type Ids = Path<BTreeMap<String, String>>;

/// The path of the list, that of one grant, and what they are about.
const PLACES: &[(&str, &str, TargetKind, ActorKind, bool)] = &[
    (
        "/v3/projects/{id}/users/{actor_id}/roles",
        "/v3/projects/{id}/users/{actor_id}/roles/{role_id}",
        TargetKind::Project,
        ActorKind::User,
        false,
    ),
    (
        "/v3/projects/{id}/groups/{actor_id}/roles",
        "/v3/projects/{id}/groups/{actor_id}/roles/{role_id}",
        TargetKind::Project,
        ActorKind::Group,
        false,
    ),
    (
        "/v3/domains/{id}/users/{actor_id}/roles",
        "/v3/domains/{id}/users/{actor_id}/roles/{role_id}",
        TargetKind::Domain,
        ActorKind::User,
        false,
    ),
    (
        "/v3/domains/{id}/groups/{actor_id}/roles",
        "/v3/domains/{id}/groups/{actor_id}/roles/{role_id}",
        TargetKind::Domain,
        ActorKind::Group,
        false,
    ),
    (
        "/v3/system/users/{actor_id}/roles",
        "/v3/system/users/{actor_id}/roles/{role_id}",
        TargetKind::System,
        ActorKind::User,
        false,
    ),
    (
        "/v3/system/groups/{actor_id}/roles",
        "/v3/system/groups/{actor_id}/roles/{role_id}",
        TargetKind::System,
        ActorKind::Group,
        false,
    ),
    (
        "/v3/OS-INHERIT/projects/{id}/users/{actor_id}/roles/inherited_to_projects",
        "/v3/OS-INHERIT/projects/{id}/users/{actor_id}/roles/{role_id}/inherited_to_projects",
        TargetKind::Project,
        ActorKind::User,
        true,
    ),
    (
        "/v3/OS-INHERIT/projects/{id}/groups/{actor_id}/roles/inherited_to_projects",
        "/v3/OS-INHERIT/projects/{id}/groups/{actor_id}/roles/{role_id}/inherited_to_projects",
        TargetKind::Project,
        ActorKind::Group,
        true,
    ),
    (
        "/v3/OS-INHERIT/domains/{id}/users/{actor_id}/roles/inherited_to_projects",
        "/v3/OS-INHERIT/domains/{id}/users/{actor_id}/roles/{role_id}/inherited_to_projects",
        TargetKind::Domain,
        ActorKind::User,
        true,
    ),
    (
        "/v3/OS-INHERIT/domains/{id}/groups/{actor_id}/roles/inherited_to_projects",
        "/v3/OS-INHERIT/domains/{id}/groups/{actor_id}/roles/{role_id}/inherited_to_projects",
        TargetKind::Domain,
        ActorKind::Group,
        true,
    ),
];

pub(super) fn routes() -> Vec<Route<Keystone>> {
    let mut rows = Vec::new();
    for (all, one, target_kind, actor_kind, inherited) in PLACES.iter().copied() {
        let pair = move |ids: &BTreeMap<String, String>| Pair {
            actor_kind,
            actor_id: ids.get("actor_id").cloned().unwrap_or_default(),
            target_kind,
            target_id: ids.get("id").cloned().unwrap_or_else(system),
            inherited,
        };
        rows.push(get(
            all,
            Token,
            move |State(keystone): State<Arc<Keystone>>, Cx(cx): Cx, Path(ids): Ids, listing| {
                list(keystone, cx, pair(&ids), listing)
            },
        ));
        rows.push(get(
            one,
            Token,
            move |State(keystone): State<Arc<Keystone>>, Cx(cx): Cx, Path(ids): Ids| async move {
                done(keystone.check_grant(&cx, pair(&ids), role(&ids)).await)
            },
        ));
        rows.push(put(
            one,
            Token,
            move |State(keystone): State<Arc<Keystone>>, Cx(cx): Cx, Path(ids): Ids| async move {
                done(keystone.create_grant(&cx, pair(&ids), role(&ids)).await)
            },
        ));
        rows.push(delete(
            one,
            Token,
            move |State(keystone): State<Arc<Keystone>>, Cx(cx): Cx, Path(ids): Ids| async move {
                done(keystone.revoke_grant(&cx, pair(&ids), role(&ids)).await)
            },
        ));
    }
    rows
}

async fn list(
    keystone: Arc<Keystone>,
    cx: stackup_core::Ctx,
    pair: Pair,
    listing: Listing,
) -> Result<Json<Value>, Error> {
    let found = keystone.list_grants(&cx, pair).await?;
    let views: Vec<Value> = found.iter().map(|role| super::roles::view(role, &cx)).collect();
    let links = json!({"next": null, "self": listing.self_link(&cx), "previous": null});
    Ok(Json(json!({"roles": views, "links": links})))
}

fn role(ids: &BTreeMap<String, String>) -> &str {
    ids.get("role_id").map_or("", String::as_str)
}

fn done(result: Result<(), Error>) -> Result<StatusCode, Error> {
    result.map(|()| StatusCode::NO_CONTENT)
}
