//! What a value must be: taken from a body, kept in a column, compared in a filter.

use std::net::{IpAddr, Ipv4Addr};

use ipnet::IpNet;
use serde_json::{Map, Value as Json, json};
use stackup_core::{Time, Value, ids};

use crate::drivers::Mac;

/// The shape of an attribute's value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    /// At most so many characters.
    Text(usize),
    /// The same, not empty.
    NotEmpty(usize),
    TextOrNull(usize),
    Uuid,
    UuidOrNull,
    Flag,
    Int(i64, i64),
    IntOrNull(i64, i64),
    Word(&'static [&'static str]),
    WordOrNull(&'static [&'static str]),
    CidrOrNull,
    IpOrNull,
    Mac,
    /// An IP protocol by name or number; null is any.
    Protocol,
    /// 4 or 6.
    IpVersion,
    Dict,
    Words,
    Uuids,
    Cidrs,
    /// `[{"start", "end"}]`
    Pools,
    /// `[{"destination", "nexthop"}]`
    Routes,
    /// Addresses of name servers.
    Ips,
    /// `[{"subnet_id", "ip_address"}]`, each with one of them or both.
    FixedIps,
    /// `[{"ip_address", "mac_address"}]`
    AddressPairs,
    /// `[{"opt_name", "opt_value", "ip_version"}]`
    DhcpOpts,
    /// `{"network_id", "enable_snat", "external_fixed_ips"}`, or nothing.
    Gateway,
    Tags,
    Time,
    /// Only shown, never taken.
    Shown,
}

type Reason = String;

impl Shape {
    /// Whether the value is a list or an object, kept as JSON.
    pub(crate) fn is_structured(self) -> bool {
        matches!(
            self,
            Shape::Dict
                | Shape::Words
                | Shape::Uuids
                | Shape::Cidrs
                | Shape::Pools
                | Shape::Routes
                | Shape::Ips
                | Shape::FixedIps
                | Shape::AddressPairs
                | Shape::DhcpOpts
                | Shape::Gateway
                | Shape::Tags
                | Shape::Shown
        )
    }

    /// The value in its canonical form. The error is the reason, in upstream's words.
    pub(crate) fn accept(self, value: Json) -> Result<Json, Reason> {
        match self {
            Shape::Text(max) => text(value, max),
            Shape::NotEmpty(max) => not_empty(value, max),
            Shape::TextOrNull(max) => or_null(value, |value| text(value, max)),
            Shape::Uuid => uuid(value),
            Shape::UuidOrNull => or_null(value, uuid),
            Shape::Flag => flag(&value),
            Shape::Int(min, max) => int(&value, min, max),
            Shape::IntOrNull(min, max) => or_null(value, |value| int(&value, min, max)),
            Shape::IpVersion => int(&value, 4, 6).and_then(|value| match value.as_i64() {
                Some(5) => Err("'5' is not in [4, 6]".to_owned()),
                _ => Ok(value),
            }),
            Shape::Word(words) => word(value, words),
            Shape::WordOrNull(words) => or_null(value, |value| word(value, words)),
            Shape::CidrOrNull => or_null(value, |value| cidr(&value)),
            Shape::IpOrNull => or_null(value, |value| ip(&value)),
            Shape::Mac => mac(&value),
            Shape::Protocol => or_null(value, |value| protocol(&value)),
            Shape::Dict => match value {
                Json::Null => Ok(json!({})),
                Json::Object(_) => Ok(value),
                other => Err(format!("'{}' is not a dictionary", shown(&other))),
            },
            Shape::Words => list(value, |value| text(value, 255)),
            Shape::Uuids => list(value, uuid).and_then(unique),
            Shape::Cidrs => list(value, |value| cidr(&value)),
            Shape::Ips => list(value, |value| ip(&value)).and_then(unique),
            Shape::Tags => list(value, tag).map(|tags| json!(sorted(tags))),
            Shape::Pools => list(value, pool),
            Shape::Routes => list(value, route).and_then(unique),
            Shape::FixedIps => list(value, fixed_ip).and_then(unique),
            Shape::AddressPairs => list(value, address_pair),
            Shape::DhcpOpts => list(value, dhcp_opt),
            Shape::Gateway => gateway(value),
            Shape::Time | Shape::Shown => Err("it cannot be set".to_owned()),
        }
    }

