//! A profile and what the machine is, made into ordered steps. Pure: nothing is looked at here.

use std::net::IpAddr;
use std::path::{Path, PathBuf};

use ipnet::Ipv4Net;
use serde_json::json;
use stackup_profile::{ComputeDriver, Profile, VolumeBackend};

use crate::error::{HostError, Kind};
use crate::facts::{Facts, OWNER, StateDir};
use crate::paths::Paths;
use crate::steps::{
    AnyStep, Backing, Bridge, Clouds, Directory, File, KernelModules, NetnsRoot, NftTable,
    Packages, Service, Sysctl, TimeProcess, TimeServer, Unit, User, VolumeGroup,
};
use crate::templates::{self, render};

/// Where clients look for clouds.
pub const CLOUDS: &str = "/etc/openstack/clouds.yaml";
pub(crate) const SYSCTL_FILE: &str = "/etc/sysctl.d/90-stackup.conf";

/// Every package a plan may name.
pub(crate) const KNOWN_PACKAGES: [&str; 12] = [
    "libvirt0",
    "libvirt-daemon-driver-qemu",
    "qemu-system-x86",
    "qemu-utils",
    "nftables",
    "iproute2",
    "iputils-ping",
    "kmod",
    "e2fsprogs",
    "lvm2",
    "thin-provisioning-tools",
    "chrony",
];

const FORWARDING: &str = "net.ipv4.ip_forward";
pub(crate) const WATCHED_SYSCTLS: [&str; 1] = [FORWARDING];

/// Less than this and no guest fits beside the services.
const MEMORY_MIB: u64 = 1024;
/// Databases, the guest image, one small disk.
const DISK_MIB: u64 = 2048;

/// What a plan needs beside profile and facts.
#[derive(Debug, Clone)]
pub struct Inputs {
    /// Our own program, as the unit starts it.
    pub program: PathBuf,
    /// The file of the passwords, whole.
    pub credentials: String,
    /// The first users' password, for `clouds.yaml`.
    pub password: String,
    pub auth_url: String,
    /// Every port the service will listen on.
    pub ports: Vec<u16>,
}

/// The changes, in order, and what a person should know about them.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    pub steps: Vec<AnyStep>,
    pub notes: Vec<Note>,
}

/// Something that is not as one might expect, and fine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    pub id: &'static str,
    pub text: String,
}

/// Everything that is in the way, found before anything is changed.
#[derive(Debug, thiserror::Error)]
#[error("{}", .0.iter().map(|problem| problem.message.as_str()).collect::<Vec<_>>().join("; "))]
pub struct PlanError(pub Vec<HostError>);

impl PlanError {
    /// What the exit code goes by: the most basic of the problems.
    pub fn kind(&self) -> Kind {
        self.0.iter().map(|problem| problem.kind).min().unwrap_or(Kind::Internal)
    }
}

/// What `install` would do to this machine, or all that keeps it from doing so.
pub fn plan(profile: &Profile, facts: &Facts, inputs: &Inputs) -> Result<Plan, PlanError> {
    let problems = obstacles(profile, facts, inputs);
    if !problems.is_empty() {
        return Err(PlanError(problems));
    }
    let paths = Paths::new(&profile.state_dir);
    let mut notes = Vec::new();
    let draft = Draft { profile, facts, inputs, paths: &paths };
    let steps = draft.steps(&mut notes).map_err(|error| PlanError(vec![error]))?;
    Ok(Plan { steps, notes })
}

fn obstacles(profile: &Profile, facts: &Facts, inputs: &Inputs) -> Vec<HostError> {
    let mut found = Vec::new();
    if profile.ephemeral {
        let error =
            HostError::new(Kind::Usage, "STK-PROFILE-006", "an ephemeral cloud is not installed");
        found.push(error.hint("stackup serve --ephemeral runs it; or name another profile"));
    }
    if !facts.root {
        let error =
            HostError::new(Kind::Permission, "STK-PERM-001", "changing this machine needs root");
        found.push(error.hint("run it with sudo"));
    }
    if facts.state == StateDir::Foreign {
        let path = profile.state_dir.display();
        let message = format!("{path} holds files that are not stackup's");
        let error = HostError::new(Kind::Conflict, "STK-STATE-002", message);
        found.push(error.hint("move them away, or --set state_dir=/another/place"));
    }
    resources(profile, facts, &mut found);
    ports(profile, facts, inputs, &mut found);
    if real(profile) {
        system(facts, &mut found);
        network(profile, facts, &mut found);
        volumes(profile, facts, &mut found);
    }
    found
}

