//! Finds out, by asking the kernel, how security groups can be enforced here.

use std::io;
use std::path::Path;

use super::super::DataplaneError;
use super::super::{Firewall, Result};
use super::kernel;

const BRIDGE_SYSCTLS: &str = "/proc/sys/net/bridge";

/// The best mechanism that the kernel takes. Loads modules where they are missing.
pub(super) async fn firewall() -> Result<Firewall> {
    kernel::load_module("bridge").await;
    kernel::load_module("nf_conntrack_bridge").await;
    if accepts("ct state established accept").await? {
        return Ok(Firewall::Conntrack);
    }
    let mark = accepts("meta mark & 0x3 == 0x1 accept").await?;
    if mark && with_br_netfilter().await {
        return Ok(Firewall::Mark);
    }
    tracing::error!(
        "the kernel tracks no connections on bridges: SECURITY GROUPS ARE NOT ENFORCED, only spoofed addresses are dropped"
    );
    Ok(if mark { Firewall::AntiSpoofOnly } else { Firewall::None })
}

async fn accepts(rule: &str) -> Result<bool> {
    let text = format!(
        "table bridge stackup_probe {{\n  chain probe {{\n    type filter hook forward priority -200; policy accept;\n    {rule}\n  }}\n}}\n"
    );
    kernel::accepts(&text).await.map_err(DataplaneError::Observe)
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
