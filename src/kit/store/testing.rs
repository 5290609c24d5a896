//! Stores for tests: a fresh SQLite file, and a fresh PostgreSQL database where one is offered.

use std::path::Path;

use crate::{Db, Migration, StoreConfig, StoreError};

/// Names a PostgreSQL server for the tests, `postgres://…/postgres`; its user may make databases.
pub const POSTGRES: &str = "STACKUP_TEST_POSTGRES";

/// A migrated SQLite store in `dir`.
pub async fn sqlite(dir: &Path, migrations: &'static [Migration]) -> Result<Db, StoreError> {
    let config = StoreConfig::Sqlite { path: dir.join("test.db") };
    Db::open("test", &config, migrations).await
}

/// The engines to test on: SQLite always, PostgreSQL when [`POSTGRES`] names a server.
pub async fn engines(dir: &Path, migrations: &'static [Migration]) -> Result<Vec<Db>, StoreError> {
    let mut engines = vec![sqlite(dir, migrations).await?];
    #[expect(clippy::disallowed_methods, reason = "the setting of a test run, not of the product")]
    if let Ok(server) = std::env::var(POSTGRES) {
        let url = crate::postgres::fresh_database(&server).await?;
        engines.push(Db::open("test", &StoreConfig::Postgres { url }, migrations).await?);
    }
    Ok(engines)
}
