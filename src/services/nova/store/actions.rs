//! The log of actions.

use stackup_core::{Ctx, ServerId, Time};
use stackup_store::{Reader, StoreError, Tx, params};

use super::Conditions;
use crate::model::action::{ActionEvent, ActionRecord};

const COLUMNS: &str = "row, server_id, action, request_id, user_id, project_id, started_at,
    updated_at, message, events";
const INSERT: &str = "
INSERT INTO actions (row, server_id, action, request_id, user_id, project_id, started_at, events)
VALUES ($1, $2, $3, $4, $5, $6, $7, '[]')";
const NEXT_ROW: &str = "
SELECT COALESCE(MAX(row), 0) + 1
FROM actions";
const FINISH: &str = "
UPDATE actions
SET updated_at = $2, message = $3, events = $4
WHERE row = $1";

/// Begins an action and gives its row.
pub(crate) fn begin(
    tx: &mut Tx<'_>,
    cx: &Ctx,
    server: &ServerId,
    action: &str,
    now: Time,
) -> Result<i64, StoreError> {
    let row: i64 = tx.scalar(NEXT_ROW, &[])?;
    let caller = &cx.caller;
    let values = params![
        row,
        server,
        action,
        cx.request_id.to_string(),
        caller.user_id,
        caller.project_id().cloned(),
        now
    ];
    tx.execute(INSERT, &values)?;
    Ok(row)
}

/// Adds an event; a failed one marks the action.
pub(crate) fn add_event(
    tx: &mut Tx<'_>,
    row: i64,
    event: &ActionEvent,
    now: Time,
) -> Result<(), StoreError> {
    let sql = format!("SELECT {COLUMNS}\nFROM actions\nWHERE row = $1");
    let Some(mut record) = tx.first::<ActionRecord>(&sql, &params![row])? else {
        return Ok(());
    };
    if event.result.as_deref() == Some("Error") {
        record.message = Some("Error".to_owned());
    }
    record.events.push(event.clone());
    let events = serde_json::to_string(&record.events)
        .map_err(|error| StoreError::Engine(Box::new(error)))?;
    tx.execute(FINISH, &params![row, now, record.message, events]).map(drop)
}

/// Which actions of a server to list.
#[derive(Debug, Clone, Default)]
pub(crate) struct Filter {
    pub since: Option<Time>,
    pub before: Option<Time>,
    /// Those before this row.
    pub below: Option<i64>,
    pub limit: Option<usize>,
}

/// The actions of a server, newest first.
pub(crate) fn list(
    r: &Reader<'_>,
    server: &str,
    filter: &Filter,
) -> Result<Vec<ActionRecord>, StoreError> {
    let mut conditions = Conditions::default();
    conditions.with("server_id = {}", server);
    if let Some(time) = filter.since {
        conditions.with("COALESCE(updated_at, started_at) >= {}", time);
    }
    if let Some(time) = filter.before {
        conditions.with("COALESCE(updated_at, started_at) <= {}", time);
    }
    if let Some(row) = filter.below {
        conditions.with("row < {}", row);
    }
    let limit = filter.limit.unwrap_or(1000);
    let sql = format!(
        "SELECT {COLUMNS}\nFROM actions\n{}\nORDER BY row DESC\nLIMIT {limit}",
        conditions.clause()
    );
    r.query(&sql, &conditions.params)
}

/// The action of a server that a request began.
pub(crate) fn by_request(
    r: &Reader<'_>,
    server: &str,
    request: &str,
) -> Result<Option<ActionRecord>, StoreError> {
    let sql = format!(
        "SELECT {COLUMNS}\nFROM actions\nWHERE server_id = $1\n  AND request_id = $2\nORDER BY row"
    );
    r.first(&sql, &params![server, request])
}

/// The last action of a server: the one that a kill may have broken off.
pub(crate) fn last(r: &Reader<'_>, server: &str) -> Result<Option<ActionRecord>, StoreError> {
    let filter = Filter { limit: Some(1), ..Filter::default() };
    Ok(list(r, server, &filter)?.into_iter().next())
}
