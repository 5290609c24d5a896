//! Small things under a server: diagnostics, password, security groups, topology, volumes.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde_json::{Value, json};
use stackup_policy::Target;
use stackup_web::{Cx, Json};

use super::DIAGNOSTICS;
use super::input::Fields;
use crate::drivers::Diagnostics;
use crate::logic::networks;
use crate::model::server::Server;
use crate::model::state::Action;
use crate::{Error, Nova};

type S = State<Arc<Nova>>;

pub(super) async fn diagnostics(
    State(nova): S,
    Cx(cx): Cx,
    Path(id): Path<String>,
) -> Result<Json<Value>, Error> {
    let server = nova.server(&cx, &id).await?;
    server.allows(Action::Diagnostics, cx.is_admin())?;
    let host = server.host.clone().unwrap_or_default();
    let measured = nova.driver.diagnostics(&host, &server.id).await?;
    Ok(Json(match cx.since(DIAGNOSTICS) {
        true => standard(&server, &measured),
        false => flat(&measured),
    }))
}

fn standard(server: &Server, measured: &Diagnostics) -> Value {
    let cpus = measured.cpu_time_ns.iter().enumerate();
    let cpus: Vec<Value> =
        cpus.map(|(id, time)| json!({"id": id, "time": time, "utilisation": null})).collect();
    let disks: Vec<Value> = measured
        .disks
        .iter()
        .map(|disk| {
            json!({
                "read_bytes": disk.read_bytes, "read_requests": disk.read_requests,
                "write_bytes": disk.write_bytes, "write_requests": disk.write_requests,
                "errors_count": disk.errors,
            })
        })
        .collect();
    let nics: Vec<Value> = measured
        .nics
        .iter()
        .map(|nic| {
            json!({
                "mac_address": nic.mac,
                "rx_octets": nic.rx_octets, "rx_packets": nic.rx_packets,
                "rx_errors": nic.rx_errors, "rx_drop": nic.rx_drop, "rx_rate": null,
                "tx_octets": nic.tx_octets, "tx_packets": nic.tx_packets,
                "tx_errors": nic.tx_errors, "tx_drop": nic.tx_drop, "tx_rate": null,
            })
        })
        .collect();
    json!({
        "state": measured.state.as_str(),
        "driver": measured.driver,
        "hypervisor": measured.hypervisor,
        "hypervisor_os": "linux",
        "uptime": measured.uptime,
        "config_drive": server.config_drive,
        "num_cpus": cpus.len(), "cpu_details": cpus,
        "num_disks": disks.len(), "disk_details": disks,
        "num_nics": nics.len(), "nic_details": nics,
        "memory_details": {
            "maximum": measured.memory.maximum_mb, "used": measured.memory.used_mb
        },
    })
}

/// As libvirt gave them until 2.47.
fn flat(measured: &Diagnostics) -> Value {
    let mut view = json!({"memory": measured.memory.maximum_mb * 1024});
    for (id, time) in measured.cpu_time_ns.iter().enumerate() {
        view[format!("cpu{id}_time")] = json!(time);
    }
    for disk in &measured.disks {
        let name = &disk.device;
        view[format!("{name}_read")] = json!(disk.read_bytes);
        view[format!("{name}_read_req")] = json!(disk.read_requests);
        view[format!("{name}_write")] = json!(disk.write_bytes);
        view[format!("{name}_write_req")] = json!(disk.write_requests);
        view[format!("{name}_errors")] = json!(disk.errors);
    }
    for (index, nic) in measured.nics.iter().enumerate() {
        let name = format!("vnet{index}");
        view[format!("{name}_rx")] = json!(nic.rx_octets);
        view[format!("{name}_rx_packets")] = json!(nic.rx_packets);
        view[format!("{name}_rx_errors")] = json!(nic.rx_errors);
        view[format!("{name}_rx_drop")] = json!(nic.rx_drop);
        view[format!("{name}_tx")] = json!(nic.tx_octets);
        view[format!("{name}_tx_packets")] = json!(nic.tx_packets);
        view[format!("{name}_tx_errors")] = json!(nic.tx_errors);
        view[format!("{name}_tx_drop")] = json!(nic.tx_drop);
    }
    view
}

pub(super) async fn password(
    State(nova): S,
    Cx(cx): Cx,
    Path(id): Path<String>,
) -> Result<Json<Value>, Error> {
    let server = nova.server(&cx, &id).await?;
    Ok(Json(json!({"password": server.password})))
}

pub(super) async fn clear_password(
    State(nova): S,
    Cx(cx): Cx,
    Path(id): Path<String>,
) -> Result<Response, Error> {
    nova.change(&cx, &id, |_, server| {
        server.password = String::new();
        Ok(())
    })
    .await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

pub(super) async fn security_groups(
    State(nova): S,
    Cx(cx): Cx,
    Path(id): Path<String>,
) -> Result<Json<Value>, Error> {
    let server = nova.server(&cx, &id).await?;
    let mut views: Vec<Value> = Vec::new();
    for port in networks::ports(&nova, &cx, &server.id).await? {
        for group in &port.security_groups {
            let view = json!({
                "id": group.id, "name": group.name, "description": group.description,
                "tenant_id": group.project_id, "rules": [],
            });
            if !views.contains(&view) {
                views.push(view);
            }
        }
    }
    Ok(Json(json!({"security_groups": views})))
}

/// Guests here have no NUMA nodes of their own.
pub(super) async fn topology(
    State(nova): S,
    Cx(cx): Cx,
    Path(id): Path<String>,
) -> Result<Json<Value>, Error> {
    let server = nova.server(&cx, &id).await?;
    let rule = "compute:server:topology:host:index";
    let target = Target::project(&server.project_id);
    let mut view = json!({"nodes": []});
    if nova.policy.check(&cx, rule, &target).is_ok() {
        view["pagesize_kb"] = Value::Null;
    }
    Ok(Json(view))
}

pub(super) async fn volumes(
    State(nova): S,
    Cx(cx): Cx,
    Path(id): Path<String>,
) -> Result<Json<Value>, Error> {
    nova.server(&cx, &id).await?;
    Ok(Json(json!({"volumeAttachments": []})))
}

pub(super) async fn no_volume(
    State(nova): S,
    Cx(cx): Cx,
    Path((id, volume)): Path<(String, String)>,
) -> Result<Response, Error> {
    nova.server(&cx, &id).await?;
    Err(Error::NotFound(format!("Instance {id} is not attached to volume {volume}")))
}

pub(super) async fn attach_volume(
    State(nova): S,
    Cx(cx): Cx,
    Path(id): Path<String>,
    Json(body): Json<Value>,
) -> Result<Response, Error> {
    let mut fields = Fields::only(&body, "volumeAttachment")?;
    fields.need("volumeId")?;
    let volume = fields.uuid("volumeId")?.unwrap_or_default();
    nova.server(&cx, &id).await?;
    Err(Error::NotFound(format!("Volume {volume} could not be found.")))
}
