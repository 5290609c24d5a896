//! The service itself: started, and stopped with all that it runs.

use std::path::PathBuf;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use stackup_flow::step::Description;
use stackup_flow::{Receipt, State, Step, StepError};

use super::describe;
use crate::error::HostError;
use crate::paths::Paths;
use crate::{service, sweep};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Service {
    pub state_dir: PathBuf,
    pub program: PathBuf,
}

#[async_trait]
impl Step<()> for Service {
    fn name(&self) -> String {
        "service:stackup".to_owned()
    }

    fn describe(&self) -> Description {
        describe("start the cloud", "stop the cloud, its guests and its networks")
    }

    async fn check(&self, _: &()) -> Result<State, StepError> {
        let status = service::status(&Paths::new(&self.state_dir)).await;
        Ok(if status.running { State::Satisfied } else { State::Absent })
    }

    async fn apply(&self, _: &()) -> Result<Receipt, StepError> {
        let paths = Paths::new(&self.state_dir);
        service::start(&paths, &self.program).await.map_err(step_error)?;
        Ok(Receipt::Null)
    }

    async fn revert(&self, _: &(), _: &Receipt) -> Result<(), StepError> {
        let paths = Paths::new(&self.state_dir);
        service::stop(&paths).await.map_err(step_error)?;
        sweep::runtime(&paths).await
    }
}

pub(crate) fn step_error(error: HostError) -> StepError {
    StepError::new(error.message).id(error.id).hint(error.hint)
}
