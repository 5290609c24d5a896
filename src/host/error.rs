//! Why the host could not be prepared or given back.

use stackup_flow::{FlowError, JournalError, StepError};
use stackup_ledger::{LedgerError, LockError};

/// What went wrong, as scripts see it: the exit codes of the command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    Internal = 1,
    Usage = 2,
    NotRunning = 3,
    Permission = 4,
    Preflight = 5,
    /// Something not ours has what we need.
    Conflict = 6,
    Resources = 7,
    Timeout = 8,
    /// A step failed; the same command resumes.
    StepFailed = 10,
    /// Reset ended and something is left.
    Residue = 11,
    Missing = 12,
    /// The state was made by another version.
    Version = 13,
    Locked = 14,
}

/// A failure with its id, a hint, and its exit code.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct HostError {
    pub kind: Kind,
    /// `STK-AREA-NNN`.
    pub id: &'static str,
    pub message: String,
    pub hint: String,
    #[source]
    pub source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl HostError {
    pub(crate) fn new(kind: Kind, id: &'static str, message: impl Into<String>) -> Self {
        Self { kind, id, message: message.into(), hint: String::new(), source: None }
    }

    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = hint.into();
        self
    }

    pub(crate) fn source(mut self, source: impl std::error::Error + Send + Sync + 'static) -> Self {
        self.source = Some(Box::new(source));
        self
    }
}

impl From<LedgerError> for HostError {
    fn from(error: LedgerError) -> Self {
        let (kind, id, hint) = match &error {
            LedgerError::Newer { .. } => {
                (Kind::Version, "STK-LEDGER-002", "use the stackup that wrote it, or a newer one")
            }
            LedgerError::Open { .. } | LedgerError::Sql(_) | LedgerError::Corrupt(_) => {
                let hint = "if the file is beyond help, move it away: reset --host then goes by \
                            owner marks alone";
                (Kind::Internal, "STK-LEDGER-001", hint)
            }
        };
        Self::new(kind, id, error.to_string()).hint(hint).source(error)
    }
}

impl From<LockError> for HostError {
    fn from(error: LockError) -> Self {
        match &error {
            LockError::Held { .. } => Self::new(Kind::Locked, "STK-LOCK-001", error.to_string())
                .hint("wait for it to end; the lock goes with the process"),
            LockError::Io { .. } => Self::new(Kind::Permission, "STK-LOCK-002", error.to_string())
                .hint("run it as root")
                .source(error),
        }
    }
}

impl From<JournalError> for HostError {
    fn from(error: JournalError) -> Self {
        Self::new(Kind::Internal, "STK-LEDGER-003", "the ledger could not be written")
            .hint("is the disk full? Nothing is changed without the ledger")
            .source(error)
    }
}

impl From<FlowError> for HostError {
    fn from(error: FlowError) -> Self {
        match error {
            FlowError::Journal(error) => error.into(),
            FlowError::Step { step, source } => {
                let id = source.id.unwrap_or("STK-STEP-001");
                let hint = source.hint.clone().unwrap_or_else(|| {
                    "the same command resumes here; stackup reset --host undoes what was done"
                        .to_owned()
                });
                let message = format!("{step}: {}", causes(&source));
                Self::new(Kind::StepFailed, id, message).hint(hint).source(source)
            }
        }
    }
}

/// A step's message with what caused it.
pub(crate) fn causes(error: &StepError) -> String {
    let mut text = error.message.clone();
    let mut cause = error.source.as_deref().map(|source| source as &dyn std::error::Error);
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}
