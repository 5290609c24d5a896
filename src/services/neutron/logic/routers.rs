//! Routers: their gateway, their interfaces, their routes.

use ipnet::IpNet;
use serde_json::{Value as Json, json};
use stackup_core::Ctx;
use std::net::IpAddr;

use super::access::{Touched, authorise};
use super::{Work, ports};
use crate::Neutron;
use crate::error::{Error, Result};
use crate::model::ipam::overlap;
use crate::model::port::{ACTIVE, ROUTER_GATEWAY, ROUTER_INTERFACE};
use crate::model::shape::Shape;
use crate::model::{Fields, NETWORK, PORT, ROUTER, Record, SUBNET};
use crate::store::{addresses, links};

pub(crate) fn create(w: &mut Work<'_, '_>, mut fields: Fields) -> Result<String> {
    one_host(&fields)?;
    let gateway = fields.take("external_gateway_info").unwrap_or(Json::Null);
    fields.set("status", ACTIVE);
    fields.set("routes", json!([]));
    fields.set("enable_snat", true);
    fields.set_default("distributed", false);
    let id = w.insert(&ROUTER, &mut fields)?;
    if !gateway.is_null() {
        let router = w.any(&ROUTER, &id)?;
        set_gateway(w, &router, &gateway)?;
    }
    Ok(id)
}

pub(crate) fn update(w: &mut Work<'_, '_>, before: &Record, mut fields: Fields) -> Result<()> {
    one_host(&fields)?;
    let moves = fields.flag("distributed").is_some_and(|new| new != before.flag("distributed"));
    if moves && before.flag("admin_state_up") {
        return Err(bad(
            "Cannot change the 'distributed' attribute of active routers. Please set \
             router admin_state_up to False prior to upgrade"
                .to_owned(),
        ));
    }
    if let Some(gateway) = fields.take("external_gateway_info") {
        set_gateway(w, before, &gateway)?;
    }
    if let Some(routes) = fields.list("routes") {
        check_routes(w, before.id(), routes)?;
    }
    w.update(&ROUTER, before.id(), &fields)
}

pub(crate) fn delete(w: &mut Work<'_, '_>, router: &Record) -> Result<()> {
    let id = router.id();
    let interfaces = links::ports_of_device(w.reader(), id, ROUTER_INTERFACE)?;
    if !interfaces.is_empty() || links::floating_of_router(w.reader(), id)? > 0 {
        return Err(Error::RouterInUse {
            router: id.to_owned(),
            reason: "still has ports".to_owned(),
        });
    }
    drop_gateway(w, router)?;
    w.delete(&ROUTER, id)
}

/// A router that survives its host needs another one.
fn one_host(fields: &Fields) -> Result<()> {
    match fields.flag("ha") {
        Some(true) => Err(Error::HANotEnoughAvailableAgents { needed: 2, there: 1 }),
        Some(false) | None => Ok(()),
    }
}

fn bad(message: String) -> Error {
    Error::BadRequest { resource: "router", message }
}

/// Gives the router this way out, or none.
fn set_gateway(w: &mut Work<'_, '_>, router: &Record, info: &Json) -> Result<()> {
    let old = router.get("external_gateway_info").get("network_id").and_then(Json::as_str);
    let new = info.get("network_id").and_then(Json::as_str);
    if let Some(old) = old.filter(|old| Some(*old) != new) {
        if links::floating_of_router(w.reader(), router.id())? > 0 {
            return Err(Error::RouterExternalGatewayInUseByFloatingIp {
                router: router.id().to_owned(),
                network: old.to_owned(),
            });
        }
        drop_gateway(w, router)?;
    }
    let Some(new) = new else {
        return w.set(&ROUTER, router.id(), &json!({"enable_snat": true}));
    };
    let snat = info.get("enable_snat").and_then(Json::as_bool);
    let ips = info.get("external_fixed_ips");
    if old == Some(new) {
        if let (Some(ips), Some(port)) = (ips, router.some_text("gateway_port_id")) {
            let port = w.any(&PORT, port)?;
            ports::update(w, &port, Fields::own(json!({"fixed_ips": ips})))?;
        }
    } else {
        let port = gateway_port(w, router, new, ips)?;
        w.set(&ROUTER, router.id(), &json!({"gateway_port_id": port}))?;
    }
    let snat = snat.unwrap_or(old != Some(new) || router.flag("enable_snat"));
    w.set(&ROUTER, router.id(), &json!({"enable_snat": snat}))
}

