//! `stackup routes`: the table of every service.

use clap::Args;

use super::{Globals, block_on};
use crate::admin;
use crate::ui::{Printer, Problem};

#[derive(Debug, Args)]
pub struct RoutesArgs {
    /// Of one service
    service: Option<String>,
}

pub fn run(globals: &Globals, printer: Printer, args: &RoutesArgs) -> Result<(), Problem> {
    let rows = block_on(async {
        admin::ask(&globals.state_dir, "/routes").await.map_err(super::status::not_asked)
    })?;
    let rows: Vec<_> = rows
        .as_array()
        .into_iter()
        .flatten()
        .filter(|row| args.service.is_none() || row["service"].as_str() == args.service.as_deref())
        .cloned()
        .collect();
    let cell = |row: &serde_json::Value, key: &str| row[key].as_str().unwrap_or("").to_owned();
    let lines: Vec<Vec<String>> = rows
        .iter()
        .map(|row| {
            ["service", "verb", "path", "action", "since", "until", "access"]
                .map(|key| cell(row, key))
                .to_vec()
        })
        .collect();
    printer.answer(&Printer::table(&lines), &rows.into());
    Ok(())
}
