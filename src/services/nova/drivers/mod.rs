//! Drivers: how a server becomes a guest on a hypervisor.
//!
//! [`ComputeDriver`] is the contract, with upstream's verbs (nova/virt/driver.py). [`fake`] is its
//! specification: what it does in memory, the others do on a machine.
//!
//! How nova uses it, from image to running guest:
//!
//! 1. [`ComputeDriver::prepare`] makes the local files (root disk, config drive) on the host;
//! 2. nova puts them, the volumes and the ports into a [`GuestSpec`];
//! 3. [`ComputeDriver::spawn`] defines and starts the guest.

pub mod fake;
mod layout;
#[cfg(feature = "libvirt")]
pub mod libvirt;
mod spec;

use std::path::Path;

use async_trait::async_trait;
use tokio::sync::broadcast;

pub use crate::model::power::PowerState;
pub use spec::{
    Bus, ConsoleAddress, Diagnostics, Disk, DiskDevice, DiskFormat, DiskPlan, DiskStats, Event,
    GuestFiles, GuestInfo, GuestMetadata, GuestSpec, Hypervisor, ImageRef, LifecycleEvent,
    MemoryStats, Nic, NicStats, Owner, RebootKind, RootPlan, instance_name, tap_name,
};

/// What every driver answers.
pub type Result<T> = std::result::Result<T, DriverError>;

