//! What an operator can set.

use std::collections::BTreeMap;

use serde::Deserialize;

/// The settings of the service.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The operator's policy file: rule to check.
    pub policy: BTreeMap<String, String>,
}
