//! The dialect of OpenStack: `/openstack/<version>/meta_data.json` and its neighbours.

use serde_json::{Map, Value, json};

use super::{Body, InstanceMetadata, lines, network};

const FOLSOM: &str = "2012-08-10";
const GRIZZLY: &str = "2013-04-04";
const HAVANA: &str = "2013-10-17";
const LIBERTY: &str = "2015-10-15";
const NEWTON_ONE: &str = "2016-06-30";
const NEWTON_TWO: &str = "2016-10-06";
const OCATA: &str = "2017-02-22";
const ROCKY: &str = "2018-08-27";
const VICTORIA: &str = "2020-10-14";

/// Oldest first. `latest` is the last of them.
const VERSIONS: [&str; 9] =
    [FOLSOM, GRIZZLY, HAVANA, LIBERTY, NEWTON_ONE, NEWTON_TWO, OCATA, ROCKY, VICTORIA];

pub(super) fn render(parts: &[&str], instance: &InstanceMetadata) -> Option<Body> {
    match parts {
        [] => Some(Body::text(lines(VERSIONS.into_iter().chain(["latest"])))),
        ["content"] => {
            let names: Vec<String> = (0..instance.files.len()).map(content_name).collect();
            Some(Body::text(names.join("\n")))
        }
        ["content", number] => {
            let index =
                instance.files.iter().enumerate().position(|(i, _)| content_name(i) == *number)?;
            Some(Body::bytes(instance.files.get(index)?.1.clone()))
        }
        [version, rest @ ..] => {
            let version = if *version == "latest" { VICTORIA } else { version };
            if !VERSIONS.contains(&version) {
                return None;
            }
            match rest {
                [] => Some(Body::text(lines(names(version, instance)))),
                [name] if names(version, instance).contains(name) => file(version, name, instance),
                _ => None,
            }
        }
    }
}

/// The files of every version, and the contents they refer to.
pub(super) fn drive(instance: &InstanceMetadata) -> Vec<(String, Vec<u8>)> {
    let mut files = Vec::new();
    for version in VERSIONS.into_iter().chain(["latest"]) {
        let real = if version == "latest" { VICTORIA } else { version };
        // The drive is read-only, so a guest cannot post its password there.
        for name in names(real, instance).into_iter().filter(|name| *name != "password") {
            if let Some(body) = file(real, name, instance) {
                files.push((format!("openstack/{version}/{name}"), body.bytes));
            }
        }
    }
    for (index, (_, content)) in instance.files.iter().enumerate() {
        files.push((format!("openstack/content/{}", content_name(index)), content.clone()));
    }
    files
}

/// The names a version knows. Versions are dates, so text order is their order.
fn names(version: &str, instance: &InstanceMetadata) -> Vec<&'static str> {
    let mut names = vec!["meta_data.json"];
    if instance.user_data.is_some() {
        names.push("user_data");
    }
    let since = [
        (GRIZZLY, "password"),
        (HAVANA, "vendor_data.json"),
        (LIBERTY, "network_data.json"),
        (NEWTON_TWO, "vendor_data2.json"),
    ];
    names.extend(since.into_iter().filter(|(first, _)| version >= *first).map(|(_, name)| name));
    names
}

fn file(version: &str, name: &str, instance: &InstanceMetadata) -> Option<Body> {
    match name {
        "meta_data.json" => Some(Body::json(&meta_data(version, instance))),
        "user_data" => instance.user_data.clone().map(Body::bytes),
        "password" => Some(Body::text(instance.password.as_str())),
        "vendor_data.json" | "vendor_data2.json" => Some(Body::json(&json!({}))),
        "network_data.json" => Some(Body::json(&network::document(&instance.links))),
        _ => None,
    }
}

fn meta_data(version: &str, instance: &InstanceMetadata) -> Value {
    let mut document = Map::new();
    let mut put = |key: &str, value: Value| drop(document.insert(key.to_owned(), value));
    put("uuid", json!(instance.uuid));
    if !instance.meta.is_empty() {
        put("meta", json!(instance.meta));
    }
    if !instance.files.is_empty() {
        let files = instance.files.iter().enumerate();
        put("files", files.map(|(i, (path, _))| entry(i, path)).collect());
    }
    if let Some(first) = instance.keys.first() {
        put("public_keys", json!({ (first.name.as_str()): first.data }));
        let key = |k: &super::Key| json!({ "name": k.name, "type": k.kind, "data": k.data });
        put("keys", instance.keys.iter().map(key).collect());
    }
    if let Some(password) = &instance.admin_pass {
        put("admin_pass", json!(password));
    }
    put("hostname", json!(instance.hostname));
    put("name", json!(instance.name));
    put("launch_index", json!(instance.launch_index));
    put("availability_zone", json!(instance.availability_zone));
    if version >= GRIZZLY
        && let Some(seed) = &instance.random_seed
    {
        put("random_seed", json!(seed));
    }
    if version >= LIBERTY {
        put("project_id", json!(instance.project_id));
    }
    if version >= NEWTON_ONE {
        put("devices", json!(instance.devices));
    }
    if version >= VICTORIA {
        put("dedicated_cpus", json!([]));
    }
    Value::Object(document)
}

fn entry(index: usize, path: &str) -> Value {
    json!({ "path": path, "content_path": format!("/content/{}", content_name(index)) })
}

fn content_name(index: usize) -> String {
    format!("{index:04}")
}

#[cfg(test)]
mod tests {
    use super::super::sample;
    use super::*;

    fn json_at(path: &[&str]) -> Value {
        serde_json::from_slice(&render(path, &sample()).unwrap().bytes).unwrap()
    }

    #[test]
    fn latest_meta_data_is_complete() {
        assert_eq!(
            json_at(&["latest", "meta_data.json"]),
            json!({
                "uuid": "6a3d8c1e-9d51-4e53-8a5c-5a3b8b1d6f10",
                "meta": { "role": "web" },
                "files": [{ "path": "/etc/motd", "content_path": "/content/0000" }],
                "public_keys": { "k1": "ssh-ed25519 AAAA k1" },
                "keys": [{ "name": "k1", "type": "ssh", "data": "ssh-ed25519 AAAA k1" }],
                "hostname": "vm1.novalocal",
                "name": "vm1",
                "launch_index": 0,
                "availability_zone": "nova",
                "project_id": "p",
                "devices": [],
                "dedicated_cpus": [],
            })
        );
    }

    #[test]
    fn versions_have_what_they_had() {
        let list =
            |version| String::from_utf8(render(&[version], &sample()).unwrap().bytes).unwrap();
        assert_eq!(list(FOLSOM), "meta_data.json\nuser_data");
        assert!(list("latest").ends_with("network_data.json\nvendor_data2.json"));
        assert!(json_at(&[FOLSOM, "meta_data.json"]).get("project_id").is_none());
        assert_eq!(render(&[FOLSOM, "network_data.json"], &sample()), None);
        assert_eq!(render(&["2011-01-01", "meta_data.json"], &sample()), None);
        assert_eq!(render(&["content", "0001"], &sample()), None);
    }
}
