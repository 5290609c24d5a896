//! The running service: a systemd unit, or a background process of our own where no systemd runs.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Serialize;
use stackup_system::process::start_detached;
use stackup_system::{ProcessId, Program, files};

use crate::error::{HostError, Kind};
use crate::paths::Paths;

/// The unit's name.
pub const UNIT: &str = "stackup.service";

/// How long the service may take to end: guests run on, so there is little to do.
const STOP_PATIENCE: Duration = Duration::from_secs(30);

/// How the service is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Status {
    pub running: bool,
    pub pid: Option<i32>,
    /// `systemd`, `process`, or `none` when nothing is installed.
    pub manager: &'static str,
}

/// Who looks after the service here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Manager {
    Systemd,
    /// `stackup supervise`, in a session of its own.
    Process,
}

impl Manager {
    pub fn of_this_host() -> Self {
        let unit = unit_path().exists();
        if unit && Path::new("/run/systemd/system").is_dir() {
            Self::Systemd
        } else {
            Self::Process
        }
    }
}

/// Where the unit is.
pub fn unit_path() -> PathBuf {
    Path::new("/etc/systemd/system").join(UNIT)
}

/// How the service is now.
pub async fn status(paths: &Paths) -> Status {
    match Manager::of_this_host() {
        Manager::Systemd => {
            let show = Program::new("systemctl").args(["show", "-p", "MainPID", "--value", UNIT]);
            let text = show.status().await.map(|output| output.stdout).unwrap_or_default();
            let pid = text.trim().parse().ok().filter(|pid| *pid > 0);
            Status { running: pid.is_some(), pid, manager: "systemd" }
        }
        Manager::Process => {
            let process = main_process(paths);
            let installed = paths.profile().exists();
            let manager = if installed || process.is_some() { "process" } else { "none" };
            Status { running: process.is_some(), pid: process.map(|p| p.pid), manager }
        }
    }
}

/// Starts the service; one that runs is left alone. Does not wait until its APIs answer.
pub async fn start(paths: &Paths, program: &Path) -> Result<(), HostError> {
    if status(paths).await.running {
        return Ok(());
    }
    match Manager::of_this_host() {
        Manager::Systemd => systemctl("start").await,
        Manager::Process => {
            let fail = |error: std::io::Error| failed("could not be started").source(error);
            files::make_dir(&paths.runtime(), 0o755).map_err(fail)?;
            let state_dir = paths.state_dir.to_string_lossy();
            let args = ["--state-dir", &state_dir, "supervise"];
            let process = start_detached(program, &args, &paths.log()).map_err(fail)?;
            let line = process.to_line();
            files::write_atomic(&paths.pid_file(), line.as_bytes(), 0o644).map_err(fail)
        }
    }
}

/// Stops the service; guests run on.
pub async fn stop(paths: &Paths) -> Result<(), HostError> {
    match Manager::of_this_host() {
        Manager::Systemd => systemctl("stop").await,
        Manager::Process => {
            let fail = |error: std::io::Error| failed("could not be stopped").source(error);
            for process in processes(paths) {
                process.stop(STOP_PATIENCE).await.map_err(fail)?;
            }
            files::remove_if_there(&paths.pid_file()).map_err(fail)
        }
    }
}

pub async fn restart(paths: &Paths, program: &Path) -> Result<(), HostError> {
    stop(paths).await?;
    start(paths, program).await
}

/// Runs `program serve` until it ends well or we are asked to end; starts it again when it dies.
/// This is the life of `stackup supervise`. `ended` completes when a signal came.
pub async fn supervise(
    paths: &Paths,
    program: &Path,
    ended: impl Future<Output = ()>,
) -> Result<(), HostError> {
    let mut ended = std::pin::pin!(ended);
    let mut pause = Duration::from_millis(500);
    loop {
        let fail = |error: std::io::Error| failed("could not be started").source(error);
        let state_dir = paths.state_dir.to_string_lossy();
        let args = ["--state-dir", &state_dir, "serve"];
        let begun = tokio::time::Instant::now();
        // A watcher before us may have been killed, and its child lives on.
        let child = match serving(paths) {
            Some(child) => child,
            None => start_detached(program, &args, &paths.log()).map_err(fail)?,
        };
        tokio::select! {
            () = &mut ended => {
                return child.stop(STOP_PATIENCE).await.map_err(|error| failed("could not be stopped").source(error));
            }
            () = gone(child) => {}
        }
        // One that lived a while may start again at once.
        pause = if begun.elapsed() > Duration::from_secs(60) {
            Duration::from_millis(500)
        } else {
            (pause * 2).min(Duration::from_secs(30))
        };
        tracing::warn!(pid = child.pid, "the service died, starting it again");
        tokio::select! {
            () = &mut ended => return Ok(()),
            () = tokio::time::sleep(pause) => {}
        }
    }
}

async fn gone(process: ProcessId) {
    while process.running() {
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

/// The process that is the service, or that looks after it.
pub(crate) fn main_process(paths: &Paths) -> Option<ProcessId> {
    if let Some(process) = ProcessId::from_file(&paths.pid_file()) {
        return Some(process);
    }
    processes(paths).into_iter().next()
}

/// Whether a process is another or descends from it.
pub(crate) fn belongs(pid: i32, ancestor: ProcessId) -> bool {
    let mut current = pid;
    for _ in 0..32 {
        if current == ancestor.pid {
            return true;
        }
        let status = fs::read_to_string(format!("/proc/{current}/status")).unwrap_or_default();
        let parent = status.lines().find_map(|line| line.strip_prefix("PPid:"));
        match parent.and_then(|text| text.trim().parse().ok()) {
            Some(parent) if parent > 1 => current = parent,
            _ => return false,
        }
    }
    false
}

/// Our processes, the watcher before what it watches.
fn processes(paths: &Paths) -> Vec<ProcessId> {
    let mut found = running(paths, "supervise");
    found.extend(running(paths, "serve"));
    found
}

fn serving(paths: &Paths) -> Option<ProcessId> {
    running(paths, "serve").into_iter().next()
}

/// Found by their arguments, so that a lost pid file loses nothing.
fn running(paths: &Paths, verb: &str) -> Vec<ProcessId> {
    let state_dir = paths.state_dir.to_string_lossy().into_owned();
    let tail = ["--state-dir", &state_dir, verb];
    stackup_system::process::find(|args| {
        args.len() > tail.len() && args[args.len() - tail.len()..] == tail
    })
}

async fn systemctl(verb: &str) -> Result<(), HostError> {
    let run = Program::new("systemctl").args([verb, UNIT]).timeout(Duration::from_secs(180));
    run.run().await.map(drop).map_err(|error| {
        failed(&format!("could not {verb}")).hint("journalctl -u stackup tells why").source(error)
    })
}

fn failed(what: &str) -> HostError {
    HostError::new(Kind::StepFailed, "STK-SERVICE-001", format!("the service {what}"))
        .hint("stackup logs tells why")
}
