//! A router's rules: source NAT, floating addresses, and who may reach the metadata address.

use std::net::{IpAddr, Ipv4Addr};

use super::super::{RouterSpec, names};
use super::desired::METADATA_ADDRESS;
use super::nft::{Ruleset, Table, line};

/// The rules inside a router's namespace.
pub(super) fn router_rules(router: &RouterSpec) -> Ruleset {
    let mut tables = vec![Table { family: "ip", name: "stackup_nat", body: nat(router) }];
    let mut filter =
        String::from("  chain input {\n    type filter hook input priority 0; policy accept;\n");
    if let Some(gateway) = &router.gateway {
        let device = names::gateway_interface(gateway.port);
        // Metadata trusts source addresses, which only our own networks vouch for.
        line(&mut filter, format!("    iifname \"{device}\" ip daddr {METADATA_ADDRESS} drop"));
    }
    filter.push_str("  }\n");
    tables.push(Table { family: "inet", name: "stackup_router", body: filter });
    Ruleset::of(&tables)
}

fn nat(router: &RouterSpec) -> String {
    let pairs: Vec<(Ipv4Addr, Ipv4Addr)> = router
        .floating_ips
        .iter()
        .filter_map(|ip| match (ip.floating, ip.fixed) {
            (IpAddr::V4(floating), IpAddr::V4(fixed)) => Some((floating, fixed)),
            _ => None,
        })
        .collect();
    let mut body = String::new();
    map(&mut body, "fip_dnat", pairs.iter().copied());
    map(&mut body, "fip_snat", pairs.iter().map(|&(floating, fixed)| (fixed, floating)));
    body.push_str(
        "  chain pre {\n    type nat hook prerouting priority dstnat; policy accept;\n    \
         dnat to ip daddr map @fip_dnat\n  }\n  \
         chain out {\n    type nat hook output priority -100; policy accept;\n    \
         dnat to ip daddr map @fip_dnat\n  }\n  \
         chain post {\n    type nat hook postrouting priority srcnat; policy accept;\n",
    );
    // A guest that asks for a floating address of its own router: the answer must come back here.
    body.push_str(
        "    iifname \"qr-*\" oifname \"qr-*\" ct status dnat snat to ip saddr map @fip_snat\n    \
         iifname \"qr-*\" oifname \"qr-*\" ct status dnat masquerade\n",
    );
    if let Some(gateway) = &router.gateway {
        let device = names::gateway_interface(gateway.port);
        line(&mut body, format!("    oifname \"{device}\" snat to ip saddr map @fip_snat"));
        let own = gateway.fixed_ips.iter().find_map(|ip| match ip.address {
            IpAddr::V4(own) => Some(own),
            IpAddr::V6(_) => None,
        });
        if let Some(own) = own.filter(|_| gateway.enable_snat) {
            line(&mut body, format!("    oifname \"{device}\" snat to {own}"));
        }
    }
    body.push_str("  }\n");
    body
}

fn map(body: &mut String, name: &str, pairs: impl Iterator<Item = (Ipv4Addr, Ipv4Addr)>) {
    let mut elements: Vec<String> = pairs.map(|(key, value)| format!("{key} : {value}")).collect();
    elements.sort();
    elements.dedup_by(|a, b| a.split(' ').next() == b.split(' ').next());
    let elements = if elements.is_empty() {
        String::new()
    } else {
        format!(" elements = {{ {} }};", elements.join(", "))
    };
    line(body, format!("  map {name} {{ type ipv4_addr : ipv4_addr;{elements} }}"));
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::super::super::{FixedIp, FloatingIpSpec, GatewaySpec, Mac};
    use super::*;

    fn router(snat: bool) -> RouterSpec {
        RouterSpec {
            id: Uuid::from_u128(1),
            admin_state_up: true,
            gateway: Some(GatewaySpec {
                port: Uuid::from_u128(2),
                mac: Mac([0xfa, 0x16, 0x3e, 0, 0, 2]),
                network: Uuid::from_u128(3),
                fixed_ips: vec![FixedIp {
                    subnet: Uuid::from_u128(4),
                    address: "172.24.4.10".parse().unwrap(),
                }],
                enable_snat: snat,
            }),
            interfaces: Vec::new(),
            routes: Vec::new(),
            floating_ips: vec![FloatingIpSpec {
                id: Uuid::from_u128(5),
                floating: "172.24.4.20".parse().unwrap(),
                fixed: "10.0.0.5".parse().unwrap(),
            }],
        }
    }

    #[test]
    fn floating_addresses_go_before_the_routers_own() {
        let text = router_rules(&router(true)).text;
        let floating = text.find("\" snat to ip saddr map @fip_snat").unwrap();
        let own = text.find("snat to 172.24.4.10").unwrap();
        assert!(floating < own);
        assert!(text.contains("elements = { 172.24.4.20 : 10.0.0.5 }"));
        assert!(text.contains("elements = { 10.0.0.5 : 172.24.4.20 }"));
        assert!(text.contains("ip daddr 169.254.169.254 drop"));
    }

    #[test]
    fn without_snat_only_floating_addresses_are_translated() {
        assert!(!router_rules(&router(false)).text.contains("snat to 172.24.4.10"));
        let mut bare = router(true);
        bare.gateway = None;
        bare.floating_ips.clear();
        assert!(!router_rules(&bare).text.contains("oifname \"qg-"));
    }
}
