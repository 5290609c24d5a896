//! The plain types that nova and its drivers exchange.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::model::power::PowerState;

/// The name libvirt and books know a server by: `instance-0000000a` for row 10.
#[must_use]
pub fn instance_name(row: i64) -> String {
    format!("instance-{row:08x}")
}

/// The tap device of a port: `tap` and the first 11 characters of its id, as the kernel takes 15.
#[must_use]
pub fn tap_name(port_id: &str) -> String {
    let head: String = port_id.chars().take(11).collect();
    format!("tap{head}")
}

/// A hypervisor and what it has. Nova subtracts what its servers use.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Hypervisor {
    /// The name of the compute service and of the placement provider.
    pub host: String,
    /// `QEMU` (libvirt without KVM says so too) or `fake`.
    pub kind: String,
    /// Nova's number: 7.2.22 is 7002022.
    pub version: u32,
    pub vcpus: u32,
    pub memory_mb: u64,
    /// Size of the file system that holds local disks.
    pub local_gb: u64,
    /// What is still free of it.
    pub free_disk_gb: u64,
    pub host_ip: String,
    /// The `cpu_info` object of os-hypervisors: arch, model, vendor, topology, features.
    pub cpu_info: serde_json::Value,
    /// Placement traits, such as `HW_CPU_X86_SSE2` or `COMPUTE_NODE`.
    pub traits: Vec<String>,
    /// The `uptime` line of the host; none where the driver has no host.
    pub uptime: Option<String>,
}

/// Whose guest it is: decided by the mark in the guest itself, not by the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Owner {
    Ours,
    Foreign,
}

/// A guest as the hypervisor sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GuestInfo {
    pub uuid: String,
    /// The hypervisor's name for it, `instance-0000000a`.
    pub name: String,
    pub power: PowerState,
    pub owner: Owner,
}

/// A change of power, as told by [`super::ComputeDriver::events`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LifecycleEvent {
    pub host: String,
    pub uuid: String,
    pub event: Event,
}

/// What happened to a guest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    Started,
    Stopped,
    Paused,
    Resumed,
    Suspended,
    Crashed,
}

/// How to restart a guest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RebootKind {
    Soft,
    Hard,
}

/// What a guest's local files are made from.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DiskPlan {
    /// None for a server that boots from a volume.
    pub root: Option<RootPlan>,
    pub ephemeral_gb: u64,
    pub swap_mb: u64,
    /// Bus of the local disks (`hw_disk_bus` of the image).
    pub bus: Bus,
    /// Paths and contents of the config drive, from [`crate::model::metadata`]; none for no drive.
    pub config_drive: Option<Vec<(String, Vec<u8>)>>,
    /// The files of a rescue: other names, beside the guest's own.
    pub rescue: bool,
}

/// The root disk: an image grown to a size.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RootPlan {
    pub image: ImageRef,
    /// 0 keeps the image's own size.
    pub size_gb: u64,
}

/// An image, and what the store of images says of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageRef {
    pub id: String,
    /// Part of the cache key, so that an image with other bytes is never taken from the cache.
    pub checksum: String,
    /// What the owner of the image declared; nothing is guessed from the bytes.
    pub format: DiskFormat,
    /// Images to boot from directly, without a boot loader (`kernel_id`, `ramdisk_id`).
    pub kernel: Option<String>,
    pub ramdisk: Option<String>,
}

/// What [`super::ComputeDriver::prepare`] made.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct GuestFiles {
    /// In the order root, ephemeral, swap, config drive.
    pub disks: Vec<Disk>,
    pub kernel: Option<PathBuf>,
    pub ramdisk: Option<PathBuf>,
    pub console_log: PathBuf,
}

