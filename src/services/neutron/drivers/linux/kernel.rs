//! What the kernel has now, and lists of changes to it: `ip` and `nft`, a batch a place.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use ipnet::IpNet;
use serde::Deserialize;
use stackup_system::{ExecError, Program};
use uuid::Uuid;

use super::super::{DataplaneError, Result, names};
use super::desired::Route;
use super::netns;
use super::nft::Ruleset;

/// One device.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
pub(super) struct Link {
    pub(super) ifname: String,
    #[serde(default)]
    pub(super) mtu: u32,
    #[serde(default)]
    pub(super) flags: Vec<String>,
    #[serde(default)]
    pub(super) address: String,
    pub(super) master: Option<String>,
    pub(super) ifalias: Option<String>,
    pub(super) inet6_addr_gen_mode: Option<String>,
    #[serde(default)]
    linkinfo: LinkInfo,
    #[serde(default)]
    addr_info: Vec<AddressInfo>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
struct LinkInfo {
    info_kind: Option<String>,
    info_data: Option<serde_json::Map<String, serde_json::Value>>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
struct AddressInfo {
    local: Option<IpAddr>,
    #[serde(default)]
    prefixlen: u8,
    #[serde(default)]
    scope: String,
}

impl Link {
    pub(super) fn ours(&self) -> bool {
        self.ifalias.as_deref() == Some(names::OWNER)
    }

    pub(super) fn up(&self) -> bool {
        self.flags.iter().any(|flag| flag == "UP")
    }

    pub(super) fn kind(&self) -> &str {
        self.linkinfo.info_kind.as_deref().unwrap_or_default()
    }

    /// Whether a bridge shows its frames to the IP hooks.
    pub(super) fn calls_ip_hooks(&self) -> bool {
        let on = |key| {
            let data = self.linkinfo.info_data.as_ref();
            data.and_then(|data| data.get(key)).and_then(serde_json::Value::as_u64) == Some(1)
        };
        on("nf_call_iptables") && on("nf_call_ip6tables")
    }

    /// The addresses that somebody gave it, without those the kernel makes itself.
    fn addresses(&self) -> BTreeSet<IpNet> {
        let given = self.addr_info.iter().filter(|info| {
            info.scope != "link" && info.scope != "host"
                // `ip` gives 169.254/16 the scope it is told, which is global; 127/8 is the kernel's.
                || info.local.is_some_and(|ip| matches!(ip, IpAddr::V4(ip) if ip.is_link_local()))
        });
        given.filter_map(|info| IpNet::new(info.local?, info.prefixlen).ok()).collect()
    }
}

/// The devices of the host.
pub(super) async fn host_links() -> Result<BTreeMap<String, Link>> {
    let output = Program::new("ip")
        .args(["-j", "-d", "link", "show"])
        .run()
        .await
        .map_err(DataplaneError::Observe)?;
    let links: Vec<Link> = serde_json::from_str(&output.stdout).map_err(DataplaneError::Parse)?;
    Ok(links.into_iter().map(|link| (link.ifname.clone(), link)).collect())
}

/// What is inside a namespace.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Inside {
    pub(super) links: BTreeMap<String, Link>,
    pub(super) addresses: BTreeMap<String, BTreeSet<IpNet>>,
    pub(super) routes: BTreeSet<Route>,
}

#[derive(Deserialize)]
struct RouteInfo {
    dst: String,
    gateway: Option<IpAddr>,
    dev: Option<String>,
}

/// Looks into a namespace.
pub(super) async fn inside(name: &str) -> Result<Inside> {
    let output = Program::new("ip")
        .args(["-n", name, "-j", "-d", "-batch", "-"])
        .stdin("addr show\nroute show table all proto static\n")
        .run()
        .await
        .map_err(DataplaneError::Observe)?;
    read_inside(&output.stdout).map_err(DataplaneError::Parse)
}

fn read_inside(text: &str) -> serde_json::Result<Inside> {
    let mut documents =
        serde_json::Deserializer::from_str(text).into_iter::<serde_json::Value>().fuse();
    let mut next = || documents.next().unwrap_or(Ok(serde_json::Value::Array(Vec::new())));
    let links: Vec<Link> = serde_json::from_value(next()?)?;
    let routes: Vec<RouteInfo> = serde_json::from_value(next()?)?;
    let mut found = Inside::default();
    for link in links {
        found.addresses.insert(link.ifname.clone(), link.addresses());
        found.links.insert(link.ifname.clone(), link);
    }
    found.routes = routes.into_iter().filter_map(read_route).collect();
    Ok(found)
}

fn read_route(info: RouteInfo) -> Option<Route> {
    let via = info.gateway?;
    let destination = if info.dst == "default" {
        IpNet::new(if via.is_ipv4() { [0; 4].into() } else { [0; 16].into() }, 0).ok()?
    } else {
        let host = || info.dst.parse::<IpAddr>().ok().map(IpNet::from);
        info.dst.parse().ok().or_else(host)?
    };
    Some(Route { destination, via, device: info.dev? })
}

/// Changes by `ip`, in order; each knows whose it is.
#[derive(Debug, Default)]
pub(super) struct Batch {
    lines: Vec<(String, Option<Uuid>)>,
}

/// A change that `ip` refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refused {
    pub(super) line: String,
    pub(super) subject: Option<Uuid>,
    pub(super) why: String,
}

