//! The driver for QEMU by libvirt.
//!
//! By default libvirt's QEMU driver runs inside this process (`qemu:///embed`), so no daemon is
//! needed; a URI in the configuration reaches a libvirtd instead. QEMU processes are nobody's
//! children: they go on when this process ends, and are found again in the same root.
//!
//! - [`link`]: the connection. Every call happens on a blocking thread.
//! - [`guest`]: the XML of guests. [`look`] reads XML back.
//! - [`domain`]: blocking verbs on one guest. [`raw`]: what the `virt` crate lacks.
//! - [`images`], [`config_drive`]: local files. [`probe`]: whether KVM works. [`host`]: facts.
//!
//! A guest starts with its vCPUs stopped, its taps are told to the [`PlugHook`], then it runs.

mod config_drive;
mod domain;
mod guest;
mod host;
mod images;
mod link;
mod look;
mod probe;
mod raw;

use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use stackup_system::files::{make_dir, remove_if_there};
use tokio::sync::broadcast;

use self::domain::Device;
use self::guest::Virt;
use self::images::Images;
use self::link::Link;
use super::{
    ComputeDriver, ConsoleAddress, Diagnostics, Disk, DiskFormat, DiskPlan, DriverError,
    GuestFiles, GuestInfo, GuestSpec, Hypervisor, ImageSource, LifecycleEvent, Nic, PlugHook,
    PowerState, RebootKind, Result,
};

/// How the driver works on this host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LibvirtConfig {
    /// Name of the one hypervisor: the host's name as a rule.
    pub host: String,
    pub host_ip: String,
    /// Holds `instances` and, for the embedded driver, `libvirt`.
    pub state_dir: PathBuf,
    /// None for the embedded driver.
    pub uri: Option<String>,
    pub kvm: KvmUse,
    /// How long a guest may take to shut down in a soft reboot before it is reset.
    pub soft_reboot_seconds: u64,
    /// How long a guest may take to let go of a device.
    pub detach_seconds: u64,
}

/// Whether guests run under KVM.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum KvmUse {
    /// Where a probe guest runs under it.
    #[default]
    Auto,
    Always,
    Never,
}

impl Default for LibvirtConfig {
    fn default() -> Self {
        Self {
            host: "localhost".to_owned(),
            host_ip: "127.0.0.1".to_owned(),
            state_dir: PathBuf::from("/var/lib/stackup/nova"),
            uri: None,
            kvm: KvmUse::Auto,
            soft_reboot_seconds: 60,
            detach_seconds: 30,
        }
    }
}

/// How long the writes of a guest during a snapshot may take to merge into its disk.
const MERGE_PATIENCE: Duration = Duration::from_secs(300);

/// See the module.
pub struct LibvirtDriver {
    config: LibvirtConfig,
    link: Arc<Link>,
    images: Images,
    virt: Virt,
    hook: Arc<dyn PlugHook>,
}

impl LibvirtDriver {
    /// Opens the hypervisor and decides about KVM. Fails when the hypervisor cannot be reached:
    /// another process holds the embedded root, or there is no QEMU.
    pub async fn open(config: LibvirtConfig, hook: Arc<dyn PlugHook>) -> Result<Self> {
        let instances = config.state_dir.join("instances");
        make_dir(&instances, 0o711)
            .map_err(|source| DriverError::failed("making the state directory", source))?;
        let uri = match &config.uri {
            Some(uri) => uri.clone(),
            None => {
                let root = config.state_dir.join("libvirt");
                link::prepare_root(&root)?;
                link::embedded(&root)
            }
        };
        let kvm = match config.kvm {
            KvmUse::Auto => probe::kvm_works(&config.state_dir).await?,
            KvmUse::Always => true,
            KvmUse::Never => false,
        };
        let virt = if kvm { Virt::Kvm } else { Virt::Tcg };
        let link = Arc::new(Link::new(uri, config.host.clone()));
        link.call("opening the hypervisor", |_| Ok(())).await?;
        tracing::info!(uri = %link.uri, ?virt, "hypervisor open");
        Ok(Self { images: Images::new(instances), config, link, virt, hook })
    }

    fn know(&self, host: &str) -> Result<()> {
        match host == self.config.host {
            true => Ok(()),
            false => Err(DriverError::HostNotFound { host: host.to_owned() }),
        }
    }

