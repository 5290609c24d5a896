//! The agents: in this cloud, tasks of one process, shown as what they stand for.

use axum::body::Bytes;
use axum::extract::{Path, State};
use http::StatusCode;
use serde_json::{Value as Json, json};
use stackup_core::ids;
use stackup_web::{Cx, Json as Body, Query};

use super::listing;
use super::resources::{Service, body};
use crate::Neutron;
use crate::error::{Error, Result};
use crate::logic::access;
use crate::model::{NETWORK, ROUTER, Record, Resource, View};
use crate::store::Listing;

/// Binary, type, topic, whether it belongs to a zone.
const AGENTS: [(&str, &str, &str, bool); 4] = [
    ("neutron-linuxbridge-agent", "Linux bridge agent", "N/A", false),
    ("neutron-dhcp-agent", "DHCP agent", "dhcp_agent", true),
    ("neutron-l3-agent", "L3 agent", "l3_agent", true),
    ("neutron-metadata-agent", "Metadata agent", "N/A", false),
];
const DHCP: &str = "DHCP agent";
const L3: &str = "L3 agent";

fn all(neutron: &Neutron) -> Vec<Json> {
    let now = neutron.clock.now().seconds().replace('T', " ");
    let started = neutron.started.seconds().replace('T', " ");
    let agent = |(binary, kind, topic, zone): (&str, &str, &str, bool)| {
        json!({
            "id": ids::named(&format!("{binary}.{}", neutron.config.host)),
            "binary": binary,
            "agent_type": kind,
            "topic": topic,
            "host": neutron.config.host,
            "availability_zone": zone.then_some(crate::store::links::ZONE),
            "admin_state_up": true,
            "alive": true,
            "created_at": started,
            "started_at": started,
            "heartbeat_timestamp": now,
            "description": null,
            "resources_synced": null,
            "configurations": configurations(neutron, kind),
        })
    };
    AGENTS.map(agent).to_vec()
}

fn configurations(neutron: &Neutron, kind: &str) -> Json {
    if kind == "Linux bridge agent" {
        json!({"bridge_mappings": neutron.config.bridges, "tunnel_types": []})
    } else {
        json!({})
    }
}

fn find(neutron: &Neutron, id: &str) -> Result<Json> {
    let found = all(neutron).into_iter().find(|agent| agent["id"] == id);
    found.ok_or_else(|| Error::AgentNotFound(id.to_owned()))
}

fn of_kind(neutron: &Neutron, kind: &str) -> Vec<Json> {
    all(neutron).into_iter().filter(|agent| agent["agent_type"] == kind).collect()
}

/// As upstream, a list shows what the caller may see: to most, nothing.
pub(super) async fn list(State(neutron): Service, Cx(cx): Cx, query: Query) -> Body<Json> {
    let mut agents = match neutron.policy.check_own(&cx, "get_agent") {
        Ok(()) => all(&neutron),
        Err(_) => Vec::new(),
    };
    for key in ["agent_type", "binary", "host", "id", "alive", "topic", "availability_zone"] {
        let wanted: Vec<&str> = query.all(key).collect();
        let shown = |agent: &Json| crate::model::shape::shown(&agent[key]);
        agents.retain(|agent| {
            wanted.is_empty() || wanted.iter().any(|text| text.eq_ignore_ascii_case(&shown(agent)))
        });
    }
    Body(json!({"agents": agents}))
}

pub(super) async fn show(
    State(neutron): Service,
    Cx(cx): Cx,
    Path(id): Path<String>,
) -> Result<Body<Json>> {
    let hidden = |_| Error::AgentNotFound(id.clone());
    neutron.policy.check_own(&cx, "get_agent").map_err(hidden)?;
    Ok(Body(json!({"agent": find(&neutron, &id)?})))
}

/// The DHCP agents of a network.
pub(super) async fn of_network(
    State(neutron): Service,
    Cx(cx): Cx,
    Path(id): Path<String>,
) -> Result<Body<Json>> {
    let hosted = neutron.show(&cx, &NETWORK, &id).await?.flag("dhcp_hosted");
    let agents = if hosted { of_kind(&neutron, DHCP) } else { Vec::new() };
    Ok(Body(json!({"agents": agents})))
}

/// The L3 agents of a router.
pub(super) async fn of_router(
    State(neutron): Service,
    Cx(cx): Cx,
    Path(id): Path<String>,
) -> Result<Body<Json>> {
    neutron.show(&cx, &ROUTER, &id).await?;
    Ok(Body(json!({"agents": of_kind(&neutron, L3)})))
}

/// The networks of a DHCP agent.
pub(super) async fn networks(
    State(neutron): Service,
    Cx(cx): Cx,
    Path(id): Path<String>,
) -> Result<Body<Json>> {
    let mut records = hosted(&neutron, &cx, &id, DHCP, &NETWORK).await?;
    records.retain(|network| network.flag("dhcp_hosted"));
    Ok(Body(json!({"networks": views(&neutron, &cx, &records)})))
}

/// Has a DHCP agent serve a network.
pub(super) async fn add_network(
    State(neutron): Service,
    Cx(cx): Cx,
    Path(id): Path<String>,
    bytes: Bytes,
) -> Result<(StatusCode, Body<Json>)> {
    find(&neutron, &id)?;
    let body = body(&bytes)?;
    let network = body.get("network_id").and_then(Json::as_str);
    let network = network.ok_or_else(|| Error::Missing("network_id".to_owned()))?;
    neutron.host_dhcp(&cx, network, true).await?;
    Ok((StatusCode::CREATED, Body(Json::Null)))
}

/// Has it serve it no longer.
pub(super) async fn remove_network(
    State(neutron): Service,
    Cx(cx): Cx,
    Path((id, network)): Path<(String, String)>,
) -> Result<StatusCode> {
    find(&neutron, &id)?;
    neutron.host_dhcp(&cx, &network, false).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// The routers of an L3 agent.
pub(super) async fn routers(
    State(neutron): Service,
    Cx(cx): Cx,
    Path(id): Path<String>,
) -> Result<Body<Json>> {
    let records = hosted(&neutron, &cx, &id, L3, &ROUTER).await?;
    Ok(Body(json!({"routers": views(&neutron, &cx, &records)})))
}

async fn hosted(
    neutron: &Neutron,
    cx: &stackup_core::Ctx,
    agent: &str,
    kind: &str,
    resource: &'static Resource,
) -> Result<Vec<Record>> {
    if find(neutron, agent)?["agent_type"] != kind {
        return Ok(Vec::new());
    }
    let listing = listing::read(resource, &Query::default(), &neutron.config)
        .unwrap_or_else(|_| Listing::of(Vec::new()));
    neutron.list(cx, resource, listing).await
}

fn views(neutron: &Neutron, cx: &stackup_core::Ctx, records: &[Record]) -> Vec<Json> {
    let views = records.iter().map(|record| {
        let lens = access::lens(&neutron.policy, cx, record.resource, Vec::new());
        serde_json::to_value(View(record, &lens)).unwrap_or(Json::Null)
    });
    views.collect()
}
