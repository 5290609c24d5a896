//! The look at the real machine.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use ipnet::{IpNet, Ipv4Net};
use serde::Deserialize;
use stackup_profile::Profile;
use stackup_system::process::find;
use stackup_system::{Program, kernel, mounts, sockets};

use super::{Distro, Facts, Link, Listener, Route, StateDir, VolumeGroup};
use crate::paths::Paths;
use crate::plan::{KNOWN_PACKAGES, WATCHED_SYSCTLS};
use crate::service;

/// Daemons that keep a clock; ours is told apart by its configuration file.
const TIME_DAEMONS: [&str; 5] = ["chronyd", "ntpd", "ntpsec", "systemd-timesyncd", "openntpd"];

/// Looks at this machine. What cannot be found out counts as not there.
pub async fn gather(profile: &Profile) -> Facts {
    let paths = Paths::new(&profile.state_dir);
    let packages = installed(&KNOWN_PACKAGES).await;
    Facts {
        root: nix::unistd::geteuid().is_root(),
        distro: distro(&fs::read_to_string("/etc/os-release").unwrap_or_default()),
        architecture: architecture().to_owned(),
        kernel: kernel::sysctl("kernel.osrelease").ok().flatten().unwrap_or_default(),
        cpus: std::thread::available_parallelism().map_or(1, usize::from),
        memory_mib: memory_mib(&fs::read_to_string("/proc/meminfo").unwrap_or_default()),
        free_mib: mounts::free_bytes(&profile.state_dir).unwrap_or(0) >> 20,
        systemd: Path::new("/run/systemd/system").is_dir(),
        kvm: Path::new("/dev/kvm").exists(),
        device_mapper: device_mapper(),
        loop_devices: Path::new("/dev/loop-control").exists(),
        modular: Path::new("/proc/modules").exists(),
        links: links().await,
        routes: routes().await,
        listeners: listeners(&paths),
        packages,
        time_daemon: time_daemon(&paths),
        volume_groups: volume_groups().await,
        nft_tables: nft_tables().await,
        users: users(&fs::read_to_string("/etc/passwd").unwrap_or_default()),
        state: state_of(&paths),
        sysctls: sysctls(),
    }
}

/// What each of these programs prints; nothing where it is not there or fails.
async fn output(program: Program) -> String {
    match program.status().await {
        Ok(output) if output.code == 0 => output.stdout,
        _ => String::new(),
    }
}

/// Which of these packages are installed.
pub(crate) async fn installed(names: &[&str]) -> BTreeSet<String> {
    let query = Program::new("dpkg-query").args(["-W", "-f", "${db:Status-Abbrev} ${Package}\n"]);
    let text = query.args(names).status().await.map(|output| output.stdout).unwrap_or_default();
    text.lines()
        .filter_map(|line| line.strip_prefix("ii"))
        .map(|name| name.trim().to_owned())
        .collect()
}

pub(super) fn distro(os_release: &str) -> Distro {
    let values: BTreeMap<&str, &str> = os_release
        .lines()
        .filter_map(|line| line.split_once('='))
        .map(|(key, value)| (key, value.trim_matches('"')))
        .collect();
    let value = |key: &str| values.get(key).copied().unwrap_or_default().to_owned();
    Distro {
        id: value("ID"),
        version: value("VERSION_ID"),
        name: value("PRETTY_NAME"),
        like: value("ID_LIKE").split_whitespace().map(str::to_owned).collect(),
    }
}

fn architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}

fn memory_mib(meminfo: &str) -> u64 {
    let total = meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:"));
    let kib = total.and_then(|rest| rest.split_whitespace().next()?.parse::<u64>().ok());
    kib.unwrap_or(0) >> 10
}

fn device_mapper() -> bool {
    let devices = fs::read_to_string("/proc/misc").unwrap_or_default();
    let there = devices.lines().any(|line| line.ends_with(" device-mapper"));
    let version = kernel::sysctl("kernel.osrelease").ok().flatten().unwrap_or_default();
    there
        || Path::new("/lib/modules").join(version).join("kernel/drivers/md/dm-mod.ko").exists()
        || dm_module_packed()
}

/// Debian 13 and Ubuntu pack their modules: `dm-mod.ko.xz`, `.zst`.
fn dm_module_packed() -> bool {
    let version = kernel::sysctl("kernel.osrelease").ok().flatten().unwrap_or_default();
    let list = Path::new("/lib/modules").join(version);
    ["modules.order", "modules.builtin"].iter().any(|file| {
        fs::read_to_string(list.join(file)).is_ok_and(|text| text.contains("/dm-mod.ko"))
    })
}

#[derive(Deserialize)]
struct IpLink {
    ifname: String,
    ifalias: Option<String>,
    linkinfo: Option<LinkInfo>,
    #[serde(default)]
    addr_info: Vec<AddrInfo>,
}

#[derive(Deserialize)]
struct LinkInfo {
    #[serde(default)]
    info_kind: String,
}

#[derive(Deserialize)]
struct AddrInfo {
    local: Option<std::net::IpAddr>,
    #[serde(default)]
    prefixlen: u8,
}

/// Every link of this namespace with its addresses.
pub(crate) async fn links() -> Vec<Link> {
    let text = output(Program::new("ip").args(["-j", "-d", "addr", "show"])).await;
    let links: Vec<IpLink> = serde_json::from_str(&text).unwrap_or_default();
    links
        .into_iter()
        .map(|link| Link {
            name: link.ifname,
            kind: link.linkinfo.map(|info| info.info_kind).unwrap_or_default(),
            alias: link.ifalias,
            addresses: link
                .addr_info
                .iter()
                .filter_map(|info| IpNet::new(info.local?, info.prefixlen).ok())
                .collect(),
        })
        .collect()
}