    /// Runs `work` with a guest of ours.
    async fn on<T: Send + 'static>(
        &self,
        host: &str,
        uuid: &str,
        what: &'static str,
        work: impl FnOnce(&virt::domain::Domain) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        self.know(host)?;
        let uuid = uuid.to_owned();
        self.link.call(what, move |connect| work(&domain::get(connect, &uuid)?)).await
    }

    async fn start(&self, spec: &GuestSpec, saved: bool) -> Result<()> {
        let (uuid, xml) = (spec.uuid.clone(), guest::domain(spec, self.virt));
        let runs = self.power(&spec.uuid).await?;
        if runs == Some(PowerState::Running) {
            return Ok(());
        }
        if !matches!(runs, Some(PowerState::Paused | PowerState::Suspended)) {
            self.images.merge_snap(&spec.uuid).await?;
        }
        self.link
            .call("starting a guest", move |connect| {
                domain::start_paused(connect, &uuid, &xml, saved)
            })
            .await?;
        for nic in &spec.nics {
            self.hook.plugged(&nic.port_id, &nic.tap).await;
        }
        self.on(&self.config.host, &spec.uuid, "letting a guest run", domain::run).await
    }

    /// None for a guest that is not there.
    async fn power(&self, uuid: &str) -> Result<Option<PowerState>> {
        match self.on(&self.config.host, uuid, "asking for the power state", domain::power).await {
            Ok(power) => Ok(Some(power)),
            Err(DriverError::GuestNotFound { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn must_be_off(&self, uuid: &str, verb: &'static str) -> Result<()> {
        match self.power(uuid).await? {
            None | Some(PowerState::Shutdown | PowerState::Crashed | PowerState::NoState) => Ok(()),
            Some(state) => Err(DriverError::WrongState { uuid: uuid.to_owned(), verb, state }),
        }
    }

    /// The device name of a running guest's root disk; none for a guest that is off or has none.
    /// A guest that writes beside its disk, as a snapshot did not end, returns to it first.
    async fn settled_root(&self, host: &str, uuid: &str) -> Result<Option<String>> {
        let root = self.images.root(uuid).to_string_lossy().into_owned();
        let snap = self.images.snap(uuid).to_string_lossy().into_owned();
        let candidates = [root, snap.clone()];
        let find = move |d: &virt::domain::Domain| domain::root_disk(d, &candidates);
        let Some((device, source)) = self.on(host, uuid, "finding the root disk", find).await?
        else {
            return Ok(None);
        };
        if source == snap {
            self.thaw(host, uuid, &device).await?;
        }
        Ok(Some(device))
    }

    /// Copies the disk of a running guest, which writes beside it meanwhile.
    async fn snapshot_live(
        &self,
        (host, uuid): (&str, &str),
        device: &str,
        to: &Path,
        format: DiskFormat,
    ) -> Result<()> {
        let snap = self.images.snap(uuid);
        remove_if_there(&snap)
            .map_err(|source| DriverError::failed("clearing an old overlay", source))?;
        let (name, overlay) = (device.to_owned(), snap.to_string_lossy().into_owned());
        let freeze = move |d: &virt::domain::Domain| domain::freeze(d, &name, &overlay);
        self.on(host, uuid, "freezing the disk", freeze).await?;
        let copied = self.images.flatten(uuid, to, format).await;
        self.thaw(host, uuid, device).await?;
        copied
    }

    async fn thaw(&self, host: &str, uuid: &str, device: &str) -> Result<()> {
        let device = device.to_owned();
        let thaw = move |d: &virt::domain::Domain| domain::thaw(d, &device, MERGE_PATIENCE);
        self.on(host, uuid, "returning to the disk", thaw).await?;
        remove_if_there(&self.images.snap(uuid))
            .map_err(|source| DriverError::failed("removing the merged overlay", source))
    }
}

#[async_trait]
impl ComputeDriver for LibvirtDriver {
    fn name(&self) -> &'static str {
        "libvirt"
    }

    #[tracing::instrument(skip_all)]
    async fn hosts(&self) -> Result<Vec<Hypervisor>> {
        let config = self.config.clone();
        let kvm = self.virt == Virt::Kvm;
        let facts = self.link.call("reading the host's facts", move |connect| {
            let name = (config.host.as_str(), config.host_ip.as_str());
            host::facts(connect, name, &config.state_dir, kvm)
        });
        Ok(vec![facts.await?])
    }

    fn events(&self) -> broadcast::Receiver<LifecycleEvent> {
        self.link.events.subscribe()
    }

    #[tracing::instrument(skip_all)]
    async fn list(&self, host: &str) -> Result<Vec<GuestInfo>> {
        self.know(host)?;
        self.link.call("listing guests", domain::list).await
    }

    #[tracing::instrument(skip_all)]
    async fn info(&self, host: &str, uuid: &str) -> Result<GuestInfo> {
        self.on(host, uuid, "asking for a guest", domain::info).await
    }

    #[tracing::instrument(skip_all)]
    async fn restore(&self, host: &str, _guests: Vec<(GuestSpec, PowerState)>) -> Result<()> {
        self.know(host)
    }

    #[tracing::instrument(skip_all)]
    async fn prepare(
        &self,
        host: &str,
        uuid: &str,
        plan: &DiskPlan,
        images: &dyn ImageSource,
    ) -> Result<GuestFiles> {
        self.know(host)?;
        self.images.prepare(uuid, plan, images).await
    }

    #[tracing::instrument(skip_all)]
    async fn discard_root(&self, host: &str, uuid: &str, rescue: bool) -> Result<()> {
        self.know(host)?;
        if !rescue {
            self.must_be_off(uuid, "discard its disk").await?;
        }
        self.images.discard_root(uuid, rescue)
    }

    #[tracing::instrument(skip_all)]
    async fn resize_root(&self, host: &str, uuid: &str, root_gb: u64) -> Result<()> {
        self.know(host)?;
        self.must_be_off(uuid, "resize").await?;
        self.images.resize_root(uuid, root_gb).await
    }

    #[tracing::instrument(skip_all)]
    async fn confirm_resize(&self, host: &str, uuid: &str) -> Result<()> {
        self.know(host)?;
        self.images.confirm_resize(uuid)
    }

    #[tracing::instrument(skip_all)]
    async fn revert_resize(&self, host: &str, uuid: &str) -> Result<()> {
        self.know(host)?;
        self.must_be_off(uuid, "revert its resize").await?;
        self.images.revert_resize(uuid)
    }

    #[tracing::instrument(skip_all)]
    async fn snapshot(&self, host: &str, uuid: &str, to: &Path, format: DiskFormat) -> Result<()> {
        match self.settled_root(host, uuid).await? {
            Some(device) => self.snapshot_live((host, uuid), &device, to, format).await,
            None => {
                self.images.merge_snap(uuid).await?;
                self.images.flatten(uuid, to, format).await
            }
        }
    }

    #[tracing::instrument(skip_all)]
    async fn spawn(&self, host: &str, spec: &GuestSpec) -> Result<()> {
        self.know(host)?;
        let Err(error) = self.start(spec, false).await else {
            return Ok(());
        };
        if let Err(left) = self.destroy(host, &spec.uuid, false).await {
            tracing::warn!(uuid = %spec.uuid, error = %left, "failed guest could not be removed");
        }
        Err(error)
    }

    #[tracing::instrument(skip_all)]
    async fn destroy(&self, host: &str, uuid: &str, files: bool) -> Result<()> {
        match self.on(host, uuid, "removing a guest", domain::remove).await {
            Ok(()) | Err(DriverError::GuestNotFound { .. }) => {}
            Err(error) => return Err(error),
        }
        if files { self.images.remove(uuid) } else { Ok(()) }
    }

    #[tracing::instrument(skip_all)]
    async fn power_on(&self, host: &str, spec: &GuestSpec) -> Result<()> {
        self.know(host)?;
        self.start(spec, false).await
    }

    #[tracing::instrument(skip_all)]
    async fn power_off(&self, host: &str, uuid: &str, grace: Duration) -> Result<()> {
        self.on(host, uuid, "ending a guest", move |d| {
            if !grace.is_zero() && domain::shut_down(d, grace)? {
                // Off by itself; there may still be saved memory.
                return domain::stop(d);
            }
            domain::stop(d)
        })
        .await
    }

    #[tracing::instrument(skip_all)]
    async fn reboot(&self, host: &str, spec: &GuestSpec, kind: RebootKind) -> Result<()> {
        self.know(host)?;
        let grace = match kind {
            RebootKind::Soft => Duration::from_secs(self.config.soft_reboot_seconds),
            RebootKind::Hard => Duration::ZERO,
        };
        match self.power_off(host, &spec.uuid, grace).await {
            Ok(()) | Err(DriverError::GuestNotFound { .. }) => self.start(spec, false).await,
            Err(error) => Err(error),
        }
    }

    #[tracing::instrument(skip_all)]
    async fn pause(&self, host: &str, uuid: &str) -> Result<()> {
        self.on(host, uuid, "pausing a guest", domain::pause).await
    }

    #[tracing::instrument(skip_all)]
    async fn unpause(&self, host: &str, uuid: &str) -> Result<()> {
        self.on(host, uuid, "unpausing a guest", domain::run).await
    }

    #[tracing::instrument(skip_all)]
    async fn suspend(&self, host: &str, uuid: &str) -> Result<()> {
        // Saved memory refers to the files the guest writes to; let that be its disk.
        self.settled_root(host, uuid).await?;
        self.on(host, uuid, "suspending a guest", domain::save).await
    }

    #[tracing::instrument(skip_all)]
    async fn resume(&self, host: &str, spec: &GuestSpec) -> Result<()> {
        self.know(host)?;
        self.start(spec, true).await
    }

    #[tracing::instrument(skip_all)]
    async fn migrate(&self, _uuid: &str, from: &str, to: &str) -> Result<()> {
        self.know(from)?;
        self.know(to)
    }

    #[tracing::instrument(skip_all)]
    async fn attach_interface(&self, host: &str, uuid: &str, nic: &Nic) -> Result<()> {
        let (device, tap) = (Device::Interface(nic.mac.clone()), nic.tap.clone());
        let xml = guest::interface(nic, self.virt);
        self.on(host, uuid, "attaching an interface", move |d| {
            let same = |held: &str| look::attribute(held, "target", "dev").as_ref() == Some(&tap);
            domain::attach(d, &device, &xml, same)
        })
        .await?;
        self.hook.plugged(&nic.port_id, &nic.tap).await;
        Ok(())
    }

    #[tracing::instrument(skip_all)]
    async fn detach_interface(&self, host: &str, uuid: &str, nic: &Nic) -> Result<()> {
        let device = Device::Interface(nic.mac.clone());
        let patience = Duration::from_secs(self.config.detach_seconds);
        self.on(host, uuid, "detaching an interface", move |d| domain::detach(d, &device, patience))
            .await
    }

    #[tracing::instrument(skip_all)]
    async fn attach_volume(&self, host: &str, uuid: &str, disk: &Disk) -> Result<()> {
        let (device, xml) = (Device::Disk(disk.device.clone()), guest::disk(disk, false));
        let path = disk.path.to_string_lossy().into_owned();
        self.on(host, uuid, "attaching a volume", move |d| {
            domain::attach(d, &device, &xml, |held| look::source(held).as_ref() == Some(&path))
        })
        .await
    }

    #[tracing::instrument(skip_all)]
    async fn detach_volume(&self, host: &str, uuid: &str, device: &str) -> Result<()> {
        let device = Device::Disk(device.to_owned());
        let patience = Duration::from_secs(self.config.detach_seconds);
        self.on(host, uuid, "detaching a volume", move |d| domain::detach(d, &device, patience))
            .await
    }

    #[tracing::instrument(skip_all)]
    async fn extend_volume(&self, host: &str, uuid: &str, device: &str, bytes: u64) -> Result<()> {
        let device = device.to_owned();
        self.on(host, uuid, "extending a volume", move |d| domain::extend(d, &device, bytes)).await
    }

    #[tracing::instrument(skip_all)]
    async fn console_log(&self, host: &str, uuid: &str, max_bytes: u64) -> Result<Vec<u8>> {
        self.know(host)?;
        let path = self.images.of(uuid).join("console.log");
        let read = tokio::task::spawn_blocking(move || tail(&path, max_bytes));
        match read.await {
            Ok(Ok(bytes)) => Ok(bytes),
            Ok(Err(error)) => Err(DriverError::failed("reading the console log", error)),
            Err(error) => Err(DriverError::failed("reading the console log", error)),
        }
    }

    #[tracing::instrument(skip_all)]
    async fn vnc_console(&self, host: &str, uuid: &str) -> Result<ConsoleAddress> {
        let port = self.on(host, uuid, "finding a screen", domain::vnc_port).await?;
        Ok(ConsoleAddress { host: "127.0.0.1".to_owned(), port })
    }

    #[tracing::instrument(skip_all)]
    async fn diagnostics(&self, host: &str, uuid: &str) -> Result<Diagnostics> {
        self.on(host, uuid, "measuring a guest", domain::diagnostics).await
    }
}

/// The last bytes of a file; of one that is not there, none.
fn tail(path: &Path, max_bytes: u64) -> std::io::Result<Vec<u8>> {
    let mut file = match std::fs::File::open(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        other => other?,
    };
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(max_bytes)))?;
    let mut bytes = Vec::new();
    file.take(max_bytes).read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests;
