//! `/servers/{id}/os-interface`

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde_json::{Value, json};
use stackup_contracts::PortInfo;
use stackup_core::Ctx;
use stackup_web::{Cx, Json};

use super::input::{Fields, list};
use super::{ATTACHED_TAGS, TAGGED_ATTACH};
use crate::logic::{interfaces, networks};
use crate::model::server::{RequestedNetwork, Server};
use crate::{Error, Nova};

type S = State<Arc<Nova>>;

pub(super) async fn index(
    State(nova): S,
    Cx(cx): Cx,
    Path(id): Path<String>,
) -> Result<Json<Value>, Error> {
    let server = nova.server(&cx, &id).await?;
    let ports = networks::ports(&nova, &cx, &server.id).await?;
    let views: Vec<Value> = ports.iter().map(|port| view(&cx, &server, port)).collect();
    Ok(Json(json!({"interfaceAttachments": views})))
}

pub(super) async fn show(
    State(nova): S,
    Cx(cx): Cx,
    Path((id, port)): Path<(String, String)>,
) -> Result<Json<Value>, Error> {
    let server = nova.server(&cx, &id).await?;
    let ports = networks::ports(&nova, &cx, &server.id).await?;
    let found = ports.iter().find(|held| held.id == *port);
    let found = found.ok_or_else(|| {
        Error::NotFound(format!("Instance {id} does not have fixed IP port {port}"))
    })?;
    Ok(Json(json!({"interfaceAttachment": view(&cx, &server, found)})))
}

pub(super) async fn create(
    State(nova): S,
    Cx(cx): Cx,
    Path(id): Path<String>,
    Json(body): Json<Value>,
) -> Result<Json<Value>, Error> {
    let wanted = wanted(&cx, &body)?;
    let port = interfaces::attach(&nova, &cx, &id, wanted).await?;
    let server = nova.server(&cx, &id).await?;
    Ok(Json(json!({"interfaceAttachment": view(&cx, &server, &port)})))
}

pub(super) async fn delete(
    State(nova): S,
    Cx(cx): Cx,
    Path((id, port)): Path<(String, String)>,
) -> Result<Response, Error> {
    interfaces::detach(&nova, &cx, &id, &port.into()).await?;
    Ok(StatusCode::ACCEPTED.into_response())
}

fn wanted(cx: &Ctx, body: &Value) -> Result<Option<RequestedNetwork>, Error> {
    let mut outer = Fields::of("body", body)?;
    let Some(value) = outer.raw("interfaceAttachment") else {
        outer.done()?;
        return Ok(None);
    };
    let mut fields = Fields::of("interfaceAttachment", value)?;
    let network = fields.uuid("net_id")?;
    let port = fields.uuid("port_id")?;
    let fixed_ip = match fields.raw("fixed_ips") {
        None => None,
        Some(value) => {
            let ips = list("fixed_ips", value)?;
            let [ip] = ips.as_slice() else {
                return Err(Error::invalid("exactly one of fixed_ips is supported"));
            };
            let mut ip = Fields::of("fixed_ips", ip)?;
            let address = ip.need_text("ip_address", 1, 64)?;
            ip.done()?;
            Some(address)
        }
    };
    let tag = if cx.since(TAGGED_ATTACH) { fields.text("tag", 1, 60)? } else { None };
    fields.done()?;
    if network.is_some() && port.is_some() {
        return Err(Error::invalid("Must not input both network_id and port_id"));
    }
    if fixed_ip.is_some() && network.is_none() {
        return Err(Error::invalid("Must input network_id when request IP address"));
    }
    if network.is_none() && port.is_none() && tag.is_none() {
        return Ok(None);
    }
    Ok(Some(RequestedNetwork {
        network_id: network.map(Into::into),
        port_id: port.map(Into::into),
        fixed_ip,
        tag,
    }))
}

fn view(cx: &Ctx, server: &Server, port: &PortInfo) -> Value {
    let fixed_ips: Vec<Value> = port
        .fixed_ips
        .iter()
        .map(|ip| json!({"subnet_id": ip.subnet_id, "ip_address": ip.address.to_string()}))
        .collect();
    let mut view = json!({
        "port_id": port.id,
        "net_id": port.network.id,
        "mac_addr": port.mac,
        "port_state": port.status,
        "fixed_ips": fixed_ips,
    });
    if cx.since(ATTACHED_TAGS) {
        view["tag"] = json!(server.boot.port_tags.get(port.id.as_str()));
    }
    view
}
