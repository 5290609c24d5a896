//! `POST /servers/{id}/action`: one handler a key of the body.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::header::{HeaderValue, LOCATION};
use serde_json::{Value, json};
use stackup_core::{Ctx, ImageId};
use stackup_web::{Cx, Json, answer};

use super::input::{Fields, wrong};
use super::{
    DESCRIPTION, HOSTNAME, IMAGE_ID_IN_BODY, LOCKED_REASON, MIGRATE_HOST, NO_PERSONALITY,
    REBUILD_KEY, TRUSTED_CERTS, UNSHELVE_HOST, UNSHELVE_ZONE, server_body, servers as pages,
};
use crate::logic::flows::rebuild::Rebuild;
use crate::logic::flows::snapshot::Snapshot;
use crate::logic::flows::{
    delete, rebuild as rebuilding, rescue as rescuing, resize as resizing, shelve as shelving,
    snapshot,
};
use crate::logic::power::{self, Verb};
use crate::logic::servers;
use crate::model::state::{Action, VmState};
use crate::{Error, Nova};

type Id = Path<String>;
type S = State<Arc<Nova>>;
type Done = Result<Response, Error>;

fn accepted() -> Response {
    StatusCode::ACCEPTED.into_response()
}

/// An action whose value says nothing: null, or in old clients an empty object.
fn bare(body: &Value, key: &'static str) -> Result<(), Error> {
    let mut outer = Fields::of("body", body)?;
    outer.raw(key);
    Ok(outer.done()?)
}

async fn turn(
    nova: &Arc<Nova>,
    cx: &Ctx,
    id: &str,
    body: &Value,
    key: &'static str,
    verb: Verb,
) -> Done {
    bare(body, key)?;
    power::begin(nova, cx, id, verb).await?;
    Ok(accepted())
}

macro_rules! turns {
    ($($name:ident $key:literal $verb:ident),* $(,)?) => {$(
        pub(super) async fn $name(State(nova): S, Cx(cx): Cx, Path(id): Id, Json(body): Json<Value>) -> Done {
            turn(&nova, &cx, &id, &body, $key, Verb::$verb).await
        }
    )*};
}
turns!(
    start "os-start" Start,
    stop "os-stop" Stop,
    pause "pause" Pause,
    unpause "unpause" Unpause,
    suspend "suspend" Suspend,
    resume "resume" Resume,
);

pub(super) async fn reboot(
    State(nova): S,
    Cx(cx): Cx,
    Path(id): Id,
    Json(body): Json<Value>,
) -> Done {
    let mut fields = Fields::only(&body, "reboot")?;
    let words = &["SOFT", "HARD", "soft", "hard", "Soft", "Hard"];
    fields.need("type")?;
    let kind = fields.word("type", words)?.unwrap_or_default();
    fields.done()?;
    let soft = kind.eq_ignore_ascii_case("soft");
    let verb = if soft { Verb::SoftReboot } else { Verb::HardReboot };
    power::begin(&nova, &cx, &id, verb).await?;
    Ok(accepted())
}

pub(super) async fn lock(
    State(nova): S,
    Cx(cx): Cx,
    Path(id): Id,
    Json(body): Json<Value>,
) -> Done {
    let mut reason = None;
    if cx.since(LOCKED_REASON) && body["lock"].is_object() {
        let mut fields = Fields::only(&body, "lock")?;
        reason = fields.text("locked_reason", 1, 255)?;
        fields.done()?;
    }
    servers::lock(&nova, &cx, &id, reason).await?;
    Ok(accepted())
}

pub(super) async fn unlock(State(nova): S, Cx(cx): Cx, Path(id): Id) -> Done {
    servers::unlock(&nova, &cx, &id).await?;
    Ok(accepted())
}

pub(super) async fn reset_state(
    State(nova): S,
    Cx(cx): Cx,
    Path(id): Id,
    Json(body): Json<Value>,
) -> Done {
    let mut fields = Fields::only(&body, "os-resetState")?;
    fields.need("state")?;
    let state = fields.word("state", &["active", "error"])?.unwrap_or_default();
    fields.done()?;
    let state = VmState::parse(state).unwrap_or(VmState::Error);
    servers::reset_state(&nova, &cx, &id, state).await?;
    Ok(accepted())
}

pub(super) async fn force_delete(State(nova): S, Cx(cx): Cx, Path(id): Id) -> Done {
    delete::begin(&nova, &cx, &id).await?;
    Ok(accepted())
}

/// Deferred deletion is off: nothing is ever there to restore.
pub(super) async fn restore(State(nova): S, Cx(cx): Cx, Path(id): Id) -> Done {
    nova.server(&cx, &id).await?.allows(Action::Restore, cx.is_admin())?;
    Err(Error::Conflict(format!("Instance {id} cannot be restored")))
}

