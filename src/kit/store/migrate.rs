//! Migrations: applied in order, each in one transaction, never changed once released.

use crate::{Db, StoreError, params};

/// One step of a schema: `Migration { name: "0001_init", sql: include_str!("…") }`.
#[derive(Debug, Clone, Copy)]
pub struct Migration {
    pub name: &'static str,
    pub sql: &'static str,
}

const CREATE: &str = "
CREATE TABLE IF NOT EXISTS schema_migrations (
    name TEXT PRIMARY KEY,
    seq  INTEGER NOT NULL
)";
const APPLIED: &str = "
SELECT name
FROM schema_migrations
ORDER BY seq";
const RECORD: &str = "
INSERT INTO schema_migrations (name, seq)
VALUES ($1, $2)";

pub(crate) async fn run(
    db: &Db,
    store: &str,
    migrations: &'static [Migration],
) -> Result<(), StoreError> {
    let create = dialect(CREATE, db.is_postgres());
    db.write(move |tx| tx.batch(&create)).await?;
    let applied: Vec<(String,)> = db.read(|r| r.query(APPLIED, &[])).await?;
    if applied.len() > migrations.len() {
        return Err(StoreError::Newer {
            store: store.to_owned(),
            found: applied.len(),
            known: migrations.len(),
        });
    }
    for (seq, migration) in migrations.iter().enumerate().skip(applied.len()) {
        let sql = dialect(migration.sql, db.is_postgres());
        let name = migration.name;
        db.write(move |tx| {
            tx.batch(&sql)?;
            tx.execute(RECORD, &params![name, seq]).map(drop)
        })
        .await
        .map_err(|source: StoreError| StoreError::Migration {
            store: store.to_owned(),
            name,
            source: Box::new(source),
        })?;
        tracing::info!(store, migration = name, "schema migrated");
    }
    Ok(())
}

/// Schemas are written with SQLite's strict types; PostgreSQL has other names for three of them.
fn dialect(sql: &str, postgres: bool) -> String {
    if !postgres {
        return sql.to_owned();
    }
    sql.replace(" BLOB", " BYTEA")
        .replace(" INTEGER", " BIGINT")
        .replace(" REAL", " DOUBLE PRECISION")
        .replace(") STRICT", ")")
}
