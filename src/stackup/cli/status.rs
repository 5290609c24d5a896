//! `stackup status`: what runs, and how it is.

use std::time::{Duration, Instant};

use clap::Args;
use serde_json::Value;

use super::{Globals, block_on};
use crate::admin::{self, About, AskError};
use crate::ui::{Exit, Printer, Problem};

#[derive(Debug, Args)]
pub struct StatusArgs {
    /// Wait until the cloud answers, this many seconds at most
    #[arg(long, value_name = "SECONDS", num_args = 0..=1, default_missing_value = "60")]
    wait: Option<u64>,
    /// What keeps the cloud as it should be
    #[arg(long)]
    tasks: bool,
}

pub fn run(globals: &Globals, printer: Printer, args: &StatusArgs) -> Result<(), Problem> {
    let status = block_on(ask(globals, args.wait))?;
    let about: About = serde_json::from_value(status["about"].clone())
        .map_err(|error| Problem::internal(&error))?;
    let mut text = describe(&about);
    if args.tasks {
        text.push_str("\n\n");
        text.push_str(&tasks(&status["tasks"]));
    }
    printer.answer(&text, &status);
    Ok(())
}

/// Waits until the cloud answers.
pub async fn wait(globals: &Globals, seconds: u64) -> Result<(), Problem> {
    ask(globals, Some(seconds)).await.map(drop)
}

async fn ask(globals: &Globals, wait: Option<u64>) -> Result<Value, Problem> {
    let begun = Instant::now();
    loop {
        let late = wait.is_none_or(|seconds| begun.elapsed() > Duration::from_secs(seconds));
        match admin::ask(&globals.state_dir, "/status").await {
            Err(AskError::NotRunning(_) | AskError::Failed(_)) if !late => {
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
            other => return other.map_err(not_asked),
        }
    }
}

/// Why the running cloud gave no answer, for people.
#[expect(clippy::needless_pass_by_value, reason = "`map_err` hands it over")]
pub fn not_asked(error: AskError) -> Problem {
    match &error {
        AskError::NotRunning(cause) if cause.kind() == std::io::ErrorKind::PermissionDenied => {
            Problem::new(Exit::Permission, "only root may ask")
                .id("STK-PERM-001")
                .hint("run it as root: sudo stackup …")
        }
        AskError::NotRunning(_) => Problem::new(Exit::NotRunning, error.to_string())
            .id("STK-RUN-001")
            .hint("stackup start; stackup logs tells why it ended"),
        AskError::NotFound(_) => Problem::new(Exit::Usage, error.to_string()),
        AskError::Failed(_) => Problem::internal(&error),
    }
}

fn describe(about: &About) -> String {
    let mut rows = vec![
        vec!["stackup".to_owned(), format!("{} (process {})", about.version, about.pid)],
        vec!["identity".to_owned(), about.auth_url.clone()],
        vec!["listens on".to_owned(), about.addresses.join(", ")],
        vec!["state".to_owned(), about.state_dir.display().to_string()],
        vec!["hypervisor".to_owned(), about.hypervisor.clone()],
        vec!["firewall".to_owned(), about.firewall.clone()],
    ];
    for service in &about.services {
        let what = format!("{:<12} {}", service.prefix, service.depth);
        rows.push(vec![service.codename.clone(), what]);
    }
    Printer::table(&rows)
}

fn tasks(tasks: &Value) -> String {
    let mut rows =
        vec![["task", "runs", "repaired", "failed", "took", "every"].map(str::to_owned).to_vec()];
    for task in tasks.as_array().into_iter().flatten() {
        let failed = task["failed"].as_array().map_or(0, Vec::len);
        rows.push(vec![
            task["name"].as_str().unwrap_or("").to_owned(),
            task["runs"].to_string(),
            task["repaired"].to_string(),
            failed.to_string(),
            format!("{:.1} ms", task["took_ms"].as_f64().unwrap_or(0.0)),
            format!("{} s", task["period_s"]),
        ]);
    }
    Printer::table(&rows)
}
