//! One simulated guest: its state, its devices and how far it has booted.

use std::time::Duration;

use tokio::time::Instant;

use super::console;
use crate::drivers::{
    Diagnostics, Disk, DiskStats, DriverError, GuestInfo, GuestSpec, MemoryStats, Nic, NicStats,
    Owner, PowerState, Result,
};

/// A guest. Its clock (`ran`) stands still unless it runs, and so does its console.
pub(super) struct Guest {
    pub(super) host: String,
    pub(super) spec: GuestSpec,
    pub(super) power: PowerState,
    boot_time: Duration,
    /// What earlier boots wrote.
    written: String,
    /// How long this boot ran before it was last paused.
    ran: Duration,
    /// Since when it runs.
    since: Instant,
}

impl Guest {
    pub(super) fn new(host: &str, spec: GuestSpec, boot_time: Duration) -> Self {
        Self {
            host: host.to_owned(),
            spec,
            power: PowerState::Shutdown,
            boot_time,
            written: String::new(),
            ran: Duration::ZERO,
            since: Instant::now(),
        }
    }

    /// A guest that was there before the process was: booted if it runs.
    pub(super) fn restored(
        host: &str,
        spec: GuestSpec,
        power: PowerState,
        boot_time: Duration,
    ) -> Self {
        Self { power, ran: boot_time, ..Self::new(host, spec, boot_time) }
    }

    pub(super) fn start(&mut self) {
        self.ran = Duration::ZERO;
        self.since = Instant::now();
        self.power = PowerState::Running;
    }

    /// Ends the boot, `last` being what the guest still wrote.
    pub(super) fn stop(&mut self, power: PowerState, last: &str) {
        let text = self.boot_text();
        self.written.push_str(&text);
        self.written.push_str(last);
        self.power = power;
        self.ran = Duration::ZERO;
    }

    /// Pause, suspend and their inverses: the guest's clock stops and goes on. A guest that
    /// resumes from nothing boots.
    pub(super) fn turn(&mut self, to: PowerState) {
        match (self.power, to) {
            (PowerState::Shutdown | PowerState::Crashed, PowerState::Running) => self.start(),
            (PowerState::Running, _) => {
                self.ran = self.age();
                self.power = to;
            }
            _ => {
                self.since = Instant::now();
                self.power = to;
            }
        }
    }

    pub(super) fn info(&self) -> GuestInfo {
        GuestInfo {
            uuid: self.spec.uuid.clone(),
            name: self.spec.name.clone(),
            power: self.power,
            owner: Owner::Ours,
        }
    }

    pub(super) fn console(&self) -> String {
        format!("{}{}", self.written, self.boot_text())
    }

    pub(super) fn wrong(&self, verb: &'static str) -> DriverError {
        DriverError::WrongState { uuid: self.spec.uuid.clone(), verb, state: self.power }
    }

    pub(super) fn must_be_off(&self, verb: &'static str) -> Result<()> {
        match self.power {
            PowerState::Shutdown | PowerState::Crashed | PowerState::NoState => Ok(()),
            PowerState::Running | PowerState::Paused | PowerState::Suspended => {
                Err(self.wrong(verb))
            }
        }
    }

    pub(super) fn must_run(&self, verb: &'static str) -> Result<()> {
        match self.power {
            PowerState::Running | PowerState::Paused => Ok(()),
            _ => Err(self.wrong(verb)),
        }
    }

    pub(super) fn attach_nic(&mut self, nic: &Nic) {
        if !self.spec.nics.iter().any(|held| held.mac == nic.mac) {
            self.spec.nics.push(nic.clone());
        }
    }

    pub(super) fn attach_disk(&mut self, disk: &Disk) -> Result<()> {
        match self.spec.disks.iter().find(|held| held.device == disk.device) {
            Some(held) if held.path == disk.path => Ok(()),
            Some(_) => Err(DriverError::failed(
                format!("attach of {}", disk.path.display()),
                format!("device {} is taken", disk.device),
            )),
            None => {
                self.spec.disks.push(disk.clone());
                Ok(())
            }
        }
    }

    pub(super) fn disk(&self, device: &str) -> Result<&Disk> {
        self.spec.disks.iter().find(|disk| disk.device == device).ok_or_else(|| {
            DriverError::DeviceNotFound { uuid: self.spec.uuid.clone(), device: device.to_owned() }
        })
    }

    /// Counters that grow with the time the guest ran.
    pub(super) fn diagnostics(&self) -> Diagnostics {
        let seconds = self.age().as_secs();
        let disk = |disk: &Disk| DiskStats {
            device: disk.device.clone(),
            read_bytes: 262_144 + seconds * 4096,
            read_requests: 112 + seconds,
            write_bytes: 5_778_432 + seconds * 4096,
            write_requests: 488 + seconds,
            errors: 0,
        };
        let nic = |nic: &Nic| NicStats {
            mac: nic.mac.clone(),
            rx_octets: 2_070_139 + seconds * 64,
            rx_packets: 26_701 + seconds,
            tx_octets: 140_208 + seconds * 64,
            tx_packets: 662 + seconds,
            ..NicStats::default()
        };
        Diagnostics {
            state: self.power,
            driver: "fake".to_owned(),
            hypervisor: "fake".to_owned(),
            uptime: Some(seconds),
            cpu_time_ns: vec![17_300_000_000 + seconds * 10_000_000; self.spec.vcpus as usize],
            memory: MemoryStats { maximum_mb: self.spec.memory_mb, used_mb: self.spec.memory_mb },
            disks: self.spec.disks.iter().map(disk).collect(),
            nics: self.spec.nics.iter().map(nic).collect(),
        }
    }

    fn age(&self) -> Duration {
        match self.power {
            PowerState::Running => self.ran + self.since.elapsed(),
            _ => self.ran,
        }
    }

    fn boot_text(&self) -> String {
        match self.power {
            PowerState::Running | PowerState::Paused | PowerState::Suspended => {
                console::boot_text(&self.spec, self.age(), self.boot_time)
            }
            PowerState::Shutdown | PowerState::Crashed | PowerState::NoState => String::new(),
        }
    }
}