    /// The value of a filter, as the column holds it; `None` when nothing can equal it.
    pub(crate) fn filter(self, text: &str) -> Option<Value> {
        match self {
            Shape::Flag => match flag(&json!(text)) {
                Ok(value) => Some(Value::Int(i64::from(value == json!(true)))),
                Err(_) => None,
            },
            Shape::Int(..) | Shape::IntOrNull(..) | Shape::IpVersion => {
                text.parse().ok().map(Value::Int)
            }
            Shape::CidrOrNull => Some(canonical(text, |t| cidr(&json!(t)))),
            Shape::IpOrNull => Some(canonical(text, |t| ip(&json!(t)))),
            Shape::Mac => Some(Value::Text(text.to_ascii_lowercase())),
            _ => Some(Value::Text(text.to_owned())),
        }
    }

    /// The canonical value as a column.
    pub(crate) fn column(self, value: &Json) -> Value {
        match value {
            Json::Null => Value::Null,
            _ if self.is_structured() => Value::Text(value.to_string()),
            Json::Bool(flag) => Value::Int(i64::from(*flag)),
            Json::Number(number) => number.as_i64().map_or(Value::Null, Value::Int),
            Json::String(text) => Value::Text(text.clone()),
            Json::Array(_) | Json::Object(_) => Value::Text(value.to_string()),
        }
    }

    /// The column as the API shows it.
    pub(crate) fn show(self, column: Value) -> Json {
        match (self, column) {
            (_, Value::Null) => Json::Null,
            (Shape::Flag, Value::Int(int)) => json!(int != 0),
            (_, Value::Int(int)) => json!(int),
            (_, Value::Real(real)) => json!(real),
            (Shape::Time, Value::Text(text)) => {
                json!(Time::parse(&text).map_or(text, Time::seconds_z))
            }
            (shape, Value::Text(text)) if shape.is_structured() => {
                serde_json::from_str(&text).unwrap_or(Json::Null)
            }
            (_, Value::Text(text)) => Json::String(text),
            (_, Value::Bytes(_)) => Json::Null,
        }
    }
}

/// A value as upstream's complaints show it.
pub(crate) fn shown(value: &Json) -> String {
    match value {
        Json::Null => "None".to_owned(),
        Json::Bool(true) => "True".to_owned(),
        Json::Bool(false) => "False".to_owned(),
        Json::String(text) => text.clone(),
        other => other.to_string(),
    }
}

fn canonical(text: &str, read: impl Fn(&str) -> Result<Json, Reason>) -> Value {
    let read = read(text).ok();
    Value::Text(match read.as_ref().and_then(Json::as_str) {
        Some(canonical) => canonical.to_owned(),
        None => text.to_owned(),
    })
}

fn or_null(value: Json, read: impl Fn(Json) -> Result<Json, Reason>) -> Result<Json, Reason> {
    if value.is_null() { Ok(value) } else { read(value) }
}

fn text(value: Json, max: usize) -> Result<Json, Reason> {
    match &value {
        Json::String(text) if text.chars().count() > max => {
            Err(format!("'{text}' exceeds maximum length of {max}"))
        }
        // Neither engine keeps a NUL in a text.
        Json::String(text) if text.contains('\0') => Err(format!("'{text}' is not a valid string")),
        Json::String(_) => Ok(value),
        other => Err(format!("'{}' is not a valid string", shown(other))),
    }
}

