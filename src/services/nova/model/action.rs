//! The log of what was done to a server: actions, and their events.

use serde::{Deserialize, Serialize};
use stackup_core::{ProjectId, ServerId, Time, UserId};
use stackup_store::{FromRow, Row, StoreError};

/// One thing that was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ActionRecord {
    pub row: i64,
    pub server_id: ServerId,
    /// `create`, `stop`, `reboot`, …
    pub action: String,
    pub request_id: String,
    pub user_id: Option<UserId>,
    pub project_id: Option<ProjectId>,
    pub started_at: Time,
    pub updated_at: Option<Time>,
    /// `Error` when it failed.
    pub message: Option<String>,
    pub events: Vec<ActionEvent>,
}

/// One step of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ActionEvent {
    /// `compute__do_build_and_run_instance`, …
    pub event: String,
    pub started_at: String,
    pub finished_at: Option<String>,
    /// `Success` or `Error`.
    pub result: Option<String>,
    pub traceback: Option<String>,
    pub details: Option<String>,
    pub host: Option<String>,
}

impl FromRow for ActionRecord {
    fn from_row(row: &Row) -> Result<Self, StoreError> {
        let events: serde_json::Value = row.get(9)?;
        Ok(Self {
            row: row.get(0)?,
            server_id: row.get(1)?,
            action: row.get(2)?,
            request_id: row.get(3)?,
            user_id: row.get(4)?,
            project_id: row.get(5)?,
            started_at: row.get(6)?,
            updated_at: row.get(7)?,
            message: row.get(8)?,
            events: serde_json::from_value(events).unwrap_or_default(),
        })
    }
}
