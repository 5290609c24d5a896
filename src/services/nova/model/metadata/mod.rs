//! What a guest is told about itself, over 169.254.169.254 and on its config drive.
//!
//! One struct, rendered in two dialects: `/openstack/<version>/…` and Amazon's
//! `/<version>/meta-data/…`. Pure: the metadata service and the drivers hand in the struct.

mod ec2;
mod network;
mod openstack;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use network::{Address, AddressKind, Link, Route};

/// Everything a guest may ask about itself.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct InstanceMetadata {
    pub uuid: String,
    /// The server's row number, from which Amazon's `i-0000000a` is made.
    pub row: i64,
    pub name: String,
    /// With its domain: `vm1.novalocal`.
    pub hostname: String,
    pub project_id: String,
    pub availability_zone: String,
    /// Which one of `--min`/`--max` servers it is.
    pub launch_index: u32,
    pub reservation_id: String,
    pub flavor_name: String,
    /// The server's own metadata (`--property`).
    pub meta: BTreeMap<String, String>,
    pub keys: Vec<Key>,
    /// As the user sent it, decoded.
    pub user_data: Option<Vec<u8>>,
    pub admin_pass: Option<String>,
    /// 512 random bytes in base64, the same at every look.
    pub random_seed: Option<String>,
    /// Encrypted by the guest itself (`POST …/password`).
    pub password: String,
    /// Files to write into the guest (`personality`): path and content.
    pub files: Vec<(String, Vec<u8>)>,
    /// Tagged devices, as meta_data.json shows them.
    pub devices: Vec<serde_json::Value>,
    pub links: Vec<Link>,
    pub security_groups: Vec<String>,
    pub public_ipv4: Option<String>,
    pub image_row: i64,
    pub root_device: String,
}

/// A key pair's public half.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Key {
    pub name: String,
    /// `ssh` or `x509`.
    pub kind: String,
    pub data: String,
}

/// An answer of the metadata service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Body {
    pub content_type: &'static str,
    pub bytes: Vec<u8>,
}

impl Body {
    fn text(text: impl Into<Vec<u8>>) -> Self {
        Self { content_type: "text/plain; charset=UTF-8", bytes: text.into() }
    }

    fn json(value: &serde_json::Value) -> Self {
        Self { content_type: "application/json", bytes: value.to_string().into_bytes() }
    }

    fn bytes(bytes: Vec<u8>) -> Self {
        Self { content_type: "application/octet-stream", bytes }
    }
}

/// The answer to a GET of `path`; none is a 404. Slashes at both ends do not matter.
#[must_use]
pub fn render(path: &str, instance: &InstanceMetadata) -> Option<Body> {
    let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
    match parts.as_slice() {
        [] => {
            let versions = ec2::VERSIONS.iter().copied().chain(["latest"]);
            Some(Body::text(lines(versions)))
        }
        ["openstack", rest @ ..] => openstack::render(rest, instance),
        [version, rest @ ..] => ec2::render(version, rest, instance),
    }
}

/// Every file of the config drive: the same answers, under the same paths.
#[must_use]
pub fn config_drive(instance: &InstanceMetadata) -> Vec<(String, Vec<u8>)> {
    let mut files = ec2::drive(instance);
    files.extend(openstack::drive(instance));
    files
}

fn lines<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    names.into_iter().collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
fn sample() -> InstanceMetadata {
    InstanceMetadata {
        uuid: "6a3d8c1e-9d51-4e53-8a5c-5a3b8b1d6f10".to_owned(),
        row: 10,
        name: "vm1".to_owned(),
        hostname: "vm1.novalocal".to_owned(),
        project_id: "p".to_owned(),
        availability_zone: "nova".to_owned(),
        reservation_id: "r-abc".to_owned(),
        flavor_name: "m1.nano".to_owned(),
        meta: BTreeMap::from([("role".to_owned(), "web".to_owned())]),
        keys: vec![Key {
            name: "k1".to_owned(),
            kind: "ssh".to_owned(),
            data: "ssh-ed25519 AAAA k1".to_owned(),
        }],
        user_data: Some(b"#!/bin/sh\n".to_vec()),
        files: vec![("/etc/motd".to_owned(), b"hi".to_vec())],
        links: network::sample(),
        security_groups: vec!["default".to_owned()],
        public_ipv4: Some("172.24.4.9".to_owned()),
        image_row: 1,
        root_device: "/dev/vda".to_owned(),
        ..InstanceMetadata::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(path: &str) -> Option<String> {
        render(path, &sample()).map(|body| String::from_utf8(body.bytes).unwrap())
    }

    #[test]
    fn the_root_lists_amazons_versions() {
        let root = text("/").unwrap();
        assert!(root.starts_with("1.0\n") && root.ends_with("2009-04-04\nlatest"), "{root}");
        assert_eq!(text("/nonsense/meta-data"), None);
    }

    #[test]
    fn what_guests_ask_at_boot_is_answered() {
        assert_eq!(text("/latest/meta-data/instance-id").unwrap(), "i-0000000a");
        assert_eq!(text("/2009-04-04/meta-data/hostname").unwrap(), "vm1.novalocal");
        assert_eq!(text("/latest/meta-data/public-keys/").unwrap(), "0=k1");
        assert_eq!(text("/latest/meta-data/public-keys/0/").unwrap(), "openssh-key");
        let key = text("/latest/meta-data/public-keys/0/openssh-key").unwrap();
        assert_eq!(key, "ssh-ed25519 AAAA k1");
        assert_eq!(text("/latest/user-data").unwrap(), "#!/bin/sh\n");
        assert_eq!(text("/latest/meta-data/local-ipv4").unwrap(), "10.0.0.5");
        assert_eq!(text("/latest/meta-data/placement/availability-zone").unwrap(), "nova");
        assert_eq!(text("/latest").unwrap(), "meta-data/\nuser-data");
        assert_eq!(text("/latest/meta-data/nonsense"), None);
        let all = text("/latest/meta-data").unwrap();
        assert!(all.contains("ami-id") && all.contains("\nplacement/\n"), "{all}");
    }

    #[test]
    fn the_drive_holds_what_the_service_answers() {
        let files: BTreeMap<_, _> = config_drive(&sample()).into_iter().collect();
        for path in ["openstack/latest/meta_data.json", "openstack/2018-08-27/network_data.json"] {
            assert_eq!(files[path], render(path, &sample()).unwrap().bytes);
        }
        assert_eq!(files["openstack/content/0000"], b"hi");
        assert_eq!(files["openstack/latest/user_data"], b"#!/bin/sh\n");
        assert!(files.contains_key("ec2/latest/meta-data.json"));
    }
}
