//! What a create and an update may say, by version.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use stackup_core::ids::is_uuid_like;
use stackup_core::{Ctx, ErrorKind, FlavorId};
use stackup_web::Fault;

use super::input::{Fields, list, name, text, wrong};
use super::{
    AUTO_NETWORKS, DESCRIPTION, DEVICE_TAGS, DEVICE_TAGS_BACK, FQDN, HOSTNAME, NO_PERSONALITY,
    REQUESTED_HOST, SET_PINNED_ZONE, TAGS_AT_CREATE, TRUSTED_CERTS,
};
use crate::logic::create::NewServer;
use crate::logic::networks::Wanted;
use crate::logic::servers::Update;
use crate::model::server::{DiskConfig, RequestedNetwork};

/// A create, read.
pub(super) struct Asked {
    pub new: NewServer,
    /// Whether cards were asked for by name, which is another rule.
    pub attaches_network: bool,
    pub return_reservation: bool,
}

/// User data is at most so long, in base64.
const MOST_USER_DATA: usize = 65535;
/// The largest count that a column upstream holds.
const MOST_COUNT: i64 = 2_147_483_647;

pub(super) fn create(cx: &Ctx, body: &Value) -> Result<Asked, Fault> {
    let mut outer = Fields::of("body", body)?;
    let inner = outer.need("server")?;
    let (hints, raw_hints) = hints(&mut outer)?;
    outer.done()?;
    let mut server = Fields::of("server", inner)?;
    let name = server.need_name("name")?;
    let flavor = flavor_ref(server.need("flavorRef")?)?;
    let image = image_ref(&mut server)?;
    let networks = networks(cx, &mut server)?;
    let block_devices = block_devices(&mut server, image.as_deref())?;
    let (min_count, max_count) = counts(&mut server)?;
    let return_reservation = server.flag("return_reservation_id")?.unwrap_or(false);
    let hostname = match cx.since(HOSTNAME) {
        true => hostname(cx, &mut server)?,
        false => None,
    };
    if hostname.is_some() && max_count > 1 && cx.since(HOSTNAME) {
        return Err(Fault::bad_request(
            "Hostnames are not supported when creating multiple servers.",
        ));
    }
    if cx.since(TRUSTED_CERTS) {
        trusted_certs(&mut server)?;
    }
    let new = NewServer {
        name,
        hostname,
        description: match cx.since(DESCRIPTION) {
            true => server.nullable("description", 255)?.flatten(),
            false => None,
        },
        flavor,
        image: image.or(block_devices).map(Into::into),
        security_groups: security_groups(&mut server)?,
        key_name: server.nullable("key_name", 255)?.flatten(),
        user_data: user_data(&mut server)?.flatten(),
        config_drive: config_drive(&mut server)?,
        metadata: server.metadata("metadata")?.unwrap_or_default(),
        tags: match cx.since(TAGS_AT_CREATE) {
            true => {
                server.list("tags")?.map(|tags| self::tags(tags)).transpose()?.unwrap_or_default()
            }
            false => Vec::new(),
        },
        personality: match cx.since(NO_PERSONALITY) {
            true => Vec::new(),
            false => personality(&mut server)?.unwrap_or_default(),
        },
        access_ipv4: server.address("accessIPv4", false)?.flatten(),
        access_ipv6: server.address("accessIPv6", true)?.flatten(),
        disk_config: disk_config(&mut server)?.unwrap_or(DiskConfig::Auto),
        zone: server.text("availability_zone", 1, 255)?,
        host: match cx.since(REQUESTED_HOST) {
            true => {
                let host = server.text("host", 1, 255)?;
                server.text("hypervisor_hostname", 1, 255)?.or(host)
            }
            false => None,
        },
        hints,
        raw_hints,
        min_count,
        max_count,
        admin_pass: server.text("adminPass", 0, 255)?,
        networks: networks.clone(),
    };
    server.done()?;
    Ok(Asked { attaches_network: matches!(networks, Wanted::These(_)), new, return_reservation })
}

