//! `stackup ledger`: what was done to this machine.

use clap::Args;
use serde_json::json;
use stackup_host::Paths;
use stackup_ledger::Ledger;

use super::clock;
use crate::cli::Globals;
use crate::ui::{Exit, Printer, Problem};

#[derive(Debug, Args)]
pub struct LedgerArgs {
    /// One step, whole
    step: Option<String>,
}

pub fn run(globals: &Globals, printer: Printer, args: &LedgerArgs) -> Result<(), Problem> {
    let path = Paths::new(&globals.state_dir).ledger();
    let wrong = |error: stackup_ledger::LedgerError| Problem::internal(&error);
    let Some(ledger) = Ledger::open_existing(&path, clock()).map_err(wrong)? else {
        let message = "nothing was done to this machine";
        return Err(Problem::new(Exit::NotRunning, message).id("STK-STATE-001"));
    };
    let mut rows = ledger.steps().map_err(wrong)?;
    if let Some(step) = &args.step {
        rows.retain(|row| row.name == *step);
        if rows.is_empty() {
            return Err(Problem::new(Exit::Usage, format!("the ledger has no step {step}")));
        }
    }
    // What was there before may hold secrets; the table leaves it out.
    let table = rows.iter().map(|row| {
        vec![row.seq.to_string(), row.name.clone(), row.state.clone(), row.changed_at.clone()]
    });
    let head = ["seq", "step", "state", "changed"].map(str::to_owned).to_vec();
    let table: Vec<Vec<String>> = std::iter::once(head).chain(table).collect();
    let data: Vec<_> = rows
        .iter()
        .map(|row| {
            json!({
                "seq": row.seq, "step": row.name, "kind": row.kind, "state": row.state,
                "params": row.params, "error": row.error, "changed_at": row.changed_at,
            })
        })
        .collect();
    printer.answer(&Printer::table(&table), &json!(data));
    Ok(())
}
