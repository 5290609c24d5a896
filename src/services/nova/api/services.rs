//! `/os-services`

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde_json::{Value, json};
use stackup_core::Ctx;
use stackup_web::{Cx, Json, Query};

use super::input::Fields;
use super::{FORCED_DOWN, UUIDS, known_parameters};
use crate::logic::hosts;
use crate::model::compute_service::{COMPUTE, ComputeService};
use crate::store::{servers, services};
use crate::{Error, Nova};

type S = State<Arc<Nova>>;

pub(super) async fn index(State(nova): S, Cx(cx): Cx, query: Query) -> Result<Json<Value>, Error> {
    known_parameters(&cx, &query, &["host", "binary"])?;
    let (host, binary) = (query.get("host"), query.get("binary"));
    let rows = hosts::services(&nova).await?;
    let wanted = rows.iter().filter(|(service, _)| {
        host.is_none_or(|host| host == service.host)
            && binary.is_none_or(|binary| binary == service.binary)
    });
    let views: Vec<Value> = wanted.map(|(service, zone)| view(&nova, &cx, service, zone)).collect();
    Ok(Json(json!({"services": views})))
}

/// `PUT /os-services/{action}` until 2.52.
pub(super) async fn act(
    State(nova): S,
    Cx(cx): Cx,
    Path(action): Path<String>,
    Json(body): Json<Value>,
) -> Result<Json<Value>, Error> {
    let mut fields = Fields::of("body", &body)?;
    let host = fields.need_text("host", 1, 255)?;
    let binary = fields.need_text("binary", 1, 255)?;
    let reason = match action.as_str() {
        "disable-log-reason" => Some(reason(&fields.need_text("disabled_reason", 1, 255)?)?),
        "disable" => fields.text("disabled_reason", 1, 255)?.and(None),
        _ => None,
    };
    let forced = match action.as_str() {
        "force-down" if cx.since(FORCED_DOWN) => {
            fields.need("forced_down")?;
            fields.flag("forced_down")?
        }
        "enable" | "disable" | "disable-log-reason" => None,
        _ => return Err(Error::NotFound("Unknown action".to_owned())),
    };
    fields.done()?;
    let rows = hosts::services(&nova).await?;
    let found = rows.into_iter().find(|(s, _)| s.host == host && s.binary == binary);
    let (mut service, _) = found.ok_or_else(|| {
        Error::NotFound(format!("Service {binary} on host {host} could not be found."))
    })?;
    match forced {
        Some(forced) => service.forced_down = forced,
        None => set_disabled(&mut service, action != "enable", reason.clone()),
    }
    save(&nova, service.clone()).await?;
    let mut view = json!({"host": host, "binary": binary});
    match forced {
        Some(forced) => view["forced_down"] = json!(forced),
        None => view["status"] = json!(status(&service)),
    }
    if let Some(reason) = reason {
        view["disabled_reason"] = json!(reason);
    }
    Ok(Json(json!({"service": view})))
}

/// `PUT /os-services/{id}` since 2.53.
pub(super) async fn update(
    State(nova): S,
    Cx(cx): Cx,
    Path(id): Path<String>,
    Json(body): Json<Value>,
) -> Result<Json<Value>, Error> {
    let mut fields = Fields::of("body", &body)?;
    let status = fields.word("status", &["enabled", "disabled"])?;
    let why = fields.text("disabled_reason", 1, 255)?.map(|text| reason(&text)).transpose()?;
    let forced = fields.flag("forced_down")?;
    fields.done()?;
    if why.is_some() && status != Some("disabled") {
        return Err(Error::invalid("Specifying disabled_reason requires that status is disabled."));
    }
    if status.is_none() && forced.is_none() {
        return Err(Error::invalid(
            "No updates were requested. Fields status or forced_down should be specified.",
        ));
    }
    let (mut service, zone) = find(&nova, &id).await?;
    if service.binary != COMPUTE {
        return Err(Error::invalid(format!(
            "Updating a {} service is not supported. Only nova-compute services can be updated.",
            service.binary
        )));
    }
    if let Some(status) = status {
        set_disabled(&mut service, status == "disabled", why);
    }
    service.forced_down = forced.unwrap_or(service.forced_down);
    save(&nova, service.clone()).await?;
    Ok(Json(json!({"service": view(&nova, &cx, &service, &zone)})))
}

/// Fails with 409 while the host has servers. The row of a living service comes back.
pub(super) async fn delete(
    State(nova): S,
    Cx(cx): Cx,
    Path(id): Path<String>,
) -> Result<Response, Error> {
    let row = |service: &ComputeService| service.row.to_string() == id && !cx.since(UUIDS);
    let rows = hosts::services(&nova).await?;
    let found = rows.into_iter().map(|(service, _)| service).find(|s| s.id == id || row(s));
    let service = found.ok_or_else(|| missing(&id))?;
    let taken = nova
        .db
        .write(move |tx| {
            if servers::usage_of_host(tx, &service.host)?.instances > 0 {
                return Ok::<_, Error>(true);
            }
            services::delete(tx, &service.id)?;
            Ok(false)
        })
        .await?;
    match taken {
        true => Err(Error::Conflict(
            "Unable to delete compute service that is hosting instances. Migrate or delete the \
             instances first."
                .to_owned(),
        )),
        false => Ok(StatusCode::NO_CONTENT.into_response()),
    }
}

fn missing(id: &str) -> Error {
    Error::NotFound(format!("Service {id} could not be found."))
}

async fn find(nova: &Nova, id: &str) -> Result<(ComputeService, String), Error> {
    let rows = hosts::services(nova).await?;
    rows.into_iter().find(|(service, _)| service.id == id).ok_or_else(|| missing(id))
}

async fn save(nova: &Nova, service: ComputeService) -> Result<(), Error> {
    nova.db.write(move |tx| services::save(tx, &service).map_err(Error::from)).await
}

fn reason(text: &str) -> Result<String, Error> {
    match text.trim() == text {
        true => Ok(text.to_owned()),
        false => Err(Error::invalid("Disabled reason contains invalid characters or is too long")),
    }
}

fn set_disabled(service: &mut ComputeService, disabled: bool, reason: Option<String>) {
    service.disabled = disabled;
    service.disabled_reason = if disabled { reason } else { None };
}

fn status(service: &ComputeService) -> &'static str {
    if service.disabled { "disabled" } else { "enabled" }
}

fn view(nova: &Nova, cx: &Ctx, service: &ComputeService, zone: &str) -> Value {
    let mut view = json!({
        "binary": service.binary,
        "host": service.host,
        "zone": zone,
        "status": status(service),
        "state": if hosts::is_up(nova, service) { "up" } else { "down" },
        "updated_at": service.seen_at.micros(),
        "disabled_reason": service.disabled_reason,
    });
    view["id"] = if cx.since(UUIDS) { json!(service.id) } else { json!(service.row) };
    if cx.since(FORCED_DOWN) {
        view["forced_down"] = json!(service.forced_down);
    }
    view
}
