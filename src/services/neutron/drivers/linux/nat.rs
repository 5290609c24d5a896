//! A router's rules: source NAT, floating addresses, meters, and who may reach the metadata address.

use std::net::{IpAddr, Ipv4Addr};

use super::super::{RouterSpec, names};
use super::desired::METADATA_ADDRESS;
use super::meter;
use super::nft::{Ruleset, Table, line, set};

/// The rules inside a router's namespace.
pub(super) fn router_rules(router: &RouterSpec) -> Ruleset {
    let nat = Nat::of(router);
    Ruleset::of(&[
        Table { family: "ip", name: "stackup_nat", body: nat.table(), keep: false },
        Table { family: "inet", name: "stackup_router", body: nat.filter(), keep: false },
        meter::table(router),
    ])
}

struct Nat {
    /// Floating and fixed addresses.
    pairs: Vec<(Ipv4Addr, Ipv4Addr)>,
    /// The outer interface, and the address that guests without one of their own go out with.
    gateway: Option<(String, Option<Ipv4Addr>)>,
}

impl Nat {
    fn of(router: &RouterSpec) -> Self {
        let v4 = |ip: IpAddr| match ip {
            IpAddr::V4(ip) => Some(ip),
            IpAddr::V6(_) => None,
        };
        let floating = router.floating_ips.iter();
        let pairs = floating.filter_map(|ip| Some((v4(ip.floating)?, v4(ip.fixed)?))).collect();
        let gateway = router.gateway.as_ref().map(|gateway| {
            let own = gateway.fixed_ips.iter().find_map(|ip| v4(ip.address));
            (names::gateway_interface(gateway.port), own.filter(|_| gateway.enable_snat))
        });
        Self { pairs, gateway }
    }

    fn table(&self) -> String {
        let mut body = String::new();
        map(&mut body, "fip_dnat", self.pairs.iter().copied());
        map(&mut body, "fip_snat", self.pairs.iter().map(|&(floating, fixed)| (fixed, floating)));
        body.push_str(
            "  chain pre {\n    type nat hook prerouting priority dstnat; policy accept;\n    \
             dnat to ip daddr map @fip_dnat\n  }\n  \
             chain out {\n    type nat hook output priority -100; policy accept;\n    \
             dnat to ip daddr map @fip_dnat\n  }\n  \
             chain post {\n    type nat hook postrouting priority srcnat; policy accept;\n",
        );
        // A guest that asks for a floating address of its own router: the answer must come back
        // here.
        body.push_str(
            "    iifname \"qr-*\" oifname \"qr-*\" ct status dnat snat to ip saddr map @fip_snat\n    \
             iifname \"qr-*\" oifname \"qr-*\" ct status dnat masquerade\n",
        );
        if let Some((device, own)) = &self.gateway {
            line(&mut body, format!("    oifname \"{device}\" snat to ip saddr map @fip_snat"));
            if let Some(own) = own {
                line(&mut body, format!("    oifname \"{device}\" snat to {own}"));
            }
        }
        body.push_str("  }\n");
        body
    }

    fn filter(&self) -> String {
        let mut body = String::from(
            "  chain input {\n    type filter hook input priority 0; policy accept;\n",
        );
        if let Some((device, _)) = &self.gateway {
            // Metadata trusts source addresses, which only our own networks vouch for.
            line(&mut body, format!("    iifname \"{device}\" ip daddr {METADATA_ADDRESS} drop"));
        }
        body.push_str(
            "  }\n  chain forward {\n    type filter hook forward priority 0; policy accept;\n",
        );
        // The kernel remembers a translation for as long as the connection lives; one that is no
        // longer ours ends here.
        let inwards =
            set(self.pairs.iter().map(|(floating, fixed)| format!("{floating} . {fixed}")))
                .map(|pairs| format!(" ct original ip daddr . ip daddr != {pairs}"));
        let inwards = inwards.unwrap_or_default();
        line(&mut body, format!("    ct direction original ct status dnat{inwards} drop"));
        if let Some((device, own)) = &self.gateway {
            let own = own.map(|own| format!(" ct reply ip daddr != {own}")).unwrap_or_default();
            let pairs = self.pairs.iter().map(|(floating, fixed)| format!("{fixed} . {floating}"));
            let outwards =
                set(pairs).map(|pairs| format!(" ip saddr . ct reply ip daddr != {pairs}"));
            let outwards = outwards.unwrap_or_default();
            line(
                &mut body,
                format!(
                    "    oifname \"{device}\" ct direction original ct status snat{own}{outwards} drop"
                ),
            );
        }
        body.push_str("  }\n");
        body
    }
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
            meters: Vec::new(),
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
