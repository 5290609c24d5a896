//! Local disks: a cache of base images on the host, and each guest's files above it.
//!
//! ```text
//! instances/_base/<image>.<checksum>     the image as raw bytes, shared, never written
//! instances/<uuid>/disk                  qcow2 above it, grown to the flavor
//! instances/<uuid>/disk.before-resize    the old root while a resize can be reverted
//! instances/<uuid>/disk.snap             where a running guest writes while it is copied
//! ```

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde_json::Value;
use stackup_system::Program;
use stackup_system::files::{make_dir, remove_if_there, write_atomic};

use super::config_drive;
use crate::drivers::{
    DiskFormat, DiskPlan, DriverError, GuestFiles, ImageRef, ImageSource, Result, RootPlan, layout,
};

const GIB: u64 = 1 << 30;
/// Copying a whole disk may take its time.
const COPY_TIMEOUT: Duration = Duration::from_secs(3600);

/// The directory of local disks.
pub(super) struct Images {
    dir: PathBuf,
    /// One fetch of an image at a time; others wait for its end.
    fetching: Mutex<HashMap<PathBuf, Arc<tokio::sync::Mutex<()>>>>,
}

impl Images {
    pub(super) fn new(dir: PathBuf) -> Self {
        Self { dir, fetching: Mutex::default() }
    }

    /// The directory with the guest's files.
    pub(super) fn of(&self, uuid: &str) -> PathBuf {
        self.dir.join(uuid)
    }

    pub(super) fn root(&self, uuid: &str) -> PathBuf {
        self.of(uuid).join(layout::ROOT)
    }

    pub(super) fn snap(&self, uuid: &str) -> PathBuf {
        self.of(uuid).join("disk.snap")
    }

    /// Makes what is missing of the plan's files.
    pub(super) async fn prepare(
        &self,
        uuid: &str,
        plan: &DiskPlan,
        images: &dyn ImageSource,
    ) -> Result<GuestFiles> {
        let dir = self.of(uuid);
        make_dir(&dir, 0o711).map_err(io("making the guest's directory"))?;
        let mut files = layout::files(&dir, plan);
        if let Some(root) = &plan.root {
            self.make_root(&dir.join(layout::named(layout::ROOT, plan.rescue)), root, images)
                .await?;
            files.kernel = self.boot_file(root.image.kernel.as_deref(), root, images).await?;
            files.ramdisk = self.boot_file(root.image.ramdisk.as_deref(), root, images).await?;
        }
        if plan.ephemeral_gb > 0 && !plan.rescue {
            let format = Program::new("mkfs.ext4").args(["-q", "-F", "-L", "ephemeral0"]);
            make_blank(&dir.join(layout::EPHEMERAL), plan.ephemeral_gb * GIB, format).await?;
        }
        if plan.swap_mb > 0 && !plan.rescue {
            make_blank(&dir.join(layout::SWAP), plan.swap_mb << 20, Program::new("mkswap")).await?;
        }
        if let Some(content) = &plan.config_drive {
            let path = dir.join(layout::named(layout::CONFIG_DRIVE, plan.rescue));
            write_atomic(&path, &config_drive::image(content)?, 0o600)
                .map_err(io("writing the config drive"))?;
        }
        Ok(files)
    }

    pub(super) fn discard_root(&self, uuid: &str, rescue: bool) -> Result<()> {
        for name in [layout::ROOT, layout::CONFIG_DRIVE] {
            remove_if_there(&self.of(uuid).join(layout::named(name, rescue)))
                .map_err(io("removing the root disk"))?;
        }
        Ok(())
    }

