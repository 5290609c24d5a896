//! A router's meters: one named counter each, counting what is forwarded from or to the outside.

use ipnet::IpNet;

use super::super::{Direction, MeterRuleSpec, MeterSpec, RouterSpec, names};
use super::nft::{Table, line};

/// The table of the meters. Counters outlive changes of the rules and of the other tables; they go
/// with the last meter.
pub(super) fn table(router: &RouterSpec) -> Table {
    let mut meters: Vec<&MeterSpec> = router.meters.iter().collect();
    meters.sort_by_key(|meter| meter.id);
    let gateway = router.gateway.as_ref();
    let device = gateway.map(|gateway| names::gateway_interface(gateway.port));
    let mut body = String::new();
    for meter in &meters {
        let name = names::counter(meter.id);
        line(&mut body, format!("  counter {name} {{\n  }}\n  chain {name} {{"));
        if let Some(device) = &device {
            rules(&mut body, meter, &name, device);
        }
        body.push_str("  }\n");
    }
    if !meters.is_empty() {
        body.push_str(
            "  chain forward {\n    type filter hook forward priority 10; policy accept;\n",
        );
        for meter in &meters {
            line(&mut body, format!("    jump {}", names::counter(meter.id)));
        }
        body.push_str("  }\n");
    }
    let keep = !meters.is_empty();
    Table { family: "inet", name: "stackup_meter", body, keep }
}

/// What is left out comes first; what matches counts once.
fn rules(body: &mut String, meter: &MeterSpec, counter: &str, device: &str) {
    let mut sorted: Vec<&MeterRuleSpec> =
        meter.rules.iter().filter(|rule| one_family(rule)).collect();
    sorted
        .sort_by_key(|rule| (!rule.excluded, rule.direction as u8, rule.source, rule.destination));
    for rule in sorted {
        let side = match rule.direction {
            Direction::Ingress => "iifname",
            Direction::Egress => "oifname",
        };
        let ends = [("saddr", rule.source), ("daddr", rule.destination)];
        let ends = ends.iter().filter_map(|(end, net)| Some(address(end, (*net)?)));
        let ends: String = ends.collect();
        let verdict = if rule.excluded {
            "return".to_owned()
        } else {
            format!("counter name {counter} return")
        };
        line(body, format!("    {side} \"{device}\"{ends} {verdict}"));
    }
}

/// Nothing comes from one family and goes to the other; nft refuses the thought.
fn one_family(rule: &MeterRuleSpec) -> bool {
    let v4 = |net: IpNet| net.addr().is_ipv4();
    match (rule.source, rule.destination) {
        (Some(source), Some(destination)) => v4(source) == v4(destination),
        _ => true,
    }
}

fn address(end: &str, net: IpNet) -> String {
    match net {
        // nft has no mask of nothing.
        IpNet::V4(net) if net.prefix_len() == 0 => " meta nfproto ipv4".to_owned(),
        IpNet::V6(net) if net.prefix_len() == 0 => " meta nfproto ipv6".to_owned(),
        IpNet::V4(net) => format!(" ip {end} {net}"),
        IpNet::V6(net) => format!(" ip6 {end} {net}"),
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixture::{id, topology};
    use super::*;

    fn rule(direction: Direction, excluded: bool, inside: &str) -> MeterRuleSpec {
        let net = Some(inside.parse().unwrap());
        match direction {
            Direction::Ingress => {
                MeterRuleSpec { direction, excluded, source: None, destination: net }
            }
            Direction::Egress => {
                MeterRuleSpec { direction, excluded, source: net, destination: None }
            }
        }
    }

    fn metered() -> RouterSpec {
        let rules = vec![
            rule(Direction::Ingress, false, "10.0.0.0/24"),
            rule(Direction::Egress, false, "0.0.0.0/0"),
            rule(Direction::Ingress, true, "10.0.0.11/32"),
            rule(Direction::Egress, false, "fd00::/64"),
        ];
        let meters = vec![MeterSpec { id: id(0x71), rules }];
        RouterSpec { meters, ..topology().routers.remove(0) }
    }

    #[test]
    fn what_is_left_out_comes_first() {
        let counter = names::counter(id(0x71));
        let text = table(&metered()).body;
        let rules: Vec<&str> =
            text.lines().filter(|line| line.contains("ifname")).map(str::trim).collect();
        assert_eq!(
            rules,
            [
                "iifname \"qg-00000032-00\" ip daddr 10.0.0.11/32 return".to_owned(),
                format!(
                    "iifname \"qg-00000032-00\" ip daddr 10.0.0.0/24 counter name {counter} return"
                ),
                format!(
                    "oifname \"qg-00000032-00\" meta nfproto ipv4 counter name {counter} return"
                ),
                format!(
                    "oifname \"qg-00000032-00\" ip6 saddr fd00::/64 counter name {counter} return"
                ),
            ]
        );
        assert!(text.contains(&format!("    jump {counter}\n")));
    }

    #[test]
    fn without_a_way_out_nothing_counts_and_without_meters_nothing_stays() {
        let inner = RouterSpec { gateway: None, ..metered() };
        assert!(!table(&inner).body.contains("ifname"));
        assert!(table(&inner).keep);
        let bare = table(&topology().routers[0]);
        assert!(bare.body.is_empty() && !bare.keep);
    }
}
