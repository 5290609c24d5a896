//! A file with a content that is ours; what was there before comes back.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::json;
use stackup_flow::step::Description;
use stackup_flow::{Receipt, State, Step, StepError};
use stackup_system::files;

use super::{at, describe};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct File {
    pub path: PathBuf,
    pub content: String,
    pub mode: u32,
    /// Not shown, and not looked at again: the service keeps it up to date itself.
    #[serde(default)]
    pub secret: bool,
}

#[async_trait]
impl Step<()> for File {
    fn name(&self) -> String {
        format!("file:{}", self.path.display())
    }

    fn describe(&self) -> Description {
        let path = self.path.display();
        let what = if self.secret { "write secrets to" } else { "write" };
        describe(
            format!("{what} {path}, mode {:04o}", self.mode),
            format!("put back what {path} was, or remove it"),
        )
    }

    async fn check(&self, _: &()) -> Result<State, StepError> {
        let Ok(found) = fs::read(&self.path) else { return Ok(State::Absent) };
        let mode = mode_of(&self.path);
        if !self.secret && found != self.content.as_bytes() {
            return Ok(State::Differs("its content is another".to_owned()));
        }
        if mode != Some(self.mode) {
            return Ok(State::Differs(format!("its mode is {:04o}", mode.unwrap_or(0))));
        }
        Ok(State::Satisfied)
    }

    async fn prior(&self, _: &()) -> Result<Receipt, StepError> {
        remember(&self.path)
    }

    async fn apply(&self, _: &()) -> Result<Receipt, StepError> {
        if let Some(parent) = self.path.parent() {
            fs::create_dir_all(parent).map_err(at("made", parent))?;
        }
        files::write_atomic(&self.path, self.content.as_bytes(), self.mode)
            .map_err(at("written", &self.path))?;
        Ok(Receipt::Null)
    }

    async fn revert(&self, _: &(), receipt: &Receipt) -> Result<(), StepError> {
        put_back(&self.path, receipt)
    }
}

/// What is at a path: content, mode, owner, and the directories above it that are missing.
pub(crate) fn remember(path: &Path) -> Result<Receipt, StepError> {
    let parents: Vec<&Path> = path.ancestors().skip(1).filter(|up| !up.exists()).collect();
    let Ok(found) = fs::metadata(path) else {
        return Ok(json!({ "existed": false, "parents": parents }));
    };
    let bytes = fs::read(path).map_err(at("read", path))?;
    let content = String::from_utf8(bytes).map_err(|_| {
        StepError::new(format!("{} is not text, so it cannot be kept", path.display()))
    })?;
    Ok(json!({
        "existed": true, "content": content, "mode": found.permissions().mode() & 0o7777,
        "uid": found.uid(), "gid": found.gid(), "parents": parents,
    }))
}

/// Makes a path what [`remember`] saw.
pub(crate) fn put_back(path: &Path, receipt: &Receipt) -> Result<(), StepError> {
    if receipt["existed"] == true {
        let content = receipt["content"].as_str().unwrap_or_default();
        let mode = receipt["mode"].as_u64().and_then(|mode| u32::try_from(mode).ok());
        files::write_atomic(path, content.as_bytes(), mode.unwrap_or(0o644))
            .map_err(at("put back", path))?;
        let id = |key: &str| receipt[key].as_u64().and_then(|id| u32::try_from(id).ok());
        return std::os::unix::fs::chown(path, id("uid"), id("gid"))
            .map_err(at("given back", path));
    }
    files::remove_if_there(path).map_err(at("removed", path))?;
    remove_parents(receipt);
    Ok(())
}

/// Removes the directories that had to be made, as far as nobody else uses them.
pub(crate) fn remove_parents(receipt: &Receipt) {
    for parent in receipt["parents"].as_array().into_iter().flatten() {
        let Some(parent) = parent.as_str() else { continue };
        drop(fs::remove_dir(parent));
    }
}

fn mode_of(path: &Path) -> Option<u32> {
    Some(fs::metadata(path).ok()?.permissions().mode() & 0o7777)
}
