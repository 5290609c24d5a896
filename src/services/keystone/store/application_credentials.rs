//! Application credentials and access rules.

use stackup_store::{FromRow, Reader, Row, StoreError, Tx, params};

use super::{Result, Where};
use crate::model::application_credential::{AccessRule, ApplicationCredential};

const SELECT: &str = "
SELECT id, name, user_id, project_id, description, secret_hash, expires_at, unrestricted
FROM application_credentials";
const INSERT: &str = "
INSERT INTO application_credentials
    (id, name, user_id, project_id, description, secret_hash, expires_at, unrestricted)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
const DELETE: &str = "
DELETE FROM application_credentials
WHERE id = $1";
const DELETE_OF: &str = "
DELETE FROM application_credentials
WHERE user_id = $1 AND project_id = $2";
const ROLES: &str = "
SELECT role_id
FROM application_credential_roles
WHERE application_credential_id = $1
ORDER BY role_id";
const INSERT_ROLE: &str = "
INSERT INTO application_credential_roles (application_credential_id, role_id)
VALUES ($1, $2)
ON CONFLICT DO NOTHING";
const RULES_OF: &str = "
SELECT a.id, a.service, a.method, a.path
FROM access_rules AS a
JOIN application_credential_access_rules AS b ON b.access_rule_id = a.id
WHERE b.application_credential_id = $1
ORDER BY a.id";
const INSERT_RULE_OF: &str = "
INSERT INTO application_credential_access_rules (application_credential_id, access_rule_id)
VALUES ($1, $2)
ON CONFLICT DO NOTHING";
const RULES_OF_USER: &str = "
SELECT id, service, method, path
FROM access_rules
WHERE user_id = $1
ORDER BY id";
const RULE_LIKE: &str = "
SELECT id, service, method, path
FROM access_rules
WHERE user_id = $1 AND service = $2 AND method = $3 AND path = $4";
const INSERT_RULE: &str = "
INSERT INTO access_rules (id, user_id, service, method, path)
VALUES ($1, $2, $3, $4, $5)";
const DELETE_RULE: &str = "
DELETE FROM access_rules
WHERE id = $1";
const USES_OF_RULE: &str = "
SELECT COUNT(*)
FROM application_credential_access_rules
WHERE access_rule_id = $1";

impl FromRow for ApplicationCredential {
    fn from_row(row: &Row) -> std::result::Result<Self, StoreError> {
        Ok(Self {
            id: row.get(0)?,
            name: row.get(1)?,
            user_id: row.get(2)?,
            project_id: row.get(3)?,
            description: row.get(4)?,
            secret_hash: row.get(5)?,
            expires_at: row.get(6)?,
            unrestricted: row.get(7)?,
            role_ids: Vec::new(),
            access_rules: Vec::new(),
        })
    }
}

impl FromRow for AccessRule {
    fn from_row(row: &Row) -> std::result::Result<Self, StoreError> {
        Ok(Self { id: row.get(0)?, service: row.get(1)?, method: row.get(2)?, path: row.get(3)? })
    }
}

pub(crate) fn get(r: &Reader<'_>, id: &str) -> Result<Option<ApplicationCredential>> {
    Ok(list(r, &Where::new().eq("id", id))?.pop())
}

/// Application credentials with their roles and rules, by id.
pub(crate) fn list(r: &Reader<'_>, condition: &Where) -> Result<Vec<ApplicationCredential>> {
    let mut found: Vec<ApplicationCredential> =
        r.query(&condition.sql(SELECT, "id"), condition.params())?;
    for credential in &mut found {
        let roles: Vec<(String,)> = r.query(ROLES, &params![credential.id])?;
        credential.role_ids = roles.into_iter().map(|(id,)| id).collect();
        credential.access_rules = r.query(RULES_OF, &params![credential.id])?;
    }
    Ok(found)
}

/// Inserts a credential with its roles; its access rules are there already.
pub(crate) fn insert(tx: &mut Tx<'_>, credential: &ApplicationCredential) -> Result<()> {
    tx.execute(
        INSERT,
        &params![
            credential.id,
            credential.name,
            credential.user_id,
            credential.project_id,
            credential.description,
            credential.secret_hash,
            credential.expires_at,
            credential.unrestricted
        ],
    )?;
    for role in &credential.role_ids {
        tx.execute(INSERT_ROLE, &params![credential.id, role])?;
    }
    for rule in &credential.access_rules {
        tx.execute(INSERT_RULE_OF, &params![credential.id, rule.id])?;
    }
    Ok(())
}

pub(crate) fn delete(tx: &mut Tx<'_>, id: &str) -> Result<bool> {
    tx.execute(DELETE, &params![id]).map(|rows| rows > 0)
}

/// Deletes what a user made on a project: the roles behind it have changed.
pub(crate) fn delete_of(tx: &mut Tx<'_>, user_id: &str, project_id: &str) -> Result<()> {
    tx.execute(DELETE_OF, &params![user_id, project_id]).map(drop)
}

pub(crate) fn rules(r: &Reader<'_>, user_id: &str) -> Result<Vec<AccessRule>> {
    r.query(RULES_OF_USER, &params![user_id])
}

/// The user's rule that says the same.
pub(crate) fn rule_like(
    r: &Reader<'_>,
    user_id: &str,
    rule: &AccessRule,
) -> Result<Option<AccessRule>> {
    r.first(RULE_LIKE, &params![user_id, rule.service, rule.method, rule.path])
}

pub(crate) fn insert_rule(tx: &mut Tx<'_>, user_id: &str, rule: &AccessRule) -> Result<()> {
    let row = params![rule.id, user_id, rule.service, rule.method, rule.path];
    tx.execute(INSERT_RULE, &row).map(drop)
}

pub(crate) fn rule_is_used(r: &Reader<'_>, id: &str) -> Result<bool> {
    let count: i64 = r.scalar(USES_OF_RULE, &params![id])?;
    Ok(count > 0)
}

pub(crate) fn delete_rule(tx: &mut Tx<'_>, id: &str) -> Result<()> {
    tx.execute(DELETE_RULE, &params![id]).map(drop)
}
