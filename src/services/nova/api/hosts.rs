//! `/os-hosts`, until 2.42, and the usage audit log, which nobody writes.

use std::sync::Arc;

use axum::extract::{Path, State};
use serde_json::{Value, json};
use stackup_web::{Json, Query};

use super::input::Fields;
use crate::logic::hosts;
use crate::store::servers;
use crate::{Error, Nova};

type S = State<Arc<Nova>>;

pub(super) async fn index(State(nova): S, query: Query) -> Result<Json<Value>, Error> {
    let zone = query.get("zone").filter(|zone| !zone.is_empty());
    let rows = hosts::services(&nova).await?;
    let views: Vec<Value> = rows
        .iter()
        .filter(|(_, host_zone)| zone.is_none_or(|zone| zone == host_zone))
        .map(|(service, zone)| {
            let kind = service.binary.trim_start_matches("nova-");
            json!({"host_name": service.host, "service": kind, "zone": zone})
        })
        .collect();
    Ok(Json(json!({"hosts": views})))
}

pub(super) async fn show(State(nova): S, Path(name): Path<String>) -> Result<Json<Value>, Error> {
    let hypervisors = nova.driver.hosts().await?;
    let found = hypervisors.into_iter().find(|hypervisor| hypervisor.host == name);
    let host =
        found.ok_or_else(|| Error::NotFound(format!("Compute host {name} could not be found.")))?;
    let wanted = name.clone();
    let used =
        nova.db.read(move |r| servers::usage_of_host(r, &wanted).map_err(Error::from)).await?;
    let line = |project: &str, cpu: u64, memory: u64, disk: u64| {
        json!({"resource": {
            "host": name, "project": project, "cpu": cpu, "memory_mb": memory, "disk_gb": disk
        }})
    };
    Ok(Json(json!({"host": [
        line("(total)", host.vcpus.into(), host.memory_mb, host.local_gb),
        line("(used_now)", used.cores, used.ram, used.disk),
        line("(used_max)", used.cores, used.ram, used.disk),
    ]})))
}

/// Hosts are not put to sleep through this API; what makes no sense is said first.
pub(super) async fn update(
    State(nova): S,
    Path(name): Path<String>,
    Json(body): Json<Value>,
) -> Result<Json<Value>, Error> {
    let mut fields = Fields::of("body", &body)?;
    let words = ["enable", "disable", "Enable", "Disable", "ENABLE", "DISABLE"];
    let status = fields.word("status", &words)?;
    let mode = fields.word("maintenance_mode", &words)?;
    fields.done()?;
    if status.is_none() && mode.is_none() {
        return Err(Error::invalid("Invalid input: {} does not have enough properties"));
    }
    refuse(&nova, &name).await
}

/// `GET /os-hosts/{name}/reboot`, `shutdown`, `startup`
pub(super) async fn power(State(nova): S, Path(name): Path<String>) -> Result<Json<Value>, Error> {
    refuse(&nova, &name).await
}

async fn refuse(nova: &Nova, name: &str) -> Result<Json<Value>, Error> {
    match hosts::known(nova).await?.contains_key(name) {
        true => {
            Err(Error::NotImplemented("Virt driver does not implement this for hosts.".to_owned()))
        }
        false => Err(Error::NotFound(format!("Compute host {name} could not be found."))),
    }
}

pub(super) async fn audit_log(State(nova): S) -> Result<Json<Value>, Error> {
    Ok(Json(json!({"instance_usage_audit_logs": audit(&nova, nova.now()).await?})))
}

pub(super) async fn audit_log_before(
    State(nova): S,
    Path(before): Path<String>,
) -> Result<Json<Value>, Error> {
    let before = stackup_core::Time::parse(before.trim())
        .map_err(|_| Error::invalid(format!("Invalid timestamp for date {before}")))?;
    Ok(Json(json!({"instance_usage_audit_log": audit(&nova, before).await?})))
}

/// Usage is computed when it is asked for: no host ever ran an audit.
async fn audit(nova: &Nova, before: stackup_core::Time) -> Result<Value, Error> {
    let hosts: Vec<String> = hosts::known(nova).await?.into_keys().collect();
    let month = std::time::Duration::from_secs(30 * 24 * 3600);
    let plain = |time: stackup_core::Time| time.seconds().replace('T', " ");
    Ok(json!({
        "period_beginning": plain(before - month),
        "period_ending": plain(before),
        "num_hosts": hosts.len(),
        "num_hosts_done": 0,
        "num_hosts_running": 0,
        "num_hosts_not_run": hosts.len(),
        "hosts_not_run": hosts,
        "total_instances": 0,
        "total_errors": 0,
        "overall_status": format!("0 of {} hosts done. 0 errors.", hosts.len()),
        "log": {},
    }))
}
