//! `stackup trace`: the story of a request.

use clap::Args;
use serde_json::Value;

use super::status::not_asked;
use super::{Globals, block_on};
use crate::admin;
use crate::ui::{Exit, Printer, Problem};

#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub struct TraceArgs {
    /// The id that every answer carries in X-Openstack-Request-Id
    request: Option<String>,
    /// The newest request
    #[arg(long)]
    last: bool,
    /// The ids of the newest requests
    #[arg(long)]
    list: bool,
}

pub fn run(globals: &Globals, printer: Printer, args: &TraceArgs) -> Result<(), Problem> {
    block_on(async {
        let ask = async |path: &str| admin::ask(&globals.state_dir, path).await.map_err(not_asked);
        let recent = match &args.request {
            Some(id) => vec![id.clone()],
            None => serde_json::from_value(ask("/trace").await?)
                .map_err(|error| Problem::internal(&error))?,
        };
        if args.list {
            printer.answer(&recent.join("\n"), &serde_json::json!(recent));
            return Ok(());
        }
        let id = recent.first().ok_or_else(|| Problem::new(Exit::Usage, "no request was made"))?;
        let story = ask(&format!("/trace/{id}")).await?;
        printer.answer(&format!("{id}\n{}", tree(&story)), &story);
        Ok(())
    })
}

fn tree(story: &Value) -> String {
    let lines = story.as_array().into_iter().flatten().map(|line| {
        let depth = usize::try_from(line["depth"].as_u64().unwrap_or(0)).unwrap_or(0);
        let at = line["at_us"].as_f64().unwrap_or(0.0) / 1000.0;
        let took = line["took_us"].as_f64().unwrap_or(0.0) / 1000.0;
        let text = |key: &str| line[key].as_str().unwrap_or("").to_owned();
        let service = text("target").replace("stackup_", "");
        let took = if took > 0.0 { format!("{took:>9.3} ms") } else { " ".repeat(12) };
        let indent = "  ".repeat(depth);
        format!("{at:>9.3} {took}  {indent}{service} {} {}", text("name"), text("fields"))
    });
    lines.collect::<Vec<_>>().join("\n")
}
