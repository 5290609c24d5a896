//! `stackup reset`: the cloud as on day one; with `--host`, the machine as before.

use std::time::Instant;

use clap::Args;
use serde_json::json;
use stackup_flow::Point;
use stackup_host::{Paths, service};

use super::install::die_at;
use super::{clock, problem};
use crate::cli::{Globals, ProfileArgs, block_on, status};
use crate::credentials::Credentials;
use crate::profiles;
use crate::ui::progress::Progress;
use crate::ui::{Exit, Printer, Problem};
use crate::wipe::wipe;

const ANSWER_SECONDS: u64 = 120;

#[derive(Debug, Args)]
pub struct ResetArgs {
    /// Undo every change to this machine
    #[arg(long)]
    host: bool,
    /// Do it without asking
    #[arg(short, long)]
    yes: bool,
    /// Crash tests: abort at STEP/POINT
    #[arg(long, hide = true, value_parser = die_at)]
    die_at: Option<(String, Point)>,
}

pub fn run(globals: &Globals, printer: Printer, args: &ResetArgs) -> Result<(), Problem> {
    if !args.yes && !agreed(args.host) {
        return Err(Problem::new(Exit::Usage, "nothing was changed"));
    }
    if args.host { host(globals, printer, args) } else { cloud(globals, printer) }
}

/// Day one: users' things are gone, the seed is made anew, the passwords stay.
fn cloud(globals: &Globals, printer: Printer) -> Result<(), Problem> {
    let begun = Instant::now();
    Credentials::read(&globals.state_dir)?;
    let none = ProfileArgs { profile: None, set: Vec::new() };
    let profile = profiles::installed(globals, &none)?;
    let wiped = block_on(async {
        let paths = Paths::new(&globals.state_dir);
        service::stop(&paths).await.map_err(problem)?;
        let wiped = wipe(&profile, &globals.state_dir).await;
        let program = crate::cli::service::program()?;
        service::start(&paths, &program).await.map_err(problem)?;
        status::wait(globals, ANSWER_SECONDS).await?;
        Ok(wiped)
    })?;
    let seconds = begun.elapsed().as_secs_f64();
    let text = format!(
        "{} servers and their networks are gone; the cloud is as on day one ({seconds:.1} s)",
        wiped.guests
    );
    printer.answer(&text, &json!({"wiped": wiped, "seconds": seconds}));
    if wiped.failed.is_empty() {
        return Ok(());
    }
    let message = format!("not all could be taken away: {}", wiped.failed.join("; "));
    Err(Problem::new(Exit::Residue, message).id("STK-RESET-001").hint("stackup reset tries again"))
}

/// Every change undone, and looked at again.
fn host(globals: &Globals, printer: Printer, args: &ResetArgs) -> Result<(), Problem> {
    let begun = Instant::now();
    let paths = Paths::new(&globals.state_dir);
    let watch = Progress::new(printer, args.die_at.clone());
    let report =
        block_on(async { stackup_host::reset(&paths, clock(), &watch).await.map_err(problem) })?;
    drop(watch);
    let seconds = begun.elapsed().as_secs_f64();
    let differences = report.errors.len() + report.residue.len();
    let mut lines = vec![format!(
        "{} host changes undone, {differences} differences ({seconds:.1} s)",
        report.reverted.len()
    )];
    lines.extend(report.errors.iter().map(|(step, why)| format!("  {step}: {why}")));
    lines.extend(report.residue.iter().map(|what| format!("  still there: {what}")));
    let data = json!({
        "reverted": report.reverted, "errors": report.errors, "residue": report.residue,
        "seconds": seconds,
    });
    printer.answer(&lines.join("\n"), &data);
    if report.clean() {
        return Ok(());
    }
    Err(Problem::new(Exit::Residue, "not all could be undone")
        .id("STK-RESET-001")
        .hint("the same command tries again"))
}

/// Asks, where there is somebody to ask.
fn agreed(host: bool) -> bool {
    use std::io::{IsTerminal, Write};
    if !std::io::stdin().is_terminal() || !std::io::stderr().is_terminal() {
        return true;
    }
    let what =
        if host { "the cloud and every change to this machine" } else { "all users' things" };
    drop(std::io::stderr().write_all(format!("This removes {what}. Go on? [y/N] ").as_bytes()));
    let mut answer = String::new();
    drop(std::io::stdin().read_line(&mut answer));
    answer.trim().eq_ignore_ascii_case("y") || answer.trim().eq_ignore_ascii_case("yes")
}
