//! The provisioner: what `stackup install` does to a machine, and how it is undone.
//!
//! ```text
//!   profile ─┐
//!            ├─► plan ──► steps ──► apply ──► the host      stackup install
//!   facts ───┘   (pure)     │         │
//!                           │         ▼
//!                           │      ledger                   intent before, receipt after
//!                           │         │
//!                           └────── revert ◄────────────    stackup reset --host
//! ```
//!
//! - [`facts`] looks and never touches; [`plan`] decides and never looks. What is in the way is
//!   found there, before anything is changed.
//! - Each kind of change is one file of [`steps`]: how it is checked, made and taken back. What was
//!   there before is written to the ledger before it is changed, so a kill loses nothing.
//! - What we make carries a mark (link alias, volume group tag, table name, first line): `sweep`
//!   finds it without the ledger. What carries no mark of ours is never removed.
//! - [`service`] starts and stops the cloud, under systemd or without.

mod apply;
mod doctor;
mod error;
pub mod facts;
mod paths;
pub mod plan;
mod revert;
pub mod service;
pub mod steps;
mod sweep;
mod templates;

pub use apply::{HostStep, Installed, Preview, install, preview, rewire};
pub use doctor::{Finding, Level, doctor};
pub use error::{HostError, Kind};
pub use facts::{Facts, gather as facts};
pub use paths::Paths;
pub use plan::{CLOUDS, Inputs, Note, Plan, PlanError, plan};
pub use revert::{ResetReport, reset};
