//! Kernel modules and settings.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::PathBuf;

/// The loaded modules; empty where the kernel has none.
pub fn modules() -> BTreeSet<String> {
    let text = fs::read_to_string("/proc/modules").unwrap_or_default();
    text.lines().filter_map(|line| line.split(' ').next()).map(str::to_owned).collect()
}

/// The loaded modules that nothing uses.
pub fn unused_modules() -> BTreeSet<String> {
    let text = fs::read_to_string("/proc/modules").unwrap_or_default();
    text.lines()
        .filter_map(|line| {
            let mut words = line.split(' ');
            let name = words.next()?;
            (words.nth(1)? == "0").then(|| name.to_owned())
        })
        .collect()
}

/// A setting by its dotted name; None where the kernel does not have it.
pub fn sysctl(name: &str) -> io::Result<Option<String>> {
    match fs::read_to_string(path_of(name)) {
        Ok(text) => Ok(Some(text.trim().to_owned())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

pub fn set_sysctl(name: &str, value: &str) -> io::Result<()> {
    use std::io::Write;
    fs::OpenOptions::new().write(true).open(path_of(name))?.write_all(value.as_bytes())
}

/// The names of the devices that have a directory of settings below `net.ipv4.conf`, `all` and
/// `default` among them.
pub fn sysctl_devices() -> Vec<String> {
    let Ok(dir) = fs::read_dir("/proc/sys/net/ipv4/conf") else {
        return Vec::new();
    };
    dir.filter_map(|entry| entry.ok()?.file_name().into_string().ok()).collect()
}

/// `a.b/c` is how sysctl writes a name with a dot inside a part: `net.ipv4.conf.eth0/1.forwarding`.
fn path_of(name: &str) -> PathBuf {
    let swapped: String = name
        .chars()
        .map(|c| match c {
            '.' => '/',
            '/' => '.',
            other => other,
        })
        .collect();
    PathBuf::from("/proc/sys").join(swapped)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_settings_and_knows_what_is_not_there() {
        assert!(sysctl("kernel.ostype").unwrap().is_some_and(|value| value == "Linux"));
        assert_eq!(sysctl("kernel.no_such_thing").unwrap(), None);
    }

    #[test]
    fn dots_in_a_device_name_survive() {
        let path = path_of("net.ipv4.conf.eth0/1.forwarding");
        assert_eq!(path, PathBuf::from("/proc/sys/net/ipv4/conf/eth0.1/forwarding"));
    }
}
