//! Finds out, by asking the kernel, how security groups can be enforced here.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::path::Path;

use uuid::Uuid;

use super::super::{
    DataplaneError, Direction, EtherType, Firewall, FixedIp, Mac, NetworkSpec, PortSpec, Remote,
    Result, RuleSpec, SecurityGroupSpec, Topology,
};
use super::firewall::host_rules;
use super::kernel;

const BRIDGE_SYSCTLS: &str = "/proc/sys/net/bridge";

/// The best mechanism that the kernel takes: it is shown the rules themselves, every construct of
/// them, and asked whether it would. Loads modules where they are missing.
pub(super) async fn firewall() -> Result<Firewall> {
    kernel::load_module("bridge").await;
    kernel::load_module("nf_conntrack_bridge").await;
    if takes(Firewall::Conntrack).await? {
        return Ok(Firewall::Conntrack);
    }
    if takes(Firewall::Mark).await? && with_br_netfilter().await {
        return Ok(Firewall::Mark);
    }
    tracing::error!(
        "the kernel tracks no connections on bridges: SECURITY GROUPS ARE NOT ENFORCED, only \
         spoofed addresses are dropped"
    );
    let spoofing = takes(Firewall::AntiSpoofOnly).await?;
    Ok(if spoofing { Firewall::AntiSpoofOnly } else { Firewall::None })
}

async fn takes(firewall: Firewall) -> Result<bool> {
    let rules = host_rules(&sample(), firewall);
    kernel::accepts(&rules.text).await.map_err(DataplaneError::Observe)
}

/// One guest inside and one outside, with a rule of each kind.
fn sample() -> Topology {
    let network = |external: Option<&str>| NetworkSpec {
        // Two ids that differ in the part that names are made of.
        id: Uuid::from_u128(external.map_or(1, |_| 2) << 96),
        mtu: 1500,
        admin_state_up: true,
        external_bridge: external.map(str::to_owned),
        subnets: Vec::new(),
        dhcp_port: None,
        metadata: false,
        dns_domain: None,
    };
    let networks = vec![network(None), network(Some("br-ex"))];
    let group = Uuid::from_u128(3);
    let port = |network: &NetworkSpec| PortSpec {
        id: network.id,
        network: network.id,
        mac: Mac([2, 0, 0, 0, 0, 1]),
        fixed_ips: [Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()]
            .map(|address| FixedIp { subnet: network.id, address })
            .into(),
        device_owner: String::new(),
        device_id: String::new(),
        admin_state_up: true,
        security_groups: vec![group],
        port_security: true,
        allowed_address_pairs: Vec::new(),
        hostname: None,
        extra_dhcp_opts: Vec::new(),
    };
    let rule = |ethertype, protocol| RuleSpec {
        direction: Direction::Ingress,
        ethertype,
        protocol: Some(protocol),
        port_min: Some(1),
        port_max: Some(2),
        remote: Remote::Group(group),
    };
    let kinds = [(EtherType::Ipv4, 1), (EtherType::Ipv4, 6), (EtherType::Ipv6, 58)];
    Topology {
        ports: networks.iter().map(port).collect(),
        networks,
        routers: Vec::new(),
        security_groups: vec![SecurityGroupSpec {
            id: group,
            stateful: true,
            rules: kinds.map(|(ethertype, protocol)| rule(ethertype, protocol)).into(),
        }],
    }
}

/// Makes br_netfilter available. Loading it turns it on for every bridge of the host, other
/// people's too, so that is turned off again; ours ask for it one by one.
async fn with_br_netfilter() -> bool {
    if Path::new(BRIDGE_SYSCTLS).exists() {
        return true;
    }
    kernel::load_module("br_netfilter").await;
    if !Path::new(BRIDGE_SYSCTLS).exists() {
        return false;
    }
    for key in ["bridge-nf-call-iptables", "bridge-nf-call-ip6tables", "bridge-nf-call-arptables"] {
        if let Err(error) = write_sysctl(&format!("net/bridge/{key}"), "0") {
            tracing::warn!(key, %error, "could not be turned off for the bridges of others");
        }
    }
    true
}

/// Sets a value under `/proc/sys` unless it has it; answers whether it was changed. The network
/// values are those of the calling thread's namespace.
pub(super) fn write_sysctl(key: &str, value: &str) -> io::Result<bool> {
    let path = Path::new("/proc/sys").join(key);
    if std::fs::read_to_string(&path)?.trim() == value {
        return Ok(false);
    }
    // A value of the kernel is not a file: it cannot be replaced, only written.
    #[expect(clippy::disallowed_methods, reason = "there is no temporary file in /proc")]
    std::fs::write(path, value)?;
    Ok(true)
}
