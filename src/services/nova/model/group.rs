//! A server group: which servers should, or should not, share a host.

use serde::{Deserialize, Serialize};
use stackup_core::{ProjectId, ServerId, Time, UserId};
use stackup_store::{FromRow, Row, StoreError};

stackup_core::wire_enum! {
    pub enum Policy {
        Affinity = "affinity",
        AntiAffinity = "anti-affinity",
        SoftAffinity = "soft-affinity",
        SoftAntiAffinity = "soft-anti-affinity",
    }
}

/// A group of servers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerGroup {
    pub row: i64,
    pub id: String,
    pub project_id: ProjectId,
    pub user_id: UserId,
    pub name: String,
    pub policy: Policy,
    pub rules: Rules,
    pub created_at: Time,
    /// Deleted servers included; a view shows the living.
    pub members: Vec<ServerId>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rules {
    /// With anti-affinity: how many may share a host.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_server_per_host: Option<u32>,
}

impl FromRow for ServerGroup {
    fn from_row(row: &Row) -> Result<Self, StoreError> {
        let rules: serde_json::Value = row.get(6)?;
        Ok(Self {
            row: row.get(0)?,
            id: row.get(1)?,
            project_id: row.get(2)?,
            user_id: row.get(3)?,
            name: row.get(4)?,
            policy: row.get(5)?,
            rules: serde_json::from_value(rules).unwrap_or_default(),
            created_at: row.get(7)?,
            members: Vec::new(),
        })
    }
}
