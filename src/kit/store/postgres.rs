//! PostgreSQL: serializable transactions on a blocking thread, retried when two meet.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use sqlx::encode::IsNull;
use sqlx::error::BoxDynError;
use sqlx::postgres::types::Oid;
use sqlx::postgres::{PgArgumentBuffer, PgArguments, PgPool, PgPoolOptions, PgRow, PgTypeInfo};
use sqlx::{
    Arguments, AssertSqlSafe, Encode, Executor, PgConnection, Postgres as Pg, Row as _, TypeInfo,
    ValueRef,
};
use stackup_core::Value;
use tokio::runtime::Handle;
use tokio::sync::Mutex;

use crate::{Row, StoreError};

const CONNECTIONS: u32 = 8;
/// Tries of a transaction that meets others; the pause between them doubles.
const TRIES: u32 = 8;
const FIRST_PAUSE: Duration = Duration::from_millis(5);

/// One database.
pub(crate) struct Postgres {
    pool: PgPool,
}

/// A transaction's connection, used from a blocking thread.
pub(crate) struct PgConn {
    conn: Mutex<sqlx::pool::PoolConnection<Pg>>,
    runtime: Handle,
    met: AtomicBool,
}

impl Postgres {
    pub(crate) async fn open(url: &str) -> Result<Self, StoreError> {
        let pool = PgPoolOptions::new()
            .max_connections(CONNECTIONS)
            .acquire_timeout(Duration::from_secs(10))
            .connect(url)
            .await
            .map_err(engine)?;
        Ok(Self { pool })
    }

    pub(crate) async fn write<T, E, F>(&self, work: F) -> Result<T, E>
    where
        F: Fn(&PgConn) -> Result<T, E> + Send + 'static,
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        let conn = self.acquire().await?;
        let task = move || {
            let mut pause = FIRST_PAUSE;
            for _ in 1..TRIES {
                match transaction(&conn, "BEGIN ISOLATION LEVEL SERIALIZABLE", &work) {
                    Attempt::Met => std::thread::sleep(pause),
                    Attempt::Ended(result) => return result,
                }
                pause *= 2;
            }
            match transaction(&conn, "BEGIN ISOLATION LEVEL SERIALIZABLE", &work) {
                Attempt::Ended(result) => result,
                Attempt::Met => Err(StoreError::Conflict("gave up".into()).into()),
            }
        };
        tokio::task::spawn_blocking(task).await.unwrap_or_else(|_| Err(StoreError::Closed.into()))
    }

    pub(crate) async fn read<T, E, F>(&self, work: F) -> Result<T, E>
    where
        F: FnOnce(&PgConn) -> Result<T, E> + Send + 'static,
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        let conn = self.acquire().await?;
        let task = move || {
            conn.batch("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")?;
            let result = work(&conn);
            conn.batch("COMMIT")?;
            result
        };
        tokio::task::spawn_blocking(task).await.unwrap_or_else(|_| Err(StoreError::Closed.into()))
    }

    async fn acquire(&self) -> Result<PgConn, StoreError> {
        let conn = self.pool.acquire().await.map_err(engine)?;
        Ok(PgConn {
            conn: Mutex::new(conn),
            runtime: Handle::current(),
            met: AtomicBool::new(false),
        })
    }
}

enum Attempt<R> {
    Ended(R),
    /// The transaction met another one and may be tried again.
    Met,
}

fn transaction<T, E: From<StoreError>>(
    conn: &PgConn,
    begin: &str,
    work: &impl Fn(&PgConn) -> Result<T, E>,
) -> Attempt<Result<T, E>> {
    if let Err(error) = conn.batch(begin) {
        return Attempt::Ended(Err(error.into()));
    }
    let result = work(conn);
    let met = conn.take_met();
    match result {
        Ok(value) => match conn.batch("COMMIT") {
            Ok(()) => Attempt::Ended(Ok(value)),
            Err(StoreError::Conflict(_)) => Attempt::Met,
            Err(error) => Attempt::Ended(Err(error.into())),
        },
        Err(error) => {
            // The error of the work is the one that matters.
            drop(conn.batch("ROLLBACK"));
            if met { Attempt::Met } else { Attempt::Ended(Err(error)) }
        }
    }
}

impl PgConn {
    pub(crate) fn query(&self, sql: &str, params: &[Value]) -> Result<Vec<Row>, StoreError> {
        let arguments = bind(params)?;
        let rows = self.block(async |conn| {
            sqlx::query_with(AssertSqlSafe(sql.to_owned()), arguments).fetch_all(conn).await
        })?;
        rows.iter().map(row_of).collect()
    }

