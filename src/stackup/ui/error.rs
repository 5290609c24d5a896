//! What went wrong, said so that one can act: message, id, hint, exit code.

use std::fmt;

/// The exit codes; scripts rely on them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    Internal = 1,
    Usage = 2,
    NotRunning = 3,
    Permission = 4,
    Preflight = 5,
    Conflict = 6,
    Resources = 7,
    Timeout = 8,
    Negative = 9,
    StepFailed = 10,
    Residue = 11,
    Missing = 12,
    Version = 13,
    Locked = 14,
}

/// A failure of a verb.
#[derive(Debug)]
pub struct Problem {
    pub exit: Exit,
    /// `STK-AREA-NNN`
    pub id: Option<String>,
    pub message: String,
    pub hint: Option<String>,
}

impl Problem {
    pub fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self { exit, id: None, message: message.into(), hint: None }
    }

    #[must_use]
    pub fn id(mut self, id: impl Into<String>) -> Self {
        self.id = Some(id.into());
        self
    }

    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// A failure nobody foresaw, with its causes.
    pub fn internal(error: &(dyn std::error::Error + 'static)) -> Self {
        Self::new(Exit::Internal, stackup_web::fault::chain(error))
    }

    /// For programs: one JSON object.
    pub fn to_json(&self) -> serde_json::Value {
        serde_json::json!({
            "error": {
                "id": self.id, "message": self.message, "hint": self.hint,
                "exit": self.exit as i32,
            }
        })
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "error: {}", self.message)?;
        if let Some(id) = &self.id {
            write!(f, " ({id})")?;
        }
        if let Some(hint) = &self.hint {
            write!(f, "\nhint:  {hint}")?;
        }
        Ok(())
    }
}
