//! A piece of work that outlives its request: `pending → processing → success | failure`.

use serde_json::Value;
use stackup_core::{Time, wire_enum};
use stackup_store::{FromRow, Row, StoreError};

wire_enum! {
    pub(crate) enum TaskStatus {
        Pending = "pending",
        Processing = "processing",
        Success = "success",
        Failure = "failure",
    }
}

wire_enum! {
    pub(crate) enum TaskKind {
        /// Asked for at `/v2/tasks`: makes an image of what it fetches.
        Import = "import",
        /// Asked for at `/v2/images/{id}/import`.
        ApiImageImport = "api_image_import",
    }
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Task {
    pub(crate) id: String,
    pub(crate) kind: TaskKind,
    pub(crate) status: TaskStatus,
    pub(crate) owner: String,
    pub(crate) input: Value,
    pub(crate) result: Option<Value>,
    pub(crate) message: String,
    pub(crate) image_id: Option<String>,
    pub(crate) request_id: String,
    pub(crate) user_id: String,
    pub(crate) expires_at: Option<Time>,
    pub(crate) created_at: Time,
    pub(crate) updated_at: Time,
}

impl FromRow for Task {
    fn from_row(row: &Row) -> Result<Self, StoreError> {
        Ok(Self {
            id: row.get(0)?,
            kind: row.get(1)?,
            status: row.get(2)?,
            owner: row.get(3)?,
            input: row.get(4)?,
            result: row.get(5)?,
            message: row.get(6)?,
            image_id: row.get(7)?,
            request_id: row.get(8)?,
            user_id: row.get(9)?,
            expires_at: row.get(10)?,
            created_at: row.get(11)?,
            updated_at: row.get(12)?,
        })
    }
}
