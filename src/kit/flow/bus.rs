//! Hints between parts of the process.
//!
//! A hint wakes somebody; it is never the only copy of a fact. Whoever misses one is woken by its
//! period instead.

use std::sync::Arc;

use stackup_core::{NetworkId, PortId, ProjectId, ServerId, UserId};
use tokio::sync::{Notify, broadcast};

/// Something that happened, for those who may want to look.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    ProjectDeleted(ProjectId),
    UserChanged(UserId),
    PortWired(PortId),
    /// The addresses of a server changed.
    AddressesChanged(ServerId),
    NetworkChanged(NetworkId),
    ServerDeleted(ServerId),
}

/// The process's bus. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Bus {
    events: broadcast::Sender<Event>,
}

impl Default for Bus {
    fn default() -> Self {
        Self { events: broadcast::channel(1024).0 }
    }
}

impl Bus {
    /// Tells whoever listens; nobody has to.
    pub fn publish(&self, event: Event) {
        drop(self.events.send(event));
    }

    /// Listens from now on. A listener that lags misses the oldest events.
    pub fn subscribe(&self) -> broadcast::Receiver<Event> {
        self.events.subscribe()
    }
}

/// Wakes one reconciler. Hints given while it runs add up to one more run.
#[derive(Debug, Clone, Default)]
pub struct Hint(Arc<Notify>);

impl Hint {
    pub fn give(&self) {
        self.0.notify_one();
    }

    pub async fn given(&self) {
        self.0.notified().await;
    }
}
