//! What is left of nova-network's interface until 2.35: lists, read from neutron.

use std::sync::Arc;

use axum::extract::{Path, State};
use serde_json::{Map, Value, json};
use stackup_contracts::NetworkInfo;
use stackup_web::{Cx, Json};

use crate::{Error, Nova};

type S = State<Arc<Nova>>;

/// Attributes that only nova-network had: always null.
const NULLS: &[&str] = &[
    "bridge",
    "bridge_interface",
    "broadcast",
    "cidr",
    "cidr_v6",
    "created_at",
    "deleted",
    "deleted_at",
    "dhcp_server",
    "dhcp_start",
    "dns1",
    "dns2",
    "enable_dhcp",
    "gateway",
    "gateway_v6",
    "host",
    "injected",
    "mtu",
    "multi_host",
    "netmask",
    "netmask_v6",
    "priority",
    "project_id",
    "rxtx_base",
    "share_address",
    "updated_at",
    "vlan",
    "vpn_private_address",
    "vpn_public_address",
    "vpn_public_port",
];

pub(super) async fn networks(State(nova): S, Cx(cx): Cx) -> Result<Json<Value>, Error> {
    let found = nova.hub.networks()?.available(&cx).await?;
    Ok(Json(json!({"networks": found.iter().map(long).collect::<Vec<_>>()})))
}

pub(super) async fn network(
    State(nova): S,
    Cx(cx): Cx,
    Path(id): Path<String>,
) -> Result<Json<Value>, Error> {
    let network = nova.hub.networks()?.network(&cx, &id.into()).await;
    let network = network.map_err(|_| Error::NotFound("Network not found".to_owned()))?;
    Ok(Json(json!({"network": long(&network)})))
}

pub(super) async fn tenant_networks(State(nova): S, Cx(cx): Cx) -> Result<Json<Value>, Error> {
    let found = nova.hub.networks()?.available(&cx).await?;
    Ok(Json(json!({"networks": found.iter().map(short).collect::<Vec<_>>()})))
}

pub(super) async fn tenant_network(
    State(nova): S,
    Cx(cx): Cx,
    Path(id): Path<String>,
) -> Result<Json<Value>, Error> {
    let network = nova.hub.networks()?.network(&cx, &id.into()).await;
    let network = network.map_err(|_| Error::NotFound("Network not found".to_owned()))?;
    Ok(Json(json!({"network": short(&network)})))
}

fn short(network: &NetworkInfo) -> Value {
    json!({"id": network.id, "label": network.name, "cidr": "None"})
}

fn long(network: &NetworkInfo) -> Value {
    let mut view: Map<String, Value> =
        NULLS.iter().map(|name| ((*name).to_owned(), Value::Null)).collect();
    view.insert("id".to_owned(), json!(network.id));
    view.insert("label".to_owned(), json!(network.name));
    Value::Object(view)
}
