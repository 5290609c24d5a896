//! A server, as it is stored.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use stackup_core::{
    ImageId, NetworkId, PortId, ProjectId, SecurityGroupId, ServerId, Time, UserId,
};
use thiserror::Error;

use super::flavor::FlavorSize;
use super::metadata::Key;
use super::power::PowerState;
use super::state::{Action, Status, TaskState, VmState, status};
use crate::drivers::{GuestFiles, instance_name};

/// A server with all that is known of it. Deleted ones are kept, with `deleted_at`.
#[derive(Debug, Clone, PartialEq)]
pub struct Server {
    /// Counts up from 1; the guest's name is made of it.
    pub row: i64,
    pub id: ServerId,
    pub project_id: ProjectId,
    pub user_id: UserId,
    pub name: String,
    pub hostname: String,
    pub description: Option<String>,
    pub vm_state: VmState,
    pub task_state: Option<TaskState>,
    pub power_state: PowerState,
    pub progress: u32,
    /// The hypervisor it is on.
    pub host: Option<String>,
    pub zone: Option<String>,
    /// The zone its user asked for; it stays there.
    pub pinned_zone: Option<String>,
    pub flavor: FlavorSize,
    pub image: Option<ServerImage>,
    pub key: Option<Key>,
    /// In base64, as it came.
    pub user_data: Option<String>,
    pub config_drive: bool,
    pub metadata: BTreeMap<String, String>,
    pub tags: Vec<String>,
    pub reservation_id: String,
    pub launch_index: u32,
    pub access_ipv4: Option<String>,
    pub access_ipv6: Option<String>,
    pub disk_config: DiskConfig,
    pub lock: Option<Lock>,
    pub fault: Option<ServerFault>,
    pub boot: Boot,
    /// What the driver made of local files; none before it did.
    pub files: Option<GuestFiles>,
    /// The size before a resize that is not confirmed yet.
    pub old: Option<OldSize>,
    /// Set by the guest, encrypted with the user's key.
    pub password: String,
    pub created_at: Time,
    pub updated_at: Option<Time>,
    pub launched_at: Option<Time>,
    pub terminated_at: Option<Time>,
    pub deleted_at: Option<Time>,
}

/// What a server keeps of its image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServerImage {
    pub id: ImageId,
    pub checksum: String,
    pub disk_format: String,
    pub container_format: String,
    pub min_disk: u64,
    pub min_ram: u64,
    pub properties: BTreeMap<String, String>,
}

/// What is needed to build a server, and to build it again.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Boot {
    pub networks: Vec<RequestedNetwork>,
    /// Groups by id, with the names that its user knows; empty is the project's default.
    pub security_groups: Vec<RequestedGroup>,
    /// Scheduler hints; each name with its values.
    pub hints: BTreeMap<String, Vec<String>>,
    /// The hints as they came, for 2.100.
    #[serde(default)]
    pub raw_hints: serde_json::Map<String, serde_json::Value>,
    /// A host that an administrator asked for.
    pub forced_host: Option<String>,
    /// Whether the forced host is taken without a look at its filters (`zone:host`).
    #[serde(default)]
    pub unfiltered: bool,
    /// Files to write into the guest, in base64.
    #[serde(default)]
    pub personality: Vec<(String, String)>,
    /// 32 random bytes in hex, from which the guest's random seed is made.
    pub seed: String,
    /// The image that a shelved server was put away as.
    #[serde(default)]
    pub shelf: Option<ImageId>,
    /// Device tags by port.
    #[serde(default)]
    pub port_tags: BTreeMap<String, String>,
}

/// A network card that was asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RequestedNetwork {
    pub network_id: Option<NetworkId>,
    /// A port that the user made: it outlives the server.
    pub port_id: Option<PortId>,
    pub fixed_ip: Option<String>,
    pub tag: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RequestedGroup {
    pub id: SecurityGroupId,
    pub name: String,
}

/// The size a server had, for revert.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OldSize {
    pub flavor: FlavorSize,
    pub host: String,
    pub vm_state: VmState,
    /// Holds the old size's resources in placement.
    pub migration: String,
}

/// Who locked it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lock {
    /// An administrator did, so that its owner cannot unlock it.
    pub by_admin: bool,
    pub reason: Option<String>,
}

/// Why it is in error.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServerFault {
    pub code: u16,
    pub message: String,
    /// For administrators only.
    pub details: String,
    pub created: String,
}

stackup_core::wire_enum! {
    /// Whether the guest's partition may be grown with its disk; kept for clients, no more.
    pub enum DiskConfig { Auto = "AUTO", Manual = "MANUAL" }
}

/// Why an action is refused now.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Refused {
    #[error("Cannot '{action}' instance {server} while it is in {axis} {state}")]
    State { action: Action, server: ServerId, axis: &'static str, state: &'static str },
    #[error("Instance {0} is locked")]
    Locked(ServerId),
}

impl Server {
    /// What clients see.
    pub fn status(&self) -> Status {
        status(self.vm_state, self.task_state)
    }

    /// `instance-0000000a`
    pub fn instance_name(&self) -> String {
        instance_name(self.row)
    }

