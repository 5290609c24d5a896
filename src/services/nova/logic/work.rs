//! Work on a server that goes on after the answer: one at a time, logged, ended one way or another.
//!
//! ```text
//!   begin   in one write: may it? task_state set, action logged     ── refused: 409, nothing changed
//!     │     the client gets its 202
//!     ▼
//!   run     under the server's lock: the driver, the other services
//!     │
//!     ▼
//!   end     in one write: the new states, or the fault; the event logged
//! ```
//!
//! The end only counts while the task is still the one that was begun: a delete in between wins.

use std::collections::HashMap;
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};

use stackup_core::{Ctx, ServerId};
use stackup_flow::Shutdown;
use stackup_store::Tx;
use stackup_web::fault::chain;

use crate::model::action::ActionEvent;
use crate::model::power::PowerState;
use crate::model::server::{Server, ServerFault};
use crate::model::state::{Action, TaskState, VmState};
use crate::store::{actions, servers};
use crate::{Error, Nova};

/// The servers that something is being done to, in this process.
#[derive(Debug, Default)]
pub(crate) struct Running(Mutex<HashMap<ServerId, Arc<Slot>>>);

/// One server's turn.
#[derive(Debug, Default)]
struct Slot {
    turn: tokio::sync::Mutex<()>,
    /// Breaks the running work off.
    cancel: Mutex<Shutdown>,
}

impl Running {
    /// Waits for the server's turn and runs `work`, which may look at whether it is broken off.
    async fn turn<T, F>(&self, id: &ServerId, work: impl FnOnce(Shutdown) -> F) -> T
    where
        F: Future<Output = T>,
    {
        let slot = Arc::clone(self.slots().entry(id.clone()).or_default());
        let result = {
            let _turn = slot.turn.lock().await;
            let cancel = Shutdown::default();
            slot.cancel.lock().unwrap_or_else(PoisonError::into_inner).clone_from(&cancel);
            work(cancel).await
        };
        drop(slot);
        let mut slots = self.slots();
        if slots.get(id).is_some_and(|slot| Arc::strong_count(slot) == 1) {
            slots.remove(id);
        }
        result
    }

    /// Breaks off what is being done to the server.
    fn cancel(&self, id: &ServerId) {
        if let Some(slot) = self.slots().get(id) {
            slot.cancel.lock().unwrap_or_else(PoisonError::into_inner).begin();
        }
    }

    /// Whether something is being done to the server here.
    pub(crate) fn is_busy(&self, id: &ServerId) -> bool {
        self.slots().contains_key(id)
    }

    fn slots(&self) -> std::sync::MutexGuard<'_, HashMap<ServerId, Arc<Slot>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What is asked for, in the terms of the log.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Job {
    pub action: Action,
    pub task: TaskState,
    /// The action in the log: `stop`.
    pub log: &'static str,
    /// The event in the log: `compute_stop_instance`.
    pub event: &'static str,
    /// Whether a failure leaves the server in error, or as it was.
    pub fatal: bool,
}

/// A change of a server that was begun: what [`Nova::run`] needs.
#[derive(Debug, Clone)]
pub(crate) struct Begun {
    pub cx: Ctx,
    pub server: Server,
    /// Row of the action in the log.
    pub row: i64,
    pub job: Job,
}

/// How the server is after the work.
pub(crate) type Ended = Box<dyn Fn(&mut Server) + Send + Sync>;

/// Ended in these states.
pub(crate) fn settled(vm_state: VmState, power: PowerState) -> Ended {
    Box::new(move |server| server.settle(vm_state, power))
}

impl Nova {
    /// A living server in reach.
    pub(crate) async fn server(&self, cx: &Ctx, id: &str) -> Result<Server, Error> {
        let (reach, wanted) = (cx.reach(), id.to_owned());
        self.db
            .read(move |r| servers::get(r, &reach, &wanted, false).map_err(Error::from))
            .await?
            .ok_or_else(|| Error::server(id))
    }

