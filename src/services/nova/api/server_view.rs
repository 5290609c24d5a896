//! What the wire shows of a server, by version and by who looks.

use std::collections::{BTreeMap, HashMap};

use serde_json::{Map, Value, json};
use stackup_contracts::PortInfo;
use stackup_core::{Ctx, ServerId, Time};
use stackup_policy::Target;

use super::{
    DESCRIPTION, EXTENDED_ATTRIBUTES, FLAVOR_INSIDE, GROUPS_IN_SERVER, HINTS, HOST_STATUS,
    HOSTNAME, IMAGE_PROPERTIES, LOCKED, LOCKED_REASON, PINNED_ZONE, TAGS, TRUSTED_CERTS, bookmark,
    links,
};
use crate::logic::{hosts, metadata, networks};
use crate::model::flavor::FlavorSize;
use crate::model::server::Server;
use crate::model::state::Status;
use crate::store::groups;
use crate::{Error, Nova};

/// What views need beside the servers, fetched once a list.
pub(super) struct Around {
    ports: HashMap<String, Vec<PortInfo>>,
    hosts: BTreeMap<String, hosts::Host>,
    /// The groups of servers, where the version shows them.
    groups: HashMap<ServerId, Vec<String>>,
    extended: bool,
    host_status: HostStatus,
    specs: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum HostStatus {
    All,
    UnknownOnly,
    None,
}

impl Around {
    /// Fetches it for these servers.
    pub(super) async fn of(nova: &Nova, cx: &Ctx, servers: &[Server]) -> Result<Self, Error> {
        let ids: Vec<ServerId> = servers
            .iter()
            .filter(|server| server.deleted_at.is_none())
            .map(|server| server.id.clone())
            .collect();
        let mut ports: HashMap<String, Vec<PortInfo>> = HashMap::new();
        for port in networks::ports_of_all(nova, cx, &ids).await? {
            ports.entry(port.device_id.clone()).or_default().push(port);
        }
        let may = |rule| nova.policy.check(cx, rule, &Target::own(&cx.caller)).is_ok();
        let host_status = match () {
            () if may("os_compute_api:servers:show:host_status") => HostStatus::All,
            () if may("os_compute_api:servers:show:host_status:unknown-only") => {
                HostStatus::UnknownOnly
            }
            () => HostStatus::None,
        };
        Ok(Self {
            ports,
            hosts: hosts::known(nova).await?,
            groups: HashMap::new(),
            extended: may("os_compute_api:os-extended-server-attributes"),
            host_status,
            specs: may("os_compute_api:servers:show:flavor-extra-specs"),
        })
    }

    /// Also the group of the one server: shown alone, not in lists.
    pub(super) async fn with_group(
        mut self,
        nova: &Nova,
        cx: &Ctx,
        server: &Server,
    ) -> Result<Self, Error> {
        if cx.since(GROUPS_IN_SERVER) {
            let id = server.id.to_string();
            let group =
                nova.db.read(move |r| groups::of_server(r, &id).map_err(Error::from)).await?;
            let ids = group.into_iter().map(|group| group.id).collect();
            self.groups.insert(server.id.clone(), ids);
        }
        Ok(self)
    }

