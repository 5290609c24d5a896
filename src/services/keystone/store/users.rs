//! Users and their passwords.

use stackup_core::Time;
use stackup_store::{FromRow, Reader, Row, StoreError, Tx, params};

use super::{Result, Where, extra, json};
use crate::model::user::{Password, User};

/// The password in force is the newest one.
const SELECT: &str = "
SELECT u.id, u.name, u.domain_id, u.enabled, u.default_project_id, u.options, u.extra,
       u.revoked_before, u.failed_count, u.failed_at,
       p.id, p.hash, p.self_service, p.created_at, p.expires_at
FROM users AS u
LEFT JOIN passwords AS p ON p.id = (
    SELECT n.id
    FROM passwords AS n
    WHERE n.user_id = u.id
    ORDER BY n.created_at DESC, n.id DESC
    LIMIT 1
)";
const INSERT: &str = "
INSERT INTO users
    (id, name, domain_id, enabled, default_project_id, options, extra, failed_count)
VALUES ($1, $2, $3, $4, $5, $6, $7, 0)";
const UPDATE: &str = "
UPDATE users
SET name = $2, enabled = $3, default_project_id = $4, options = $5, extra = $6, revoked_before = $7
WHERE id = $1";
const DELETE: &str = "
DELETE FROM users
WHERE id = $1";
const SET_FAILURES: &str = "
UPDATE users
SET failed_count = $2, failed_at = $3
WHERE id = $1";
const ADD_FAILURE: &str = "
UPDATE users
SET failed_count = failed_count + 1, failed_at = $2
WHERE id = $1";
const HISTORY: &str = "
SELECT hash
FROM passwords
WHERE user_id = $1
ORDER BY created_at DESC, id DESC";
const INSERT_PASSWORD: &str = "
INSERT INTO passwords (id, user_id, hash, self_service, created_at, expires_at)
VALUES ($1, $2, $3, $4, $5, $6)";
const PRUNE_PASSWORDS: &str = "
DELETE FROM passwords
WHERE user_id = $1
  AND id NOT IN (
      SELECT id
      FROM passwords
      WHERE user_id = $1
      ORDER BY created_at DESC, id DESC
      LIMIT $2
  )";

impl FromRow for User {
    fn from_row(row: &Row) -> std::result::Result<Self, StoreError> {
        let password = match row.get::<Option<String>>(10)? {
            None => None,
            Some(id) => Some(Password {
                id,
                hash: row.get(11)?,
                self_service: row.get(12)?,
                created_at: row.get(13)?,
                expires_at: row.get(14)?,
            }),
        };
        Ok(Self {
            id: row.get(0)?,
            name: row.get(1)?,
            domain_id: row.get(2)?,
            enabled: row.get(3)?,
            default_project_id: row.get(4)?,
            options: extra(row.get(5)?),
            extra: extra(row.get(6)?),
            revoked_before: row.get(7)?,
            failed_count: row.get(8)?,
            failed_at: row.get(9)?,
            password,
        })
    }
}

pub(crate) fn get(r: &Reader<'_>, id: &str) -> Result<Option<User>> {
    let condition = Where::new().eq("u.id", id);
    r.first(&condition.sql(SELECT, "u.id"), condition.params())
}

pub(crate) fn named(r: &Reader<'_>, domain_id: &str, name: &str) -> Result<Option<User>> {
    let condition = Where::new().eq("u.domain_id", domain_id).eq("u.name", name);
    r.first(&condition.sql(SELECT, "u.id"), condition.params())
}

/// Users by id; columns are those of `u`.
pub(crate) fn list(r: &Reader<'_>, condition: &Where) -> Result<Vec<User>> {
    r.query(&condition.sql(SELECT, "u.id"), condition.params())
}

/// Inserts a user and the password, if there is one.
pub(crate) fn insert(tx: &mut Tx<'_>, user: &User) -> Result<()> {
    tx.execute(
        INSERT,
        &params![
            user.id,
            user.name,
            user.domain_id,
            user.enabled,
            user.default_project_id,
            json(&user.options),
            json(&user.extra)
        ],
    )?;
    match &user.password {
        Some(password) => add_password(tx, &user.id, password, usize::MAX),
        None => Ok(()),
    }
}

/// Writes what can change of a user, except the password.
pub(crate) fn update(tx: &mut Tx<'_>, user: &User) -> Result<()> {
    tx.execute(
        UPDATE,
        &params![
            user.id,
            user.name,
            user.enabled,
            user.default_project_id,
            json(&user.options),
            json(&user.extra),
            user.revoked_before
        ],
    )?;
    Ok(())
}

pub(crate) fn delete(tx: &mut Tx<'_>, id: &str) -> Result<bool> {
    tx.execute(DELETE, &params![id]).map(|rows| rows > 0)
}

/// Puts a password in force and keeps the newest `keep` of the user's.
pub(crate) fn add_password(
    tx: &mut Tx<'_>,
    user_id: &str,
    password: &Password,
    keep: usize,
) -> Result<()> {
    let Password { id, hash, self_service, created_at, expires_at } = password;
    tx.execute(INSERT_PASSWORD, &params![id, user_id, hash, self_service, created_at, expires_at])?;
    let keep = i64::try_from(keep).unwrap_or(i64::MAX).max(1);
    tx.execute(PRUNE_PASSWORDS, &params![user_id, keep]).map(drop)
}

/// The hashes of a user's passwords, newest first.
pub(crate) fn history(r: &Reader<'_>, user_id: &str) -> Result<Vec<String>> {
    let hashes: Vec<(String,)> = r.query(HISTORY, &params![user_id])?;
    Ok(hashes.into_iter().map(|(hash,)| hash).collect())
}

/// Counts a wrong password.
pub(crate) fn add_failure(tx: &mut Tx<'_>, id: &str, now: Time) -> Result<()> {
    tx.execute(ADD_FAILURE, &params![id, now]).map(drop)
}

/// Forgets the wrong passwords.
pub(crate) fn clear_failures(tx: &mut Tx<'_>, id: &str) -> Result<()> {
    tx.execute(SET_FAILURES, &params![id, 0, None::<Time>]).map(drop)
}
