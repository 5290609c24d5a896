//! The facade.

use std::path::PathBuf;
use std::sync::Arc;

use stackup_core::Value;

use crate::postgres::{PgConn, Postgres};
use crate::row::FromRow;
use crate::sqlite::Sqlite;
use crate::{Migration, Row, StoreError, migrate};

/// Where a service keeps its state.
#[derive(Debug, Clone)]
pub enum StoreConfig {
    /// A file; its directory is there.
    Sqlite { path: PathBuf },
    /// A database of its own: `postgres://user:password@host/database`.
    Postgres { url: String },
}

/// A service's state. Cheap to clone.
#[derive(Clone)]
pub struct Db {
    engine: Engine,
}

#[derive(Clone)]
enum Engine {
    Sqlite(Arc<Sqlite>),
    Postgres(Arc<Postgres>),
}

/// What a read sees: one consistent moment.
pub struct Reader<'a> {
    conn: Conn<'a>,
}

/// What a write sees and changes: all of it, or nothing.
pub struct Tx<'a> {
    reader: Reader<'a>,
}

enum Conn<'a> {
    Sqlite(&'a rusqlite::Connection),
    Postgres(&'a PgConn),
}

impl Db {
    /// Opens the state of `store` and applies the migrations it lacks.
    ///
    /// Fails when the state was written by a newer program, or a migration does not apply; then
    /// nothing of that migration has happened.
    pub async fn open(
        store: &str,
        config: &StoreConfig,
        migrations: &'static [Migration],
    ) -> Result<Self, StoreError> {
        let engine = match config {
            StoreConfig::Sqlite { path } => Engine::Sqlite(Arc::new(Sqlite::open(path)?)),
            StoreConfig::Postgres { url } => Engine::Postgres(Arc::new(Postgres::open(url).await?)),
        };
        let db = Self { engine };
        migrate::run(&db, store, migrations).await?;
        Ok(db)
    }

    /// Runs `work` in one transaction, and answers when it is durable. An `Err` undoes all of it.
    ///
    /// `work` may run more than once: PostgreSQL asks for a retry when two transactions meet.
    pub async fn write<T, E, F>(&self, work: F) -> Result<T, E>
    where
        F: Fn(&mut Tx<'_>) -> Result<T, E> + Send + 'static,
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        match &self.engine {
            Engine::Sqlite(sqlite) => {
                sqlite
                    .write(move |conn| {
                        work(&mut Tx { reader: Reader { conn: Conn::Sqlite(conn) } })
                    })
                    .await
            }
            Engine::Postgres(postgres) => {
                postgres
                    .write(move |conn| {
                        work(&mut Tx { reader: Reader { conn: Conn::Postgres(conn) } })
                    })
                    .await
            }
        }
    }

    /// Runs `work` over one consistent snapshot, on the calling thread where the engine allows:
    /// for single rows and pages.
    pub async fn read<T, E, F>(&self, work: F) -> Result<T, E>
    where
        F: FnOnce(&Reader<'_>) -> Result<T, E> + Send + 'static,
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        match &self.engine {
            Engine::Sqlite(sqlite) => {
                sqlite.read(|conn| work(&Reader { conn: Conn::Sqlite(conn) }))
            }
            Engine::Postgres(postgres) => {
                postgres.read(move |conn| work(&Reader { conn: Conn::Postgres(conn) })).await
            }
        }
    }

    /// As [`Db::read`], on a thread of its own: for what reads thousands of rows.
    pub async fn scan<T, E, F>(&self, work: F) -> Result<T, E>
    where
        F: FnOnce(&Reader<'_>) -> Result<T, E> + Send + 'static,
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        match &self.engine {
            Engine::Sqlite(sqlite) => {
                let sqlite = Arc::clone(sqlite);
                tokio::task::spawn_blocking(move || {
                    sqlite.read(|conn| work(&Reader { conn: Conn::Sqlite(conn) }))
                })
                .await
                .unwrap_or_else(|_| Err(StoreError::Closed.into()))
            }
            Engine::Postgres(_) => self.read(work).await,
        }
    }

    /// Whether this is PostgreSQL: for the schema, where the two differ in the name of a type.
    pub(crate) fn is_postgres(&self) -> bool {
        matches!(self.engine, Engine::Postgres(_))
    }
}

impl Reader<'_> {
    /// Every row of the answer.
    pub fn query<T: FromRow>(&self, sql: &str, params: &[Value]) -> Result<Vec<T>, StoreError> {
        let rows: Vec<Row> = match &self.conn {
            Conn::Sqlite(conn) => crate::sqlite::query(conn, sql, params)?,
            Conn::Postgres(conn) => conn.query(sql, params)?,
        };
        rows.iter().map(T::from_row).collect()
    }

    /// The first row, if there is one.
    pub fn first<T: FromRow>(&self, sql: &str, params: &[Value]) -> Result<Option<T>, StoreError> {
        Ok(self.query(sql, params)?.into_iter().next())
    }

    /// The first column of the first row of a statement that always answers one: `SELECT COUNT(*)`.
    pub fn scalar<T: stackup_core::FromValue>(
        &self,
        sql: &str,
        params: &[Value],
    ) -> Result<T, StoreError> {
        let row: Row = self.first(sql, params)?.ok_or(StoreError::MissingColumn(0))?;
        row.get(0)
    }
}

impl Tx<'_> {
    /// Runs a statement and says how many rows it touched.
    pub fn execute(&mut self, sql: &str, params: &[Value]) -> Result<usize, StoreError> {
        match &self.reader.conn {
            Conn::Sqlite(conn) => crate::sqlite::execute(conn, sql, params),
            Conn::Postgres(conn) => conn.execute(sql, params),
        }
    }

    /// Runs several statements separated by `;`, without parameters: for migrations.
    pub(crate) fn batch(&mut self, sql: &str) -> Result<(), StoreError> {
        match &self.reader.conn {
            Conn::Sqlite(conn) => crate::sqlite::batch(conn, sql),
            Conn::Postgres(conn) => conn.batch(sql),
        }
    }
}

impl<'a> std::ops::Deref for Tx<'a> {
    type Target = Reader<'a>;

    fn deref(&self) -> &Reader<'a> {
        &self.reader
    }
}
