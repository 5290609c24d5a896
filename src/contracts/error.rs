//! What one service hears from another when it says no.

use stackup_core::ErrorKind;

/// A refusal, or a failure, of the service called.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct CallError {
    pub kind: ErrorKind,
    /// The name of the error in the service called, where callers tell several of one kind apart:
    /// neutron's `IpAddressInUse`.
    pub name: &'static str,
    pub message: String,
}

impl CallError {
    pub fn new(kind: ErrorKind, name: &'static str, message: impl Into<String>) -> Self {
        Self { kind, name, message: message.into() }
    }

    pub fn is_not_found(&self) -> bool {
        self.kind == ErrorKind::NotFound
    }
}
