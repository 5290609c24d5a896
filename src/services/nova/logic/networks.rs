//! A server's ports: which it gets, making them, giving them back.

use std::net::IpAddr;

use stackup_contracts::{Binding, NetworkInfo, NewPort, PortInfo, RequestedIp};
use stackup_core::{Ctx, ErrorKind, ServerId};

use crate::model::server::{RequestedGroup, RequestedNetwork, Server};
use crate::{Error, Nova};

/// What a request says about networks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// Nothing: the one network there is, or none where there is none.
    Unsaid,
    /// `auto`: the one network there is, and an error where there is none.
    Auto,
    /// `none`: no card.
    None,
    These(Vec<RequestedNetwork>),
}

/// Turns the wish into cards, with the rights of the one who asks.
///
/// Fails as nova does: 400 for what is not there, 409 for a port in use or several networks.
pub(crate) async fn resolve(
    nova: &Nova,
    cx: &Ctx,
    wanted: Wanted,
) -> Result<Vec<RequestedNetwork>, Error> {
    match wanted {
        Wanted::None => Ok(Vec::new()),
        Wanted::Unsaid => Ok(only_network(nova, cx).await?.into_iter().collect()),
        Wanted::Auto => match only_network(nova, cx).await? {
            Some(network) => Ok(vec![network]),
            None => Err(Error::invalid(format!(
                "Unable to automatically allocate a network for project {}",
                cx.project_id().map_or("", |id| id.as_str())
            ))),
        },
        Wanted::These(networks) => {
            let mut resolved: Vec<RequestedNetwork> = Vec::new();
            for network in networks {
                let network = check(nova, cx, network).await?;
                if network.port_id.is_some()
                    && resolved.iter().any(|other| other.port_id == network.port_id)
                {
                    return Err(Error::invalid("A port was specified twice"));
                }
                resolved.push(network);
            }
            Ok(resolved)
        }
    }
}

async fn only_network(nova: &Nova, cx: &Ctx) -> Result<Option<RequestedNetwork>, Error> {
    let mut networks = nova.hub.networks()?.available(cx).await?;
    networks.retain(|network| network.shared || !network.external);
    match networks.as_slice() {
        [] => Ok(None),
        [network] if network.subnets.is_empty() => Err(Error::invalid(format!(
            "Network {} requires a subnet in order to boot instances on.",
            network.id
        ))),
        [network] => Ok(Some(RequestedNetwork {
            network_id: Some(network.id.clone()),
            ..RequestedNetwork::default()
        })),
        _ => Err(Error::Conflict(
            "Multiple possible networks found, use a Network ID to be more specific.".to_owned(),
        )),
    }
}

async fn check(nova: &Nova, cx: &Ctx, wanted: RequestedNetwork) -> Result<RequestedNetwork, Error> {
    let networks = nova.hub.networks()?;
    if let Some(id) = &wanted.port_id {
        let port = networks.port(cx, id).await.map_err(|error| match error.kind {
            ErrorKind::NotFound => Error::invalid(format!("Port id {id} could not be found.")),
            _ => error.into(),
        })?;
        if !port.device_id.is_empty() {
            return Err(Error::Conflict(format!("Port {id} is still in use.")));
        }
        if port.network.subnets.is_empty() {
            return Err(Error::invalid(format!(
                "Port {id} requires a FixedIP in order to be used."
            )));
        }
        return Ok(RequestedNetwork { network_id: Some(port.network.id), ..wanted });
    }
    let Some(id) = &wanted.network_id else {
        return Err(Error::invalid("Unknown argument: network without uuid or port"));
    };
    let network = networks.network(cx, id).await.map_err(|error| match error.kind {
        ErrorKind::NotFound => Error::invalid(format!("Network {id} could not be found.")),
        _ => error.into(),
    })?;
    usable(nova, cx, &network)?;
    if let Some(text) = &wanted.fixed_ip {
        let address: IpAddr = text
            .parse()
            .map_err(|_| Error::invalid(format!("Invalid fixed IP address ({text})")))?;
        if !network.subnets.iter().any(|subnet| subnet.cidr.contains(&address)) {
            return Err(Error::invalid(format!(
                "Fixed IP address {text} is not a valid IP address for network {id}."
            )));
        }
    }
    Ok(wanted)
}

fn usable(nova: &Nova, cx: &Ctx, network: &NetworkInfo) -> Result<(), Error> {
    if network.subnets.is_empty() {
        return Err(Error::invalid(format!(
            "Network {} requires a subnet in order to boot instances on.",
            network.id
        )));
    }
    if network.external && !network.shared {
        let refused = || {
            Error::Forbidden(format!(
                "It is not allowed to create an interface on external network {}",
                network.id
            ))
        };
        nova.policy.check_own(cx, "network:attach_external_network").map_err(|_| refused())?;
    }
    Ok(())
}

