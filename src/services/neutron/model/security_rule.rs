//! What makes a security group rule a rule.

use std::net::IpAddr;

use ipnet::IpNet;
use serde_json::{Value as Json, json};

use super::body::Fields;
use crate::drivers::{EtherType, protocol_number};
use crate::error::{Error, Result};

/// What two rules have in common when they are the same rule.
pub(crate) const IDENTITY: &[&str] = &[
    "direction",
    "ethertype",
    "protocol",
    "port_range_min",
    "port_range_max",
    "normalized_cidr",
    "remote_group_id",
];

/// Checks a new rule and brings it into its canonical form.
pub(crate) fn check(fields: &mut Fields) -> Result<()> {
    let ethertype = fields.text("ethertype").unwrap_or("IPv4").to_owned();
    let protocol = fields.text("protocol").filter(|p| *p != "any").map(str::to_owned);
    fields.set("protocol", protocol.clone().map_or(Json::Null, Json::String));
    if let Some(protocol) = &protocol {
        check_protocol(protocol, &ethertype)?;
    }
    check_ports(fields, protocol.as_deref(), &ethertype)?;
    check_remote(fields, &ethertype)
}

fn family(ethertype: &str) -> EtherType {
    if ethertype == "IPv6" { EtherType::Ipv6 } else { EtherType::Ipv4 }
}

fn check_protocol(protocol: &str, ethertype: &str) -> Result<()> {
    if protocol_number(protocol, family(ethertype)).is_none() {
        return Err(Error::SecurityGroupRuleInvalidProtocol(protocol.to_owned()));
    }
    let only6 = matches!(
        protocol,
        "ipv6-encap"
            | "ipv6-frag"
            | "ipv6-icmp"
            | "icmpv6"
            | "ipv6-nonxt"
            | "ipv6-opts"
            | "ipv6-route"
    );
    if only6 && ethertype == "IPv4" {
        return Err(Error::SecurityGroupEthertypeConflictWithProtocol {
            ethertype: ethertype.to_owned(),
            protocol: protocol.to_owned(),
        });
    }
    Ok(())
}

fn check_ports(fields: &Fields, protocol: Option<&str>, ethertype: &str) -> Result<()> {
    for name in ["port_range_min", "port_range_max"] {
        if let Some(port) = fields.int(name).filter(|port| !(0..=65535).contains(port)) {
            return Err(Error::SecurityGroupInvalidPortValue(port));
        }
    }
    let (min, max) = (fields.int("port_range_min"), fields.int("port_range_max"));
    if min.is_none() && max.is_none() {
        return Ok(());
    }
    let Some(protocol) = protocol else {
        return Err(Error::SecurityGroupProtocolRequiredWithPorts);
    };
    match protocol_number(protocol, family(ethertype)) {
        Some(6 | 17 | 33 | 132 | 136) => match (min, max) {
            (Some(0), _) if matches!(protocol, "tcp" | "udp" | "6" | "17") => {
                Err(Error::SecurityGroupInvalidPortValue(0))
            }
            (Some(min), Some(max)) if min <= max => Ok(()),
            _ => Err(Error::SecurityGroupInvalidPortRange),
        },
        Some(1 | 58) => check_icmp(min, max),
        _ => Err(Error::BadRequest {
            resource: "security_group_rule",
            message: format!("protocol {protocol} does not support a port range"),
        }),
    }
}

fn check_icmp(kind: Option<i64>, code: Option<i64>) -> Result<()> {
    for (attribute, field, value) in
        [("port_range_min", "type", kind), ("port_range_max", "code", code)]
    {
        if let Some(value) = value.filter(|value| !(0..=255).contains(value)) {
            return Err(Error::SecurityGroupInvalidIcmpValue { field, attribute, value });
        }
    }
    match (kind, code) {
        (None, Some(code)) => Err(Error::SecurityGroupMissingIcmpType(code)),
        _ => Ok(()),
    }
}

fn check_remote(fields: &mut Fields, ethertype: &str) -> Result<()> {
    let prefix = fields.text("remote_ip_prefix").map(str::to_owned);
    if prefix.is_some() && fields.text("remote_group_id").is_some() {
        return Err(Error::SecurityGroupRemoteGroupAndRemoteIpPrefix);
    }
    let Some(prefix) = prefix else {
        // An empty text is no prefix.
        fields.set("remote_ip_prefix", Json::Null);
        return Ok(());
    };
    let invalid = || Error::InvalidAttribute {
        attribute: "remote_ip_prefix".to_owned(),
        reason: format!("'{prefix}' is not a valid IP subnet"),
    };
    let net: IpNet = match prefix.parse::<IpAddr>() {
        Ok(address) => address.into(),
        Err(_) => prefix.parse().map_err(|_| invalid())?,
    };
    if net.addr().is_ipv4() != (ethertype == "IPv4") {
        return Err(Error::SecurityGroupRuleParameterConflict {
            ethertype: ethertype.to_owned(),
            cidr: prefix,
        });
    }
    fields.set("remote_ip_prefix", if prefix.contains('/') { prefix } else { net.to_string() });
    fields.set("normalized_cidr", json!(net.trunc().to_string()));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::SECURITY_GROUP_RULE;

    fn checked(mut rule: Json) -> Result<Fields> {
        rule["security_group_id"] = json!("11111111-1111-4111-8111-111111111111");
        rule["direction"] = json!("ingress");
        let mut fields = Fields::create(&SECURITY_GROUP_RULE, rule)?;
        check(&mut fields)?;
        Ok(fields)
    }

    #[test]
    fn canonical_forms() {
        let rule = checked(json!({"protocol": "TCP", "port_range_min": 22, "port_range_max": "22",
            "remote_ip_prefix": "10.0.0.5/24"}))
        .unwrap();
        assert_eq!(rule.text("protocol"), Some("tcp"));
        assert_eq!(rule.int("port_range_max"), Some(22));
        assert_eq!(rule.text("normalized_cidr"), Some("10.0.0.0/24"));
        let any = checked(json!({"protocol": "any"})).unwrap();
        assert_eq!(any.get("protocol"), Some(&Json::Null));
    }

    #[test]
    fn what_is_no_rule() {
        for rule in [
            json!({"protocol": "bad"}),
            json!({"protocol": "tcp", "port_range_min": -16, "port_range_max": 80}),
            json!({"protocol": 256}),
            json!({"protocol": "tcp", "port_range_min": 5, "port_range_max": 4}),
            json!({"protocol": "tcp", "port_range_min": 5}),
            json!({"port_range_min": 5, "port_range_max": 6}),
            json!({"protocol": "icmp", "port_range_max": 6}),
            json!({"protocol": "icmp", "port_range_min": 256}),
            json!({"protocol": "icmpv6"}),
            json!({"protocol": "esp", "port_range_min": 5, "port_range_max": 6}),
            json!({"ethertype": "IPv6", "remote_ip_prefix": "10.0.0.0/8"}),
            json!({"remote_ip_prefix": "10.0.0.0/8", "remote_group_id": "x"}),
            json!({"remote_ip_prefix": "nonsense"}),
        ] {
            assert!(checked(rule.clone()).is_err(), "{rule}");
        }
    }
}
