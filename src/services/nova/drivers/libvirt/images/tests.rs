//! Local disks, with the real `qemu-img`; skipped where there is none.

use super::*;
use async_trait::async_trait;
use serde_json::json;

/// Serves one file as every image and counts how often.
struct OneFile(Vec<u8>, std::sync::atomic::AtomicUsize);

#[async_trait]
impl ImageSource for OneFile {
    async fn fetch(&self, _image_id: &str, to: &Path) -> Result<()> {
        self.1.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        std::fs::File::create_new(to)
            .and_then(|mut file| std::io::Write::write_all(&mut file, &self.0))
            .map_err(io("writing"))
    }
}

fn plan(format: DiskFormat, size_gb: u64) -> DiskPlan {
    DiskPlan {
        root: Some(RootPlan {
            image: ImageRef {
                id: "../0a1b".to_owned(),
                checksum: "abc".to_owned(),
                format,
                kernel: None,
                ramdisk: None,
            },
            size_gb,
        }),
        ..DiskPlan::default()
    }
}

async fn skip() -> bool {
    let missing = Program::new("qemu-img").arg("--version").run().await.is_err();
    if missing {
        println!("skipped: no qemu-img");
    }
    missing
}

async fn size(disk: &Path) -> u64 {
    let info = Program::new("qemu-img").args(["info", "--output=json"]).arg(disk).run().await;
    let info: Value = serde_json::from_str(&info.unwrap().stdout).unwrap();
    info["virtual-size"].as_u64().unwrap()
}

#[tokio::test]
async fn a_root_disk_grows_above_a_cached_image_and_can_be_put_back() {
    if skip().await {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let images = Images::new(dir.path().to_owned());
    let source = OneFile(vec![7; 1 << 20], Default::default());
    let files = images.prepare("u1", &plan(DiskFormat::Raw, 1), &source).await.unwrap();
    images.prepare("u2", &plan(DiskFormat::Raw, 0), &source).await.unwrap();
    assert_eq!(source.1.load(std::sync::atomic::Ordering::SeqCst), 1);
    let disk = &files.disks[0].path;
    assert_eq!(size(disk).await, GIB);
    assert_eq!(size(&images.root("u2")).await, 1 << 20);
    images.resize_root("u1", 2).await.unwrap();
    images.resize_root("u1", 2).await.unwrap();
    assert_eq!(size(disk).await, 2 * GIB);
    images.revert_resize("u1").unwrap();
    images.revert_resize("u1").unwrap();
    assert_eq!(size(disk).await, GIB);
    let flat = dir.path().join("flat");
    images.flatten("u2", &flat, DiskFormat::Raw).await.unwrap();
    assert_eq!(std::fs::read(&flat).unwrap(), source.0);
    images.remove("u1").unwrap();
    images.remove("u1").unwrap();
    assert!(!images.of("u1").exists());
}

#[tokio::test]
async fn an_image_that_is_not_what_it_says_is_refused() {
    if skip().await {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let images = Images::new(dir.path().to_owned());
    let source = OneFile(vec![7; 4096], Default::default());
    let result = images.prepare("u1", &plan(DiskFormat::Qcow2, 1), &source).await;
    assert!(matches!(result, Err(DriverError::Image { .. })), "{result:?}");
    let backed = dir.path().join("backed");
    let create = Program::new("qemu-img")
        .args(["create", "-q", "-f", "qcow2", "-u", "-F", "raw", "-b", "/etc/passwd"])
        .arg(&backed)
        .arg("1M");
    create.run().await.unwrap();
    let source = OneFile(std::fs::read(&backed).unwrap(), Default::default());
    let result = images.prepare("u1", &plan(DiskFormat::Qcow2, 1), &source).await;
    assert!(matches!(result, Err(DriverError::Image { reason, .. }) if reason.contains("backing")));
    assert_eq!(std::fs::read_dir(dir.path().join("_base")).unwrap().count(), 0);
}

#[tokio::test]
async fn an_image_larger_than_the_flavor_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let images = Images::new(dir.path().to_owned());
    let base = dir.path().join("_base");
    std::fs::create_dir(&base).unwrap();
    std::fs::File::create(base.join("0a1b_abc")).unwrap().set_len(2 * GIB).unwrap();
    let source = OneFile(Vec::new(), Default::default());
    let result = images.prepare("u1", &plan(DiskFormat::Raw, 1), &source).await;
    assert!(matches!(result, Err(DriverError::Image { .. })), "{result:?}");
}

#[test]
fn only_images_of_one_file_pass() {
    assert!(refers_outside(&json!({ "backing-filename": "x" })).is_some());
    let vmdk = |kind: &str| json!({ "format-specific": { "type": "vmdk", "data": { "create-type": kind } } });
    assert!(refers_outside(&vmdk("monolithicFlat")).is_some());
    assert!(refers_outside(&vmdk("streamOptimized")).is_none());
    let data = json!({ "format-specific": { "data": { "data-file": "/etc/shadow" } } });
    assert!(refers_outside(&data).is_some());
}
