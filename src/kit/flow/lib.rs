//! Work that must not be left half done, and work that never ends.
//!
//! - [`step`]: one change with its check and its undo.
//! - [`flow`]: steps in order, each journalled; resumed or unwound after a kill.
//! - [`journal`]: where a flow writes what it did. The ledger is one, a service's store another.
//! - [`reconcile`]: idempotent work that keeps something true, run on a period and on a hint.
//! - [`supervisor`]: the only place that spawns tasks.
//! - [`bus`]: typed hints between parts of the process.
//!
//! Use a flow for what a user asked once, a reconciler for what must stay true.

pub mod bus;
pub mod flow;
pub mod journal;
pub mod reconcile;
pub mod step;
pub mod supervisor;

pub use bus::{Bus, Event, Hint};
pub use flow::{Flow, FlowError, Outcome, Point, Position, Reverted, Unwatched, Watch, Way};
pub use journal::{Entry, Journal, JournalError, MemoryJournal, Phase};
pub use reconcile::{Reconciler, Report};
pub use step::{Receipt, State, Step, StepError};
pub use supervisor::{Shutdown, Supervisor, TaskStatus};