    fn ports(&self, server: &Server) -> &[PortInfo] {
        self.ports.get(server.id.as_str()).map_or(&[], Vec::as_slice)
    }
}

/// id, name, links.
pub(super) fn brief(cx: &Ctx, server: &Server) -> Value {
    json!({
        "id": server.id,
        "name": server.name,
        "links": links(cx, "servers", &server.id),
    })
}

/// What every version shows: also the whole of an update before 2.75.
pub(super) fn basic(cx: &Ctx, server: &Server, around: &Around) -> Value {
    let status = server.status();
    let mut view = json!({
        "id": server.id,
        "name": server.name,
        "status": status,
        "tenant_id": server.project_id,
        "user_id": server.user_id,
        "metadata": server.metadata,
        "hostId": server.host_id(),
        "image": image(cx, server),
        "flavor": flavor(cx, &server.flavor, around.specs),
        "created": server.created_at.seconds_z(),
        "updated": server.updated_at.unwrap_or(server.created_at).seconds_z(),
        "addresses": addresses(around.ports(server), false),
        "accessIPv4": server.access_ipv4.as_deref().unwrap_or(""),
        "accessIPv6": server.access_ipv6.as_deref().unwrap_or(""),
        "links": links(cx, "servers", &server.id),
        "OS-DCF:diskConfig": server.disk_config,
    });
    if matches!(
        status,
        Status::Active
            | Status::Build
            | Status::Rebuild
            | Status::Resize
            | Status::VerifyResize
            | Status::Migrating
    ) {
        view["progress"] = json!(server.progress);
    }
    if matches!(status, Status::Error | Status::Deleted)
        && let Some(fault) = &server.fault
    {
        view["fault"] = json!({
            "code": fault.code, "created": fault.created, "message": fault.message
        });
        if cx.is_admin() && !fault.details.is_empty() {
            view["fault"]["details"] = json!(fault.details);
        }
    }
    if cx.since(DESCRIPTION) {
        view["description"] = json!(server.description);
    }
    if cx.since(LOCKED) {
        view["locked"] = json!(server.lock.is_some());
    }
    if cx.since(LOCKED_REASON) {
        view["locked_reason"] = json!(server.lock.as_ref().and_then(|lock| lock.reason.clone()));
    }
    if cx.since(TAGS) {
        view["tags"] = json!(server.tags);
    }
    if cx.since(TRUSTED_CERTS) {
        view["trusted_image_certificates"] = Value::Null;
    }
    if let Some(groups) = around.groups.get(&server.id) {
        view["server_groups"] = json!(groups);
    }
    if cx.since(HOSTNAME) {
        view["OS-EXT-SRV-ATTR:hostname"] = json!(server.hostname);
    }
    if cx.since(PINNED_ZONE) {
        view["pinned_availability_zone"] = json!(server.pinned_zone);
    }
    if cx.since(HINTS) {
        view["scheduler_hints"] = hints(server);
    }
    view
}

/// Everything.
pub(super) fn full(cx: &Ctx, server: &Server, around: &Around) -> Value {
    let mut view = basic(cx, server, around);
    view["addresses"] = addresses(around.ports(server), true);
    let zone = server.host.as_ref().and_then(|_| server.zone.clone());
    let rest = json!({
        "key_name": server.key.as_ref().map(|key| &key.name),
        "config_drive": if server.config_drive { "True" } else { "" },
        "OS-EXT-AZ:availability_zone": zone.unwrap_or_default(),
        "OS-EXT-STS:task_state": server.task_state,
        "OS-EXT-STS:vm_state": server.vm_state,
        "OS-EXT-STS:power_state": server.power_state.code(),
        "OS-SRV-USG:launched_at": server.launched_at.map(Time::micros),
        "OS-SRV-USG:terminated_at": server.terminated_at.map(Time::micros),
        "os-extended-volumes:volumes_attached": [],
    });
    merge(&mut view, rest);
    if let Some(groups) = security_groups(server, around.ports(server)) {
        view["security_groups"] = groups;
    }
    if around.extended {
        merge(&mut view, extended(cx, server));
    }
    if cx.since(HOST_STATUS)
        && let Some(status) = host_status(server, around)
    {
        view["host_status"] = json!(status);
    }
    view
}

fn extended(cx: &Ctx, server: &Server) -> Value {
    let property = |name: &str| {
        let image = server.image.as_ref();
        image.and_then(|image| image.properties.get(name)).cloned().unwrap_or_default()
    };
    let mut view = json!({
        "OS-EXT-SRV-ATTR:host": server.host,
        "OS-EXT-SRV-ATTR:hypervisor_hostname": server.host,
        "OS-EXT-SRV-ATTR:instance_name": server.instance_name(),
    });
    if cx.since(EXTENDED_ATTRIBUTES) {
        merge(
            &mut view,
            json!({
                "OS-EXT-SRV-ATTR:hostname": server.hostname,
                "OS-EXT-SRV-ATTR:launch_index": server.launch_index,
                "OS-EXT-SRV-ATTR:kernel_id": property("kernel_id"),
                "OS-EXT-SRV-ATTR:ramdisk_id": property("ramdisk_id"),
                "OS-EXT-SRV-ATTR:reservation_id": server.reservation_id,
                "OS-EXT-SRV-ATTR:root_device_name": metadata::root_device(server),
                "OS-EXT-SRV-ATTR:user_data": server.user_data,
            }),
        );
    }
    view
}

fn host_status(server: &Server, around: &Around) -> Option<&'static str> {
    let host = server.host.as_ref().and_then(|host| around.hosts.get(host));
    let status = match host {
        None if server.host.is_none() => "",
        None => "UNKNOWN",
        Some(host) if host.service.disabled => "MAINTENANCE",
        Some(host) if host.service.forced_down => "DOWN",
        Some(host) if host.up => "UP",
        Some(_) => "UNKNOWN",
    };
    match around.host_status {
        HostStatus::All => Some(status),
        HostStatus::UnknownOnly => Some(status).filter(|status| *status == "UNKNOWN"),
        HostStatus::None => None,
    }
}

