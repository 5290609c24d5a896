//! A host aggregate: hosts that share something, a zone for instance.

use std::collections::BTreeMap;

use stackup_core::Time;
use stackup_store::{FromRow, Row, StoreError};

/// A set of hosts with metadata.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Aggregate {
    pub row: i64,
    pub uuid: String,
    pub name: String,
    pub metadata: BTreeMap<String, String>,
    pub hosts: Vec<String>,
    pub created_at: Time,
    pub updated_at: Option<Time>,
}

/// The metadata key that makes an aggregate an availability zone.
pub const ZONE: &str = "availability_zone";

impl Aggregate {
    pub fn zone(&self) -> Option<&str> {
        self.metadata.get(ZONE).map(String::as_str)
    }
}

/// The zone of a host: that of the first aggregate that names one.
pub fn zone_of<'a>(aggregates: &'a [Aggregate], host: &str, default: &'a str) -> &'a str {
    let mine = aggregates.iter().filter(|aggregate| aggregate.hosts.iter().any(|h| h == host));
    mine.filter_map(Aggregate::zone).next().unwrap_or(default)
}

impl FromRow for Aggregate {
    fn from_row(row: &Row) -> Result<Self, StoreError> {
        let metadata: serde_json::Value = row.get(3)?;
        let hosts: serde_json::Value = row.get(4)?;
        Ok(Self {
            row: row.get(0)?,
            uuid: row.get(1)?,
            name: row.get(2)?,
            metadata: serde_json::from_value(metadata).unwrap_or_default(),
            hosts: serde_json::from_value(hosts).unwrap_or_default(),
            created_at: row.get(5)?,
            updated_at: row.get(6)?,
        })
    }
}
