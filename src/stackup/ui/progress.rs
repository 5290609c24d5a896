//! Progress of an install or a reset: a line a step, a spinner for the one under way.

use std::collections::HashMap;
use std::io::IsTerminal;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;
use stackup_flow::step::Description;
use stackup_flow::{Outcome, Point, Position, StepError, Watch, Way};

use crate::ui::{Format, Printer};

/// Shows a flow on the terminal, or writes it as JSON lines.
pub struct Progress {
    printer: Printer,
    bar: Option<ProgressBar>,
    begun: Mutex<HashMap<String, Instant>>,
    /// A crash test: abort at this point of this step.
    die_at: Option<(String, Point)>,
}

impl Progress {
    pub fn new(printer: Printer, die_at: Option<(String, Point)>) -> Self {
        let shown =
            std::io::stderr().is_terminal() && !printer.quiet && printer.format == Format::Text;
        let bar = shown.then(|| {
            let bar = ProgressBar::new_spinner();
            if let Ok(style) = ProgressStyle::with_template(" {spinner} {msg}") {
                bar.set_style(style);
            }
            bar.enable_steady_tick(Duration::from_millis(100));
            bar
        });
        Self { printer, bar, begun: Mutex::default(), die_at }
    }

    fn report(&self, at: Position<'_>, state: &str, mark: &str, text: &str) {
        let mut begun = self.begun.lock().unwrap_or_else(PoisonError::into_inner);
        let took = begun.remove(at.step).map_or(Duration::ZERO, |moment| moment.elapsed());
        drop(begun);
        let way = match at.way {
            Way::Run => "install",
            Way::Revert => "reset",
        };
        if self.printer.format == Format::Text {
            let seconds = took.as_secs_f64();
            let line = format!(" {mark} {:>2}/{} {text} ({seconds:.1} s)", at.n, at.of);
            match &self.bar {
                Some(bar) => bar.println(line),
                None => self.printer.say(&line),
            }
        } else {
            let line = json!({
                "run": way, "step": at.step, "n": at.n, "of": at.of, "state": state, "msg": text,
                "ms": u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
            });
            self.printer.complain(&line.to_string());
        }
    }
}

impl Watch for Progress {
    fn started(&self, at: Position<'_>, what: &Description) {
        let mut begun = self.begun.lock().unwrap_or_else(PoisonError::into_inner);
        begun.insert(at.step.to_owned(), Instant::now());
        if let Some(bar) = &self.bar {
            let text = match at.way {
                Way::Run => &what.change,
                Way::Revert => &what.inverse,
            };
            bar.set_message(format!("{:>2}/{} {text}", at.n, at.of));
        }
    }

    fn finished(&self, at: Position<'_>, outcome: Outcome) {
        let (state, mark, remark) = match outcome {
            Outcome::Applied => ("applied", "✔", ""),
            Outcome::Unchanged => ("unchanged", "=", ", unchanged"),
            Outcome::Adopted => ("adopted", "=", ", was there already"),
            Outcome::Reverted => ("reverted", "✔", ", undone"),
            Outcome::Skipped => ("skipped", "=", ", nothing to undo"),
        };
        self.report(at, state, mark, &format!("{}{remark}", at.step));
    }

    fn failed(&self, at: Position<'_>, error: &StepError) {
        self.report(at, "failed", "✘", &format!("{}: {}", at.step, error.message));
    }

    fn reached(&self, at: Position<'_>, point: Point) {
        if self.die_at.as_ref().is_some_and(|(step, p)| step == at.step && *p == point) {
            std::process::abort();
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
