//! Security groups by nova-network's old paths, until 2.35: neutron's, in the old words.

use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use serde_json::{Value, json};
use stackup_contracts::{
    CallError, IngressRule, NewIngressRule, RuleSource, SecurityGroupRules, WhichGroups,
};
use stackup_core::ErrorKind;
use stackup_core::ids::is_uuid_like;
use stackup_web::{Cx, Json, Query};

use super::input::{Fields, integer};
use crate::{Error, Nova};

type S = State<Arc<Nova>>;

pub(super) async fn index(State(nova): S, Cx(cx): Cx, query: Query) -> Result<Json<Value>, Error> {
    let number = |name: &str| {
        query.get(name).map(|text| integer(name, &json!(text), 0, i64::MAX)).transpose()
    };
    let (limit, offset) = (number("limit")?, number("offset")?);
    let all = cx.is_admin() && query.get("all_tenants").is_some_and(|text| !text.is_empty());
    let which = if all { WhichGroups::Visible } else { WhichGroups::OfProject };
    let found = nova.hub.networks()?.security_groups(&cx, which).await?;
    let count = |number: Option<i64>| number.and_then(|n| usize::try_from(n).ok());
    let page = found.iter().skip(count(offset).unwrap_or(0));
    let page = page.take(count(limit).unwrap_or(usize::MAX).min(nova.config.max_limit));
    Ok(Json(json!({"security_groups": page.map(group_view).collect::<Vec<_>>()})))
}

pub(super) async fn show(
    State(nova): S,
    Cx(cx): Cx,
    Path(id): Path<String>,
) -> Result<Json<Value>, Error> {
    let which = WhichGroups::This(group_id(&id)?.into());
    let found = nova.hub.networks()?.security_groups(&cx, which).await?;
    let group = found.first().ok_or_else(|| missing(&id))?;
    Ok(Json(json!({"security_group": group_view(group)})))
}

pub(super) async fn create(
    State(nova): S,
    Cx(cx): Cx,
    Json(body): Json<Value>,
) -> Result<Json<Value>, Error> {
    let (name, description) = words(&body)?;
    let made = nova.hub.networks()?.create_security_group(&cx, &name, &description).await;
    let group = made.map_err(refused)?;
    Ok(Json(json!({"security_group": group_view(&group)})))
}

pub(super) async fn update(
    State(nova): S,
    Cx(cx): Cx,
    Path(id): Path<String>,
    Json(body): Json<Value>,
) -> Result<Json<Value>, Error> {
    let id = group_id(&id)?.into();
    let (name, description) = words(&body)?;
    let changed = nova.hub.networks()?.update_security_group(&cx, &id, &name, &description).await;
    let group = changed.map_err(refused)?;
    Ok(Json(json!({"security_group": group_view(&group)})))
}

pub(super) async fn delete(
    State(nova): S,
    Cx(cx): Cx,
    Path(id): Path<String>,
) -> Result<StatusCode, Error> {
    let id = group_id(&id)?.into();
    nova.hub.networks()?.delete_security_group(&cx, &id).await.map_err(refused)?;
    Ok(StatusCode::ACCEPTED)
}

pub(super) async fn create_rule(
    State(nova): S,
    Cx(cx): Cx,
    Json(body): Json<Value>,
) -> Result<Json<Value>, Error> {
    let new = new_rule(&body)?;
    let networks = nova.hub.networks()?;
    // The groups are looked for before the rule is: a group that is not there is 404.
    networks.security_groups(&cx, WhichGroups::This(new.group_id.clone())).await?;
    let rule = networks.create_security_group_rule(&cx, new).await.map_err(refused)?;
    Ok(Json(json!({"security_group_rule": rule_view(&rule)})))
}

pub(super) async fn delete_rule(
    State(nova): S,
    Cx(cx): Cx,
    Path(id): Path<String>,
) -> Result<StatusCode, Error> {
    let id = group_id(&id)?;
    nova.hub.networks()?.delete_security_group_rule(&cx, id).await.map_err(refused)?;
    Ok(StatusCode::ACCEPTED)
}

fn missing(id: &str) -> Error {
    Error::NotFound(format!("Security group {id} not found."))
}

/// nova: what is no UUID is a bad request here, not something missing.
fn group_id(id: &str) -> Result<&str, Error> {
    if is_uuid_like(id) { Ok(id) } else { Err(Error::invalid("Security group id should be uuid")) }
}

