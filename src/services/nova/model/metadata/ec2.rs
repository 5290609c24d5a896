//! The dialect of Amazon: one value a path, directories that list themselves.

use serde_json::{Value, json};

use super::{Body, InstanceMetadata};

/// The versions nova names. All have the same content.
pub(super) const VERSIONS: [&str; 9] = [
    "1.0",
    "2007-01-19",
    "2007-03-01",
    "2007-08-29",
    "2007-10-10",
    "2007-12-15",
    "2008-02-01",
    "2008-09-01",
    "2009-04-04",
];

pub(super) fn render(version: &str, rest: &[&str], instance: &InstanceMetadata) -> Option<Body> {
    if version != "latest" && !VERSIONS.contains(&version) {
        return None;
    }
    match rest {
        [] if instance.user_data.is_some() => Some(Body::text("meta-data/\nuser-data")),
        [] => Some(Body::text("meta-data/")),
        ["user-data"] => instance.user_data.clone().map(Body::bytes),
        ["meta-data", path @ ..] => {
            let tree = tree(instance);
            let mut node = &tree;
            for part in path {
                node = node.get(*part)?;
            }
            Some(Body::text(show(node, path.last() == Some(&"public-keys"), instance)))
        }
        _ => None,
    }
}

/// The config drive has this dialect in two versions, as one JSON file each.
pub(super) fn drive(instance: &InstanceMetadata) -> Vec<(String, Vec<u8>)> {
    let mut files = Vec::new();
    for version in ["2009-04-04", "latest"] {
        let document = tree(instance).to_string().into_bytes();
        files.push((format!("ec2/{version}/meta-data.json"), document));
        if let Some(data) = &instance.user_data {
            files.push((format!("ec2/{version}/user-data"), data.clone()));
        }
    }
    files
}

fn tree(instance: &InstanceMetadata) -> Value {
    let mut tree = json!({
        "ami-id": format!("ami-{:08x}", instance.image_row),
        "ami-launch-index": instance.launch_index.to_string(),
        "ami-manifest-path": "FIXME",
        "block-device-mapping": {
            "ami": instance.root_device.trim_start_matches("/dev/"),
            "root": instance.root_device,
        },
        "hostname": instance.hostname,
        "instance-action": "none",
        "instance-id": format!("i-{:08x}", instance.row),
        "instance-type": instance.flavor_name,
        "local-hostname": instance.hostname,
        "local-ipv4": first_ipv4(instance),
        "placement": { "availability-zone": instance.availability_zone },
        "public-hostname": instance.hostname,
        "public-ipv4": instance.public_ipv4.as_deref().unwrap_or(""),
        "reservation-id": instance.reservation_id,
        "security-groups": instance.security_groups.join("\n"),
    });
    // Nova gives Amazon's clients the first key only.
    if let Some(key) = instance.keys.first() {
        tree["public-keys"] = json!({ "0": { "openssh-key": key.data } });
    }
    tree
}

/// A leaf as it is, a directory as its names; those of keys carry the key's name.
fn show(node: &Value, of_keys: bool, instance: &InstanceMetadata) -> String {
    let Some(directory) = node.as_object() else {
        return node.as_str().unwrap_or_default().to_owned();
    };
    let mut names: Vec<String> = directory
        .iter()
        .map(|(name, value)| {
            if !value.is_object() {
                return name.clone();
            }
            if of_keys {
                let key = instance.keys.first().map_or("", |key| key.name.as_str());
                return format!("{name}={key}");
            }
            format!("{name}/")
        })
        .collect();
    names.sort();
    names.join("\n")
}

fn first_ipv4(instance: &InstanceMetadata) -> &str {
    let mut addresses = instance.links.iter().flat_map(|link| &link.addresses);
    addresses.find(|address| !address.ip.contains(':')).map_or("", |address| &address.ip)
}