/// Why a driver did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum DriverError {
    #[error("no guest {uuid} on this hypervisor")]
    GuestNotFound { uuid: String },
    #[error("no hypervisor {host}")]
    HostNotFound { host: String },
    #[error("guest {uuid} has no device {device}")]
    DeviceNotFound { uuid: String, device: String },
    #[error("guest {uuid} cannot {verb} while {}", state.as_str())]
    WrongState { uuid: String, verb: &'static str, state: PowerState },
    #[error("{what} did not happen within {seconds} s")]
    Timeout { what: String, seconds: u64 },
    #[error("image {image} cannot be used: {reason}")]
    Image { image: String, reason: String },
    #[error("the {driver} driver cannot {verb}")]
    NotSupported { driver: &'static str, verb: &'static str },
    /// The hypervisor or the host refused.
    #[error("{doing} failed")]
    Failed {
        doing: String,
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

impl DriverError {
    /// A failure of the host or the hypervisor while `doing` something.
    pub fn failed(
        doing: impl Into<String>,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        Self::Failed { doing: doing.into(), source: source.into() }
    }
}

/// Where image bytes come from; nova implements it on the images contract.
#[async_trait]
pub trait ImageSource: Send + Sync {
    /// Writes the whole content of the image to the new file `to`. Fails when the image is gone or
    /// its bytes do not match its checksum.
    async fn fetch(&self, image_id: &str, to: &Path) -> Result<()>;
}

/// What is told of a guest's tap device as soon as it exists, before the guest runs, so that the
/// guest's first packet finds the network wired.
#[async_trait]
pub trait PlugHook: Send + Sync {
    /// The tap of this port is there and must be put on its network. A failure is the network's to
    /// log and to repair later; the guest starts regardless.
    async fn plugged(&self, port_id: &str, tap: &str);
}

/// One kind of hypervisor, on one host or several.
///
/// Rules that hold for every verb:
///
/// - It is idempotent: asking for what is already so succeeds and changes nothing.
/// - It returns when the thing is done, or fails; there is no background work to wait for.
/// - `host` is a [`Hypervisor::host`]; another name is [`DriverError::HostNotFound`]. A guest lives
///   on one host. A guest the host does not know is [`DriverError::GuestNotFound`], except for
///   [`destroy`](Self::destroy), to which it is no news.
/// - It keeps no record of its own beyond what the hypervisor keeps. Verbs that start a guest take
///   its [`GuestSpec`], and define it anew when the hypervisor forgot it or has an older one.
/// - A cancelled call may leave the work half done; asking again finishes it.
/// - Guests of others on the same hypervisor are listed as [`Owner::Foreign`] and never touched.
#[async_trait]
pub trait ComputeDriver: Send + Sync {
    /// `libvirt` or `fake`.
    fn name(&self) -> &'static str;

    /// The hypervisors behind this driver with their capacity as of now.
    async fn hosts(&self) -> Result<Vec<Hypervisor>>;

    /// Power changes from now on, whoever made them. A hint: a slow reader loses some, and reads
    /// [`info`](Self::info) to learn the truth.
    fn events(&self) -> broadcast::Receiver<LifecycleEvent>;

    /// Every guest on the host, running or not, ours or not.
    async fn list(&self, host: &str) -> Result<Vec<GuestInfo>>;

    /// The guest's power state as of now.
    async fn info(&self, host: &str, uuid: &str) -> Result<GuestInfo>;

    /// Tells a driver without a memory (the fake one) what the database says runs on the host.
    /// Others know by themselves and do nothing. Called once, at start, with guests nova holds for
    /// present and their last known power state.
    async fn restore(&self, host: &str, guests: Vec<(GuestSpec, PowerState)>) -> Result<()>;

    // -- files ---------------------------------------------------------------------------------

    /// Makes the guest's local files: disks from the image (fetched once a host, then cached),
    /// blank disks, config drive, and says where the console goes. Files that are there are kept.
    /// Fails with [`DriverError::Image`] when the image is not what it claims to be.
    async fn prepare(
        &self,
        host: &str,
        uuid: &str,
        plan: &DiskPlan,
        images: &dyn ImageSource,
    ) -> Result<GuestFiles>;

    /// Throws the guest's root disk away, so that [`prepare`](Self::prepare) makes it anew: for
    /// rebuild (`rescue` false) and after unrescue (`rescue` true). The guest must be off.
    async fn discard_root(&self, host: &str, uuid: &str, rescue: bool) -> Result<()>;

    /// Grows the root disk of a guest that is off, keeping the old one until
    /// [`confirm_resize`](Self::confirm_resize) or [`revert_resize`](Self::revert_resize). A disk
    /// never shrinks. The guest's new memory and vCPUs come with the next start's spec.
    async fn resize_root(&self, host: &str, uuid: &str, root_gb: u64) -> Result<()>;

    /// Throws the disk away that was kept for a revert.
    async fn confirm_resize(&self, host: &str, uuid: &str) -> Result<()>;

    /// Puts the disk back that was kept for a revert. The guest must be off.
    async fn revert_resize(&self, host: &str, uuid: &str) -> Result<()>;

    /// Writes the guest's root disk as one flat file without backing to `to`. Works on a running,
    /// paused or stopped guest, which goes on as before; a running one is copied as of one moment.
    async fn snapshot(&self, host: &str, uuid: &str, to: &Path, format: DiskFormat) -> Result<()>;

    // -- life ----------------------------------------------------------------------------------

    /// Defines the guest and starts it; on return it runs. A guest that runs already is left
    /// alone. When it fails nothing of the guest runs, and its files stay for the caller's
    /// [`destroy`](Self::destroy).
    async fn spawn(&self, host: &str, spec: &GuestSpec) -> Result<()>;

    /// Ends the guest at once and forgets it; with `files`, its local files go too. A guest that
    /// is not there is no error. Volumes are only detached.
    async fn destroy(&self, host: &str, uuid: &str, files: bool) -> Result<()>;

    /// Starts a guest that is off, with this spec (which is how a guest gets a new size, a rescue
    /// disk, or other devices).
    async fn power_on(&self, host: &str, spec: &GuestSpec) -> Result<()>;

    /// Asks the guest to shut down and waits up to `grace` for it, then pulls the plug. Zero
    /// pulls it at once. Saved memory of a suspended guest is thrown away.
    async fn power_off(&self, host: &str, uuid: &str, grace: std::time::Duration) -> Result<()>;

    /// Soft: the guest's own shutdown and a new start, falling back to hard when the guest does
    /// not answer. Hard: off and on again from `spec`, from whatever state.
    async fn reboot(&self, host: &str, spec: &GuestSpec, kind: RebootKind) -> Result<()>;

    /// Stops the vCPUs of a running guest; its memory stays.
    async fn pause(&self, host: &str, uuid: &str) -> Result<()>;

    /// Lets a paused guest go on.
    async fn unpause(&self, host: &str, uuid: &str) -> Result<()>;

    /// Saves the memory of a running guest to disk and frees it.
    async fn suspend(&self, host: &str, uuid: &str) -> Result<()>;

    /// Starts a suspended guest where it stopped; from its disk if the saved memory is unusable.
    async fn resume(&self, host: &str, spec: &GuestSpec) -> Result<()>;

    /// Moves a guest that is off to another host, with its files. Same host: nothing to do.
    async fn migrate(&self, uuid: &str, from: &str, to: &str) -> Result<()>;

    // -- devices -------------------------------------------------------------------------------

    /// Adds a NIC, at once if the guest runs, and for its next start.
    async fn attach_interface(&self, host: &str, uuid: &str, nic: &Nic) -> Result<()>;

    /// Removes a NIC. On a running guest it waits until the guest let go, or fails with
    /// [`DriverError::Timeout`], the NIC then still there.
    async fn detach_interface(&self, host: &str, uuid: &str, nic: &Nic) -> Result<()>;

    /// Adds a disk, at once if the guest runs, and for its next start.
    async fn attach_volume(&self, host: &str, uuid: &str, disk: &Disk) -> Result<()>;

    /// Removes the disk with this device name (`vdb`); waits like
    /// [`detach_interface`](Self::detach_interface).
    async fn detach_volume(&self, host: &str, uuid: &str, device: &str) -> Result<()>;

    /// Tells a running guest that the volume behind the device has a new size.
    async fn extend_volume(&self, host: &str, uuid: &str, device: &str, bytes: u64) -> Result<()>;

    // -- looking in ----------------------------------------------------------------------------

    /// The last `max_bytes` of what the guest wrote to its serial console since it was made. Empty
    /// for a guest that wrote nothing.
    async fn console_log(&self, host: &str, uuid: &str, max_bytes: u64) -> Result<Vec<u8>>;

    /// Where the guest's screen is served; [`DriverError::WrongState`] while it is off.
    async fn vnc_console(&self, host: &str, uuid: &str) -> Result<ConsoleAddress>;

    /// Counters of a running guest; [`DriverError::WrongState`] while it is off.
    async fn diagnostics(&self, host: &str, uuid: &str) -> Result<Diagnostics>;
}
