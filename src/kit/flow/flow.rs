//! Steps in order, each journalled: run, resumed after a kill, or unwound.
//!
//! A step goes through three writes and one effect:
//!
//! ```text
//!   check ── satisfied, and never ours ──► line: adopted
//!     │
//!     ▼
//!   line: intended, with what was there before
//!     ▼
//!   apply, then check again (proof)
//!     ▼
//!   line: done, with the receipt
//! ```
//!
//! A kill leaves `intended`: a resume applies again (steps are idempotent), a revert undoes by what
//! was written down before the effect. Steps run one after the other on purpose: the order is what
//! a person reads, and the journal is its record.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::journal::{Entry, Journal, JournalError, Phase};
use crate::step::{Description, Receipt, State, Step, StepError};

/// Which way a flow walks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    Run,
    Revert,
}

/// A moment inside a step at which a crash test may end the process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Point {
    /// The intent is on disk, nothing is changed yet.
    BeforeEffect,
    /// The change is made, the journal does not know.
    AfterEffect,
    /// The journal knows.
    AfterJournal,
}

impl Point {
    pub const ALL: [Self; 3] = [Self::BeforeEffect, Self::AfterEffect, Self::AfterJournal];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::BeforeEffect => "before-effect",
            Self::AfterEffect => "after-effect",
            Self::AfterJournal => "after-journal",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|point| point.as_str() == text)
    }
}

/// How one step of a flow ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Changed something.
    Applied,
    /// Was so already, by an earlier run of ours.
    Unchanged,
    /// Was so already, by someone else.
    Adopted,
    /// Taken back.
    Reverted,
    /// Had nothing to take back.
    Skipped,
}

/// Where a step stands in its flow, for progress.
#[derive(Debug, Clone, Copy)]
pub struct Position<'a> {
    pub way: Way,
    /// From 1.
    pub n: usize,
    pub of: usize,
    pub step: &'a str,
}

