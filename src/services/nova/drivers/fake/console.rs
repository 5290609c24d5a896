//! What a simulated guest writes to its serial console.

use std::time::Duration;

use crate::drivers::GuestSpec;

/// What a guest writes that was asked to shut down.
pub(super) const SHUTDOWN: &str = "\nThe system is going down NOW!\n\
    Sent SIGTERM to all processes\nSent SIGKILL to all processes\n\
    Requesting system poweroff\nreboot: Power down\n";

/// The console of a boot that has run for `age` and needs `boot_time` to the login prompt. Lines
/// come evenly over that time; without one they are all there.
pub(super) fn boot_text(spec: &GuestSpec, age: Duration, boot_time: Duration) -> String {
    let lines = lines(spec);
    let share = if boot_time.is_zero() { 1.0 } else { age.as_secs_f64() / boot_time.as_secs_f64() };
    let mut text = String::new();
    for (index, line) in lines.iter().enumerate() {
        let due = index as f64 / lines.len().saturating_sub(1).max(1) as f64;
        if due > share {
            break;
        }
        text.push_str(line);
    }
    text
}

fn lines(spec: &GuestSpec) -> Vec<String> {
    let hostname = hostname(&spec.metadata.server_name);
    let mut at = 0.0;
    let mut lines = Vec::new();
    let mut kernel = |text: &str| {
        lines.push(format!("[{at:>12.6}] {text}\n"));
        at += 0.137_041;
    };
    kernel("Linux version 6.1.0-fake-amd64 (simulated guest, no machine behind it)");
    kernel(&format!(
        "Command line: {}",
        spec.cmdline.as_deref().unwrap_or(GuestSpec::DIRECT_CMDLINE)
    ));
    kernel("BIOS-provided physical RAM map:");
    kernel(&format!("DMI: OpenStack Foundation OpenStack Nova, UUID {}", spec.uuid));
    kernel(&format!("smpboot: Allowing {} CPUs, 0 hotplug CPUs", spec.vcpus));
    kernel(&format!("Memory: {0}K/{0}K available", spec.memory_mb * 1024));
    kernel("Calibrating delay loop (skipped) preset value.. 4999.99 BogoMIPS");
    kernel("NET: Registered PF_NETLINK/PF_ROUTE protocol family");
    for disk in &spec.disks {
        kernel(&format!("virtio_blk: [{}] attached", disk.device));
    }
    for (index, nic) in spec.nics.iter().enumerate() {
        kernel(&format!("virtio_net virtio{index} eth{index}: link up, address {}", nic.mac));
    }
    kernel("EXT4-fs (vda1): mounted filesystem with ordered data mode");
    kernel("Run /sbin/init as init process");
    let mut user = |text: String| lines.push(text);
    user(format!("Set hostname to {hostname}\n"));
    user("udhcpc: sending discover\n".to_owned());
    user("checking http://169.254.169.254/latest/instance-id\n".to_owned());
    user(format!("instance-id: {}\n", spec.uuid));
    user("Starting dropbear sshd: OK\n".to_owned());
    user(format!("=== system information ===\nMemory: {} MB\n", spec.memory_mb));
    user(format!("\n{hostname} login: "));
    lines
}

/// The name as the guest would take it: lower case, other characters as dashes.
fn hostname(server_name: &str) -> String {
    let name: String = server_name
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' })
        .collect();
    match name.trim_matches('-') {
        "" => "guest".to_owned(),
        trimmed => trimmed.to_owned(),
    }
}
