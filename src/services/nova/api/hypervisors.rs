//! `/os-hypervisors`

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::{Path, State};
use serde_json::{Value, json};
use stackup_core::Ctx;
use stackup_web::{Cx, Json, Query};

use super::{CPU_INFO_OBJECT, HYPERVISOR_PAGES, SLIM_HYPERVISORS, STRICT, UUIDS, next, page};
use crate::drivers::Hypervisor;
use crate::logic::hosts::{self, Host};
use crate::logic::scheduler::provider_of;
use crate::model::server::Server;
use crate::store::servers;
use crate::{Error, Nova};

type S = State<Arc<Nova>>;

/// A hypervisor, with what we know of its host.
struct Entry {
    /// From 1, in the order of the driver.
    row: usize,
    hypervisor: Hypervisor,
    host: Host,
    used: servers::Usage,
}

async fn entries(nova: &Nova) -> Result<Vec<Entry>, Error> {
    let known = hosts::known(nova).await?;
    let mut entries = Vec::new();
    for (index, hypervisor) in nova.driver.hosts().await?.into_iter().enumerate() {
        let Some(host) = known.get(&hypervisor.host).cloned() else { continue };
        let name = hypervisor.host.clone();
        let used =
            nova.db.read(move |r| servers::usage_of_host(r, &name).map_err(Error::from)).await?;
        entries.push(Entry { row: index + 1, hypervisor, host, used });
    }
    Ok(entries)
}

pub(super) async fn index(State(nova): S, Cx(cx): Cx, query: Query) -> Result<Json<Value>, Error> {
    list(&nova, &cx, &query, "os-hypervisors", false).await
}

pub(super) async fn detail(State(nova): S, Cx(cx): Cx, query: Query) -> Result<Json<Value>, Error> {
    list(&nova, &cx, &query, "os-hypervisors/detail", true).await
}

async fn list(
    nova: &Nova,
    cx: &Ctx,
    query: &Query,
    path: &str,
    detail: bool,
) -> Result<Json<Value>, Error> {
    let mut entries = entries(nova).await?;
    if cx.since(UUIDS)
        && let Some(pattern) = query.get("hypervisor_hostname_pattern")
    {
        if query.has("limit") || query.has("marker") {
            return Err(Error::invalid(
                "Paging over hypervisors with the hypervisor_hostname_pattern query parameter is \
                 not supported.",
            ));
        }
        entries.retain(|entry| entry.hypervisor.host.contains(pattern));
        if entries.is_empty() {
            return Err(Error::NotFound(format!(
                "No hypervisor matching '{pattern}' could be found."
            )));
        }
    }
    let mut more = false;
    if cx.since(HYPERVISOR_PAGES) {
        let page = page(nova, query)?;
        if let Some(marker) = &page.marker {
            let at = entries.iter().position(|entry| id(cx, entry) == *marker);
            let at = at.ok_or_else(|| Error::invalid(format!("marker [{marker}] not found")))?;
            entries.drain(..=at);
        }
        more = entries.len() > page.limit || (page.limited && entries.len() == page.limit);
        entries.truncate(page.limit);
    }
    let with_servers = cx.since(UUIDS) && query.flag("with_servers")?.unwrap_or(false);
    let mut views = Vec::with_capacity(entries.len());
    for entry in &entries {
        let mut view = if detail { full(cx, entry) } else { brief(cx, entry) };
        if with_servers {
            add_servers(nova, cx, entry, &mut view).await?;
        }
        views.push(view);
    }
    let mut body = json!({"hypervisors": views});
    if let Some(last) = entries.last().filter(|_| more) {
        body["hypervisors_links"] = next(cx, path, query, &id(cx, last));
    }
    Ok(Json(body))
}

pub(super) async fn show(
    State(nova): S,
    Cx(cx): Cx,
    Path(wanted): Path<String>,
    query: Query,
) -> Result<Json<Value>, Error> {
    let entry = find(&nova, &cx, &wanted).await?;
    let mut view = full(&cx, &entry);
    if cx.since(UUIDS) && query.flag("with_servers")?.unwrap_or(false) {
        add_servers(&nova, &cx, &entry, &mut view).await?;
    }
    Ok(Json(json!({"hypervisor": view})))
}

pub(super) async fn uptime(
    State(nova): S,
    Cx(cx): Cx,
    Path(wanted): Path<String>,
) -> Result<Json<Value>, Error> {
    let entry = find(&nova, &cx, &wanted).await?;
    let Some(uptime) = entry.hypervisor.uptime.clone() else {
        return Err(Error::NotImplemented(
            "Virt driver does not implement uptime function.".to_owned(),
        ));
    };
    let mut view = brief(&cx, &entry);
    view["uptime"] = json!(uptime);
    Ok(Json(json!({"hypervisor": view})))
}

/// Hypervisors whose name contains the text.
pub(super) async fn search(
    State(nova): S,
    Cx(cx): Cx,
    Path(text): Path<String>,
) -> Result<Json<Value>, Error> {
    let found = matching(&nova, &text).await?;
    let views: Vec<Value> = found.iter().map(|entry| brief(&cx, entry)).collect();
    Ok(Json(json!({"hypervisors": views})))
}

