//! The settings of glance, with their defaults; the profile's section of the same name fills them.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Deserialize;

/// What an operator may set.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Where the data of images is kept, one file an image, and staged data beside it.
    pub data_dir: PathBuf,
    /// The name of that store at the API.
    pub store_id: String,
    pub disk_formats: Vec<String>,
    pub container_formats: Vec<String>,
    /// In the order in which clients are told.
    pub import_methods: Vec<String>,
    /// Bytes that the data of one image may have.
    pub size_cap: u64,
    /// Whether data that is not what `disk_format` says is refused. Data that points outside
    /// itself is refused in any case.
    pub require_format_match: bool,
    pub limits: Limits,
    pub web_download: WebDownload,
    /// Hours for which a finished task is kept.
    pub task_hours: u64,
    /// Images of a list without a `limit`.
    pub page_default: usize,
    pub page_max: usize,
    /// Seconds after which a file that no image owns is removed.
    pub reap_after: u64,
    /// Rules that differ from the defaults.
    pub policy: BTreeMap<String, String>,
    /// Images to register at the first start.
    pub images: Vec<SeedImage>,
}

/// How much a project may have; negative is unlimited.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// MiB of data.
    pub image_size_total: i64,
    /// MiB of staged data.
    pub image_stage_total: i64,
    pub image_count_total: i64,
    pub image_count_uploading: i64,
    /// Of one image.
    pub properties: i64,
    pub tags: i64,
    pub members: i64,
}

/// From where `web-download` may fetch. Of an allowed and a disallowed list only the allowed one
/// counts, as upstream has it.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct WebDownload {
    pub allowed_schemes: Vec<String>,
    pub disallowed_schemes: Vec<String>,
    pub allowed_hosts: Vec<String>,
    pub disallowed_hosts: Vec<String>,
    pub allowed_ports: Vec<u16>,
    pub disallowed_ports: Vec<u16>,
}

/// An image that is there from the first day, public.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SeedImage {
    /// Also decides the id, so that two installs agree.
    pub name: String,
    /// Its data; linked where the file system allows, else copied.
    pub path: PathBuf,
    pub disk_format: String,
    pub container_format: String,
    #[serde(default)]
    pub min_disk: u64,
    #[serde(default)]
    pub min_ram: u64,
    #[serde(default)]
    pub properties: BTreeMap<String, String>,
    /// The name of the seed whose id becomes `kernel_id`.
    #[serde(default)]
    pub kernel: Option<String>,
    /// The name of the seed whose id becomes `ramdisk_id`.
    #[serde(default)]
    pub ramdisk: Option<String>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            data_dir: PathBuf::from("/var/lib/stackup/glance"),
            store_id: "file".to_owned(),
            disk_formats: strings(&[
                "ami", "ari", "aki", "vhd", "vhdx", "vmdk", "raw", "qcow2", "vdi", "iso", "ploop",
            ]),
            container_formats: strings(&[
                "ami",
                "ari",
                "aki",
                "bare",
                "ovf",
                "ova",
                "docker",
                "compressed",
            ]),
            import_methods: strings(&["glance-direct", "web-download"]),
            size_cap: 1 << 40,
            require_format_match: true,
            limits: Limits::default(),
            web_download: WebDownload::default(),
            task_hours: 48,
            page_default: 25,
            page_max: 1000,
            reap_after: 600,
            policy: BTreeMap::new(),
            images: Vec::new(),
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            image_size_total: -1,
            image_stage_total: -1,
            image_count_total: -1,
            image_count_uploading: -1,
            properties: 128,
            tags: 128,
            members: 128,
        }
    }
}

impl Default for WebDownload {
    fn default() -> Self {
        Self {
            allowed_schemes: strings(&["http", "https"]),
            disallowed_schemes: Vec::new(),
            allowed_hosts: Vec::new(),
            // A cloud's own metadata service tells secrets to whoever asks from the right host.
            disallowed_hosts: strings(&["169.254.169.254", "fd00:ec2::254"]),
            allowed_ports: vec![80, 443],
            disallowed_ports: Vec::new(),
        }
    }
}

fn strings(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}