    pub(crate) fn execute(&self, sql: &str, params: &[Value]) -> Result<usize, StoreError> {
        let arguments = bind(params)?;
        let done = self.block(async |conn| {
            sqlx::query_with(AssertSqlSafe(sql.to_owned()), arguments).execute(conn).await
        })?;
        Ok(usize::try_from(done.rows_affected()).unwrap_or(usize::MAX))
    }

    pub(crate) fn batch(&self, sql: &str) -> Result<(), StoreError> {
        self.block(async |conn| conn.execute(sqlx::raw_sql(AssertSqlSafe(sql.to_owned()))).await)
            .map(drop)
    }

    fn block<T>(
        &self,
        work: impl AsyncFnOnce(&mut PgConnection) -> Result<T, sqlx::Error>,
    ) -> Result<T, StoreError> {
        self.runtime.block_on(async {
            let mut conn = self.conn.lock().await;
            work(&mut conn).await.map_err(|error| {
                let error = engine(error);
                if matches!(error, StoreError::Conflict(_)) {
                    self.met.store(true, Ordering::Relaxed);
                }
                error
            })
        })
    }

    /// Whether a statement met another transaction since the last call.
    fn take_met(&self) -> bool {
        self.met.swap(false, Ordering::Relaxed)
    }
}

/// A NULL whose type the server infers from where it stands.
struct Untyped;

impl sqlx::Type<Pg> for Untyped {
    fn type_info() -> PgTypeInfo {
        PgTypeInfo::with_oid(Oid(0))
    }
}

impl Encode<'_, Pg> for Untyped {
    fn encode_by_ref(&self, _: &mut PgArgumentBuffer) -> Result<IsNull, BoxDynError> {
        Ok(IsNull::Yes)
    }
}

fn bind(params: &[Value]) -> Result<PgArguments, StoreError> {
    let mut arguments = PgArguments::default();
    for value in params {
        match value {
            Value::Null => arguments.add(Untyped),
            Value::Int(int) => arguments.add(*int),
            Value::Real(real) => arguments.add(*real),
            // The wire has no NUL in text; SQLite does.
            Value::Text(text) => arguments.add(text.replace('\0', "\u{fffd}")),
            Value::Bytes(bytes) => arguments.add(bytes.clone()),
        }
        .map_err(StoreError::Engine)?;
    }
    Ok(arguments)
}

fn row_of(row: &PgRow) -> Result<Row, StoreError> {
    (0..row.columns().len()).map(|index| value_of(row, index)).collect::<Result<_, _>>().map(Row)
}

fn value_of(row: &PgRow, index: usize) -> Result<Value, StoreError> {
    let raw = row.try_get_raw(index).map_err(engine)?;
    if raw.is_null() {
        return Ok(Value::Null);
    }
    let kind = raw.type_info().name().to_owned();
    Ok(match kind.as_str() {
        "INT8" => Value::Int(row.try_get(index).map_err(engine)?),
        "INT4" => Value::Int(row.try_get::<i32, _>(index).map_err(engine)?.into()),
        "INT2" => Value::Int(row.try_get::<i16, _>(index).map_err(engine)?.into()),
        "BOOL" => Value::Int(row.try_get::<bool, _>(index).map_err(engine)?.into()),
        "FLOAT8" => Value::Real(row.try_get(index).map_err(engine)?),
        "FLOAT4" => Value::Real(row.try_get::<f32, _>(index).map_err(engine)?.into()),
        "BYTEA" => Value::Bytes(row.try_get(index).map_err(engine)?),
        _ => Value::Text(row.try_get_unchecked(index).map_err(engine)?),
    })
}

fn engine(error: sqlx::Error) -> StoreError {
    let code = error.as_database_error().and_then(|e| e.code()).unwrap_or_default().into_owned();
    // SQLSTATE, appendix A of the PostgreSQL manual.
    match code.as_str() {
        "23505" => StoreError::Unique(Box::new(error)),
        "23503" => StoreError::Reference(Box::new(error)),
        "40001" | "40P01" => StoreError::Conflict(Box::new(error)),
        "53100" => StoreError::NoSpace(Box::new(error)),
        _ => StoreError::Engine(Box::new(error)),
    }
}

/// Makes an empty database on the server and answers its URL. Text is ordered by bytes, as SQLite
/// does, so that pages agree.
pub(crate) async fn fresh_database(server: &str) -> Result<String, StoreError> {
    let name = format!("stackup_test_{}", stackup_core::ids::hex());
    let admin = PgPoolOptions::new().max_connections(1).connect(server).await.map_err(engine)?;
    let create = format!("CREATE DATABASE {name} LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0");
    admin.execute(sqlx::raw_sql(AssertSqlSafe(create))).await.map_err(engine)?;
    admin.close().await;
    let base = server.rsplit_once('/').map_or(server, |(base, _)| base);
    Ok(format!("{base}/{name}"))
}
