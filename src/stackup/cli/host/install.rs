//! `stackup install`: this machine becomes a cloud.

use std::time::Instant;

use clap::Args;
use serde_json::json;
use stackup_flow::Point;
use stackup_host::HostStep;

use super::steps::{Answers, Proof};
use super::{blocked, chosen, clock, inputs, problem};
use crate::cli::{Globals, ProfileArgs, block_on};
use crate::ui::progress::Progress;
use crate::ui::{Exit, Printer, Problem};

/// A first start under emulation makes QEMU's capabilities known, which is slow.
const ANSWER_SECONDS: u64 = 180;
/// A tiny guest under emulation on a loaded machine.
const PROOF_SECONDS: u64 = 300;

#[derive(Debug, Args)]
pub struct InstallArgs {
    #[command(flatten)]
    profile: ProfileArgs,
    /// Make the changes without asking
    #[arg(short, long)]
    yes: bool,
    /// Leave out the server that is booted, pinged and deleted at the end
    #[arg(long)]
    no_verify: bool,
    /// Crash tests: abort at STEP/POINT
    #[arg(long, hide = true, value_parser = die_at)]
    die_at: Option<(String, Point)>,
}

/// `bridge:br-ex/after-effect`
pub fn die_at(text: &str) -> Result<(String, Point), String> {
    let (step, point) = text.rsplit_once('/').ok_or("write it as STEP/POINT")?;
    let point = Point::parse(point).ok_or("no such point")?;
    Ok((step.to_owned(), point))
}

pub fn run(globals: &Globals, printer: Printer, args: &InstallArgs) -> Result<(), Problem> {
    let begun = Instant::now();
    let profile = chosen(globals, &args.profile)?;
    let (inputs, credentials) = inputs(&profile)?;
    let installed = block_on(async {
        let facts = stackup_host::facts(&profile).await;
        let plan = stackup_host::plan(&profile, &facts, &inputs).map_err(|e| blocked(&e))?;
        if !args.yes && !agreed(&plan) {
            return Err(Problem::new(Exit::Usage, "nothing was changed"));
        }
        for note in &plan.notes {
            printer.say(&format!(" ! {} ({})", note.text, note.id));
        }
        let state_dir = profile.state_dir.clone();
        let mut more: Vec<HostStep> = vec![Box::new(Answers {
            state_dir: state_dir.clone(),
            credentials: credentials.clone(),
            seconds: ANSWER_SECONDS,
        })];
        if !args.no_verify && profile.compute.driver == stackup_profile::ComputeDriver::Libvirt {
            more.push(Box::new(Proof {
                state_dir,
                credentials: credentials.clone(),
                image: "tiny".to_owned(),
                seconds: PROOF_SECONDS,
            }));
        }
        let watch = Progress::new(printer, args.die_at.clone());
        stackup_host::install(&profile, &plan, more, clock(), &watch).await.map_err(problem)
    })?;
    let host = profile.listen.address;
    let seconds = begun.elapsed().as_secs();
    let text = format!(
        "This is your host IP address: {host}\n\
         Keystone is serving at {}/\n\
         The default users are: admin and demo\n\
         The password: {}\n\
         {} host changes recorded; undo all with: stackup reset --host\n\
         stackup completed in {seconds} seconds.",
        credentials.auth_url,
        credentials.password,
        installed.outcomes.len(),
    );
    let data = json!({
        "host": host, "auth_url": credentials.auth_url, "password": credentials.password,
        "steps": installed.outcomes.len(), "changes": installed.changes(), "seconds": seconds,
    });
    printer.answer(&text, &data);
    Ok(())
}

/// Asks, where there is somebody to ask.
fn agreed(plan: &stackup_host::Plan) -> bool {
    use std::io::{IsTerminal, Write};
    if !std::io::stdin().is_terminal() || !std::io::stderr().is_terminal() {
        return true;
    }
    let mut terminal = std::io::stderr();
    let question = format!(
        "{} changes to this machine (stackup plan lists them). Go on? [Y/n] ",
        plan.steps.len()
    );
    drop(terminal.write_all(question.as_bytes()));
    let mut answer = String::new();
    drop(std::io::stdin().read_line(&mut answer));
    !answer.trim().eq_ignore_ascii_case("n") && !answer.trim().eq_ignore_ascii_case("no")
}
