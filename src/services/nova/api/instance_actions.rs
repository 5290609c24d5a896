//! `/servers/{id}/os-instance-actions`

use std::sync::Arc;

use axum::extract::{Path, State};
use serde_json::{Value, json};
use sha2::{Digest, Sha224};
use stackup_core::{Ctx, Time};
use stackup_policy::Target;
use stackup_web::{Cx, Json, Query};

use super::{
    ACTION_HOSTS, ACTION_PAGES, ACTIONS_OF_DELETED, CHANGES_BEFORE, EVENT_DETAILS, EVENTS_FOR_ALL,
    page, time,
};
use crate::logic::servers;
use crate::model::action::{ActionEvent, ActionRecord};
use crate::model::server::Server;
use crate::store::{actions, servers as rows};
use crate::{Error, Nova};

type S = State<Arc<Nova>>;

/// From 2.21 on the actions of deleted servers can be read.
async fn server(nova: &Nova, cx: &Ctx, id: &str) -> Result<Server, Error> {
    let (reach, wanted, deleted) = (cx.reach(), id.to_owned(), cx.since(ACTIONS_OF_DELETED));
    nova.db
        .read(move |r| rows::get(r, &reach, &wanted, deleted).map_err(Error::from))
        .await?
        .ok_or_else(|| Error::server(id))
}

pub(super) async fn index(
    State(nova): S,
    Cx(cx): Cx,
    Path(id): Path<String>,
    query: Query,
) -> Result<Json<Value>, Error> {
    let server = server(&nova, &cx, &id).await?;
    let mut filter = actions::Filter::default();
    let mut limited = None;
    if cx.since(ACTION_PAGES) {
        let page = page(&nova, &query)?;
        filter.since = time(&query, "changes-since")?;
        if cx.since(CHANGES_BEFORE) {
            filter.before = time(&query, "changes-before")?;
        }
        if matches!((filter.since, filter.before), (Some(since), Some(before)) if since > before) {
            return Err(Error::invalid(
                "The value of changes-since must be less than or equal to changes-before.",
            ));
        }
        filter.limit = Some(page.limit);
        limited = page.limited.then_some(page.limit);
        if let Some(marker) = &page.marker {
            filter.below = Some(find(&nova, &server, marker).await?.row);
        }
    }
    let records = servers::log(&nova, &server.id, filter).await?;
    let views: Vec<Value> = records.iter().map(|record| brief(&cx, record)).collect();
    let mut body = json!({"instanceActions": views});
    if let Some(last) = records.last().filter(|_| limited == Some(records.len())) {
        let path = format!("servers/{id}/os-instance-actions");
        body["links"] = super::next(&cx, &path, &query, &last.request_id);
    }
    Ok(Json(body))
}

pub(super) async fn show(
    State(nova): S,
    Cx(cx): Cx,
    Path((id, request)): Path<(String, String)>,
) -> Result<Json<Value>, Error> {
    let server = server(&nova, &cx, &id).await?;
    let record = find(&nova, &server, &request).await.map_err(|error| match error {
        Error::Invalid(_) => Error::NotFound(format!("Action {request} not found")),
        other => other,
    })?;
    let mut view = brief(&cx, &record);
    let target = Target::project(&server.project_id);
    let may = |rule| nova.policy.check(&cx, rule, &target).is_ok();
    let traces = may("os_compute_api:os-instance-actions:events");
    let details = may("os_compute_api:os-instance-actions:events:details");
    if traces || cx.since(EVENTS_FOR_ALL) {
        let show = |event: &ActionEvent| self::event(&cx, &server, event, traces, details);
        view["events"] = record.events.iter().map(show).collect();
    }
    Ok(Json(json!({"instanceAction": view})))
}

async fn find(nova: &Nova, server: &Server, request: &str) -> Result<ActionRecord, Error> {
    let (id, wanted) = (server.id.to_string(), request.to_owned());
    nova.db
        .read(move |r| actions::by_request(r, &id, &wanted).map_err(Error::from))
        .await?
        .ok_or_else(|| Error::invalid(format!("marker [{request}] not found")))
}

fn brief(cx: &Ctx, record: &ActionRecord) -> Value {
    let mut view = json!({
        "action": record.action,
        "instance_uuid": record.server_id,
        "message": record.message,
        "project_id": record.project_id,
        "request_id": record.request_id,
        "start_time": record.started_at.micros(),
        "user_id": record.user_id,
    });
    if cx.since(ACTION_PAGES) {
        view["updated_at"] = json!(record.updated_at.unwrap_or(record.started_at).micros());
    }
    view
}

fn event(cx: &Ctx, server: &Server, event: &ActionEvent, traces: bool, details: bool) -> Value {
    let time = |text: &String| Time::parse(text).map_or_else(|_| text.clone(), Time::micros);
    let mut view = json!({
        "event": event.event,
        "start_time": time(&event.started_at),
        "finish_time": event.finished_at.as_ref().map(time),
        "result": event.result,
    });
    if traces {
        view["traceback"] = json!(event.traceback);
    }
    if cx.since(ACTION_HOSTS) {
        let hashed = event
            .host
            .as_ref()
            .map(|host| hex::encode(Sha224::digest(format!("{}{host}", server.project_id))));
        view["hostId"] = json!(hashed.unwrap_or_default());
        if traces {
            view["host"] = json!(event.host);
        }
    }
    if cx.since(EVENT_DETAILS) && details {
        view["details"] = json!(event.details);
    }
    view
}
