//! Verbs that only change a guest's power: start, stop, reboot, pause, suspend and their opposites.

use std::sync::Arc;
use std::time::Duration;

use stackup_core::Ctx;

use super::flows::create::wire;
use super::networks;
use super::work::{Begun, Ended, Job, settled};
use crate::drivers::RebootKind;
use crate::model::power::PowerState;
use crate::model::server::Server;
use crate::model::state::{Action, TaskState, VmState};
use crate::{Error, Nova};

/// One of the verbs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verb {
    Start,
    Stop,
    SoftReboot,
    HardReboot,
    Pause,
    Unpause,
    Suspend,
    Resume,
}

impl Verb {
    fn job(self) -> Job {
        let (action, task, log, event) = match self {
            Verb::Start => {
                (Action::Start, TaskState::PoweringOn, "start", "compute_start_instance")
            }
            Verb::Stop => (Action::Stop, TaskState::PoweringOff, "stop", "compute_stop_instance"),
            Verb::SoftReboot => {
                (Action::Reboot, TaskState::Rebooting, "reboot", "compute_reboot_instance")
            }
            Verb::HardReboot => {
                (Action::HardReboot, TaskState::RebootingHard, "reboot", "compute_reboot_instance")
            }
            Verb::Pause => (Action::Pause, TaskState::Pausing, "pause", "compute_pause_instance"),
            Verb::Unpause => {
                (Action::Unpause, TaskState::Unpausing, "unpause", "compute_unpause_instance")
            }
            Verb::Suspend => {
                (Action::Suspend, TaskState::Suspending, "suspend", "compute_suspend_instance")
            }
            Verb::Resume => {
                (Action::Resume, TaskState::Resuming, "resume", "compute_resume_instance")
            }
        };
        Job { action, task, log, event, fatal: self == Verb::HardReboot }
    }

    /// Where the server is afterwards.
    fn after(self) -> (VmState, PowerState) {
        match self {
            Verb::Start | Verb::SoftReboot | Verb::HardReboot | Verb::Unpause | Verb::Resume => {
                (VmState::Active, PowerState::Running)
            }
            Verb::Stop => (VmState::Stopped, PowerState::Shutdown),
            Verb::Pause => (VmState::Paused, PowerState::Paused),
            Verb::Suspend => (VmState::Suspended, PowerState::Suspended),
        }
    }

    /// The verb that a broken-off task was.
    pub(crate) fn of_task(task: TaskState) -> Option<Self> {
        let verbs = [
            Verb::Start,
            Verb::Stop,
            Verb::SoftReboot,
            Verb::HardReboot,
            Verb::Pause,
            Verb::Unpause,
            Verb::Suspend,
            Verb::Resume,
        ];
        verbs.into_iter().find(|verb| verb.job().task == task)
    }
}

/// Begins the verb.
pub(crate) async fn begin(nova: &Arc<Nova>, cx: &Ctx, id: &str, verb: Verb) -> Result<(), Error> {
    let begun = nova.begin(cx, id, verb.job(), |_, _| Ok(())).await?;
    let work = move |nova: Arc<Nova>, begun: Begun| run(nova, begun, verb);
    match verb {
        Verb::HardReboot => nova.run_over(begun, work),
        _ => nova.run(begun, work),
    }
    Ok(())
}

async fn run(nova: Arc<Nova>, begun: Begun, verb: Verb) -> Result<Ended, Error> {
    let server = &begun.server;
    let host = server.host.clone().unwrap_or_default();
    let driver = &nova.driver;
    match verb {
        Verb::Stop => driver.power_off(&host, &server.id, grace(&nova, server)).await?,
        Verb::Pause => driver.pause(&host, &server.id).await?,
        Verb::Unpause => driver.unpause(&host, &server.id).await?,
        Verb::Suspend => driver.suspend(&host, &server.id).await?,
        Verb::Start | Verb::Resume | Verb::SoftReboot | Verb::HardReboot => {
            let ports = networks::ports(&nova, &begun.cx, &server.id).await?;
            let spec = super::guest::spec(server, &ports);
            match verb {
                Verb::Start => driver.power_on(&host, &spec).await?,
                Verb::Resume => driver.resume(&host, &spec).await?,
                Verb::SoftReboot => driver.reboot(&host, &spec, RebootKind::Soft).await?,
                _ => driver.reboot(&host, &spec, RebootKind::Hard).await?,
            }
            wire(&nova, &begun.cx.elevated("nova"), &ports).await;
        }
    }
    let (vm_state, power) = verb.after();
    let ended = settled(vm_state, power);
    Ok(Box::new(move |server| {
        ended(server);
        server.fault = None;
    }))
}

/// How long a guest may take to shut down.
pub(crate) fn grace(nova: &Nova, server: &Server) -> Duration {
    let image = server.image.as_ref();
    let own = image.and_then(|image| image.properties.get("os_shutdown_timeout"));
    let seconds = own.and_then(|text| text.parse().ok());
    Duration::from_secs(seconds.unwrap_or(nova.config.shutdown_seconds).min(600))
}
