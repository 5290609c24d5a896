//! Our entries in the machine's `clouds.yaml`.

use std::fs;
use std::path::PathBuf;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use stackup_flow::step::Description;
use stackup_flow::{Receipt, State, Step, StepError};
use stackup_profile::clouds::{self, Access, CloudsError};
use stackup_system::files;

use super::file::{put_back, remember, remove_parents};
use super::{at, describe};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Clouds {
    pub path: PathBuf,
    pub auth_url: String,
    pub region: String,
    /// Not kept in the ledger.
    #[serde(default, skip_serializing)]
    pub password: String,
}

#[async_trait]
impl Step<()> for Clouds {
    fn name(&self) -> String {
        format!("clouds:{}", self.path.display())
    }

    fn describe(&self) -> Description {
        let path = self.path.display();
        describe(
            format!("add the clouds stackup, devstack, devstack-admin, … to {path}"),
            format!("take our entries out of {path}, leaving those of others"),
        )
    }

    async fn check(&self, _: &()) -> Result<State, StepError> {
        let Ok(text) = fs::read_to_string(&self.path) else { return Ok(State::Absent) };
        if clouds::strip(&text) == text {
            return Ok(State::Absent);
        }
        // Rebuilt from the ledger: the password is not known, and not for us to compare.
        if self.password.is_empty() || self.merged(&text)? == text {
            return Ok(State::Satisfied);
        }
        Ok(State::Differs("our entries are others".to_owned()))
    }

    async fn prior(&self, _: &()) -> Result<Receipt, StepError> {
        remember(&self.path)
    }

    async fn apply(&self, _: &()) -> Result<Receipt, StepError> {
        let text = fs::read_to_string(&self.path).unwrap_or_default();
        let merged = self.merged(&text)?;
        if let Some(parent) = self.path.parent() {
            fs::create_dir_all(parent).map_err(at("made", parent))?;
        }
        // It holds passwords.
        files::write_atomic(&self.path, merged.as_bytes(), 0o600)
            .map_err(at("written", &self.path))?;
        Ok(Receipt::Null)
    }

    async fn revert(&self, _: &(), receipt: &Receipt) -> Result<(), StepError> {
        let Ok(text) = fs::read_to_string(&self.path) else {
            remove_parents(receipt);
            return Ok(());
        };
        let rest = clouds::strip(&text);
        let before = receipt["content"].as_str().unwrap_or_default();
        if rest.trim() == before.trim() {
            return put_back(&self.path, receipt);
        }
        // Somebody changed the file since: theirs stays.
        files::write_atomic(&self.path, rest.as_bytes(), 0o600).map_err(at("written", &self.path))
    }
}

impl Clouds {
    fn merged(&self, text: &str) -> Result<String, StepError> {
        let access =
            Access { auth_url: &self.auth_url, region: &self.region, password: &self.password };
        clouds::merge(text, &clouds::entries(), &access).map_err(|error| {
            let hint = match error {
                CloudsError::Invalid(_) => "repair it or move it away",
                CloudsError::Form => "write its `clouds:` as a block, one entry below another",
            };
            StepError::new(format!("{} cannot be added to", self.path.display()))
                .id("STK-CLOUDS-001")
                .hint(hint)
                .source(error)
        })
    }
}
