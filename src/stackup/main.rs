//! stackup: an OpenStack cloud in one program.

use std::process::ExitCode;

use clap::Parser;
use stackup::cli::{self, Cli};
use stackup::ui::Format;

fn main() -> ExitCode {
    let cli = Cli::parse();
    let printer = cli.printer();
    match cli::run(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            match printer.format {
                Format::Text => printer.complain(&problem.to_string()),
                Format::Json | Format::Yaml => printer.complain(&problem.to_json().to_string()),
            }
            ExitCode::from(problem.exit as u8)
        }
    }
}
