//! The workspace's own chores: guards that keep the shape of the code, and a scaffold for services.

mod forgotten;
mod layers;
mod manifests;
mod new_service;
mod sizes;
mod source;
mod workspace;

use std::{
    io::Write,
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::{Context, Result};
use clap::{Parser, Subcommand};

use workspace::Workspace;

#[derive(Parser)]
#[command(name = "cargo xtask", about = "Guards and chores of the workspace")]
struct Args {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Runs every guard
    Check,
    /// Refuses dependencies that point sideways or up, and third-party crates outside their home
    CheckLayers,
    /// Refuses files over 800 lines; names those over 500
    CheckSizes,
    /// Refuses manifests that do not inherit versions and lints from the workspace
    CheckManifests,
    /// Refuses source files that no `mod` line reaches
    CheckForgotten,
    /// Lays out a new service crate
    NewService {
        /// Upstream's codename, as in src/services/<codename>
        codename: String,
    },
}

/// What a guard found: errors fail the run, notes are only said.
#[derive(Default)]
struct Findings {
    errors: Vec<String>,
    notes: Vec<String>,
}

impl Findings {
    fn error(&mut self, text: impl Into<String>) {
        self.errors.push(text.into());
    }

    fn note(&mut self, text: impl Into<String>) {
        self.notes.push(text.into());
    }
}

type Guard = (&'static str, fn(&Workspace) -> Result<Findings>);

const LAYERS: Guard = ("layers", layers::check);
const SIZES: Guard = ("sizes", sizes::check);
const MANIFESTS: Guard = ("manifests", manifests::check);
const FORGOTTEN: Guard = ("forgotten", forgotten::check);

fn main() -> ExitCode {
    match run(&Args::parse().task) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "xtask: {error:#}");
            ExitCode::from(2)
        }
    }
}

fn run(task: &Task) -> Result<bool> {
    let workspace = Workspace::load(&root()?)?;
    let guards: &[Guard] = match task {
        Task::Check => &[LAYERS, SIZES, MANIFESTS, FORGOTTEN],
        Task::CheckLayers => &[LAYERS],
        Task::CheckSizes => &[SIZES],
        Task::CheckManifests => &[MANIFESTS],
        Task::CheckForgotten => &[FORGOTTEN],
        Task::NewService { codename } => {
            for path in new_service::create(&workspace, codename)? {
                writeln!(std::io::stdout(), "made {}", path.display())?;
            }
            return Ok(true);
        }
    };
    let mut clean = true;
    for (name, guard) in guards {
        clean &= report(name, &guard(&workspace)?)?;
    }
    Ok(clean)
}

fn report(name: &str, findings: &Findings) -> Result<bool> {
    let mut out = std::io::stdout().lock();
    for note in &findings.notes {
        writeln!(out, "{name}: note: {note}")?;
    }
    for error in &findings.errors {
        writeln!(out, "{name}: error: {error}")?;
    }
    if findings.errors.is_empty() {
        writeln!(out, "{name}: ok")?;
    }
    Ok(findings.errors.is_empty())
}

/// The workspace's root: cargo runs us with this crate's manifest directory baked in.
fn root() -> Result<PathBuf> {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .ancestors()
        .nth(2)
        .map(Path::to_path_buf)
        .context("xtask is not two levels below the workspace's root")
}
