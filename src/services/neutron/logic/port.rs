//! Neutron, as the other services of the process see it.

use std::collections::HashMap;

use async_trait::async_trait;
use serde_json::{Value as Json, json};
use stackup_contracts::{
    Binding, CallError, FixedIp, IngressRule, NetworkInfo, Networks, NewIngressRule, NewPort,
    PortInfo, RequestedIp, SecurityGroupInfo, SecurityGroupRules, SubnetInfo, WhichGroups,
};
use stackup_core::{Ctx, ErrorKind, NetworkId, PortId, SecurityGroupId, ServerId, Value};
use stackup_store::Reader;
use uuid::Uuid;

use super::{Work, ports, quotas};
use crate::Neutron;
use crate::config::Config;
use crate::drivers::names;
use crate::error::{Error, Result};
use crate::model::{Fields, NETWORK, PORT, Record, SECURITY_GROUP, SECURITY_GROUP_RULE, SUBNET};
use crate::store::records::{self, equals};
use crate::store::{Filter, Listing, Scope, groups, links};

#[async_trait]
impl Networks for Neutron {
    #[tracing::instrument(skip_all)]
    async fn available(&self, cx: &Ctx) -> Result<Vec<NetworkInfo>, CallError> {
        let (scope, config) = (Scope::of(cx, &NETWORK), self.config.clone());
        let found = self.db.scan(move |r| {
            let mut networks = records::list(r, &NETWORK, &scope, &Listing::of(Vec::new()))?;
            networks.retain(|net| net.project_id() == scope.me || net.flag("shared"));
            infos(r, &networks, &config)
        });
        found.await.map_err(Error::call)
    }

    #[tracing::instrument(skip_all)]
    async fn network(&self, cx: &Ctx, id: &NetworkId) -> Result<NetworkInfo, CallError> {
        let (scope, config, id) = (Scope::of(cx, &NETWORK), self.config.clone(), id.to_string());
        let found = self.db.read(move |r| {
            let missing = || Error::NetworkNotFound(id.clone());
            let network = records::find(r, &NETWORK, &scope, &id)?.ok_or_else(missing)?;
            infos(r, &[network], &config)?.pop().ok_or_else(missing)
        });
        found.await.map_err(Error::call)
    }

    #[tracing::instrument(skip_all)]
    async fn port(&self, cx: &Ctx, id: &PortId) -> Result<PortInfo, CallError> {
        let (scope, config, id) = (Scope::of(cx, &PORT), self.config.clone(), id.to_string());
        let found = self.db.read(move |r| one(r, &scope, &id, &config));
        found.await.map_err(Error::call)
    }

    #[tracing::instrument(skip_all)]
    async fn ports_of(&self, cx: &Ctx, server: &ServerId) -> Result<Vec<PortInfo>, CallError> {
        self.ports_of_all(cx, std::slice::from_ref(server)).await
    }

    #[tracing::instrument(skip_all)]
    async fn ports_of_all(
        &self,
        cx: &Ctx,
        servers: &[ServerId],
    ) -> Result<Vec<PortInfo>, CallError> {
        let (scope, config) = (Scope::of(cx, &PORT), self.config.clone());
        if servers.is_empty() {
            return Ok(Vec::new());
        }
        let servers = servers.iter().map(|id| Value::Text(id.to_string())).collect();
        let of = Filter::OneOf { expression: "t.device_id", values: servers, null: false };
        let found = self.db.read(move |r| {
            let mut ports = records::list(r, &PORT, &scope, &Listing::of(vec![of]))?;
            ports.retain(|port| port.text("device_owner").starts_with("compute:"));
            // In the order they were made; the revision of a port does not change that.
            ports.sort_by(|a, b| a.text("created_at").cmp(b.text("created_at")));
            port_infos(r, &ports, &config)
        });
        found.await.map_err(Error::call)
    }

    #[tracing::instrument(skip_all)]
    async fn create_port(&self, cx: &Ctx, new: NewPort) -> Result<PortInfo, CallError> {
        let made = self.work(cx, move |w| {
            w.find(&NETWORK, &new.network_id)?;
            quotas::check(w, &PORT, &new.project_id, 1)?;
            let id = ports::create(w, fields_of(&new)?)?;
            one(w.reader(), &Scope::everything(), &id, w.config)
        });
        made.await.map_err(Error::call)
    }

