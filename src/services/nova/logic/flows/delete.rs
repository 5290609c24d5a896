//! Away with a server: guest, files, ports, room, group; the row stays.

use std::sync::Arc;

use stackup_core::Ctx;
use stackup_flow::Event;

use super::create::release;
use crate::logic::work::{Begun, Ended, Job};
use crate::model::power::PowerState;
use crate::model::server::Server;
use crate::model::state::{Action, TaskState, VmState};
use crate::store::groups;
use crate::{Error, Nova};

pub(crate) const JOB: Job = Job {
    action: Action::Delete,
    task: TaskState::Deleting,
    log: "delete",
    event: "compute_terminate_instance",
    fatal: false,
};

/// Begins to delete. Whatever is being done to the server is broken off.
pub(crate) async fn begin(nova: &Arc<Nova>, cx: &Ctx, id: &str) -> Result<(), Error> {
    let begun = nova
        .begin(cx, id, JOB, |_, server| {
            server.progress = 0;
            Ok(())
        })
        .await?;
    nova.run_over(begun, run);
    Ok(())
}

/// Deletes. A failure leaves the task, and `nova.unfinished` tries again.
pub(crate) async fn run(nova: Arc<Nova>, begun: Begun) -> Result<Ended, Error> {
    let cx = begun.cx.elevated("nova");
    // As it is now: a build that was broken off may have found a host meanwhile.
    let server = nova.server(&cx, &begun.server.id).await?;
    release(&nova, &cx, &server).await?;
    if let Some(old) = &server.old {
        nova.hub.placement()?.release(&cx, &old.migration).await?;
        if server.host.as_ref() != Some(&old.host) {
            nova.driver.destroy(&old.host, &server.id, true).await?;
        }
    }
    let id = server.id.clone();
    nova.db.write(move |tx| groups::remove(tx, &id).map_err(Error::from)).await?;
    nova.bus.publish(Event::ServerDeleted(server.id));
    Ok(Box::new(deleted))
}

fn deleted(server: &mut Server) {
    server.settle(VmState::Deleted, PowerState::NoState);
    server.deleted_at = server.updated_at;
    server.terminated_at = server.updated_at;
    server.lock = None;
    server.old = None;
}
