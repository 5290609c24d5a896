//! DHCP, metadata and router advertisements: which run where, started and ended as namespaces
//! come and go.

use std::collections::BTreeMap;
use std::future::Future;
use std::io;

use stackup_flow::supervisor::Supervisor;
use tokio::sync::{oneshot, watch};

use super::super::{DataplaneError, MetadataOrigin, Result};
use super::desired::Namespace;
use super::dhcp::{self, DhcpConfig};
use super::metadata::{self, Handler};
use super::netns;
use super::ra::{self, RaConfig};

/// The servers of all namespaces.
pub(super) struct Servers {
    supervisor: Supervisor,
    handler: Handler,
    running: BTreeMap<String, Running>,
}

/// The servers of one namespace. They belong to the namespace with this number: one of the same
/// name made later gets new ones.
struct Running {
    inode: u64,
    dhcp: Option<(watch::Sender<DhcpConfig>, Task)>,
    metadata: Option<(MetadataOrigin, Task)>,
    advertise: Vec<(RaConfig, Task)>,
}

/// A task that can be ended, and waited for: only then are its sockets closed.
struct Task {
    end: oneshot::Sender<()>,
    ended: oneshot::Receiver<()>,
}

impl Task {
    async fn stop(self) {
        // It may have ended by itself; then nothing is left to tell.
        drop(self.end);
        drop(self.ended.await);
    }
}

impl Servers {
    pub(super) fn new(supervisor: Supervisor, handler: Handler) -> Self {
        Self { supervisor, handler, running: BTreeMap::new() }
    }

    /// Makes the servers of a namespace as wanted.
    pub(super) async fn ensure(
        &mut self,
        name: &str,
        inode: u64,
        wanted: &Namespace,
    ) -> Result<()> {
        if self.running.get(name).is_some_and(|running| running.inode != inode) {
            self.stop(name).await;
        }
        let mut running = self.running.remove(name).unwrap_or(Running {
            inode,
            dhcp: None,
            metadata: None,
            advertise: Vec::new(),
        });
        let result = self.converge(name, &mut running, wanted).await;
        self.running.insert(name.to_owned(), running);
        result.map_err(|source| DataplaneError::Namespace { name: name.to_owned(), source })
    }

    /// Ends the servers of a namespace, and waits until their sockets are closed.
    pub(super) async fn stop(&mut self, name: &str) {
        let Some(running) = self.running.remove(name) else { return };
        let dhcp = running.dhcp.map(|(_, task)| task);
        let metadata = running.metadata.map(|(_, task)| task);
        let advertise = running.advertise.into_iter().map(|(_, task)| task);
        for task in dhcp.into_iter().chain(metadata).chain(advertise) {
            task.stop().await;
        }
    }

    pub(super) async fn stop_all(&mut self) {
        let names: Vec<String> = self.running.keys().cloned().collect();
        for name in names {
            self.stop(&name).await;
        }
    }

    async fn converge(
        &self,
        name: &str,
        running: &mut Running,
        wanted: &Namespace,
    ) -> io::Result<()> {
        self.dhcp(name, running, wanted).await?;
        self.metadata(name, running, wanted).await?;
        self.advertise(name, running, wanted).await
    }

    async fn dhcp(&self, name: &str, running: &mut Running, wanted: &Namespace) -> io::Result<()> {
        let current = running.dhcp.as_ref().map(|(sender, _)| sender.borrow().clone());
        if current == wanted.dhcp {
            return Ok(());
        }
        if let (Some((sender, _)), Some(config)) = (&running.dhcp, &wanted.dhcp)
            && current.is_some_and(|current| current.interface == config.interface)
        {
            sender.send_replace(config.clone());
            return Ok(());
        }
        if let Some((_, task)) = running.dhcp.take() {
            task.stop().await;
        }
        if let Some(config) = wanted.dhcp.clone() {
            let interface = config.interface.clone();
            let socket = netns::within(name, move || dhcp::socket(&interface)).await?;
            let socket = tokio::net::UdpSocket::from_std(socket)?;
            let (sender, receiver) = watch::channel(config);
            let task = self.spawn("neutron.dhcp", dhcp::serve(socket, receiver));
            running.dhcp = Some((sender, task));
        }
        Ok(())
    }

    async fn metadata(
        &self,
        name: &str,
        running: &mut Running,
        wanted: &Namespace,
    ) -> io::Result<()> {
        if running.metadata.as_ref().map(|(origin, _)| *origin) == wanted.metadata {
            return Ok(());
        }
        if let Some((_, task)) = running.metadata.take() {
            task.stop().await;
        }
        if let Some(origin) = wanted.metadata {
            let listener = netns::within(name, metadata::listener).await?;
            let listener = tokio::net::TcpListener::from_std(listener)?;
            let serving = metadata::serve(listener, origin, Handler::clone(&self.handler));
            running.metadata = Some((origin, self.spawn("neutron.metadata", serving)));
        }
        Ok(())
    }

    async fn advertise(
        &self,
        name: &str,
        running: &mut Running,
        wanted: &Namespace,
    ) -> io::Result<()> {
        let same = running.advertise.iter().map(|(config, _)| config).eq(&wanted.advertise);
        if same {
            return Ok(());
        }
        for (_, task) in running.advertise.drain(..) {
            task.stop().await;
        }
        for config in wanted.advertise.clone() {
            let interface = config.interface.clone();
            let socket = netns::within(name, move || ra::socket(&interface)).await?;
            let socket = tokio::net::UdpSocket::from_std(socket)?;
            let task = self.spawn("neutron.ra", ra::serve(socket, config.clone()));
            running.advertise.push((config, task));
        }
        Ok(())
    }

    fn spawn(&self, name: &'static str, work: impl Future<Output = ()> + Send + 'static) -> Task {
        let (end, told) = oneshot::channel::<()>();
        let (done, ended) = oneshot::channel();
        let shutdown = self.supervisor.shutdown();
        self.supervisor.spawn(name, async move {
            tokio::select! {
                () = work => {}
                _ = told => {}
                () = shutdown.begun() => {}
            }
            // Nobody may be waiting.
            done.send(()).ok();
        });
        Task { end, ended }
    }
}