/// Guests and networks of this machine, not pretended ones.
fn real(profile: &Profile) -> bool {
    profile.compute.driver == ComputeDriver::Libvirt
}

fn system(facts: &Facts, found: &mut Vec<HostError>) {
    if !facts.distro.debian_like() {
        let message = format!("{} is not known: packages come by apt", facts.distro.name);
        let error = HostError::new(Kind::Preflight, "STK-OS-001", message);
        found.push(error.hint("use Debian 12 or 13, or Ubuntu"));
    }
    if facts.architecture != "amd64" {
        let message = format!("{} is not supported", facts.architecture);
        let error = HostError::new(Kind::Preflight, "STK-OS-002", message);
        found.push(error.hint("guests are x86-64; use such a machine, or compute.driver=fake"));
    }
}

fn resources(profile: &Profile, facts: &Facts, found: &mut Vec<HostError>) {
    if real(profile) && facts.memory_mib < MEMORY_MIB {
        let message = format!("{} MiB of memory are too little", facts.memory_mib);
        let error = HostError::new(Kind::Resources, "STK-RES-001", message);
        found.push(error.hint(format!("{MEMORY_MIB} MiB are the least, 4 GiB are comfortable")));
    }
    if facts.free_mib < DISK_MIB {
        let place = profile.state_dir.display();
        let message = format!("{} MiB are free at {place}, which is too little", facts.free_mib);
        let error = HostError::new(Kind::Resources, "STK-RES-002", message);
        found.push(
            error.hint(format!("{DISK_MIB} MiB are the least; --set state_dir=… goes elsewhere")),
        );
    }
}

fn ports(profile: &Profile, facts: &Facts, inputs: &Inputs, found: &mut Vec<HostError>) {
    let address = profile.listen.address;
    for port in inputs.ports.iter().filter(|port| **port != 0) {
        let Some(listener) = facts.taken(address, *port) else { continue };
        let by = listener.program.as_deref().unwrap_or("another program");
        let message = format!("port {port} on {address} is taken by {by}");
        let hint = if *port == profile.listen.port {
            "stop it, or --set listen.port=8080".to_owned()
        } else {
            "stop it, or --set listen.classic_ports=false".to_owned()
        };
        found.push(HostError::new(Kind::Conflict, "STK-PORT-001", message).hint(hint));
    }
    let known =
        facts.links.iter().any(|link| link.addresses.iter().any(|net| net.addr() == address));
    let coming = address == IpAddr::V4(profile.network.public_gateway);
    if !address.is_unspecified() && !address.is_loopback() && !known && !coming {
        let message = format!("{address} is no address of this machine");
        let error = HostError::new(Kind::Conflict, "STK-PORT-002", message);
        found.push(error.hint("ip addr shows them; 0.0.0.0 is all of them"));
    }
}

fn network(profile: &Profile, facts: &Facts, found: &mut Vec<HostError>) {
    let network = &profile.network;
    if facts.link(&network.bridge).is_some_and(|link| !link.ours()) {
        let message = format!("a network device {} is there and not ours", network.bridge);
        let error = HostError::new(Kind::Conflict, "STK-NET-001", message);
        found.push(error.hint("remove it, or --set network.bridge=br-stackup"));
    }
    if let Some(route) = facts.overlap(network.public_cidr) {
        let (net, device) = (route.destination, &route.device);
        let message =
            format!("{} overlaps {net}, which is reached by {device}", network.public_cidr);
        let error = HostError::new(Kind::Conflict, "STK-NET-002", message);
        found.push(error.hint(
            "--set network.public_cidr=192.0.2.0/24 --set network.public_gateway=192.0.2.1, or any \
             block that is free here",
        ));
    }
}

fn volumes(profile: &Profile, facts: &Facts, found: &mut Vec<HostError>) {
    let volumes = &profile.volumes;
    if volumes.backend == VolumeBackend::Lvm && !facts.device_mapper {
        let error =
            HostError::new(Kind::Preflight, "STK-VOL-004", "the kernel has no device-mapper");
        found.push(error.hint("--set volumes.backend=auto keeps volumes in files here"));
    }
    if !lvm(profile, facts) {
        return;
    }
    if facts.group(&volumes.group).is_some_and(|group| !group.ours()) {
        let message = format!("a volume group {} is there and not ours", volumes.group);
        let error = HostError::new(Kind::Conflict, "STK-VOL-001", message);
        found.push(error.hint("rename it, or --set volumes.group=another-name"));
    }
    if volumes.device.is_none() && !facts.loop_devices {
        let error =
            HostError::new(Kind::Preflight, "STK-VOL-005", "the kernel has no loop devices");
        found.push(error.hint("--set volumes.device=/dev/…, or volumes.backend=file"));
    }
}

