//! A time server for the guests, by chrony: the distribution's unit, or a process of our own.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::json;
use stackup_flow::step::Description;
use stackup_flow::{Receipt, State, Step, StepError};
use stackup_system::process::start_detached;
use stackup_system::{ProcessId, Program, files};

use super::file::{put_back, remember};
use super::{at, describe, ran};

const UNIT: &str = "chrony.service";

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TimeServer {
    pub config: PathBuf,
    pub content: String,
    /// None: chrony's unit of the distribution. Else ours, which leaves the clock alone.
    pub process: Option<TimeProcess>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TimeProcess {
    pub pid_file: PathBuf,
    /// Where its socket is.
    pub runtime: PathBuf,
    pub log: PathBuf,
}

#[async_trait]
impl Step<()> for TimeServer {
    fn name(&self) -> String {
        "time_server".to_owned()
    }

    fn describe(&self) -> Description {
        let config = self.config.display();
        match self.process {
            None => describe(
                format!("write {config} and restart chrony: time for the guests"),
                format!("put back what {config} was, and chrony with it"),
            ),
            Some(_) => describe(
                format!("run chronyd with {config}: time for the guests, the clock stays as it is"),
                format!("stop chronyd and remove {config}"),
            ),
        }
    }

    async fn check(&self, _: &()) -> Result<State, StepError> {
        match fs::read_to_string(&self.config) {
            Err(_) => return Ok(State::Absent),
            Ok(text) if text != self.content => {
                return Ok(State::Differs("its configuration is another".to_owned()));
            }
            Ok(_) => {}
        }
        let runs = match &self.process {
            Some(process) => ProcessId::from_file(&process.pid_file).is_some(),
            None => active().await,
        };
        Ok(if runs { State::Satisfied } else { State::Differs("it does not run".to_owned()) })
    }

    async fn prior(&self, _: &()) -> Result<Receipt, StepError> {
        let mut prior = remember(&self.config)?;
        prior["active"] = json!(self.process.is_none() && active().await);
        Ok(prior)
    }

    async fn apply(&self, _: &()) -> Result<Receipt, StepError> {
        if let Some(process) = &self.process {
            process.stop().await?;
        }
        files::write_atomic(&self.config, self.content.as_bytes(), 0o644)
            .map_err(at("written", &self.config))?;
        match &self.process {
            Some(process) => process.start(&self.config).await?,
            None => systemctl("restart").await?,
        }
        Ok(Receipt::Null)
    }

    async fn revert(&self, _: &(), receipt: &Receipt) -> Result<(), StepError> {
        if let Some(process) = &self.process {
            process.stop().await?;
            return put_back(&self.config, receipt);
        }
        put_back(&self.config, receipt)?;
        let was = receipt["active"] == true;
        systemctl(if was { "restart" } else { "stop" }).await
    }
}

impl TimeProcess {
    async fn start(&self, config: &Path) -> Result<(), StepError> {
        let program = ["/usr/sbin/chronyd", "/usr/bin/chronyd"].map(Path::new);
        let program = program.into_iter().find(|path| path.exists()).ok_or_else(|| {
            StepError::new("chronyd is not installed")
                .id("STK-TIME-001")
                .hint("apt-get install chrony")
        })?;
        files::make_dir(&self.runtime, 0o750).map_err(at("made", &self.runtime))?;
        let config = config.to_string_lossy();
        // -x leaves the clock alone, -d stays in the foreground and logs to us.
        let args = ["-x", "-d", "-u", "root", "-f", &config];
        let started = start_detached(program, &args, &self.log).map_err(at("started", program))?;
        for _ in 0..100 {
            if ProcessId::from_file(&self.pid_file) == Some(started) {
                return Ok(());
            }
            if !started.running() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        let said = fs::read_to_string(&self.log).unwrap_or_default();
        let last = said.lines().last().unwrap_or("it said nothing").to_owned();
        Err(StepError::new("chronyd did not come up").id("STK-TIME-002").source(last))
    }

    async fn stop(&self) -> Result<(), StepError> {
        if let Some(process) = ProcessId::from_file(&self.pid_file) {
            process.stop(Duration::from_secs(5)).await.map_err(at("ended", &self.pid_file))?;
        }
        files::remove_if_there(&self.pid_file).map_err(at("removed", &self.pid_file))?;
        files::remove_if_there(&self.log).map_err(at("removed", &self.log))?;
        match fs::remove_dir_all(&self.runtime) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
            other => other.map_err(at("removed", &self.runtime)),
        }
    }
}

async fn active() -> bool {
    let query = Program::new("systemctl").args(["is-active", "--quiet", UNIT]);
    query.status().await.is_ok_and(|output| output.code == 0)
}

async fn systemctl(verb: &str) -> Result<(), StepError> {
    Program::new("systemctl").args([verb, UNIT]).run().await.map(drop).map_err(ran)
}