/// Everything a driver needs to define a guest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GuestSpec {
    pub uuid: String,
    /// See [`instance_name`].
    pub name: String,
    pub memory_mb: u64,
    pub vcpus: u32,
    pub disks: Vec<Disk>,
    pub nics: Vec<Nic>,
    pub kernel: Option<PathBuf>,
    pub ramdisk: Option<PathBuf>,
    /// Only with a kernel; none takes [`GuestSpec::DIRECT_CMDLINE`].
    pub cmdline: Option<String>,
    pub console_log: PathBuf,
    pub metadata: GuestMetadata,
    /// A virtio random number generator (`hw_rng:allowed`).
    pub hw_rng: bool,
    /// `pc`, `q35`, …; none takes the driver's choice.
    pub machine: Option<String>,
    /// `virtio`, `vga`, …; none takes the driver's choice.
    pub video: Option<String>,
    /// Serial number in the guest's SMBIOS; the server's UUID as a rule.
    pub smbios_serial: Option<String>,
}

impl GuestSpec {
    /// The kernel's command line when an image with a kernel brings none.
    pub const DIRECT_CMDLINE: &'static str = "root=/dev/vda console=tty0 console=ttyS0";
}

/// What a guest says about itself on the hypervisor, for people with `virsh`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct GuestMetadata {
    pub server_name: String,
    pub flavor_name: String,
    pub project_id: String,
    pub project_name: String,
    pub user_id: String,
    pub user_name: String,
    pub image_id: Option<String>,
    /// RFC 3339.
    pub created_at: String,
}

/// A disk of a guest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Disk {
    /// A file, or a block device when it lies under `/dev`.
    pub path: PathBuf,
    pub format: DiskFormat,
    pub bus: Bus,
    /// Device name without `/dev/`: `vda`, `sdb`.
    pub device: String,
    pub kind: DiskDevice,
    /// 0 boots first; none never boots.
    pub boot_index: Option<u32>,
    /// What the guest sees in `/dev/disk/by-id`: the volume's id.
    pub serial: Option<String>,
    pub readonly: bool,
    /// Written to by several guests at once (multi-attach volumes).
    pub shareable: bool,
}

/// How a disk looks to the guest.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DiskDevice {
    #[default]
    Disk,
    Cdrom,
}

/// The form of a disk's bytes. Always said, never probed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DiskFormat {
    Raw,
    Qcow2,
    Vmdk,
    Vdi,
    Vhdx,
    Vpc,
}

impl DiskFormat {
    /// QEMU's name for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Raw => "raw",
            Self::Qcow2 => "qcow2",
            Self::Vmdk => "vmdk",
            Self::Vdi => "vdi",
            Self::Vhdx => "vhdx",
            Self::Vpc => "vpc",
        }
    }

    /// The format behind glance's `disk_format`. `ami`, `ari`, `aki` and `iso` are bytes as they
    /// are; none for what no hypervisor here can start from.
    #[must_use]
    pub fn from_glance(disk_format: &str) -> Option<Self> {
        match disk_format {
            "raw" | "ami" | "ari" | "aki" | "iso" => Some(Self::Raw),
            "qcow2" => Some(Self::Qcow2),
            "vmdk" => Some(Self::Vmdk),
            "vdi" => Some(Self::Vdi),
            "vhdx" => Some(Self::Vhdx),
            "vhd" => Some(Self::Vpc),
            _ => None,
        }
    }
}

/// How a disk is connected.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Bus {
    #[default]
    Virtio,
    Scsi,
    Ide,
    Sata,
    Usb,
}

impl Bus {
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Virtio => "virtio",
            Self::Scsi => "scsi",
            Self::Ide => "ide",
            Self::Sata => "sata",
            Self::Usb => "usb",
        }
    }

    /// The bus behind `hw_disk_bus`; none for one that no driver here has.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Virtio, Self::Scsi, Self::Ide, Self::Sata, Self::Usb]
            .into_iter()
            .find(|bus| bus.as_str() == name)
    }

    /// The letters before the disk's own: `vd`, `sd`, `hd`.
    #[must_use]
    pub const fn prefix(self) -> &'static str {
        match self {
            Self::Virtio => "vd",
            Self::Scsi | Self::Sata | Self::Usb => "sd",
            Self::Ide => "hd",
        }
    }
}

