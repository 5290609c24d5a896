//! SQLite: one writer thread that commits what waits together, and a pool of readers.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError, mpsc};
use std::thread;

use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{Connection, ErrorCode, OpenFlags, Statement, ffi};
use stackup_core::Value;
use tokio::sync::oneshot;

use crate::{Row, StoreError};

/// More jobs than this do not share one commit, so that none waits for long.
const GROUP: usize = 128;
/// Idle read connections kept open.
const READERS: usize = 8;
const STATEMENTS: usize = 256;

/// One database file.
pub(crate) struct Sqlite {
    path: PathBuf,
    jobs: mpsc::Sender<Box<dyn Job>>,
    readers: Mutex<Vec<Connection>>,
}

/// One transaction's worth of work, inside a group.
trait Job: Send {
    /// Does the work; false undoes it and leaves the rest of the group alone.
    fn run(&mut self, conn: &Connection) -> bool;
    /// Tells the caller how it ended: `Err` when the group could not be committed.
    fn finish(self: Box<Self>, committed: Result<(), StoreError>);
}

struct Write<T, E, F> {
    work: F,
    result: Option<Result<T, E>>,
    reply: oneshot::Sender<Result<T, E>>,
}

impl<T, E, F> Job for Write<T, E, F>
where
    F: Fn(&Connection) -> Result<T, E> + Send,
    T: Send,
    E: From<StoreError> + Send,
{
    fn run(&mut self, conn: &Connection) -> bool {
        let result = (self.work)(conn);
        let good = result.is_ok();
        self.result = Some(result);
        good
    }

    fn finish(self: Box<Self>, committed: Result<(), StoreError>) {
        let result = match (self.result, committed) {
            (Some(Err(error)), _) => Err(error),
            (_, Err(error)) => Err(error.into()),
            (Some(Ok(value)), Ok(())) => Ok(value),
            (None, Ok(())) => Err(StoreError::Closed.into()),
        };
        // The caller may have gone away; its write stands.
        drop(self.reply.send(result));
    }
}

impl Sqlite {
    pub(crate) fn open(path: &Path) -> Result<Self, StoreError> {
        let writer = connect(path)?;
        let (jobs, queue) = mpsc::channel::<Box<dyn Job>>();
        thread::Builder::new()
            .name("store-writer".into())
            .spawn(move || write_loop(&writer, &queue))
            .map_err(|error| StoreError::Engine(Box::new(error)))?;
        Ok(Self { path: path.to_owned(), jobs, readers: Mutex::new(Vec::new()) })
    }

    pub(crate) async fn write<T, E, F>(&self, work: F) -> Result<T, E>
    where
        F: Fn(&Connection) -> Result<T, E> + Send + 'static,
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        let job = Box::new(Write { work, result: None, reply });
        if self.jobs.send(job).is_err() {
            return Err(StoreError::Closed.into());
        }
        answer.await.unwrap_or_else(|_| Err(StoreError::Closed.into()))
    }

    pub(crate) fn read<T, E: From<StoreError>>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T, E>,
    ) -> Result<T, E> {
        let conn = match self.pool().pop() {
            Some(conn) => conn,
            None => connect(&self.path)?,
        };
        let result = snapshot(&conn, work);
        let mut pool = self.pool();
        if pool.len() < READERS {
            pool.push(conn);
        }
        result
    }

    fn pool(&self) -> std::sync::MutexGuard<'_, Vec<Connection>> {
        self.readers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn snapshot<T, E: From<StoreError>>(
    conn: &Connection,
    work: impl FnOnce(&Connection) -> Result<T, E>,
) -> Result<T, E> {
    batch(conn, "BEGIN DEFERRED")?;
    let result = work(conn);
    batch(conn, "COMMIT")?;
    result
}

fn connect(path: &Path) -> Result<Connection, StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
        | OpenFlags::SQLITE_OPEN_CREATE
        | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let conn = Connection::open_with_flags(path, flags).map_err(engine)?;
    conn.set_prepared_statement_cache_capacity(STATEMENTS);
    // `journal_mode` answers a row, so all go through one batch that ignores rows.
    batch(
        &conn,
        "PRAGMA journal_mode = WAL;
         PRAGMA synchronous = FULL;
         PRAGMA foreign_keys = ON;
         PRAGMA busy_timeout = 5000;
         PRAGMA temp_store = MEMORY;
         PRAGMA journal_size_limit = 67108864;
         PRAGMA cache_size = -4096;",
    )?;
    Ok(conn)
}