pub(super) async fn rebuild(
    State(nova): S,
    Cx(cx): Cx,
    Path(id): Id,
    Json(body): Json<Value>,
) -> Done {
    let rebuild = rebuild_body(&cx, &body)?;
    let (server, admin_pass) = rebuilding::begin(&nova, &cx, &id, rebuild).await?;
    let mut view = pages::changed(&nova, &cx, &server).await?;
    if nova.config.show_password {
        view["adminPass"] = json!(admin_pass);
    }
    if cx.since(REBUILD_KEY) {
        view["key_name"] = json!(server.key.as_ref().map(|key| &key.name));
    }
    if let Some(view) = view.as_object_mut() {
        view.remove("OS-EXT-SRV-ATTR:user_data");
    }
    if cx.since(NO_PERSONALITY) {
        view["user_data"] = json!(server.user_data);
    }
    let mut response = answer(StatusCode::ACCEPTED, &json!({"server": view}));
    let location = format!("{}/v2.1/servers/{id}", cx.self_url);
    if let Ok(location) = HeaderValue::from_str(&location) {
        response.headers_mut().insert(LOCATION, location);
    }
    Ok(response)
}

fn rebuild_body(cx: &Ctx, body: &Value) -> Result<Rebuild, Error> {
    let mut fields = Fields::only(body, "rebuild")?;
    fields.need("imageRef")?;
    if cx.since(TRUSTED_CERTS)
        && fields.raw("trusted_image_certificates").is_some_and(|v| !v.is_null())
    {
        return Err(Error::invalid("Image certificates are not validated in this cloud."));
    }
    let rebuild = Rebuild {
        image: image(&mut fields, "imageRef")?,
        name: fields.name("name")?,
        hostname: if cx.since(HOSTNAME) { server_body::hostname(cx, &mut fields)? } else { None },
        description: if cx.since(DESCRIPTION) {
            fields.nullable("description", 255)?
        } else {
            None
        },
        metadata: fields.metadata("metadata")?,
        key_name: if cx.since(REBUILD_KEY) { fields.nullable("key_name", 255)? } else { None },
        user_data: if cx.since(NO_PERSONALITY) {
            server_body::user_data(&mut fields)?
        } else {
            None
        },
        personality: if cx.since(NO_PERSONALITY) {
            None
        } else {
            server_body::personality(&mut fields)?
        },
        access_ipv4: fields.address("accessIPv4", false)?,
        access_ipv6: fields.address("accessIPv6", true)?,
        disk_config: server_body::disk_config(&mut fields)?,
        admin_pass: fields.text("adminPass", 0, 255)?,
    };
    fields.flag("preserve_ephemeral")?;
    fields.done()?;
    Ok(rebuild)
}

/// An image's id, or its URL.
fn image(fields: &mut Fields<'_>, key: &'static str) -> Result<Option<ImageId>, Error> {
    let Some(value) = fields.raw(key) else { return Ok(None) };
    let id = value.as_str().and_then(|text| text.rsplit('/').next());
    match id.filter(|id| stackup_core::ids::is_uuid_like(id)) {
        Some(id) => Ok(Some(ImageId::from(id))),
        None => Err(wrong(key, value, &format!("{value} is not a 'uuid'")).into()),
    }
}

pub(super) async fn resize(
    State(nova): S,
    Cx(cx): Cx,
    Path(id): Id,
    Json(body): Json<Value>,
) -> Done {
    let mut fields = Fields::only(&body, "resize")?;
    let flavor = server_body::flavor_ref(fields.need("flavorRef")?)?;
    let disk_config = server_body::disk_config(&mut fields)?;
    fields.done()?;
    resizing::begin(&nova, &cx, &id, &flavor, disk_config).await?;
    Ok(accepted())
}

