//! What can be wrong with a profile although it parses.

use crate::Problem;
use crate::file::{ComputeDriver, Engine, Profile, SCHEMA_VERSION, VolumeBackend};

/// Every mistake, with its key and a hint.
pub(crate) fn validate(profile: &Profile) -> Vec<Problem> {
    let mut found = Vec::new();
    general(profile, &mut found);
    network(profile, &mut found);
    volumes(profile, &mut found);
    store(profile, &mut found);
    found
}

fn wrong(key: &str, message: impl Into<String>, hint: impl Into<String>) -> Problem {
    Problem {
        id: "STK-PROFILE-003",
        source_name: None,
        line: None,
        key: Some(key.to_owned()),
        message: message.into(),
        hint: hint.into(),
    }
}

fn general(profile: &Profile, found: &mut Vec<Problem>) {
    if profile.schema_version != SCHEMA_VERSION {
        let version = profile.schema_version;
        let message = format!("version {version} is not known");
        found.push(wrong("schema_version", message, format!("write {SCHEMA_VERSION}")));
    }
    if profile.services.is_empty() {
        found.push(wrong("services", "no service is named", "start with [keystone]"));
    }
    for (index, service) in profile.services.iter().enumerate() {
        if profile.services[..index].contains(service) {
            found.push(wrong("services", format!("{service} is named twice"), "name it once"));
        }
    }
    if profile.region.is_empty() || profile.region.len() > 255 {
        found.push(wrong("region", "is empty or too long", "RegionOne is usual"));
    }
    if profile.password.as_deref().is_some_and(|password| password.trim().is_empty()) {
        let hint = "leave the key out for a random one";
        found.push(wrong("password", "is empty", hint));
    }
    let depth = profile.state_dir.components().count();
    if !profile.state_dir.is_absolute() || depth < 3 {
        let message = "must be an absolute path at least two levels deep";
        found.push(wrong(
            "state_dir",
            message,
            "reset removes all of it; /var/lib/stackup is usual",
        ));
    }
    if profile.compute.driver == ComputeDriver::Fake && profile.compute.fake_hosts == 0 {
        found.push(wrong("compute.fake_hosts", "is 0", "a cloud needs at least one host"));
    }
    for server in &profile.time.servers {
        if server.is_empty() || server.contains(|c: char| c.is_whitespace() || c.is_control()) {
            let message = format!("{server:?} is not the name of a server");
            found.push(wrong("time.servers", message, "write names or addresses"));
        }
    }
}

fn network(profile: &Profile, found: &mut Vec<Problem>) {
    let network = &profile.network;
    let (cidr, gateway) = (network.public_cidr, network.public_gateway);
    if cidr.prefix_len() > 29 {
        let hint = "floating IPs need room: /29 or larger";
        found.push(wrong("network.public_cidr", format!("{cidr} is too small"), hint));
    } else if cidr.addr() != cidr.network() {
        let hint = format!("write {}", cidr.trunc());
        found.push(wrong("network.public_cidr", format!("{cidr} is not a network"), hint));
    } else if !cidr.contains(&gateway) || gateway == cidr.network() || gateway == cidr.broadcast() {
        let message = format!("{gateway} is not a host of {cidr}");
        let hint = "public_cidr and public_gateway are changed together";
        found.push(wrong("network.public_gateway", message, hint));
    }
    if cidr.contains(&network.private_pool) || network.private_pool.contains(&cidr) {
        let message = format!("{} overlaps the public network {cidr}", network.private_pool);
        found.push(wrong("network.private_pool", message, "10.0.0.0/22 is usual"));
    }
    if network.private_pool.prefix_len() > 26 {
        let message = format!("{} has no room for a /26", network.private_pool);
        found.push(wrong("network.private_pool", message, "10.0.0.0/22 is usual"));
    }
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    if !(1..=15).contains(&network.bridge.len()) || !network.bridge.chars().all(plain) {
        let message = format!("{:?} cannot name a network device", network.bridge);
        found.push(wrong("network.bridge", message, "1 to 15 of a-z 0-9 - _ ."));
    }
}

