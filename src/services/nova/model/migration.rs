//! A migration: a server that changes its size or its host.

use stackup_core::{ProjectId, ServerId, Time, UserId};
use stackup_store::{FromRow, Row, StoreError};

stackup_core::wire_enum! {
    pub enum MigrationKind { Resize = "resize", Migration = "migration" }
}

stackup_core::wire_enum! {
    pub enum MigrationStatus {
        Migrating = "migrating",
        Finished = "finished",
        Confirmed = "confirmed",
        Reverted = "reverted",
        Error = "error",
    }
}

/// A record of one; operators read them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Migration {
    pub row: i64,
    pub uuid: String,
    pub server_id: ServerId,
    pub kind: MigrationKind,
    pub status: MigrationStatus,
    pub source: String,
    pub target: String,
    pub old_flavor: String,
    pub new_flavor: String,
    pub project_id: ProjectId,
    pub user_id: UserId,
    pub created_at: Time,
    pub updated_at: Option<Time>,
}

impl FromRow for Migration {
    fn from_row(row: &Row) -> Result<Self, StoreError> {
        Ok(Self {
            row: row.get(0)?,
            uuid: row.get(1)?,
            server_id: row.get(2)?,
            kind: row.get(3)?,
            status: row.get(4)?,
            source: row.get(5)?,
            target: row.get(6)?,
            old_flavor: row.get(7)?,
            new_flavor: row.get(8)?,
            project_id: row.get(9)?,
            user_id: row.get(10)?,
            created_at: row.get(11)?,
            updated_at: row.get(12)?,
        })
    }
}