/// nova tells conflicts of neutron's as bad requests, and a full quota as forbidden.
fn refused(error: CallError) -> Error {
    match error.kind {
        ErrorKind::Conflict if error.name == "OverQuota" => Error::OverQuota(error.message),
        ErrorKind::Conflict => Error::Invalid(error.message),
        _ => Error::Call(error),
    }
}

fn words(body: &Value) -> Result<(String, String), Error> {
    let mut group =
        Fields::of("security_group", Fields::of("body", body)?.need("security_group")?)?;
    Ok((group.need_text("name", 0, 255)?, group.need_text("description", 0, 255)?))
}

fn new_rule(body: &Value) -> Result<NewIngressRule, Error> {
    let mut outer = Fields::of("body", body)?;
    let mut rule = Fields::of("security_group_rule", outer.need("security_group_rule")?)?;
    let parent = group_id(rule.need("parent_group_id")?.as_str().unwrap_or_default())?;
    let given = |value: Option<&Value>| value.filter(|value| !value.is_null()).cloned();
    let source = match given(rule.raw("group_id")) {
        Some(id) => RuleSource::Group(group_id(id.as_str().unwrap_or_default())?.into()),
        None => cidr(given(rule.raw("cidr")).as_ref())?,
    };
    let protocol = match given(rule.raw("ip_protocol")) {
        Some(protocol) => Some(protocol_of(&protocol)?),
        None => None,
    };
    let mut port = |name: &'static str| -> Result<Option<i64>, Error> {
        let value = given(rule.raw(name));
        Ok(value.map(|value| integer(name, &value, -1, 65535)).transpose()?)
    };
    let (from, to) = (port("from_port")?, port("to_port")?);
    let open = matches!(source, RuleSource::Group(_));
    if !open && (protocol.is_none() || from.is_none() || to.is_none()) {
        return Err(Error::invalid("Not enough parameters to build a valid rule."));
    }
    let icmp = protocol.as_deref() == Some("icmp");
    if let (false, Some(from), Some(to)) = (icmp, from, to)
        && (from < 1 || to < from)
    {
        return Err(Error::invalid(format!("Invalid port range {from}:{to}.")));
    }
    // -1 is any type, or any code.
    let any = |port: Option<i64>| port.filter(|port| *port != -1);
    Ok(NewIngressRule { group_id: parent.into(), protocol, from: any(from), to: any(to), source })
}

fn protocol_of(value: &Value) -> Result<String, Error> {
    let name = value.as_str().unwrap_or_default().to_lowercase();
    if ["tcp", "udp", "icmp"].contains(&name.as_str()) {
        Ok(name)
    } else {
        Err(Error::invalid(format!("Invalid IP protocol {value}.")))
    }
}

/// Nothing is anywhere.
fn cidr(value: Option<&Value>) -> Result<RuleSource, Error> {
    let Some(value) = value else { return cidr(Some(&json!("0.0.0.0/0"))) };
    let text = value.as_str().unwrap_or_default();
    let address = text.parse::<IpAddr>().ok().map(Into::into);
    let net: ipnet::IpNet = address
        .or_else(|| text.parse().ok())
        .ok_or_else(|| Error::invalid(format!("Invalid cidr {value}.")))?;
    if net.prefix_len() == 0 && !net.addr().is_unspecified() {
        return Err(Error::invalid(format!("Bad prefix for network in cidr {text}")));
    }
    Ok(RuleSource::Cidr(net))
}

fn group_view(of: &SecurityGroupRules) -> Value {
    json!({
        "id": of.group.id,
        "name": of.group.name,
        "description": of.group.description,
        "tenant_id": of.group.project_id,
        "rules": of.ingress.iter().map(rule_view).collect::<Vec<_>>(),
    })
}

fn rule_view(rule: &IngressRule) -> Value {
    let (from, to) = match (rule.protocol.as_deref(), rule.from, rule.to) {
        (Some("tcp" | "udp"), None, None) => (Some(1), Some(65535)),
        (Some(_), None, None) => (Some(-1), Some(-1)),
        (_, from, to) => (from, to),
    };
    let (group, range) = match &rule.remote_group {
        Some(group) => (json!({"name": group.name, "tenant_id": group.project_id}), json!({})),
        None => (json!({}), json!({"cidr": rule.cidr.as_deref().unwrap_or("0.0.0.0/0")})),
    };
    json!({
        "id": rule.id,
        "parent_group_id": rule.group_id,
        "ip_protocol": rule.protocol,
        "from_port": from,
        "to_port": to,
        "group": group,
        "ip_range": range,
    })
}