fn volumes(profile: &Profile, found: &mut Vec<Problem>) {
    let volumes = &profile.volumes;
    let plain = |c: char| c.is_ascii_alphanumeric() || "+_.-".contains(c);
    let group = &volumes.group;
    if group.is_empty() || group.len() > 127 || group.starts_with('-') || !group.chars().all(plain)
    {
        let message = format!("{group:?} cannot name a volume group");
        found.push(wrong("volumes.group", message, "letters, digits and + _ . -"));
    }
    if volumes.size.mib() < 256 {
        let message = format!("{} is too small", volumes.size);
        found.push(wrong("volumes.size", message, "256M is the least, 30G is usual"));
    }
    if let Some(device) = &volumes.device {
        if !device.starts_with("/dev") {
            let message = format!("{} is not a device", device.display());
            found.push(wrong("volumes.device", message, "write it as /dev/sdb"));
        }
        if volumes.backend == VolumeBackend::File {
            let hint = "leave out volumes.backend or volumes.device";
            found.push(wrong("volumes.device", "is of no use to file-backed volumes", hint));
        }
    }
}

fn store(profile: &Profile, found: &mut Vec<Problem>) {
    match (profile.store.engine, &profile.store.url) {
        (Engine::Postgres, None) => {
            let hint = "write it as postgres://user:password@host";
            found.push(wrong("store.url", "postgres needs to know where it is", hint));
        }
        (Engine::Sqlite, Some(_)) => {
            let hint = "leave it out, or set store.engine to postgres";
            found.push(wrong("store.url", "is of no use to sqlite", hint));
        }
        (Engine::Sqlite, None) | (Engine::Postgres, Some(_)) => {}
    }
}

/// The line of a dotted key in block-style YAML, from 1. A key inside `{}` has its parent's line.
pub(crate) fn line_of(text: &str, key: &str) -> Option<usize> {
    let mut parts = key.split('.');
    let mut wanted = parts.next()?;
    let mut depth = None;
    let mut found = None;
    for (index, line) in text.lines().enumerate() {
        let content = line.trim_start();
        let indent = line.len() - content.len();
        if content.is_empty() || content.starts_with('#') || depth.is_some_and(|d| indent <= d) {
            continue;
        }
        let name = content.split(':').next().unwrap_or_default().trim_matches(['"', '\'']);
        if name == wanted {
            found = Some(index + 1);
            depth = Some(indent);
            match parts.next() {
                Some(part) => wanted = part,
                None => break,
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(change: impl FnOnce(&mut Profile)) -> Vec<String> {
        let mut profile = Profile::default();
        change(&mut profile);
        validate(&profile).into_iter().filter_map(|problem| problem.key).collect()
    }

    #[test]
    fn the_default_is_valid() {
        assert!(keys(|_| {}).is_empty());
    }

    #[test]
    fn each_mistake_names_its_key() {
        assert_eq!(keys(|p| p.schema_version = 2), ["schema_version"]);
        assert_eq!(keys(|p| p.services.clear()), ["services"]);
        assert_eq!(keys(|p| p.services.push("nova".to_owned())), ["services"]);
        assert_eq!(keys(|p| p.state_dir = "/var".into()), ["state_dir"]);
        assert_eq!(keys(|p| p.state_dir = "state".into()), ["state_dir"]);
        assert_eq!(keys(|p| p.password = Some(String::new())), ["password"]);
        assert_eq!(keys(|p| p.network.bridge = "a b".to_owned()), ["network.bridge"]);
        let gateway = "172.24.5.1".parse().unwrap();
        assert_eq!(keys(|p| p.network.public_gateway = gateway), ["network.public_gateway"]);
        let cidr = "172.24.4.7/24".parse().unwrap();
        assert_eq!(keys(|p| p.network.public_cidr = cidr), ["network.public_cidr"]);
        let pool = "172.24.0.0/16".parse().unwrap();
        assert_eq!(keys(|p| p.network.private_pool = pool), ["network.private_pool"]);
        assert_eq!(keys(|p| p.volumes.group = "-x".to_owned()), ["volumes.group"]);
        assert_eq!(keys(|p| p.volumes.device = Some("/tmp/x".into())), ["volumes.device"]);
        assert_eq!(keys(|p| p.store.engine = Engine::Postgres), ["store.url"]);
        assert_eq!(keys(|p| p.time.servers.push("a b".to_owned())), ["time.servers"]);
    }

    #[test]
    fn finds_the_line_of_a_key() {
        let text = "# a\nregion: R\nnetwork:\n  dns: []\n  bridge: b\nlisten: {port: 1}\n";
        assert_eq!(line_of(text, "network.bridge"), Some(5));
        assert_eq!(line_of(text, "region"), Some(2));
        assert_eq!(line_of(text, "listen.port"), Some(6));
        assert_eq!(line_of(text, "volumes"), None);
    }
}