fn gateway_port(
    w: &mut Work<'_, '_>,
    router: &Record,
    network: &str,
    ips: Option<&Json>,
) -> Result<String> {
    let record = w.find(&NETWORK, network)?;
    if !record.flag("router:external") {
        return Err(bad(format!("Network {network} is not an external network")));
    }
    let connected = connected(w, router.id())?;
    for (subnet, cidr) in parsed(&links::subnets(w.reader(), network)?) {
        no_overlap(&connected, &subnet, cidr)?;
    }
    let mut port = json!({
        "network_id": network,
        "device_id": router.id(),
        "device_owner": ROUTER_GATEWAY,
        "binding:host_id": w.config.host,
        "security_groups": [],
        // Nobody's: its project does not pay for it, and does not see it.
        "project_id": "",
    });
    if let Some(ips) = ips {
        port["fixed_ips"] = ips.clone();
    }
    ports::create(w, Fields::create(&PORT, port)?)
}

fn drop_gateway(w: &mut Work<'_, '_>, router: &Record) -> Result<()> {
    let Some(port) = router.some_text("gateway_port_id") else {
        return Ok(());
    };
    w.set(&ROUTER, router.id(), &json!({"gateway_port_id": null}))?;
    ports::remove(w, port)
}

/// A subnet that a router has an address on.
struct Connected {
    port: String,
    subnet: String,
    cidr: IpNet,
    address: IpAddr,
}

/// Every inner interface of a router, by subnet.
fn connected(w: &Work<'_, '_>, router: &str) -> Result<Vec<Connected>> {
    let mut all = Vec::new();
    for port in links::ports_of_device(w.reader(), router, ROUTER_INTERFACE)? {
        connect(w, &port, &mut all)?;
    }
    Ok(all)
}

fn connect(w: &Work<'_, '_>, port: &str, all: &mut Vec<Connected>) -> Result<()> {
    for (subnet, address) in addresses::of_port(w.reader(), port)? {
        let record = w.any(&SUBNET, &subnet)?;
        if let Ok(cidr) = record.text("cidr").parse() {
            all.push(Connected { port: port.to_owned(), subnet, cidr, address });
        }
    }
    Ok(())
}

fn no_overlap(connected: &[Connected], subnet: &str, cidr: IpNet) -> Result<()> {
    for other in connected {
        if other.subnet == subnet {
            return Err(bad(format!("Router already has a port on subnet {subnet}")));
        }
        if overlap(&other.cidr, &cidr) {
            return Err(bad(format!(
                "Cidr {cidr} of subnet {subnet} overlaps with cidr {} of subnet {}",
                other.cidr, other.subnet
            )));
        }
    }
    Ok(())
}

fn parsed(subnets: &[(String, String)]) -> Vec<(String, IpNet)> {
    let nets = subnets.iter().filter_map(|(id, cidr)| Some((id.clone(), cidr.parse().ok()?)));
    nets.collect()
}