fn not_empty(value: Json, max: usize) -> Result<Json, Reason> {
    let value = text(value, max)?;
    let blank = value.as_str().is_none_or(|text| text.trim().is_empty());
    if blank {
        Err(format!("'{}' Blank strings are not permitted", shown(&value)))
    } else {
        Ok(value)
    }
}

fn uuid(value: Json) -> Result<Json, Reason> {
    match value.as_str() {
        Some(text) if ids::is_uuid_like(text) => Ok(value),
        _ => Err(format!("'{}' is not a valid UUID", shown(&value))),
    }
}

fn flag(value: &Json) -> Result<Json, Reason> {
    let read = match value {
        Json::Bool(flag) => Some(*flag),
        Json::Number(number) => match number.as_i64() {
            Some(0) => Some(false),
            Some(1) => Some(true),
            _ => None,
        },
        Json::String(text) => match text.to_ascii_lowercase().as_str() {
            "true" | "1" => Some(true),
            "false" | "0" => Some(false),
            _ => None,
        },
        Json::Null | Json::Array(_) | Json::Object(_) => None,
    };
    read.map(Json::Bool).ok_or_else(|| format!("'{}' cannot be converted to boolean", shown(value)))
}

fn int(value: &Json, min: i64, max: i64) -> Result<Json, Reason> {
    let read = match value {
        Json::Number(number) => number.as_i64(),
        Json::String(text) => text.trim().parse().ok(),
        Json::Null | Json::Bool(_) | Json::Array(_) | Json::Object(_) => None,
    };
    let int = read.ok_or_else(|| format!("'{}' is not an integer", shown(value)))?;
    if int < min {
        Err(format!("'{int}' is too small - must be at least '{min}'"))
    } else if int > max {
        Err(format!("'{int}' is too large - must be no larger than '{max}'"))
    } else {
        Ok(json!(int))
    }
}

fn word(value: Json, words: &[&str]) -> Result<Json, Reason> {
    match value.as_str() {
        Some(text) if words.contains(&text) => Ok(value),
        _ => Err(format!("'{}' is not in ['{}']", shown(&value), words.join("', '"))),
    }
}

fn ip(value: &Json) -> Result<Json, Reason> {
    let read = value.as_str().and_then(|text| text.parse::<IpAddr>().ok());
    read.map(|ip| json!(ip.to_string()))
        .ok_or_else(|| format!("'{}' is not a valid IP address", shown(value)))
}

/// Host bits must be zero, as upstream has it; a bare address is a prefix of its own.
fn cidr(value: &Json) -> Result<Json, Reason> {
    let wrong = || format!("'{}' is not a valid IP subnet", shown(value));
    let text = value.as_str().ok_or_else(wrong)?;
    let net: IpNet = match text.parse::<IpAddr>() {
        Ok(ip) => ip.into(),
        Err(_) => text.parse().map_err(|_| wrong())?,
    };
    if net.addr() != net.network() {
        return Err(format!(
            "'{text}' isn't a recognized IP subnet cidr, '{}' is recommended",
            net.trunc()
        ));
    }
    Ok(json!(net.to_string()))
}

fn mac(value: &Json) -> Result<Json, Reason> {
    let wrong = || format!("'{}' is not a valid MAC address", shown(value));
    let text = value.as_str().ok_or_else(wrong)?.replace('-', ":");
    let mac: Mac = text.parse().map_err(|_| wrong())?;
    let multicast = mac.0.first().is_some_and(|first| first & 1 == 1);
    if multicast || mac.0 == [0; 6] {
        return Err(wrong());
    }
    Ok(json!(mac.to_string()))
}

fn protocol(value: &Json) -> Result<Json, Reason> {
    match value {
        Json::Number(number) if number.is_i64() => Ok(json!(number.to_string())),
        Json::String(text) => Ok(json!(text.to_ascii_lowercase())),
        other => Err(format!("'{}' is not a valid protocol", shown(other))),
    }
}

