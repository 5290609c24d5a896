//! `nova.unfinished`: nothing stays half done.
//!
//! A server with a task that nobody here works on was left by a process that was killed, or by an
//! end that could not be written. A build begins anew, a delete goes on; what only changed the
//! power is over, and `nova.power_sync` records what came of it; anything else is an error that its
//! user can see and delete.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use stackup_core::ServerId;
use stackup_flow::{Reconciler, Report};

use crate::logic::flows::{create, delete, resize};
use crate::logic::power::Verb;
use crate::logic::work::{Begun, fault};
use crate::model::action::ActionEvent;
use crate::model::server::Server;
use crate::model::state::{TaskState, VmState};
use crate::store::{actions, servers};
use crate::{Error, Nova};

pub(super) struct Unfinished {
    nova: Arc<Nova>,
    /// Those that looked abandoned at the last look: a server is between two hands only briefly.
    suspects: BTreeSet<ServerId>,
    first: bool,
}

impl Unfinished {
    pub(super) fn new(nova: Arc<Nova>) -> Self {
        Self { nova, suspects: BTreeSet::new(), first: true }
    }

    async fn look(&mut self, report: &mut Report) -> Result<(), Error> {
        let filter =
            servers::Filter { deleted: Some(false), with_task: true, ..servers::Filter::default() };
        let left =
            self.nova.db.scan(move |r| servers::all(r, &filter).map_err(Error::from)).await?;
        let idle = |server: &Server| !self.nova.running.is_busy(&server.id);
        let abandoned: Vec<Server> = left.into_iter().filter(idle).collect();
        let suspects = std::mem::take(&mut self.suspects);
        for server in abandoned {
            // At start whatever has a task is abandoned: nobody works yet.
            let young = self.nova.now().since(server.updated_at.unwrap_or(server.created_at));
            let sure =
                (self.first && young > Duration::from_secs(1)) || suspects.contains(&server.id);
            if !sure {
                self.suspects.insert(server.id);
                continue;
            }
            match self.finish(server).await {
                Ok(()) => report.repaired += 1,
                Err(error) => report.failed.push(error.to_string()),
            }
        }
        self.first = false;
        Ok(())
    }

    async fn finish(&self, server: Server) -> Result<(), Error> {
        let Some(task) = server.task_state else { return Ok(()) };
        let nova = &self.nova;
        let id = server.id.to_string();
        let last = nova.db.read(move |r| actions::last(r, &id).map_err(Error::from)).await?;
        let row = last.map_or(0, |record| record.row);
        tracing::warn!(server = %server.id, task = task.as_str(), "an unfinished task is taken up");
        let begun = |job| Begun { cx: nova.task_cx(), server: server.clone(), row, job };
        match task {
            TaskState::Deleting | TaskState::SoftDeleting => {
                nova.run(begun(delete::JOB), delete::run);
                Ok(())
            }
            _ if server.vm_state == VmState::Building => self.build(&server, row).await,
            TaskState::ResizeConfirming => {
                nova.run(begun(resize::CONFIRM), resize::confirm);
                Ok(())
            }
            TaskState::ResizeReverting => {
                nova.run(begun(resize::REVERT), resize::revert);
                Ok(())
            }
            task if Verb::of_task(task).is_some() || only_reads(task) => {
                self.give_up(&server, row, server.vm_state).await
            }
            _ => self.give_up(&server, row, VmState::Error).await,
        }
    }

    /// Everything the build left goes, and it begins anew.
    async fn build(&self, server: &Server, row: i64) -> Result<(), Error> {
        let (nova, cx) = (&self.nova, self.nova.task_cx());
        create::release(nova, &cx, server).await?;
        let server = nova
            .change_own(&server.id, |_, server| {
                server.host = None;
                server.zone = None;
                server.task_state = Some(TaskState::Scheduling);
                Ok(())
            })
            .await?;
        crate::logic::create::start(nova, crate::logic::create::again(nova, server, row), None);
        Ok(())
    }

    async fn give_up(&self, server: &Server, row: i64, vm_state: VmState) -> Result<(), Error> {
        let (nova, now) = (&self.nova, self.nova.now());
        let error =
            Error::Unavailable("The service was stopped while it worked on this.".to_owned());
        let event = ActionEvent {
            event: "compute_interrupted".to_owned(),
            started_at: now.micros_z(),
            finished_at: Some(now.micros_z()),
            result: Some("Error".to_owned()),
            traceback: None,
            details: Some(error.to_string()),
            host: server.host.clone(),
        };
        let fault = fault(&error, now);
        nova.change_own(&server.id, move |tx, server| {
            actions::add_event(tx, row, &event, now)?;
            server.task_state = None;
            server.vm_state = vm_state;
            server.fault = Some(fault.clone());
            Ok(())
        })
        .await?;
        nova.power_hint.give();
        Ok(())
    }
}

/// Tasks that leave the guest as it is.
fn only_reads(task: TaskState) -> bool {
    matches!(
        task,
        TaskState::ImageSnapshot
            | TaskState::ImageSnapshotPending
            | TaskState::ImagePendingUpload
            | TaskState::ImageUploading
            | TaskState::UpdatingPassword
            | TaskState::Networking
    )
}

#[async_trait]
impl Reconciler for Unfinished {
    fn name(&self) -> &'static str {
        "nova.unfinished"
    }

    fn period(&self) -> Duration {
        Duration::from_secs(15)
    }

    async fn activate(&mut self) -> Report {
        let mut report = Report::default();
        if let Err(error) = self.look(&mut report).await {
            report.failed.push(error.to_string());
        }
        report
    }
}
