//! `/os-simple-tenant-usage`

use std::sync::Arc;

use axum::extract::{Path, State};
use serde_json::{Value, json};
use stackup_core::{Ctx, Time};
use stackup_policy::Target;
use stackup_web::{Cx, Json, Query};

use super::{USAGE_PAGES, next, page};
use crate::logic::usage::{ProjectUsage, ServerUsage, between};
use crate::model::state::VmState;
use crate::{Error, Nova};

type S = State<Arc<Nova>>;

struct Period {
    start: Time,
    stop: Time,
    detailed: bool,
}

fn period(nova: &Nova, query: &Query) -> Result<Period, Error> {
    let now = nova.now();
    let time = |name: &str| match query.get(name) {
        None | Some("") => Ok(now),
        Some(text) => Time::parse(text)
            .map_err(|_| Error::invalid(format!("Datetime is in invalid format: {text}"))),
    };
    let (start, stop) = (time("start")?, time("end")?);
    if stop < start {
        return Err(Error::invalid(
            "Invalid start time. The start time cannot occur after the end time.",
        ));
    }
    Ok(Period { start, stop, detailed: query.get("detailed") == Some("1") })
}

pub(super) async fn index(State(nova): S, Cx(cx): Cx, query: Query) -> Result<Json<Value>, Error> {
    let period = period(&nova, &query)?;
    let mut usages = between(&nova, period.start, period.stop, None).await?;
    let last = cut(&nova, &cx, &query, usages.values_mut())?;
    usages.retain(|_, usage| !usage.servers.is_empty());
    let views: Vec<Value> = usages
        .iter()
        .map(|(project, usage)| view(project, usage, &period, period.detailed))
        .collect();
    let mut body = json!({"tenant_usages": views});
    if let Some(last) = last {
        body["tenant_usages_links"] = next(&cx, "os-simple-tenant-usage", &query, &last);
    }
    Ok(Json(body))
}

pub(super) async fn show(
    State(nova): S,
    Cx(cx): Cx,
    Path(id): Path<String>,
    query: Query,
) -> Result<Json<Value>, Error> {
    let rule = "os_compute_api:os-simple-tenant-usage:show";
    nova.policy.check(&cx, rule, &Target::project(&id))?;
    let period = period(&nova, &query)?;
    let mut usages = between(&nova, period.start, period.stop, Some(id.clone())).await?;
    let last = cut(&nova, &cx, &query, usages.values_mut())?;
    let usage = usages.remove(&id).filter(|usage| !usage.servers.is_empty());
    let mut body = json!({"tenant_usage": {}});
    if let Some(usage) = usage {
        body["tenant_usage"] = view(&id, &usage, &period, true);
    }
    if let Some(last) = last {
        let path = format!("os-simple-tenant-usage/{id}");
        body["tenant_usage_links"] = next(&cx, &path, &query, &last);
    }
    Ok(Json(body))
}

/// Keeps the page's servers; gives the last one when there may be more.
fn cut<'a>(
    nova: &Nova,
    cx: &Ctx,
    query: &Query,
    usages: impl Iterator<Item = &'a mut ProjectUsage>,
) -> Result<Option<String>, Error> {
    if !cx.since(USAGE_PAGES) {
        return Ok(None);
    }
    let page = page(nova, query)?;
    let mut left = page.limit;
    let mut begun = page.marker.is_none();
    let mut last = None;
    for usage in usages {
        usage.servers.sort_by(|a, b| a.server.id.cmp(&b.server.id));
        usage.servers.retain(|usage| {
            let id = usage.server.id.as_str();
            if !begun {
                begun = page.marker.as_deref() == Some(id);
                return false;
            }
            let keep = left > 0;
            left = left.saturating_sub(1);
            if keep {
                last = Some(id.to_owned());
            }
            keep
        });
    }
    if !begun {
        let marker = page.marker.unwrap_or_default();
        return Err(Error::invalid(format!("marker [{marker}] not found")));
    }
    Ok(last.filter(|_| left == 0))
}

fn view(project: &str, usage: &ProjectUsage, period: &Period, detailed: bool) -> Value {
    let mut view = json!({
        "tenant_id": project,
        "start": period.start.micros(),
        "stop": period.stop.micros(),
        "total_hours": usage.hours(),
        "total_local_gb_usage": usage.weighed(|s| s.flavor.root_gb + s.flavor.ephemeral_gb),
        "total_memory_mb_usage": usage.weighed(|s| s.flavor.memory_mb),
        "total_vcpus_usage": usage.weighed(|s| s.flavor.vcpus.into()),
    });
    if detailed {
        let servers = usage.servers.iter().map(one);
        view["server_usages"] = servers.collect();
    }
    view
}

fn one(usage: &ServerUsage) -> Value {
    let server = &usage.server;
    let state = match server.vm_state {
        VmState::Deleted => "terminated",
        other => other.as_str(),
    };
    json!({
        "instance_id": server.id,
        "name": server.name,
        "tenant_id": server.project_id,
        "flavor": server.flavor.name,
        "vcpus": server.flavor.vcpus,
        "memory_mb": server.flavor.memory_mb,
        "local_gb": server.flavor.root_gb + server.flavor.ephemeral_gb,
        "started_at": server.launched_at.map(Time::micros),
        "ended_at": server.terminated_at.map(Time::micros),
        "state": state,
        "hours": usage.hours,
        "uptime": usage.uptime,
    })
}
