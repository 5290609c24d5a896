//! Forward: the plan carried out, step by step, with the ledger.

use std::fs;

use stackup_core::SharedClock;
use stackup_flow::step::Description;
use stackup_flow::{Flow, Outcome, State, Step, Watch};
use stackup_ledger::{Ledger, Lock};
use stackup_profile::Profile;
use stackup_system::files;

use crate::error::{HostError, Kind};
use crate::paths::Paths;
use crate::plan::Plan;
use crate::steps::AnyStep;

/// A step of the host's flow: one of [`AnyStep`], or one that a caller adds at the end.
pub type HostStep = Box<dyn Step<()>>;

/// A step as `stackup plan` prints it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Preview {
    pub name: String,
    pub state: State,
    pub description: Description,
}

/// What an install did.
#[derive(Debug, Clone, Default)]
pub struct Installed {
    pub outcomes: Vec<(String, Outcome)>,
}

impl Installed {
    /// How many steps changed the machine this time.
    pub fn changes(&self) -> usize {
        self.outcomes.iter().filter(|(_, outcome)| *outcome == Outcome::Applied).count()
    }
}

/// Each step with its present state; changes nothing.
pub async fn preview(plan: &Plan) -> Result<Vec<Preview>, HostError> {
    let mut seen = Vec::with_capacity(plan.steps.len());
    for step in &plan.steps {
        let state = step.check(&()).await.map_err(|error| {
            HostError::new(Kind::Conflict, error.id.unwrap_or("STK-STEP-002"), error.message)
                .hint(error.hint.unwrap_or_default())
        })?;
        seen.push(Preview { name: step.name(), state, description: step.describe() });
    }
    Ok(seen)
}

/// Carries out a plan, then the steps that the caller adds (seed, proof). Killed or failed, the
/// same call resumes.
pub async fn install(
    profile: &Profile,
    plan: &Plan,
    more: Vec<HostStep>,
    clock: SharedClock,
    watch: &dyn Watch,
) -> Result<Installed, HostError> {
    let paths = Paths::new(&profile.state_dir);
    let _lock = Lock::take(&paths.lock())?;
    let mut ledger = open(&paths, clock)?;
    let hash = fingerprint(profile);
    ledger.begin("install", &hash)?;
    let own = plan.steps.iter().cloned().map(|step: AnyStep| Box::new(step) as HostStep);
    let flow = Flow::new(own.chain(more).collect());
    let result = flow.run(&(), &mut ledger, watch).await;
    ledger.end(if result.is_ok() { "done" } else { "failed" })?;
    Ok(Installed { outcomes: result? })
}

/// Makes again what a reboot took away: devices, rules, settings. Needs no lock and writes no
/// ledger, since it only restores what the ledger says.
pub async fn rewire(paths: &Paths, clock: SharedClock) -> Result<Vec<String>, HostError> {
    let Some(ledger) = Ledger::open_existing(&paths.ledger(), clock)? else {
        return Err(not_installed(paths));
    };
    let mut restored = Vec::new();
    for row in ledger.steps()?.into_iter().filter(|row| row.state == "done") {
        let Some(step) = rebuild(&row.params).filter(AnyStep::volatile) else { continue };
        let failed = |error| {
            HostError::from(stackup_flow::FlowError::Step { step: row.name.clone(), source: error })
        };
        if step.check(&()).await.map_err(failed)? != State::Satisfied {
            step.apply(&()).await.map_err(failed)?;
            restored.push(row.name.clone());
        }
    }
    Ok(restored)
}

/// A step from its line in the ledger; None for those that a caller added.
pub(crate) fn rebuild(params: &serde_json::Value) -> Option<AnyStep> {
    serde_json::from_value(params.clone()).ok()
}

pub(crate) fn not_installed(paths: &Paths) -> HostError {
    let place = paths.state_dir.display();
    HostError::new(Kind::NotRunning, "STK-STATE-001", format!("no cloud is installed at {place}"))
        .hint("stackup install makes one; --state-dir names another place")
}

/// The ledger lies in the state directory, so that comes first; its step gives it its mode.
fn open(paths: &Paths, clock: SharedClock) -> Result<Ledger, HostError> {
    if !paths.state_dir.exists() {
        files::make_dir(&paths.state_dir, 0o700).map_err(|error| {
            let message = format!("{} could not be made", paths.state_dir.display());
            HostError::new(Kind::Permission, "STK-STATE-003", message)
                .hint("run it as root, on a file system that can be written")
                .source(error)
        })?;
    }
    let ledger = Ledger::open(&paths.ledger(), clock)?;
    // Former contents of files are in it, passwords among them.
    let private = <fs::Permissions as std::os::unix::fs::PermissionsExt>::from_mode(0o600);
    drop(fs::set_permissions(paths.ledger(), private));
    Ok(ledger)
}

/// Tells two profiles apart; FNV-1a over its JSON.
fn fingerprint(profile: &Profile) -> String {
    let text = serde_json::to_string(profile).unwrap_or_default();
    let hash = text.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    format!("{hash:016x}")
}
