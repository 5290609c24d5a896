//! The only place that spawns tasks: each has a name, is watched, and ends with the process.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Notify;
use tokio::task::JoinSet;
use tracing::Instrument;

use crate::bus::Hint;
use crate::reconcile::{Reconciler, Report};

/// Tells tasks that the process is ending. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Shutdown(Arc<ShutdownInner>);

#[derive(Debug, Default)]
struct ShutdownInner {
    begun: AtomicBool,
    wake: Notify,
}

impl Shutdown {
    pub fn begin(&self) {
        self.0.begun.store(true, Ordering::SeqCst);
        self.0.wake.notify_waiters();
    }

    pub fn has_begun(&self) -> bool {
        self.0.begun.load(Ordering::SeqCst)
    }

    /// Waits until the process is ending.
    pub async fn begun(&self) {
        let woken = self.0.wake.notified();
        tokio::pin!(woken);
        // Registered before the flag is read, so that a `begin` in between is not missed.
        woken.as_mut().enable();
        if !self.has_begun() {
            woken.await;
        }
    }
}

/// What is known of a reconciler.
#[derive(Debug, Clone, Default)]
pub struct TaskStatus {
    pub runs: u64,
    pub last: Report,
    pub took: Duration,
    pub period: Duration,
}

/// Owns every task of the process. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Supervisor {
    shutdown: Shutdown,
    tasks: Arc<Mutex<JoinSet<()>>>,
    status: Arc<Mutex<BTreeMap<&'static str, TaskStatus>>>,
}

impl Supervisor {
    pub fn shutdown(&self) -> Shutdown {
        self.shutdown.clone()
    }

    /// Runs `work` to its end. A panic in it is logged and hurts nothing else. It is dropped at its
    /// next `.await` when the process ends, unless it finishes within the deadline. Begun by a
    /// request, it is part of that request's story.
    pub fn spawn(&self, name: &'static str, work: impl Future<Output = ()> + Send + 'static) {
        let mut tasks = self.tasks.lock().unwrap_or_else(PoisonError::into_inner);
        // Finished tasks are reaped here, so that the set does not grow.
        while tasks.try_join_next().is_some() {}
        let watched = async move {
            let unwound = std::panic::AssertUnwindSafe(work);
            if futures::FutureExt::catch_unwind(unwound).await.is_err() {
                tracing::error!(task = name, "task panicked");
            }
        };
        tasks.spawn(watched.instrument(tracing::info_span!("task", task = name)));
    }

    /// Runs a reconciler now, on every hint, and every period, until the process ends.
    pub fn reconcile(&self, mut reconciler: Box<dyn Reconciler>, hint: Hint) {
        let status = Arc::clone(&self.status);
        let shutdown = self.shutdown.clone();
        self.spawn(reconciler.name(), async move {
            while !shutdown.has_begun() {
                let begun = Instant::now();
                let report = reconciler.activate().await;
                note(&status, reconciler.as_ref(), report, begun.elapsed());
                tokio::select! {
                    () = tokio::time::sleep(reconciler.period()) => {}
                    () = hint.given() => {}
                    () = shutdown.begun() => {}
                }
            }
        });
    }

    /// The state of every reconciler, by name.
    pub fn status(&self) -> BTreeMap<&'static str, TaskStatus> {
        self.status.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Tells all tasks to end, waits for `deadline`, then drops what still runs.
    pub async fn stop(&self, deadline: Duration) {
        self.shutdown.begin();
        let mut tasks =
            std::mem::take(&mut *self.tasks.lock().unwrap_or_else(PoisonError::into_inner));
        let all = async { while tasks.join_next().await.is_some() {} };
        if tokio::time::timeout(deadline, all).await.is_err() {
            tracing::warn!(left = tasks.len(), "tasks did not end in time");
        }
    }
}

fn note(
    status: &Mutex<BTreeMap<&'static str, TaskStatus>>,
    reconciler: &dyn Reconciler,
    report: Report,
    took: Duration,
) {
    let name = reconciler.name();
    for reason in &report.failed {
        tracing::warn!(task = name, %reason, "could not be repaired");
    }
    let mut status = status.lock().unwrap_or_else(PoisonError::into_inner);
    let entry = status.entry(name).or_default();
    entry.runs += 1;
    entry.last = report;
    entry.took = took;
    entry.period = reconciler.period();
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;

    use async_trait::async_trait;

    use super::*;

    struct Counter(Arc<AtomicUsize>);

    #[async_trait]
    impl Reconciler for Counter {
        fn name(&self) -> &'static str {
            "test.counter"
        }
        fn period(&self) -> Duration {
            Duration::from_secs(3600)
        }
        async fn activate(&mut self) -> Report {
            self.0.fetch_add(1, Ordering::SeqCst);
            Report::default()
        }
    }

    #[tokio::test]
    async fn a_hint_runs_it_again_and_a_stop_ends_it() {
        let runs = Arc::new(AtomicUsize::new(0));
        let supervisor = Supervisor::default();
        let hint = Hint::default();
        supervisor.reconcile(Box::new(Counter(Arc::clone(&runs))), hint.clone());
        tokio::time::sleep(Duration::from_millis(20)).await;
        hint.give();
        tokio::time::sleep(Duration::from_millis(20)).await;
        assert_eq!(runs.load(Ordering::SeqCst), 2);
        assert_eq!(supervisor.status()["test.counter"].runs, 2);
        supervisor.stop(Duration::from_secs(1)).await;
    }

    #[tokio::test]
    async fn a_panic_stays_inside() {
        let supervisor = Supervisor::default();
        supervisor.spawn("test.panic", async { panic!("on purpose") });
        let done = Arc::new(AtomicBool::new(false));
        let flag = Arc::clone(&done);
        supervisor.spawn("test.fine", async move { flag.store(true, Ordering::SeqCst) });
        supervisor.stop(Duration::from_secs(1)).await;
        assert!(done.load(Ordering::SeqCst));
    }
}
