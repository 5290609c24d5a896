//! A flavor: how big a server is.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use stackup_core::{FlavorId, Time};
use stackup_store::{FromRow, Row, StoreError};

/// A flavor as operators make it.
#[derive(Debug, Clone, PartialEq)]
pub struct Flavor {
    /// In the order they were made: what `id` sorts by upstream.
    pub row: i64,
    pub size: FlavorSize,
    pub rxtx_factor: f64,
    pub public: bool,
    pub description: Option<String>,
    pub created_at: Time,
    pub updated_at: Option<Time>,
}

/// What a server keeps of its flavor, even when the flavor is gone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FlavorSize {
    pub id: FlavorId,
    pub name: String,
    pub memory_mb: u64,
    pub vcpus: u32,
    pub root_gb: u64,
    pub ephemeral_gb: u64,
    pub swap_mb: u64,
    pub extra_specs: BTreeMap<String, String>,
}

impl FlavorSize {
    /// GiB of the host's disk that a server takes. A root disk on a volume takes none of it.
    pub fn disk_gb(&self, local_root: bool) -> u64 {
        let root = if local_root { self.root_gb } else { 0 };
        root + self.ephemeral_gb + self.swap_mb.div_ceil(1024)
    }

    /// Whether guests get a random number generator.
    pub fn hw_rng(&self) -> bool {
        let allowed = self.extra_specs.get("hw_rng:allowed");
        allowed.is_none_or(|text| text.eq_ignore_ascii_case("true"))
    }

    /// Resource classes and amounts: the sizes, and what `resources:` says instead.
    pub fn resources(&self, local_root: bool) -> BTreeMap<String, u64> {
        let mut resources = BTreeMap::from([
            ("VCPU".to_owned(), u64::from(self.vcpus)),
            ("MEMORY_MB".to_owned(), self.memory_mb),
            ("DISK_GB".to_owned(), self.disk_gb(local_root)),
        ]);
        for (key, value) in &self.extra_specs {
            if let (Some(class), Ok(amount)) = (key.strip_prefix("resources:"), value.parse()) {
                resources.insert(class.to_owned(), amount);
            }
        }
        resources.retain(|_, amount| *amount > 0);
        resources
    }

    /// The traits that `trait:X` asks for with this word, `required` or `forbidden`.
    pub fn traits(&self, word: &str) -> Vec<String> {
        let named = self.extra_specs.iter().filter(|(_, value)| *value == word);
        named.filter_map(|(key, _)| key.strip_prefix("trait:").map(str::to_owned)).collect()
    }
}

impl FromRow for Flavor {
    fn from_row(row: &Row) -> Result<Self, StoreError> {
        let specs: serde_json::Value = row.get(8)?;
        Ok(Self {
            row: row.get(0)?,
            size: FlavorSize {
                id: row.get(1)?,
                name: row.get(2)?,
                memory_mb: row.get(3)?,
                vcpus: row.get(4)?,
                root_gb: row.get(5)?,
                ephemeral_gb: row.get(6)?,
                swap_mb: row.get(7)?,
                extra_specs: serde_json::from_value(specs).unwrap_or_default(),
            },
            rxtx_factor: row.get(9)?,
            public: row.get(10)?,
            description: row.get(11)?,
            created_at: row.get(12)?,
            updated_at: row.get(13)?,
        })
    }
}

/// A flavor for tests: 192 MB, one vCPU, a 1 GB disk.
#[cfg(test)]
pub(crate) fn sample() -> FlavorSize {
    FlavorSize {
        id: "42".into(),
        name: "m1.nano".to_owned(),
        memory_mb: 192,
        vcpus: 1,
        root_gb: 1,
        ephemeral_gb: 0,
        swap_mb: 0,
        extra_specs: BTreeMap::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resources_follow_size_and_extra_specs() {
        let mut flavor = sample();
        flavor.swap_mb = 1;
        assert_eq!(flavor.resources(true)["DISK_GB"], 2);
        assert_eq!(flavor.resources(false)["DISK_GB"], 1);
        flavor.extra_specs.insert("resources:VCPU".into(), "0".into());
        flavor.extra_specs.insert("resources:CUSTOM_GOLD".into(), "1".into());
        flavor.extra_specs.insert("trait:HW_CPU_X86_AVX".into(), "required".into());
        let resources = flavor.resources(true);
        assert!(!resources.contains_key("VCPU"));
        assert_eq!(resources["CUSTOM_GOLD"], 1);
        assert_eq!(flavor.traits("required"), ["HW_CPU_X86_AVX"]);
    }
}
