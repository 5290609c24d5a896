//! The ledger as the journal of a flow.

use async_trait::async_trait;
use stackup_flow::{Entry, Journal, JournalError, Phase};

use crate::{Ledger, LedgerError};

const UPSERT: &str = "
    INSERT INTO step (name, run, seq, kind, params, state, receipt, error, changed_at)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)
    ON CONFLICT (name) DO UPDATE SET
        run = excluded.run, seq = excluded.seq, kind = excluded.kind, params = excluded.params,
        state = excluded.state, receipt = excluded.receipt, error = excluded.error,
        changed_at = excluded.changed_at";

#[async_trait]
impl Journal for Ledger {
    async fn entries(&mut self) -> Result<Vec<Entry>, JournalError> {
        self.steps()
            .and_then(|rows| rows.into_iter().map(entry_of).collect())
            .map_err(JournalError::read)
    }

    async fn write(&mut self, entry: &Entry) -> Result<(), JournalError> {
        self.upsert(entry).map_err(JournalError::write)
    }
}

impl Ledger {
    fn upsert(&self, entry: &Entry) -> Result<(), LedgerError> {
        let run = self.run.ok_or_else(|| LedgerError::Corrupt("no run was begun".to_owned()))?;
        let kind = entry.step.split(':').next().unwrap_or_default();
        self.connection.execute(
            UPSERT,
            (
                &entry.step,
                run,
                entry.seq,
                kind,
                entry.params.to_string(),
                entry.phase.as_str(),
                entry.receipt.to_string(),
                &entry.error,
                self.now(),
            ),
        )?;
        Ok(())
    }
}

fn entry_of(row: crate::StepRow) -> Result<Entry, LedgerError> {
    let phase = Phase::parse(&row.state)
        .ok_or_else(|| LedgerError::Corrupt(format!("{} is {}", row.name, row.state)))?;
    Ok(Entry {
        seq: row.seq,
        step: row.name,
        params: row.params,
        phase,
        receipt: row.receipt,
        error: row.error,
    })
}
