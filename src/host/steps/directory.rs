//! A directory of our own: all that is in it goes with it.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::json;
use stackup_flow::step::Description;
use stackup_flow::{Receipt, State, Step, StepError};
use stackup_system::{files, mounts};

use super::{at, describe};

/// Makes a directory; its removal takes its content along, but never a mount of someone else.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Directory {
    pub path: PathBuf,
    pub mode: u32,
    /// Names that stay when the rest goes: the ledger, until the very end.
    #[serde(default)]
    pub keep: Vec<String>,
}

impl Directory {
    pub(crate) fn volatile(&self) -> bool {
        self.path.starts_with("/run")
    }
}

#[async_trait]
impl Step<()> for Directory {
    fn name(&self) -> String {
        format!("directory:{}", self.path.display())
    }

    fn describe(&self) -> Description {
        let path = self.path.display();
        describe(
            format!("make {path}, mode {:04o}", self.mode),
            format!("remove {path} with all that is in it"),
        )
    }

    async fn check(&self, _: &()) -> Result<State, StepError> {
        match fs::metadata(&self.path) {
            Err(_) => Ok(State::Absent),
            Ok(found) if !found.is_dir() => Ok(State::Differs("is not a directory".to_owned())),
            Ok(found) if found.permissions().mode() & 0o7777 != self.mode => {
                let mode = found.permissions().mode() & 0o7777;
                Ok(State::Differs(format!("its mode is {mode:04o}")))
            }
            Ok(_) => Ok(State::Satisfied),
        }
    }

    /// Which directories above it have to be made too, outermost first.
    async fn prior(&self, _: &()) -> Result<Receipt, StepError> {
        let missing: Vec<&Path> = self.path.ancestors().skip(1).filter(|up| !up.exists()).collect();
        Ok(json!({ "existed": self.path.exists(), "parents": missing }))
    }

    async fn apply(&self, _: &()) -> Result<Receipt, StepError> {
        files::make_dir(&self.path, self.mode).map_err(at("made", &self.path))?;
        Ok(Receipt::Null)
    }

    async fn revert(&self, _: &(), receipt: &Receipt) -> Result<(), StepError> {
        empty(&self.path, &self.keep)?;
        if !self.keep.is_empty() {
            // What is left gets a mode of its own: `check` must not take it for the real one.
            let shut = fs::Permissions::from_mode(0o700);
            return fs::set_permissions(&self.path, shut).map_err(at("shut", &self.path));
        }
        remove_dir(&self.path)?;
        super::file::remove_parents(receipt);
        Ok(())
    }
}

/// Removes everything in a directory but the names to keep.
pub(crate) fn empty(path: &Path, keep: &[String]) -> Result<(), StepError> {
    if path.components().count() < 3 {
        let message = format!("{} is too high up to be emptied", path.display());
        return Err(StepError::new(message));
    }
    let Ok(dir) = fs::read_dir(path) else { return Ok(()) };
    for mount in mounts::below(path) {
        mounts::unmount(&mount).map_err(at("unmounted", &mount))?;
    }
    for entry in dir.filter_map(Result::ok) {
        if keep.iter().any(|name| entry.file_name() == name.as_str()) {
            continue;
        }
        let path = entry.path();
        let removed = if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            fs::remove_dir_all(&path)
        } else {
            fs::remove_file(&path)
        };
        match removed {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            other => other.map_err(at("removed", &path))?,
        }
    }
    Ok(())
}

pub(crate) fn remove_dir(path: &Path) -> Result<(), StepError> {
    match fs::remove_dir(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        other => other.map_err(at("removed", path)),
    }
}