/// Takes what waits, up to a group, runs each job in a savepoint, commits once, answers all.
fn write_loop(conn: &Connection, queue: &mpsc::Receiver<Box<dyn Job>>) {
    while let Ok(first) = queue.recv() {
        let mut group = vec![first];
        let committed = commit_group(conn, queue, &mut group);
        if committed.is_err() && !conn.is_autocommit() {
            // The failed commit left the transaction open; without this the next BEGIN fails.
            drop(batch(conn, "ROLLBACK"));
        }
        let message = committed.as_ref().err().map(ToString::to_string);
        let mut first_error = committed.err();
        for job in group {
            let outcome = match (&message, first_error.take()) {
                (None, _) => Ok(()),
                (Some(_), Some(error)) => Err(error),
                (Some(text), None) => Err(StoreError::Engine(text.clone().into())),
            };
            job.finish(outcome);
        }
    }
}

fn commit_group(
    conn: &Connection,
    queue: &mpsc::Receiver<Box<dyn Job>>,
    group: &mut Vec<Box<dyn Job>>,
) -> Result<(), StoreError> {
    batch(conn, "BEGIN IMMEDIATE")?;
    let mut done = 0;
    while let Some(job) = group.get_mut(done) {
        batch(conn, "SAVEPOINT job")?;
        if !job.run(conn) {
            batch(conn, "ROLLBACK TO job")?;
        }
        batch(conn, "RELEASE job")?;
        done += 1;
        if done < GROUP
            && let Ok(next) = queue.try_recv()
        {
            group.push(next);
        }
    }
    batch(conn, "COMMIT")
}

pub(crate) fn query(
    conn: &Connection,
    sql: &str,
    params: &[Value],
) -> Result<Vec<Row>, StoreError> {
    let mut statement = conn.prepare_cached(&numbered(sql)).map_err(engine)?;
    let width = statement.column_count();
    bind(&mut statement, params).map_err(engine)?;
    let mut rows = statement.raw_query();
    let mut answer = Vec::new();
    while let Some(row) = rows.next().map_err(engine)? {
        let mut values = Vec::with_capacity(width);
        for index in 0..width {
            values.push(value_of(row.get_ref(index).map_err(engine)?));
        }
        answer.push(Row(values));
    }
    Ok(answer)
}

pub(crate) fn execute(conn: &Connection, sql: &str, params: &[Value]) -> Result<usize, StoreError> {
    let mut statement = conn.prepare_cached(&numbered(sql)).map_err(engine)?;
    bind(&mut statement, params).and_then(|()| statement.raw_execute()).map_err(engine)
}

pub(crate) fn batch(conn: &Connection, sql: &str) -> Result<(), StoreError> {
    conn.execute_batch(sql).map_err(engine)
}

/// A [`Value`] as a statement's parameter.
struct Bound<'a>(&'a Value);

impl rusqlite::ToSql for Bound<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self.0 {
            Value::Null => ValueRef::Null,
            Value::Int(int) => ValueRef::Integer(*int),
            Value::Real(real) => ValueRef::Real(*real),
            Value::Text(text) => ValueRef::Text(text.as_bytes()),
            Value::Bytes(bytes) => ValueRef::Blob(bytes),
        }))
    }
}

/// `$2` as SQLite's `?2`. To SQLite `$2` is a name and not a place: where it comes before `$1` in
/// the text, it would be the first parameter. No statement has a dollar anywhere else.
fn numbered(sql: &str) -> String {
    sql.replace('$', "?")
}

/// Gives each placeholder its value by its number.
fn bind(statement: &mut Statement<'_>, params: &[Value]) -> rusqlite::Result<()> {
    let expected = statement.parameter_count();
    if params.len() != expected {
        return Err(rusqlite::Error::InvalidParameterCount(params.len(), expected));
    }
    for (index, value) in params.iter().enumerate() {
        statement.raw_bind_parameter(index + 1, Bound(value))?;
    }
    Ok(())
}

fn value_of(value: ValueRef<'_>) -> Value {
    match value {
        ValueRef::Null => Value::Null,
        ValueRef::Integer(int) => Value::Int(int),
        ValueRef::Real(real) => Value::Real(real),
        ValueRef::Text(text) => Value::Text(String::from_utf8_lossy(text).into_owned()),
        ValueRef::Blob(bytes) => Value::Bytes(bytes.to_vec()),
    }
}

fn engine(error: rusqlite::Error) -> StoreError {
    let code = error.sqlite_error().map(|e| (e.code, e.extended_code));
    match code {
        Some((_, ffi::SQLITE_CONSTRAINT_UNIQUE | ffi::SQLITE_CONSTRAINT_PRIMARYKEY)) => {
            StoreError::Unique(Box::new(error))
        }
        Some((_, ffi::SQLITE_CONSTRAINT_FOREIGNKEY)) => StoreError::Reference(Box::new(error)),
        Some((ErrorCode::DiskFull, _)) => StoreError::NoSpace(Box::new(error)),
        Some((ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked, _)) => {
            StoreError::Conflict(Box::new(error))
        }
        _ => StoreError::Engine(Box::new(error)),
    }
}