pub(super) async fn with_servers(
    State(nova): S,
    Cx(cx): Cx,
    Path(text): Path<String>,
) -> Result<Json<Value>, Error> {
    let mut views = Vec::new();
    for entry in matching(&nova, &text).await? {
        let mut view = brief(&cx, &entry);
        add_servers(&nova, &cx, &entry, &mut view).await?;
        views.push(view);
    }
    Ok(Json(json!({"hypervisors": views})))
}

async fn matching(nova: &Nova, text: &str) -> Result<Vec<Entry>, Error> {
    let mut found = entries(nova).await?;
    found.retain(|entry| entry.hypervisor.host.contains(text));
    match found.is_empty() {
        true => Err(Error::NotFound(format!("No hypervisor matching '{text}' could be found."))),
        false => Ok(found),
    }
}

pub(super) async fn statistics(State(nova): S) -> Result<Json<Value>, Error> {
    let entries = entries(&nova).await?;
    let mut sums: BTreeMap<String, i64> = BTreeMap::new();
    for entry in &entries {
        for (name, amount) in amounts(entry) {
            *sums.entry(name.to_owned()).or_default() += amount;
        }
    }
    let mut view = json!(sums);
    view["count"] = json!(entries.len());
    Ok(Json(json!({"hypervisor_statistics": view})))
}

async fn find(nova: &Nova, cx: &Ctx, wanted: &str) -> Result<Entry, Error> {
    if cx.since(UUIDS) && !stackup_core::ids::is_uuid_like(wanted) {
        return Err(Error::invalid(format!("Invalid uuid {wanted}")));
    }
    let entries = entries(nova).await?;
    let found = entries.into_iter().find(|entry| id(cx, entry) == wanted);
    found.ok_or_else(|| Error::NotFound(format!("Compute host {wanted} could not be found.")))
}

fn id(cx: &Ctx, entry: &Entry) -> String {
    match cx.since(UUIDS) {
        true => provider_of(&entry.hypervisor.host).to_string(),
        false => entry.row.to_string(),
    }
}

async fn add_servers(nova: &Nova, cx: &Ctx, entry: &Entry, view: &mut Value) -> Result<(), Error> {
    let filter = servers::Filter {
        deleted: Some(false),
        host: Some(entry.hypervisor.host.clone()),
        ..servers::Filter::default()
    };
    let all: Vec<Server> =
        nova.db.scan(move |r| servers::all(r, &filter).map_err(Error::from)).await?;
    let views: Vec<Value> = all
        .iter()
        .map(|server| json!({"uuid": server.id, "name": if cx.since(UUIDS) { server.name.clone() } else { server.instance_name() }}))
        .collect();
    // nova: an empty list is left out before 2.75
    if !views.is_empty() || cx.since(STRICT) {
        view["servers"] = json!(views);
    }
    Ok(())
}

fn brief(cx: &Ctx, entry: &Entry) -> Value {
    let row: Value = match cx.since(UUIDS) {
        true => json!(provider_of(&entry.hypervisor.host)),
        false => json!(entry.row),
    };
    json!({
        "id": row,
        "hypervisor_hostname": entry.hypervisor.host,
        "state": if entry.host.up { "up" } else { "down" },
        "status": if entry.host.service.disabled { "disabled" } else { "enabled" },
    })
}

fn full(cx: &Ctx, entry: &Entry) -> Value {
    let mut view = brief(cx, entry);
    let (hypervisor, service) = (&entry.hypervisor, &entry.host.service);
    view["hypervisor_type"] = json!(hypervisor.kind);
    view["hypervisor_version"] = json!(hypervisor.version);
    view["host_ip"] = json!(hypervisor.host_ip);
    let service_id = if cx.since(UUIDS) { json!(service.id) } else { json!(service.row) };
    view["service"] = json!({
        "id": service_id, "host": service.host, "disabled_reason": service.disabled_reason
    });
    if cx.since(SLIM_HYPERVISORS) {
        view["uptime"] = json!(hypervisor.uptime);
        return view;
    }
    for (name, amount) in amounts(entry) {
        view[name] = json!(amount);
    }
    view["cpu_info"] = match cx.since(CPU_INFO_OBJECT) {
        true => hypervisor.cpu_info.clone(),
        false => json!(hypervisor.cpu_info.to_string()),
    };
    view
}

/// What adds up.
fn amounts(entry: &Entry) -> [(&'static str, i64); 11] {
    let (hypervisor, used) = (&entry.hypervisor, entry.used);
    let int = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
    [
        ("vcpus", i64::from(hypervisor.vcpus)),
        ("vcpus_used", int(used.cores)),
        ("memory_mb", int(hypervisor.memory_mb)),
        ("memory_mb_used", int(used.ram)),
        ("free_ram_mb", int(hypervisor.memory_mb) - int(used.ram)),
        ("local_gb", int(hypervisor.local_gb)),
        ("local_gb_used", int(used.disk)),
        ("free_disk_gb", int(hypervisor.local_gb) - int(used.disk)),
        ("disk_available_least", int(hypervisor.free_disk_gb)),
        ("running_vms", int(used.instances)),
        ("current_workload", 0),
    ]
}
