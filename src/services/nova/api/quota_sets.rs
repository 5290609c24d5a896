//! `/os-quota-sets` and `/os-quota-class-sets`

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde_json::{Map, Value, json};
use stackup_core::Ctx;
use stackup_policy::Target;
use stackup_web::{Cx, Json};

use super::input::{Fields, integer};
use super::{CLASS_GROUPS, NO_PERSONALITY, NO_PROXIES};
use crate::logic::quotas::{self, Limits};
use crate::quota::{INJECTED, LIMITED, NETWORK};
use crate::{Error, Nova};

type S = State<Arc<Nova>>;

const GROUPS: &[&str] = &["server_groups", "server_group_members"];
/// The largest limit that a column upstream holds.
const MOST: i64 = 2_147_483_647;

/// Another project's limits are for whom the rule allows it.
fn check(nova: &Nova, cx: &Ctx, rule: &str, project: &str) -> Result<(), Error> {
    Ok(nova.policy.check(cx, rule, &Target::project(project))?)
}

pub(super) async fn show(
    State(nova): S,
    Cx(cx): Cx,
    Path(id): Path<String>,
) -> Result<Json<Value>, Error> {
    check(&nova, &cx, "os_compute_api:os-quota-sets:show", &id)?;
    let (limits, _) = quotas::of_project(&nova, &cx, &id).await?;
    Ok(Json(json!({"quota_set": with_id(project_view(&cx, &limits), &id)})))
}

pub(super) async fn defaults(
    State(nova): S,
    Cx(cx): Cx,
    Path(id): Path<String>,
) -> Result<Json<Value>, Error> {
    let limits = quotas::of_everybody(&nova).await?;
    Ok(Json(json!({"quota_set": with_id(project_view(&cx, &limits), &id)})))
}

pub(super) async fn detail(
    State(nova): S,
    Cx(cx): Cx,
    Path(id): Path<String>,
) -> Result<Json<Value>, Error> {
    check(&nova, &cx, "os_compute_api:os-quota-sets:detail", &id)?;
    let (limits, used) = quotas::of_project(&nova, &cx, &id).await?;
    let mut view = project_view(&cx, &limits);
    for (name, value) in &mut view {
        let in_use = used.get(name.as_str()).copied().unwrap_or(0);
        // nova: keys of one user are not a project's use
        let in_use = if name == "key_pairs" { 0 } else { in_use };
        *value = json!({"limit": value.take(), "in_use": in_use, "reserved": 0});
    }
    Ok(Json(json!({"quota_set": with_id(view, &id)})))
}

pub(super) async fn update(
    State(nova): S,
    Cx(cx): Cx,
    Path(id): Path<String>,
    Json(body): Json<Value>,
) -> Result<Json<Value>, Error> {
    let mut fields = Fields::only(&body, "quota_set")?;
    let force = fields.flag("force")?.unwrap_or(false);
    fields.text("tenant_id", 1, 255)?;
    let shown = |name: &str| !hidden(&cx, name);
    let changes = changes(&mut fields, &shown)?;
    if !cx.since(NO_PROXIES) {
        for name in NETWORK {
            fields.integer(name, -1, MOST)?;
        }
    }
    fields.done()?;
    if nova.hub.identity()?.project(&id.as_str().into()).await?.is_none() {
        return Err(Error::invalid(format!("Project ID {id} is not a valid project.")));
    }
    quotas::set(&nova, &cx, &id, &changes, force).await?;
    let (limits, _) = quotas::of_project(&nova, &cx, &id).await?;
    Ok(Json(json!({"quota_set": project_view(&cx, &limits)})))
}

pub(super) async fn delete(State(nova): S, Path(id): Path<String>) -> Result<Response, Error> {
    quotas::clear(&nova, &id).await?;
    Ok(StatusCode::ACCEPTED.into_response())
}

pub(super) async fn show_class(
    State(nova): S,
    Cx(cx): Cx,
    Path(id): Path<String>,
) -> Result<Json<Value>, Error> {
    let limits = quotas::of_everybody(&nova).await?;
    Ok(Json(json!({"quota_class_set": with_id(class_view(&cx, &limits), &id)})))
}

pub(super) async fn update_class(
    State(nova): S,
    Cx(cx): Cx,
    Path(id): Path<String>,
    Json(body): Json<Value>,
) -> Result<Json<Value>, Error> {
    let mut fields = Fields::only(&body, "quota_class_set")?;
    let shown =
        |name: &str| !hidden(&cx, name) && (cx.since(CLASS_GROUPS) || !GROUPS.contains(&name));
    let changes = changes(&mut fields, &shown)?;
    if !cx.since(CLASS_GROUPS) {
        for name in NETWORK {
            fields.integer(name, -1, MOST)?;
        }
    }
    fields.done()?;
    quotas::set_class(&nova, &id, &changes).await?;
    let limits = quotas::of_everybody(&nova).await?;
    Ok(Json(json!({"quota_class_set": class_view(&cx, &limits)})))
}

fn changes(
    fields: &mut Fields<'_>,
    shown: &dyn Fn(&str) -> bool,
) -> Result<BTreeMap<String, i64>, Error> {
    let mut changes = BTreeMap::new();
    for limited in LIMITED.iter().filter(|limited| shown(limited.name)) {
        if let Some(value) = fields.raw(limited.name) {
            changes.insert(limited.name.to_owned(), integer(limited.name, value, -1, MOST)?);
        }
    }
    Ok(changes)
}

fn hidden(cx: &Ctx, name: &str) -> bool {
    cx.since(NO_PERSONALITY) && INJECTED.contains(&name)
}

fn project_view(cx: &Ctx, limits: &Limits) -> Map<String, Value> {
    view(cx, limits, !cx.since(NO_PROXIES), true)
}

fn class_view(cx: &Ctx, limits: &Limits) -> Map<String, Value> {
    view(cx, limits, !cx.since(CLASS_GROUPS), cx.since(CLASS_GROUPS))
}

fn view(cx: &Ctx, limits: &Limits, network: bool, groups: bool) -> Map<String, Value> {
    let mut view = Map::new();
    for limited in LIMITED.iter().filter(|limited| !hidden(cx, limited.name)) {
        if groups || !GROUPS.contains(&limited.name) {
            view.insert(limited.name.to_owned(), json!(limits[limited.name]));
        }
    }
    if network {
        for name in NETWORK {
            view.insert((*name).to_owned(), json!(-1));
        }
    }
    view
}

fn with_id(mut view: Map<String, Value>, id: &str) -> Map<String, Value> {
    view.insert("id".to_owned(), json!(id));
    view
}
