//! `stackup doctor`: what is good, doubtful and wrong here.

use clap::Args;
use serde_json::json;
use stackup_host::Level;

use super::{clock, inputs, problem};
use crate::cli::{Globals, ProfileArgs, block_on};
use crate::profiles;
use crate::ui::{Exit, Printer, Problem};

#[derive(Debug, Args)]
pub struct DoctorArgs {
    #[command(flatten)]
    profile: ProfileArgs,
}

pub fn run(globals: &Globals, printer: Printer, args: &DoctorArgs) -> Result<(), Problem> {
    let profile = profiles::installed(globals, &args.profile)?;
    let (inputs, _) = inputs(&profile)?;
    let findings = block_on(async {
        let facts = stackup_host::facts(&profile).await;
        stackup_host::doctor(&profile, &facts, &inputs, clock()).await.map_err(problem)
    })?;
    let lines = findings.iter().map(|finding| {
        let mark = match finding.level {
            Level::Pass => "✔",
            Level::Warn => "!",
            Level::Fail => "✘",
        };
        let hint = finding.hint.as_ref().map(|hint| format!("\n      {hint}")).unwrap_or_default();
        format!(" {mark} {} ({}){hint}", finding.text, finding.id)
    });
    printer.answer(&lines.collect::<Vec<_>>().join("\n"), &json!(findings));
    let failed = findings.iter().filter(|finding| finding.level == Level::Fail).count();
    if failed == 0 {
        return Ok(());
    }
    Err(Problem::new(Exit::Negative, format!("{failed} of {} checks failed", findings.len())))
}