    #[tracing::instrument(skip_all)]
    async fn bind_port(&self, cx: &Ctx, id: &PortId, to: Binding) -> Result<PortInfo, CallError> {
        let id = id.to_string();
        let bound = self.work(cx, move |w| {
            let port = w.find(&PORT, &id)?;
            let device = port.text("device_id");
            if !device.is_empty() && *device != *to.server_id {
                return Err(Error::PortInUse {
                    port: id.clone(),
                    network: port.text("network_id").to_owned(),
                    device: device.to_owned(),
                });
            }
            change(w, &port, binding(&to))?;
            one(w.reader(), &Scope::everything(), &id, w.config)
        });
        bound.await.map_err(Error::call)
    }

    #[tracing::instrument(skip_all)]
    async fn unbind_port(&self, cx: &Ctx, id: &PortId) -> Result<(), CallError> {
        let id = id.to_string();
        let unbound = self.work(cx, move |w| match w.find(&PORT, &id) {
            Ok(port) => change(
                w,
                &port,
                json!({
                    "device_id": "", "device_owner": "", "binding:host_id": "",
                    "binding:profile": {}, "hostname": null,
                }),
            ),
            Err(Error::PortNotFound(_)) => Ok(()),
            Err(error) => Err(error),
        });
        unbound.await.map_err(Error::call)
    }

    #[tracing::instrument(skip_all)]
    async fn delete_port(&self, cx: &Ctx, id: &PortId) -> Result<(), CallError> {
        let id = id.to_string();
        let gone = self.work(cx, move |w| match w.find(&PORT, &id) {
            Ok(port) => ports::delete(w, &port),
            Err(Error::PortNotFound(_)) => Ok(()),
            Err(error) => Err(error),
        });
        gone.await.map_err(Error::call)
    }

    #[tracing::instrument(skip_all)]
    async fn plugged(&self, _: &Ctx, id: &PortId) -> Result<(), CallError> {
        self.plug(id).await.map_err(Error::call)
    }

    #[tracing::instrument(skip_all)]
    async fn security_group(
        &self,
        cx: &Ctx,
        id_or_name: &str,
    ) -> Result<SecurityGroupInfo, CallError> {
        self.ensure_default_group(cx).await.map_err(Error::call)?;
        let (scope, wanted) = (Scope::of(cx, &SECURITY_GROUP), id_or_name.to_owned());
        let found = self.db.read(move |r| {
            if let Some(group) = records::find(r, &SECURITY_GROUP, &scope, &wanted)? {
                return Ok(vec![group]);
            }
            let named = Listing::of(vec![equals("t.name", &wanted)]);
            let mut groups = records::list(r, &SECURITY_GROUP, &scope, &named)?;
            groups.retain(|group| group.project_id() == scope.me);
            Ok::<_, Error>(groups)
        });
        let groups = found.await.map_err(Error::call)?;
        match groups.as_slice() {
            [group] => Ok(group_info(group)),
            [] => Err(Error::SecurityGroupNotFound(id_or_name.to_owned()).call()),
            _ => Err(CallError::new(
                ErrorKind::Conflict,
                "NoUniqueMatch",
                format!(
                    "Multiple security groups found matching '{id_or_name}'. Use an ID to be more \
                     specific."
                ),
            )),
        }
    }

    #[tracing::instrument(skip_all)]
    async fn set_security_groups(
        &self,
        cx: &Ctx,
        id: &PortId,
        groups: &[SecurityGroupId],
    ) -> Result<(), CallError> {
        let (id, groups) = (id.to_string(), groups.to_vec());
        let set = self.work(cx, move |w| {
            let port = w.find(&PORT, &id)?;
            change(w, &port, json!({"security_groups": groups}))
        });
        set.await.map_err(Error::call)
    }

    #[tracing::instrument(skip_all)]
    async fn security_groups(
        &self,
        cx: &Ctx,
        which: WhichGroups,
    ) -> Result<Vec<SecurityGroupRules>, CallError> {
        self.group_rules(cx, which).await.map_err(Error::call)
    }

