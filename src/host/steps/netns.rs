//! `/run/netns`: named network namespaces need it to be a mount that is shared.

use std::fs;
use std::path::Path;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::json;
use stackup_flow::step::Description;
use stackup_flow::{Receipt, State, Step, StepError};
use stackup_system::{files, mounts};

use super::{at, describe};

const DIR: &str = "/run/netns";

/// Mounts the directory as the first `ip netns add` would, so that the mount is known to be ours.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NetnsRoot {}

#[async_trait]
impl Step<()> for NetnsRoot {
    fn name(&self) -> String {
        "netns_root".to_owned()
    }

    fn describe(&self) -> Description {
        describe(
            format!("mount {DIR}, where named network namespaces are"),
            format!("unmount {DIR} when no namespace is left"),
        )
    }

    async fn check(&self, _: &()) -> Result<State, StepError> {
        Ok(if mounts::is_mount(Path::new(DIR)) { State::Satisfied } else { State::Absent })
    }

    async fn prior(&self, _: &()) -> Result<Receipt, StepError> {
        Ok(json!({ "existed": Path::new(DIR).is_dir() }))
    }

    async fn apply(&self, _: &()) -> Result<Receipt, StepError> {
        let dir = Path::new(DIR);
        if !dir.is_dir() {
            files::make_dir(dir, 0o755).map_err(at("made", dir))?;
        }
        mounts::share(dir).map_err(at("mounted", dir))?;
        Ok(Receipt::Null)
    }

    async fn revert(&self, _: &(), receipt: &Receipt) -> Result<(), StepError> {
        let dir = Path::new(DIR);
        let names = fs::read_dir(dir).map(Iterator::count).unwrap_or(0);
        if names > 0 {
            let message = format!("{names} network namespaces are left");
            return Err(StepError::new(message).hint("ip netns list names them"));
        }
        for mount in mounts::below(dir) {
            mounts::unmount(&mount).map_err(at("unmounted", &mount))?;
        }
        if receipt["existed"] == json!(true) {
            return Ok(());
        }
        super::directory::remove_dir(dir)
    }
}
