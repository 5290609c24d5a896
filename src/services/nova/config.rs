//! What an operator can set.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// The section `nova` of a profile.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// The name under which scheduler and conductor are listed.
    pub host: String,
    /// The zone of hosts that no aggregate puts elsewhere.
    pub zone: String,
    /// The zone of the services that have no guests.
    pub internal_zone: String,
    /// What `hostname` in metadata ends with.
    pub dhcp_domain: String,
    /// How much of a host's resources may be promised, per unit that is there.
    pub cpu_allocation_ratio: f64,
    pub ram_allocation_ratio: f64,
    pub disk_allocation_ratio: f64,
    pub reserved_memory_mb: u64,
    /// Limits of projects that have none of their own.
    pub quota: BTreeMap<String, i64>,
    /// Items of a list, at most.
    pub max_limit: usize,
    /// Give every guest a config drive.
    pub force_config_drive: bool,
    /// Show the generated password in answers.
    pub show_password: bool,
    /// Seconds a guest gets to shut down when it is stopped.
    pub shutdown_seconds: u64,
    /// Tries on other hosts when one cannot build a server.
    pub build_attempts: usize,
    /// Builds at a time; further ones wait.
    pub max_builds: usize,
    /// Where snapshots lie until the image service has taken them.
    pub spool: PathBuf,
    /// Start guests that ran when the host went down.
    pub resume_guests: bool,
    /// Overrides of policy rules.
    pub policy: BTreeMap<String, String>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            host: "localhost".to_owned(),
            zone: "nova".to_owned(),
            internal_zone: "internal".to_owned(),
            dhcp_domain: "novalocal".to_owned(),
            cpu_allocation_ratio: 4.0,
            ram_allocation_ratio: 1.0,
            disk_allocation_ratio: 1.0,
            reserved_memory_mb: 512,
            quota: BTreeMap::new(),
            max_limit: 1000,
            force_config_drive: false,
            show_password: true,
            shutdown_seconds: 60,
            build_attempts: 3,
            max_builds: 10,
            spool: PathBuf::from("/var/lib/stackup/nova/spool"),
            resume_guests: true,
            policy: BTreeMap::new(),
        }
    }
}
