//! The look at the whole: the machine, and every change that the ledger knows of.

use serde::Serialize;
use stackup_core::SharedClock;
use stackup_flow::{State, Step};
use stackup_ledger::Ledger;
use stackup_profile::Profile;

use crate::apply::rebuild;
use crate::error::{HostError, causes};
use crate::facts::Facts;
use crate::paths::Paths;
use crate::plan::{Inputs, plan};

/// How a finding is to be taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    Pass,
    Warn,
    Fail,
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    pub level: Level,
    /// `STK-AREA-NNN`, or a step's name.
    pub id: String,
    pub text: String,
    pub hint: Option<String>,
}

/// What is good, doubtful and wrong here: as a place to install on, and as an installation.
pub async fn doctor(
    profile: &Profile,
    facts: &Facts,
    inputs: &Inputs,
    clock: SharedClock,
) -> Result<Vec<Finding>, HostError> {
    let mut found = machine(facts);
    match plan(profile, facts, inputs) {
        Ok(plan) => found.extend(plan.notes.into_iter().map(|note| Finding {
            level: Level::Warn,
            id: note.id.to_owned(),
            text: note.text,
            hint: None,
        })),
        Err(error) => found.extend(error.0.into_iter().map(|problem| Finding {
            level: Level::Fail,
            id: problem.id.to_owned(),
            text: problem.message,
            hint: Some(problem.hint).filter(|hint| !hint.is_empty()),
        })),
    }
    let paths = Paths::new(&profile.state_dir);
    if nix::unistd::geteuid().is_root()
        && let Some(ledger) = Ledger::open_existing(&paths.ledger(), clock)?
    {
        installation(&ledger, &mut found).await?;
    }
    Ok(found)
}

fn machine(facts: &Facts) -> Vec<Finding> {
    let pass = |id: &str, text: String| Finding {
        level: Level::Pass,
        id: id.to_owned(),
        text,
        hint: None,
    };
    let has = |what: bool| if what { "yes" } else { "no" };
    vec![
        pass("system", format!("{}, kernel {}", facts.distro.name, facts.kernel)),
        pass("processors", facts.cpus.to_string()),
        pass("memory", format!("{} MiB", facts.memory_mib)),
        pass("disk", format!("{} MiB free", facts.free_mib)),
        pass("systemd", has(facts.systemd).to_owned()),
        pass("kvm", has(facts.kvm).to_owned()),
        pass("device-mapper", has(facts.device_mapper).to_owned()),
    ]
}

async fn installation(ledger: &Ledger, found: &mut Vec<Finding>) -> Result<(), HostError> {
    for row in ledger.steps()? {
        let Some(step) = rebuild(&row.params) else { continue };
        let (level, text) = match (row.state.as_str(), step.check(&()).await) {
            ("reverted", _) => continue,
            ("intended", _) => {
                let why = row.error.unwrap_or_else(|| "it was interrupted".to_owned());
                (Level::Fail, format!("not finished: {why}"))
            }
            (_, Ok(State::Satisfied)) => (Level::Pass, "as it was made".to_owned()),
            (_, Ok(State::Absent)) => (Level::Fail, "is gone".to_owned()),
            (_, Ok(State::Differs(why))) => (Level::Warn, why),
            (_, Err(error)) => (Level::Fail, causes(&error)),
        };
        let hint = (level != Level::Pass).then(|| "stackup install repairs it".to_owned());
        found.push(Finding { level, id: row.name, text, hint });
    }
    Ok(())
}
