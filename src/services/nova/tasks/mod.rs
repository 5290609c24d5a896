//! What must stay true while the process runs.

mod heartbeat;
mod orphans;
mod power_sync;
mod unfinished;

use std::sync::Arc;

use stackup_flow::{Hint, Reconciler};
use stackup_web::Task;

use crate::Nova;

/// All of them.
pub(crate) fn all(nova: &Arc<Nova>) -> Vec<Task> {
    let task = |reconciler: Box<dyn Reconciler>, hint: Hint| Task { reconciler, hint };
    power_sync::listen(nova);
    vec![
        task(Box::new(heartbeat::Heartbeat(Arc::clone(nova))), Hint::default()),
        task(Box::new(unfinished::Unfinished::new(Arc::clone(nova))), nova.unfinished_hint.clone()),
        task(Box::new(power_sync::PowerSync::new(Arc::clone(nova))), nova.power_hint.clone()),
        task(Box::new(orphans::Orphans::new(Arc::clone(nova))), Hint::default()),
    ]
}
