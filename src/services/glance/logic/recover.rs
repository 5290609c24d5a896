//! After a kill: what was being worked on, nobody works on any more.

use stackup_contracts::CallError;
use stackup_core::{ErrorKind, Time};
use stackup_store::Tx;

use super::import::unlock;
use crate::model::Status;
use crate::store::tasks::End;
use crate::{Error, Glance, store};

impl Glance {
    /// Puts images that were half way back into their queue, and ends the tasks of imports. Staged
    /// data that is whole is kept, and its image stays staged.
    pub(crate) async fn recover(&self) -> Result<(), Error> {
        let (_, staged) = self.files.ids().map_err(|e| Error::io("list the files", e))?;
        let interrupted = "the service ended while it was at work on this";
        let error = Error::Call(CallError::new(ErrorKind::Unavailable, "", interrupted));
        let (end, now) = (self.ended(Err(&error)), self.clock.now());
        let dropped = self.db.write(move |tx| recover(tx, &staged, &end, now)).await?;
        for id in dropped {
            tracing::info!(image = id, "an interrupted image is in its queue again");
            let removed = self.files.remove(&id);
            removed.map_err(|e| Error::io("remove unfinished data", e))?;
        }
        Ok(())
    }
}

fn recover(tx: &mut Tx<'_>, staged: &[String], end: &End, now: Time) -> Result<Vec<String>, Error> {
    for task in store::tasks::unfinished(tx)? {
        store::tasks::end(tx, &task, end, now)?;
    }
    let mut dropped = Vec::new();
    for (id, status) in store::images::states(tx)? {
        let lost = match status {
            Status::Saving | Status::Importing => true,
            Status::Uploading => !staged.contains(&id),
            Status::Queued | Status::Active | Status::Deactivated => false,
        };
        if lost && store::images::requeue(tx, &id, status, now)? {
            if status == Status::Importing {
                unlock(tx, &id, None)?;
            }
            dropped.push(id);
        }
    }
    Ok(dropped)
}
