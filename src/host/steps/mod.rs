//! Every kind of change to the host, in one list.

mod bridge;
mod clouds;
pub(crate) mod directory;
mod file;
mod kernel_modules;
mod netns;
pub(crate) mod nft_table;
mod packages;
pub(crate) mod service;
mod sysctl;
mod time_server;
pub(crate) mod unit;
mod user;
pub(crate) mod volume_group;

use std::fmt::Display;
use std::path::Path;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use stackup_flow::step::Description;
use stackup_flow::{Receipt, State, Step, StepError};
use stackup_system::ExecError;

pub use bridge::Bridge;
pub use clouds::Clouds;
pub use directory::Directory;
pub use file::File;
pub use kernel_modules::KernelModules;
pub use netns::NetnsRoot;
pub use nft_table::NftTable;
pub use packages::Packages;
pub use service::Service;
pub use sysctl::Sysctl;
pub use time_server::{TimeProcess, TimeServer};
pub use unit::Unit;
pub use user::User;
pub use volume_group::{Backing, VolumeGroup};

/// A change to the host as data: what a plan lists, what the ledger keeps, and what a reset is
/// rebuilt from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum AnyStep {
    KernelModules(KernelModules),
    Packages(Packages),
    User(User),
    NetnsRoot(NetnsRoot),
    Directory(Directory),
    File(File),
    Sysctl(Sysctl),
    Bridge(Bridge),
    NftTable(NftTable),
    VolumeGroup(VolumeGroup),
    TimeServer(TimeServer),
    Clouds(Clouds),
    Unit(Unit),
    Service(Service),
}

impl AnyStep {
    fn inner(&self) -> &dyn Step<()> {
        match self {
            Self::KernelModules(step) => step,
            Self::Packages(step) => step,
            Self::User(step) => step,
            Self::NetnsRoot(step) => step,
            Self::Directory(step) => step,
            Self::File(step) => step,
            Self::Sysctl(step) => step,
            Self::Bridge(step) => step,
            Self::NftTable(step) => step,
            Self::VolumeGroup(step) => step,
            Self::TimeServer(step) => step,
            Self::Clouds(step) => step,
            Self::Unit(step) => step,
            Self::Service(step) => step,
        }
    }

    /// What a reboot takes away and [`rewire`](crate::rewire) makes again.
    pub(crate) fn volatile(&self) -> bool {
        match self {
            Self::KernelModules(_)
            | Self::NetnsRoot(_)
            | Self::Sysctl(_)
            | Self::Bridge(_)
            | Self::NftTable(_)
            | Self::VolumeGroup(_)
            | Self::TimeServer(_) => true,
            Self::Directory(step) => step.volatile(),
            Self::Packages(_)
            | Self::User(_)
            | Self::File(_)
            | Self::Clouds(_)
            | Self::Unit(_)
            | Self::Service(_) => false,
        }
    }
}

#[async_trait]
impl Step<()> for AnyStep {
    fn name(&self) -> String {
        self.inner().name()
    }

    fn describe(&self) -> Description {
        self.inner().describe()
    }

    fn params(&self) -> Value {
        let mut params = serde_json::to_value(self).unwrap_or_default();
        if params["secret"] == true {
            params["content"] = Value::from("");
        }
        params
    }

    async fn check(&self, cx: &()) -> Result<State, StepError> {
        self.inner().check(cx).await
    }

    async fn prior(&self, cx: &()) -> Result<Receipt, StepError> {
        self.inner().prior(cx).await
    }

    async fn apply(&self, cx: &()) -> Result<Receipt, StepError> {
        self.inner().apply(cx).await
    }

    async fn revert(&self, cx: &(), receipt: &Receipt) -> Result<(), StepError> {
        self.inner().revert(cx, receipt).await
    }
}

fn describe(change: impl Into<String>, inverse: impl Into<String>) -> Description {
    Description { change: change.into(), inverse: inverse.into() }
}

/// Turns an error of the file system into the step's.
fn at<'a>(what: &'a str, path: &'a Path) -> impl Fn(std::io::Error) -> StepError + 'a {
    move |error| {
        let full = matches!(
            error.kind(),
            std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded
        );
        let failed =
            StepError::new(format!("{} could not be {what}", path.display())).source(error);
        if full { failed.id("STK-DISK-001").hint("make room, then run it again") } else { failed }
    }
}

fn ran(error: ExecError) -> StepError {
    StepError::new("a program failed").source(error)
}

/// A thing of that name is there and does not carry our mark.
fn foreign(what: impl Display, id: &'static str) -> StepError {
    StepError::new(format!("{what} is there and not ours"))
        .id(id)
        .hint("remove or rename it, or choose another name in the profile")
}
