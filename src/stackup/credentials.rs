//! The passwords of the cloud, as install made them.

use std::path::Path;

use rand::Rng;
use rand::distr::Alphanumeric;
use serde::{Deserialize, Serialize};

use crate::ui::{Exit, Problem};

/// The file's name in the state directory; 0600.
pub const FILE: &str = "credentials.json";

/// What a client needs to log in. Every user of the seed has the one password.
#[derive(Clone, Serialize, Deserialize)]
pub struct Credentials {
    pub auth_url: String,
    pub region: String,
    pub password: String,
    /// Of the users `nova`, `glance`, … in the project `service`.
    pub service_password: String,
}

impl Credentials {
    /// New random ones; `password` is the operator's own choice.
    pub fn make(auth_url: &str, region: &str, password: Option<&str>) -> Self {
        Self {
            auth_url: auth_url.to_owned(),
            region: region.to_owned(),
            password: password.map_or_else(|| random(16), str::to_owned),
            service_password: random(32),
        }
    }

    /// Those of the cloud whose state is here.
    pub fn read(state_dir: &Path) -> Result<Self, Problem> {
        let path = state_dir.join(FILE);
        let text = std::fs::read_to_string(&path).map_err(|error| match error.kind() {
            std::io::ErrorKind::PermissionDenied => {
                Problem::new(Exit::Permission, format!("{} cannot be read", path.display()))
                    .id("STK-PERM-001")
                    .hint("run it as root: sudo stackup …")
            }
            _ => Problem::new(Exit::NotRunning, "no cloud is installed here")
                .id("STK-STATE-001")
                .hint("stackup install, or stackup serve --ephemeral"),
        })?;
        serde_json::from_str(&text).map_err(|error| Problem::internal(&error))
    }

    /// The file's content.
    pub fn to_text(&self) -> Result<String, Problem> {
        let text = serde_json::to_string_pretty(self).map_err(|error| Problem::internal(&error))?;
        Ok(format!("{text}\n"))
    }

    /// Keeps them for the verbs that come later.
    pub fn write(&self, state_dir: &Path) -> Result<(), Problem> {
        let text = self.to_text()?;
        stackup_system::files::write_atomic(&state_dir.join(FILE), text.as_bytes(), 0o600)
            .map_err(|error| Problem::internal(&error))
    }
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Credentials").field("auth_url", &self.auth_url).finish_non_exhaustive()
    }
}

fn random(length: usize) -> String {
    rand::rng().sample_iter(Alphanumeric).take(length).map(char::from).collect()
}