pub(super) fn update(cx: &Ctx, body: &Value) -> Result<Update, Fault> {
    let mut server = Fields::only(body, "server")?;
    let update = Update {
        name: server.name("name")?,
        hostname: match cx.since(HOSTNAME) {
            true => hostname(cx, &mut server)?,
            false => None,
        },
        description: match cx.since(DESCRIPTION) {
            true => server.nullable("description", 255)?,
            false => None,
        },
        access_ipv4: server.address("accessIPv4", false)?,
        access_ipv6: server.address("accessIPv6", true)?,
        disk_config: disk_config(&mut server)?,
        pinned_zone: match cx.since(SET_PINNED_ZONE) {
            true => server.nullable("pinned_availability_zone", 255)?,
            false => None,
        },
    };
    server.done()?;
    Ok(update)
}

/// A flavor's id: text, or a number.
pub(super) fn flavor_ref(value: &Value) -> Result<FlavorId, Fault> {
    match value {
        Value::Number(number) if number.as_u64().is_some() => {
            Ok(FlavorId::from(number.to_string()))
        }
        other => {
            let text = text("flavorRef", other, 1, 255)?;
            // Old clients send the flavor's URL.
            Ok(FlavorId::from(text.rsplit('/').next().unwrap_or_default()))
        }
    }
}

fn image_ref(server: &mut Fields<'_>) -> Result<Option<String>, Fault> {
    let Some(value) = server.raw("imageRef") else { return Ok(None) };
    match value.as_str() {
        Some("") => Ok(None),
        Some(text) if is_uuid_like(text.rsplit('/').next().unwrap_or_default()) => {
            Ok(text.rsplit('/').next().map(str::to_owned))
        }
        _ => Err(Fault::bad_request(format!("Invalid imageRef provided. ({value})"))),
    }
}

fn counts(server: &mut Fields<'_>) -> Result<(u32, u32), Fault> {
    let min = server.integer("min_count", 1, MOST_COUNT)?;
    let max = server.integer("max_count", 1, MOST_COUNT)?;
    let least = min.unwrap_or(1);
    let most = max.unwrap_or(least);
    if least > most {
        return Err(Fault::bad_request("min_count must be <= max_count"));
    }
    let count = |n: i64| u32::try_from(n).unwrap_or(u32::MAX);
    Ok((count(least), count(most)))
}

/// Which cards are asked for.
fn networks(cx: &Ctx, server: &mut Fields<'_>) -> Result<Wanted, Fault> {
    let Some(value) = server.raw("networks") else {
        return match cx.since(AUTO_NETWORKS) {
            true => Err(Fault::bad_request("'networks' is a required property")),
            false => Ok(Wanted::Unsaid),
        };
    };
    match value.as_str() {
        Some("none") if cx.since(AUTO_NETWORKS) => return Ok(Wanted::None),
        Some("auto") if cx.since(AUTO_NETWORKS) => return Ok(Wanted::Auto),
        _ => {}
    }
    let wanted = list("networks", value)?
        .iter()
        .map(|value| network(cx, value))
        .collect::<Result<Vec<_>, _>>()?;
    match wanted.is_empty() {
        true => Ok(Wanted::Unsaid),
        false => Ok(Wanted::These(wanted)),
    }
}

fn network(cx: &Ctx, value: &Value) -> Result<RequestedNetwork, Fault> {
    let mut network = Fields::of("networks", value)?;
    // nova: 2.33 to 2.36 took them too, 2.37 to 2.41 lost them by mistake
    let lost = cx.since(AUTO_NETWORKS) && !cx.since(DEVICE_TAGS_BACK);
    let fixed_ip = match network.raw("fixed_ip") {
        None | Some(Value::Null) => None,
        Some(value) => {
            let address = value.as_str().and_then(|t| t.parse::<std::net::IpAddr>().ok());
            let address = address.ok_or_else(|| wrong("fixed_ip", value, "not an IP address"))?;
            Some(address.to_string())
        }
    };
    let mut nullable_uuid = |key| match network.raw(key) {
        Some(Value::Null) => Ok(None),
        Some(value) => match value.as_str() {
            Some(text) if is_uuid_like(text) => Ok(Some(text.to_owned())),
            _ => Err(wrong(key, value, &format!("{value} is not a 'uuid'"))),
        },
        None => Ok(None),
    };
    let (uuid, port) = (nullable_uuid("uuid")?, nullable_uuid("port")?);
    let tag = match cx.since(DEVICE_TAGS) && !lost {
        true => network.text("tag", 1, 60)?,
        false => None,
    };
    network.done()?;
    if let Some(ip) = fixed_ip.as_ref().filter(|_| port.is_some()) {
        return Err(Fault::bad_request(format!(
            "Specified Fixed IP '{ip}' cannot be used with port '{}': the two cannot be specified \
             together.",
            port.unwrap_or_default()
        )));
    }
    if uuid.is_none() && port.is_none() {
        return Err(Fault::bad_request("Bad network format: missing 'uuid'"));
    }
    Ok(RequestedNetwork {
        network_id: uuid.map(Into::into),
        port_id: port.map(Into::into),
        fixed_ip,
        tag,
    })
}