    /// Whether `action` may begin now, for somebody who may or may not pass a lock.
    pub fn allows(&self, action: Action, passes_lock: bool) -> Result<(), Refused> {
        if self.lock.is_some() && !passes_lock {
            return Err(Refused::Locked(self.id.clone()));
        }
        let refused = |axis, state| Refused::State { action, server: self.id.clone(), axis, state };
        if let Some(states) = action.vm_states()
            && !states.contains(&self.vm_state)
        {
            return Err(refused("vm_state", self.vm_state.as_str()));
        }
        // nova: must_have_launched
        if action.needs_guest() && self.launched_at.is_none() {
            return Err(refused("launched_at", "None"));
        }
        match self.task_state {
            Some(task) if !action.ignores_tasks(task) => Err(refused("task_state", task.as_str())),
            _ => Ok(()),
        }
    }

    /// As [`Server::allows`], and the task begins.
    pub fn begin(
        &mut self,
        action: Action,
        passes_lock: bool,
        task: TaskState,
    ) -> Result<(), Refused> {
        self.allows(action, passes_lock)?;
        self.task_state = Some(task);
        Ok(())
    }

    /// The task is over and the server is there.
    pub fn settle(&mut self, vm_state: VmState, power: PowerState) {
        self.vm_state = vm_state;
        self.power_state = power;
        self.task_state = None;
    }

    /// Whether a guest of it should be on its host.
    pub fn has_guest(&self) -> bool {
        match self.vm_state {
            VmState::Building | VmState::Deleted | VmState::ShelvedOffloaded => false,
            VmState::Active
            | VmState::Paused
            | VmState::Suspended
            | VmState::Stopped
            | VmState::Rescued
            | VmState::Resized
            | VmState::SoftDeleted
            | VmState::Error
            | VmState::Shelved => self.host.is_some() && self.files.is_some(),
        }
    }

    /// The ports that its user made: never deleted with it.
    pub fn keeps_port(&self, port: &PortId) -> bool {
        let kept = |network: &RequestedNetwork| network.port_id.as_ref() == Some(port);
        self.boot.networks.iter().any(kept)
    }

    /// The opaque name of its host for users: the same for the servers of one project on one host.
    pub fn host_id(&self) -> String {
        use sha2::{Digest, Sha224};
        let Some(host) = &self.host else {
            return String::new();
        };
        hex::encode(Sha224::digest(format!("{}{host}", self.project_id)))
    }
}

/// A server name as a host name: what DNS allows of it. Nova: utils.sanitize_hostname.
pub fn sanitize_hostname(name: &str, fallback: &str) -> String {
    let mapped = name.chars().filter_map(|c| match c {
        ' ' | '_' | '.' => Some('-'),
        c if c.is_ascii_alphanumeric() || c == '-' => Some(c.to_ascii_lowercase()),
        _ => None,
    });
    let text: String = mapped.collect();
    let text: String = text.trim_matches('-').chars().take(63).collect();
    let text = text.trim_end_matches('-');
    if text.is_empty() {
        return fallback.to_owned();
    }
    text.to_owned()
}

/// A server for tests: active on `h1`, made of the sample flavor.
#[cfg(test)]
pub(crate) fn sample(id: &str) -> Server {
    let now = Time::from_unix(1_700_000_000);
    Server {
        row: 1,
        id: id.into(),
        project_id: "p".into(),
        user_id: "u".into(),
        name: "vm1".to_owned(),
        hostname: "vm1".to_owned(),
        description: None,
        vm_state: VmState::Active,
        task_state: None,
        power_state: PowerState::Running,
        progress: 0,
        host: Some("h1".to_owned()),
        zone: Some("nova".to_owned()),
        pinned_zone: None,
        flavor: super::flavor::sample(),
        image: None,
        key: None,
        user_data: None,
        config_drive: false,
        metadata: BTreeMap::new(),
        tags: Vec::new(),
        reservation_id: "r-abcdefgh".to_owned(),
        launch_index: 0,
        access_ipv4: None,
        access_ipv6: None,
        disk_config: DiskConfig::Auto,
        lock: None,
        fault: None,
        boot: Boot::default(),
        files: None,
        old: None,
        password: String::new(),
        created_at: now,
        updated_at: None,
        launched_at: Some(now),
        terminated_at: None,
        deleted_at: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn actions_are_refused_in_novas_words() {
        let mut server = sample("s");
        server.begin(Action::Stop, false, TaskState::PoweringOff).unwrap();
        let refused = server.allows(Action::Pause, false).unwrap_err().to_string();
        assert_eq!(refused, "Cannot 'pause' instance s while it is in task_state powering-off");
        server.settle(VmState::Stopped, PowerState::Shutdown);
        let refused = server.allows(Action::Pause, false).unwrap_err().to_string();
        assert_eq!(refused, "Cannot 'pause' instance s while it is in vm_state stopped");
        server.lock = Some(Lock { by_admin: true, reason: None });
        assert_eq!(server.allows(Action::Delete, false), Err(Refused::Locked("s".into())));
        assert!(server.allows(Action::Delete, true).is_ok());
    }

    #[test]
    fn a_hard_reboot_breaks_off_a_soft_one() {
        let mut server = sample("s");
        server.begin(Action::Reboot, false, TaskState::Rebooting).unwrap();
        assert!(server.allows(Action::Reboot, false).is_err());
        assert!(server.allows(Action::HardReboot, false).is_ok());
    }

    #[test]
    fn host_names_are_what_dns_allows() {
        assert_eq!(sanitize_hostname("My Server_1.a", "x"), "my-server-1-a");
        assert_eq!(sanitize_hostname("-한글-", "Server-1"), "Server-1");
        assert_eq!(sanitize_hostname(&"a".repeat(80), "x").len(), 63);
    }
}
