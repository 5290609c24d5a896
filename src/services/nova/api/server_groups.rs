//! `/os-server-groups`

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde_json::{Value, json};
use stackup_core::{Ctx, ids};
use stackup_web::{Cx, Json, Query};

use super::input::{Fields, list, wrong};
use super::{GROUP_OWNERS, ONE_POLICY, SOFT_AFFINITY, known_parameters, page};
use crate::logic::groups;
use crate::model::group::{Policy, Rules, ServerGroup};
use crate::{Error, Nova};

type S = State<Arc<Nova>>;

pub(super) async fn index(State(nova): S, Cx(cx): Cx, query: Query) -> Result<Json<Value>, Error> {
    known_parameters(&cx, &query, &["all_projects", "limit", "offset"])?;
    let page = page(&nova, &query)?;
    let offset = match query.get("offset") {
        None => 0,
        Some(text) => {
            text.parse().map_err(|_| Error::invalid("offset param must be an integer"))?
        }
    };
    let everybody = query.has("all_projects") && cx.is_admin();
    if query.has("all_projects") {
        nova.policy.check_own(&cx, "os_compute_api:os-server-groups:index:all_projects")?;
    }
    let groups = groups::list(&nova, &cx, everybody, page.limit, offset).await?;
    let views: Vec<Value> = groups.iter().map(|group| view(&cx, group)).collect();
    Ok(Json(json!({"server_groups": views})))
}

pub(super) async fn show(
    State(nova): S,
    Cx(cx): Cx,
    Path(id): Path<String>,
) -> Result<Json<Value>, Error> {
    let group = groups::get(&nova, &cx, &id).await?;
    Ok(Json(json!({"server_group": view(&cx, &group)})))
}

pub(super) async fn create(
    State(nova): S,
    Cx(cx): Cx,
    Json(body): Json<Value>,
) -> Result<Json<Value>, Error> {
    let mut fields = Fields::only(&body, "server_group")?;
    let name = fields.need_name("name")?;
    let (policy, rules) = match cx.since(ONE_POLICY) {
        true => one_policy(&mut fields)?,
        false => (policies(&cx, fields.need("policies")?)?, Rules::default()),
    };
    fields.done()?;
    let project_id = cx.project_id().cloned();
    let group = ServerGroup {
        row: 0,
        id: ids::uuid(),
        project_id: project_id.ok_or_else(|| Error::invalid("a group needs a project"))?,
        user_id: cx.caller.user_id.clone(),
        name,
        policy,
        rules,
        created_at: nova.now(),
        members: Vec::new(),
    };
    let group = groups::create(&nova, group).await?;
    Ok(Json(json!({"server_group": view(&cx, &group)})))
}

pub(super) async fn delete(
    State(nova): S,
    Cx(cx): Cx,
    Path(id): Path<String>,
) -> Result<Response, Error> {
    groups::delete(&nova, &cx, &id).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

const POLICIES: &[&str] = &["anti-affinity", "affinity", "soft-anti-affinity", "soft-affinity"];

fn one_policy(fields: &mut Fields<'_>) -> Result<(Policy, Rules), Error> {
    fields.need("policy")?;
    let word = fields.word("policy", POLICIES)?.unwrap_or_default();
    let policy = Policy::parse(word).unwrap_or(Policy::Affinity);
    let mut rules = Rules::default();
    if let Some(value) = fields.raw("rules") {
        let mut inner = Fields::of("rules", value)?;
        let most = inner.integer("max_server_per_host", 1, i64::from(u32::MAX))?;
        inner.done()?;
        if most.is_some() && policy != Policy::AntiAffinity {
            return Err(Error::invalid("Only anti-affinity policy supports rules."));
        }
        rules.max_server_per_host = most.and_then(|most| u32::try_from(most).ok());
    }
    Ok((policy, rules))
}

fn policies(cx: &Ctx, value: &Value) -> Result<Policy, Error> {
    let [one] = list("policies", value)?.as_slice() else {
        return Err(wrong("policies", value, "exactly one policy is needed").into());
    };
    let words = if cx.since(SOFT_AFFINITY) { POLICIES } else { &POLICIES[..2] };
    let word = one.as_str().filter(|word| words.contains(word));
    word.and_then(Policy::parse)
        .ok_or_else(|| wrong("0", one, &format!("{one} is not one of {words:?}")).into())
}

fn view(cx: &Ctx, group: &ServerGroup) -> Value {
    let mut view = json!({"id": group.id, "name": group.name, "members": group.members});
    if cx.since(GROUP_OWNERS) {
        view["project_id"] = json!(group.project_id);
        view["user_id"] = json!(group.user_id);
    }
    match cx.since(ONE_POLICY) {
        true => {
            view["policy"] = json!(group.policy);
            view["rules"] = json!(group.rules);
        }
        false => {
            view["policies"] = json!([group.policy]);
            view["metadata"] = json!({});
        }
    }
    view
}
