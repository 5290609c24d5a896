//! Who uses what.

use std::collections::BTreeMap;

use stackup_contracts::Resources;
use stackup_core::ProviderId;
use stackup_store::{FromRow, Row, StoreError};

/// A consumer as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Consumer {
    pub(crate) id: String,
    pub(crate) project_id: String,
    pub(crate) user_id: String,
    pub(crate) kind: Option<String>,
    pub(crate) generation: u64,
}

impl FromRow for Consumer {
    fn from_row(row: &Row) -> Result<Self, StoreError> {
        Ok(Self {
            id: row.get(0)?,
            project_id: row.get(1)?,
            user_id: row.get(2)?,
            kind: row.get(3)?,
            generation: row.get(4)?,
        })
    }
}

/// What one consumer shall have: everything it had before is replaced.
#[derive(Debug, Clone)]
pub(crate) struct Claim {
    pub(crate) consumer: String,
    pub(crate) project_id: String,
    pub(crate) user_id: String,
    pub(crate) kind: Option<String>,
    /// What the writer believes the consumer's generation is.
    pub(crate) generation: Expected,
    pub(crate) allocations: BTreeMap<ProviderId, Resources>,
}

/// What a writer says of a consumer's generation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Expected {
    /// Nothing: before 1.28, and calls inside the process.
    Any,
    /// There is no such consumer yet.
    New,
    At(u64),
}