/// A next hop must be a neighbour, and not the router itself.
fn check_routes(w: &Work<'_, '_>, router: &str, routes: &[Json]) -> Result<()> {
    let mut known = connected(w, router)?;
    for port in links::ports_of_device(w.reader(), router, ROUTER_GATEWAY)? {
        connect(w, &port, &mut known)?;
    }
    for route in routes {
        let nexthop = crate::model::shape::address(route.get("nexthop").unwrap_or(&Json::Null));
        let wrong = |reason: &str| {
            Err(Error::InvalidRoutes { routes: route.to_string(), reason: reason.to_owned() })
        };
        if !known.iter().any(|one| one.cidr.contains(&nexthop)) {
            return wrong("the nexthop is not connected with router");
        }
        if known.iter().any(|one| one.address == nexthop) {
            return wrong("the nexthop is used by router");
        }
    }
    Ok(())
}

impl Neutron {
    pub(crate) async fn add_interface(&self, cx: &Ctx, router: &str, body: &Json) -> Result<Json> {
        let named = Named::read(body)?;
        let router = router.to_owned();
        self.work(cx, move |w| {
            let router = w.find(&ROUTER, &router)?;
            authorise(w, "update", &ROUTER, &Touched::existing(&router, None), None)?;
            add_interface(w, &router, &named)
        })
        .await
    }

    pub(crate) async fn remove_interface(
        &self,
        cx: &Ctx,
        router: &str,
        body: &Json,
    ) -> Result<Json> {
        let named = Named::read(body)?;
        let router = router.to_owned();
        self.work(cx, move |w| {
            let router = w.find(&ROUTER, &router)?;
            authorise(w, "update", &ROUTER, &Touched::existing(&router, None), None)?;
            remove_interface(w, &router, &named)
        })
        .await
    }

    /// Adds routes to a router's own, or takes some away.
    pub(crate) async fn change_routes(
        &self,
        cx: &Ctx,
        router: &str,
        body: &Json,
        add: bool,
    ) -> Result<Record> {
        let given = body.get("router").and_then(|router| router.get("routes")).cloned();
        let given = given
            .ok_or_else(|| Error::BadBody("Unable to find 'routes' in request body".to_owned()))?;
        let given = Shape::Routes
            .accept(given)
            .map_err(|reason| Error::InvalidAttribute { attribute: "routes".to_owned(), reason })?;
        let given = given.as_array().cloned().unwrap_or_default();
        let router = router.to_owned();
        self.work(cx, move |w| {
            let router = w.find(&ROUTER, &router)?;
            authorise(w, "update", &ROUTER, &Touched::existing(&router, None), None)?;
            let mut routes = router.list("routes").to_vec();
            routes.retain(|route| !given.contains(route));
            if add {
                routes.extend(given.iter().cloned());
                check_routes(w, router.id(), &routes)?;
            }
            w.update(&ROUTER, router.id(), &Fields::own(json!({"routes": routes})))?;
            w.any(&ROUTER, router.id())
        })
        .await
    }
}

/// The interface that a request names: by subnet, by port, or by both.
#[derive(Debug, Clone)]
pub(crate) struct Named {
    subnet: Option<String>,
    port: Option<String>,
}

impl Named {
    fn read(body: &Json) -> Result<Self> {
        let id = |key: &str| match body.get(key) {
            None | Some(Json::Null) => Ok(None),
            Some(value) => match Shape::Uuid.accept(value.clone()) {
                Ok(id) => Ok(id.as_str().map(str::to_owned)),
                Err(reason) => Err(bad(format!("Invalid input for {key}. Reason: {reason}"))),
            },
        };
        let named = Self { subnet: id("subnet_id")?, port: id("port_id")? };
        if named.subnet.is_none() && named.port.is_none() {
            return Err(bad("Either subnet_id or port_id must be specified".to_owned()));
        }
        Ok(named)
    }
}

pub(crate) fn interface_of_subnet(subnet: &str) -> Named {
    Named { subnet: Some(subnet.to_owned()), port: None }
}

