//! Policy blobs.

use stackup_store::{FromRow, Reader, Row, StoreError, Tx, params};

use super::{Result, Where, extra, json};
use crate::model::policy::PolicyBlob;

const SELECT: &str = "
SELECT id, type, blob, extra
FROM policies";
const INSERT: &str = "
INSERT INTO policies (id, type, blob, extra)
VALUES ($1, $2, $3, $4)";
const UPDATE: &str = "
UPDATE policies
SET type = $2, blob = $3, extra = $4
WHERE id = $1";
const DELETE: &str = "
DELETE FROM policies
WHERE id = $1";

impl FromRow for PolicyBlob {
    fn from_row(row: &Row) -> std::result::Result<Self, StoreError> {
        Ok(Self {
            id: row.get(0)?,
            kind: row.get(1)?,
            blob: row.get(2)?,
            extra: extra(row.get(3)?),
        })
    }
}

pub(crate) fn get(r: &Reader<'_>, id: &str) -> Result<Option<PolicyBlob>> {
    Ok(list(r, &Where::new().eq("id", id))?.pop())
}

pub(crate) fn list(r: &Reader<'_>, condition: &Where) -> Result<Vec<PolicyBlob>> {
    r.query(&condition.sql(SELECT, "id"), condition.params())
}

pub(crate) fn insert(tx: &mut Tx<'_>, policy: &PolicyBlob) -> Result<()> {
    tx.execute(INSERT, &row(policy)).map(drop)
}

pub(crate) fn update(tx: &mut Tx<'_>, policy: &PolicyBlob) -> Result<()> {
    tx.execute(UPDATE, &row(policy)).map(drop)
}

fn row(policy: &PolicyBlob) -> [stackup_store::Value; 4] {
    params![policy.id, policy.kind, policy.blob, json(&policy.extra)]
}

pub(crate) fn delete(tx: &mut Tx<'_>, id: &str) -> Result<bool> {
    tx.execute(DELETE, &params![id]).map(|rows| rows > 0)
}
