//! `stackup plan`: every change, with its inverse, before it is made.

use clap::Args;
use serde_json::json;
use stackup_flow::State;

use super::{blocked, chosen, inputs, problem};
use crate::cli::{Globals, ProfileArgs, block_on};
use crate::ui::{Printer, Problem};

#[derive(Debug, Args)]
pub struct PlanArgs {
    #[command(flatten)]
    profile: ProfileArgs,
}

pub fn run(globals: &Globals, printer: Printer, args: &PlanArgs) -> Result<(), Problem> {
    let profile = chosen(globals, &args.profile)?;
    let (inputs, _) = inputs(&profile)?;
    let (plan, previews) = block_on(async {
        let facts = stackup_host::facts(&profile).await;
        let plan = stackup_host::plan(&profile, &facts, &inputs).map_err(|e| blocked(&e))?;
        let previews = stackup_host::preview(&plan).await.map_err(problem)?;
        Ok((plan, previews))
    })?;
    let mut lines = Vec::new();
    for preview in &previews {
        let (mark, remark) = match &preview.state {
            State::Absent => ("+", String::new()),
            State::Satisfied => ("=", String::new()),
            State::Differs(why) => ("~", format!(" ({why})")),
        };
        lines.push(format!(" {mark} {}{remark}", preview.description.change));
        lines.push(format!("     undo: {}", preview.description.inverse));
    }
    for note in &plan.notes {
        lines.push(format!(" ! {} ({})", note.text, note.id));
    }
    lines.push(" + create   = already so   ~ change".to_owned());
    let data: Vec<_> = previews
        .iter()
        .map(|preview| {
            let (state, why) = match &preview.state {
                State::Absent => ("absent", None),
                State::Satisfied => ("satisfied", None),
                State::Differs(why) => ("differs", Some(why)),
            };
            json!({
                "step": preview.name, "state": state, "why": why,
                "change": preview.description.change, "inverse": preview.description.inverse,
            })
        })
        .collect();
    let notes: Vec<_> = plan.notes.iter().map(|n| json!({"id": n.id, "text": n.text})).collect();
    printer.answer(&lines.join("\n"), &json!({"steps": data, "notes": notes}));
    Ok(())
}
