//! The services that nova consists of upstream; here they are rows that operators can disable.

use stackup_core::Time;
use stackup_store::{FromRow, Row, StoreError};

/// One row of `openstack compute service list`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ComputeService {
    pub row: i64,
    pub id: String,
    /// `nova-compute`, `nova-scheduler`, `nova-conductor`
    pub binary: String,
    pub host: String,
    pub disabled: bool,
    pub disabled_reason: Option<String>,
    pub forced_down: bool,
    pub seen_at: Time,
}

/// The one that has guests.
pub const COMPUTE: &str = "nova-compute";
/// Every binary with its own row on the main host.
pub const CONTROL: [&str; 2] = ["nova-scheduler", "nova-conductor"];

impl FromRow for ComputeService {
    fn from_row(row: &Row) -> Result<Self, StoreError> {
        Ok(Self {
            row: row.get(0)?,
            id: row.get(1)?,
            binary: row.get(2)?,
            host: row.get(3)?,
            disabled: row.get(4)?,
            disabled_reason: row.get(5)?,
            forced_down: row.get(6)?,
            seen_at: row.get(7)?,
        })
    }
}