    /// Changes a living server in reach, in one transaction.
    pub(crate) async fn change<F>(&self, cx: &Ctx, id: &str, change: F) -> Result<Server, Error>
    where
        F: Fn(&mut Tx<'_>, &mut Server) -> Result<(), Error> + Send + 'static,
    {
        let (reach, id, now) = (cx.reach(), id.to_owned(), self.now());
        self.db
            .write(move |tx| {
                let found = servers::get(tx, &reach, &id, false)?;
                let mut server = found.ok_or_else(|| Error::server(&id))?;
                change(tx, &mut server)?;
                server.updated_at = Some(now);
                servers::save(tx, &server)?;
                Ok(server)
            })
            .await
    }

    /// As [`Nova::change`], with the process's own rights and whatever the server's state.
    pub(crate) async fn change_own<F>(&self, id: &ServerId, change: F) -> Result<Server, Error>
    where
        F: Fn(&mut Tx<'_>, &mut Server) -> Result<(), Error> + Send + 'static,
    {
        self.change(&self.task_cx(), id, change).await
    }

    /// Logs an action that is done at once.
    pub(crate) async fn log(
        &self,
        cx: &Ctx,
        id: &ServerId,
        action: &'static str,
    ) -> Result<(), Error> {
        let (cx, id, now) = (cx.clone(), id.clone(), self.now());
        self.db
            .write(move |tx| {
                actions::begin(tx, &cx, &id, action, now).map(drop).map_err(Error::from)
            })
            .await
    }

    /// Begins a job, if the server's state and lock allow it. `prepare` changes the server further
    /// in the same write.
    pub(crate) async fn begin<F>(
        &self,
        cx: &Ctx,
        id: &str,
        job: Job,
        prepare: F,
    ) -> Result<Begun, Error>
    where
        F: Fn(&mut Tx<'_>, &mut Server) -> Result<(), Error> + Send + 'static,
    {
        let (log_cx, now, row) = (cx.clone(), self.now(), Arc::new(Mutex::new(0)));
        let kept = Arc::clone(&row);
        let passes_lock = cx.is_admin();
        let server = self
            .change(cx, id, move |tx, server| {
                server.begin(job.action, passes_lock, job.task)?;
                let row = actions::begin(tx, &log_cx, &server.id, job.log, now)?;
                *kept.lock().unwrap_or_else(PoisonError::into_inner) = row;
                prepare(tx, server)
            })
            .await?;
        let row = *row.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(Begun { cx: cx.clone(), server, row, job })
    }

    /// Runs what was begun to its end, in the background.
    pub(crate) fn run<F, W>(self: &Arc<Self>, begun: Begun, work: W)
    where
        W: FnOnce(Arc<Nova>, Begun) -> F + Send + 'static,
        F: Future<Output = Result<Ended, Error>> + Send + 'static,
    {
        let nova = Arc::clone(self);
        self.supervisor.spawn("nova.work", async move {
            let id = begun.server.id.clone();
            let inner = Arc::clone(&nova);
            nova.running
                .turn(&id, |cancel| async move {
                    let started = inner.now();
                    let result = tokio::select! {
                        result = work(Arc::clone(&inner), begun.clone()) => result,
                        () = cancel.begun() => Err(Error::Overtaken(begun.server.id.clone())),
                    };
                    inner.end(&begun, started, result).await;
                })
                .await;
        });
    }

    /// As [`Nova::run`], after breaking off whatever runs.
    pub(crate) fn run_over<F, W>(self: &Arc<Self>, begun: Begun, work: W)
    where
        W: FnOnce(Arc<Nova>, Begun) -> F + Send + 'static,
        F: Future<Output = Result<Ended, Error>> + Send + 'static,
    {
        self.running.cancel(&begun.server.id);
        self.run(begun, work);
    }

    /// Writes down how a job ended.
    async fn end(&self, begun: &Begun, started: stackup_core::Time, result: Result<Ended, Error>) {
        let (now, row, job) = (self.now(), begun.row, begun.job);
        let event = event(begun, started, now, result.as_ref().err());
        let failed = result.is_err();
        let written = match result {
            Ok(ended) => {
                self.change_own(&begun.server.id, move |tx, server| {
                    // A build finds its host while it runs.
                    let host = event.host.clone().or(server.host.clone());
                    let event = ActionEvent { host, ..event.clone() };
                    actions::add_event(tx, row, &event, now)?;
                    let deleting = server.task_state == Some(TaskState::Deleting);
                    if !deleting || job.task == TaskState::Deleting {
                        ended(server);
                    }
                    Ok(())
                })
                .await
            }
            Err(error) => {
                tracing::warn!(
                    request_id = %begun.cx.request_id, server = %begun.server.id,
                    action = job.log, error = %chain(&error), "action failed"
                );
                let overtaken = matches!(error, Error::Overtaken(_) | Error::ServerNotFound(_));
                let fault = fault(&error, now);
                self.change_own(&begun.server.id, move |tx, server| {
                    actions::add_event(tx, row, &event, now)?;
                    if overtaken || server.task_state == Some(TaskState::Deleting) {
                        return Ok(());
                    }
                    server.task_state = None;
                    server.fault = Some(fault.clone());
                    if job.fatal {
                        server.vm_state = VmState::Error;
                    }
                    Ok(())
                })
                .await
            }
        };
        match written {
            Ok(_) | Err(Error::ServerNotFound(_)) => {}
            // The task stays; `nova.unfinished` takes it up.
            Err(error) => {
                tracing::error!(server = %begun.server.id, error = %chain(&error), "the end of an action is lost");
            }
        }
        if failed {
            // The guest may be in another state than the record says.
            self.power_hint.give();
        }
    }
}

fn event(
    begun: &Begun,
    started: stackup_core::Time,
    now: stackup_core::Time,
    error: Option<&Error>,
) -> ActionEvent {
    ActionEvent {
        event: begun.job.event.to_owned(),
        started_at: started.micros_z(),
        finished_at: Some(now.micros_z()),
        result: Some(if error.is_some() { "Error" } else { "Success" }.to_owned()),
        traceback: error.map(|error| chain(error)),
        details: error.map(ToString::to_string),
        host: begun.server.host.clone(),
    }
}

/// What a server in error shows.
pub(crate) fn fault(error: &Error, now: stackup_core::Time) -> ServerFault {
    let status = error.fault().status;
    ServerFault {
        code: if status < 500 && !matches!(error, Error::NoValidHost(_)) { status } else { 500 },
        message: error.to_string().chars().take(255).collect(),
        details: chain(error),
        created: now.seconds_z(),
    }
}
