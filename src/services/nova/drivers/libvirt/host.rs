//! What the hypervisor's host is and has.

use std::path::Path;

use serde_json::{Value, json};
use virt::connect::Connect;

use super::domain::failed;
use super::look;
use crate::drivers::{DriverError, Hypervisor, Result};

/// What this driver can do, as placement traits.
const TRAITS: [&str; 16] = [
    "COMPUTE_NODE",
    "COMPUTE_NET_ATTACH_INTERFACE",
    "COMPUTE_NET_VIF_MODEL_VIRTIO",
    "COMPUTE_NET_VIF_MODEL_E1000",
    "COMPUTE_VOLUME_EXTEND",
    "COMPUTE_VOLUME_MULTI_ATTACH",
    "COMPUTE_STORAGE_BUS_VIRTIO",
    "COMPUTE_STORAGE_BUS_SCSI",
    "COMPUTE_STORAGE_BUS_IDE",
    "COMPUTE_IMAGE_TYPE_RAW",
    "COMPUTE_IMAGE_TYPE_QCOW2",
    "COMPUTE_IMAGE_TYPE_AMI",
    "COMPUTE_IMAGE_TYPE_AKI",
    "COMPUTE_IMAGE_TYPE_ARI",
    "COMPUTE_IMAGE_TYPE_ISO",
    "COMPUTE_GRAPHICS_MODEL_VGA",
];

/// CPU features by libvirt's name that are placement traits.
const CPU_TRAITS: [(&str, &str); 9] = [
    ("sse", "HW_CPU_X86_SSE"),
    ("sse2", "HW_CPU_X86_SSE2"),
    ("ssse3", "HW_CPU_X86_SSSE3"),
    ("sse4.1", "HW_CPU_X86_SSE41"),
    ("sse4.2", "HW_CPU_X86_SSE42"),
    ("aes", "HW_CPU_X86_AESNI"),
    ("avx", "HW_CPU_X86_AVX"),
    ("avx2", "HW_CPU_X86_AVX2"),
    ("avx512f", "HW_CPU_X86_AVX512F"),
];

/// The hypervisor as of now. `disks` is where local disks are; `kvm` says whether guests see the
/// host's own CPU.
pub(super) fn facts(
    connect: &Connect,
    (host, host_ip): (&str, &str),
    disks: &Path,
    kvm: bool,
) -> Result<Hypervisor> {
    let what = failed("reading the host's facts");
    let node = connect.get_node_info().map_err(&what)?;
    let version = connect.get_hyp_version().map_err(&what)?;
    let capabilities = connect.get_capabilities().map_err(&what)?;
    let (local_gb, free_disk_gb) = space(disks)?;
    let (cpu_info, features) = cpu(&capabilities, &node);
    let seen: Vec<&str> = if kvm {
        features.iter().map(String::as_str).collect()
    } else {
        // What an emulated CPU has, whatever the host's.
        vec!["sse", "sse2", "ssse3", "sse4.1", "sse4.2", "aes"]
    };
    let cpu_traits = CPU_TRAITS.iter().filter(|(name, _)| seen.contains(name)).map(|(_, t)| *t);
    Ok(Hypervisor {
        host: host.to_owned(),
        kind: "QEMU".to_owned(),
        version,
        vcpus: node.cpus,
        memory_mb: node.memory / 1024,
        local_gb,
        free_disk_gb,
        host_ip: host_ip.to_owned(),
        cpu_info,
        traits: TRAITS.into_iter().chain(cpu_traits).map(str::to_owned).collect(),
        uptime: uptime(),
    })
}

/// Size and free space, in GB, of the file system below the nearest directory that exists.
fn space(dir: &Path) -> Result<(u64, u64)> {
    let there = dir.ancestors().find(|path| path.exists()).unwrap_or(Path::new("/"));
    let stat = nix::sys::statvfs::statvfs(there)
        .map_err(|source| DriverError::failed("measuring the disk", source))?;
    let gigabytes = |blocks: u64| blocks * stat.fragment_size() / (1 << 30);
    Ok((gigabytes(stat.blocks()), gigabytes(stat.blocks_available())))
}

fn cpu(capabilities: &str, node: &virt::connect::NodeInfo) -> (Value, Vec<String>) {
    let hosts = look::elements(capabilities, "host");
    let host = hosts.first().copied().unwrap_or_default();
    let cpus = look::elements(host, "cpu");
    let cpu = cpus.first().copied().unwrap_or_default();
    let features: Vec<String> = look::elements(cpu, "feature")
        .into_iter()
        .filter_map(|feature| look::attribute(feature, "feature", "name"))
        .collect();
    let topology = |name: &str, otherwise: u32| {
        let told = look::attribute(cpu, "topology", name);
        told.and_then(|count| count.parse().ok()).unwrap_or(otherwise)
    };
    let info = json!({
        "arch": look::text(cpu, "arch").unwrap_or_else(|| node.model.clone()),
        "model": look::text(cpu, "model"),
        "vendor": look::text(cpu, "vendor"),
        "topology": {
            "cells": node.nodes,
            "sockets": topology("sockets", node.sockets),
            "cores": topology("cores", node.cores),
            "threads": topology("threads", node.threads),
        },
        "features": features,
    });
    (info, features)
}

/// The line `uptime` prints, as os-hypervisors shows it.
fn uptime() -> Option<String> {
    let up: f64 = std::fs::read_to_string("/proc/uptime").ok()?.split(' ').next()?.parse().ok()?;
    let load = std::fs::read_to_string("/proc/loadavg").ok()?;
    let load: Vec<&str> = load.split(' ').take(3).collect();
    let minutes = (up / 60.0) as u64;
    let (days, hours, minutes) = (minutes / 1440, minutes / 60 % 24, minutes % 60);
    Some(format!(" up {days} days, {hours:2}:{minutes:02},  load average: {}", load.join(", ")))
}