fn tag(value: Json) -> Result<Json, Reason> {
    let value = not_empty(value, 255)?;
    let slash = value.as_str().is_some_and(|text| text.contains([',', '/']));
    if slash { Err(format!("'{}' may not contain ',' or '/'", shown(&value))) } else { Ok(value) }
}

fn sorted(tags: Json) -> Vec<String> {
    let mut tags: Vec<String> = serde_json::from_value(tags).unwrap_or_default();
    tags.sort();
    tags.dedup();
    tags
}

fn list(value: Json, read: impl Fn(Json) -> Result<Json, Reason>) -> Result<Json, Reason> {
    match value {
        Json::Null => Ok(json!([])),
        Json::Array(items) => {
            let items: Result<Vec<Json>, Reason> = items.into_iter().map(read).collect();
            items.map(Json::Array)
        }
        other => Err(format!("'{}' is not a list", shown(&other))),
    }
}

fn unique(value: Json) -> Result<Json, Reason> {
    let items = value.as_array().map_or(&[][..], Vec::as_slice);
    let repeats = |(index, item): (usize, &Json)| {
        items.get(..index).is_some_and(|before| before.contains(item))
    };
    if items.iter().enumerate().any(repeats) {
        Err(format!("Duplicate items in the list: '{value}'"))
    } else {
        Ok(value)
    }
}

/// Reads an object with these keys and no others.
fn object(value: Json, keys: &[&str]) -> Result<Map<String, Json>, Reason> {
    match value {
        Json::Object(map) => match map.keys().find(|key| !keys.contains(&key.as_str())) {
            None => Ok(map),
            Some(_) => Err(format!("Expected keys among {keys:?}, got {}", Json::Object(map))),
        },
        other => Err(format!("'{}' is not a dictionary", shown(&other))),
    }
}

fn pool(value: Json) -> Result<Json, Reason> {
    let map = object(value, &["start", "end"])?;
    let side = |key: &str| ip(map.get(key).unwrap_or(&Json::Null));
    Ok(json!({"start": side("start")?, "end": side("end")?}))
}

fn route(value: Json) -> Result<Json, Reason> {
    let map = object(value, &["destination", "nexthop"])?;
    let destination = cidr(map.get("destination").unwrap_or(&Json::Null))?;
    let nexthop = ip(map.get("nexthop").unwrap_or(&Json::Null))?;
    Ok(json!({"destination": destination, "nexthop": nexthop}))
}

fn fixed_ip(value: Json) -> Result<Json, Reason> {
    let mut map = object(value, &["subnet_id", "ip_address"])?;
    map.retain(|_, value| !value.is_null());
    if map.is_empty() {
        return Err("a fixed IP needs a subnet_id or an ip_address".to_owned());
    }
    if let Some(subnet) = map.get("subnet_id") {
        uuid(subnet.clone())?;
    }
    if let Some(address) = map.get("ip_address") {
        let address = ip(address)?;
        map.insert("ip_address".to_owned(), address);
    }
    Ok(Json::Object(map))
}

fn address_pair(value: Json) -> Result<Json, Reason> {
    let map = object(value, &["ip_address", "mac_address"])?;
    let given = map.get("ip_address").unwrap_or(&Json::Null);
    let address = match ip(given) {
        Ok(address) => address,
        Err(_) => {
            let text = given.as_str().unwrap_or_default();
            let net: IpNet = text
                .parse()
                .map_err(|_| format!("'{}' is not a valid IP address", shown(given)))?;
            json!(net.to_string())
        }
    };
    let mut pair = json!({"ip_address": address});
    if let Some(given) = map.get("mac_address").filter(|given| !given.is_null()) {
        pair["mac_address"] = mac(given)?;
    }
    Ok(pair)
}

