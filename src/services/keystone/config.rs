//! What an operator can set.

use std::collections::BTreeMap;

use serde::Deserialize;
use stackup_core::Secret;

/// The settings of the service.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    pub region: String,
    /// The password of every seeded user that is no service.
    pub admin_password: Secret<String>,
    /// The password of the seeded users of the project `service`.
    pub service_password: Secret<String>,
    /// What the catalog has on day one.
    #[serde(skip)]
    pub catalog: Vec<CatalogEntry>,
    /// Seconds that a token lives.
    pub token_expiration: u64,
    /// The cost of a password at rest: each step doubles it.
    pub bcrypt_rounds: u32,
    /// Days after which the key that signs tokens is replaced; 0 keeps it.
    pub key_rotation_days: u64,
    pub max_password_length: usize,
    /// A list longer than this is cut, and says so.
    pub list_limit: Option<usize>,
    /// Depth of the project tree, the domain included.
    pub max_project_depth: usize,
    pub compliance: Compliance,
    /// The operator's policy file: rule to check.
    pub policy: BTreeMap<String, String>,
}

/// Keystone's `[security_compliance]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Compliance {
    /// Wrong passwords in a row that lock an account; 0 never does.
    pub lockout_failure_attempts: u32,
    /// Seconds that it stays locked.
    pub lockout_duration: u64,
    /// How many of the last passwords a new one must differ from; 0 allows all.
    pub unique_last_password_count: usize,
    /// Days after which a password expires; 0 never.
    pub password_expires_days: u64,
    /// Days that a password must be used before its user may change it.
    pub minimum_password_age_days: u64,
}

/// A service with its public endpoint, as the composition knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CatalogEntry {
    /// `compute`
    pub kind: String,
    /// `nova`
    pub name: String,
    /// A path below the address by which the caller came (`/compute/v2.1`), or a whole URL. May
    /// hold `$(project_id)s`.
    pub url: String,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            region: "RegionOne".to_owned(),
            admin_password: Secret::new("secret".to_owned()),
            service_password: Secret::new("secret".to_owned()),
            catalog: Vec::new(),
            token_expiration: 3600,
            bcrypt_rounds: 12,
            key_rotation_days: 7,
            max_password_length: 4096,
            list_limit: None,
            max_project_depth: 5,
            compliance: Compliance::default(),
            policy: BTreeMap::new(),
        }
    }
}

impl Default for Compliance {
    /// As DevStack sets them, with a shorter lock.
    fn default() -> Self {
        Self {
            lockout_failure_attempts: 2,
            lockout_duration: 5,
            unique_last_password_count: 2,
            password_expires_days: 0,
            minimum_password_age_days: 0,
        }
    }
}
