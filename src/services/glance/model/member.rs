//! A project with which an image is shared.

use stackup_core::{Time, wire_enum};
use stackup_store::{FromRow, Row, StoreError};

wire_enum! {
    /// What the member says to it; only accepted images are in its lists.
    pub(crate) enum MemberStatus {
        Pending = "pending",
        Accepted = "accepted",
        Rejected = "rejected",
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Member {
    pub(crate) image_id: String,
    pub(crate) member_id: String,
    pub(crate) status: MemberStatus,
    pub(crate) created_at: Time,
    pub(crate) updated_at: Time,
}

impl FromRow for Member {
    fn from_row(row: &Row) -> Result<Self, StoreError> {
        Ok(Self {
            image_id: row.get(0)?,
            member_id: row.get(1)?,
            status: row.get(2)?,
            created_at: row.get(3)?,
            updated_at: row.get(4)?,
        })
    }
}
