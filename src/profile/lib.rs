//! What to install, as data: YAML in, a validated [`Profile`] out.
//!
//! A profile is resolved from three layers, the later ones winning: the defaults in `file.rs`, a
//! file, and `--set a.b=c` of the command line. [`Resolved`] remembers which layer each value came
//! from (`stackup config show --origin`). Every mistake is a [`Problem`] with the key, the line
//! where there is one, and a hint; all of them are reported, not only the first.
//!
//! - [`file`]: the form on disk, and the defaults.
//! - `resolve`: the layers.
//! - `validate`: what can be wrong although it parses.
//! - [`clouds`]: our entries in the operator's `clouds.yaml`.

pub mod clouds;
pub mod file;
mod resolve;
mod size;
mod validate;

pub use file::{
    Compute, ComputeDriver, Engine, Image, Listen, Network, Profile, Store, TimeSync, Virt,
    VolumeBackend, Volumes,
};
pub use resolve::{Origin, Resolved, built_in, built_in_names, resolve};
pub use size::ByteSize;

/// Any value as YAML: for `--output yaml`. The crate is the home of the YAML library.
pub fn to_yaml(value: &serde_json::Value) -> String {
    serde_yaml::to_string(value).unwrap_or_default()
}

/// YAML of our own making as a value; null when it is none.
pub fn from_yaml(text: &str) -> serde_json::Value {
    serde_yaml::from_str(text).unwrap_or_default()
}

/// One mistake in a profile.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}{message}", self.place())]
pub struct Problem {
    /// `STK-PROFILE-NNN`.
    pub id: &'static str,
    /// Where it comes from: a file's name, `--set`.
    pub source_name: Option<String>,
    pub line: Option<usize>,
    /// Dotted: `network.public_cidr`.
    pub key: Option<String>,
    pub message: String,
    pub hint: String,
}

impl Problem {
    fn place(&self) -> String {
        let mut place = self.source_name.clone().unwrap_or_default();
        if let Some(line) = self.line {
            place.push_str(&format!(":{line}"));
        }
        if let Some(key) = &self.key {
            place.push_str(if place.is_empty() { "" } else { ": " });
            place.push_str(key);
        }
        place.push_str(if place.is_empty() { "" } else { ": " });
        place
    }
}

/// The mistakes of a profile, at least one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the profile cannot be used: {}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
pub struct ProfileError(pub Vec<Problem>);