#[derive(Deserialize)]
struct IpRoute {
    dst: String,
    dev: Option<String>,
    gateway: Option<String>,
}

async fn routes() -> Vec<Route> {
    let text = output(Program::new("ip").args(["-j", "-4", "route", "show"])).await;
    let routes: Vec<IpRoute> = serde_json::from_str(&text).unwrap_or_default();
    routes
        .into_iter()
        .filter_map(|route| {
            let destination = match route.dst.as_str() {
                "default" => Ipv4Net::default(),
                dst if dst.contains('/') => dst.parse().ok()?,
                dst => Ipv4Net::new(dst.parse().ok()?, 32).ok()?,
            };
            let gateway = route.gateway.and_then(|gateway| gateway.parse().ok());
            Some(Route { destination, device: route.dev?, gateway })
        })
        .collect()
}

fn listeners(paths: &Paths) -> Vec<Listener> {
    let service = service::main_process(paths);
    sockets::listening()
        .into_iter()
        .map(|socket| {
            let owner = socket.owner();
            let ours = match (&owner, service) {
                (Some((_, pid)), Some(service)) => service::belongs(*pid, service),
                _ => false,
            };
            let program = owner.map(|(name, pid)| format!("{name} (PID {pid})"));
            Listener { address: socket.address, port: socket.port, program, ours }
        })
        .collect()
}

fn time_daemon(paths: &Paths) -> Option<String> {
    let own = paths.runtime().join("chronyd.pid");
    let own = stackup_system::ProcessId::from_file(&own);
    let ours_by_unit = fs::read_to_string("/etc/chrony/chrony.conf")
        .is_ok_and(|text| text.starts_with("# Made by stackup"));
    let name_of = |args: &[String]| {
        let program = Path::new(args.first()?).file_name()?.to_str()?;
        TIME_DAEMONS.into_iter().find(|daemon| *daemon == program)
    };
    let running = find(|args| name_of(args).is_some());
    running
        .into_iter()
        .filter(|process| Some(*process) != own && !parent_is(*process, own))
        .filter_map(|process| name_of(&process.command_line()))
        .find(|name| !(ours_by_unit && *name == "chronyd"))
        .map(str::to_owned)
}

/// chronyd keeps a helper process beside it.
fn parent_is(process: stackup_system::ProcessId, own: Option<stackup_system::ProcessId>) -> bool {
    own.is_some_and(|own| service::belongs(process.pid, own))
}

/// Without the kernel's device-mapper only one that we made on a loop device can be there; else
/// `vgs` is not asked, which would make `/dev/mapper` even to look.
pub(crate) async fn volume_groups() -> Vec<VolumeGroup> {
    if !device_mapper() && !loops_in_use() {
        return Vec::new();
    }
    let vgs = ["--noheadings", "--separator", "|", "-o", "vg_name,vg_tags"];
    let text = output(Program::new("vgs").args(vgs)).await;
    text.lines()
        .filter_map(|line| line.trim().split_once('|'))
        .map(|(name, tags)| VolumeGroup {
            name: name.to_owned(),
            tags: tags.split(',').filter(|tag| !tag.is_empty()).map(str::to_owned).collect(),
        })
        .collect()
}

fn loops_in_use() -> bool {
    let Ok(devices) = fs::read_dir("/sys/block") else { return false };
    devices.filter_map(Result::ok).any(|device| device.path().join("loop/backing_file").exists())
}

pub(crate) async fn nft_tables() -> Vec<String> {
    let text = output(Program::new("nft").args(["list", "tables"])).await;
    text.lines().filter_map(|line| line.strip_prefix("table ")).map(str::to_owned).collect()
}

fn users(passwd: &str) -> BTreeSet<String> {
    passwd.lines().filter_map(|line| line.split(':').next()).map(str::to_owned).collect()
}

fn state_of(paths: &Paths) -> StateDir {
    if paths.ledger().exists() {
        return StateDir::Ours;
    }
    match fs::read_dir(&paths.state_dir).map(|mut dir| dir.next().is_none()) {
        Ok(false) => StateDir::Foreign,
        Ok(true) | Err(_) => StateDir::Free,
    }
}

fn sysctls() -> BTreeMap<String, String> {
    WATCHED_SYSCTLS
        .iter()
        .filter_map(|name| Some(((*name).to_owned(), kernel::sysctl(name).ok()??)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_os_release() {
        let text =
            "PRETTY_NAME=\"Ubuntu 24.04.1 LTS\"\nID=ubuntu\nID_LIKE=debian\nVERSION_ID=\"24.04\"\n";
        let distro = distro(text);
        assert!(distro.debian_like());
        assert_eq!((distro.id.as_str(), distro.version.as_str()), ("ubuntu", "24.04"));
    }

    #[tokio::test]
    async fn looks_at_the_real_machine() {
        let facts = gather(&Profile::default()).await;
        assert!(facts.cpus > 0 && facts.memory_mib > 0);
        assert!(!facts.kernel.is_empty());
        let again: Facts = serde_json::from_str(&serde_json::to_string(&facts).unwrap()).unwrap();
        assert_eq!(again, facts);
    }
}