pub(crate) fn add_interface(w: &mut Work<'_, '_>, router: &Record, named: &Named) -> Result<Json> {
    let port = match (&named.subnet, &named.port) {
        (Some(_), Some(_)) => {
            return Err(bad("Cannot specify both subnet-id and port-id".to_owned()));
        }
        (Some(subnet), None) => by_subnet(w, router, subnet)?,
        (None, Some(port)) => by_port(w, router, port)?,
        (None, None) => {
            return Err(bad("Either subnet_id or port_id must be specified".to_owned()));
        }
    };
    w.revise(&ROUTER, router.id())?;
    let subnet = named.subnet.as_deref();
    answer(w, router, &port, subnet)
}

fn by_subnet(w: &mut Work<'_, '_>, router: &Record, subnet: &str) -> Result<String> {
    let record = w.find(&SUBNET, subnet)?;
    let Some(gateway) = record.some_text("gateway_ip") else {
        let message = "Subnet for router interface must have a gateway IP";
        return Err(bad(message.to_owned()));
    };
    let cidr: IpNet =
        record.text("cidr").parse().map_err(|_| bad(format!("subnet {subnet} has no cidr")))?;
    check_new(w, router, subnet, cidr)?;
    let network = record.text("network_id");
    let ip = json!({"subnet_id": subnet, "ip_address": gateway});
    // IPv6 subnets of one network share one interface.
    if cidr.addr().is_ipv6()
        && let Some(port) = ipv6_interface(w, router.id(), network)?
    {
        let mut ips = port.list("fixed_ips").to_vec();
        ips.push(ip);
        ports::update(w, &port, Fields::own(json!({"fixed_ips": ips})))?;
        return Ok(port.id().to_owned());
    }
    let port = json!({
        "network_id": network,
        "project_id": router.project_id(),
        "device_id": router.id(),
        "device_owner": ROUTER_INTERFACE,
        "binding:host_id": w.config.host,
        "security_groups": [],
        "fixed_ips": [ip],
    });
    super::quotas::check(w, &PORT, router.project_id(), 1)?;
    ports::create(w, Fields::create(&PORT, port)?)
}

/// The new subnet must not touch what the router is connected to, inside or outside.
fn check_new(w: &Work<'_, '_>, router: &Record, subnet: &str, cidr: IpNet) -> Result<()> {
    no_overlap(&connected(w, router.id())?, subnet, cidr)?;
    let mut outside = Vec::new();
    for port in links::ports_of_device(w.reader(), router.id(), ROUTER_GATEWAY)? {
        connect(w, &port, &mut outside)?;
    }
    no_overlap(&outside, subnet, cidr)
}

fn ipv6_interface(w: &Work<'_, '_>, router: &str, network: &str) -> Result<Option<Record>> {
    for port in links::ports_of_device(w.reader(), router, ROUTER_INTERFACE)? {
        let port = w.any(&PORT, &port)?;
        let v6 = port.list("fixed_ips").iter().all(|ip| {
            ip.get("ip_address").and_then(Json::as_str).is_some_and(|text| text.contains(':'))
        });
        if v6 && port.text("network_id") == network {
            return Ok(Some(port));
        }
    }
    Ok(None)
}

fn by_port(w: &mut Work<'_, '_>, router: &Record, port: &str) -> Result<String> {
    let port = w.find(&PORT, port)?;
    if let Some(device) = port.some_text("device_id") {
        return Err(Error::PortInUse {
            port: port.id().to_owned(),
            network: port.text("network_id").to_owned(),
            device: device.to_owned(),
        });
    }
    let ips = addresses::of_port(w.reader(), port.id())?;
    if ips.is_empty() {
        return Err(bad("Router port must have at least one fixed IP".to_owned()));
    }
    if ips.iter().filter(|(_, address)| address.is_ipv4()).count() > 1 {
        let message = "Cannot have multiple IPv4 subnets on router port";
        return Err(bad(message.to_owned()));
    }
    for (subnet, _) in &ips {
        let record = w.any(&SUBNET, subnet)?;
        if let Ok(cidr) = record.text("cidr").parse() {
            check_new(w, router, subnet, cidr)?;
        }
    }
    let fields = json!({
        "device_id": router.id(),
        "device_owner": ROUTER_INTERFACE,
        "binding:host_id": w.config.host,
        "security_groups": [],
    });
    ports::update(w, &port, Fields::own(fields))?;
    Ok(port.id().to_owned())
}