impl Batch {
    pub(super) fn add(&mut self, subject: impl Into<Option<Uuid>>, line: impl Into<String>) {
        self.lines.push((line.into(), subject.into()));
    }

    pub(super) fn len(&self) -> usize {
        self.lines.len()
    }

    #[cfg(test)]
    pub(super) fn lines(&self) -> Vec<&str> {
        self.lines.iter().map(|(line, _)| line.as_str()).collect()
    }

    /// Makes the changes, in a namespace or on the host. One that is refused does not stop the
    /// others.
    pub(super) async fn run(&self, namespace: Option<&str>) -> Result<Vec<Refused>> {
        if self.lines.is_empty() {
            return Ok(Vec::new());
        }
        let mut program = Program::new("ip");
        if let Some(name) = namespace {
            program = program.args(["-n", name]);
        }
        let text: String = self.lines.iter().flat_map(|(line, _)| [line.as_str(), "\n"]).collect();
        tracing::debug!(?namespace, changes = %text, "ip");
        let output = program.args(["-force", "-batch", "-"]).stdin(text).status().await;
        let output = output.map_err(DataplaneError::Observe)?;
        Ok(self.refused(&output.stderr, output.code))
    }

    /// `ip` says why on one line and `Command failed -:LINE` on the next.
    fn refused(&self, stderr: &str, code: i32) -> Vec<Refused> {
        let mut refused = Vec::new();
        let mut why = Vec::new();
        for text in stderr.lines() {
            let Some(line) = text.strip_prefix("Command failed -:") else {
                why.push(text.trim());
                continue;
            };
            let at = line.trim().parse::<usize>().ok().and_then(|number| number.checked_sub(1));
            if let Some((line, subject)) = at.and_then(|index| self.lines.get(index)) {
                refused.push(Refused {
                    line: line.clone(),
                    subject: *subject,
                    why: why.join("; "),
                });
            }
            why.clear();
        }
        if refused.is_empty() && code != 0 {
            let line = "ip -batch".to_owned();
            refused.push(Refused { line, subject: None, why: stderr.trim().to_owned() });
        }
        refused
    }
}

fn nft(namespace: Option<&str>) -> Program {
    match namespace {
        None => Program::new("nft"),
        Some(name) => {
            let mut net = std::ffi::OsString::from("--net=");
            net.push(netns::path(name));
            Program::new("nsenter").arg(net).args(["--", "nft"])
        }
    }
}

/// Replaces the tables of a ruleset, all or nothing.
pub(super) async fn load_rules(namespace: Option<&str>, rules: &Ruleset) -> Result<(), ExecError> {
    nft(namespace).args(["-f", "-"]).stdin(rules.text.as_str()).run().await.map(drop)
}

