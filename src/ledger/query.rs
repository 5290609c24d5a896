//! The ledger as rows to look at: `stackup ledger list` and `show`.

use rusqlite::Row;
use serde::Serialize;
use serde_json::Value;

use crate::{Ledger, LedgerError};

/// One install or reset.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Run {
    pub id: i64,
    pub verb: String,
    pub profile_hash: String,
    pub started_at: String,
    /// None while it runs, and for ever when it was killed.
    pub ended_at: Option<String>,
    pub outcome: Option<String>,
}

/// The last word about one step.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct StepRow {
    pub name: String,
    pub run: i64,
    pub seq: u32,
    pub kind: String,
    pub params: Value,
    pub state: String,
    pub receipt: Value,
    pub error: Option<String>,
    pub changed_at: String,
}

const RUNS: &str = "
    SELECT id, verb, profile_hash, started_at, ended_at, outcome
    FROM run
    ORDER BY id";

const STEPS: &str = "
    SELECT name, run, seq, kind, params, state, receipt, error, changed_at
    FROM step
    ORDER BY seq, rowid";

const STEP: &str = "
    SELECT name, run, seq, kind, params, state, receipt, error, changed_at
    FROM step
    WHERE name = ?1";

impl Ledger {
    /// Every run, oldest first.
    pub fn runs(&self) -> Result<Vec<Run>, LedgerError> {
        let mut statement = self.connection.prepare(RUNS)?;
        let rows = statement.query_map([], run_of)?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Every step, in the order it is done.
    pub fn steps(&self) -> Result<Vec<StepRow>, LedgerError> {
        let mut statement = self.connection.prepare(STEPS)?;
        let mut rows = statement.query([])?;
        let mut steps = Vec::new();
        while let Some(row) = rows.next()? {
            steps.push(step_of(row)?);
        }
        Ok(steps)
    }

    pub fn step(&self, name: &str) -> Result<Option<StepRow>, LedgerError> {
        let mut statement = self.connection.prepare(STEP)?;
        let mut rows = statement.query([name])?;
        rows.next()?.map(step_of).transpose()
    }
}

fn run_of(row: &Row<'_>) -> rusqlite::Result<Run> {
    Ok(Run {
        id: row.get(0)?,
        verb: row.get(1)?,
        profile_hash: row.get(2)?,
        started_at: row.get(3)?,
        ended_at: row.get(4)?,
        outcome: row.get(5)?,
    })
}

fn step_of(row: &Row<'_>) -> Result<StepRow, LedgerError> {
    let name: String = row.get(0)?;
    let json = |index| -> Result<Value, LedgerError> {
        let text: String = row.get(index)?;
        serde_json::from_str(&text)
            .map_err(|error| LedgerError::Corrupt(format!("{name}: {error}")))
    };
    Ok(StepRow {
        run: row.get(1)?,
        seq: row.get(2)?,
        kind: row.get(3)?,
        params: json(4)?,
        state: row.get(5)?,
        receipt: json(6)?,
        error: row.get(7)?,
        changed_at: row.get(8)?,
        name,
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use stackup_core::SystemClock;
    use stackup_flow::{Entry, Journal, Phase};

    use super::*;

    fn entry(seq: u32, step: &str, phase: Phase) -> Entry {
        Entry {
            seq,
            step: step.to_owned(),
            params: serde_json::json!({ "kind": "bridge" }),
            phase,
            receipt: serde_json::json!({ "existed": false }),
            error: None,
        }
    }

    #[tokio::test]
    async fn keeps_one_line_a_step_across_a_restart() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(crate::FILE);
        let clock: stackup_core::SharedClock = Arc::new(SystemClock);
        let mut ledger = Ledger::open(&path, clock.clone()).unwrap();
        ledger.begin("install", "hash").unwrap();
        ledger.write(&entry(1, "bridge:br-ex", Phase::Intended)).await.unwrap();
        ledger.write(&entry(0, "directory:/x", Phase::Done)).await.unwrap();
        ledger.write(&entry(1, "bridge:br-ex", Phase::Done)).await.unwrap();
        drop(ledger);

        let mut ledger = Ledger::open(&path, clock).unwrap();
        let entries = ledger.entries().await.unwrap();
        assert_eq!(entries.len(), 2);
        assert_eq!(entries[1], entry(1, "bridge:br-ex", Phase::Done));
        assert_eq!(ledger.step("bridge:br-ex").unwrap().unwrap().kind, "bridge");
        let runs = ledger.runs().unwrap();
        assert_eq!((runs.len(), runs[0].ended_at.as_deref()), (1, None));
    }

    #[tokio::test]
    async fn writes_nothing_outside_a_run() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(crate::FILE);
        let mut ledger = Ledger::open(&path, Arc::new(SystemClock)).unwrap();
        assert!(ledger.write(&entry(0, "x", Phase::Done)).await.is_err());
    }

    #[test]
    fn a_newer_format_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(crate::FILE);
        drop(Ledger::open(&path, Arc::new(SystemClock)).unwrap());
        let raw = rusqlite::Connection::open(&path).unwrap();
        raw.pragma_update(None, "user_version", 9).unwrap();
        drop(raw);
        let result = Ledger::open(&path, Arc::new(SystemClock));
        assert!(matches!(result, Err(crate::LedgerError::Newer { found: 9, .. })));
    }
}
