//! The driver that simulates: the specification of [`ComputeDriver`], without a machine.
//!
//! Several hypervisors, guests with states, devices and a console that grows like a real boot. It
//! makes no process, no device and no file (except that a snapshot is a real, empty image, since
//! the image service reads it). For classes, scale tests and tests of the API.
//!
//! - Guests live in memory. After a restart nova tells what ran ([`ComputeDriver::restore`]).
//! - Every verb may be given a duration ([`FakeConfig::delays_ms`], none by default); the guest's
//!   console needs [`FakeConfig::boot_ms`] to reach its login prompt.
//! - A verb may be made to fail for servers by name ([`FakeConfig::failures`]).
//! - [`FakeDriver::crash`] ends a guest from outside, as a host's out-of-memory killer would.

mod console;
mod disk;
mod guest;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::sync::broadcast;

use super::{
    ComputeDriver, ConsoleAddress, Diagnostics, Disk, DiskFormat, DiskPlan, DriverError, Event,
    GuestFiles, GuestInfo, GuestSpec, Hypervisor, ImageSource, LifecycleEvent, Nic, PowerState,
    RebootKind, Result, layout,
};
use guest::Guest;

/// How the simulation behaves.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct FakeConfig {
    pub hosts: Vec<FakeHost>,
    /// How long a verb takes; a verb not named takes no time.
    pub delays_ms: BTreeMap<Verb, u64>,
    /// How long a guest's console takes to the login prompt.
    pub boot_ms: u64,
    /// Verbs that fail for servers whose name contains the text.
    pub failures: Vec<(Verb, String)>,
}

/// One simulated hypervisor.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FakeHost {
    pub name: String,
    pub vcpus: u32,
    pub memory_mb: u64,
    pub local_gb: u64,
}

/// What a driver is asked to do, as far as it can be delayed or made to fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verb {
    Prepare,
    Spawn,
    Destroy,
    PowerOn,
    PowerOff,
    Reboot,
    Pause,
    Unpause,
    Suspend,
    Resume,
    Resize,
    Migrate,
    Snapshot,
    AttachInterface,
    DetachInterface,
    AttachVolume,
    DetachVolume,
}

impl FakeConfig {
    /// `count` hypervisors `fake-host-1`, `fake-host-2`, … of one size.
    #[must_use]
    pub fn of(count: usize, vcpus: u32, memory_mb: u64, local_gb: u64) -> Self {
        let host = |n| FakeHost { name: format!("fake-host-{n}"), vcpus, memory_mb, local_gb };
        Self {
            hosts: (1..=count).map(host).collect(),
            delays_ms: BTreeMap::new(),
            boot_ms: 0,
            failures: Vec::new(),
        }
    }
}

impl Default for FakeConfig {
    fn default() -> Self {
        Self::of(1, 64, 256 * 1024, 4096)
    }
}

/// See the module.
pub struct FakeDriver {
    config: FakeConfig,
    guests: Mutex<BTreeMap<String, Guest>>,
    events: broadcast::Sender<LifecycleEvent>,
}

impl FakeDriver {
    #[must_use]
    pub fn new(config: FakeConfig) -> Self {
        Self { config, guests: Mutex::default(), events: broadcast::channel(1024).0 }
    }