/// Who watches a flow: the progress bars of the command line, or nobody.
pub trait Watch: Send + Sync {
    fn started(&self, _at: Position<'_>, _what: &Description) {}

    fn finished(&self, _at: Position<'_>, _outcome: Outcome) {}

    fn failed(&self, _at: Position<'_>, _error: &StepError) {}

    /// Called at each [`Point`]; a crash test aborts the process here.
    fn reached(&self, _at: Position<'_>, _point: Point) {}
}

/// Nobody watches.
#[derive(Debug, Default)]
pub struct Unwatched;

impl Watch for Unwatched {}

/// Why a flow stopped.
#[derive(Debug, thiserror::Error)]
pub enum FlowError {
    #[error("{step}: {source}")]
    Step {
        step: String,
        #[source]
        source: StepError,
    },
    #[error(transparent)]
    Journal(#[from] JournalError),
}

/// What a revert did. It goes on past errors, so there may be many.
#[derive(Debug, Default)]
pub struct Reverted {
    pub reverted: Vec<String>,
    pub errors: Vec<(String, StepError)>,
}

/// An ordered list of steps over a shared `Cx`.
pub struct Flow<Cx> {
    steps: Vec<Box<dyn Step<Cx>>>,
}

impl<Cx: Sync> Flow<Cx> {
    pub fn new(steps: Vec<Box<dyn Step<Cx>>>) -> Self {
        Self { steps }
    }

    pub fn steps(&self) -> &[Box<dyn Step<Cx>>] {
        &self.steps
    }

    /// Walks forward. Ends at the first error, with the journal saying how far it came; calling it
    /// again resumes there.
    pub async fn run(
        &self,
        cx: &Cx,
        journal: &mut dyn Journal,
        watch: &dyn Watch,
    ) -> Result<Vec<(String, Outcome)>, FlowError> {
        let mut known = by_step(journal.entries().await?);
        let mut outcomes = Vec::with_capacity(self.steps.len());
        for (index, step) in self.steps.iter().enumerate() {
            let name = step.name();
            let at = Position { way: Way::Run, n: index + 1, of: self.steps.len(), step: &name };
            watch.started(at, &step.describe());
            let seq = u32::try_from(index).unwrap_or(u32::MAX);
            let walk = Walk { cx, journal: &mut *journal, watch, at };
            match walk.forward(step.as_ref(), seq, known.remove(&name)).await {
                Ok(outcome) => {
                    watch.finished(at, outcome);
                    outcomes.push((name, outcome));
                }
                Err(FlowError::Step { step, source }) => {
                    watch.failed(at, &source);
                    return Err(FlowError::Step { step, source });
                }
                Err(error) => return Err(error),
            }
        }
        Ok(outcomes)
    }

    /// Walks back over every step that may have had an effect, last first. An error of one step is
    /// kept and the walk goes on; only a journal that cannot be written stops it.
    pub async fn revert(
        &self,
        cx: &Cx,
        journal: &mut dyn Journal,
        watch: &dyn Watch,
    ) -> Result<Reverted, JournalError> {
        let mut known = by_step(journal.entries().await?);
        let mut report = Reverted::default();
        for (index, step) in self.steps.iter().rev().enumerate() {
            let name = step.name();
            let at = Position { way: Way::Revert, n: index + 1, of: self.steps.len(), step: &name };
            watch.started(at, &step.describe());
            let Some(entry) = known.remove(&name).filter(|entry| entry.phase.may_have_effect())
            else {
                watch.finished(at, Outcome::Skipped);
                continue;
            };
            let walk = Walk { cx, journal: &mut *journal, watch, at };
            match walk.back(step.as_ref(), entry).await {
                Ok(()) => {
                    watch.finished(at, Outcome::Reverted);
                    report.reverted.push(name);
                }
                Err(FlowError::Step { step, source }) => {
                    watch.failed(at, &source);
                    report.errors.push((step, source));
                }
                Err(FlowError::Journal(error)) => return Err(error),
            }
        }
        Ok(report)
    }
}

fn by_step(entries: Vec<Entry>) -> BTreeMap<String, Entry> {
    entries.into_iter().map(|entry| (entry.step.clone(), entry)).collect()
}

/// One step of one walk.
struct Walk<'a, Cx> {
    cx: &'a Cx,
    journal: &'a mut dyn Journal,
    watch: &'a dyn Watch,
    at: Position<'a>,
}

impl<Cx: Sync> Walk<'_, Cx> {
    async fn forward(
        self,
        step: &dyn Step<Cx>,
        seq: u32,
        known: Option<Entry>,
    ) -> Result<Outcome, FlowError> {
        let satisfied = self.check(step).await? == State::Satisfied;
        let phase = known.as_ref().map_or(Phase::Reverted, |entry| entry.phase);
        let mut entry = Entry {
            seq,
            step: self.at.step.to_owned(),
            params: step.params(),
            phase: Phase::Intended,
            receipt: Receipt::Null,
            error: None,
        };
        match (phase, satisfied) {
            (Phase::Done, true) => return Ok(Outcome::Unchanged),
            (Phase::Adopted, true) => return Ok(Outcome::Adopted),
            (Phase::Reverted, true) => {
                entry.phase = Phase::Adopted;
                self.journal.write(&entry).await?;
                return Ok(Outcome::Adopted);
            }
            // Ours already: what was there before stays what it was then.
            (Phase::Intended | Phase::Done, _) => {
                entry.receipt = known.map_or(Receipt::Null, |known| known.receipt);
            }
            (Phase::Adopted | Phase::Reverted, false) => {
                let prior = step.prior(self.cx).await;
                entry.receipt = prior.map_err(|error| self.at.error(error))?;
            }
        }
        self.change(step, entry).await
    }

    async fn change(self, step: &dyn Step<Cx>, mut entry: Entry) -> Result<Outcome, FlowError> {
        self.journal.write(&entry).await?;
        self.watch.reached(self.at, Point::BeforeEffect);
        let applied = match step.apply(self.cx).await {
            Ok(receipt) => self.prove(step).await.map(|()| receipt),
            Err(error) => Err(error),
        };
        self.watch.reached(self.at, Point::AfterEffect);
        match applied {
            Ok(receipt) => entry.receipt = join(entry.receipt, receipt),
            Err(error) => {
                entry.error = Some(error.to_string());
                self.journal.write(&entry).await?;
                return Err(self.at.error(error));
            }
        }
        entry.phase = Phase::Done;
        self.journal.write(&entry).await?;
        self.watch.reached(self.at, Point::AfterJournal);
        Ok(Outcome::Applied)
    }

    async fn back(self, step: &dyn Step<Cx>, mut entry: Entry) -> Result<(), FlowError> {
        self.watch.reached(self.at, Point::BeforeEffect);
        let result = match step.revert(self.cx, &entry.receipt).await {
            Ok(()) => self.prove_gone(step).await,
            Err(error) => Err(error),
        };
        self.watch.reached(self.at, Point::AfterEffect);
        entry.error = result.as_ref().err().map(ToString::to_string);
        if result.is_ok() {
            entry.phase = Phase::Reverted;
        }
        self.journal.write(&entry).await?;
        self.watch.reached(self.at, Point::AfterJournal);
        result.map_err(|error| self.at.error(error))
    }

    async fn check(&self, step: &dyn Step<Cx>) -> Result<State, FlowError> {
        step.check(self.cx).await.map_err(|error| self.at.error(error))
    }

    async fn prove(&self, step: &dyn Step<Cx>) -> Result<(), StepError> {
        match step.check(self.cx).await? {
            State::Satisfied => Ok(()),
            State::Absent => Err(StepError::new("applied, but its effect is not there")),
            State::Differs(why) => Err(StepError::new(format!("applied, but {why}"))),
        }
    }

    async fn prove_gone(&self, step: &dyn Step<Cx>) -> Result<(), StepError> {
        match step.check(self.cx).await? {
            State::Satisfied => Err(StepError::new("reverted, but its effect is still there")),
            State::Absent | State::Differs(_) => Ok(()),
        }
    }
}

impl Position<'_> {
    fn error(&self, source: StepError) -> FlowError {
        FlowError::Step { step: self.step.to_owned(), source }
    }
}

/// What was there before, with what `apply` told laid over it.
fn join(prior: Receipt, told: Receipt) -> Receipt {
    match (prior, told) {
        (Value::Object(mut prior), Value::Object(told)) => {
            prior.extend(told);
            Value::Object(prior)
        }
        (prior, Value::Null) => prior,
        (_, told) => told,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;
    use std::sync::atomic::{AtomicBool, Ordering};

    use async_trait::async_trait;

    use super::*;
    use crate::journal::MemoryJournal;

    /// A world of named lamps.
    #[derive(Default)]
    struct World {
        on: Mutex<Vec<&'static str>>,
        broken: AtomicBool,
    }

    struct Lamp(&'static str);

    #[async_trait]
    impl Step<World> for Lamp {
        fn name(&self) -> String {
            self.0.to_owned()
        }

        fn describe(&self) -> Description {
            Description { change: "switch on".to_owned(), inverse: "switch off".to_owned() }
        }

        async fn check(&self, cx: &World) -> Result<State, StepError> {
            let lit = cx.on.lock().unwrap().contains(&self.0);
            Ok(if lit { State::Satisfied } else { State::Absent })
        }

        async fn prior(&self, cx: &World) -> Result<Receipt, StepError> {
            Ok(serde_json::json!({ "lit": cx.on.lock().unwrap().len() }))
        }

        async fn apply(&self, cx: &World) -> Result<Receipt, StepError> {
            if self.0 == "b" && cx.broken.load(Ordering::SeqCst) {
                return Err(StepError::new("no current"));
            }
            let mut on = cx.on.lock().unwrap();
            if !on.contains(&self.0) {
                on.push(self.0);
            }
            Ok(Receipt::Null)
        }

        async fn revert(&self, cx: &World, receipt: &Receipt) -> Result<(), StepError> {
            if self.0 == "a" && cx.broken.load(Ordering::SeqCst) {
                return Err(StepError::new("switch stuck"));
            }
            assert!(receipt["lit"].is_number(), "prior was lost");
            cx.on.lock().unwrap().retain(|lamp| *lamp != self.0);
            Ok(())
        }
    }

    /// Kills the walk by a panic at one point of one step.
    struct Killer(&'static str, Point);

    impl Watch for Killer {
        fn reached(&self, at: Position<'_>, point: Point) {
            assert!(!(at.step == self.0 && point == self.1), "killed");
        }
    }

    fn flow() -> Flow<World> {
        Flow::new(vec![Box::new(Lamp("a")), Box::new(Lamp("b")), Box::new(Lamp("c"))])
    }

    fn lit(world: &World) -> Vec<&'static str> {
        world.on.lock().unwrap().clone()
    }

    #[tokio::test]
    async fn runs_then_changes_nothing_then_reverts() {
        let (world, mut journal) = (World::default(), MemoryJournal::default());
        let first = flow().run(&world, &mut journal, &Unwatched).await.unwrap();
        assert!(first.iter().all(|(_, outcome)| *outcome == Outcome::Applied));
        let second = flow().run(&world, &mut journal, &Unwatched).await.unwrap();
        assert!(second.iter().all(|(_, outcome)| *outcome == Outcome::Unchanged));
        let report = flow().revert(&world, &mut journal, &Unwatched).await.unwrap();
        assert_eq!(report.reverted, ["c", "b", "a"]);
        assert!(lit(&world).is_empty());
    }

    #[tokio::test]
    async fn what_was_there_before_is_left_alone() {
        let (world, mut journal) = (World::default(), MemoryJournal::default());
        world.on.lock().unwrap().push("b");
        let outcomes = flow().run(&world, &mut journal, &Unwatched).await.unwrap();
        assert_eq!(outcomes[1].1, Outcome::Adopted);
        flow().revert(&world, &mut journal, &Unwatched).await.unwrap();
        assert_eq!(lit(&world), ["b"]);
    }

    #[tokio::test]
    async fn an_error_stops_the_run_and_a_second_run_resumes() {
        let (world, mut journal) = (World::default(), MemoryJournal::default());
        world.broken.store(true, Ordering::SeqCst);
        let error = flow().run(&world, &mut journal, &Unwatched).await.unwrap_err();
        assert_eq!(error.to_string(), "b: no current");
        let line = journal.entries().await.unwrap().pop().unwrap();
        assert_eq!((line.phase, line.error.as_deref()), (Phase::Intended, Some("no current")));
        world.broken.store(false, Ordering::SeqCst);
        flow().run(&world, &mut journal, &Unwatched).await.unwrap();
        assert_eq!(lit(&world), ["a", "b", "c"]);
    }

    #[tokio::test]
    async fn a_revert_goes_on_past_errors() {
        let (world, mut journal) = (World::default(), MemoryJournal::default());
        flow().run(&world, &mut journal, &Unwatched).await.unwrap();
        world.broken.store(true, Ordering::SeqCst);
        let report = flow().revert(&world, &mut journal, &Unwatched).await.unwrap();
        assert_eq!((report.reverted.len(), report.errors.len()), (2, 1));
        world.broken.store(false, Ordering::SeqCst);
        let report = flow().revert(&world, &mut journal, &Unwatched).await.unwrap();
        assert_eq!(report.reverted, ["a"]);
    }

    #[tokio::test]
    async fn a_kill_anywhere_is_resumed_or_unwound() {
        for point in Point::ALL {
            for victim in ["a", "b", "c"] {
                for resume in [true, false] {
                    let (world, mut journal) = (World::default(), MemoryJournal::default());
                    let killer = Killer(victim, point);
                    let steps = flow();
                    let run =
                        std::panic::AssertUnwindSafe(steps.run(&world, &mut journal, &killer));
                    assert!(futures::FutureExt::catch_unwind(run).await.is_err());
                    if resume {
                        flow().run(&world, &mut journal, &Unwatched).await.unwrap();
                        assert_eq!(lit(&world).len(), 3, "{victim} {point:?}");
                    }
                    flow().revert(&world, &mut journal, &Unwatched).await.unwrap();
                    assert!(lit(&world).is_empty(), "{victim} {point:?}");
                }
            }
        }
    }
}
