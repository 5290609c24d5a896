//! From a guest's tap to its network.

use async_trait::async_trait;
use stackup_contracts::Hub;
use stackup_core::{Ctx, PortId, SharedClock};

use crate::drivers::PlugHook;

/// Tells neutron of a new tap; handed to the driver.
pub struct Plugger {
    hub: Hub,
    clock: SharedClock,
}

impl Plugger {
    pub fn new(hub: Hub, clock: SharedClock) -> Self {
        Self { hub, clock }
    }
}

#[async_trait]
impl PlugHook for Plugger {
    async fn plugged(&self, port_id: &str, tap: &str) {
        let cx = Ctx::task("nova", self.clock.now());
        let wired = match self.hub.networks() {
            Ok(networks) => networks.plugged(&cx, &PortId::from(port_id)).await,
            Err(error) => Err(error),
        };
        if let Err(error) = wired {
            tracing::warn!(port_id, tap, %error, "the port is not wired yet");
        }
    }
}