fn image(cx: &Ctx, server: &Server) -> Value {
    let Some(image) = &server.image else { return json!("") };
    let mut view = json!({"id": image.id, "links": [bookmark(cx, "images", &image.id)]});
    if cx.since(IMAGE_PROPERTIES) {
        view["properties"] = json!(image.properties);
    }
    view
}

fn flavor(cx: &Ctx, flavor: &FlavorSize, specs: bool) -> Value {
    if !cx.since(FLAVOR_INSIDE) {
        return json!({"id": flavor.id, "links": [bookmark(cx, "flavors", &flavor.id)]});
    }
    let mut view = json!({
        "vcpus": flavor.vcpus,
        "ram": flavor.memory_mb,
        "disk": flavor.root_gb,
        "ephemeral": flavor.ephemeral_gb,
        "swap": flavor.swap_mb,
        "original_name": flavor.name,
    });
    if specs {
        view["extra_specs"] = json!(flavor.extra_specs);
    }
    view
}

/// Addresses by network; with MAC and kind where asked.
pub(super) fn addresses(ports: &[PortInfo], extended: bool) -> Value {
    let mut networks: Map<String, Value> = Map::new();
    for port in ports {
        let list =
            networks.entry(port.network.name.clone()).or_insert_with(|| Value::Array(Vec::new()));
        let Some(list) = list.as_array_mut() else { continue };
        for ip in &port.fixed_ips {
            let fixed = [(ip.address, "fixed")];
            let floating = ip.floating.iter().map(|address| (*address, "floating"));
            for (address, kind) in fixed.into_iter().chain(floating) {
                let version = if address.is_ipv6() { 6 } else { 4 };
                let mut entry = json!({"version": version, "addr": address.to_string()});
                if extended {
                    entry["OS-EXT-IPS:type"] = json!(kind);
                    entry["OS-EXT-IPS-MAC:mac_addr"] = json!(port.mac);
                }
                list.push(entry);
            }
        }
    }
    Value::Object(networks)
}

/// Names of the groups: of the ports, or while there are none of the request.
pub(super) fn security_groups(server: &Server, ports: &[PortInfo]) -> Option<Value> {
    if ports.is_empty() && server.host.is_none() {
        let asked: Vec<Value> = asked_groups(server);
        return Some(Value::Array(asked));
    }
    let mut names: Vec<&str> = Vec::new();
    let mut groups = Vec::new();
    for port in ports {
        // As neutron tells: a group on two ports is listed twice.
        for group in &port.security_groups {
            names.push(&group.name);
            groups.push(json!({"name": group.name}));
        }
    }
    (!names.is_empty()).then_some(Value::Array(groups))
}

/// The groups that a create answers with.
pub(super) fn asked_groups(server: &Server) -> Vec<Value> {
    match server.boot.security_groups.as_slice() {
        [] => vec![json!({"name": "default"})],
        groups => groups.iter().map(|group| json!({"name": group.name})).collect(),
    }
}

fn hints(server: &Server) -> Value {
    let listed = |value: &Value| match value {
        Value::Array(_) => value.clone(),
        other => json!([other]),
    };
    let hints = server.boot.raw_hints.iter();
    Value::Object(hints.map(|(name, value)| (name.clone(), listed(value))).collect())
}

fn merge(view: &mut Value, more: Value) {
    if let (Value::Object(view), Value::Object(more)) = (view, more) {
        view.extend(more);
    }
}
