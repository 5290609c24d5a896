//! The verbs that look at, change and give back the machine.

pub mod doctor;
pub mod install;
pub mod ledger;
pub mod plan;
pub mod reset;
pub mod steps;

use std::sync::Arc;

use stackup_core::SystemClock;
use stackup_host::{HostError, Inputs, Kind, PlanError};
use stackup_profile::Profile;

pub use doctor::{DoctorArgs, run as doctor};
pub use install::{InstallArgs, run as install};
pub use ledger::{LedgerArgs, run as ledger};
pub use plan::{PlanArgs, run as plan};
pub use reset::{ResetArgs, run as reset};

use super::{Globals, ProfileArgs};
use crate::catalog;
use crate::compose::auth_url;
use crate::credentials::Credentials;
use crate::profiles;
use crate::ui::{Exit, Problem};

fn clock() -> stackup_core::SharedClock {
    Arc::new(SystemClock)
}

/// The profile to install: the one named, else the one installed, else the default.
fn chosen(globals: &Globals, args: &ProfileArgs) -> Result<Profile, Problem> {
    let profile = profiles::installed(globals, args)?;
    catalog::chosen(&profile.services)
        .map_err(|error| Problem::new(Exit::Usage, error.to_string()).id("STK-PROFILE-004"))?;
    Ok(profile)
}

/// What a plan needs beside the profile. An installed cloud keeps its passwords.
fn inputs(profile: &Profile) -> Result<(Inputs, Credentials), Problem> {
    let main = std::net::SocketAddr::new(profile.listen.address, profile.listen.port);
    let url = auth_url(main);
    let credentials = match Credentials::read(&profile.state_dir) {
        Ok(mut known) => {
            known.auth_url.clone_from(&url);
            known.region.clone_from(&profile.region);
            if let Some(password) = &profile.password {
                known.password.clone_from(password);
            }
            known
        }
        Err(_) => Credentials::make(&url, &profile.region, profile.password.as_deref()),
    };
    let kinds = catalog::chosen(&profile.services)
        .map_err(|error| Problem::new(Exit::Usage, error.to_string()))?;
    let mut ports = vec![profile.listen.port];
    if profile.listen.classic_ports {
        let own = |kind: &catalog::ServiceKind| {
            profile.listen.ports.get(kind.codename()).copied().unwrap_or(kind.classic_port())
        };
        ports.extend(kinds.iter().map(own));
    }
    let inputs = Inputs {
        program: super::service::program()?,
        credentials: credentials.to_text()?,
        password: credentials.password.clone(),
        auth_url: url,
        ports,
    };
    Ok((inputs, credentials))
}

/// A failure of the provisioner, as this program tells it.
#[expect(clippy::needless_pass_by_value, reason = "`map_err` hands it over")]
pub fn problem(error: HostError) -> Problem {
    let mut problem = Problem::new(exit(error.kind), error.message.clone()).id(error.id);
    if !error.hint.is_empty() {
        problem = problem.hint(error.hint.clone());
    }
    problem
}

/// All that is in the way of a plan; the exit code is the most basic one's.
fn blocked(error: &PlanError) -> Problem {
    let lines = error.0.iter().map(|problem| {
        let hint = if problem.hint.is_empty() {
            String::new()
        } else {
            format!("\n    hint: {}", problem.hint)
        };
        format!("\n  {} ({}){hint}", problem.message, problem.id)
    });
    let id = error.0.first().map_or("STK-STEP-001", |problem| problem.id);
    let message =
        format!("this machine is not ready; nothing was changed{}", lines.collect::<String>());
    Problem::new(exit(error.kind()), message).id(id)
}

fn exit(kind: Kind) -> Exit {
    match kind {
        Kind::Internal => Exit::Internal,
        Kind::Usage => Exit::Usage,
        Kind::NotRunning => Exit::NotRunning,
        Kind::Permission => Exit::Permission,
        Kind::Preflight => Exit::Preflight,
        Kind::Conflict => Exit::Conflict,
        Kind::Resources => Exit::Resources,
        Kind::Timeout => Exit::Timeout,
        Kind::StepFailed => Exit::StepFailed,
        Kind::Residue => Exit::Residue,
        Kind::Missing => Exit::Missing,
        Kind::Version => Exit::Version,
        Kind::Locked => Exit::Locked,
    }
}
