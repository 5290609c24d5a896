//! `stackup completion`: a script for a shell.

use clap::{Args, CommandFactory};
use clap_complete::Shell;

use super::Cli;
use crate::ui::Problem;

#[derive(Debug, Args)]
pub struct CompletionArgs {
    #[arg(value_enum)]
    shell: Shell,
}

pub fn run(args: &CompletionArgs) -> Result<(), Problem> {
    clap_complete::generate(args.shell, &mut Cli::command(), "stackup", &mut std::io::stdout());
    Ok(())
}
