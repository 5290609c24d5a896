//! Names of traits and resource classes: standard ones are known, custom ones have a prefix.

use std::collections::BTreeSet;
use std::sync::LazyLock;

/// os-resource-classes, in its order.
pub(crate) const STANDARD_CLASSES: &[&str] = &[
    "VCPU",
    "MEMORY_MB",
    "DISK_GB",
    "PCI_DEVICE",
    "SRIOV_NET_VF",
    "NUMA_SOCKET",
    "NUMA_CORE",
    "NUMA_THREAD",
    "NUMA_MEMORY_MB",
    "IPV4_ADDRESS",
    "VGPU",
    "VGPU_DISPLAY_HEAD",
    "NET_BW_EGR_KILOBIT_PER_SEC",
    "NET_BW_IGR_KILOBIT_PER_SEC",
    "PCPU",
    "MEM_ENCRYPTION_CONTEXT",
    "FPGA",
    "PGPU",
    "NET_PACKET_RATE_KILOPACKET_PER_SEC",
    "NET_PACKET_RATE_EGR_KILOPACKET_PER_SEC",
    "NET_PACKET_RATE_IGR_KILOPACKET_PER_SEC",
];

/// os-traits.
pub(crate) static STANDARD_TRAITS: LazyLock<BTreeSet<&'static str>> =
    LazyLock::new(|| include_str!("standard_traits.txt").lines().collect());

/// `CUSTOM_` and then capitals, digits and underscores; 255 characters at most.
pub(crate) fn is_custom(name: &str) -> bool {
    let rest = name.strip_prefix("CUSTOM_").unwrap_or_default();
    !rest.is_empty() && name.len() <= 255 && rest.bytes().all(is_plain)
}

/// Whether it could be the name of a trait or class at all.
pub(crate) fn is_name(name: &str) -> bool {
    !name.is_empty() && name.len() <= 255 && name.bytes().all(is_plain)
}

fn is_plain(byte: u8) -> bool {
    byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_'
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn custom_names() {
        assert!(is_custom("CUSTOM_FPGA_1"));
        for wrong in ["CUSTOM_", "VCPU", "CUSTOM_a", "CUSTOM_Ä", ""] {
            assert!(!is_custom(wrong), "{wrong}");
        }
        assert!(STANDARD_TRAITS.contains("HW_CPU_X86_AVX2"));
    }
}
