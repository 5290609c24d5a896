//! Migrations.

use stackup_core::Time;
use stackup_store::{Reader, StoreError, Tx, params};

use super::Conditions;
use crate::model::migration::{Migration, MigrationStatus};

const COLUMNS: &str = "row, uuid, server_id, kind, status, source, target, old_flavor, new_flavor,
    project_id, user_id, created_at, updated_at";
const NEXT_ROW: &str = "
SELECT COALESCE(MAX(row), 0) + 1
FROM migrations";
const SET_STATUS: &str = "
UPDATE migrations
SET status = $2, updated_at = $3
WHERE uuid = $1";

/// Which migrations to list, newest first.
#[derive(Debug, Clone, Default)]
pub(crate) struct Filter {
    pub project: Option<String>,
    pub server: Option<String>,
    pub status: Option<String>,
    pub kind: Option<String>,
    pub host: Option<String>,
    pub user: Option<String>,
    pub since: Option<Time>,
    pub before: Option<Time>,
    pub below: Option<i64>,
    pub limit: usize,
}

pub(crate) fn insert(tx: &mut Tx<'_>, migration: &Migration) -> Result<(), StoreError> {
    let row: i64 = tx.scalar(NEXT_ROW, &[])?;
    let m = migration;
    let sql = format!(
        "INSERT INTO migrations ({COLUMNS})
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)"
    );
    let values = params![
        row,
        m.uuid,
        m.server_id,
        m.kind,
        m.status,
        m.source,
        m.target,
        m.old_flavor,
        m.new_flavor,
        m.project_id,
        m.user_id,
        m.created_at,
        m.updated_at
    ];
    tx.execute(&sql, &values).map(drop)
}

pub(crate) fn set_status(
    tx: &mut Tx<'_>,
    uuid: &str,
    status: MigrationStatus,
    now: Time,
) -> Result<(), StoreError> {
    tx.execute(SET_STATUS, &params![uuid, status, now]).map(drop)
}

pub(crate) fn get(r: &Reader<'_>, uuid: &str) -> Result<Option<Migration>, StoreError> {
    let sql = format!("SELECT {COLUMNS}\nFROM migrations\nWHERE uuid = $1");
    r.first(&sql, &params![uuid])
}

pub(crate) fn list(r: &Reader<'_>, filter: &Filter) -> Result<Vec<Migration>, StoreError> {
    let mut all = Conditions::default();
    let equal = [
        ("project_id = {}", &filter.project),
        ("server_id = {}", &filter.server),
        ("status = {}", &filter.status),
        ("kind = {}", &filter.kind),
        ("user_id = {}", &filter.user),
        ("(source = {} OR target = {})", &filter.host),
    ];
    for (condition, value) in equal {
        if let Some(value) = value {
            all.with(condition, value);
        }
    }
    if let Some(time) = filter.since {
        all.with("COALESCE(updated_at, created_at) >= {}", time);
    }
    if let Some(time) = filter.before {
        all.with("COALESCE(updated_at, created_at) <= {}", time);
    }
    if let Some(row) = filter.below {
        all.with("row < {}", row);
    }
    let limit = filter.limit.clamp(1, 1_000_000);
    let sql = format!(
        "SELECT {COLUMNS}\nFROM migrations\n{}\nORDER BY row DESC\nLIMIT {limit}",
        all.clause()
    );
    r.query(&sql, &all.params)
}