    #[tracing::instrument(skip_all)]
    async fn create_security_group(
        &self,
        cx: &Ctx,
        name: &str,
        description: &str,
    ) -> Result<SecurityGroupRules, CallError> {
        self.add_group(cx, name, description).await.map_err(Error::call)
    }

    #[tracing::instrument(skip_all)]
    async fn update_security_group(
        &self,
        cx: &Ctx,
        id: &SecurityGroupId,
        name: &str,
        description: &str,
    ) -> Result<SecurityGroupRules, CallError> {
        self.rename_group(cx, id, name, description).await.map_err(Error::call)
    }

    #[tracing::instrument(skip_all)]
    async fn delete_security_group(&self, cx: &Ctx, id: &SecurityGroupId) -> Result<(), CallError> {
        self.delete(cx, &SECURITY_GROUP, id.as_str(), None).await.map_err(Error::call)
    }

    #[tracing::instrument(skip_all)]
    async fn create_security_group_rule(
        &self,
        cx: &Ctx,
        new: NewIngressRule,
    ) -> Result<IngressRule, CallError> {
        self.add_ingress(cx, new).await.map_err(Error::call)
    }

    #[tracing::instrument(skip_all)]
    async fn delete_security_group_rule(&self, cx: &Ctx, id: &str) -> Result<(), CallError> {
        self.delete(cx, &SECURITY_GROUP_RULE, id, None).await.map_err(Error::call)
    }
}

fn change(w: &mut Work<'_, '_>, port: &Record, values: Json) -> Result<()> {
    ports::update(w, port, Fields::own(values))
}

fn binding(to: &Binding) -> Json {
    json!({
        "device_id": to.server_id,
        "device_owner": to.device_owner,
        "binding:host_id": to.host,
        "hostname": to.hostname,
    })
}

fn fields_of(new: &NewPort) -> Result<Fields> {
    let mut port = json!({"network_id": new.network_id, "project_id": new.project_id});
    if !new.fixed_ips.is_empty() {
        let ips = new.fixed_ips.iter().map(|RequestedIp { subnet_id, address }| {
            json!({"subnet_id": subnet_id, "ip_address": address})
        });
        port["fixed_ips"] = ips.collect();
    }
    if let Some(groups) = &new.security_groups {
        port["security_groups"] = json!(groups);
    }
    let mut fields = Fields::create(&PORT, port)?;
    if let Json::Object(values) = binding(&new.binding) {
        for (name, value) in values {
            fields.set(&name, value);
        }
    }
    Ok(fields)
}

fn one(r: &Reader<'_>, scope: &Scope, id: &str, config: &Config) -> Result<PortInfo> {
    let missing = || Error::PortNotFound(id.to_owned());
    let port = records::find(r, &PORT, scope, id)?.ok_or_else(missing)?;
    port_infos(r, &[port], config)?.pop().ok_or_else(missing)
}

/// Networks with their subnets.
fn infos(r: &Reader<'_>, networks: &[Record], config: &Config) -> Result<Vec<NetworkInfo>> {
    if networks.is_empty() {
        return Ok(Vec::new());
    }
    let ids = networks.iter().map(|net| Value::Text(net.id().to_owned())).collect();
    let of = Filter::OneOf { expression: "t.network_id", values: ids, null: false };
    let mut subnets: HashMap<String, Vec<SubnetInfo>> = HashMap::new();
    for subnet in records::list(r, &SUBNET, &Scope::everything(), &Listing::of(vec![of]))? {
        let network = subnet.text("network_id").to_owned();
        subnets.entry(network).or_default().extend(subnet_info(&subnet, config));
    }
    let infos = networks.iter().map(|network| NetworkInfo {
        id: network.id().into(),
        name: network.text("name").to_owned(),
        project_id: network.project_id().into(),
        shared: network.flag("shared"),
        external: network.flag("router:external"),
        admin_state_up: network.flag("admin_state_up"),
        mtu: u32::try_from(network.int("mtu")).unwrap_or_default(),
        port_security: network.flag("port_security_enabled"),
        subnets: subnets.remove(network.id()).unwrap_or_default(),
    });
    Ok(infos.collect())
}

