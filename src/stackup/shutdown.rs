//! Signals, and what they mean.

use stackup_flow::Supervisor;
use tokio::signal::unix::{SignalKind, signal};

/// Ends the process in order on SIGTERM or SIGINT. Guests run on.
pub fn watch(supervisor: &Supervisor) -> std::io::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let shutdown = supervisor.shutdown();
    supervisor.spawn("stackup.signals", async move {
        tokio::select! {
            _ = terminate.recv() => tracing::info!("asked to end"),
            _ = interrupt.recv() => tracing::info!("interrupted"),
            () = shutdown.begun() => {}
        }
        shutdown.begin();
    });
    Ok(())
}

/// Asks the kernel for SIGTERM when the parent ends: for clouds that live as long as a test run.
pub fn end_with_parent() -> std::io::Result<()> {
    nix::sys::prctl::set_pdeathsig(nix::sys::signal::Signal::SIGTERM)?;
    // The parent may have ended before the request; then init or a subreaper is the parent.
    if nix::unistd::getppid().as_raw() == 1 {
        tracing::warn!("started without a parent; runs until it is told to end");
    }
    Ok(())
}
