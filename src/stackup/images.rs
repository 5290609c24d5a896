//! Where the images of the installation are.

use std::path::{Path, PathBuf};

use stackup_glance::SeedImage;

/// Where `scripts/guest-image.sh` and the packages put the tiny guest.
const PLACES: &[&str] = &["/usr/local/share/stackup/images", "/usr/share/stackup/images"];
/// Beside the program, for a run from the source tree.
const BESIDE: &[&str] = &["images", "../dist", "../../dist", "../share/stackup/images"];

/// The tiny guest as a disk (`tiny`) and for a direct kernel boot (`tiny-direct`), if its files
/// are somewhere.
pub fn tiny(dir: Option<&Path>) -> Vec<SeedImage> {
    let Some(dir) = dir.map(Path::to_owned).or_else(find) else { return Vec::new() };
    let seed = |name: &str, file: &str, disk: &str, container: &str| SeedImage {
        name: name.to_owned(),
        path: dir.join(file),
        disk_format: disk.to_owned(),
        container_format: container.to_owned(),
        ..SeedImage::default()
    };
    let direct = SeedImage {
        kernel: Some("tiny-kernel".to_owned()),
        ramdisk: Some("tiny-ramdisk".to_owned()),
        ..seed("tiny-direct", "tiny-rootfs.ext4", "ami", "ami")
    };
    let seeds = [
        seed("tiny-kernel", "tiny-vmlinuz", "aki", "aki"),
        seed("tiny-ramdisk", "tiny-initrd.img", "ari", "ari"),
        direct,
        seed("tiny", "tiny.qcow2", "qcow2", "bare"),
    ];
    seeds.into_iter().filter(|seed| seed.path.is_file()).collect()
}

fn find() -> Option<PathBuf> {
    let program = std::env::current_exe().ok();
    let here = program.as_deref().and_then(Path::parent);
    let beside = here.into_iter().flat_map(|here| BESIDE.iter().map(move |path| here.join(path)));
    let places = PLACES.iter().map(PathBuf::from);
    places.chain(beside).find(|dir| dir.join("tiny.qcow2").is_file())
}
