//! Tasks.

use serde_json::Value as Json;
use stackup_core::{Direction, Page, Reach, Time, Value};
use stackup_store::{Keyset, Order, Reader, StoreError, Tx, params};

use crate::model::{Task, TaskStatus};

const COLUMNS: &str = "
    id, type, status, owner, input, result, message, image_id, request_id, user_id, expires_at,
    created_at, updated_at";

const INSERT: &str = "
INSERT INTO tasks (
    id, type, status, owner, input, result, message, image_id, request_id, user_id, expires_at,
    created_at, updated_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)";

const BEGIN: &str = "
UPDATE tasks
SET status = 'processing', updated_at = $2
WHERE id = $1 AND status = 'pending'";

const END: &str = "
UPDATE tasks
SET status = $2, result = $3, message = $4, expires_at = $5, updated_at = $6
WHERE id = $1 AND status IN ('pending', 'processing')";

const UNFINISHED: &str = "
SELECT id
FROM tasks
WHERE status IN ('pending', 'processing')";

const EXPIRE: &str = "
DELETE FROM tasks
WHERE expires_at <= $1";

/// How a task ended.
#[derive(Debug, Clone)]
pub(crate) struct End {
    pub(crate) status: TaskStatus,
    pub(crate) result: Option<Json>,
    pub(crate) message: String,
    pub(crate) expires_at: Time,
}

/// Which tasks to list.
#[derive(Debug, Clone, Default)]
pub(crate) struct TaskFilter {
    pub(crate) status: Option<String>,
    pub(crate) kind: Option<String>,
}

pub(crate) fn insert(tx: &mut Tx<'_>, task: &Task) -> Result<(), StoreError> {
    let row = params![
        task.id,
        task.kind,
        task.status,
        task.owner,
        task.input,
        task.result,
        task.message,
        task.image_id,
        task.request_id,
        task.user_id,
        task.expires_at,
        task.created_at,
        task.updated_at
    ];
    tx.execute(INSERT, &row).map(drop)
}

pub(crate) fn get(r: &Reader<'_>, reach: &Reach, id: &str) -> Result<Option<Task>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM tasks WHERE (owner = $1 OR $1 IS NULL) AND id = $2");
    r.first(&sql, &params![reach.project(), id])
}

/// The tasks of an image, oldest first.
pub(crate) fn of_image(r: &Reader<'_>, image: &str) -> Result<Vec<Task>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM tasks WHERE image_id = $1 ORDER BY created_at, id");
    r.query(&sql, &params![image])
}

/// A page of tasks; `None` when there is no such marker.
pub(crate) fn list(
    r: &Reader<'_>,
    reach: &Reach,
    filter: &TaskFilter,
    page: &Page,
) -> Result<Option<Vec<Task>>, StoreError> {
    let sort = page.sort.first();
    let direction = sort.map_or(Direction::Descending, |sort| sort.direction);
    let column = match sort.map(|sort| sort.key.as_str()) {
        Some("updated_at") => "updated_at",
        Some("status") => "status",
        Some("type") => "type",
        Some("id") => "id",
        _ => "created_at",
    };
    let order = [column, "id"].map(|column| Order { column, direction }).to_vec();
    let after = match &page.marker {
        None => None,
        Some(marker) => {
            let sql = format!(
                "SELECT {column}, id FROM tasks WHERE (owner = $1 OR $1 IS NULL) AND id = $2"
            );
            let row: Option<(Value, Value)> = r.first(&sql, &params![reach.project(), marker])?;
            let Some((value, id)) = row else {
                return Ok(None);
            };
            Some(vec![value, id])
        }
    };
    let mut values = params![reach.project(), filter.status, filter.kind].to_vec();
    let keyset = Keyset { order, after };
    let beyond = keyset.condition(&mut values).unwrap_or_else(|| "1 = 1".to_owned());
    values.push(Value::Int(i64::try_from(page.limit).unwrap_or(i64::MAX)));
    let sql = format!(
        "SELECT {COLUMNS}
         FROM tasks
         WHERE (owner = $1 OR $1 IS NULL) AND (status = $2 OR $2 IS NULL)
             AND (type = $3 OR $3 IS NULL) AND {beyond}
         ORDER BY {}
         LIMIT ${}",
        keyset.order_by(),
        values.len()
    );
    r.query(&sql, &values).map(Some)
}

pub(crate) fn begin(tx: &mut Tx<'_>, id: &str, now: Time) -> Result<bool, StoreError> {
    Ok(tx.execute(BEGIN, &params![id, now])? == 1)
}

pub(crate) fn end(tx: &mut Tx<'_>, id: &str, end: &End, now: Time) -> Result<bool, StoreError> {
    let row = params![id, end.status, end.result, end.message, end.expires_at, now];
    Ok(tx.execute(END, &row)? == 1)
}

/// The tasks that somebody was at work on.
pub(crate) fn unfinished(r: &Reader<'_>) -> Result<Vec<String>, StoreError> {
    let rows: Vec<(String,)> = r.query(UNFINISHED, &[])?;
    Ok(rows.into_iter().map(|(id,)| id).collect())
}

/// Forgets tasks whose time is over, and says how many.
pub(crate) fn expire(tx: &mut Tx<'_>, now: Time) -> Result<usize, StoreError> {
    tx.execute(EXPIRE, &params![now])
}
