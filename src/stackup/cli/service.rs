//! `stackup start`, `stop`, `logs`, and the watcher behind them where no systemd runs.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;
use serde_json::json;
use stackup_core::SystemClock;
use stackup_host::Paths;
use stackup_host::service;
use stackup_system::Program;
use tokio::signal::unix::{SignalKind, signal};

use super::host::problem;
use super::{Globals, block_on};
use crate::credentials::Credentials;
use crate::ui::{Exit, Printer, Problem};

#[derive(Debug, Args)]
pub struct StartArgs {}

#[derive(Debug, Args)]
pub struct StopArgs {}

#[derive(Debug, Args)]
pub struct LogsArgs {
    /// So many lines from the end
    #[arg(short = 'n', long, default_value_t = 100)]
    lines: usize,
    /// Only lines that hold this text: a request id, a service
    #[arg(long)]
    grep: Option<String>,
}

pub fn start(globals: &Globals, printer: Printer, _: &StartArgs) -> Result<(), Problem> {
    Credentials::read(&globals.state_dir)?;
    block_on(async {
        let paths = Paths::new(&globals.state_dir);
        service::start(&paths, &program()?).await.map_err(problem)?;
        super::status::wait(globals, 120).await?;
        printer.say("stackup runs");
        Ok(())
    })
}

pub fn stop(globals: &Globals, printer: Printer, _: &StopArgs) -> Result<(), Problem> {
    block_on(async {
        service::stop(&Paths::new(&globals.state_dir)).await.map_err(problem)?;
        printer.say("stackup stopped; guests run on");
        Ok(())
    })
}

/// Makes again what a reboot took from the host: bridges, rules, the volume group. For the unit.
pub fn wire(globals: &Globals) -> Result<(), Problem> {
    block_on(rewire(&globals.state_dir))
}

/// As [`wire`], for `serve`; a host on which nothing was installed has nothing to make again.
pub async fn rewire(state_dir: &Path) -> Result<(), Problem> {
    let paths = Paths::new(state_dir);
    if !paths.ledger().exists() {
        return Ok(());
    }
    let restored = stackup_host::rewire(&paths, Arc::new(SystemClock)).await.map_err(problem)?;
    if !restored.is_empty() {
        tracing::info!(?restored, "the host was wired again");
    }
    Ok(())
}

/// The life of `stackup supervise`: not for people.
pub fn supervise(globals: &Globals) -> Result<(), Problem> {
    block_on(async {
        let mut terminate = signal(SignalKind::terminate()).map_err(|e| Problem::internal(&e))?;
        let ended = async move {
            terminate.recv().await;
        };
        let paths = Paths::new(&globals.state_dir);
        service::supervise(&paths, &program()?, ended).await.map_err(problem)
    })
}

pub fn logs(globals: &Globals, printer: Printer, args: &LogsArgs) -> Result<(), Problem> {
    let text = block_on(async {
        if service::unit_path().exists() {
            let count = args.lines.to_string();
            let journal = Program::new("journalctl").args(["-u", service::UNIT, "--no-pager"]);
            let output = journal.args(["-o", "cat", "-n", &count]).run().await;
            return output.map(|o| o.stdout).map_err(|error| Problem::internal(&error));
        }
        let path = Paths::new(&globals.state_dir).log();
        std::fs::read_to_string(&path).map_err(|_| {
            Problem::new(Exit::NotRunning, format!("{} is not there", path.display()))
                .id("STK-STATE-001")
                .hint("a cloud in the foreground logs to its terminal")
        })
    })?;
    let wanted = |line: &&str| args.grep.as_ref().is_none_or(|word| line.contains(word.as_str()));
    let lines: Vec<&str> = text.lines().filter(wanted).collect();
    let last = &lines[lines.len().saturating_sub(args.lines)..];
    printer.answer(&last.join("\n"), &json!(last));
    Ok(())
}

/// This program, as the service shall run it.
pub fn program() -> Result<PathBuf, Problem> {
    std::env::current_exe().map_err(|error| Problem::internal(&error))
}