fn subnet_info(subnet: &Record, config: &Config) -> Option<SubnetInfo> {
    let texts = |name: &str| subnet.list(name).iter().filter_map(Json::as_str);
    let mut dns: Vec<_> = texts("dns_nameservers").filter_map(|ip| ip.parse().ok()).collect();
    if dns.is_empty() {
        dns.clone_from(&config.dns_servers);
    }
    let routes = subnet.list("host_routes").iter().filter_map(|route| {
        let text = |key: &str| route.get(key).and_then(Json::as_str);
        Some((text("destination")?.parse().ok()?, text("nexthop")?.parse().ok()?))
    });
    Some(SubnetInfo {
        id: subnet.id().into(),
        cidr: subnet.text("cidr").parse().ok()?,
        gateway: subnet.text("gateway_ip").parse().ok(),
        dhcp: subnet.flag("enable_dhcp"),
        dns,
        routes: routes.collect(),
        ipv6_address_mode: subnet.some_text("ipv6_address_mode").map(str::to_owned),
    })
}

pub(super) fn group_info(group: &Record) -> SecurityGroupInfo {
    SecurityGroupInfo {
        id: group.id().into(),
        name: group.text("name").to_owned(),
        description: group.text("description").to_owned(),
        project_id: group.project_id().into(),
    }
}

/// Ports with all that belongs to them.
fn port_infos(r: &Reader<'_>, ports: &[Record], config: &Config) -> Result<Vec<PortInfo>> {
    let mut ids: Vec<&str> = ports.iter().map(|port| port.text("network_id")).collect();
    ids.sort_unstable();
    ids.dedup();
    let of = Filter::OneOf {
        expression: "t.id",
        values: ids.into_iter().map(|id| Value::Text(id.to_owned())).collect(),
        null: false,
    };
    let networks = records::list(r, &NETWORK, &Scope::everything(), &Listing::of(vec![of]))?;
    let networks: HashMap<String, NetworkInfo> =
        infos(r, &networks, config)?.into_iter().map(|net| (net.id.to_string(), net)).collect();
    let ids: Vec<String> = ports.iter().map(|port| port.id().to_owned()).collect();
    let floating = links::floating_of_ports(r, &ids)?;
    let groups = groups::of_ports(r, &ids)?;
    let mut all = Vec::with_capacity(ports.len());
    for port in ports {
        let Some(network) = networks.get(port.text("network_id")) else {
            continue;
        };
        let mut info = port_info(port, network.clone(), &floating);
        let own = groups.iter().filter(|(of, _)| of == port.id());
        info.security_groups = own.map(|(_, group)| group.clone()).collect();
        all.push(info);
    }
    Ok(all)
}

fn port_info(
    port: &Record,
    network: NetworkInfo,
    floating: &[(String, String, String)],
) -> PortInfo {
    let text = |name: &str| port.text(name).to_owned();
    let ips = port.list("fixed_ips").iter().filter_map(|ip| {
        let part = |key: &str| ip.get(key).and_then(Json::as_str);
        let address = part("ip_address")?;
        let leads_here =
            floating.iter().filter(|(of, fixed, _)| of == port.id() && fixed == address);
        Some(FixedIp {
            subnet_id: part("subnet_id")?.into(),
            address: address.parse().ok()?,
            floating: leads_here.filter_map(|(_, _, outer)| outer.parse().ok()).collect(),
        })
    });
    PortInfo {
        id: port.id().into(),
        name: text("name"),
        network,
        project_id: port.project_id().into(),
        mac: text("mac_address"),
        fixed_ips: ips.collect(),
        security_groups: Vec::new(),
        device_id: text("device_id"),
        device_owner: text("device_owner"),
        admin_state_up: port.flag("admin_state_up"),
        status: text("status"),
        tap: Uuid::try_parse(port.id()).map(names::tap).unwrap_or_default(),
        vif_type: text("binding:vif_type"),
        vnic_type: text("binding:vnic_type"),
        tags: port.list("tags").iter().filter_map(Json::as_str).map(str::to_owned).collect(),
    }
}
