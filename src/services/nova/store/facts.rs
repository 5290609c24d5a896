//! What nova remembers of itself.

use stackup_store::{Reader, StoreError, Tx, params};

const GET: &str = "
SELECT value
FROM facts
WHERE name = $1";
const SET: &str = "
INSERT INTO facts (name, value)
VALUES ($1, $2)
ON CONFLICT (name) DO UPDATE SET value = excluded.value";

pub(crate) fn get(r: &Reader<'_>, name: &str) -> Result<Option<String>, StoreError> {
    let row: Option<(String,)> = r.first(GET, &params![name])?;
    Ok(row.map(|(value,)| value))
}

pub(crate) fn set(tx: &mut Tx<'_>, name: &str, value: &str) -> Result<(), StoreError> {
    tx.execute(SET, &params![name, value]).map(drop)
}
