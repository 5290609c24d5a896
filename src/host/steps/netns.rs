//! `/run/netns`, which the first named network namespace mounts.

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

/// Makes the directory; the mount over it is iproute's. Both go when no namespace is left.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NetnsRoot {}

#[async_trait]
impl Step<()> for NetnsRoot {
    fn name(&self) -> String {
        "netns_root".to_owned()
    }

    fn describe(&self) -> Description {
        describe(
            format!("make {DIR}, where named network namespaces are"),
            format!("unmount and remove {DIR} when no namespace is left"),
        )
    }

    async fn check(&self, _: &()) -> Result<State, StepError> {
        Ok(if Path::new(DIR).is_dir() { State::Satisfied } else { State::Absent })
    }

    async fn prior(&self, _: &()) -> Result<Receipt, StepError> {
        Ok(json!({ "existed": Path::new(DIR).is_dir() }))
    }

    async fn apply(&self, _: &()) -> Result<Receipt, StepError> {
        files::make_dir(Path::new(DIR), 0o755).map_err(at("made", Path::new(DIR)))?;
        Ok(Receipt::Null)
    }

    async fn revert(&self, _: &(), _: &Receipt) -> Result<(), StepError> {
        let dir = Path::new(DIR);
        let names = fs::read_dir(dir).map(Iterator::count).unwrap_or(0);
        if names > 0 {
            let message = format!("{names} network namespaces are left");
            return Err(StepError::new(message).hint("ip netns list names them"));
        }
        for mount in mounts::below(dir) {
            mounts::unmount(&mount).map_err(at("unmounted", &mount))?;
        }
        super::directory::remove_dir(dir)
    }
}
