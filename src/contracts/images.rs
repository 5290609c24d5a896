//! Glance, as others need it.

use std::collections::BTreeMap;
use std::path::PathBuf;

use async_trait::async_trait;
use stackup_core::{Ctx, ImageId, ProjectId, Time};

use crate::CallError;

/// An image, as others need it.
#[derive(Debug, Clone, PartialEq)]
pub struct ImageInfo {
    pub id: ImageId,
    pub name: Option<String>,
    /// `queued`, `active`, …
    pub status: String,
    pub visibility: String,
    pub owner: Option<ProjectId>,
    /// `qcow2`, `raw`, `aki`, `ari`, `ami`, …
    pub disk_format: Option<String>,
    pub container_format: Option<String>,
    /// Bytes of the data.
    pub size: Option<u64>,
    /// Bytes of the disk that the data describes.
    pub virtual_size: Option<u64>,
    pub checksum: Option<String>,
    /// GiB.
    pub min_disk: u64,
    /// MiB.
    pub min_ram: u64,
    pub protected: bool,
    pub created_at: Time,
    pub updated_at: Time,
    pub tags: Vec<String>,
    /// Everything else: `kernel_id`, `ramdisk_id`, `hw_*`, `os_*`, what users add.
    pub properties: BTreeMap<String, String>,
}

/// Data at rest: a file on this host that does not change while the image is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageData {
    pub path: PathBuf,
    /// The format that the inspector found, not the one claimed.
    pub format: String,
}

/// An image to make.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct NewImage {
    pub name: String,
    pub disk_format: Option<String>,
    pub container_format: Option<String>,
    pub min_disk: u64,
    pub min_ram: u64,
    /// `None` is glance's default, `shared`.
    pub visibility: Option<String>,
    pub properties: BTreeMap<String, String>,
}

/// Which images to list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ImageQuery {
    pub name: Option<String>,
    pub status: Option<String>,
    pub limit: Option<usize>,
    pub marker: Option<ImageId>,
    pub properties: BTreeMap<String, String>,
}

/// Glance. Everything is done with the rights in `cx`.
#[async_trait]
pub trait Images: Send + Sync {
    async fn image(&self, cx: &Ctx, id: &ImageId) -> Result<ImageInfo, CallError>;

    /// Newest first.
    async fn images(&self, cx: &Ctx, query: &ImageQuery) -> Result<Vec<ImageInfo>, CallError>;

    /// The data of an active image.
    async fn data(&self, cx: &Ctx, id: &ImageId) -> Result<ImageData, CallError>;

    /// A queued image.
    async fn create(&self, cx: &Ctx, new: NewImage) -> Result<ImageInfo, CallError>;

    /// Takes the file as the data of a queued image, which becomes active. The file is gone after
    /// a success: it is moved where that is possible.
    async fn upload_file(&self, cx: &Ctx, id: &ImageId, file: PathBuf) -> Result<(), CallError>;

    /// Replaces properties; `None` removes one.
    async fn set_properties(
        &self,
        cx: &Ctx,
        id: &ImageId,
        changes: BTreeMap<String, Option<String>>,
    ) -> Result<ImageInfo, CallError>;

    async fn delete(&self, cx: &Ctx, id: &ImageId) -> Result<(), CallError>;
}
