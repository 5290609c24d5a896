//! The command table.

pub mod clouds;
pub mod completion;
pub mod host;
pub mod openrc;
pub mod routes;
pub mod serve;
pub mod service;
pub mod status;
pub mod trace;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use crate::ui::{Format, Printer, Problem};

/// An OpenStack cloud in one program: installs in seconds, and gives the host back as it was.
#[derive(Debug, Parser)]
#[command(name = "stackup", version, about, propagate_version = true, max_term_width = 100)]
pub struct Cli {
    #[command(flatten)]
    pub globals: Globals,
    #[command(subcommand)]
    pub verb: Verb,
}

/// Options of every verb.
#[derive(Debug, Clone, Args)]
pub struct Globals {
    /// How answers are written
    #[arg(short, long, value_enum, default_value_t, global = true)]
    pub output: Format,
    /// Say only what was asked for
    #[arg(short, long, global = true)]
    pub quiet: bool,
    /// Log more; twice for everything
    #[arg(short, long, action = clap::ArgAction::Count, global = true)]
    pub verbose: u8,
    /// Write plain text
    #[arg(long, global = true, env = "NO_COLOR", value_parser = clap::builder::BoolishValueParser::new())]
    pub no_color: bool,
    /// Where the cloud keeps its state
    #[arg(long, global = true, default_value = "/var/lib/stackup", env = "STACKUP_STATE_DIR")]
    pub state_dir: PathBuf,
}

/// Which cloud: a profile, and changes to it.
#[derive(Debug, Clone, Args)]
pub struct ProfileArgs {
    /// A profile's name (minimal, single-node, ci) or a file of your own
    #[arg(short, long)]
    pub profile: Option<String>,
    /// Change one setting: network.public_cidr=172.24.8.0/24
    #[arg(long, value_name = "KEY=VALUE")]
    pub set: Vec<String>,
}

#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Look at the machine: what is there, what is missing, what to do
    Doctor(host::DoctorArgs),
    /// Print every change that install would make, with its inverse
    Plan(host::PlanArgs),
    /// Make this machine a cloud
    Install(host::InstallArgs),
    /// Start the installed cloud
    Start(service::StartArgs),
    /// Stop the cloud; guests run on
    Stop(service::StopArgs),
    /// What runs, and how it is
    Status(status::StatusArgs),
    /// Back to day one; with --host, undo every change to this machine
    Reset(host::ResetArgs),
    /// Run the cloud in the foreground
    Serve(serve::ServeArgs),
    /// Print the environment of a user: source <(stackup openrc admin admin)
    Openrc(openrc::OpenrcArgs),
    /// Print entries for clouds.yaml
    Clouds(clouds::CloudsArgs),
    /// Print what the cloud logged
    Logs(service::LogsArgs),
    /// Tell the story of a request, through every service
    Trace(trace::TraceArgs),
    /// List what was done to this machine
    Ledger(host::LedgerArgs),
    /// List every route: verb, path, versions, rule
    Routes(routes::RoutesArgs),
    /// Make again what a reboot took from the host
    #[command(hide = true)]
    Wire,
    /// Keep `serve` running where no service manager does
    #[command(hide = true)]
    Supervise,
    /// Print a completion script for a shell
    Completion(completion::CompletionArgs),
}

impl Cli {
    pub fn printer(&self) -> Printer {
        Printer::new(self.globals.output, self.globals.quiet, self.globals.no_color)
    }
}

/// Does what was asked.
pub fn run(cli: Cli) -> Result<(), Problem> {
    let printer = cli.printer();
    let globals = &cli.globals;
    match cli.verb {
        Verb::Doctor(args) => host::doctor(globals, printer, &args),
        Verb::Plan(args) => host::plan(globals, printer, &args),
        Verb::Install(args) => host::install(globals, printer, &args),
        Verb::Start(args) => service::start(globals, printer, &args),
        Verb::Stop(args) => service::stop(globals, printer, &args),
        Verb::Status(args) => status::run(globals, printer, &args),
        Verb::Reset(args) => host::reset(globals, printer, &args),
        Verb::Serve(args) => serve::run(globals, printer, &args),
        Verb::Openrc(args) => openrc::run(globals, printer, &args),
        Verb::Clouds(args) => clouds::run(globals, printer, &args),
        Verb::Logs(args) => service::logs(globals, printer, &args),
        Verb::Trace(args) => trace::run(globals, printer, &args),
        Verb::Ledger(args) => host::ledger(globals, printer, &args),
        Verb::Routes(args) => routes::run(globals, printer, &args),
        Verb::Wire => service::wire(globals),
        Verb::Supervise => service::supervise(globals),
        Verb::Completion(args) => completion::run(&args),
    }
}

/// A runtime for verbs that ask the running cloud; `serve` has its own.
fn block_on<T>(work: impl Future<Output = Result<T, Problem>>) -> Result<T, Problem> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Problem::internal(&error))?;
    runtime.block_on(work)
}