/// The groups that a request names, by id.
pub(crate) async fn groups(
    nova: &Nova,
    cx: &Ctx,
    names: &[String],
) -> Result<Vec<RequestedGroup>, Error> {
    let mut groups: Vec<RequestedGroup> = Vec::new();
    for name in names {
        let group = nova.hub.networks()?.security_group(cx, name).await;
        let group = group.map_err(|error| match error.kind {
            ErrorKind::NotFound => Error::invalid(format!(
                "Security group {name} not found for project {}.",
                cx.project_id().map_or("", |id| id.as_str())
            )),
            ErrorKind::Conflict => Error::Conflict(format!(
                "Multiple security groups found matching '{name}'. Use an ID to be more specific."
            )),
            _ => error.into(),
        })?;
        if !groups.iter().any(|other| other.id == group.id) {
            groups.push(RequestedGroup { id: group.id, name: group.name });
        }
    }
    Ok(groups)
}

/// Makes and binds the server's ports, in order. Ports that are there from an earlier try are
/// taken as they are.
pub(crate) async fn allocate(
    nova: &Nova,
    cx: &Ctx,
    server: &Server,
    host: &str,
) -> Result<Vec<PortInfo>, Error> {
    if server.boot.networks.is_empty() {
        return Ok(Vec::new());
    }
    let mut ports = Vec::with_capacity(server.boot.networks.len());
    for wanted in &server.boot.networks {
        ports.push(one(nova, cx, server, host, wanted).await?);
    }
    Ok(ports)
}

/// Makes, or binds, the port of one card.
pub(crate) async fn one(
    nova: &Nova,
    cx: &Ctx,
    server: &Server,
    host: &str,
    wanted: &RequestedNetwork,
) -> Result<PortInfo, Error> {
    let networks = nova.hub.networks()?;
    let binding = binding(nova, server, host);
    let cx = &cx.elevated("nova");
    if let Some(port) = &wanted.port_id {
        return Ok(networks.bind_port(cx, port, binding).await?);
    }
    let Some(network_id) = wanted.network_id.clone() else {
        return Err(Error::invalid("a card without network or port"));
    };
    let address = wanted.fixed_ip.as_deref().and_then(|text| text.parse().ok());
    let groups: Vec<_> = server.boot.security_groups.iter().map(|g| g.id.clone()).collect();
    let new = NewPort {
        network_id,
        project_id: server.project_id.clone(),
        fixed_ips: address
            .map(|address| RequestedIp { subnet_id: None, address: Some(address) })
            .into_iter()
            .collect(),
        security_groups: (!groups.is_empty()).then_some(groups),
        binding,
    };
    Ok(networks.create_port(cx, new).await?)
}

fn binding(nova: &Nova, server: &Server, host: &str) -> Binding {
    let zone = server.zone.as_deref().unwrap_or(&nova.config.zone);
    Binding {
        server_id: server.id.clone(),
        device_owner: format!("compute:{zone}"),
        host: host.to_owned(),
        hostname: server.hostname.clone(),
    }
}

/// Takes the ports from the server: those it came with go back to their user, the others go.
pub(crate) async fn release(nova: &Nova, cx: &Ctx, server: &Server) -> Result<(), Error> {
    let networks = nova.hub.networks()?;
    let cx = &cx.elevated("nova");
    for port in networks.ports_of(cx, &server.id).await? {
        match server.keeps_port(&port.id) {
            true => networks.unbind_port(cx, &port.id).await?,
            false => networks.delete_port(cx, &port.id).await?,
        }
    }
    Ok(())
}

/// The server's ports.
pub(crate) async fn ports(nova: &Nova, cx: &Ctx, id: &ServerId) -> Result<Vec<PortInfo>, Error> {
    Ok(nova.hub.networks()?.ports_of(&cx.elevated("nova"), id).await?)
}

/// The ports of several servers.
pub(crate) async fn ports_of_all(
    nova: &Nova,
    cx: &Ctx,
    ids: &[ServerId],
) -> Result<Vec<PortInfo>, Error> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    Ok(nova.hub.networks()?.ports_of_all(&cx.elevated("nova"), ids).await?)
}

/// Binds a port of the server to another host.
pub(crate) async fn rebind(
    nova: &Nova,
    cx: &Ctx,
    server: &Server,
    host: &str,
    port: &stackup_core::PortId,
) -> Result<PortInfo, Error> {
    let networks = nova.hub.networks()?;
    Ok(networks.bind_port(&cx.elevated("nova"), port, binding(nova, server, host)).await?)
}