    /// Ends a running guest from outside. Nothing happens to one that is not there.
    pub fn crash(&self, uuid: &str) {
        if let Some(guest) = self.lock().get_mut(uuid) {
            guest.stop(PowerState::Crashed, "");
            self.tell(&guest.host, uuid, Event::Crashed);
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Guest>> {
        self.guests.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tell(&self, host: &str, uuid: &str, event: Event) {
        // Nobody listening is fine: events are hints.
        drop(self.events.send(LifecycleEvent {
            host: host.to_owned(),
            uuid: uuid.to_owned(),
            event,
        }));
    }

    fn boot_time(&self) -> Duration {
        Duration::from_millis(self.config.boot_ms)
    }

    fn know(&self, host: &str) -> Result<()> {
        match self.config.hosts.iter().any(|known| known.name == host) {
            true => Ok(()),
            false => Err(DriverError::HostNotFound { host: host.to_owned() }),
        }
    }

    /// The start of every verb: the host is known, time passes, a planned failure happens.
    async fn begin(&self, verb: Verb, host: &str, server_name: &str) -> Result<()> {
        self.know(host)?;
        if let Some(delay) = self.config.delays_ms.get(&verb) {
            tokio::time::sleep(Duration::from_millis(*delay)).await;
        }
        let fails = |(what, name): &(Verb, String)| *what == verb && server_name.contains(name);
        if self.config.failures.iter().any(fails) {
            return Err(DriverError::failed(format!("{verb:?}").to_lowercase(), "as configured"));
        }
        Ok(())
    }

    async fn begin_on(&self, verb: Verb, host: &str, uuid: &str) -> Result<()> {
        let name = self.with(host, uuid, |guest| Ok(guest.spec.metadata.server_name.clone()))?;
        self.begin(verb, host, &name).await
    }

    /// Runs `change` on a guest of this host.
    fn with<T>(
        &self,
        host: &str,
        uuid: &str,
        change: impl FnOnce(&mut Guest) -> Result<T>,
    ) -> Result<T> {
        self.know(host)?;
        match self.lock().get_mut(uuid).filter(|guest| guest.host == host) {
            Some(guest) => change(guest),
            None => Err(DriverError::GuestNotFound { uuid: uuid.to_owned() }),
        }
    }

    /// Makes the guest run with this spec, whatever it was before.
    fn start(&self, host: &str, spec: &GuestSpec) {
        let mut guests = self.lock();
        let guest = guests
            .entry(spec.uuid.clone())
            .or_insert_with(|| Guest::new(host, spec.clone(), self.boot_time()));
        if guest.power == PowerState::Running {
            return;
        }
        guest.spec = spec.clone();
        guest.start();
        self.tell(host, &spec.uuid, Event::Started);
    }

    /// Moves a guest between two states, telling so; `from` says which states it may leave.
    async fn turn(
        &self,
        (verb, name): (Verb, &'static str),
        (host, uuid): (&str, &str),
        (from, to): (&[PowerState], PowerState),
        event: Event,
    ) -> Result<()> {
        self.begin_on(verb, host, uuid).await?;
        self.with(host, uuid, |guest| {
            if guest.power == to {
                return Ok(());
            }
            if !from.contains(&guest.power) {
                return Err(guest.wrong(name));
            }
            guest.turn(to);
            self.tell(host, uuid, event);
            Ok(())
        })
    }

    fn hypervisor(&self, host: &FakeHost) -> Hypervisor {
        Hypervisor {
            host: host.name.clone(),
            kind: "fake".to_owned(),
            version: 1000,
            vcpus: host.vcpus,
            memory_mb: host.memory_mb,
            local_gb: host.local_gb,
            free_disk_gb: host.local_gb,
            host_ip: "127.0.0.1".to_owned(),
            cpu_info: json!({
                "arch": "x86_64",
                "model": "Nehalem",
                "vendor": "Intel",
                "features": ["pge", "clflush"],
                "topology": { "cells": 1, "cores": host.vcpus, "threads": 1, "sockets": 1 },
            }),
            traits: ["COMPUTE_NODE", "COMPUTE_NET_ATTACH_INTERFACE", "COMPUTE_VOLUME_EXTEND"]
                .map(str::to_owned)
                .to_vec(),
            uptime: None,
        }
    }
}

#[async_trait]
impl ComputeDriver for FakeDriver {
    fn name(&self) -> &'static str {
        "fake"
    }

    #[tracing::instrument(skip_all)]
    async fn hosts(&self) -> Result<Vec<Hypervisor>> {
        Ok(self.config.hosts.iter().map(|host| self.hypervisor(host)).collect())
    }

    fn events(&self) -> broadcast::Receiver<LifecycleEvent> {
        self.events.subscribe()
    }

    #[tracing::instrument(skip_all)]
    async fn list(&self, host: &str) -> Result<Vec<GuestInfo>> {
        self.know(host)?;
        Ok(self.lock().values().filter(|guest| guest.host == host).map(Guest::info).collect())
    }

    #[tracing::instrument(skip_all)]
    async fn info(&self, host: &str, uuid: &str) -> Result<GuestInfo> {
        self.with(host, uuid, |guest| Ok(guest.info()))
    }

    #[tracing::instrument(skip_all)]
    async fn restore(&self, host: &str, guests: Vec<(GuestSpec, PowerState)>) -> Result<()> {
        self.know(host)?;
        let mut known = self.lock();
        for (spec, power) in guests {
            let uuid = spec.uuid.clone();
            known
                .entry(uuid)
                .or_insert_with(|| Guest::restored(host, spec, power, self.boot_time()));
        }
        Ok(())
    }

    #[tracing::instrument(skip_all)]
    async fn prepare(
        &self,
        host: &str,
        uuid: &str,
        plan: &DiskPlan,
        _images: &dyn ImageSource,
    ) -> Result<GuestFiles> {
        self.begin(Verb::Prepare, host, "").await?;
        let dir = PathBuf::from("/fake").join(host).join(uuid);
        let mut files = layout::files(&dir, plan);
        if let Some(root) = &plan.root {
            files.kernel = root.image.kernel.as_ref().map(|_| dir.join("kernel"));
            files.ramdisk = root.image.ramdisk.as_ref().map(|_| dir.join("ramdisk"));
        }
        Ok(files)
    }

    #[tracing::instrument(skip_all)]
    async fn discard_root(&self, host: &str, uuid: &str, _rescue: bool) -> Result<()> {
        self.know(host)?;
        match self.lock().get(uuid).filter(|guest| guest.host == host) {
            Some(guest) => guest.must_be_off("discard its disk"),
            None => Ok(()),
        }
    }

    #[tracing::instrument(skip_all)]
    async fn resize_root(&self, host: &str, uuid: &str, _root_gb: u64) -> Result<()> {
        self.begin_on(Verb::Resize, host, uuid).await?;
        self.with(host, uuid, |guest| guest.must_be_off("resize"))
    }

    #[tracing::instrument(skip_all)]
    async fn confirm_resize(&self, host: &str, _uuid: &str) -> Result<()> {
        self.know(host)
    }

    #[tracing::instrument(skip_all)]
    async fn revert_resize(&self, host: &str, uuid: &str) -> Result<()> {
        self.with(host, uuid, |guest| guest.must_be_off("revert its resize"))
    }

    #[tracing::instrument(skip_all)]
    async fn snapshot(&self, host: &str, uuid: &str, to: &Path, format: DiskFormat) -> Result<()> {
        self.begin_on(Verb::Snapshot, host, uuid).await?;
        disk::write_empty(to, format)
    }

    #[tracing::instrument(skip_all)]
    async fn spawn(&self, host: &str, spec: &GuestSpec) -> Result<()> {
        self.begin(Verb::Spawn, host, &spec.metadata.server_name).await?;
        self.start(host, spec);
        Ok(())
    }

    #[tracing::instrument(skip_all)]
    async fn destroy(&self, host: &str, uuid: &str, _files: bool) -> Result<()> {
        match self.begin_on(Verb::Destroy, host, uuid).await {
            Err(DriverError::GuestNotFound { .. }) => return Ok(()),
            other => other?,
        }
        if let Some(guest) = self.lock().remove(uuid)
            && guest.power != PowerState::Shutdown
        {
            self.tell(host, uuid, Event::Stopped);
        }
        Ok(())
    }

    #[tracing::instrument(skip_all)]
    async fn power_on(&self, host: &str, spec: &GuestSpec) -> Result<()> {
        self.begin(Verb::PowerOn, host, &spec.metadata.server_name).await?;
        self.start(host, spec);
        Ok(())
    }

    #[tracing::instrument(skip_all)]
    async fn power_off(&self, host: &str, uuid: &str, grace: Duration) -> Result<()> {
        self.begin_on(Verb::PowerOff, host, uuid).await?;
        self.with(host, uuid, |guest| {
            if guest.power == PowerState::Shutdown {
                return Ok(());
            }
            // A paused guest hears no power button; a running one does at once.
            let heard = guest.power == PowerState::Running && !grace.is_zero();
            guest.stop(PowerState::Shutdown, if heard { console::SHUTDOWN } else { "" });
            self.tell(host, uuid, Event::Stopped);
            Ok(())
        })
    }

    #[tracing::instrument(skip_all)]
    async fn reboot(&self, host: &str, spec: &GuestSpec, kind: RebootKind) -> Result<()> {
        self.begin(Verb::Reboot, host, &spec.metadata.server_name).await?;
        if let Some(guest) = self.lock().get_mut(&spec.uuid) {
            let soft = kind == RebootKind::Soft && guest.power == PowerState::Running;
            guest.stop(PowerState::Shutdown, if soft { console::SHUTDOWN } else { "" });
            self.tell(host, &spec.uuid, Event::Stopped);
        }
        self.start(host, spec);
        Ok(())
    }

    #[tracing::instrument(skip_all)]
    async fn pause(&self, host: &str, uuid: &str) -> Result<()> {
        let states = (&[PowerState::Running][..], PowerState::Paused);
        self.turn((Verb::Pause, "pause"), (host, uuid), states, Event::Paused).await
    }

    #[tracing::instrument(skip_all)]
    async fn unpause(&self, host: &str, uuid: &str) -> Result<()> {
        let states = (&[PowerState::Paused][..], PowerState::Running);
        self.turn((Verb::Unpause, "unpause"), (host, uuid), states, Event::Resumed).await
    }

    #[tracing::instrument(skip_all)]
    async fn suspend(&self, host: &str, uuid: &str) -> Result<()> {
        let states = (&[PowerState::Running, PowerState::Paused][..], PowerState::Suspended);
        self.turn((Verb::Suspend, "suspend"), (host, uuid), states, Event::Suspended).await
    }

    #[tracing::instrument(skip_all)]
    async fn resume(&self, host: &str, spec: &GuestSpec) -> Result<()> {
        let states = (
            &[PowerState::Suspended, PowerState::Shutdown, PowerState::Crashed][..],
            PowerState::Running,
        );
        self.turn((Verb::Resume, "resume"), (host, &spec.uuid), states, Event::Resumed).await
    }

    #[tracing::instrument(skip_all)]
    async fn migrate(&self, uuid: &str, from: &str, to: &str) -> Result<()> {
        self.know(to)?;
        // Asked again after it was done, the guest is where it should be.
        if self.lock().get(uuid).is_some_and(|guest| guest.host == to) {
            return Ok(());
        }
        self.begin_on(Verb::Migrate, from, uuid).await?;
        self.with(from, uuid, |guest| {
            guest.must_be_off("migrate")?;
            to.clone_into(&mut guest.host);
            Ok(())
        })
    }

    #[tracing::instrument(skip_all)]
    async fn attach_interface(&self, host: &str, uuid: &str, nic: &Nic) -> Result<()> {
        self.begin_on(Verb::AttachInterface, host, uuid).await?;
        self.with(host, uuid, |guest| {
            guest.attach_nic(nic);
            Ok(())
        })
    }

    #[tracing::instrument(skip_all)]
    async fn detach_interface(&self, host: &str, uuid: &str, nic: &Nic) -> Result<()> {
        self.begin_on(Verb::DetachInterface, host, uuid).await?;
        self.with(host, uuid, |guest| {
            guest.spec.nics.retain(|held| held.mac != nic.mac);
            Ok(())
        })
    }

    #[tracing::instrument(skip_all)]
    async fn attach_volume(&self, host: &str, uuid: &str, disk: &Disk) -> Result<()> {
        self.begin_on(Verb::AttachVolume, host, uuid).await?;
        self.with(host, uuid, |guest| guest.attach_disk(disk))
    }

    #[tracing::instrument(skip_all)]
    async fn detach_volume(&self, host: &str, uuid: &str, device: &str) -> Result<()> {
        self.begin_on(Verb::DetachVolume, host, uuid).await?;
        self.with(host, uuid, |guest| {
            guest.spec.disks.retain(|disk| disk.device != device);
            Ok(())
        })
    }

    #[tracing::instrument(skip_all)]
    async fn extend_volume(&self, host: &str, uuid: &str, device: &str, _bytes: u64) -> Result<()> {
        self.with(host, uuid, |guest| guest.disk(device).map(drop))
    }

    #[tracing::instrument(skip_all)]
    async fn console_log(&self, host: &str, uuid: &str, max_bytes: u64) -> Result<Vec<u8>> {
        let text = self.with(host, uuid, |guest| Ok(guest.console()))?.into_bytes();
        let keep = usize::try_from(max_bytes).unwrap_or(usize::MAX).min(text.len());
        Ok(text[text.len() - keep..].to_vec())
    }

    #[tracing::instrument(skip_all)]
    async fn vnc_console(&self, host: &str, uuid: &str) -> Result<ConsoleAddress> {
        self.with(host, uuid, |guest| guest.must_run("show its screen"))?;
        let index = self.lock().keys().position(|key| key == uuid).unwrap_or(0);
        let port = 5900_u16.saturating_add(u16::try_from(index).unwrap_or(0));
        Ok(ConsoleAddress { host: "127.0.0.1".to_owned(), port })
    }

    #[tracing::instrument(skip_all)]
    async fn diagnostics(&self, host: &str, uuid: &str) -> Result<Diagnostics> {
        self.with(host, uuid, |guest| {
            guest.must_run("be measured")?;
            Ok(guest.diagnostics())
        })
    }
}

#[cfg(test)]
mod tests;
