//! A resource provider.

use stackup_core::{ProviderId, Time};
use stackup_store::{FromRow, Row, StoreError};

/// Something that has resources. Providers form trees; the root of one without parent is itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Provider {
    pub(crate) id: ProviderId,
    pub(crate) name: String,
    pub(crate) generation: u64,
    pub(crate) parent_id: Option<ProviderId>,
    pub(crate) root_id: ProviderId,
    pub(crate) updated_at: Time,
}

impl FromRow for Provider {
    fn from_row(row: &Row) -> Result<Self, StoreError> {
        Ok(Self {
            id: row.get(0)?,
            name: row.get(1)?,
            generation: row.get(2)?,
            parent_id: row.get(3)?,
            root_id: row.get(4)?,
            updated_at: row.get(5)?,
        })
    }
}