/// A network card of a guest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Nic {
    pub port_id: String,
    pub mac: String,
    /// See [`tap_name`].
    pub tap: String,
    pub mtu: Option<u32>,
    /// `virtio` unless the image says otherwise (`hw_vif_model`).
    pub model: String,
}

impl Nic {
    /// A virtio card for the port.
    #[must_use]
    pub fn virtio(port_id: &str, mac: &str, mtu: Option<u32>) -> Self {
        Self {
            port_id: port_id.to_owned(),
            mac: mac.to_owned(),
            tap: tap_name(port_id),
            mtu,
            model: "virtio".to_owned(),
        }
    }
}

/// Where a console listens, for the proxy on the same machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConsoleAddress {
    pub host: String,
    pub port: u16,
}

/// Counters of a running guest, in the form of nova's diagnostics since 2.48.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Diagnostics {
    pub state: PowerState,
    pub driver: String,
    /// `qemu`, `kvm` or `fake`.
    pub hypervisor: String,
    /// Seconds since the guest started.
    pub uptime: Option<u64>,
    /// Nanoseconds each vCPU has run.
    pub cpu_time_ns: Vec<u64>,
    pub memory: MemoryStats,
    pub disks: Vec<DiskStats>,
    pub nics: Vec<NicStats>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemoryStats {
    pub maximum_mb: u64,
    pub used_mb: u64,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DiskStats {
    pub device: String,
    pub read_bytes: u64,
    pub read_requests: u64,
    pub write_bytes: u64,
    pub write_requests: u64,
    pub errors: u64,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NicStats {
    pub mac: String,
    pub rx_octets: u64,
    pub rx_packets: u64,
    pub rx_errors: u64,
    pub rx_drop: u64,
    pub tx_octets: u64,
    pub tx_packets: u64,
    pub tx_errors: u64,
    pub tx_drop: u64,
}

/// A guest for tests: one vCPU, 192 MB, one NIC, no disks.
#[cfg(test)]
pub(crate) fn sample(uuid: &str) -> GuestSpec {
    GuestSpec {
        uuid: uuid.to_owned(),
        name: instance_name(1),
        memory_mb: 192,
        vcpus: 1,
        disks: Vec::new(),
        nics: vec![Nic::virtio(
            "ce531f90-199f-48c0-816c-13e38010b442",
            "fa:16:3e:00:00:01",
            Some(1500),
        )],
        kernel: None,
        ramdisk: None,
        cmdline: None,
        console_log: PathBuf::from("/state/console.log"),
        metadata: GuestMetadata {
            server_name: "vm1".to_owned(),
            flavor_name: "m1.nano".to_owned(),
            project_id: "p".to_owned(),
            project_name: "demo".to_owned(),
            user_id: "u".to_owned(),
            user_name: "demo".to_owned(),
            image_id: Some("i".to_owned()),
            created_at: "2026-01-02T03:04:05Z".to_owned(),
        },
        hw_rng: true,
        machine: None,
        video: None,
        smbios_serial: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_upstreams() {
        assert_eq!(instance_name(10), "instance-0000000a");
        assert_eq!(tap_name("ce531f90-199f-48c0-816c-13e38010b442"), "tapce531f90-19");
    }

    #[test]
    fn formats_are_never_guessed() {
        assert_eq!(DiskFormat::from_glance("ami"), Some(DiskFormat::Raw));
        assert_eq!(DiskFormat::from_glance("vhd"), Some(DiskFormat::Vpc));
        assert_eq!(DiskFormat::from_glance("ploop"), None);
        assert_eq!(Bus::parse("scsi"), Some(Bus::Scsi));
        assert_eq!(Bus::parse("fdc"), None);
    }
}
