//! Where a flow writes what it is about to do and what it did.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::step::Receipt;

/// How far a step has come. Written before and after its effect, so a kill leaves the truth.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// About to be applied, or killed or failed while it was.
    Intended,
    /// Applied and proved.
    Done,
    /// It was so before we came: nothing was done, so nothing is undone.
    Adopted,
    /// Undone.
    Reverted,
}

impl Phase {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Intended => "intended",
            Self::Done => "done",
            Self::Adopted => "adopted",
            Self::Reverted => "reverted",
        }
    }

    /// The phase a journal stored under that name.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Intended, Self::Done, Self::Adopted, Self::Reverted]
            .into_iter()
            .find(|phase| phase.as_str() == text)
    }

    /// Whether there may be an effect on the world to take back.
    pub fn may_have_effect(self) -> bool {
        matches!(self, Self::Intended | Self::Done)
    }
}

/// The journal's line about one step. A step has one line: writing replaces it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Its place in the flow; undone in reverse.
    pub seq: u32,
    /// The step's name, the key of the line.
    pub step: String,
    /// What the step can be rebuilt from.
    pub params: Value,
    pub phase: Phase,
    /// What revert needs: first what was there before, then joined by what `apply` told.
    pub receipt: Receipt,
    /// Why the last attempt failed.
    pub error: Option<String>,
}

/// The journal could not be read or written. The flow stops: without it nothing may be changed.
#[derive(Debug, thiserror::Error)]
#[error("the journal could not be {operation}")]
pub struct JournalError {
    pub operation: &'static str,
    #[source]
    pub source: Box<dyn std::error::Error + Send + Sync>,
}

impl JournalError {
    pub fn read(source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self { operation: "read", source: source.into() }
    }

    pub fn write(source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self { operation: "written", source: source.into() }
    }
}

/// Durable memory of a flow. The host's ledger is one; a service keeps one in its own store.
#[async_trait]
pub trait Journal: Send {
    /// Every line, by `seq`.
    async fn entries(&mut self) -> Result<Vec<Entry>, JournalError>;

    /// Replaces the line of `entry.step`. Must be on disk when it returns.
    async fn write(&mut self, entry: &Entry) -> Result<(), JournalError>;
}

/// A journal that forgets at exit, for tests and for flows whose effects do too.
#[derive(Debug, Default)]
pub struct MemoryJournal {
    entries: Vec<Entry>,
}

#[async_trait]
impl Journal for MemoryJournal {
    async fn entries(&mut self) -> Result<Vec<Entry>, JournalError> {
        let mut entries = self.entries.clone();
        entries.sort_by_key(|entry| entry.seq);
        Ok(entries)
    }

    async fn write(&mut self, entry: &Entry) -> Result<(), JournalError> {
        self.entries.retain(|known| known.step != entry.step);
        self.entries.push(entry.clone());
        Ok(())
    }
}