fn remove_interface(w: &mut Work<'_, '_>, router: &Record, named: &Named) -> Result<Json> {
    let all = connected(w, router.id())?;
    let found = match (&named.port, &named.subnet) {
        (Some(port), _) => all.iter().find(|one| one.port == *port),
        (None, Some(subnet)) => all.iter().find(|one| one.subnet == *subnet),
        (None, None) => None,
    };
    let Some(found) = found else {
        let router = router.id().to_owned();
        return Err(match (&named.port, &named.subnet) {
            (Some(port), _) => Error::RouterInterfaceNotFound { router, port: port.clone() },
            (None, subnet) => Error::RouterInterfaceNotFoundForSubnet {
                router,
                subnet: subnet.clone().unwrap_or_default(),
            },
        });
    };
    let of_port: Vec<&Connected> = all.iter().filter(|one| one.port == found.port).collect();
    if let (Some(_), Some(subnet)) = (&named.port, &named.subnet)
        && !of_port.iter().any(|one| one.subnet == *subnet)
    {
        return Err(Error::SubnetMismatchForPort {
            port: found.port.clone(),
            subnet: subnet.clone(),
        });
    }
    // By subnet, only that subnet leaves an interface that has several.
    let leaving: Vec<&Connected> = match &named.port {
        Some(_) => of_port.clone(),
        None => vec![found],
    };
    for one in &leaving {
        not_needed(w, router, one)?;
    }
    let view = answer(w, router, &found.port, Some(&found.subnet))?;
    if leaving.len() == of_port.len() {
        ports::remove(w, &found.port)?;
    } else {
        let rest = of_port.iter().filter(|one| one.subnet != found.subnet);
        let ips: Vec<Json> = rest
            .map(|one| json!({"subnet_id": one.subnet, "ip_address": one.address.to_string()}))
            .collect();
        let port = w.any(&PORT, &found.port)?;
        ports::update(w, &port, Fields::own(json!({"fixed_ips": ips})))?;
    }
    w.revise(&ROUTER, router.id())?;
    Ok(view)
}

fn not_needed(w: &Work<'_, '_>, router: &Record, one: &Connected) -> Result<()> {
    if links::floating_behind(w.reader(), router.id(), &one.subnet)? > 0 {
        return Err(Error::RouterInterfaceInUseByFloatingIP {
            router: router.id().to_owned(),
            subnet: one.subnet.clone(),
        });
    }
    let hops = router.list("routes").iter().filter_map(|route| route.get("nexthop"));
    if hops.map(crate::model::shape::address).any(|hop| one.cidr.contains(&hop)) {
        return Err(Error::RouterInterfaceInUseByRoute {
            router: router.id().to_owned(),
            subnet: one.subnet.clone(),
        });
    }
    Ok(())
}

fn answer(w: &Work<'_, '_>, router: &Record, port: &str, subnet: Option<&str>) -> Result<Json> {
    let port = w.any(&PORT, port)?;
    let ips = addresses::of_port(w.reader(), port.id())?;
    let subnets: Vec<&str> = match subnet {
        Some(subnet) => vec![subnet],
        None => ips.iter().map(|(subnet, _)| subnet.as_str()).collect(),
    };
    Ok(json!({
        "id": router.id(),
        "tenant_id": router.project_id(),
        "project_id": router.project_id(),
        "port_id": port.id(),
        "network_id": port.get("network_id"),
        "subnet_id": subnets.first(),
        "subnet_ids": subnets,
        "tags": router.get("tags"),
    }))
}