    /// Removes all files of the guest.
    pub(super) fn remove(&self, uuid: &str) -> Result<()> {
        match std::fs::remove_dir_all(self.of(uuid)) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(io("removing the guest's files")(error))
            }
            _ => Ok(()),
        }
    }

    pub(super) async fn resize_root(&self, uuid: &str, root_gb: u64) -> Result<()> {
        self.merge_snap(uuid).await?;
        let root = self.root(uuid);
        if !root.exists() {
            return Ok(()); // booted from a volume
        }
        let kept = self.before_resize(uuid);
        if !kept.exists() {
            // Under another name until whole, so that a half copy is never taken for the disk.
            let part = kept.with_extension("part");
            let copy = Program::new("cp").args(["--reflink=auto", "--sparse=always", "--"]);
            run(copy.arg(&root).arg(&part).timeout(COPY_TIMEOUT)).await?;
            std::fs::rename(&part, &kept).map_err(io("keeping the old disk"))?;
        }
        grow(&root, root_gb * GIB).await
    }

    pub(super) fn confirm_resize(&self, uuid: &str) -> Result<()> {
        remove_if_there(&self.before_resize(uuid)).map_err(io("removing the old disk"))
    }

    pub(super) fn revert_resize(&self, uuid: &str) -> Result<()> {
        match std::fs::rename(self.before_resize(uuid), self.root(uuid)) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(io("putting the old disk back")(error))
            }
            _ => Ok(()),
        }
    }

    /// Writes the root disk, nobody changing it, as one file.
    pub(super) async fn flatten(&self, uuid: &str, to: &Path, format: DiskFormat) -> Result<()> {
        // A running guest holds the disk as the read-only base of its overlay, hence -U.
        let convert = Program::new("qemu-img").args(["convert", "-U", "-f", "qcow2", "-O"]);
        run(convert.arg(format.as_str()).arg(self.root(uuid)).arg(to).timeout(COPY_TIMEOUT)).await
    }

    /// Takes back what a guest wrote beside its disk while a snapshot was made that did not end.
    /// The guest must be off.
    pub(super) async fn merge_snap(&self, uuid: &str) -> Result<()> {
        let snap = self.snap(uuid);
        if !snap.exists() {
            return Ok(());
        }
        let commit = Program::new("qemu-img").args(["commit", "-q", "-f", "qcow2"]);
        run(commit.arg(&snap).timeout(COPY_TIMEOUT)).await?;
        remove_if_there(&snap).map_err(io("removing the merged overlay"))
    }

    fn before_resize(&self, uuid: &str) -> PathBuf {
        self.of(uuid).join("disk.before-resize")
    }

    async fn make_root(
        &self,
        disk: &Path,
        plan: &RootPlan,
        images: &dyn ImageSource,
    ) -> Result<()> {
        if disk.exists() {
            return Ok(());
        }
        let base = self.base(&plan.image, plan.image.format, images).await?;
        let length = std::fs::metadata(&base).map_err(io("reading the base image"))?.len();
        let size = plan.size_gb * GIB;
        if plan.size_gb > 0 && length > size {
            let reason = format!("it needs {length} bytes, more than {} GB", plan.size_gb);
            return Err(DriverError::Image { image: plan.image.id.clone(), reason });
        }
        let part = disk.with_extension("part");
        let create =
            Program::new("qemu-img").args(["create", "-q", "-f", "qcow2", "-F", "raw", "-b"]);
        run(create.arg(&base).arg(&part).arg(size.max(length).to_string())).await?;
        std::fs::rename(&part, disk).map_err(io("placing the root disk"))
    }

    /// A kernel or ramdisk, straight from the cache.
    async fn boot_file(
        &self,
        id: Option<&str>,
        root: &RootPlan,
        images: &dyn ImageSource,
    ) -> Result<Option<PathBuf>> {
        let Some(id) = id else { return Ok(None) };
        // Only the root image's checksum is known; an image's bytes never change under its id.
        let image = ImageRef { id: id.to_owned(), ..root.image.clone() };
        self.base(&image, DiskFormat::Raw, images).await.map(Some)
    }

    /// The image in the cache, fetched if it is not there.
    async fn base(
        &self,
        image: &ImageRef,
        format: DiskFormat,
        images: &dyn ImageSource,
    ) -> Result<PathBuf> {
        let cache = self.dir.join("_base");
        let base = cache.join(cache_name(image));
        let turn = {
            let mut fetching = self.fetching.lock().unwrap_or_else(PoisonError::into_inner);
            fetching.entry(base.clone()).or_default().clone()
        };
        let _turn = turn.lock().await;
        if base.exists() {
            return Ok(base);
        }
        make_dir(&cache, 0o711).map_err(io("making the image cache"))?;
        let fetched = base.with_extension("fetched");
        let raw = base.with_extension("raw");
        remove_if_there(&fetched).map_err(io("clearing the image cache"))?;
        images.fetch(&image.id, &fetched).await?;
        let made = to_raw(&image.id, format, &fetched, &raw).await;
        if made.is_err() || format != DiskFormat::Raw {
            remove_if_there(&fetched).map_err(io("clearing the image cache"))?;
        }
        made?;
        std::fs::rename(&raw, &base).map_err(io("placing the base image"))?;
        Ok(base)
    }
}

