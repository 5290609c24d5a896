//! Mounts and the room on them.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use nix::mount::{MntFlags, MsFlags};

/// Every mount point below or at `path`, deepest first.
pub fn below(path: &Path) -> Vec<PathBuf> {
    let text = fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    let mut found: Vec<PathBuf> = text
        .lines()
        .filter_map(|line| line.split(' ').nth(1))
        .map(|target| PathBuf::from(unescape(target)))
        .filter(|target| target.starts_with(path))
        .collect();
    found.reverse();
    found
}

pub fn is_mount(path: &Path) -> bool {
    below(path).iter().any(|mount| mount == path)
}

/// Mounts a directory on itself, unless it is a mount, and has what is mounted below it seen in
/// every mount namespace.
pub fn share(path: &Path) -> io::Result<()> {
    let mount = |source, flags| {
        nix::mount::mount(source, path, None::<&str>, flags | MsFlags::MS_REC, None::<&str>)
    };
    if !is_mount(path) {
        mount(Some(path), MsFlags::MS_BIND)?;
    }
    mount(None, MsFlags::MS_SHARED)?;
    Ok(())
}

pub fn unmount(path: &Path) -> io::Result<()> {
    nix::mount::umount2(path, MntFlags::UMOUNT_NOFOLLOW).map_err(io::Error::from)
}

/// Free bytes for root on the file system that `path`, or its nearest existing parent, is on.
pub fn free_bytes(path: &Path) -> io::Result<u64> {
    let there = path.ancestors().find(|path| path.exists()).unwrap_or(Path::new("/"));
    let stat = nix::sys::statvfs::statvfs(there)?;
    Ok(stat.blocks_free() * stat.fragment_size())
}

/// `/proc/mounts` writes blanks as octal.
fn unescape(text: &str) -> String {
    text.replace("\\040", " ").replace("\\011", "\t").replace("\\012", "\n").replace("\\134", "\\")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_root_is_a_mount_with_room() {
        assert!(below(Path::new("/")).contains(&PathBuf::from("/")));
        assert!(is_mount(Path::new("/")) && !is_mount(Path::new("/proc/self")));
        assert!(below(Path::new("/nowhere")).is_empty());
        assert!(free_bytes(Path::new("/nowhere/at/all")).unwrap() > 0);
    }
}