fn security_groups(server: &mut Fields<'_>) -> Result<Vec<String>, Fault> {
    let Some(groups) = server.list("security_groups")? else { return Ok(Vec::new()) };
    groups
        .iter()
        .map(|value| {
            let group = Fields::of("security_groups", value)?.need_text("name", 1, 255)?;
            Ok(group)
        })
        .collect()
}

/// Local disks are what the flavor says; volumes are not there yet. Gives the image of a boot
/// device, where the request names it here only.
fn block_devices(server: &mut Fields<'_>, image: Option<&str>) -> Result<Option<String>, Fault> {
    let invalid = |why: &str| Fault::bad_request(format!("Block Device Mapping is Invalid: {why}"));
    if let Some(old) = server.list("block_device_mapping")?
        && !old.is_empty()
    {
        return Err(invalid("failed to get volume: there is no volume service."));
    }
    let Some(devices) = server.list("block_device_mapping_v2")? else { return Ok(None) };
    let mut boot: Option<String> = None;
    for value in devices {
        let mut device = Fields::of("block_device_mapping_v2", value)?;
        let source = device.word("source_type", &["volume", "image", "snapshot", "blank"])?;
        let target = device.word("destination_type", &["local", "volume"])?;
        let id = device.raw("uuid").and_then(Value::as_str).unwrap_or_default().to_owned();
        let boots = match device.raw("boot_index") {
            None | Some(Value::Null) => false,
            Some(value) => super::input::integer("boot_index", value, -1, i64::MAX)? == 0,
        };
        match (source, target.unwrap_or("volume")) {
            (Some("image"), "local") if boots => {
                if !is_uuid_like(&id) || image.is_some_and(|image| image != id) {
                    return Err(invalid(
                        "Boot sequence for the instance and image/block device mapping combination is not valid.",
                    ));
                }
                boot = Some(id);
            }
            (Some("blank"), "local") => {}
            (Some("image"), "local") => {
                return Err(invalid("Mapping image to local is not supported."));
            }
            (Some("snapshot"), _) => return Err(invalid(&format!("failed to get snapshot {id}."))),
            _ => return Err(invalid(&format!("failed to get volume {id}."))),
        }
    }
    Ok(boot)
}

/// User data: base64 within bounds. The outer `Option` is whether it was said.
pub(super) fn user_data(fields: &mut Fields<'_>) -> Result<Option<Option<String>>, Fault> {
    let Some(value) = fields.raw("user_data") else { return Ok(None) };
    if value.is_null() {
        return Ok(Some(None));
    }
    let data = text("user_data", value, 0, MOST_USER_DATA)?;
    let packed: String = data.chars().filter(|c| !c.is_whitespace()).collect();
    match STANDARD.decode(&packed) {
        Ok(_) => Ok(Some(Some(packed))),
        Err(_) => Err(wrong("user_data", value, "is not a 'base64'")),
    }
}

fn config_drive(server: &mut Fields<'_>) -> Result<bool, Fault> {
    match server.raw("config_drive") {
        None | Some(Value::Null) => Ok(false),
        Some(Value::String(text)) if text.is_empty() => Ok(false),
        Some(value) => super::input::flag("config_drive", value),
    }
}

