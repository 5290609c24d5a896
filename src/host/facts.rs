//! What the machine is: looked at, never touched.
//!
//! [`Facts`] is plain data, so that a plan is a pure function of it and a fixture is a JSON file.

mod gather;

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr};

use ipnet::{IpNet, Ipv4Net};
use serde::{Deserialize, Serialize};

pub use gather::gather;
pub(crate) use gather::{installed, links, nft_tables, volume_groups};

/// The alias, tag or name by which what we made is known without the ledger.
pub const OWNER: &str = "stackup";

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Facts {
    pub root: bool,
    pub distro: Distro,
    /// As Debian says it: `amd64`.
    pub architecture: String,
    pub kernel: String,
    pub cpus: usize,
    pub memory_mib: u64,
    /// On the file system of the state directory.
    pub free_mib: u64,
    pub systemd: bool,
    /// `/dev/kvm` is there. Whether a guest boots under it only a probe guest knows.
    pub kvm: bool,
    pub device_mapper: bool,
    pub loop_devices: bool,
    /// Modules can be loaded; else everything the kernel can do is built in.
    pub modular: bool,
    pub links: Vec<Link>,
    pub routes: Vec<Route>,
    pub listeners: Vec<Listener>,
    /// Those of the packages we may need that are installed.
    pub packages: BTreeSet<String>,
    /// A daemon that keeps the clock and is not ours.
    pub time_daemon: Option<String>,
    pub volume_groups: Vec<VolumeGroup>,
    /// `family name` of each table of the packet filter.
    pub nft_tables: Vec<String>,
    pub users: BTreeSet<String>,
    pub state: StateDir,
    /// Settings of the kernel that a step would change, as they are.
    pub sysctls: BTreeMap<String, String>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Distro {
    /// `debian`, `ubuntu`.
    pub id: String,
    pub version: String,
    pub name: String,
    /// What it is made from.
    pub like: Vec<String>,
}

impl Distro {
    /// Packages come by apt.
    pub fn debian_like(&self) -> bool {
        self.id == "debian" || self.like.iter().any(|like| like == "debian")
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Link {
    pub name: String,
    /// `bridge`, `veth`; empty for a device of hardware.
    pub kind: String,
    pub alias: Option<String>,
    pub addresses: Vec<IpNet>,
}

impl Link {
    pub fn ours(&self) -> bool {
        self.alias.as_deref() == Some(OWNER)
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Route {
    pub destination: Ipv4Net,
    pub device: String,
    pub gateway: Option<Ipv4Addr>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Listener {
    pub address: IpAddr,
    pub port: u16,
    pub program: Option<String>,
    /// Our own service.
    pub ours: bool,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct VolumeGroup {
    pub name: String,
    pub tags: Vec<String>,
}

impl VolumeGroup {
    pub fn ours(&self) -> bool {
        self.tags.iter().any(|tag| tag == OWNER)
    }
}

/// What is at the place of the state directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StateDir {
    /// Nothing, or an empty directory.
    Free,
    /// An installation, whole or half.
    Ours,
    /// Files without a ledger among them.
    Foreign,
}

impl Facts {
    pub fn link(&self, name: &str) -> Option<&Link> {
        self.links.iter().find(|link| link.name == name)
    }

    /// The device a block of addresses would collide with, ours left out.
    pub fn overlap(&self, cidr: Ipv4Net) -> Option<&Route> {
        self.routes.iter().find(|route| {
            let whole = route.destination.prefix_len() == 0;
            let ours = self.link(&route.device).is_some_and(Link::ours);
            let (a, b) = (route.destination, cidr);
            !whole && !ours && (a.contains(&b) || b.contains(&a))
        })
    }

    /// Who has a port at an address, ours left out.
    pub fn taken(&self, address: IpAddr, port: u16) -> Option<&Listener> {
        self.listeners.iter().find(|listener| {
            let same = listener.address == address
                || listener.address.is_unspecified()
                || address.is_unspecified();
            listener.port == port && same && !listener.ours
        })
    }

    /// The host's own address, for people: that of the default route's device.
    pub fn host_address(&self) -> Option<IpAddr> {
        let route = self.routes.iter().find(|route| route.destination.prefix_len() == 0)?;
        let link = self.link(&route.device)?;
        link.addresses.iter().map(IpNet::addr).find(IpAddr::is_ipv4)
    }

    pub fn group(&self, name: &str) -> Option<&VolumeGroup> {
        self.volume_groups.iter().find(|group| group.name == name)
    }
}
