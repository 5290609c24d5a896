//! The form of a profile on disk, with the default of every value.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;

use ipnet::Ipv4Net;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::size::ByteSize;

/// The only version of the form there is.
pub const SCHEMA_VERSION: u32 = 1;

/// Which cloud to make of this machine.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Profile {
    pub schema_version: u32,
    /// Codenames: keystone, nova, …
    pub services: Vec<String>,
    pub region: String,
    /// The password of `admin` and the other first users. None: a random one, made at install.
    pub password: Option<String>,
    /// Databases, images, disks: everything stackup keeps lives below.
    pub state_dir: PathBuf,
    /// Nothing is kept: the state goes with the process.
    pub ephemeral: bool,
    pub listen: Listen,
    pub network: Network,
    pub compute: Compute,
    pub volumes: Volumes,
    pub time: TimeSync,
    pub image: Image,
    pub store: Store,
    /// Settings of one service, by codename. The service itself says what is allowed in it.
    pub config: BTreeMap<String, Value>,
}

impl Default for Profile {
    fn default() -> Self {
        let services = ["keystone", "placement", "glance", "neutron", "nova"];
        Self {
            schema_version: SCHEMA_VERSION,
            services: services.map(str::to_owned).to_vec(),
            region: "RegionOne".to_owned(),
            password: None,
            state_dir: PathBuf::from("/var/lib/stackup"),
            ephemeral: false,
            listen: Listen::default(),
            network: Network::default(),
            compute: Compute::default(),
            volumes: Volumes::default(),
            time: TimeSync::default(),
            image: Image::default(),
            store: Store::default(),
            config: BTreeMap::new(),
        }
    }
}

/// Where the APIs answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Listen {
    /// Loopback unless asked: the APIs speak plain HTTP.
    pub address: IpAddr,
    /// The one port of all APIs, told apart by path. 0 takes any free one.
    pub port: u16,
    /// Answer on the ports of textbooks too: 5000, 8774, 9292, 9696, …
    pub classic_ports: bool,
    /// Other classic ports than the usual, by codename; 0 leaves one out.
    pub ports: BTreeMap<String, u16>,
}

impl Default for Listen {
    fn default() -> Self {
        Self {
            address: IpAddr::V4(Ipv4Addr::LOCALHOST),
            port: 80,
            classic_ports: false,
            ports: BTreeMap::new(),
        }
    }
}

/// The networks every new cloud has.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Network {
    /// The external network: floating IPs come from here.
    pub public_cidr: Ipv4Net,
    /// The host's address on it.
    pub public_gateway: Ipv4Addr,
    /// The bridge of the external network.
    pub bridge: String,
    /// Where the subnets of projects are cut from.
    pub private_pool: Ipv4Net,
    /// Name servers told to guests. None by default.
    pub dns: Vec<IpAddr>,
}

impl Default for Network {
    fn default() -> Self {
        Self {
            public_cidr: net([172, 24, 4, 0], 24),
            public_gateway: Ipv4Addr::new(172, 24, 4, 1),
            bridge: "br-ex".to_owned(),
            private_pool: net([10, 0, 0, 0], 22),
            dns: Vec::new(),
        }
    }
}

fn net(octets: [u8; 4], prefix: u8) -> Ipv4Net {
    Ipv4Net::new_assert(Ipv4Addr::from(octets), prefix)
}

/// What runs the guests.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Compute {
    pub driver: ComputeDriver,
    pub virt: Virt,
    /// How many hypervisors the fake driver pretends.
    pub fake_hosts: u32,
    /// Another libvirt than the embedded one: `qemu:///system`.
    pub libvirt_uri: Option<String>,
}

impl Default for Compute {
    fn default() -> Self {
        Self { driver: ComputeDriver::Libvirt, virt: Virt::Auto, fake_hosts: 1, libvirt_uri: None }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ComputeDriver {
    /// Real guests, by QEMU.
    Libvirt,
    /// Pretended ones; the networks are pretended too, and the host is not touched.
    Fake,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Virt {
    /// KVM where a probe guest really boots under it, else emulation.
    Auto,
    Kvm,
    /// Emulation, everywhere possible and slow.
    Qemu,
}

/// Where volumes live.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Volumes {
    pub backend: VolumeBackend,
    /// The volume group's name.
    pub group: String,
    /// The size of the sparse file behind it.
    pub size: ByteSize,
    /// A whole disk or partition instead of the file. Its content is lost.
    pub device: Option<PathBuf>,
}

impl Default for Volumes {
    fn default() -> Self {
        Self {
            backend: VolumeBackend::Auto,
            group: "stack-volumes-lvmdriver-1".to_owned(),
            size: ByteSize::gib(30),
            device: None,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum VolumeBackend {
    /// LVM where the kernel has device-mapper, else files.
    Auto,
    Lvm,
    File,
}

/// The host's clock.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TimeSync {
    /// Run a time server for the guests where no time daemon runs yet.
    pub manage: bool,
    /// Where it gets the time. Empty: the host's own clock.
    pub servers: Vec<String>,
}

impl Default for TimeSync {
    fn default() -> Self {
        Self { manage: true, servers: Vec::new() }
    }
}

/// The image every new cloud has.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Image {
    /// The directory of the `tiny` guest. None: looked for beside the binary and in
    /// `/usr/local/share/stackup/images`.
    pub tiny: Option<PathBuf>,
}

/// Which database.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Store {
    pub engine: Engine,
    /// `postgres://user:password@host`; each service has a database of its codename there.
    pub url: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Engine {
    #[default]
    Sqlite,
    Postgres,
}