/// The bytes of the image at `raw`, as the declared format says. An image that refers to another
/// file of the host is refused, whatever the image service let pass.
async fn to_raw(id: &str, format: DiskFormat, fetched: &Path, raw: &Path) -> Result<()> {
    if format == DiskFormat::Raw {
        return std::fs::rename(fetched, raw).map_err(io("placing the base image"));
    }
    let refuse = |reason: String| DriverError::Image { image: id.to_owned(), reason };
    let info = Program::new("qemu-img").args(["info", "--output=json", "-f", format.as_str()]);
    let output =
        info.arg(fetched).status().await.map_err(|e| DriverError::failed("qemu-img", e))?;
    if output.code != 0 {
        return Err(refuse(format!("it is not {}", format.as_str())));
    }
    let info: Value = serde_json::from_str(&output.stdout)
        .map_err(|source| DriverError::failed("reading qemu-img info", source))?;
    if let Some(reason) = refers_outside(&info) {
        return Err(refuse(reason));
    }
    let convert = Program::new("qemu-img").args(["convert", "-O", "raw", "-f", format.as_str()]);
    run(convert.arg(fetched).arg(raw).timeout(COPY_TIMEOUT)).await
}

/// Why an image is not one file: a backing file, a data file, or extents elsewhere.
fn refers_outside(info: &Value) -> Option<String> {
    if info.get("backing-filename").is_some() || info.get("full-backing-filename").is_some() {
        return Some("it has a backing file".to_owned());
    }
    let data = &info["format-specific"]["data"];
    if data.get("data-file").is_some() {
        return Some("it has a data file".to_owned());
    }
    let kind = data["create-type"].as_str()?;
    let whole = ["monolithicSparse", "streamOptimized"].contains(&kind);
    (!whole).then(|| format!("VMDK of type {kind} is not allowed"))
}

/// A name that other bytes do not get: id and checksum, and nothing that could leave the cache.
fn cache_name(image: &ImageRef) -> String {
    let clean = |text: &str| -> String {
        text.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '-').collect()
    };
    let checksum: String = clean(&image.checksum).chars().take(32).collect();
    format!("{}_{checksum}", clean(&image.id))
}

/// A sparse file of a size, formatted, unless it is there.
async fn make_blank(path: &Path, bytes: u64, format: Program) -> Result<()> {
    if path.exists() {
        return Ok(());
    }
    let part = path.with_extension("part");
    let file = std::fs::File::create(&part).map_err(io("making a blank disk"))?;
    file.set_len(bytes).map_err(io("sizing a blank disk"))?;
    run(format.arg(&part)).await?;
    std::fs::rename(&part, path).map_err(io("placing a blank disk"))
}

async fn grow(disk: &Path, bytes: u64) -> Result<()> {
    let info = Program::new("qemu-img").args(["info", "--output=json", "-f", "qcow2"]).arg(disk);
    let output = info.run().await.map_err(|e| DriverError::failed("reading the disk", e))?;
    let info: Value = serde_json::from_str(&output.stdout)
        .map_err(|source| DriverError::failed("reading qemu-img info", source))?;
    if info["virtual-size"].as_u64().is_some_and(|size| size >= bytes) {
        return Ok(());
    }
    let resize = Program::new("qemu-img").args(["resize", "-q", "-f", "qcow2"]);
    run(resize.arg(disk).arg(bytes.to_string())).await
}

async fn run(program: Program) -> Result<()> {
    let doing = program.to_string();
    program.run().await.map(drop).map_err(|source| DriverError::failed(doing, source))
}

fn io(doing: &'static str) -> impl Fn(std::io::Error) -> DriverError {
    move |source| DriverError::failed(doing, source)
}

#[cfg(test)]
mod tests;
