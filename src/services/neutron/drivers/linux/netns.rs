//! Namespaces: which there are, and doing things inside one.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

use nix::sched::{CloneFlags, setns};

const DIRECTORY: &str = "/run/netns";

/// The file that stands for a namespace.
pub(super) fn path(name: &str) -> PathBuf {
    PathBuf::from(DIRECTORY).join(name)
}

/// The namespaces with a name like ours, and which one each is: a name that is given to another
/// namespace later shows another number.
pub(super) fn list() -> io::Result<BTreeMap<String, u64>> {
    let entries = match fs::read_dir(DIRECTORY) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(BTreeMap::new()),
        other => other?,
    };
    let mut found = BTreeMap::new();
    for entry in entries {
        let entry = entry?;
        let Ok(name) = entry.file_name().into_string() else { continue };
        if name.starts_with("qrouter-") || name.starts_with("qdhcp-") {
            // Not `entry.metadata`: the number is that of what is mounted there.
            let inode = fs::metadata(entry.path()).map_or(0, |metadata| metadata.ino());
            found.insert(name, inode);
        }
    }
    Ok(found)
}

/// Runs `work` on a thread of its own that has entered the namespace. What it opens there stays
/// there: a socket can be used from anywhere afterwards.
pub(super) async fn within<T: Send + 'static>(
    name: &str,
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    let file = File::open(path(name))?;
    let (answer, result) = tokio::sync::oneshot::channel();
    // Not of the blocking pool: the thread must end, for it cannot be trusted to come back.
    std::thread::Builder::new().name("netns".to_owned()).spawn(move || {
        let entered = setns(&file, CloneFlags::CLONE_NEWNET).map_err(io::Error::from);
        // The other side may have been dropped; nobody is left to tell.
        drop(answer.send(entered.and_then(|()| work())));
    })?;
    result.await.unwrap_or_else(|_| Err(io::Error::other("the thread ended early")))
}
