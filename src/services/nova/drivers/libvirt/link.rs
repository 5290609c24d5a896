//! The connection: opened when first needed, opened anew when it died, always off the runtime.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use stackup_system::files::{make_dir, write_atomic};
use tokio::sync::broadcast;
use virt::connect::Connect;

use super::raw::Handle;
use crate::drivers::{DriverError, LifecycleEvent, Result};

/// No call of libvirt takes longer, unless it hangs. Saving the memory of a big guest is the
/// longest.
const CALL_TIMEOUT: Duration = Duration::from_secs(600);

/// What an embedded QEMU driver needs to work without daemons, users and cgroups of its own. Each
/// line was needed on a bare host: `stdio_handler` spares virtlogd, the users libvirt-qemu.
const QEMU_CONF: &str = "user = \"root\"
group = \"root\"
security_driver = \"none\"
security_default_confined = 0
dynamic_ownership = 0
remember_owner = 0
stdio_handler = \"file\"
namespaces = []
cgroup_controllers = []
";

/// A connection to one hypervisor.
pub(super) struct Link {
    pub(super) uri: String,
    host: String,
    pub(super) events: broadcast::Sender<LifecycleEvent>,
    handle: Mutex<Option<Arc<Handle>>>,
}

impl Link {
    pub(super) fn new(uri: String, host: String) -> Self {
        Self { uri, host, events: broadcast::channel(1024).0, handle: Mutex::default() }
    }

    /// The open connection.
    fn get(&self) -> Result<Arc<Handle>> {
        let mut held = self.handle.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(handle) = held.as_ref()
            && handle.connect().is_alive().unwrap_or(false)
        {
            return Ok(handle.clone());
        }
        *held = None;
        let opened =
            Handle::open(&self.uri, &self.host, self.events.clone()).map_err(|source| {
                if self.uri.starts_with("qemu:///embed") && !default_user_exists() {
                    let hint =
                        format!("no user and group {DEFAULT_USER}; stackup install makes them");
                    return DriverError::failed(format!("opening {}", self.uri), hint);
                }
                DriverError::failed(format!("opening {}", self.uri), source)
            })?;
        let handle = Arc::new(opened);
        *held = Some(handle.clone());
        Ok(handle)
    }

    /// Runs `work` on a blocking thread with the connection. Past the timeout the answer is an
    /// error; the thread ends whenever libvirt answers.
    pub(super) async fn call<T: Send + 'static>(
        self: &Arc<Self>,
        what: &'static str,
        work: impl FnOnce(&Connect) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let link = self.clone();
        let task = tokio::task::spawn_blocking(move || work(link.get()?.connect()));
        match tokio::time::timeout(CALL_TIMEOUT, task).await {
            Ok(Ok(result)) => result,
            Ok(Err(panicked)) => Err(DriverError::failed(what, panicked)),
            Err(_) => {
                Err(DriverError::Timeout { what: what.to_owned(), seconds: CALL_TIMEOUT.as_secs() })
            }
        }
    }
}

/// The address of the QEMU driver inside this process, its state below `root`.
pub(super) fn embedded(root: &Path) -> String {
    format!("qemu:///embed?root={}", root.display())
}

/// The user that Debian's libvirt looks up before it reads its configuration, used or not.
pub(super) const DEFAULT_USER: &str = "libvirt-qemu";

/// True when [`DEFAULT_USER`] exists, without which an embedded driver does not open.
pub(super) fn default_user_exists() -> bool {
    nix::unistd::User::from_name(DEFAULT_USER).is_ok_and(|user| user.is_some())
}

/// Prepares `root` for [`embedded`]; a configuration that is there is left alone. The file is in
/// `etc`, not in `etc/libvirt` where a daemon would look.
pub(super) fn prepare_root(root: &Path) -> Result<PathBuf> {
    let failed = |source| DriverError::failed("preparing the libvirt root", source);
    make_dir(&root.join("etc"), 0o755).map_err(failed)?;
    let conf = root.join("etc/qemu.conf");
    if !conf.exists() {
        write_atomic(&conf, QEMU_CONF.as_bytes(), 0o644).map_err(failed)?;
    }
    Ok(conf)
}