pub(super) fn personality(fields: &mut Fields<'_>) -> Result<Option<Vec<(String, String)>>, Fault> {
    let Some(files) = fields.list("personality")? else { return Ok(None) };
    let file = |value: &Value| {
        let mut file = Fields::of("personality", value)?;
        let path = file.need_text("path", 1, 4096)?;
        let contents = file.need_text("contents", 0, 1 << 20)?;
        file.done()?;
        let packed: String = contents.chars().filter(|c| !c.is_whitespace()).collect();
        match STANDARD.decode(&packed) {
            Ok(_) => Ok((path, packed)),
            Err(_) => Err(wrong("contents", value, "is not a 'base64'")),
        }
    };
    files.iter().map(file).collect::<Result<Vec<_>, _>>().map(Some)
}

pub(super) fn disk_config(fields: &mut Fields<'_>) -> Result<Option<DiskConfig>, Fault> {
    let word = fields.word("OS-DCF:diskConfig", &["AUTO", "MANUAL"])?;
    Ok(word.and_then(DiskConfig::parse))
}

/// A host name: letters, digits and dashes; from 2.94 on with dots.
pub(super) fn hostname(cx: &Ctx, fields: &mut Fields<'_>) -> Result<Option<String>, Fault> {
    let Some(value) = fields.raw("hostname") else { return Ok(None) };
    let most = if cx.since(FQDN) { 255 } else { 63 };
    let text = text("hostname", value, 2, most)?;
    let edge = |c: char| c.is_ascii_alphanumeric();
    let inner = |c: char| edge(c) || c == '-' || (c == '.' && cx.since(FQDN));
    let fine = text.chars().all(inner) && text.starts_with(edge) && text.ends_with(edge);
    match fine {
        true => Ok(Some(text)),
        false => Err(wrong("hostname", value, &format!("{value} is not a 'hostname'"))),
    }
}

/// Certificates are checked with barbican, which is not here.
fn trusted_certs(server: &mut Fields<'_>) -> Result<(), Fault> {
    match server.raw("trusted_image_certificates") {
        None | Some(Value::Null) => Ok(()),
        Some(_) => Err(Fault::new(
            ErrorKind::BadRequest,
            "Image certificates are not validated in this cloud.",
        )),
    }
}

/// Tags: up to 50, each of 1 to 60 characters without slash and comma.
pub(super) fn tags(list: &[Value]) -> Result<Vec<String>, Fault> {
    if list.len() > 50 {
        return Err(Fault::bad_request("The number of tags exceeded the per-server limit 50"));
    }
    let mut tags: Vec<String> = Vec::new();
    for value in list {
        let tag = tag(value)?;
        if !tags.contains(&tag) {
            tags.push(tag);
        }
    }
    Ok(tags)
}

pub(super) fn tag(value: &Value) -> Result<String, Fault> {
    let tag = text("tag", value, 1, 60)?;
    match tag.contains(['/', ',']) {
        true => Err(wrong("tag", value, "does not match '^[^,/]*$'")),
        false => Ok(tag),
    }
}

type Hints = (std::collections::BTreeMap<String, Vec<String>>, serde_json::Map<String, Value>);

/// Hints under either of their names.
fn hints(outer: &mut Fields<'_>) -> Result<Hints, Fault> {
    let long = outer.raw("OS-SCH-HNT:scheduler_hints");
    let Some(value) = long.or(outer.raw("os:scheduler_hints")) else { return Ok(Hints::default()) };
    // Both are known, whichever was there.
    outer.raw("os:scheduler_hints");
    let map = value
        .as_object()
        .ok_or_else(|| wrong("scheduler_hints", value, "is not of type 'object'"))?;
    let mut hints = std::collections::BTreeMap::new();
    for (key, value) in map {
        let plain = |value: &Value| match value {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        let values: Vec<String> = match value {
            Value::Array(list) => list.iter().map(plain).collect(),
            other => vec![plain(other)],
        };
        let ids = matches!(key.as_str(), "group" | "same_host" | "different_host");
        if ids && values.iter().any(|id| !is_uuid_like(id)) {
            return Err(wrong(key, value, &format!("{value} is not a 'uuid'")));
        }
        hints.insert(key.clone(), values);
    }
    Ok((hints, map.clone()))
}

/// A name that an action gives.
pub(super) fn image_name(fields: &mut Fields<'_>) -> Result<String, Fault> {
    name("name", fields.need("name")?)
}