/// Whether the kernel has exactly this ruleset.
pub(super) async fn has_rules(namespace: Option<&str>, rules: &Ruleset) -> Result<bool> {
    let output =
        nft(namespace).args(["list", "chains"]).run().await.map_err(DataplaneError::Observe)?;
    Ok(output.stdout.split_whitespace().any(|word| word == rules.revision))
}

/// Deletes tables of the host by family and name, whether they are there or not.
pub(super) async fn delete_tables(tables: &[(&str, &str)]) -> Result<(), ExecError> {
    let text: String = tables
        .iter()
        .map(|(family, name)| format!("add table {family} {name}\ndelete table {family} {name}\n"))
        .collect();
    nft(None).args(["-f", "-"]).stdin(text).run().await.map(drop)
}

/// Whether the kernel would take these rules; changes nothing.
pub(super) async fn accepts(rules: &str) -> Result<bool, ExecError> {
    let output = nft(None).args(["-c", "-f", "-"]).stdin(rules).status().await?;
    Ok(output.code == 0)
}

/// Loads a module if it is not there; a kernel without it says so later, by what it refuses.
pub(super) async fn load_module(name: &str) {
    match Program::new("modprobe").arg(name).status().await {
        Ok(output) if output.code == 0 => {}
        Ok(output) => tracing::debug!(module = name, why = output.stderr.trim(), "not loaded"),
        Err(error) => tracing::debug!(module = name, %error, "not loaded"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_ip_prints() {
        let text = r#"[{"ifname":"lo","flags":["UP"],"ifalias":"stackup","addr_info":[
            {"family":"inet","local":"127.0.0.1","prefixlen":8,"scope":"host"},
            {"family":"inet","local":"169.254.169.254","prefixlen":32,"scope":"global"},
            {"family":"inet6","local":"::1","prefixlen":128,"scope":"host"}]},
            {"ifname":"qr-1","address":"fa:16:3e:00:00:01","mtu":1450,"addr_info":[
            {"family":"inet","local":"10.0.0.1","prefixlen":24,"scope":"global"},
            {"family":"inet6","local":"fe80::1","prefixlen":64,"scope":"link"}]}]
            [{"dst":"10.9.0.0/24","gateway":"10.0.0.7","dev":"qr-1","flags":[]},
            {"dst":"10.8.0.1","gateway":"10.0.0.7","dev":"qr-1","flags":[]},
            {"dst":"default","gateway":"fd00::2","dev":"qr-1","metric":1024}]"#;
        let found = read_inside(text).unwrap();
        assert!(found.links["lo"].ours() && found.links["lo"].up());
        assert_eq!(found.addresses["lo"], ["169.254.169.254/32".parse().unwrap()].into());
        assert_eq!(found.addresses["qr-1"], ["10.0.0.1/24".parse().unwrap()].into());
        let routes: Vec<String> = found
            .routes
            .iter()
            .map(|route| format!("{} {}", route.destination, route.via))
            .collect();
        assert_eq!(routes, ["10.8.0.1/32 10.0.0.7", "10.9.0.0/24 10.0.0.7", "::/0 fd00::2"]);
    }

    #[test]
    fn an_empty_answer_is_an_empty_namespace() {
        assert_eq!(read_inside("").unwrap(), Inside::default());
    }

    #[test]
    fn refusals_find_their_line() {
        let mut batch = Batch::default();
        batch.add(None, "link add a type bridge");
        batch.add(Uuid::from_u128(2), "link set b up");
        let refused = batch.refused("Cannot find device \"b\"\nCommand failed -:2\n", 1);
        assert_eq!(
            refused,
            [Refused {
                line: "link set b up".to_owned(),
                subject: Some(Uuid::from_u128(2)),
                why: "Cannot find device \"b\"".to_owned(),
            }]
        );
        assert!(batch.refused("", 0).is_empty());
        assert_eq!(batch.refused("boom", 2).len(), 1);
    }
}
