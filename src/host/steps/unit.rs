//! The systemd unit of the service.

use std::fs;
use std::path::Path;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use stackup_flow::step::Description;
use stackup_flow::{Receipt, State, Step, StepError};
use stackup_system::{Program, files};

use super::{at, describe, foreign, ran};
use crate::service::{UNIT, unit_path};

/// How our unit begins, so that it is known without the ledger.
pub(crate) const MARK: &str = "# Made by stackup install";

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Unit {
    pub content: String,
}

#[async_trait]
impl Step<()> for Unit {
    fn name(&self) -> String {
        "unit:stackup".to_owned()
    }

    fn describe(&self) -> Description {
        let path = unit_path();
        let path = path.display();
        describe(
            format!("write {path} and enable it: the cloud starts with the machine"),
            format!("disable and remove {path}"),
        )
    }

    async fn check(&self, _: &()) -> Result<State, StepError> {
        let Ok(text) = fs::read_to_string(unit_path()) else { return Ok(State::Absent) };
        if !text.starts_with(MARK) {
            return Err(foreign(unit_path().display(), "STK-UNIT-001"));
        }
        if text != self.content {
            return Ok(State::Differs("the unit is another".to_owned()));
        }
        let wants = Path::new("/etc/systemd/system/multi-user.target.wants").join(UNIT);
        let enabled = fs::symlink_metadata(wants).is_ok();
        Ok(if enabled { State::Satisfied } else { State::Differs("it is not enabled".to_owned()) })
    }

    async fn apply(&self, _: &()) -> Result<Receipt, StepError> {
        let path = unit_path();
        files::write_atomic(&path, self.content.as_bytes(), 0o644).map_err(at("written", &path))?;
        systemctl(&["daemon-reload"]).await?;
        systemctl(&["enable", UNIT]).await?;
        Ok(Receipt::Null)
    }

    async fn revert(&self, _: &(), _: &Receipt) -> Result<(), StepError> {
        remove().await
    }
}

/// Removes our unit, if it is there and ours.
pub(crate) async fn remove() -> Result<(), StepError> {
    let path = unit_path();
    if !fs::read_to_string(&path).is_ok_and(|text| text.starts_with(MARK)) {
        return Ok(());
    }
    systemctl(&["disable", "--now", UNIT]).await?;
    files::remove_if_there(&path).map_err(at("removed", &path))?;
    systemctl(&["daemon-reload"]).await?;
    drop(systemctl(&["reset-failed", UNIT]).await);
    Ok(())
}

async fn systemctl(args: &[&str]) -> Result<(), StepError> {
    Program::new("systemctl").args(args).run().await.map(drop).map_err(ran)
}