fn dhcp_opt(value: Json) -> Result<Json, Reason> {
    let map = object(value, &["opt_name", "opt_value", "ip_version"])?;
    let name = not_empty(map.get("opt_name").cloned().unwrap_or(Json::Null), 64)?;
    let value =
        or_null(map.get("opt_value").cloned().unwrap_or(Json::Null), |value| text(value, 255))?;
    for part in [&name, &value] {
        if part.as_str().is_some_and(|text| text.contains(['\n', '\r'])) {
            return Err("a DHCP option must be one line".to_owned());
        }
    }
    let version = Shape::IpVersion.accept(map.get("ip_version").cloned().unwrap_or(json!(4)))?;
    Ok(json!({"opt_name": name, "opt_value": value, "ip_version": version}))
}

fn gateway(value: Json) -> Result<Json, Reason> {
    let map = match value {
        Json::Null => return Ok(Json::Null),
        Json::Object(map) if map.is_empty() => return Ok(Json::Null),
        other => object(other, &["network_id", "enable_snat", "external_fixed_ips"])?,
    };
    let network = uuid(map.get("network_id").cloned().unwrap_or(Json::Null))?;
    let mut gateway = json!({"network_id": network});
    if let Some(snat) = map.get("enable_snat") {
        gateway["enable_snat"] = flag(snat)?;
    }
    if let Some(ips) = map.get("external_fixed_ips") {
        gateway["external_fixed_ips"] = Shape::FixedIps.accept(ips.clone())?;
    }
    Ok(gateway)
}

/// The first address of a text such as `10.0.0.1`, for code that knows it is one.
pub(crate) fn address(value: &Json) -> IpAddr {
    let read = value.as_str().and_then(|text| text.parse().ok());
    debug_assert!(read.is_some(), "{value} was accepted as an address");
    read.unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn canonical_forms() {
        let accept = |shape: Shape, value: Json| shape.accept(value).unwrap();
        assert_eq!(accept(Shape::Flag, json!("True")), json!(true));
        assert_eq!(accept(Shape::CidrOrNull, json!("10.0.0.0/24")), json!("10.0.0.0/24"));
        assert_eq!(accept(Shape::CidrOrNull, json!("10.0.0.1")), json!("10.0.0.1/32"));
        assert_eq!(accept(Shape::CidrOrNull, json!("2001:DB8:0::/64")), json!("2001:db8::/64"));
        assert_eq!(accept(Shape::Mac, json!("FA-16-3E-00-00-01")), json!("fa:16:3e:00:00:01"));
        assert_eq!(accept(Shape::Gateway, json!({})), Json::Null);
        assert_eq!(accept(Shape::Ips, Json::Null), json!([]));
        assert_eq!(accept(Shape::Protocol, json!(6)), json!("6"));
    }

    #[test]
    fn reasons() {
        for (shape, value) in [
            (Shape::Text(3), json!("long")),
            (Shape::Text(3), json!(5)),
            (Shape::NotEmpty(9), json!(" ")),
            (Shape::Uuid, json!("x")),
            (Shape::Flag, json!("maybe")),
            (Shape::IpVersion, json!(5)),
            (Shape::Int(0, 9), json!(-1)),
            (Shape::CidrOrNull, json!("10.0.0.1/24")),
            (Shape::CidrOrNull, json!("10.0.0.0/33")),
            (Shape::Mac, json!("01:00:00:00:00:01")),
            (Shape::Pools, json!([{"start": "10.0.0.1"}])),
            (Shape::FixedIps, json!([{"ip": "10.0.0.1"}])),
            (Shape::FixedIps, json!([{}])),
            (Shape::Ips, json!(["8.8.8.8", "8.8.8.8"])),
            (Shape::Gateway, json!({"enable_snat": true})),
            (Shape::DhcpOpts, json!([{"opt_name": "a", "opt_value": "b\nc"}])),
        ] {
            assert!(shape.accept(value.clone()).is_err(), "{shape:?} {value}");
        }
    }
}