pub(super) async fn confirm_resize(State(nova): S, Cx(cx): Cx, Path(id): Id) -> Done {
    resizing::begin_confirm(&nova, &cx, &id).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

pub(super) async fn revert_resize(State(nova): S, Cx(cx): Cx, Path(id): Id) -> Done {
    resizing::begin_revert(&nova, &cx, &id).await?;
    Ok(accepted())
}

pub(super) async fn migrate(
    State(nova): S,
    Cx(cx): Cx,
    Path(id): Id,
    Json(body): Json<Value>,
) -> Done {
    let mut host = None;
    if cx.since(MIGRATE_HOST) && body["migrate"].is_object() {
        let mut fields = Fields::only(&body, "migrate")?;
        host = fields.nullable("host", 255)?.flatten();
        fields.done()?;
    }
    if host.is_some() {
        nova.policy.check_own(&cx, "os_compute_api:os-migrate-server:migrate:host")?;
    }
    resizing::begin_migrate(&nova, &cx, &id, host).await?;
    Ok(accepted())
}

/// There is nowhere to go while a guest runs.
pub(super) async fn migrate_live(State(nova): S, Cx(cx): Cx, Path(id): Id) -> Done {
    nova.server(&cx, &id).await?;
    Err(Error::NoValidHost(
        "Live migration is not supported by the hypervisors of this cloud.".to_owned(),
    ))
}

pub(super) async fn evacuate(State(nova): S, Cx(cx): Cx, Path(id): Id) -> Done {
    nova.server(&cx, &id).await?;
    Err(Error::invalid(format!("Compute service of the host of {id} is still in use.")))
}

pub(super) async fn inject_network_info(State(nova): S, Cx(cx): Cx, Path(id): Id) -> Done {
    // Addresses come by DHCP and metadata: there is nothing to write into the guest.
    nova.server(&cx, &id).await?;
    Ok(accepted())
}

pub(super) async fn gone() -> Done {
    Ok(StatusCode::GONE.into_response())
}

pub(super) async fn create_image(
    State(nova): S,
    Cx(cx): Cx,
    Path(id): Id,
    Json(body): Json<Value>,
) -> Done {
    let mut fields = Fields::only(&body, "createImage")?;
    let snapshot = Snapshot {
        name: server_body::image_name(&mut fields)?,
        metadata: fields.metadata("metadata")?.unwrap_or_default(),
        backup: None,
    };
    fields.done()?;
    let image = snapshot::begin(&nova, &cx, &id, snapshot).await?;
    Ok(imaged(&cx, &image))
}

pub(super) async fn create_backup(
    State(nova): S,
    Cx(cx): Cx,
    Path(id): Id,
    Json(body): Json<Value>,
) -> Done {
    let mut fields = Fields::only(&body, "createBackup")?;
    let name = server_body::image_name(&mut fields)?;
    let kind = fields.need_text("backup_type", 0, 255)?;
    fields.need("rotation")?;
    let keep = fields.integer("rotation", 0, i64::MAX)?.unwrap_or(0);
    let metadata = fields.metadata("metadata")?.unwrap_or_default();
    fields.done()?;
    let keep = usize::try_from(keep).unwrap_or(usize::MAX);
    let snapshot = Snapshot { name, metadata, backup: Some((kind, keep)) };
    let image = snapshot::begin(&nova, &cx, &id, snapshot).await?;
    Ok(imaged(&cx, &image))
}

/// The image's id: in the body, in old versions as a location.
fn imaged(cx: &Ctx, image: &ImageId) -> Response {
    if cx.since(IMAGE_ID_IN_BODY) {
        return answer(StatusCode::ACCEPTED, &json!({"image_id": image}));
    }
    let mut response = accepted();
    let location = format!("{}/image/v2/images/{image}", cx.base_url);
    if let Ok(location) = HeaderValue::from_str(&location) {
        response.headers_mut().insert(LOCATION, location);
    }
    response
}

pub(super) async fn rescue(
    State(nova): S,
    Cx(cx): Cx,
    Path(id): Id,
    Json(body): Json<Value>,
) -> Done {
    let (mut pass, mut from) = (None, None);
    if body["rescue"].is_object() {
        let mut fields = Fields::only(&body, "rescue")?;
        pass = fields.text("adminPass", 0, 255)?;
        from = image(&mut fields, "rescue_image_ref")?;
        fields.done()?;
    }
    let pass = rescuing::begin(&nova, &cx, &id, from, pass).await?;
    Ok(match nova.config.show_password {
        true => answer(StatusCode::OK, &json!({"adminPass": pass})),
        false => StatusCode::OK.into_response(),
    })
}

pub(super) async fn unrescue(State(nova): S, Cx(cx): Cx, Path(id): Id) -> Done {
    rescuing::begin_back(&nova, &cx, &id).await?;
    Ok(accepted())
}

pub(super) async fn shelve(State(nova): S, Cx(cx): Cx, Path(id): Id) -> Done {
    shelving::begin(&nova, &cx, &id).await?;
    Ok(accepted())
}

pub(super) async fn shelve_offload(State(nova): S, Cx(cx): Cx, Path(id): Id) -> Done {
    shelving::begin_offload(&nova, &cx, &id).await?;
    Ok(accepted())
}

pub(super) async fn unshelve(
    State(nova): S,
    Cx(cx): Cx,
    Path(id): Id,
    Json(body): Json<Value>,
) -> Done {
    let (mut zone, mut host) = (None, None);
    if cx.since(UNSHELVE_ZONE) && body["unshelve"].is_object() {
        let mut fields = Fields::only(&body, "unshelve")?;
        zone = fields.nullable("availability_zone", 255)?;
        if cx.since(UNSHELVE_HOST) {
            host = fields.text("host", 1, 255)?;
        }
        fields.done()?;
    }
    if host.is_some() {
        nova.policy.check_own(&cx, "os_compute_api:os-shelve:unshelve_to_host")?;
    }
    shelving::begin_back(&nova, &cx, &id, zone, host).await?;
    Ok(accepted())
}

pub(super) async fn change_password(
    State(nova): S,
    Cx(cx): Cx,
    Path(id): Id,
    Json(body): Json<Value>,
) -> Done {
    let mut fields = Fields::only(&body, "changePassword")?;
    fields.need_text("adminPass", 0, 255)?;
    fields.done()?;
    let server = nova.server(&cx, &id).await?;
    server.allows(Action::ChangePassword, cx.is_admin())?;
    Err(Error::Conflict("QEMU guest agent is not enabled".to_owned()))
}

pub(super) async fn add_security_group(
    State(nova): S,
    Cx(cx): Cx,
    Path(id): Id,
    Json(body): Json<Value>,
) -> Done {
    let name = group_name(&body, "addSecurityGroup")?;
    servers::set_group(&nova, &cx, &id, &name, true).await?;
    Ok(accepted())
}

pub(super) async fn remove_security_group(
    State(nova): S,
    Cx(cx): Cx,
    Path(id): Id,
    Json(body): Json<Value>,
) -> Done {
    let name = group_name(&body, "removeSecurityGroup")?;
    servers::set_group(&nova, &cx, &id, &name, false).await?;
    Ok(accepted())
}

fn group_name(body: &Value, key: &'static str) -> Result<String, Error> {
    let mut fields = Fields::only(body, key)?;
    let name = fields.need_text("name", 1, 255)?;
    fields.done()?;
    Ok(name)
}

/// The most of a console that one answer holds.
const MOST_CONSOLE: u64 = 102_400;

pub(super) async fn console_output(
    State(nova): S,
    Cx(cx): Cx,
    Path(id): Id,
    Json(body): Json<Value>,
) -> Done {
    let mut fields = Fields::only(&body, "os-getConsoleOutput")?;
    let lines = match fields.raw("length") {
        None | Some(Value::Null) => None,
        Some(value) => Some(super::input::integer("length", value, -1, i64::MAX)?),
    };
    fields.done()?;
    let server = nova.server(&cx, &id).await?;
    let host = server.host.as_ref().filter(|_| server.has_guest());
    let host = host.ok_or_else(|| Error::Conflict(format!("Instance {id} is not ready")))?;
    let log = nova.driver.console_log(host, &server.id, MOST_CONSOLE).await?;
    let text = printable(&log);
    let output = match lines.and_then(|lines| usize::try_from(lines).ok()) {
        Some(lines) => last_lines(&text, lines),
        None => text.as_str(),
    };
    Ok(answer(StatusCode::OK, &json!({"output": output})))
}

/// What XML could carry upstream: no control characters but tab and line ends.
fn printable(log: &[u8]) -> String {
    let text = String::from_utf8_lossy(log);
    text.chars().filter(|c| !c.is_control() || matches!(c, '\n' | '\r' | '\t')).collect()
}

fn last_lines(text: &str, lines: usize) -> &str {
    if lines == 0 {
        return "";
    }
    let body = text.strip_suffix('\n').unwrap_or(text);
    let start = body.rmatch_indices('\n').nth(lines - 1).map_or(0, |(at, _)| at + 1);
    &text[start..]
}

/// Consoles by VNC, serial line and their kin need a proxy, which is not there yet.
pub(super) async fn console(State(nova): S, Cx(cx): Cx, Path(id): Id) -> Done {
    nova.server(&cx, &id).await?;
    Err(Error::invalid("Unavailable console type: no console proxy runs in this cloud."))
}

pub(super) async fn trigger_crash_dump(State(nova): S, Cx(cx): Cx, Path(id): Id) -> Done {
    nova.server(&cx, &id).await?;
    Err(Error::invalid("The hypervisor does not support injecting an NMI."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_lines_of_a_log() {
        assert_eq!(last_lines("a\nb\nc\n", 2), "b\nc\n");
        assert_eq!(last_lines("a\nb", 5), "a\nb");
        assert_eq!(last_lines("a\nb", 0), "");
        assert_eq!(printable(b"a\x1b[0m\r\n\xff"), "a[0m\r\n\u{fffd}");
    }
}
