//! Back: the ledger walked in reverse, then everything else that carries our mark, then the proof.

use std::fs;

use stackup_core::SharedClock;
use stackup_flow::{Flow, StepError, Watch};
use stackup_ledger::{Ledger, Lock};

use crate::apply::{HostStep, rebuild};
use crate::error::{HostError, Kind, causes};
use crate::paths::Paths;
use crate::steps::service::step_error;
use crate::{service, sweep};

/// What a reset did, and what it could not.
#[derive(Debug, Default)]
pub struct ResetReport {
    pub reverted: Vec<String>,
    /// Step and reason.
    pub errors: Vec<(String, String)>,
    /// What is still on the host.
    pub residue: Vec<String>,
}

impl ResetReport {
    pub fn clean(&self) -> bool {
        self.errors.is_empty() && self.residue.is_empty()
    }
}

/// Undoes every change to the host. Works after a failed or killed install or reset, and without
/// the ledger as far as marks tell. An error of one step does not stop the others; the ledger stays
/// until all is undone, so that the same call tries again.
pub async fn reset(
    paths: &Paths,
    clock: SharedClock,
    watch: &dyn Watch,
) -> Result<ResetReport, HostError> {
    if !nix::unistd::geteuid().is_root() {
        let error =
            HostError::new(Kind::Permission, "STK-PERM-001", "changing this machine needs root");
        return Err(error.hint("run it with sudo"));
    }
    let lock = Lock::take(&paths.lock())?;
    let mut report = ResetReport::default();
    let stopped = service::stop(paths).await.map_err(step_error);
    keep(&mut report, "service", stopped);
    keep(&mut report, "runtime", sweep::runtime(paths).await);
    if let Some(mut ledger) = Ledger::open_existing(&paths.ledger(), clock)? {
        walk_back(&mut ledger, watch, &mut report).await?;
        ledger.end(if report.errors.is_empty() { "done" } else { "residue" })?;
    }
    if report.errors.is_empty() {
        for error in sweep::marks(paths).await {
            keep(&mut report, "marks", Err(error));
        }
    }
    if report.errors.is_empty() {
        forget(paths, &mut report);
    }
    report.residue = sweep::residue(paths).await;
    if report.clean() {
        drop(fs::remove_file(paths.lock()));
    }
    drop(lock);
    Ok(report)
}

async fn walk_back(
    ledger: &mut Ledger,
    watch: &dyn Watch,
    report: &mut ResetReport,
) -> Result<(), HostError> {
    ledger.begin("reset", "")?;
    let rows = ledger.steps()?;
    // Lines of steps that a caller added: what those made went with the state.
    let steps = rows.iter().filter_map(|row| rebuild(&row.params));
    let flow = Flow::new(steps.map(|step| Box::new(step) as HostStep).collect());
    let reverted = flow.revert(&(), ledger, watch).await?;
    report.reverted.extend(reverted.reverted);
    for (step, error) in reverted.errors {
        report.errors.push((step, causes(&error)));
    }
    Ok(())
}

/// The ledger goes last, and the state directory with it.
fn forget(paths: &Paths, report: &mut ResetReport) {
    let known = paths.ledger().exists();
    let empty = fs::read_dir(&paths.state_dir).is_ok_and(|mut dir| dir.next().is_none());
    if known || empty {
        let result = crate::steps::directory::empty(&paths.state_dir, &[])
            .and_then(|()| crate::steps::directory::remove_dir(&paths.state_dir));
        keep(report, "state", result);
    }
}

fn keep(report: &mut ResetReport, what: &str, result: Result<(), StepError>) {
    if let Err(error) = result {
        report.errors.push((what.to_owned(), causes(&error)));
    }
}
