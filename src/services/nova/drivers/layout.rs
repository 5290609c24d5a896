//! Where a guest's local files are and which devices they become. Pure; every driver's files look
//! the same, with nova's names.

use std::path::Path;

use super::{Bus, Disk, DiskDevice, DiskFormat, DiskPlan, GuestFiles};

pub(super) const ROOT: &str = "disk";
pub(super) const EPHEMERAL: &str = "disk.eph0";
pub(super) const SWAP: &str = "disk.swap";
pub(super) const CONFIG_DRIVE: &str = "disk.config";

/// The files of a plan below the guest's directory. Kernel and ramdisk, which guests share, are
/// left to the driver.
pub(super) fn files(dir: &Path, plan: &DiskPlan) -> GuestFiles {
    let mut disks: Vec<Disk> = Vec::new();
    let mut add = |name: &str, bus: Bus, format: DiskFormat, kind: DiskDevice| {
        let taken = disks.iter().filter(|disk| disk.bus.prefix() == bus.prefix()).count();
        disks.push(Disk {
            path: dir.join(named(name, plan.rescue)),
            format,
            bus,
            device: format!("{}{}", bus.prefix(), letter(taken)),
            kind,
            boot_index: (name == ROOT).then_some(0),
            serial: None,
            readonly: kind == DiskDevice::Cdrom,
            shareable: false,
        });
    };
    if plan.root.is_some() {
        add(ROOT, plan.bus, DiskFormat::Qcow2, DiskDevice::Disk);
    }
    if plan.ephemeral_gb > 0 && !plan.rescue {
        add(EPHEMERAL, plan.bus, DiskFormat::Raw, DiskDevice::Disk);
    }
    if plan.swap_mb > 0 && !plan.rescue {
        add(SWAP, plan.bus, DiskFormat::Raw, DiskDevice::Disk);
    }
    if plan.config_drive.is_some() {
        add(CONFIG_DRIVE, Bus::Ide, DiskFormat::Raw, DiskDevice::Cdrom);
    }
    GuestFiles { disks, kernel: None, ramdisk: None, console_log: dir.join("console.log") }
}

/// `disk`, or `disk.rescue`.
pub(super) fn named(name: &str, rescue: bool) -> String {
    if rescue { format!("{name}.rescue") } else { name.to_owned() }
}

fn letter(index: usize) -> char {
    ('a'..='z').nth(index).unwrap_or('z')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::drivers::{ImageRef, RootPlan};

    #[test]
    fn disks_get_their_letters_in_order_and_the_drive_its_own_bus() {
        let plan = DiskPlan {
            root: Some(RootPlan {
                image: ImageRef {
                    id: "i".to_owned(),
                    checksum: String::new(),
                    format: DiskFormat::Raw,
                    kernel: None,
                    ramdisk: None,
                },
                size_gb: 1,
            }),
            ephemeral_gb: 1,
            swap_mb: 64,
            config_drive: Some(Vec::new()),
            ..DiskPlan::default()
        };
        let shown: Vec<String> = files(Path::new("/i"), &plan)
            .disks
            .iter()
            .map(|disk| format!("{}={}", disk.device, disk.path.display()))
            .collect();
        let expected =
            ["vda=/i/disk", "vdb=/i/disk.eph0", "vdc=/i/disk.swap", "hda=/i/disk.config"];
        assert_eq!(shown, expected);
        let rescue = files(Path::new("/i"), &DiskPlan { rescue: true, ..plan });
        assert_eq!(rescue.disks[0].path, Path::new("/i/disk.rescue"));
        assert_eq!(rescue.disks.len(), 2);
    }
}
