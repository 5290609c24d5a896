//! Credentials. What is stored and read here is the encrypted blob.

use stackup_store::{FromRow, Reader, Row, StoreError, Tx, params};

use super::{Result, Where, extra, json};
use crate::model::credential::Credential;

const SELECT: &str = "
SELECT id, user_id, project_id, type, blob, extra
FROM credentials";
const INSERT: &str = "
INSERT INTO credentials (id, user_id, project_id, type, blob, extra)
VALUES ($1, $2, $3, $4, $5, $6)";
const UPDATE: &str = "
UPDATE credentials
SET user_id = $2, project_id = $3, type = $4, blob = $5, extra = $6
WHERE id = $1";
const DELETE: &str = "
DELETE FROM credentials
WHERE id = $1";
const DELETE_OF_USER: &str = "
DELETE FROM credentials
WHERE user_id = $1";
const DELETE_OF_PROJECT: &str = "
DELETE FROM credentials
WHERE project_id = $1";

impl FromRow for Credential {
    fn from_row(row: &Row) -> std::result::Result<Self, StoreError> {
        Ok(Self {
            id: row.get(0)?,
            user_id: row.get(1)?,
            project_id: row.get(2)?,
            kind: row.get(3)?,
            blob: row.get(4)?,
            extra: extra(row.get(5)?),
        })
    }
}

pub(crate) fn get(r: &Reader<'_>, id: &str) -> Result<Option<Credential>> {
    Ok(list(r, &Where::new().eq("id", id))?.pop())
}

pub(crate) fn list(r: &Reader<'_>, condition: &Where) -> Result<Vec<Credential>> {
    r.query(&condition.sql(SELECT, "id"), condition.params())
}

pub(crate) fn insert(tx: &mut Tx<'_>, credential: &Credential) -> Result<()> {
    tx.execute(INSERT, &row(credential)).map(drop)
}

pub(crate) fn update(tx: &mut Tx<'_>, credential: &Credential) -> Result<()> {
    tx.execute(UPDATE, &row(credential)).map(drop)
}

fn row(credential: &Credential) -> [stackup_store::Value; 6] {
    params![
        credential.id,
        credential.user_id,
        credential.project_id,
        credential.kind,
        credential.blob,
        json(&credential.extra)
    ]
}

pub(crate) fn delete(tx: &mut Tx<'_>, id: &str) -> Result<bool> {
    tx.execute(DELETE, &params![id]).map(|rows| rows > 0)
}

pub(crate) fn delete_of_user(tx: &mut Tx<'_>, id: &str) -> Result<()> {
    tx.execute(DELETE_OF_USER, &params![id]).map(drop)
}

pub(crate) fn delete_of_project(tx: &mut Tx<'_>, id: &str) -> Result<()> {
    tx.execute(DELETE_OF_PROJECT, &params![id]).map(drop)
}