fn lvm(profile: &Profile, facts: &Facts) -> bool {
    profile.volumes.backend != VolumeBackend::File && facts.device_mapper
}

/// A plan in the making.
struct Draft<'a> {
    profile: &'a Profile,
    facts: &'a Facts,
    inputs: &'a Inputs,
    paths: &'a Paths,
}

impl Draft<'_> {
    fn steps(&self, notes: &mut Vec<Note>) -> Result<Vec<AnyStep>, HostError> {
        let mut steps = Vec::new();
        if real(self.profile) {
            self.software(&mut steps);
        }
        self.directories(&mut steps);
        if real(self.profile) {
            self.wiring(&mut steps)?;
            self.volumes(&mut steps, notes);
            self.time(&mut steps, notes)?;
        }
        self.service(&mut steps)?;
        self.remarks(notes);
        Ok(steps)
    }

    fn software(&self, steps: &mut Vec<AnyStep>) {
        if self.facts.modular {
            let mut names = vec!["bridge", "veth", "tun", "nf_tables", "nf_conntrack_bridge"];
            if lvm(self.profile, self.facts) {
                names.extend(["loop", "dm_mod"]);
            }
            let names = names.into_iter().map(str::to_owned).collect();
            steps.push(AnyStep::KernelModules(KernelModules { names }));
        }
        let without = |name: &&&str| match **name {
            "lvm2" | "thin-provisioning-tools" => lvm(self.profile, self.facts),
            "chrony" => self.keeps_time(),
            _ => true,
        };
        let names = KNOWN_PACKAGES.iter().filter(without).map(|name| (*name).to_owned()).collect();
        steps.push(AnyStep::Packages(Packages { names }));
        steps.push(AnyStep::User(User {
            name: "libvirt-qemu".to_owned(),
            home: "/var/lib/libvirt".to_owned(),
            reason: "libvirt looks it up".to_owned(),
        }));
        steps.push(AnyStep::NetnsRoot(NetnsRoot {}));
    }

    fn directories(&self, steps: &mut Vec<AnyStep>) {
        let ledger = stackup_ledger::FILE;
        steps.push(AnyStep::Directory(Directory {
            path: self.paths.state_dir.clone(),
            mode: 0o755,
            keep: vec![ledger.to_owned(), format!("{ledger}-journal")],
        }));
        steps.push(AnyStep::Directory(Directory {
            path: self.paths.runtime(),
            mode: 0o755,
            keep: Vec::new(),
        }));
        let profile = Profile { password: None, ..self.profile.clone() };
        let tree = serde_json::to_value(profile).unwrap_or_default();
        steps.push(file(self.paths.profile(), stackup_profile::to_yaml(&tree)));
        steps.push(AnyStep::File(File {
            path: self.paths.credentials(),
            content: self.inputs.credentials.clone(),
            mode: 0o600,
            secret: true,
        }));
    }

    fn wiring(&self, steps: &mut Vec<AnyStep>) -> Result<(), HostError> {
        let network = &self.profile.network;
        let settings = json!({ "settings": [{ "name": FORWARDING, "value": "1" }] });
        steps.push(file(SYSCTL_FILE, render(templates::SYSCTL, settings)?));
        steps.push(AnyStep::Sysctl(Sysctl {
            name: FORWARDING.to_owned(),
            value: "1".to_owned(),
            reason: "guests reach out through this machine".to_owned(),
        }));
        let prefix = network.public_cidr.prefix_len();
        let address = Ipv4Net::new(network.public_gateway, prefix)
            .map_err(|error| HostError::new(Kind::Internal, "STK-NET-003", error.to_string()))?;
        steps.push(AnyStep::Bridge(Bridge { name: network.bridge.clone(), address }));
        let values = json!({ "public_cidr": network.public_cidr, "bridge": network.bridge });
        steps.push(AnyStep::NftTable(NftTable {
            family: "ip".to_owned(),
            name: OWNER.to_owned(),
            rules: render(templates::NFT, values)?,
        }));
        Ok(())
    }

    fn volumes(&self, steps: &mut Vec<AnyStep>, notes: &mut Vec<Note>) {
        let volumes = &self.profile.volumes;
        if !lvm(self.profile, self.facts) {
            if volumes.backend == VolumeBackend::Auto {
                let text = "the kernel has no device-mapper: volumes will be files";
                notes.push(Note { id: "STK-VOL-101", text: text.to_owned() });
            }
            return;
        }
        let backing = match &volumes.device {
            Some(device) => Backing::Device { device: device.clone() },
            None => {
                if volumes.size.mib() > self.facts.free_mib {
                    let text = format!(
                        "the file behind the volumes may grow to {}, but {} MiB are free",
                        volumes.size, self.facts.free_mib
                    );
                    notes.push(Note { id: "STK-VOL-102", text });
                }
                let file = self.paths.volumes_file(&volumes.group);
                Backing::Loop { file, size: volumes.size }
            }
        };
        steps.push(AnyStep::VolumeGroup(VolumeGroup { name: volumes.group.clone(), backing }));
    }

    fn keeps_time(&self) -> bool {
        self.profile.time.manage && self.facts.time_daemon.is_none()
    }

    fn time(&self, steps: &mut Vec<AnyStep>, notes: &mut Vec<Note>) -> Result<(), HostError> {
        if let (true, Some(daemon)) = (self.profile.time.manage, &self.facts.time_daemon) {
            let text = format!("{daemon} keeps the time here; it is left as it is");
            notes.push(Note { id: "STK-TIME-101", text });
        }
        if !self.keeps_time() {
            return Ok(());
        }
        if self.profile.time.servers.is_empty() {
            let text = "no time servers are named: guests follow this machine's own clock";
            notes.push(Note { id: "STK-TIME-102", text: text.to_owned() });
        }
        let runtime = self.paths.runtime();
        let (config, drift, process) = if self.facts.systemd {
            (
                PathBuf::from("/etc/chrony/chrony.conf"),
                Path::new("/var/lib/chrony/chrony.drift").to_owned(),
                None,
            )
        } else {
            let process = TimeProcess {
                pid_file: runtime.join("chronyd.pid"),
                runtime: runtime.join("chrony"),
                log: self.paths.state_dir.join("chronyd.log"),
            };
            let drift = self.paths.state_dir.join("chrony.drift");
            (self.paths.state_dir.join("chrony.conf"), drift, Some(process))
        };
        let socket = match &process {
            Some(process) => process.runtime.join("chronyd.sock"),
            None => PathBuf::from("/run/chrony/chronyd.sock"),
        };
        let pid_file = match &process {
            Some(process) => process.pid_file.clone(),
            None => PathBuf::from("/run/chrony/chronyd.pid"),
        };
        let network = &self.profile.network;
        let values = json!({
            "servers": self.profile.time.servers, "address": network.public_gateway,
            "clients": [network.public_cidr, network.private_pool], "drift": drift,
            "pidfile": pid_file, "command_socket": socket, "free_running": process.is_some(),
        });
        let content = render(templates::CHRONY, values)?;
        steps.push(AnyStep::TimeServer(TimeServer { config, content, process }));
        Ok(())
    }

    fn service(&self, steps: &mut Vec<AnyStep>) -> Result<(), HostError> {
        steps.push(AnyStep::Clouds(Clouds {
            path: PathBuf::from(CLOUDS),
            auth_url: self.inputs.auth_url.clone(),
            region: self.profile.region.clone(),
            password: self.inputs.password.clone(),
        }));
        if self.facts.systemd {
            let values = json!({
                "program": self.inputs.program, "state_dir": self.paths.state_dir,
            });
            steps.push(AnyStep::Unit(Unit { content: render(templates::UNIT, values)? }));
        }
        steps.push(AnyStep::Service(Service {
            state_dir: self.paths.state_dir.clone(),
            program: self.inputs.program.clone(),
        }));
        Ok(())
    }

    fn remarks(&self, notes: &mut Vec<Note>) {
        let note = |id, text: &str| Note { id, text: text.to_owned() };
        if !self.facts.systemd {
            notes.push(note(
                "STK-RUN-101",
                "no systemd here: the cloud is a background process and does not start with the machine",
            ));
        }
        if real(self.profile) && !self.facts.kvm {
            notes.push(note("STK-VIRT-101", "no /dev/kvm: guests are emulated, which is slow"));
        }
        if !self.profile.listen.address.is_loopback() {
            notes.push(note(
                "STK-PORT-101",
                "the APIs speak plain HTTP and will be reachable from outside",
            ));
        }
    }
}

fn file(path: impl Into<PathBuf>, content: String) -> AnyStep {
    AnyStep::File(File { path: path.into(), content, mode: 0o644, secret: false })
}

#[cfg(test)]
mod tests;
