//! One change, with its check and its undo.

use async_trait::async_trait;

/// What a step needs to be undone: whatever was there before, as JSON.
pub type Receipt = serde_json::Value;

/// What a check found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// Not there; `apply` would make it.
    Absent,
    /// As wanted; `apply` would change nothing.
    Satisfied,
    /// There, but not as wanted, and why.
    Differs(String),
}

/// Why a step failed: a message for people, the stable id and the hint that go with it.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct StepError {
    /// `STK-AREA-NNN`, when the failure has a page of its own.
    pub id: Option<&'static str>,
    pub message: String,
    pub hint: Option<String>,
    #[source]
    pub source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl StepError {
    pub fn new(message: impl Into<String>) -> Self {
        Self { id: None, message: message.into(), hint: None, source: None }
    }

    #[must_use]
    pub fn id(mut self, id: &'static str) -> Self {
        self.id = Some(id);
        self
    }

    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    #[must_use]
    pub fn source(mut self, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }
}

/// One change that can be looked at, made, and taken back.
///
/// `check` is read-only and runs before `apply` (what is so is skipped) and after it (proof).
/// `apply` and `revert` are idempotent: a kill may come between the effect and its journal entry,
/// and then both are called again. `Cx` is what the steps of one flow share.
#[async_trait]
pub trait Step<Cx: Sync>: Send + Sync {
    /// A short stable name, unique in its flow: `bridge:br-ex`, `allocate`.
    fn name(&self) -> String;

    /// What `apply` does and how `revert` undoes it, for people.
    fn describe(&self) -> Description;

    /// What the step can be rebuilt from after a restart. Kept in the journal.
    fn params(&self) -> serde_json::Value {
        serde_json::Value::Null
    }

    async fn check(&self, cx: &Cx) -> Result<State, StepError>;

    /// What is there before `apply`, as far as `revert` needs it. Journalled with the intent, so
    /// that a kill in the middle of `apply` loses nothing. Asked once, never again on a resume.
    async fn prior(&self, _cx: &Cx) -> Result<Receipt, StepError> {
        Ok(Receipt::Null)
    }

    /// Makes the change. The receipt is joined with `prior`: its keys win.
    async fn apply(&self, cx: &Cx) -> Result<Receipt, StepError>;

    /// Takes the change back. After a kill the receipt may be `prior` alone.
    async fn revert(&self, cx: &Cx, receipt: &Receipt) -> Result<(), StepError>;
}

/// A change and its inverse in words, as `stackup plan` prints them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Description {
    pub change: String,
    pub inverse: String,
}
